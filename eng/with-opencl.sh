#!/usr/bin/env bash
# with-opencl.sh COMMAND...: runs a command with an OpenCL device: the system's, or else Debian 12's pocl, whose device is the processor. pocl and the
# libraries that it loads are downloaded with apt-get into CACHE, artifacts/opencl by default, without root and without a change to the system; it
# calls ld (package binutils). Where they cannot be had, the command runs without a device. Exits as the command does.
set -euo pipefail
: "${1:?expected a command}"
packages=(ocl-icd-libopencl1 libpocl2 libpocl2-common libclang-cpp15 libllvm15 libhwloc15 libudev1 libedit2 libbsd0 libmd0 libffi8 libtinfo6 libz3-4
    libxml2 libicu72 liblzma5 zlib1g)
has_device() { ldconfig -p | grep -q 'libOpenCL\.so\.1 ' && compgen -G '/etc/OpenCL/vendors/*.icd' >/dev/null; }
apt() {
    mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
    apt-get -qq -o Dir::State::Lists="$cache/apt/lists" -o Dir::Cache="$cache/apt/cache" -o APT::Sandbox::User=root "$@"
}
# The folder is there only once everything is in it.
unpack() {
    local work=$cache/pocl.part package
    rm -rf "$work"
    mkdir -p "$work/packages"
    apt update && (cd "$work/packages" && apt download "${packages[@]}") || return 1
    for package in "$work"/packages/*.deb; do dpkg -x "$package" "$work" || return 1; done
    rm -r "$work/packages"
    mkdir "$work/vendors"
    echo "$cache/pocl/usr/lib/x86_64-linux-gnu/libpocl.so.2.10.0" >"$work/vendors/pocl.icd"
    mv "$work" "$cache/pocl"
}

PATH=$PATH:/usr/sbin:/sbin # ldconfig
if ! has_device; then
    cache=$(realpath -m "${CACHE:-$(dirname "$0")/../artifacts/opencl}")
    if [ -d "$cache/pocl" ] || unpack; then
        export OCL_ICD_VENDORS=$cache/pocl/vendors POCL_CACHE_DIR=$cache/kernels
        export LD_LIBRARY_PATH=$cache/pocl/usr/lib/x86_64-linux-gnu:$cache/pocl/lib/x86_64-linux-gnu:$cache/pocl/usr/lib/llvm-15/lib:${LD_LIBRARY_PATH:-}
    else
        echo "with-opencl.sh: expected pocl from Debian 12, found none; install pocl-opencl-icd and ocl-icd-libopencl1. There is no OpenCL device in what follows" >&2
    fi
fi
exec "$@"
