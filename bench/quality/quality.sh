#!/bin/sh
# quality.sh RECIPE [SEED...] - trains a recipe on real data, with seeds 1 2 3 if none are named, and prints a line a seed: what was
# reached and in which time. Records lie in BENCH_RECORDS/quality. No recipe: lists them.
#   BENCH_DATA    the texts: sst2/ wikigold/ wnut17/ tinyshakespeare/ multi30k/ tinystories/
#   BENCH_MINILM  all-MiniLM-L6-v2 (bench/models.py gets it)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/trine-bench
trine=${BENCH_TRINE:-$root/build/trine}
data=${BENCH_DATA:-$root/../shared/data}
minilm=${BENCH_MINILM:-$cache/models/all-minilm-l6-v2}
records=${BENCH_RECORDS:-$cache/records}/quality

# recipe, what is reported, what to reach
list='
sst2        accuracy on the development sentences, whole model         at least 0.89
sst2-lora   the same by adapters of rank 8                              at least 0.875
sst2-small  the same from nothing: 3 layers of 192, masked words of the
            training phrases learnt first                               at least 0.82
wikigold    F1 of entities on the development sentences                 at least 0.71
wnut17      F1 of entities on the development sentences                 at least 0.30
shakespeare loss by character, 4 layers of 128, context 64, 2,000 steps at most 1.88
multi30k    BLEU of German into English, from nothing, 3 + 3 layers
            of 256, on the development sentences                        at least 35
tinystories loss, 4 layers of 128, context 128, one epoch               that of learn_peer.py'

[ $# -gt 0 ] || { echo "quality.sh RECIPE [SEED...], where RECIPE is$list"; exit 2; }
recipe=$1
shift
[ $# -gt 0 ] || set -- 1 2 3
mkdir -p "$records"

# nanoGPT's split and alphabet: the first 90% is learnt, a token is a character.
characters() {
    folder=$records/shakespeare-data
    [ -e "$folder/tokenizer.json" ] && return
    mkdir -p "$folder"
    n=$(($(wc -c <"$data/tinyshakespeare/input.txt") * 9 / 10))
    head -c "$n" "$data/tinyshakespeare/input.txt" >"$folder/train.txt"
    tail -c "+$((n + 1))" "$data/tinyshakespeare/input.txt" >"$folder/valid.txt"
    "$trine" tokenizer -q --type gpt2 --algorithm bpe --vocab 257 --out "$folder/tok" --overwrite "$folder/train.txt"
    mv "$folder/tok"/* "$folder" && rmdir "$folder/tok"
}

# German TAB English, and a vocabulary for both.
pairs() {
    folder=$records/multi30k-data
    [ -e "$folder/tokenizer.json" ] && return
    mkdir -p "$folder"
    for part in train val; do
        for language in de en; do gzip -dc "$data/multi30k/$part.$language.gz" | tr '\t' ' ' >"$folder/$language"; done
        (printf 'source\ttarget\n' && paste "$folder/de" "$folder/en") >"$folder/$part.tsv"
    done
    "$trine" tokenizer -q --type t5 --vocab 5000 --sentinels 0 --out "$folder/tok" --overwrite "$folder/train.tsv"
    mv "$folder/tok"/* "$folder" && rmdir "$folder/tok"
}

for seed; do
    out=$records/$recipe-$seed
    common="-q --seed $seed --no-record --overwrite -o $out"
    start=$(date +%s)
    # shellcheck disable=SC2086
    case $recipe in
    sst2) "$trine" finetune classify -m "$minilm" "$data/sst2/train.tsv.gz" --valid "$data/sst2/dev.tsv" --bf16 --epochs 3 $common ;;
    sst2-lora) "$trine" finetune classify -m "$minilm" "$data/sst2/train.tsv.gz" --valid "$data/sst2/dev.tsv" --lora 8 --bf16 --epochs 1 $common ;;
    wikigold) "$trine" finetune tag -m "$minilm" "$data/wikigold/train.conll" --valid "$data/wikigold/dev.conll" --bf16 $common ;;
    wnut17) "$trine" finetune tag -m "$minilm" "$data/wnut17/train.conll" --valid "$data/wnut17/dev.conll" --bf16 $common ;;
    shakespeare)
        characters
        "$trine" train --arch gpt2 --layers 4 --width 128 --heads 4 --tokenizer "$records/shakespeare-data" --seq-len 64 --batch 12 \
            --batch-tokens 768 --steps 2000 --warmup 100 --lr 1e-3 --min-lr 1e-4 --beta2 0.99 --weight-decay 0.1 --eval-every 250 \
            --valid "$records/shakespeare-data/valid.txt" "$records/shakespeare-data/train.txt" $common
        ;;
    sst2-small)
        "$trine" train --arch bert --layers 3 --width 192 --heads 3 --neighbours --seq-len 128 --separate --vocab 8000 --epochs 5 --bf16 \
            --optimizer muon --lr 2e-3 --warmup 50 --decay linear --min-lr 0 --noise 0.3 \
            "$data/sst2/train.tsv.gz" -q --seed "$seed" --no-record --overwrite -o "$out-words"
        "$trine" finetune classify -m "$out-words" "$data/sst2/train.tsv.gz" --valid "$data/sst2/dev.tsv" --bf16 --epochs 2 --lr 3e-4 \
            --dropout 0.15 --weight-decay 0.3 --ema 0.999 $common
        ;;
    multi30k)
        pairs
        "$trine" train --arch t5 --objective seq2seq --layers 3 --width 256 --heads 4 --ff 512 --tokenizer "$records/multi30k-data" \
            --batch-tokens 2048 --epochs 14 --lr 1e-3 --warmup 500 --dropout 0.15 --label-smoothing 0.1 --bf16 \
            --valid "$records/multi30k-data/val.tsv" "$records/multi30k-data/train.tsv" $common
        "$trine" eval -q -m "$out" --task translate --prefix "" --beam 4 -n 80 "$records/multi30k-data/val.tsv"
        ;;
    tinystories)
        "$trine" train --arch gpt2 --layers 4 --width 128 --heads 4 --vocab 2000 --seq-len 128 --batch-tokens 2048 --lr 2e-3 \
            --valid "$data/tinystories/dev.txt.gz" "$data/tinystories/train.txt.gz" $common
        ;;
    *) echo "quality.sh: there is no recipe '$recipe'; there are$list" >&2; exit 2 ;;
    esac
    echo "$recipe seed $seed: $(($(date +%s) - start)) s"
done
