#!/bin/sh
# test_install.sh SOURCE BUILD - installs into an empty folder, then builds and runs a program from there alone, found once
# with pkg-config and once with CMake's find_package.
set -eu
source=$1 build=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

DESTDIR=$work/root cmake --install "$build" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
prefix=$work/root$(sed -n 's/^CMAKE_INSTALL_PREFIX:[^=]*=//p' "$build/CMakeCache.txt")
lib=$(dirname "$(find "$prefix" -name libtrine.so)")
outside=$(find "$work/root" -type f -o -type l | grep -v "^$prefix/" || true)
[ -z "$outside" ] || { echo "installed outside the prefix: $outside"; exit 1; }
for file in "$prefix/bin/trine" "$prefix/include/trine.h" "$prefix/include/trine/basics.h" "$lib/libtrine.a" "$lib/libtrine.so.0.1" "$lib/pkgconfig/libtrine.pc" \
    "$lib/cmake/trine/trineConfig.cmake" "$lib/cmake/trine/trineConfigVersion.cmake" "$prefix/share/man/man1/trine.1" \
    "$prefix/share/bash-completion/completions/trine" "$prefix/share/zsh/site-functions/_trine" \
    "$prefix/share/fish/vendor_completions.d/trine.fish"; do
    [ -s "$file" ] || { echo "not installed: ${file#"$work/root"}"; exit 1; }
done
header=$(sed -n 's/^project(trine VERSION \([0-9.]*\).*/\1/p' "$source/CMakeLists.txt")
[ "$("$prefix/bin/trine" --version | head -n 1)" = "trine $header" ] || { echo "trine --version does not say: trine $header"; exit 1; }

# The models that ship are found from the installed command, from a prefix that was moved, and by a program of the library's.
mv "$prefix" "$work/moved"
named=$("$work/moved/bin/trine" models | tail -n 1)
[ "$named" = "in $work/moved/share/trine/models" ] || { echo "a moved installation finds its models $named"; exit 1; }
said=$(cd "$work" && "$work/moved/bin/trine" translate -q --from en --to de "The weather is nice today.")
[ -n "$said" ] || { echo "a moved installation translates nothing without -m"; exit 1; }
unknown=$(find "$work/moved/share/trine/models" -name '*.sh' -o -name '*.py')
[ -z "$unknown" ] || { echo "installed with the models: $unknown"; exit 1; }
# So does a program that is built by pkg-config.
flags=$(PKG_CONFIG_PATH=$(find "$work/moved" -name pkgconfig) pkg-config --cflags libtrine)
case $flags in *"$work/moved"*) ;; *) echo "a moved libtrine.pc says $flags"; exit 1 ;; esac
mv "$work/moved" "$prefix"

# What a program prints when it is built from the installed files must be what the installed command prints.
model=$source/models/translator/translator.gguf text="The weather is nice today."
expected=$("$prefix/bin/trine" translate -q -m "$model" --from en --to de --beam 4 "$text")
[ -n "$expected" ] || { echo "the installed command translates nothing"; exit 1; }
check() { [ "$2" = "$expected" ] || { echo "$1: the example says \"$2\", the command \"$expected\""; exit 1; }; }

export PKG_CONFIG_PATH="$lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$work/root"
# shellcheck disable=SC2046
${CC:-cc} -std=c11 -o "$work/embed" "$source/examples/embed.c" $(pkg-config --cflags --libs libtrine) -lm # as README has it
# shellcheck disable=SC2046
${CC:-cc} -std=c11 -o "$work/shared" "$source/examples/translate.c" $(pkg-config --cflags --libs libtrine)
check "pkg-config" "$(LD_LIBRARY_PATH=$lib "$work/shared" "$model" en de "$text")"

cmake -S "$source/tests/house/consumer" -B "$work/consumer" -Dtrine_DIR="$lib/cmake/trine" -DSOURCE="$source/examples/translate.c" \
    -DVERSION="${header%.*}" >"$work/log" 2>&1 && cmake --build "$work/consumer" >>"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
check "find_package" "$("$work/consumer/consumer" "$model" en de "$text")"
echo "installed $(find "$work/root" -type f | wc -l) files; both ways give: $expected"
