#!/bin/sh
# test_two_hosts.sh SOURCE BUILD - two processes on two hosts (network namespaces, joined by a link) learn what two on one host do. Skipped
# without Open MPI, or where namespaces may not be made.
set -eu
source=$1 build=$2
[ -e "$build/trine_mpi.so" ] || { echo "skipped: this build has no Open MPI"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
i=0
while [ $i -lt 60 ]; do
    printf 'the cat sat on the mat and the dog ran %d times\n\n' $((i % 7))
    i=$((i + 1))
done >"$work/text.txt"
export TRINE_RANKS_TIMEOUT=20 ASAN_OPTIONS=detect_leaks=0 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
learn() { # HOW OUT
    out=$work/$2
    set -- "$1" "$build/trine" train --arch gpt2 --tokenizer "$source/tests/fixtures/command/llama-chat" "$work/text.txt" --layers 2 --width 32 \
        --heads 2 --seq-len 16 --batch 4 --steps 12 --dropout 0.1 --shard-optimizer --no-record -q -t 1 -o "$out"
    how=$1
    shift
    if [ "$how" = two ]; then "$source/tools/two_hosts.sh" "$@"; else mpirun --oversubscribe -n 2 "$@"; fi >"$work/log" 2>&1
}
status=0
learn two two || status=$?
[ $status != 77 ] || { echo "skipped: $(cat "$work/log")"; exit 77; }
[ $status = 0 ] || { cat "$work/log"; echo "two hosts: status $status"; exit 1; }
learn one one || { cat "$work/log"; exit 1; }
cmp "$work/one/model.safetensors" "$work/two/model.safetensors" || { echo "two hosts have learnt something else than one"; exit 1; }
echo "two hosts and one: the same weights"
