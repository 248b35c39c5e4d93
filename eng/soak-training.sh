#!/usr/bin/env bash
# soak-training.sh [STEPS] [SEED]: training steps on random shapes and lengths at learning rates up to 1e6; exits 1 if a weight is not
# finite. The test suite runs a shorter version.
set -euo pipefail
cd "$(dirname "$0")/.."
dotnet run --project Mamba.Managed.Tests -c Release -- soak "${1:-10000}" "${2:-1}"
