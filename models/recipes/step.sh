# step.sh - what the recipes share: read by each (`. ./step.sh`), not run. Makes the data and the vocabulary, goes to $TRINE_SHIP, and has
#   step COMMAND NAME ARGUMENTS...   a run of `trine train` or `trine finetune` into runs/NAME, once; stopped, it goes on where it was;
#                                     its seed is $seed, or 1
#   ship NAME [ARGUMENTS...]         NAME.gguf from runs/NAME, in Q8_0 unless the arguments of `trine quantize` say another type
: "${TRINE_SHIP:?where to work}"
here=$(cd "$(dirname "$0")" && pwd)
trine=${TRINE:-$here/../../build/trine}
export TRINE=$trine
"$here/data.sh"
cd "$TRINE_SHIP"
"$here/vocabulary.sh"
cp "$here"/*.json .

step() {
    command=$1 name=$2
    shift 2
    [ -e "runs/$name/done" ] && return
    # a task of finetune comes before its options
    case $command in finetune) task=$1; shift ;; *) task= ;; esac
    "$trine" "$command" $task "$@" --bf16 --seed "${seed:-1}" --resume -o "runs/$name" && : >"runs/$name/done"
}
ship() {
    name=$1
    shift
    case " $* " in *' --type '*) ;; *) set -- --type q8_0 "$@" ;; esac
    "$trine" quantize "runs/$name" "$name.gguf" --overwrite "$@"
}
