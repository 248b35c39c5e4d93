#!/usr/bin/env bash
# Runs the whole suite under each instruction-set path that this machine has, then without any hardware intrinsics.
set -euo pipefail
cd "$(dirname "$0")/.."
dotnet build Mamba.Managed.sln -c Release -v quiet
status=0
for path in avx512 avx2 vector128 scalar; do
    case "$path" in
        avx512) grep -qw avx512f /proc/cpuinfo 2>/dev/null || continue ;;
        avx2) grep -qw avx2 /proc/cpuinfo 2>/dev/null || continue ;;
    esac
    echo "== $path"
    MAMBA_INSTRUCTION_SET=$path dotnet test Mamba.Managed.sln -c Release --no-build || status=1
done
echo "== no hardware intrinsics"
DOTNET_EnableHWIntrinsic=0 dotnet test Mamba.Managed.sln -c Release --no-build || status=1
exit "$status"
