#!/usr/bin/env bash
# Writes the present public API of the library to its baseline, PublicAPI.Unshipped.txt. The build fails if code and baseline differ, so that
# every change of the API is visible in review.
set -euo pipefail
cd "$(dirname "$0")/../Mamba.Managed"
echo "#nullable enable" > PublicAPI.Unshipped.txt
dotnet build -c Release -v quiet --no-incremental -p:TreatWarningsAsErrors=false -clp:NoSummary 2>&1 |
    sed -n "s/.*warning RS0016: Symbol '\(.*\)' is not part of the declared public API.*/\1/p" | LC_ALL=C sort -u >> PublicAPI.Unshipped.txt
echo "$(($(wc -l < PublicAPI.Unshipped.txt) - 1)) symbols"
