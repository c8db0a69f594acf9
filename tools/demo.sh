#!/bin/sh
# demo.sh - the three paradigms side by side, on the models that ship. `make demo` builds first and then runs this.
#
# The same sentence goes through all three; then what they look at, what a long context costs here, and the comparison of
# `trine compare`. 80 columns; nothing is fetched. TRINE names another command, TRINE_MODELS another folder of models.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
trine=${TRINE:-$root/build/trine}
sentence="Mary was happy to see her friends in London."

n=0
screen() { # TITLE WHAT-TO-SEE
    n=$((n + 1))
    printf '\n-- %s. %s %s\n' "$n" "$1" "$(printf '%*s' $((73 - ${#n} - ${#1})) '' | tr ' ' -)"
    printf '   %s\n' "$2"
}
show() { # a command as one would type it
    line=trine
    for word; do case $word in
        -q) ;;
        *[!A-Za-z0-9._=:,/-]*) line="$line \"$word\"" ;;
        *) line="$line $word" ;;
    esac; done
    printf '\n$ %s\n' "$line" | fold -s -w 78 | sed '3,$s/^/      /'
}
say() { # shows a command and runs it
    show "$@"
    "$trine" "$@" || { echo "demo: that command failed with status $?" >&2; exit 1; }
}
say_some() { # LINES COMMAND...: the first lines of what it prints; kept first, so that what follows a pipe hides no failure
    lines=$1
    shift
    show "$@"
    said=$("$trine" "$@") || { echo "demo: that command failed" >&2; exit 1; }
    printf '%s\n' "$said" | head -n "$lines"
}

echo "trine: one engine, three paradigms. Attention is softmax(QK'/sqrt d)V; a"
echo "paradigm is a mask and what was learnt with it. All of it runs on this machine."

screen "What ships" "Small ones, for looking at; docs/models/shipped.md has what they can do."
say models

screen "Encoder: every token sees every token" "BERT's kind reads a text whole: it fills gaps, judges, finds, compares."
say fill -q --top 4 "Mary was happy to see her [MASK] in London."
say classify -q "$sentence"
say tag -q "$sentence"
say embed -q --similarity "$sentence" "Marie était heureuse de revoir ses amis." "The dog ran into the garden."

screen "Decoder: a token sees the past only" "Llama's kind writes on: at each step a choice among the likeliest tokens."
say generate -q --choices 4 --temp 0 -n 14 "Mary was happy to see her friends in"

screen "Encoder-decoder: one text becomes another" "T5's kind reads a source whole and writes a target that looks back at it."
say translate -q --from en --to de --beam 4 "$sentence"
say translate -q --from en --to fr --beam 4 "$sentence"
say fill -q -m translator "[MASK] was happy to see her friends in London."
say generate -q -m translator --temp 0 "sst2 sentence: $sentence"

screen "The masks: what a token may look at" "A row looks at columns; what the mask hides, or comes later, is empty."
say trace -q -m encoder --draw 0,1 "$sentence"
say trace -q -m decoder --draw 3,1 "$sentence"
show trace -q -m translator --draw 2,1 "translate English to German: $sentence"
said=$("$trine" trace -q -m translator --draw 2,1 "translate English to German: $sentence") || exit 1
printf '%s\n' "$said" | sed -n '/looks at the source/,$p'

screen "Long contexts: the cache grows with each token" "Llama 3 8B beside this machine's free memory, before anything is downloaded."
say_some 12 plan -q llama-3-8b -c 8192,100000

screen "Which paradigm for what?" "Three small models, trained now on a world of known entropy, and measured."
say compare -q --quick --no-record

screen "Five commands to try next" "With the models that ship, or your own at -m."
cat <<'END'

   trine generate --temp 0.8 "Write a happy story about a dog."
   trine train --arch gpt2 your.txt --hold-out 0.1 --steps 500 -o mine
   trine lab                       the lesson in the browser (make lab first)
   trine compare long-document --quick      who reads long texts, at what cost
   trine help                      all the rest
END
printf '\n   The command is %s\n' "$trine"
