#!/usr/bin/env bash
# test-arm64.sh: publishes the tests for linux-arm64 and runs the tests of numerical results: the goldens (logits, states, gradients, training,
# tokenizers and the command, against float64), the one-result tests, and the hashes of logits, states and training runs, whose constants are
# those of AVX-512. On another machine Arm64 is emulated by qemu, which takes about three minutes. The emulator, and the Arm64 libraries that the
# runtime loads, are downloaded from Debian with apt-get into CACHE, artifacts/arm64 by default, without root and without a change to the
# system. Exits 1 if a test fails.
set -euo pipefail
filter='FullyQualifiedName~Golden|FullyQualifiedName~OneResultTests|FullyQualifiedName~BitsTests'
libraries=(libc6 libgcc-s1 libstdc++6 libssl3 zlib1g)
cd "$(dirname "$0")/.."
cache=$(realpath -m "${CACHE:-artifacts/arm64}")
mkdir -p "$cache"

# apt-get gets package lists and caches of its own, so that Arm64 need not be added to the system's architectures.
apt() {
    mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
    apt-get -qq -o Dir::State::Lists="$cache/apt/lists" -o Dir::Cache="$cache/apt/cache" -o APT::Sandbox::User=root \
        -o APT::Architectures::="$(dpkg --print-architecture)" -o APT::Architectures::=arm64 "$@"
}
# unpack FOLDER PACKAGE...: the folder is there only once everything is in it.
unpack() {
    local work=$1.part package
    rm -rf "$work"
    mkdir -p "$work/packages"
    (cd "$work/packages" && apt download "${@:2}")
    for package in "$work"/packages/*.deb; do dpkg -x "$package" "$work"; done
    rm -r "$work/packages"
    mv "$work" "$1"
}

run=()
where="natively"
if [ "$(uname -m)" != aarch64 ]; then
    [ -d "$cache/emulator" ] && [ -d "$cache/libraries" ] || apt update
    [ -d "$cache/emulator" ] || unpack "$cache/emulator" qemu-user-static
    find "$cache/emulator" -type f ! -name qemu-aarch64-static -delete # those of the other processors take 350 MB
    [ -d "$cache/libraries" ] || unpack "$cache/libraries" "${libraries[@]/%/:arm64}"
    emulator=$cache/emulator/usr/bin/qemu-aarch64-static
    where="emulated by $("$emulator" --version | head -1)"
    # The runtime otherwise writes code through a second mapping of its pages, which the emulator does not notice: it goes on with the old code.
    run=(env QEMU_LD_PREFIX="$cache/libraries" DOTNET_EnableWriteXorExecute=0 "$emulator")
fi
echo "== arm64, $where"
dotnet publish Mamba.Managed.Tests -c Release -r linux-arm64 --self-contained -p:UseAppHost=true -v quiet --artifacts-path "$cache/build" -o "$cache/tests"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
env -u MAMBA_INSTRUCTION_SET "${run[@]}" "$cache/tests/Mamba.Managed.Tests" run-tests --progress off --filter "$filter" 2>&1 | tee "$log" || status=1
# The summary is colored where a build server is recognized.
count() { sed 's/\x1b\[[0-9;]*m//g' "$log" | awk -v name="$1:" '$1 == name { n = $2 } END { print n + 0 }'; }
(($(count succeeded) > 0)) || status=1
echo "Failed: $(count failed), Passed: $(count succeeded), on arm64, $where"
exit "$status"
