#!/bin/sh
# test_tree.sh SOURCE BUILD - habits of the tree: names are unique, files are short, the library neither prints nor exits,
# nothing is left to do in a comment, no path of one machine, and every link between the documents leads somewhere.
set -u
cd "$1" || exit 1
faults=0
fault() { [ -z "$2" ] || { echo "$1:"; echo "$2" | sed 's/^/    /'; faults=$((faults + 1)); }; }

sources=$(find src apps include tests examples -name '*.[ch]' -not -path '*/fixtures/*')
scripts=$(find tools tests .ci models cmake Makefile CMakeLists.txt -type f \( -name '*.sh' -o -name '*.py' -o -name '*.cmake' -o -name '*.txt' \
    -o -name Makefile -o -name run \) -not -path '*/fixtures/*' -not -path '*/corpus/*')
documents=$(find . -maxdepth 1 -name '*.md'; find docs models -name '*.md')
self=tests/house/test_tree.sh

fault "two files of one name" "$(echo "$sources" "$scripts" | tr ' ' '\n' | grep -v -e CMakeLists.txt | sed 's|.*/||' | sort | uniq -d)"
fault "over 700 lines: look for the second idea" "$(wc -l $sources $scripts | awk '$1 > 700 && $2 != "total"')"
fault "the library prints, exits or aborts" \
    "$(grep -nE '(^|[^a-zA-Z0-9_>.])(exit|_exit|_Exit|abort|printf|vprintf|puts|putchar|perror)\(|(std(out|err))[^a-zA-Z0-9_]' $(echo "$sources" | grep '^src/'))"
fault "left to do" "$(grep -nE '(^|[^A-Za-z_])(TODO|FIXME|XXX)([^A-Za-z_]|$)' $sources $scripts $documents | grep -v "^$self:")"
fault "a path of one machine" "$(grep -nE '/(work|root|home|Users)/[a-z]' $sources $scripts $documents | grep -v "^$self:")"
fault "a tab or trailing space" "$(grep -nE "$(printf '\t')| +\$" $(echo "$sources" | grep -v '^tests/') | grep -v '"[^"]*'"$(printf '\t')")"
fault "a link that leads nowhere" "$(for d in $documents; do
    grep -oE '\]\([^)# ]+' "$d" | sed 's/^](//' | grep -vE '^(https?|mailto):' | while read -r to; do [ -e "$(dirname "$d")/$to" ] || echo "$d -> $to"; done
done)"
[ -n "$sources" ] || { echo "no sources found"; exit 1; }
echo "$(echo "$sources" | wc -l) sources, $(echo "$documents" | wc -l) documents, $faults kinds of fault"
[ "$faults" = 0 ]
