#!/bin/sh
# score.sh MODEL... - the quality that docs/models/shipped.md tells of the models that ship, measured anew: encoder sentiment entities
# decoder translator, or all of them. On development parts that no model learnt from.
#   TRINE the command   TRINE_DATA the folders sst2/ tatoeba/ ... as data.sh has them   TRINE_SHIP where data.sh worked
# A line each: model, what, figure, and for shares of n examples the 95% interval (Wilson 1927).
set -eu
: "${TRINE_DATA:?where the data are}" "${TRINE_SHIP:?where data.sh worked}"
here=$(cd "$(dirname "$0")" && pwd)
trine=${TRINE:-$here/../../build/trine}
data=$TRINE_SHIP/data
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- encoder sentiment entities decoder translator

field() { sed -n "s/.*\"$1\":\([-0-9.e+]*\).*/\1/p"; }
tell() { printf '%-11s %-34s %s\n' "$1" "$2" "$3"; }
# share MODEL WHAT P N: with Wilson's interval
share() {
    tell "$1" "$2" "$(awk -v p="$3" -v n="$4" 'BEGIN { z = 1.96; d = 1 + z*z/n; m = (p + z*z/(2*n)) / d; w = z * sqrt(p*(1-p)/n + z*z/(4*n*n)) / d
        printf "%.4f  [%.4f, %.4f]  n %d", p, m - w, m + w, n }')"
}
evaluate() { "$trine" eval -q --json "$@"; }

score_encoder() {
    grep -v '^ *$' "$data/novels-held-out.txt" | head -c 400000 >"$work/novels.txt"
    said=$(evaluate -m encoder --task mlm --seed 1 "$work/novels.txt")
    share encoder "masked tokens found, novels" "$(echo "$said" | field accuracy)" "$(echo "$said" | field tokens)"
    # Each of 1,000 English sentences of the development part looks for its translation among the 1,000, by cosine.
    for to in de fr; do
        tail -n +2 "$data/en-$to-dev.tsv" | head -n 1000 | cut -f 1 >"$work/en"
        tail -n +2 "$data/en-$to-dev.tsv" | head -n 1000 | cut -f 2 >"$work/$to"
        for side in en $to; do "$trine" embed -q -m encoder --lines --json -f "$work/$side" >"$work/$side.jsonl"; done
        share encoder "translation nearest of 1,000, en-$to" "$(nearest "$work/en.jsonl" "$work/$to.jsonl")" 1000
    done
}
# nearest A B: share of the lines of A to whose vector that of the same line of B is the nearest by cosine
nearest() {
    sed 's/.*\[//; s/\].*//; s/,/ /g' "$1" >"$work/a"
    sed 's/.*\[//; s/\].*//; s/,/ /g' "$2" >"$work/b"
    awk 'NR == FNR { s = 0; for (i = 1; i <= NF; i++) s += $i * $i; s = sqrt(s); for (i = 1; i <= NF; i++) b[FNR, i] = $i / s; n = FNR; next }
         { best = -1e9; for (k = 1; k <= n; k++) { s = 0; for (i = 1; i <= NF; i++) s += $i * b[k, i]; if (s > best) { best = s; at = k } } hit += at == FNR }
         END { print hit / FNR }' "$work/b" "$work/a"
}

score_sentiment() {
    said=$(evaluate -m sentiment --task classify "$data/sst2-dev.tsv")
    share sentiment "SST-2 dev, accuracy" "$(echo "$said" | field accuracy)" 872
}

score_entities() {
    said=$(evaluate -m entities --task tag --chunk "$TRINE_DATA/wikigold/dev.conll")
    tell entities "wikigold dev, F1 of entities" "$(echo "$said" | field f1)  precision $(echo "$said" | field precision), recall $(echo "$said" | field recall)"
}

score_decoder() {
    said=$(evaluate -m decoder --task lm --split '<|endoftext|>' "$data/stories-dev.txt")
    tell decoder "bits a byte, TinyStories dev" "$(echo "$said" | field bits_per_byte)  perplexity $(echo "$said" | field perplexity)"
    if [ -n "${STORIES:-}" ]; then
        for seed in $(seq 1 20); do
            printf '\n-- seed %s\n' "$seed"
            "$trine" generate -q -m decoder --temp 0.7 --seed "$seed" -n 220 "Once upon a time"
        done >"$STORIES"
    fi
}

score_translator() {
    for pair in "en-de de en" "en-de en de" "en-fr fr en" "en-fr en fr"; do
        set -- $pair
        other=$2; [ "$2" = en ] && other=$3
        { printf 'source\ttarget\n'; tail -n +2 "$data/$1-dev.tsv" | if [ "$2" = en ]; then cat; else awk -F '\t' -v OFS='\t' '{ print $2, $1 }'; fi; } >"$work/pairs.tsv"
        said=$(evaluate -m translator --task translate --from "$2" --to "$3" --beam 4 "$work/pairs.tsv")
        tell translator "tatoeba dev, $2 to $3, beam 4" "BLEU $(echo "$said" | field bleu)  chrF $(echo "$said" | field chrf)  n $(echo "$said" | field examples) ($other)"
    done
    facts "$work/facts"
}
# The built-in corpus: of documents that no model learnt from (their numbers begin at a million) the share of the planted facts
# that the summary has word for word.
facts() {
    "$trine" corpus --kind documents --first 1000000 --count 200 >"$1.tsv"
    cut -f 1 "$1.tsv" | "$trine" generate -q -m translator --lines --json | sed 's/.*"text":"\([^"]*\)".*/\1/' >"$1.said"
    cut -f 2 "$1.tsv" | paste - "$1.said" | awk -F '\t' '{ n = split($1, fact, / *; */); for (i = 1; i <= n; i++) if (fact[i] != "") { all++; found += index(" " $2, fact[i]) > 0 } }
        END { print found / all, all }' >"$1.share"
    share translator "planted facts recalled" "$(cut -d ' ' -f 1 "$1.share")" "$(cut -d ' ' -f 2 "$1.share")"
}

for model in "$@"; do
    case $model in
    encoder | sentiment | entities | decoder | translator) "score_$model" ;;
    *) echo "score.sh: $model is none of encoder sentiment entities decoder translator" >&2; exit 2 ;;
    esac
done
