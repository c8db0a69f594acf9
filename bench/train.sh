#!/bin/sh
# train.sh [NAME...] [OPTIONS] - training steps beside PyTorch's, in turn (bench/train.py says the options). BENCH_VENV as in bench.sh.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${BENCH_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/trine-bench/venv}
build=${BENCH_BUILD:-$here/../build}
cmake --build "$build" --target train_step >/dev/null
BENCH_TRAIN_STEP=$build/train_step exec "$venv/bin/python" "$here/train.py" "$@"
