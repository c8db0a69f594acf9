#!/bin/sh
# fuzz.sh BUILD SECONDS - runs every fuzz target of a TRINE_FUZZ build for SECONDS each, from its seeds in tests/fuzz/corpus.
# What libFuzzer finds on the way is kept in BUILD/fuzz, outside the tree's seeds, and used again the next time.
set -u
build=$1 seconds=$2
root=$(cd "$(dirname "$0")/.." && pwd)
failed= n=0
for source in "$root"/tests/fuzz/fuzz_*.c; do
    [ -e "$source" ] || { echo "fuzz: no targets in tests/fuzz"; exit 1; }
    name=$(basename "$source" .c)
    found=$build/fuzz/$name
    mkdir -p "$found"
    echo "== $name, $seconds s"
    seeds=$root/tests/fuzz/corpus/${name#fuzz_}
    [ -d "$seeds" ] || seeds=
    if "$build/$name" -max_total_time="$seconds" -max_len=65536 -timeout=60 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$build/fuzz/$name-" "$found" ${seeds:+"$seeds"} >"$build/fuzz/$name.log" 2>&1; then
        sed -n 's/^stat::number_of_executed_units: */   executions: /p' "$build/fuzz/$name.log"
    else
        tail -n 40 "$build/fuzz/$name.log"
        failed="$failed $name"
    fi
    n=$((n + 1))
done
[ -z "$failed" ] || { echo "fuzz: FAILED:$failed (inputs in $build/fuzz)"; exit 1; }
echo "fuzz: $n targets ran $seconds s each, clean"
