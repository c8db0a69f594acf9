#!/bin/sh
# vocabulary.sh - the vocabulary that all models that ship share: 8,000 unigram pieces, bytes among them for what has none, trained
# on English, German and French, under the templates of three families. Run in the folder where data.sh worked; the same texts give
# the same files, byte for byte.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
trine=${TRINE:-$here/../../build/trine}
newline='
'
make_vocabulary() { # NAME TEMPLATE [MORE...]
    name=$1 template=$2
    shift 2
    [ -e "vocabulary/$name/tokenizer.json" ] && return
    "$trine" tokenizer --type t5 --byte-fallback --normalize none --vocab 8000 -o "vocabulary/$name" --lines --special pad='<pad>' \
        --special eos='</s>' --special unk='<unk>' --special bos='<s>' --special mask='<mask>' --special cls='<s>' \
        --special sep='</s>' --template "$template" "$@" --add-token "$newline" data/vocabulary.txt
}
mkdir -p vocabulary
make_vocabulary t5 '$A </s>'
make_vocabulary bert '<s> $A </s>' --pair-template '<s> $A </s> $B </s>'
make_vocabulary llama '<s> $A'
