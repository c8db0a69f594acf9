#!/bin/sh
# translator.sh - the encoder-decoder, trained as it was: spans restored, translations both ways, judgements, entities and facts as
# text, all at once; then on, four times, with more of what was learnt least; the last two runs are averaged.
#   TRINE the command   TRINE_DATA and TRINE_SHIP as data.sh has them   about two hours of two cores, and Python
# Stopped, the same command goes on where it was.
set -eu
. "$(dirname "$0")/step.sh"

learn() { # NAME MIX ARGUMENTS...
    name=$1 mix=$2
    shift 2
    step train "$name" --mix "$mix" --objective seq2seq --valid data/de-en-dev.tsv --seq-len 256 --target-len 96 --batch-tokens 6144 \
        --optimizer muon --decay linear --label-smoothing 0.1 "$@"
}
learn translator1 mix-translator.json --config translator.json --tokenizer vocabulary/t5 --steps 2700 --lr 2.5e-3 --min-lr 1e-4 \
    --warmup 100 --eval-every 450
seed=2
learn translator2 mix-translator-2.json -m runs/translator1 --separate --steps 5400 --lr 2e-3 --min-lr 0 --warmup 100 --eval-every 450
seed=3
learn translator3 mix-translator-3.json -m runs/translator2 --separate --steps 2400 --lr 1.5e-3 --min-lr 0 --warmup 60 --eval-every 400
seed=4
learn translator4 mix-translator-4.json -m runs/translator3 --separate --steps 1500 --lr 1.2e-3 --min-lr 0 --warmup 40 --eval-every 300
seed=5
learn translator5 mix-translator-5.json -m runs/translator4 --separate --steps 800 --lr 1e-3 --min-lr 0 --warmup 30 --dropout 0.1 --eval-every 200
python3 "$here/average.py" runs/translator4 runs/translator5 0.6 runs/translator
ship translator --tensor wo=q8_0
