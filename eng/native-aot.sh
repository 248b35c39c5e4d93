#!/usr/bin/env bash
# native-aot.sh [SHAPE]: publishes the command twice, for the JIT and by native AOT with nothing else said, and measures prompts (tokens/s) and
# generation in turn; the best of ROUNDS (3) counts. Native AOT has AVX2 on x64, so it is compared with the JIT with the same instruction set, and
# beside it with what the JIT takes by itself. SHAPE is 130m, TYPES "q8_0 f32", THREADS 2. Exits 1 if native AOT stays below 0.85 of the JIT with
# the same instruction set. Native AOT needs a C compiler, which links (Debian: gcc).
set -euo pipefail
shape=${1:-130m}
types=${TYPES:-q8_0 f32}
threads=${THREADS:-2}
rounds=${ROUNDS:-3}
least=0.85
cd "$(dirname "$0")/.."
case "$(uname -m)" in
    x86_64) rid=linux-x64 ;;
    aarch64) rid=linux-arm64 ;;
    *) echo "native-aot.sh: expected x86_64 or aarch64, found $(uname -m)" >&2; exit 1 ;;
esac
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
publish() { dotnet publish Mamba.Managed.Cli -c Release -r "$rid" -v quiet -o "$work/$1" "${@:2}" >&2; }
publish jit --self-contained false
publish aot -p:PublishAot=true
# The line of a run: instruction set, prompt, generation.
run() {
    MAMBA_INSTRUCTION_SET=$2 "$work/$1/mamba" bench --shape "$shape" --type "$3" --threads "$threads" --rounds 2 --json >"$work/result"
    tr -d '{}" ' <"$work/result" | tr , '\n' | awk -F: '$1 == "instruction_set" { set = $2 } $1 == "pp512" { pp = $2 } $1 == "tg64" { tg = $2 } END { if (!set || !pp || !tg) exit 1; print set, pp, tg }'
}
instructions=$("$work/aot/mamba" info --json | tr -d '{}" ' | tr , '\n' | sed -n 's/^instruction_set://p')
status=0
printf '%-6s %-22s %12s %12s\n' type program pp512 tg64
for type in $types; do
    : >"$work/$type"
    for ((round = 0; round < rounds; round++)); do
        for program in "jit jit" "same jit $instructions" "aot aot"; do
            read -r name folder forced <<<"$program"
            line=$(run "$folder" "$forced" "$type")
            echo "$name $line" >>"$work/$type"
        done
    done
    awk -v type="$type" -v least="$least" '
        { set[$1] = $2; if ($3 > pp[$1]) pp[$1] = $3; if ($4 > tg[$1]) tg[$1] = $4 }
        END {
            printf "%-6s %-22s %12.1f %12.1f\n", type, "JIT, " set["jit"], pp["jit"], tg["jit"]
            printf "%-6s %-22s %12.1f %12.1f\n", type, "JIT, " set["same"], pp["same"], tg["same"]
            printf "%-6s %-22s %12.1f %12.1f\n", type, "native AOT, " set["aot"], pp["aot"], tg["aot"]
            printf "%-6s %-22s %12.3f %12.3f\n", type, "of the JIT, " set["jit"], pp["aot"] / pp["jit"], tg["aot"] / tg["jit"]
            printf "%-6s %-22s %12.3f %12.3f\n", type, "of the JIT, " set["same"], pp["aot"] / pp["same"], tg["aot"] / tg["same"]
            exit pp["aot"] < least * pp["same"] || tg["aot"] < least * tg["same"]
        }' "$work/$type" || status=1
done
exit "$status"
