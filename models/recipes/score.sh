#!/bin/sh
# score.sh MODEL... - the quality that docs/models/shipped.md tells of the models that ship, measured anew: encoder sentiment entities
# embedder decoder translator, or all of them. On development parts that no model learnt from.
#   TRINE the command   TRINE_DATA the folders sst2/ tatoeba/ ... as data.sh has them   TRINE_SHIP where data.sh worked
# A line each: model, what, figure, and for shares of n examples the 95% interval (Wilson 1927).
set -eu
: "${TRINE_DATA:?where the data are}" "${TRINE_SHIP:?where data.sh worked}"
here=$(cd "$(dirname "$0")" && pwd)
trine=${TRINE:-$here/../../build/trine}
data=$TRINE_SHIP/data
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- encoder sentiment entities embedder decoder translator

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
}

score_embedder() {
    # Each of 1,000 English sentences of the development part looks for its translation among the 1,000, by cosine. Tatoeba has several
    # translations of many sentences, each right: a sentence takes part once.
    for to in de fr; do
        tail -n +2 "$data/en-$to-dev.tsv" | awk -F '\t' '!english[$1]++ && !other[$2]++ && n++ < 1000' >"$work/apart"
        n=$(wc -l <"$work/apart")
        { cut -f 1 "$work/apart"; cut -f 2 "$work/apart"; } >"$work/both"
        share embedder "translation nearest, en to $to" "$("$trine" embed -q -m embedder --similarity --lines --json -f "$work/both" |
            awk -v RS='],' -v n="$n" 'NR <= n { sub(/^.*\[/, ""); split($0, like, ","); best = -2
                for (k = n + 1; k <= 2 * n; k++) if (like[k] > best) { best = like[k]; at = k }
                hit += at == n + NR } END { print hit / n }')" "$n"
    done
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
    # Judgements and entities as text; of entities the kind and the whole name must be right.
    written "sst2 sentence: " "$data/sst2-text-dev.tsv" >"$work/judged"
    share translator "SST-2 dev as text, accuracy" "$(awk -F '\t' '$1 == $2 { n++ } END { print n / NR }' "$work/judged")" 872
    written "entities: " "$data/entities-text-dev.tsv" >"$work/named"
    tell translator "wikigold dev as text, F1" "$(awk -F '\t' '
        function names(text, of,   n, i, part) { n = split(text, part, / *; */); for (i = 1; i <= n; i++) if (part[i] != "none") of[part[i]]++ }
        { split("", a); split("", b); names($1, a); names($2, b)
          for (k in a) asked += a[k]; for (k in b) said += b[k]; for (k in a) hit += a[k] < b[k] ? a[k] : b[k] }
        END { printf "%.4f  precision %.3f, recall %.3f", 2 * hit / (asked + said), hit / said, hit / asked }' "$work/named")"
}
# written PREFIX FILE: the target and what the model writes of the source, a line each
written() {
    tail -n +2 "$2" | cut -f 1 | sed "s/^/$1/" | "$trine" generate -q -m translator --temp 0 --lines --json | jq -r .text >"$work/text"
    tail -n +2 "$2" | cut -f 2 | paste - "$work/text"
}
# The built-in corpus: of documents that no model learnt from (their numbers begin at a million) the share of the planted facts
# that the summary has word for word.
facts() {
    { printf 'source\ttarget\n'; "$trine" corpus --kind documents --first 1000000 --count 200; } >"$1.tsv"
    written '' "$1.tsv" | awk -F '\t' '{ n = split($1, fact, / *; */); for (i = 1; i <= n; i++) if (fact[i] != "") { all++; found += index(" " $2, fact[i]) > 0 } }
        END { print found / all, all }' >"$1.share"
    share translator "planted facts recalled" "$(cut -d ' ' -f 1 "$1.share")" "$(cut -d ' ' -f 2 "$1.share")"
}

for model in "$@"; do
    case $model in
    encoder | sentiment | entities | embedder | decoder | translator) "score_$model" ;;
    *) echo "score.sh: $model is none of encoder sentiment entities embedder decoder translator" >&2; exit 2 ;;
    esac
done
