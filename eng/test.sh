#!/usr/bin/env bash
# Runs the whole test suite under the first instruction-set path that this machine has; under the other paths and without hardware intrinsics what they
# can change: not the GPU plugin and the packages, and under the other paths not the reading of files and texts, nor the command. Exits 1 if a run fails.
set -euo pipefail
cd "$(dirname "$0")/.."
dotnet build Mamba.Managed.sln -c Release -v quiet
failed=()
selected=()
once="FullyQualifiedName!~.ILGPU.&FullyQualifiedName!~.Packaging."
numerical=(--filter "$once&FullyQualifiedName!~.Cli.&FullyQualifiedName!~.Tokenizers.&FullyQualifiedName!~.Fuzz.&FullyQualifiedName!~.MutationTests")
pass() {
    echo "== $1"
    env "$2" dotnet test Mamba.Managed.sln -c Release --no-build "${selected[@]}" || failed+=("$1")
}
for path in avx512 avx2 vector128 scalar; do
    case "$path" in
        avx512) grep -qw avx512f /proc/cpuinfo 2>/dev/null || continue ;;
        avx2) grep -qw avx2 /proc/cpuinfo 2>/dev/null || continue ;;
    esac
    pass "$path" "MAMBA_INSTRUCTION_SET=$path"
    selected=("${numerical[@]}")
done
selected=(--filter "$once")
pass "no hardware intrinsics" DOTNET_EnableHWIntrinsic=0
if [ ${#failed[@]} -gt 0 ]; then
    printf 'test.sh: failed under %s\n' "${failed[@]}" >&2
    exit 1
fi
