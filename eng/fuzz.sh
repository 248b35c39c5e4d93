#!/usr/bin/env bash
# fuzz.sh [SECONDS|hour] [SEED]: the long runs of what the suite runs a slice of. Prints one line a part, and exits 1 where one fails; the line
# then says how to repeat the step that failed.
#
#   calls, threads                  random public calls: half of SECONDS each ("hour" is 3600, the default 60)
#   calls, threads, memory checked  the same for a tenth of that under glibc's malloc.check, where glibc has libc_malloc_debug.so.0
#   the readers                     damaged files, a million for each: 10^6 with "hour" or from 3600 seconds on, else in proportion, at least 10^4
#
# A step follows from seed and number; of "threads" also from how the machine runs them, so that a step may have to be repeated some times.
# One part alone: dotnet run --project Mamba.Managed.Tests -c Release -- fuzz PART 600s|STEPS SEED [FIRST_STEP] [checked]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60} seed=${2:-1}
[ "$seconds" = hour ] && seconds=3600
dotnet build Mamba.Managed.Tests -c Release -v quiet -clp:NoSummary
fuzz() { dotnet run --project Mamba.Managed.Tests -c Release --no-build -- fuzz "$@" || failed=1; }
failed=0
half=$(((seconds + 1) / 2)) tenth=$(((seconds + 19) / 20))
count=$((seconds >= 3600 ? 1000000 : seconds * 1000000 / 3600))
count=$((count < 10000 ? 10000 : count))
for part in calls threads; do
    fuzz "$part" "${half}s" "$seed"
    fuzz "$part" "${tenth}s" "$seed" 0 checked
done
for reader in $(dotnet run --project Mamba.Managed.Tests -c Release --no-build -- fuzz readers); do
    fuzz "$reader" "$count" "$seed"
done
exit "$failed"
