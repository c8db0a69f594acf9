#!/bin/sh
# test_header.sh SOURCE BUILD - trine.h stands alone as C11 and as C++17, and every function in it has its comment.
set -eu
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp include/trine.h "$work/alone.c" && cp include/trine.h "$work/alone.cc"
${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Wstrict-prototypes -Werror -c -o "$work/c.o" "$work/alone.c"
${CXX:-c++} -std=c++17 -Wall -Wextra -Wpedantic -Werror -c -o "$work/cc.o" "$work/alone.cc"

# A comment stands right above the declaration. What closes and clears is told once for all, at the top of the header.
awk '
/^TRINE_API/ {
    match($0, /trine_[a-z0-9_]+\(/); name = substr($0, RSTART, RLENGTH - 1); n++
    if (name == "") { print FILENAME ":" FNR ": a TRINE_API line that names no function: " $0; faults++ }
    else if (above !~ /\*\/[ \t]*$/ && name !~ /_(close|clear)$/) { print FILENAME ":" FNR ": " name " has no comment above it"; faults++ }
}
{ above = $0 }
END { print n " functions, " faults + 0 " without a comment"; exit faults > 0 || n == 0 }' include/trine.h
