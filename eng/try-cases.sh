#!/usr/bin/env bash
# try-cases.sh [CASES]: files and calls after public bug reports of people who run, convert and train such models. CASES, ../shared/cases by default,
# holds a folder for each case, whose make.py writes the inputs; they are made in a copy. Prints one line a case, the reason below where it departs
# from what users expect, and exits 1 if one departs. Needs python3.
set -uo pipefail
cd "$(dirname "$0")/.."
cases=$(realpath -m "${1:-../shared/cases}")
[ -d "$cases/_lib" ] || { echo "$cases: expected a folder of cases with _lib, found none" >&2; exit 2; }
dotnet build Mamba.Managed.Cli -c Release -v quiet -clp:NoSummary || exit 2
command=("$(command -v dotnet)" "$PWD/Mamba.Managed.Cli/bin/Release/net10.0/mamba.dll")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$cases/." "$work"
chmod -R u+w "$work"
for made in "$work"/*/make.py; do python3 "$made" > /dev/null || { echo "$made: expected to run" >&2; exit 2; }; done

mamba() { timeout 120 "${command[@]}" "$@"; }
# expect CODE PATTERN ARGUMENTS...: the exit code of the command, and an extended regular expression that its output has.
expect() {
    local code=$1 pattern=$2 found
    shift 2
    output=$(mamba "$@" 2>&1 < /dev/null)
    found=$?
    if [ "$found" != "$code" ] || ! grep -qzE -- "$pattern" <<< "$output"; then
        departures+="    mamba $*: expected exit $code and '$pattern', found exit $found and '${output:0:400}'"$'\n'
    fi
}
# refused PATTERN ARGUMENTS...: exit code 1 and one line, which does not call the file damaged.
refused() {
    local pattern=$1
    shift
    expect 1 "$pattern" "$@"
    if [ "$(wc -l <<< "$output")" != 1 ] || [[ $output != "mamba: "* || $output == *"is damaged"* ]]; then
        departures+="    mamba $*: expected one line of a reason, found '${output:0:400}'"$'\n'
    fi
}
holds() { [ -e "$1" ] || departures+="    expected $1, found no such file"$'\n'; }
same() { [ "$1" == "$2" ] || departures+="    expected '${2:0:300}', found '${1:0:300}'"$'\n'; }
# The logits of three tokens, as a checksum of the file that holds them.
logits() { mamba logits "$1" --tokens '1 2 3' --output "$work/logits" 2>&1 < /dev/null && sha256sum < "$work/logits"; }
status=0
try() {
    departures=""
    cd "$work/$1" && "case_${1//-/_}"
    if [ -z "$departures" ]; then echo "as expected  $1"; else echo "DEPARTS      $1"; printf '%s' "$departures"; status=1; fi
}
ends() { expect 0 '"finish_reason": *"end_token"' generate "$1" --prompt abc --max-tokens 5 --temperature 0 --json; }
tiny=(--batch 2 --length 32 --d-model 16 --layers 1 --validation 0 --validate-every 0 --save-every 0)

case_added_token_latin() {
    local word ids
    for word in größe ilÖveyou đem ñandú 你好 '<think>' 'naïve café'; do
        ids=$(mamba tokenize model "$word")
        same "$(wc -w <<< "$ids")" 1
        same "$(mamba detokenize model "$ids")" "$word"
    done
}
case_bad_id_mid_run() { expect 0 'line 121: [^:]*found 300' train --data data.jsonl --output run --steps 3 "${tiny[@]}"; }
case_bom() {
    expect 0 '6 documents, 744 tokens' tokenize --file with-bom.jsonl --output x.tokens
    expect 0 '1 documents?, ' tokenize --file one-with-bom.jsonl --output y.tokens
    same "$(mamba perplexity --file with-bom.txt)" "$(mamba perplexity --file without-bom.txt)"
    expect 0 '"prompt_tokens": *6' generate --prompt-file prompt-bom.txt --max-tokens 1 --json
    expect 0 'vocab_size' info config-bom
    same "$(mamba tokenize tokenizer-bom hi)" 256
}
case_cli_at_sign() {
    same "$(mamba tokenize @alice)" "64 97 108 105 99 101"
    expect 0 '.' generate --prompt @alice --max-tokens 3
    same "$(mamba tokenize @file.txt)" "64 102 105 108 101 46 116 120 116"
}
case_config_infinity() {
    expect 0 . info mamba-with-infinity
    refused 'mamba2' info mamba2-with-infinity
    refused 'expected mamba.*falcon_mamba.*mamba2' info mamba2-plain
}
case_convert_side_files() {
    local file
    expect 0 . convert model out --type f16
    for file in tokenizer.json tokenizer_config.json special_tokens_map.json generation_config.json; do holds "out/$file"; done
    same "$(grep -E '(bos|eos|pad)_token_id' out/config.json | tr -d ', ' | sort)" "$(grep -E '(bos|eos|pad)_token_id' model/config.json | tr -d ', ' | sort)"
    refused . info adapter
}
case_eos_list() {
    local model
    for model in first-in-list second-in-list generation-config-only gguf-eos.gguf gguf-eot.gguf; do ends $model; done
    refused 'out-of-range.*50300' generate out-of-range --prompt x
    refused 'minus-one.*-1' generate minus-one --prompt x
}
case_gguf_add_bos() {
    same "$(mamba tokenize asks-bos.gguf hi)" "257 256"
    same "$(mamba tokenize asks-eos.gguf hi)" "256 257"
    same "$(mamba tokenize control.gguf hi)" 256
}
case_gguf_pre_tokenizer() {
    local pre
    for pre in gpt-2 olmo default None; do same "$(mamba tokenize pre-$pre.gguf 'a 12345')" "97 261 258 53"; done
    for pre in falcon llama-bpe; do same "$(mamba tokenize pre-$pre.gguf 'a 12345')" "97 32 262 263"; done
    same "$(mamba tokenize pre-qwen2.gguf 'a 12345')" "97 32 49 50 51 52 53"
    refused 'no-such-pre' tokenize pre-no-such-pre.gguf 'a 12345'
    expect 0 . convert pre-falcon.gguf folder --type f32
    same "$(mamba tokenize folder 'a 12345')" "97 32 262 263"
}
case_init_from_gguf() {
    expect 0 . convert model m.gguf --type q8_0
    expect 0 . train --init m.gguf --data data.txt --output run --steps 3 --batch 2 --length 16 --validation 0 --validate-every 0 --save-every 0
    holds run/tokenizer.json
}
case_lfs_pointer() {
    local file
    for file in safetensors-pointer bin-pointer pointer.gguf; do refused 'git-lfs pointer' info $file; done
    refused 'git-lfs pointer' tokenize tokenizer-pointer hi
}
case_nested_checkpoint() {
    local wrapped
    for wrapped in control plain-dict model-epoch with-optimizer with-loss; do expect 0 . info $wrapped; same "$(logits $wrapped)" "$(logits control)"; done
}
case_no_end_token_in_training() {
    expect 0 . train --data docs.jsonl --config new/config.json --output run --steps 150 --batch 8 --length 16 --learning-rate 1e-2 --validation 0 --validate-every 0 --save-every 0
    expect 0 '"text": *" green blue".*"end_token"' generate run --prompt red --temperature 0 --max-tokens 40 --json
}
case_original_layout() {
    local folder
    for folder in expand-* attn-keys; do expect 0 . info $folder; done
    expect 0 . convert expand-1.5-10 out --type f32
    expect 0 . info out
    same "$(grep -o '"expand": *[0-9.]*' out/config.json | tr -d ' ')" '"expand":1.5'
}
case_prefixed_names() {
    local name form
    for name in orig-mod module lightning-model base-model control; do
        for form in "" -bin; do same "$(logits $name$form)" "$(logits control)"; done
    done
}
case_safetensors_odd() {
    expect 0 . info metadata-is-null
    expect 0 . info metadata-null
    refused 'extra' info f64
    refused 'absmax' info bnb-u8
    refused . info gap
    refused 'model-00002-of-00002.safetensors' info index-missing-file
}
case_sharded_bin() { same "$(logits sharded)" "$(logits whole)"; }
case_special_id_out_of_range() {
    refused 'bos-vocab.gguf' tokenize bos-vocab.gguf hi
    expect 0 . info eos-u32max.gguf
    expect 0 . logits eos-u32max.gguf --tokens '1 2 3' --output out
}
case_split_gguf() {
    local first
    for first in m-00001-of-00002.gguf m-00002-of-00002.gguf empty-first-00001-of-00002.gguf; do
        same "$(logits $first)" "$(logits whole.gguf)"
    done
    refused . info cat.gguf
}
case_tiny_data() {
    expect 1 'messages|text' train --data chat.jsonl --output run1 --steps 3 "${tiny[@]}"
    expect 1 '300' train --data ids-out-of-range.jsonl --output run2 --steps 3 "${tiny[@]}"
    expect 1 '-3' train --data ids-negative.jsonl --output run3 --steps 3 "${tiny[@]}"
    expect 0 '8 documents' tokenize --file array.json --output array.tokens
    expect 0 '20 documents' tokenize --file surrogate.jsonl --output surrogate.tokens
    expect 1 . train --data empty.txt --output run4 --steps 3 "${tiny[@]}"
}
case_tokenizer_template_postprocessor() {
    local folder
    for folder in control empty-template sequence; do same "$(mamba tokenize $folder hello)" 259; done
    same "$(mamba tokenize adds-bos hello)" "260 259"
}

for folder in "$work"/*/; do
    name=$(basename "$folder")
    [ "$name" = _lib ] && continue
    if declare -F "case_${name//-/_}" > /dev/null; then try "$name"; else echo "UNKNOWN      $name: expected a function case_${name//-/_} in $0"; status=1; fi
done
exit "$status"
