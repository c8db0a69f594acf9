#!/bin/sh
# encoder.sh - the encoder, and what is made of it: sentiment, entities, and the vectors of `embed`, trained as they were.
#   TRINE the command   TRINE_DATA and TRINE_SHIP as data.sh has them   about an hour and a half of two cores
# Stopped, the same command goes on where it was.
set -eu
. "$(dirname "$0")/step.sh"

step train encoder --config encoder.json --neighbours --tokenizer vocabulary/bert --mix mix-encoder.json --valid data/novels-valid.txt \
    --seq-len 128 --batch-tokens 6144 --steps 3400 --optimizer muon --lr 1.5e-3 --warmup 100 --decay linear --min-lr 0 --noise 0.3 \
    --eval-every 340
step finetune sentiment classify -m runs/encoder data/sst2.tsv --valid data/sst2-dev.tsv --epochs 3 --batch 32 --lr 3e-4 --dropout 0.1 \
    --seq-len 128 --eval-every 500
step finetune entities tag -m runs/encoder data/entities.conll --valid "$TRINE_DATA/wikigold/dev.conll" --epochs 12 --batch 16 \
    --lr 4e-4 --dropout 0.1 --seq-len 128 --eval-every 280
step finetune embedder embed -m runs/encoder data/pairs.tsv --valid data/pairs-dev.tsv --epochs 1 --batch 256 --optimizer muon \
    --lr 1e-3 --seq-len 64 --eval-every 200
for model in encoder sentiment entities embedder; do ship $model; done
