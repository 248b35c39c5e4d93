#!/usr/bin/env bash
# first-token.sh MODEL.gguf: measures the time from the start of a process to its first token, including loading of weights and tokenizer and
# a prompt of 8 tokens; best of five, once with the JIT and once as native AOT. The targets are for the 130m shape in Q8_0: 600 ms, and 250 ms
# as native AOT. THREADS is 2 by default. Exits 1 above a target. Native AOT needs a C linker and zlib's headers (Debian: gcc, zlib1g-dev).
set -euo pipefail
model=$(realpath "${1:?expected a GGUF file with a tokenizer}")
threads=${THREADS:-2}
cd "$(dirname "$0")/.."
case "$(uname -m)" in
    x86_64) rid=linux-x64 instructions=x86-64-v3 ;;
    aarch64) rid=linux-arm64 instructions=native ;;
    *) echo "first-token.sh: expected x86_64 or aarch64, found $(uname -m)" >&2; exit 1 ;;
esac
if grep -qw avx512f /proc/cpuinfo; then instructions=x86-64-v4; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
publish() { dotnet publish Mamba.Managed.Cli -c Release -r "$rid" -v quiet -o "$work/$1" "${@:2}" >&2; }
publish jit --self-contained false
publish aot -p:PublishAot=true -p:IlcInstructionSet="$instructions"
status=0
measure() {
    local best=0 start took
    for _ in 1 2 3 4 5; do
        start=$(date +%s%N)
        "$work/$1/mamba" generate "$model" --prompt "a b c d e f g h" --max-tokens 1 --threads "$threads" >"$work/output" 2>"$work/error" || { cat "$work/error" >&2; exit 1; }
        took=$((($(date +%s%N) - start) / 1000000))
        if [ "$best" = 0 ] || [ "$took" -lt "$best" ]; then best=$took; fi
    done
    echo "first token $1 $best ms target $2"
    [ "$best" -lt "$2" ] || status=1
}
measure jit 600
measure aot 250
exit "$status"
