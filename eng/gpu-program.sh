#!/usr/bin/env bash
# gpu-program.sh [OUT]: publishes the GPU plugin's tests and benchmarks as programs for Linux on x86-64 that need neither SDK nor runtime, tries both
# here on the emulated device, and packs them into OUT, artifacts/gpu-programs.tar.xz by default. On the machine with the GPU:
#   tar -xJf gpu-programs.tar.xz
#   gpu-programs/tests/Mamba.Managed.ILGPU.Tests --progress off
#   gpu-programs/benchmarks/Mamba.Managed.ILGPU.Benchmarks --device cuda --markdown table.md --json table.json
# MAMBA_TEST_DEVICE=cuda leaves the tests of other devices out, --filter 'FullyQualifiedName~Scan' takes some. With NVIDIA's memory checker:
#   MAMBA_TEST_DEVICE=cuda compute-sanitizer gpu-programs/tests/Mamba.Managed.ILGPU.Tests --progress off --filter 'FullyQualifiedName~Kernels'
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-artifacts/gpu-programs.tar.xz}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
programs=$work/gpu-programs
publish() {
    dotnet publish "Mamba.Managed.ILGPU.$1" -c Release -r linux-x64 --self-contained -v quiet -clp:NoSummary -p:RunAnalyzers=false -p:DebugType=none \
        -p:GenerateDocumentationFile=false --artifacts-path "$work/build" -o "$programs/$2" >&2
    # Debuggers' libraries and collectors of coverage.
    (cd "$programs/$2" && rm -rf createdump libmscordaccore.so libmscordbi.so libcoreclrtraceptprovider.so Microsoft.CodeCoverage Microsoft.VisualStudio.CodeCoverage.Shim.dll ./*.pdb ./*.xml)
}
publish Tests tests
publish Benchmarks benchmarks
MAMBA_TEST_DEVICE=cpu "$programs/tests/Mamba.Managed.ILGPU.Tests" --progress off --filter "FullyQualifiedName~TestDevicesTests" >&2
"$programs/benchmarks/Mamba.Managed.ILGPU.Benchmarks" --device cpu-accelerator --small --rows 'ceiling-copy,scan-f32-b1-d1536-l2048,decode-130m-f32-b1,prefill-130m-f32-b1-l512' >&2
mkdir -p "$(dirname "$out")"
tar -C "$work" -c gpu-programs | xz -9 >"$out"
echo "$out: $(($(stat -c %s "$out") / 1000)) kB" >&2
