#!/bin/sh
# lint.sh BUILD JOBS - the sources must be as clang-format writes them and clean under clang-tidy (.clang-tidy says why which).
set -eu
build=$1 jobs=$2
cd "$(dirname "$0")/.."
git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror
echo "lint: clang-format: clean"
# One file a run: with more, clang-tidy 14 takes every va_list after the first file for uninitialised.
git ls-files 'src/*.c' 'apps/*.c' 'examples/*.c' | xargs -P "$jobs" -n 1 clang-tidy --quiet -p "$build" 2>/dev/null
echo "lint: clang-tidy: clean"
