#!/usr/bin/env bash
# benchmark.sh [FILTER]: runs the benchmark suites that match FILTER ('*' for all, the default; '*MixerSuite*' for one), with short runs in one
# process, and writes their tables to docs/benchmarks/<this CPU>/, or to the folder OUT.
set -euo pipefail
cd "$(dirname "$0")/.."
cpu=$(sed -n 's/^model name[^:]*: //p;s/^cpu family[^:]*: /family /p;s/^model[[:space:]]*: /model /p' /proc/cpuinfo | head -3 | LC_ALL=C sort | tr '\n' ' ' |
    sed 's/[^A-Za-z0-9]\{1,\}/-/g;s/-$//')
out=$(realpath -m "${OUT:-docs/benchmarks/${cpu:-$(uname -m)}}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dotnet build Mamba.Managed.Benchmarks -c Release -v quiet >&2
dotnet run --project Mamba.Managed.Benchmarks -c Release --no-build -- --filter "${1:-*}" --inProcess --warmupCount 1 --iterationCount 5 --iterationTime 100 \
    --artifacts "$work" >&2
tables=("$work"/results/*-report-github.md)
[ -e "${tables[0]}" ] || { echo "benchmark.sh: expected a filter that names a suite, as '*MixerSuite*', found ${1:-*}" >&2; exit 1; }
mkdir -p "$out"
# Before the first table is written, which is a change itself.
version="$(sed -n 's/.*<Version>\(.*\)<.*/\1/p' Directory.Build.props) at $(git rev-parse --short HEAD)$(git diff --quiet HEAD || echo ' with changes')"
for table in "${tables[@]}"; do
    name=$(basename "$table" -report-github.md)
    { echo "Mamba.Managed $version"; echo; cat "$table"; } >"$out/${name##*.}.md"
    echo "$out/${name##*.}.md"
done
