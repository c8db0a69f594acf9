#!/bin/sh
# test_examples.sh SOURCE BUILD - each example says what the command says of the same model and text.
set -eu
models=$1/tests/fixtures/tasks/models
trine=$2/trine
faults=0
check() { [ "$2" = "$3" ] || { printf '%s: the example says\n%s\nthe command\n%s\n' "$1" "$2" "$3"; faults=1; }; [ -n "$2" ] || { echo "$1: nothing"; faults=1; }; }

a="a cat sat" b="the dog ran" c="hello world"
check embed "$("$2/example_embed" "$models/bert-embed" "$a" "$b" "$c" | awk '{ printf "%s ", $1 }')" \
    "$("$trine" embed -q -m "$models/bert-embed" --similarity --json "$a" "$b" "$c" |
        awk -F '[][,]+' '{ printf "%.4f %.4f ", $3, $4 }')"
check generate "$("$2/example_generate" "$models/llama-chat" "hello" 2>/dev/null)" \
    "$("$trine" generate -q -m "$models/llama-chat" --chat --temp 0 -n 64 "hello")"
check translate "$("$2/example_translate" "$1/models/translator/translator.gguf" de en "Wo ist der Bahnhof?" "Ich habe Hunger.")" \
    "$(printf 'Wo ist der Bahnhof?\nIch habe Hunger.\n' | "$trine" translate -q -m "$1/models/translator/translator.gguf" --from de --to en --beam 4 --lines)"

# Wrong use and a model that is not there end with a status and a line, no crash.
ends() { # STATUS EXAMPLE ARGUMENT...
    expected=$1 example=$2
    shift 2
    "$build/example_$example" "$@" >/dev/null 2>&1 && status=0 || status=$?
    [ "$status" = "$expected" ] || { echo "$example $* ended with $status, expected $expected"; faults=1; }
}
build=$2
for example in embed generate translate; do ends 2 "$example"; done
ends 1 embed "$build/no such model" x y
ends 1 generate "$build/no such model" x
ends 1 translate "$build/no such model" de en x
exit $faults
