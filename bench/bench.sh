#!/bin/sh
# bench.sh [quick|full] - installs the peers outside the tree, makes the models, measures, writes docs/RESULTS.md. Nothing else in
# the project needs any of it. The first time takes long: llama.cpp is compiled, the models are made (20 GB).
#   BENCH_VENV, BENCH_MODELS, BENCH_RECORDS  where things go (default: under ~/.cache/trine-bench)
#   BENCH_DATA         sentences and novels (sst2/dev.tsv, novels/*.xz, tokenizers/): cases without their data are left out
#   BENCH_IK           ik_llama.cpp's llama-bench, if there is one      BENCH_LLAMA_AVX2  llama_cpp built for AVX2, for --cpu avx2
#   BENCH_LLAMA        llama_cpp built otherwise than the environment's
#   BENCH_LLM          a trained decoder (SmolLM2's GGUF): what types of the cache cost in quality, and a long document; an hour of its own
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=${BENCH_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/trine-bench/venv}
full=$([ "${1:-quick}" = full ] && echo --full || true)
if [ ! -e "$venv/ready" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q torch==2.13.0 transformers==5.23.0 sentence-transformers==6.2.0 ctranslate2==4.8.5 onnxruntime==1.32.0 \
        onnx tokenizers gguf safetensors sentencepiece protobuf
    # Without AMX: that path of this version crashes where the processor has it.
    no_amx="-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"
    CFLAGS=$no_amx CXXFLAGS=$no_amx "$venv/bin/pip" install -q --no-binary llama-cpp-python llama-cpp-python==0.3.36
    touch "$venv/ready"
fi
"$venv/bin/python" "$here/run.py" --prepare $full
"$venv/bin/python" "$here/run.py" $full
if [ -n "${BENCH_LLM:-}" ]; then
    data=${BENCH_DATA:-$here/../../shared/data}
    text=$(mktemp) && zcat "$data/wikitext2/wiki.valid.raw.gz" | head -c 40000 >"$text"
    "${BENCH_TRINE:-$here/../build/trine}" convert -q -m "$BENCH_LLM" "$text.gguf" --type f32
    "$venv/bin/python" "$here/cache_types.py" "$text.gguf" "$text"
    rm -f "$text" "$text.gguf"
    "$venv/bin/python" "$here/long_document.py" "$BENCH_LLM" "$data/novels/Dickens_Bleak_1853.txt.xz"
fi
"$venv/bin/python" "$here/report.py"
