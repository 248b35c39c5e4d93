#!/usr/bin/env bash
# train-default-model.sh TEXT DIR: the recipe of the default model. TEXT is tinyshakespeare.txt, whose last 100,000 bytes are validation.
# The same text and recipe give the same bits on any number of threads. Run it again to go on after it was stopped.
set -euo pipefail
text=$(realpath "${1:?expected tinyshakespeare.txt}")
run=$(realpath -m "${2:?expected a folder for the run}")
cd "$(dirname "$0")/.."
resume=()
if compgen -G "$run/step-*[0-9]" >/dev/null; then resume=(--resume); fi
dotnet run --project Mamba.Managed.Cli -c Release -- train --data "$text" --output "$run" \
    --shape tiny --d-model 256 --layers 6 --d-state 16 --expand 2 --dropout 0.2 \
    --steps 3000 --batch 16 --length 256 --accumulate 1 \
    --learning-rate 2e-3 --min-learning-rate 1e-4 --warm-up 100 --schedule cosine \
    --weight-decay 0.1 --beta2 0.95 --clip 1 --ema 0.995 --seed 1 \
    --validation 100000 --validate-every 100 --save-every 50 --keep 2 --sample-every 500 --save-type f16 "${resume[@]}"
