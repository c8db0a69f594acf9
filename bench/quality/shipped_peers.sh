#!/bin/sh
# shipped_peers.sh [STEPS [NAME...]] - PyTorch beside the recipes of the models that ship (models/recipes): 24 steps of each (encoder
# translator decoder) on its own data, f32, from the same first weights, the same batches in the same order; learn_peer.py has both
# sides' losses, and then both are scored on text that neither learnt from. translator-on: the translator as it ships learns on.
#   TRINE_SHIP  the folder where the recipes worked   TRINE the command   PYTHON one that has torch, transformers, tokenizers
set -eu
here=$(cd "$(dirname "$0")" && pwd)
trine=${TRINE:-$here/../../build/trine} python=${PYTHON:-python3} steps=${1:-24} warmup=$((${1:-24} / 10 + 8))
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- encoder translator decoder
cd "${TRINE_SHIP:?where the recipes worked}"
mkdir -p peers
head -c 100000 data/novels-valid.txt >peers/novels.txt
grep -v '^ *$' data/novels-held-out.txt | head -c 400000 >peers/scored.txt
head -c 100000 data/stories-valid.txt >peers/stories.txt
head -n 500 data/de-en-dev.tsv >peers/pairs.tsv
jq '.[:4]' mix-translator-2.json >peers/translations.json # the parts that are translations

beside() { # NAME TASK MIX VALID, then of trine: a new model, the data, the learning; and the peer's arguments
    name=$1 task=$2 mix=$3 valid=$4
    # shellcheck disable=SC2086
    {
        "$trine" train -q $5 --mix "$mix" --valid "$valid" $6 --seed 1 --no-record --overwrite --steps 1 --lr 1e-11 -o "peers/$name-first"
        "$trine" train -q -m "peers/$name-first" --mix "$mix" --valid "$valid" $6 $7 --seed 1 --no-record --overwrite --steps "$steps" \
            --eval-every $((steps / 4)) -o "peers/$name"
        "$python" "$here/learn_peer.py" "peers/$name-first" "peers/$name/training/metrics.jsonl" "$task" "$mix" "$valid" $8 \
            --save "peers/$name-torch"
    }
    for side in "$name" "$name-torch"; do
        # shellcheck disable=SC2086
        echo "$side: $("$trine" eval -q --json -m "peers/$side" $9)"
    done
}
for name; do
    case $name in
    encoder)
        beside encoder masked mix-encoder.json peers/novels.txt "--config encoder.json --neighbours --tokenizer vocabulary/bert" \
            "--seq-len 128 --batch-tokens 6144 --noise 0.3" "--optimizer muon --lr 1.5e-3 --warmup $warmup --decay linear --min-lr 0" \
            "--tokens 6144 --length 128 --noise 0.3 --lr 1.5e-3 --warmup $warmup --linear --min-lr 0 --muon" \
            "--task mlm --seed 1 peers/scored.txt"
        ;;
    translator)
        beside translator seq2seq peers/translations.json peers/pairs.tsv "--config translator.json --tokenizer vocabulary/t5" \
            "--objective seq2seq --seq-len 256 --target-len 96 --batch-tokens 6144 --label-smoothing 0.1" \
            "--optimizer muon --lr 2.5e-3 --warmup $warmup --decay linear --min-lr 1e-4" \
            "--tokens 6144 --length 256 --target-length 96 --smoothing 0.1 --lr 2.5e-3 --warmup $warmup --linear --min-lr 1e-4 --muon" \
            "--task translate --prefix= --beam 4 -n 96 peers/pairs.tsv"
        ;;
    translator-on)
        "$trine" convert -q -m translator --type f32 --overwrite -o peers/translator-shipped
        beside translator-on seq2seq peers/translations.json peers/pairs.tsv "-m peers/translator-shipped" \
            "--objective seq2seq --separate --seq-len 256 --target-len 96 --batch-tokens 6144 --label-smoothing 0.1" \
            "--optimizer muon --lr 3e-4 --warmup $warmup --decay linear --min-lr 0" \
            "--tokens 6144 --length 256 --target-length 96 --smoothing 0.1 --lr 3e-4 --warmup $warmup --linear --min-lr 0 --muon" \
            "--task translate --prefix= --beam 4 -n 96 peers/pairs.tsv"
        ;;
    decoder)
        beside decoder lm mix-decoder.json peers/stories.txt \
            "--arch llama --layers 8 --width 256 --ff 704 --heads 4 --kv-heads 2 --tokenizer vocabulary/llama" \
            "--seq-len 512 --batch-tokens 8192" "--lr 2e-3" "--tokens 8192 --length 512 --lr 2e-3" \
            "--task lm peers/stories.txt"
        ;;
    *) echo "shipped_peers.sh: $name is none of encoder translator translator-on decoder" >&2; exit 2 ;;
    esac
done
