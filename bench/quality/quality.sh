#!/bin/sh
# quality.sh RECIPE [SEED...] - trains a recipe on real data, with seeds 1 2 3 if none are named, and prints a line a seed: what was
# reached and in which time. Records lie in BENCH_RECORDS/quality. No recipe: lists them.
#   BENCH_DATA    the texts: sst2/ wikigold/ wnut17/ tinyshakespeare/ multi30k/ tinystories/
#   BENCH_MINILM  all-MiniLM-L6-v2 (bench/models.py gets it)
#   BENCH_PYTHON  a Python that has torch and transformers: they learn the same afterwards (sst2 wikigold wnut17
#                 multi30k tinystories shakespeare-6)
#   BENCH_PEER    options of theirs, as "--threads 1"; BENCH_TRAIN  of trine train and finetune, as "-t 1"
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
sst2        accuracy on the development sentences, one epoch            at least 0.89
sst2-lora   the same by adapters of rank 8                              at least 0.875
sst2-small  the same from nothing: 3 layers of 192, masked words of the
            training phrases learnt first                               at least 0.82
wikigold    F1 of entities on the development sentences                 at least 0.71
wnut17      F1 of entities on the development sentences                 at least 0.30
shakespeare loss by character, 4 layers of 128, context 64, 2,000 steps at most 1.88
shakespeare-muon
            the same, layers stepped by Muon                            at most 1.88
shakespeare-6
            6 layers of 384, context 256, the first 1,000 of 5,000 steps (hours) what learn_peer.py finds
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

# The same fine-tuning in transformers, in bf16 where the processor multiplies it.
tuned_peer() {
    [ -n "${BENCH_PYTHON:-}" ] || return 0
    grep -q avx512_bf16 /proc/cpuinfo || set -- "$@" --f32
    # shellcheck disable=SC2086
    "$BENCH_PYTHON" "$here/finetune_peer.py" "$@" --seeds "$seed" ${BENCH_PEER:-}
}

# Runs a training and stops it when it has taken so many steps: stopped_at STEPS COMMAND...
stopped_at() {
    steps=$1
    shift
    rm -f "$out/training/metrics.jsonl" # of a run before
    "$@" &
    run=$!
    while kill -0 $run 2>/dev/null && [ "$(cat "$out/training/metrics.jsonl" 2>/dev/null | wc -l)" -lt "$steps" ]; do sleep 1; done
    kill -TERM $run 2>/dev/null || true
    wait $run || [ $? = 130 ]
}

# Training from nothing: the weights before it are kept, and PyTorch learns from them over the same batches.
#   from_nothing "OF THE MODEL" "OF THE LEARNING" TRAIN VALID "OF THE PEER: task and options" [STEPS, of all that the schedule has]
from_nothing() {
    # shellcheck disable=SC2086
    {
        "$trine" train $1 -q --seed "$seed" --no-record --overwrite -o "$out-first" --steps 1 --lr 1e-11 "$3"
        ${6:+stopped_at "$6"} "$trine" train -m "$out-first" $2 --valid "$4" "$3" $common
        task=${5%% *}
        [ -z "${BENCH_PYTHON:-}" ] ||
            "$BENCH_PYTHON" "$here/learn_peer.py" "$out-first" "$out/training/metrics.jsonl" "$task" "$3" "$4" ${5#"$task"} \
                --seed "$seed" --metrics-out "$out-torch.jsonl" --save "$out-torch" ${BENCH_PEER:-}
    }
}

for seed; do
    out=$records/$recipe-$seed
    common="-q --seed $seed --no-record --overwrite -o $out ${BENCH_TRAIN:-}"
    start=$(date +%s)
    # shellcheck disable=SC2086
    case $recipe in
    sst2)
        "$trine" finetune classify -m "$minilm" "$data/sst2/train.tsv.gz" --valid "$data/sst2/dev.tsv" --bf16 --epochs 1 --lr 1e-4 $common
        tuned_peer classify "$minilm" "$data/sst2/train.tsv.gz" "$data/sst2/dev.tsv" --epochs 1 --lr 1e-4
        ;;
    sst2-lora) "$trine" finetune classify -m "$minilm" "$data/sst2/train.tsv.gz" --valid "$data/sst2/dev.tsv" --lora 8 --bf16 --epochs 1 $common ;;
    wikigold | wnut17)
        epochs=8
        [ "$recipe" = wikigold ] || epochs=4
        "$trine" finetune tag -m "$minilm" "$data/$recipe/train.conll" --valid "$data/$recipe/dev.conll" --bf16 --epochs $epochs $common
        tuned_peer tag "$minilm" "$data/$recipe/train.conll" "$data/$recipe/dev.conll" --epochs $epochs
        ;;
    shakespeare | shakespeare-muon)
        characters
        rates="--lr 1e-3 --min-lr 1e-4"
        [ "$recipe" = shakespeare ] || rates="--optimizer muon --lr 2e-3 --min-lr 2e-4"
        "$trine" train --arch gpt2 --layers 4 --width 128 --heads 4 --tokenizer "$records/shakespeare-data" --seq-len 64 --batch 12 \
            --batch-tokens 768 --steps 2000 --warmup 100 $rates --beta2 0.99 --weight-decay 0.1 --eval-every 250 \
            --valid "$records/shakespeare-data/valid.txt" "$records/shakespeare-data/train.txt" $common
        ;;
    shakespeare-6)
        characters
        from_nothing "--arch gpt2 --layers 6 --width 384 --heads 6 --tokenizer $records/shakespeare-data --seq-len 256 --batch-tokens 16384" \
            "--seq-len 256 --batch-tokens 16384 --steps 5000 --warmup 100 --lr 1e-3 --min-lr 1e-4 --beta2 0.99 --weight-decay 0.1
            --dropout 0.2 --eval-every 250" "$records/shakespeare-data/train.txt" "$records/shakespeare-data/valid.txt" \
            "lm --tokens 16384 --length 256 --lr 1e-3 --min-lr 1e-4 --warmup 100 --beta2 0.99 --dropout 0.2 --total 5000 --steps 1000
            --checkpoint $out-torch.pt" 1000
        ;;
    sst2-small)
        "$trine" train --arch bert --layers 3 --width 192 --heads 3 --neighbours --seq-len 128 --separate --vocab 8000 --epochs 5 --bf16 \
            --optimizer muon --lr 2e-3 --warmup 50 --decay linear --min-lr 0 --noise 0.3 \
            "$data/sst2/train.tsv.gz" -q --seed "$seed" --no-record --overwrite -o "$out-words" ${BENCH_TRAIN:-}
        "$trine" finetune classify -m "$out-words" "$data/sst2/train.tsv.gz" --valid "$data/sst2/dev.tsv" --bf16 --epochs 2 --lr 3e-4 \
            --dropout 0.15 --weight-decay 0.3 --ema 0.999 $common
        ;;
    multi30k)
        pairs
        from_nothing "--arch t5 --objective seq2seq --layers 3 --width 256 --heads 4 --ff 512 --tokenizer $records/multi30k-data" \
            "--objective seq2seq --batch-tokens 4096 --epochs 6 --optimizer muon --lr 5e-3 --warmup 100 --decay linear --min-lr 0
            --dropout 0.1 --label-smoothing 0.1" "$records/multi30k-data/train.tsv" "$records/multi30k-data/val.tsv" \
            "seq2seq --tokens 4096 --lr 5e-3 --warmup 100 --linear --min-lr 0 --dropout 0.1 --smoothing 0.1 --muon"
        for side in "$out" "$out-torch"; do
            [ ! -e "$side" ] || "$trine" eval -q -m "$side" --task translate --prefix "" --beam 4 -n 80 "$records/multi30k-data/val.tsv"
        done
        ;;
    tinystories)
        from_nothing "--arch gpt2 --layers 4 --width 128 --heads 4 --vocab 2000" "--seq-len 128 --batch-tokens 2048 --lr 2e-3" \
            "$data/tinystories/train.txt.gz" "$data/tinystories/dev.txt.gz" "lm --tokens 2048 --length 128 --lr 2e-3"
        ;;
    *) echo "quality.sh: there is no recipe '$recipe'; there are$list" >&2; exit 2 ;;
    esac
    echo "$recipe seed $seed: $(($(date +%s) - start)) s"
done
