#!/bin/sh
# setup.sh GROUP... - makes sure that what a group of commands needs is on this machine (build, test, lint, fuzz, lab).
#
# The table below is the only list of packages. A thing is looked for by its command, pkg-config module or header, so that
# nothing is installed, and no network is needed, when all is there. On Debian and its kin what is missing is installed with
# apt-get (as root, or by sudo); elsewhere it is listed, with what to do.
set -eu

# group  Debian package        how it is found
table='
build    gcc                   command:cc
build    libc6-dev             header:stdio.h
build    make                  command:make
build    cmake                 command:cmake
build    ninja-build           command:ninja
build    pkg-config            command:pkg-config
build    libjansson-dev        module:jansson
build    libutf8proc-dev       module:libutf8proc
build    libpcre2-dev          module:libpcre2-8
build    libprotobuf-c-dev     module:libprotobuf-c
build    protobuf-c-compiler   command:protoc-c
build    zlib1g-dev            module:zlib
build    liblzma-dev           module:liblzma
build    libzstd-dev           module:libzstd
build    libsqlite3-dev        module:sqlite3
build    libedit-dev           module:libedit
build    libmicrohttpd-dev     module:libmicrohttpd
test     libcmocka-dev         module:cmocka
test     g++                   command:c++
test     libopenmpi-dev        module:ompi-c
test     openmpi-bin           command:mpirun
test     iproute2              command:ip
lint     clang-format          command:clang-format
lint     clang-tidy            command:clang-tidy
fuzz     clang                 command:clang
fuzz     libclang-rt-14-dev    clangfile:libclang_rt.fuzzer-x86_64.a
lab      nodejs                command:node
lab      npm                   command:npm
lab      chromium              command:chromium
'

found() {
    what=${1#*:}
    case $1 in
    command:*) command -v "$what" >/dev/null 2>&1 ;;
    module:*) command -v pkg-config >/dev/null 2>&1 && pkg-config --exists "$what" ;;
    header:*) echo "#include <$what>" | cc -E - >/dev/null 2>&1 ;;
    clangfile:*) [ -e "$(clang -print-file-name="$what" 2>/dev/null)" ] || [ -e "$(clang -print-runtime-dir 2>/dev/null)/$what" ] ;;
    esac
}

missing() {
    echo "$table" | while read -r group package how; do
        case " $* " in *" $group "*) found "$how" || echo "$package" ;; esac
    done | sort -u
}

[ $# -gt 0 ] || set -- build test
need=$(missing "$@" | tr '\n' ' ')
[ -n "$need" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: missing, by their Debian names: $need" >&2
    echo "setup: this is no Debian system: install them with its own package manager, then run the command again" >&2
    exit 1
fi
as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "setup: missing packages, and only root may install them: apt-get install $need" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "setup: installing $need" >&2
# Debian's npm is some five hundred packages. A machine of CI is thrown away, so none of them need reach the disk before the next.
fast=${CI:+-o Dpkg::Options::=--force-unsafe-io}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086
{ $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $fast $need; } >"$log" 2>&1 || {
    tail -n 15 "$log" >&2
    echo "setup: apt-get could not install: $need(see above; is there a network?)" >&2
    exit 1
}
still=$(missing "$@" | tr '\n' ' ')
[ -z "$still" ] || { echo "setup: installed, but still not found: $still" >&2; exit 1; }
