#!/bin/sh
# embedder.sh - the encoder, trained so that a sentence and its translation have vectors that are near each other.
#   TRINE the command   TRINE_DATA and TRINE_SHIP as data.sh has them   after encoder.sh, an hour of two cores
# Stopped, the same command goes on where it was.
set -eu
. "$(dirname "$0")/step.sh"

near() { # NAME ARGUMENTS...
    name=$1
    shift
    step finetune "$name" embed data/pairs.tsv --valid data/pairs-dev.tsv --optimizer muon --lr 1e-3 --dropout 0 --seq-len 64 \
        --eval-every 160 "$@"
}
near embedder1 -m runs/encoder1 --epochs 1 --batch 256
seed=2
near embedder -m runs/embedder1 --epochs 3 --batch 512
ship embedder --type q5_0
