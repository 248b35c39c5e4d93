#!/usr/bin/env bash
# compare-llama.sh: compares prefill, decode and batched decode with llama.cpp at the 130m shape, for each weight format; both sides run
# alternately, ROUNDS times. A cell is the best of REPETITIONS in every round, on both sides alike; a share is the best speed over the best
# limit, which is measured far more often. Prints one line for each cell; exits 1 if one is below its target.
#   LLAMA_BIN  the folder of llama-bench and llama-batched-bench
#   MODELS     the folder of 130m-TYPE.gguf. Missing files are made: PEERS must then be the folder of random_model.py and hf_to_gguf.py, which
#              PYTHON runs, and LLAMA_BIN must contain llama-quantize too
#   TYPES, THREADS, ROUNDS, REPETITIONS   what to measure; all six formats, 2, 3 and 5 by default
set -euo pipefail
llama=${LLAMA_BIN:?expected the folder of llama-bench and llama-batched-bench}
models=$(realpath -m "${MODELS:?expected the folder of 130m-TYPE.gguf, or where to make them}")
types=${TYPES:-f32 f16 bf16 q8_0 q4_k_m q4_0}
threads=${THREADS:-2}
rounds=${ROUNDS:-3}
repetitions=${REPETITIONS:-5}
python=${PYTHON:-/usr/bin/python3}
sessions=16
cd "$(dirname "$0")/.."

make_model() {
    local peers=${PEERS:?$1 is missing: expected the folder of random_model.py and hf_to_gguf.py, to make it}
    mkdir -p "$models"
    [ -e "$models/130m/model.safetensors" ] || "$python" "$peers/random_model.py" "$models/130m" --preset 130m
    case "$1" in
        f32 | f16 | bf16) "$python" "$peers/hf_to_gguf.py" "$models/130m" "$models/part.gguf" --type "$1" ;;
        *)
            [ -e "$models/130m-f32.gguf" ] || make_model f32
            "$llama/llama-quantize" "$models/130m-f32.gguf" "$models/part.gguf" "${1^^}"
            ;;
    esac
    mv "$models/part.gguf" "$models/130m-$1.gguf"
}

is_batched() { case "$1" in f32 | q8_0 | q4_k_m) ;; *) return 1 ;; esac; }
field() { sed -n "s/.*\"$1\": *\([-+0-9.eE]*\).*/\1/p"; }
samples() { sed -n "s/.*\"n_prompt\": $1,.*\"samples_ts\": \[\([^]]*\)\].*/\1/p" | tr ', ' '\n\n' | sed '/^$/d'; }

# Writes lines "side type measure value".
measure_ours() {
    local json extra=()
    if is_batched "$1"; then extra=(--sessions "$sessions"); fi
    json=$("$mamba" bench "$models/130m-$1.gguf" --threads "$threads" --rounds "$repetitions" --json "${extra[@]}")
    for name in pp512 tg64 batch read_gb_s fma_gflop_s pp512_fma_share tg64_read_share; do
        echo "$name $(field "$name" <<<"$json")" | awk -v type="$1" 'NF == 2 { print "ours", type, $1, $2 }'
    done
}
measure_theirs() {
    local lines
    lines=$("$llama/llama-bench" -m "$models/130m-$1.gguf" -t "$threads" -p 512 -n 64 -r "$repetitions" -o jsonl 2>/dev/null)
    samples 512 <<<"$lines" | sed "s/^/theirs $1 pp512 /"
    samples 0 <<<"$lines" | sed "s/^/theirs $1 tg64 /"
    if is_batched "$1"; then
        "$llama/llama-batched-bench" -m "$models/130m-$1.gguf" -t "$threads" -c 4096 -npp 64 -ntg 64 -npl "$(for ((i = 0; i < repetitions; i++)); do echo "$sessions"; done | paste -sd,)" \
            --output-format jsonl 2>/dev/null | field speed_tg | sed "s/^/theirs $1 batch /"
    fi
}

for type in $types; do
    case " f32 f16 bf16 q8_0 q4_k_m q4_0 " in *" $type "*) ;; *) echo "compare-llama.sh: TYPES: expected some of f32 f16 bf16 q8_0 q4_k_m q4_0, found $type" >&2; exit 1 ;; esac
    [ -e "$models/130m-$type.gguf" ] || make_model "$type" >&2
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
dotnet build Mamba.Managed.Cli -c Release -v quiet -o "$work/mamba" >&2
mamba=$work/mamba/mamba
for ((round = 1; round <= rounds; round++)); do
    for type in $types; do
        measure_ours "$type" >>"$work/results"
        measure_theirs "$type" >>"$work/results"
    done
done
awk -v types="$types" -v sessions="$sessions" '
    { key = $1 " " $2 " " $3 }
    !(key in best) || $4 > best[key] { best[key] = $4 }
    # The share is proportional to speed over limit; the factor is the same in every round.
    $1 == "ours" { last[$2 " " $3] = $4 }
    $3 == "tg64_read_share" { read[$2] = last[$2 " tg64_read_share"] * last[$2 " read_gb_s"] / last[$2 " tg64"] }
    $3 == "pp512_fma_share" { fma[$2] = last[$2 " pp512_fma_share"] * last[$2 " fma_gflop_s"] / last[$2 " pp512"] }
    function verdict(found, target) {
        if (found >= target) return "reached"
        missed++
        return "missed"
    }
    function ratio(type, measure, target,    ours, theirs) {
        ours = best["ours " type " " measure]
        theirs = best["theirs " type " " measure]
        if (theirs <= 0) { print measure, type, "no figure of llama.cpp"; missed++; return }
        printf "%s %s ours %.1f theirs %.1f ratio %.2f target %.2f %s\n",
            measure == "batch" ? measure sessions : measure, type, ours, theirs, ours / theirs, target, verdict(ours / theirs, target)
    }
    function share(type, measure, what, found, target) {
        printf "%s %s share %.3f of the %s target %.2f %s\n", measure, type, found, what, target, verdict(found, target)
    }
    END {
        split("f32 3.4 1.2 0.95 0.75 4;f16 2.7 1.5 0.88 0.72 0;bf16 2.7 1.5 0.88 0.72 0;q8_0 3.0 2.1 0.80 0.75 3;" \
            "q4_k_m 2.7 2.2 0.70 0.70 3;q4_0 2.7 2.2 0.70 0.70 0", rows, ";")
        for (i in rows) { split(rows[i], row, " "); targets[row[1]] = rows[i] }
        count = split(types, list, " ")
        for (i = 1; i <= count; i++) {
            type = list[i]
            split(targets[type], target, " ")
            ratio(type, "pp512", target[2])
            ratio(type, "tg64", target[3])
            share(type, "tg64", "read bandwidth", read[type] * best["ours " type " tg64"] / best["ours " type " read_gb_s"], target[4])
            share(type, "pp512", "float32 FMA peak", fma[type] * best["ours " type " pp512"] / best["ours " type " fma_gflop_s"], target[5])
            if (target[6] > 0) ratio(type, "batch", target[6])
        }
        exit missed > 0
    }' "$work/results"
