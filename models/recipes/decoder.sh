#!/bin/sh
# decoder.sh - the decoder, trained as it was: novels and stories, then stories alone with what somebody would have asked for.
#   TRINE the command   TRINE_DATA and TRINE_SHIP as data.sh has them   about two hours of two cores
# Stopped, the same command goes on where it was.
set -eu
. "$(dirname "$0")/step.sh"
[ -e data/stories-valid.txt ] || head -c 220000 data/stories-dev.txt >data/stories-valid.txt
[ -e data/prompted.txt ] || awk -f "$here/prompts.awk" data/stories.txt data/stories.txt >data/prompted.txt

step train decoder1 --arch llama --layers 8 --width 256 --ff 704 --heads 4 --kv-heads 2 --tokenizer vocabulary/llama --mix mix-decoder.json \
    --valid data/stories-valid.txt --seq-len 512 --batch-tokens 8192 --steps 2000 --lr 2e-3 --eval-every 250
step train decoder -m runs/decoder1 --mix mix-stories.json --valid data/stories-valid.txt --separate --seq-len 512 --batch-tokens 4096 \
    --steps 1400 --lr 8e-4 --min-lr 0 --decay linear --dropout 0.1 --eval-every 140
ship decoder
