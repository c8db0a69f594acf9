#!/bin/sh
# test_exports.sh SOURCE BUILD - the shared library exports what trine.h with its parts declares and nothing else, and says its soname.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed -n 's/^TRINE_API [^(]*\(trine_[a-z0-9_]*\)(.*/\1/p' "$1"/include/trine/*.h | sort >"$work/declared"
nm -D --defined-only "$2/libtrine.so" | awk '{ print $3 }' | sed 's/@.*//' | sort >"$work/exported"
[ -s "$work/declared" ] || { echo "no declarations found in include/trine/"; exit 1; }
diff "$work/declared" "$work/exported" >"$work/diff" || {
    sed -n 's/^< /declared but not exported: /p; s/^> /exported but not declared: /p' "$work/diff"
    exit 1
}
version=$(sed -n 's/^project(trine VERSION \([0-9.]*\).*/\1/p' "$1/CMakeLists.txt")
header=$(awk '/^#define TRINE_VERSION_(MAJOR|MINOR|PATCH)/ { printf "%s%s", sep, $3; sep = "." }' "$1/include/trine/basics.h")
[ "$version" = "$header" ] || { echo "CMakeLists.txt says version $version, basics.h $header"; exit 1; }
# While the major number is 0, a new minor one may change the interface.
readelf -d "$2/libtrine.so" | grep -q "soname: \[libtrine.so.${version%.*}\]" || { echo "soname is not libtrine.so.${version%.*}"; exit 1; }
echo "$(wc -l <"$work/exported") functions, version $version"
