#!/usr/bin/env bash
# train-default-model.sh TEXT DIR: the recipe of the default model. TEXT is tinyshakespeare.txt, whose last 100,000 bytes are validation.
# The same text and recipe give the same bits on any number of threads: those of Mamba.Managed.Cli/DefaultModel, see docs/default-model.md.
# If it was stopped, run it again to resume.
set -euo pipefail
text=$(realpath "${1:?expected tinyshakespeare.txt}")
run=$(realpath -m "${2:?expected a folder for the run}")
cd "$(dirname "$0")/.."
resume=()
if compgen -G "$run/step-*[0-9]" >/dev/null; then resume=(--resume); fi
dotnet run --project Mamba.Managed.Cli -c Release -- train --data "$text" --output "$run" \
    --d-model 224 --layers 11 --steps 1030 --batch 8 --length 512 \
    --learning-rate 3e-3 --min-learning-rate 1e-4 --warm-up 100 --schedule cosine \
    --weight-decay 2 --beta2 0.95 --clip 1 --ema 0.995 --seed 1 \
    --validation 100000 --validate-every 200 --save-every 50 --keep 2 --sample-every 200 --save-type f16 "${resume[@]}"
