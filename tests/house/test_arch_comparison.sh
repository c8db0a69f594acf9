#!/bin/sh
# test_arch_comparison.sh SOURCE BUILD - the example in Python's standard library runs the experiments through libtrine.so, small, and
# says what the command says of the same options. Without Python there is nothing to test.
set -eu
command -v python3 >/dev/null 2>&1 || { echo "no python3: nothing to test"; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
example="$1/examples/arch_comparison.py" library="$2/libtrine.so"
fail() { echo "$1"; exit 1; }

python3 "$example" --library "$library" --parameters 30000 --tokens 8000 --texts 8 --report "$work/page.html" >"$work/text"
grep -q 'encoder-decoder' "$work/text" && grep -q 'recall.right' "$work/text" || fail "no table: $(cat "$work/text")"
grep -q '<svg' "$work/page.html" || fail "no page with plots"
python3 "$example" --library "$library" --masks --parameters 30000 --tokens 8000 --texts 8 --json |
    python3 -c 'import json, sys; d = json.load(sys.stdin); assert len(d["models"]) == 2 and d["floor"] > 0' || fail "masks: no JSON"

# The same numbers as the command's.
tasks='import json, sys; print([p["tasks"] for p in json.load(sys.stdin)["paradigms"]])'
python3 "$example" --library "$library" --parameters 30000 --tokens 8000 --texts 8 --json | python3 -c "$tasks" >"$work/python"
"$2/trine" compare --quick --no-record -q --params 30000 --train-tokens 8000 --texts 8 --json | python3 -c "$tasks" >"$work/command"
cmp -s "$work/python" "$work/command" || fail "the example and the command differ"

python3 "$example" --library "$work/none.so" >/dev/null 2>"$work/error" && fail "a library that is not there was found"
grep -q '^arch_comparison: ' "$work/error" || fail "no line about it: $(cat "$work/error")"
python3 "$example" --library "$library" --data "$work/none.txt" >/dev/null 2>"$work/error" && fail "a text that is not there was read"
grep -q 'none.txt' "$work/error" || fail "no line about it: $(cat "$work/error")"
