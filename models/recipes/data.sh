#!/bin/sh
# data.sh - the texts that the shipped models learn from, as the recipes beside it want them. Needs xz, gzip and awk.
#   TRINE_DATA  the folders sst2/ tatoeba/ novels/ ... (terms and sources: the model cards)   TRINE_SHIP  where all of it is made
# Makes in $TRINE_SHIP/data, once:
#   novels/ *.txt, novels-held-out.txt      four novels are never learnt from
#   stories.txt, stories-dev.txt            TinyStories, "<|endoftext|>" between
#   en-de.tsv en-fr.tsv and -dev            Tatoeba, columns en and de or fr, with a header
#   sentences.txt                           English sentences of Tatoeba (each once), SST-2 (whole sentences) and WNUT-17
#   vocabulary.txt                          what the vocabulary is trained on: English, German and French, a line each
set -eu
: "${TRINE_DATA:?where the data are}" "${TRINE_SHIP:?where to work}"
out=$TRINE_SHIP/data
[ ! -e "$out/ready" ] || exit 0
mkdir -p "$out/novels"

held_out='Burnett_Garden_1911 Doyle_Hound_1902 Forster_View_1908 Haggard_She_1887'
: >"$out/novels-held-out.txt"
for file in "$TRINE_DATA"/novels/*.txt.xz; do
    name=$(basename "$file" .txt.xz)
    case " $held_out " in
    *" $name "*) xz -dc "$file" | sed '1s/^\xef\xbb\xbf//' >>"$out/novels-held-out.txt" ;;
    *) xz -dc "$file" | sed '1s/^\xef\xbb\xbf//' >"$out/novels/$name.txt" ;;
    esac
done
zcat "$TRINE_DATA/tinystories/train.txt.gz" >"$out/stories.txt"
zcat "$TRINE_DATA/tinystories/dev.txt.gz" >"$out/stories-dev.txt"
for pair in deu:de fra:fr; do
    to=${pair#*:}
    for part in train dev; do
        name=$out/en-$to$([ "$part" = train ] || echo -dev).tsv
        { printf 'en\t%s\n' "$to"; zcat "$TRINE_DATA/tatoeba/eng-${pair%:*}.$part.tsv.gz"; } >"$name"
    done
done

conll() { awk 'NF { printf "%s%s", s, $1; s = " "; next } s { print ""; s = "" } END { if (s) print "" }' "$1"; }
{
    tail -qn +2 "$out/en-de.tsv" "$out/en-fr.tsv" | cut -f 1 | awk '!seen[$0]++'
    zcat "$TRINE_DATA/sst2/train.tsv.gz" | tail -n +2 | cut -f 2 | awk 'split($0, words, " ") >= 8'
    conll "$TRINE_DATA/wnut17/train.conll"
} >"$out/sentences.txt"

# The three languages in about equal parts of some megabytes; of the novels every 30th paragraph.
{
    tail -n +2 "$out/en-de.tsv" | cut -f 2
    tail -n +2 "$out/en-fr.tsv" | cut -f 2
    awk '!seen[$0]++' "$out/sentences.txt"
    grep -hv '^<|endoftext|>$' "$out/stories.txt"
    cat "$out"/novels/*.txt | awk 'NF && ++n % 30 == 0'
    conll "$TRINE_DATA/wikigold/train.conll"
} >"$out/vocabulary.txt"
: >"$out/ready"
