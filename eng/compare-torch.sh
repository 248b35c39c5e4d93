#!/usr/bin/env bash
# compare-torch.sh: compares the speed of training with eager PyTorch at the tiny shape, 4 windows of 128 tokens, in one run; and measures the
# share of the FMA peak and the memory of a step at the 130m shape, 1 window of 512. MAMBA_TORCH is the path of torch_mamba.py, PYTHON a Python
# with PyTorch, THREADS the number of threads of both. Exits 1 below 40 times PyTorch, below 45 % of the peak, or above 16 bytes a parameter
# plus 350 MB.
set -euo pipefail
peer=${MAMBA_TORCH:?expected the path of torch_mamba.py}
python=${PYTHON:-/usr/bin/python3}
threads=${THREADS:-2}
if ! "$python" -c 'import torch' 2>/dev/null; then
    echo "compare-torch.sh: expected a Python with PyTorch, found none in $python; on Debian: apt-get install python3-torch libopenblas0-pthread, or set PYTHON" >&2
    exit 1
fi
cd "$(dirname "$0")/.."
dotnet build Mamba.Managed.Cli -c Release -v quiet
bench() { dotnet run --project Mamba.Managed.Cli -c Release --no-build -- bench --train --threads "$threads" --json "$@"; }
field() { sed -n "s/.*\"$1\":\([-+0-9.eE]*\).*/\1/p"; }
ours=$(bench --shape tiny --batch 4 --length 128)
theirs=$("$python" "$peer" --preset tiny --train --threads "$threads" | sed -n 's/^training .*: \([0-9.]*\) tok\/s.*/\1/p')
again=$(bench --shape tiny --batch 4 --length 128)
large=$(bench --shape 130m --batch 1 --length 512)
awk -v a="$(field train <<<"$ours")" -v b="$(field train <<<"$again")" -v torch="${theirs:?torch_mamba.py gave no training speed}" \
    -v share="$(field train_fma_share <<<"$large")" -v speed="$(field train <<<"$large")" \
    -v bytes="$(field peak_bytes <<<"$large")" -v parameters="$(field parameters <<<"$large")" 'BEGIN {
    ours = a < b ? a : b
    extra = (bytes - 16 * parameters) / 1e6
    printf "tiny: ours %.1f and %.1f tokens/s, PyTorch %.1f, ratio %.1f (at least 40)\n", a, b, torch, ours / torch
    printf "130m: %.1f tokens/s, %.1f %% of the FMA peak (at least 45), 16 bytes a parameter and %.0f MB (at most 350)\n", speed, 100 * share, extra
    exit ours / torch < 40 || share < 0.45 || extra > 350
}'
