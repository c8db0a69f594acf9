#!/bin/sh
# test_readme.sh SOURCE BUILD - the tables of commands in README.md and README.zh-CN.md have the commands of `trine help`, each once, and the
# same options.
set -eu
cd "$1"
faults=0

# The rows of the table whose first cells are commands.
rows() { grep -E '^\| `[a-z]+`[^|]*\|' "$1"; }
commands() { rows "$1" | cut -d'|' -f2 | grep -oE '[a-z]+' | sort; }
options() { rows "$1" | grep -oE '`--[a-z-]+`' | sort -u; }
same() { [ -n "$2" ] && [ "$2" = "$3" ] || { printf '%s:\n%s\nexpected:\n%s\n' "$1" "$2" "$3"; faults=1; }; }

known=$("$2/trine" help | awk '/^  [a-z]+  / && $1 != "help" && $1 != "version" && $1 != "trine" { print $1 }' | sort)
for readme in README.md README.zh-CN.md; do same "commands of $readme" "$(commands $readme)" "$known"; done
same "options of README.zh-CN.md" "$(options README.zh-CN.md)" "$(options README.md)"
exit $faults
