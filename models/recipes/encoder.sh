#!/bin/sh
# encoder.sh - the encoder, and what is made of it: sentiment and entities, trained as they were.
#   TRINE the command   TRINE_DATA and TRINE_SHIP as data.sh has them   about an hour and a half of two cores
# Stopped, the same command goes on where it was.
set -eu
. "$(dirname "$0")/step.sh"

step train encoder1 --config encoder.json --neighbours --tokenizer vocabulary/bert --mix mix-encoder.json --valid data/novels-valid.txt \
    --seq-len 128 --batch-tokens 6144 --steps 3400 --optimizer muon --lr 1.5e-3 --warmup 100 --decay linear --min-lr 0 --noise 0.3 \
    --eval-every 340
seed=2
step train encoder -m runs/encoder1 --mix mix-encoder-2.json --valid data/novels-valid.txt --separate --seq-len 128 --batch-tokens 6144 \
    --steps 1800 --optimizer muon --lr 1e-3 --warmup 60 --decay linear --min-lr 0 --noise 0.3 --eval-every 300
seed=1
# Masked words of SST-2's own sentences, before its labels (Gururangan et al. 2020).
step train films -m runs/encoder --mix mix-films.json --valid data/sst2-dev-text.txt --seq-len 128 --batch-tokens 4096 --steps 500 \
    --optimizer muon --lr 4e-4 --warmup 20 --decay linear --min-lr 0 --noise 0.25 --split lines --separate --eval-every 125
seed=3
step finetune sentiment classify -m runs/films data/sst2.tsv --valid data/sst2-dev.tsv --epochs 2 --batch 32 --lr 2e-4 --dropout 0.15 \
    --weight-decay 0.3 --ema 0.999 --seq-len 128 --eval-every 300 -t 1
seed=2
step finetune entities tag -m runs/encoder "$TRINE_DATA/wikigold/train.conll" --valid "$TRINE_DATA/wikigold/dev.conll" --epochs 26 \
    --batch 16 --lora 32 --lr 1e-3 --dropout 0.1 --ema 0.99 --seq-len 128 --eval-every 150 -t 1
ship encoder
ship sentiment --type q5_0
# An adapter beside the encoder: what it changes, its head and labels; the tokenizer is the encoder's.
mkdir -p entities
cp runs/entities/adapter_model.safetensors runs/entities/config.json entities
sed 's|"runs/encoder"|"encoder"|' runs/entities/adapter_config.json >entities/adapter_config.json
