#!/usr/bin/env bash
# gguf-roundtrip.sh TEXT: compares perplexities of this library and llama.cpp, for files that this library writes and for files that
# llama-quantize writes. TEXT is plain text of about 20,000 bytes. LLAMA_BIN is the folder of llama-perplexity and llama-quantize. Prints one
# line for each file; exits 1 if two perplexities differ by more than 0.5 %.
set -euo pipefail
text=$(realpath "${1:?expected a text file}")
llama=${LLAMA_BIN:?expected the folder of llama-perplexity and llama-quantize}
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dotnet build eng/gguf-roundtrip.cs -c Release -v quiet
ours() { dotnet run --no-build -c Release --file eng/gguf-roundtrip.cs -- "$@"; }
status=0
compare() {
    local here there=''
    here=$(ours perplexity "$2" "$text" 512)
    # llama-perplexity may end before its log is written, and the result with it: then it is asked again.
    for _ in 1 2 3 4 5; do
        "$llama/llama-perplexity" -m "$2" -f "$text" -c 512 -t 2 >"$work/log" 2>&1 || break
        there=$(sed -n 's/.*PPL = \([0-9.]*\).*/\1/p' "$work/log")
        [ -z "$there" ] || break
    done
    [ -n "$there" ] || { echo "$1: llama-perplexity gave none"; tail -n 20 "$work/log"; status=1; return 0; }
    awk -v label="$1" -v here="$here" -v there="$there" 'BEGIN {
        difference = 100 * (here / there - 1)
        printf "%s ours %.4f llama.cpp %.4f difference %+.3f %%\n", label, here, there, difference
        exit difference > 0.5 || difference < -0.5
    }' || status=1
}
for type in F32 F16 BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q2_K Q3_K_M Q4_K_M Q5_K_M Q6_K; do
    ours convert Mamba.Managed.Tests/Fixtures/shakespeare-bytes "$work/$type.gguf" "$type"
    compare "written here $type" "$work/$type.gguf"
done
for type in F16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q2_K Q3_K_M Q4_K_M Q5_K_M Q6_K; do
    "$llama/llama-quantize" "$work/F32.gguf" "$work/theirs-$type.gguf" "$type" >"$work/log" 2>&1 || { cat "$work/log"; status=1; continue; }
    compare "written by llama-quantize $type" "$work/theirs-$type.gguf"
done
exit "$status"
