#!/bin/sh
# data.sh - the texts that the shipped models learn from, as the recipes beside it want them. Needs xz, gzip, awk and jq.
#   TRINE the command   TRINE_DATA  the folders sst2/ tatoeba/ novels/ ... (terms and sources: the model cards)   TRINE_SHIP  where all of it is made
# Makes in $TRINE_SHIP/data, once:
#   novels/ *.txt, novels-held-out.txt      four novels are never learnt from
#   stories.txt, stories-dev.txt            TinyStories, "<|endoftext|>" between
#   en-de.tsv en-fr.tsv and -dev            Tatoeba, columns en and de or fr, with a header; de-en-dev.tsv as source and target
#   sentences.txt                           English sentences of Tatoeba (each once), SST-2 (whole sentences) and WNUT-17
#   sst2.tsv sst2-text.tsv and -dev         SST-2 with words for labels, and as source and target
#   sst2-sentences.txt sst2-dev-text.txt    its texts alone, of six words and more; wikigold-sentences.txt
#   *sentences.jsonl                        these, each a document
#   entities.conll entities-text.tsv        wikigold, and WNUT-17 with the types that wikigold has too; entities-text-dev.tsv
#   pairs.tsv pairs-dev.tsv                 English with German or French, for vectors
#   foreign.txt                             German and French sentences, each once
#   scitldr.tsv facts.tsv                   abstract and its one sentence; documents of `trine corpus` and their facts
#   vocabulary.txt                          what the vocabulary is trained on: English, German and French, a line each
set -eu
: "${TRINE_DATA:?where the data are}" "${TRINE_SHIP:?where to work}"
out=$TRINE_SHIP/data
trine=${TRINE:-$(cd "$(dirname "$0")" && pwd)/../../build/trine}
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
labelled() { awk -F '\t' -v OFS='\t' 'NR == 1 { print "label", "text"; next } { print ($1 == 1 ? "positive" : "negative"), $2 }'; }
swapped() { awk -F '\t' -v OFS='\t' 'BEGIN { print "source", "target" } NR > 1 { print $2, $1 }'; }
zcat "$TRINE_DATA/sst2/train.tsv.gz" | labelled >"$out/sst2.tsv"
labelled <"$TRINE_DATA/sst2/dev.tsv" >"$out/sst2-dev.tsv"
swapped <"$out/sst2.tsv" >"$out/sst2-text.tsv"
swapped <"$out/sst2-dev.tsv" >"$out/sst2-text-dev.tsv"
tail -n +2 "$out/sst2.tsv" | cut -f 2 | awk 'split($0, words, " ") >= 6 && !seen[$0]++' >"$out/sst2-sentences.txt"
tail -n +2 "$out/sst2-dev.tsv" | cut -f 2 >"$out/sst2-dev-text.txt"
conll "$TRINE_DATA/wikigold/train.conll" >"$out/wikigold-sentences.txt"
# Each a document of its own, for --separate.
for name in sentences sst2-sentences wikigold-sentences; do jq -cR '{ text: . }' "$out/$name.txt" >"$out/$name.jsonl"; done

# WNUT-17's person, location, corporation and group are wikigold's PER, LOC and ORG; its products and works are nothing here.
wnut() {
    awk 'BEGIN { of["person"] = "PER"; of["location"] = "LOC"; of["corporation"] = of["group"] = "ORG" }
         NF { kind = of[substr($2, 3)]; print $1 "\t" (kind == "" ? "O" : substr($2, 1, 2) kind); next } { print "" }' "$1"
}
# A sentence, and its entities in their order: "PER: Mary; LOC: New York", or "none".
spelt() {
    awk -F '\t' 'function close_one() { if (name != "") said = said (said == "" ? "" : "; ") kind ": " name; name = "" }
        function tell() { close_one(); if (text != "") print text "\t" (said == "" ? "none" : said); text = said = "" }
        BEGIN { print "source\ttarget" }
        !NF { tell(); next }
        { text = text (text == "" ? "" : " ") $1; b = substr($2, 1, 1); k = substr($2, 3)
          if (b == "O") close_one()
          else if (b == "I" && name != "" && k == kind) name = name " " $1
          else { close_one(); kind = k; name = $1 } }
        END { tell() }'
}
{ cat "$TRINE_DATA/wikigold/train.conll"; echo; wnut "$TRINE_DATA/wnut17/train.conll"; } >"$out/entities.conll"
spelt <"$out/entities.conll" >"$out/entities-text.tsv"
spelt <"$TRINE_DATA/wikigold/dev.conll" >"$out/entities-text-dev.tsv"

for part in '' -dev; do
    { printf 'anchor\tpositive\n'; tail -qn +2 "$out/en-de$part.tsv" "$out/en-fr$part.tsv"; } >"$out/pairs$part.tsv"
done
tail -qn +2 "$out/en-de.tsv" "$out/en-fr.tsv" | cut -f 2 | awk '!seen[$0]++' >"$out/foreign.txt"
{
    printf 'source\ttarget\n'
    zcat "$TRINE_DATA/scitldr/train.jsonl.gz" |
        jq -r '[(.source | join(" ")), .target[0]] | map(gsub("\\s+"; " ") | sub("^ "; "") | sub(" $"; "")) | join("\t")'
} >"$out/scitldr.tsv"
{ printf 'source\ttarget\n'; "$trine" corpus --kind documents --count 20000 --seed 1; } >"$out/facts.tsv"
awk -F '\t' 'BEGIN { print "source\ttarget" } NR > 1 { print "translate German to English: " $2 "\t" $1 }' "$out/en-de-dev.tsv" >"$out/de-en-dev.tsv"
head -c 300000 "$out/novels-held-out.txt" >"$out/novels-valid.txt"
: >"$out/ready"
