#!/bin/sh
# test_header.sh SOURCE BUILD - trine.h and each of its parts stand alone as C11 and as C++17, trine.h includes every part, and
# every function has its comment.
set -eu
cd "$1/include"

for header in trine.h trine/*.h; do
    [ "$header" = trine.h ] || grep -q "^#include \"$header\"" trine.h || { echo "trine.h does not include $header"; exit 1; }
    echo "#include \"$header\"" | ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Wstrict-prototypes -Werror -fsyntax-only -I. -x c -
done
printf '#include "%s"\n' trine.h trine/*.h | ${CXX:-c++} -std=c++17 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I. -x c++ -

# A comment stands right above the declaration. What closes and clears is told once for all, at the top of the header.
awk '
/^TRINE_API/ {
    match($0, /trine_[a-z0-9_]+\(/); name = substr($0, RSTART, RLENGTH - 1); n++
    if (name == "") { print FILENAME ":" FNR ": a TRINE_API line that names no function: " $0; faults++ }
    else if (above !~ /\*\/[ \t]*$/ && name !~ /_(close|clear)$/) { print FILENAME ":" FNR ": " name " has no comment above it"; faults++ }
}
{ above = $0 }
END { print n " functions, " faults + 0 " without a comment"; exit faults > 0 || n == 0 }' trine/*.h
