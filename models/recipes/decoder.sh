#!/bin/sh
# decoder.sh - the decoder, trained as it was: novels and stories, then stories alone with what somebody would have asked for, then both
# against learning them by heart.
#   TRINE the command   TRINE_DATA and TRINE_SHIP as data.sh has them   about two hours and a half of two cores, and Python
# Stopped, the same command goes on where it was.
set -eu
. "$(dirname "$0")/step.sh"
[ -e data/stories-valid.txt ] || head -c 220000 data/stories-dev.txt >data/stories-valid.txt
[ -e data/prompted.txt ] || awk -f "$here/prompts.awk" data/stories.txt data/stories.txt >data/prompted.txt

step train decoder1 --arch llama --layers 8 --width 256 --ff 704 --heads 4 --kv-heads 2 --tokenizer vocabulary/llama --mix mix-decoder.json \
    --valid data/stories-valid.txt --seq-len 512 --batch-tokens 8192 --steps 2000 --lr 2e-3 --eval-every 250
step train decoder2 -m runs/decoder1 --mix mix-stories.json --valid data/stories-valid.txt --separate --seq-len 512 --batch-tokens 4096 \
    --steps 1400 --lr 8e-4 --min-lr 0 --decay linear --dropout 0.1 --eval-every 140
# On from the model as it shipped until then, by one thread, and a fifth of the way back to it (Wortsman et al. 2022); the same again, shorter.
ship decoder2
step train decoder3 -m decoder2.gguf --mix mix-decoder-2.json --valid data/stories-valid.txt --separate --seq-len 512 --batch-tokens 4096 \
    --steps 1000 --optimizer muon --lr 1.2e-3 --min-lr 0 --warmup 30 --decay linear --weight-decay 0.5 --dropout 0.2 --eval-every 100 -t 1
"$trine" convert -q -m decoder2.gguf -o runs/decoder2-shipped --type f32 --overwrite
python3 "$here/average.py" runs/decoder3 runs/decoder2-shipped 0.2 runs/decoder3-average
seed=2
step train decoder4 -m runs/decoder3-average --mix mix-decoder-2.json --valid data/stories-valid.txt --separate --seq-len 512 \
    --batch-tokens 4096 --steps 200 --optimizer muon --lr 5e-4 --min-lr 0 --warmup 10 --decay linear --weight-decay 0.5 --dropout 0.2 \
    --eval-every 50 -t 2
python3 "$here/average.py" runs/decoder3-average runs/decoder4 0.2 runs/decoder
# It was surer than it should be: 0.96 is the best on data/stories-valid.txt.
python3 "$here/soften.py" runs/decoder model.norm.weight 0.96
ship decoder
