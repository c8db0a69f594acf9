"""cases.py - what is measured beside whom, and what is to be reached: one entry for each line of the tables in docs/RESULTS.md.

A case is (name, group, trine's part, peers' parts, targets). `ours` is handed to `trine bench` (or names a worker of peer.py), each
peer's dictionary to peer.py; paths of models are functions of models.py, called when the case is prepared. A target is
(least ratio, peers it is held against), ("read" | "peak", least share of the limit), or ("times", least ratio, another case).
"""
import glob
import os

import models
from paths import DATA, IK, LLAMA_AVX2

DECODE_TYPES = {"f16": 1.0, "bf16": 1.0, "q8_0": 1.3, "q4_0": 1.3, "q4_k_m": 1.3}


def case(name, group, ours, peers, targets=(), unit="tokens/s", units=1, full=False):
    return {"name": name, "group": group, "ours": ours, "peers": peers, "targets": list(targets), "unit": unit, "units": units,
            "full": full}


def llama(model, kind, what, tokens, **more):
    return {"engine": "llama.cpp", "model": (models.gguf, model, kind), "what": what, "tokens": tokens, **more}


def ik(model, kind, what, tokens, **more):
    return [{"engine": "ik_llama.cpp", "program": IK, "model": (models.gguf, model, kind), "what": what, "tokens": tokens, **more}] if IK else []


def ct2(model, kind, what, tokens, **more):
    return {"engine": "CTranslate2", "model": (models.ctranslate2, model, kind), "type": kind, "what": what, "tokens": tokens, **more}


def bench(model, kind, *arguments):
    return {"model": (models.gguf, model, kind), "arguments": [str(a) for a in arguments]}


def decode_cases():
    for kind, ratio in DECODE_TYPES.items():
        for model in ("tinyllama-1.1b", "llama-100m", "gpt2-124m"):
            big = model.startswith("tiny")
            n = 48 if big else 128
            share = 0.9 if kind in ("f16", "bf16") else 0.85
            yield case(f"decode {model} {kind}", "decode", bench(model, kind, "--prefill", 0, "--decode", n),
                       [llama(model, kind, "decode", n)] + (ik(model, kind, "decode", n) if big else []),
                       [(ratio, ["llama.cpp"])] + ([("read", share)] if big else []), units=n, full=not big)
    n = 32
    yield case("decode 8 sequences tinyllama-1.1b q4_0", "decode", bench("tinyllama-1.1b", "q4_0", "--prefill", 0, "--decode", n, "--batch", 8),
               [llama("tinyllama-1.1b", "q4_0", "decode", n, batch=8)], [(1.5, ["llama.cpp"]), ("times", 4.0, "decode tinyllama-1.1b q4_0")],
               units=n * 8)


def prefill_cases():
    for model in ("tinyllama-1.1b", "llama-100m", "gpt2-124m"):
        big = model.startswith("tiny")
        for kind in ("q8_0", "q4_0", "q4_k_m", "bf16", "f16", "f32"):
            peers = [llama(model, kind, "prefill", 512)]
            if kind != "f32" and big:
                peers += ik(model, kind, "prefill", 512)
            if kind in ("q8_0", "q4_0", "q4_k_m"):
                peers.append(ct2(model, "int8", "prefill", 512))
                targets = [(2.0, ["llama.cpp"]), (1.4, ["ik_llama.cpp"]), (1.1, ["CTranslate2"])] + ([("peak", 0.6)] if big else [])
            else:
                if kind == "f32":
                    peers.append(ct2(model, "float32", "prefill", 512))
                if kind == "bf16" or (kind == "f32" and not big):
                    peers.append({"engine": "PyTorch", "model": (models.directory, model, kind == "bf16"), "type": kind, "what": "prefill",
                                  "tokens": 512})
                share = {"bf16": 0.88, "f32": 0.85}.get(kind)
                targets = [(1.05 if kind == "bf16" else 1.15, ["best"])] + ([("peak", share)] if big and share else [])
            yield case(f"prefill 512 {model} {kind}", "prefill", bench(model, kind, "--prefill", 512, "--decode", 0), peers, targets,
                       units=512, full=not big)


def encode_cases():
    for model in models.ENCODERS:
        for batch in (1, 32):
            common = {"what": "encode", "tokens": 128, "batch": batch}
            onnx = lambda kind: {"engine": "ONNX Runtime", "model": (models.onnx, model, kind), **common}
            torch = lambda kind: {"engine": "PyTorch", "model": (models.directory, model), "type": kind, **common}
            for kind, ratio, peers in (
                    ("f32", 1.15, [torch("f32"), onnx("f32"), ct2(model, "float32", **common), llama(model, "f32", **common)]),
                    ("bf16", 1.3, [torch("bf16")]),
                    ("q8_0", 1.4, [onnx("int8"), ct2(model, "int8", **common), llama(model, "q8_0", **common)])):
                yield case(f"encode {batch} x 128 {model} {kind}", "encode", bench(model, kind, "--encode", 128, "--batch", batch), peers,
                           [(ratio, ["best"])], unit="sentences/s", units=batch)


def sentence_cases():
    file = os.path.join(DATA, "sst2", "dev.tsv")
    if os.path.exists(file):
        real = (models.real_minilm,)
        yield case("872 sentences MiniLM f32", "sentences", {"engine": "trine, sentences", "model": real, "file": file},
                   [{"engine": "sentence-transformers", "model": real, "file": file},
                    {"engine": "ONNX Runtime, sorted", "model": (models.onnx_of_minilm,), "tokenizer": (models.minilm_tokenizer,), "file": file}],
                   [(3.0, ["sentence-transformers"]), (2.0, ["ONNX Runtime, sorted"])], unit="sentences/s", units=872)


def t5_cases():
    for kind, theirs, greedy, beam in (("q8_0", "int8", 2.5, 2.0), ("f32", "float32", 1.5, 1.5)):
        for beams, ratio in ((1, greedy), (4, beam)):
            yield case(f"t5-small 128 in 64 out {'greedy' if beams == 1 else 'beam 4'} {kind}", "t5",
                       bench("t5-small", kind, "--encode", 128, "--decode", 64, "--beam", beams),
                       [ct2("t5-small", theirs, "translate", 64, source=128, beam=beams)], [(ratio, ["CTranslate2"])], units=64)


def long_cases():
    model, kind = "llama-100m", "q8_0"
    for cache in ("f16", "q8_0", "q4_0"):
        for depth, n in ((8192, 32), (32768, 16)):
            deep = depth > 8192  # the peers take minutes to get there
            peers = [] if deep or cache == "q4_0" else [llama(model, kind, "decode", n, depth=depth, cache=cache)] + ik(
                model, kind, "decode", n, depth=depth, cache=cache)
            yield case(f"decode at depth {depth} cache {cache}", "long context",
                       bench(model, kind, "--prefill", 0, "--decode", n, "--depth", depth, "--cache-type", cache, "--repeat", 3), peers,
                       [("read", 0.75)] + ([(2.5, ["best"])] if peers else []), units=n)
    for cache, ratio in (("f16", 3.0), ("q8_0", 10.0)):
        yield case(f"prefill 8192 cache {cache}", "long context",
                   bench(model, kind, "--prefill", 8192, "--decode", 0, "--cache-type", cache, "--repeat", 1),
                   ik(model, kind, "prefill", 8192, cache=cache) + ([llama(model, kind, "prefill", 8192, cache=cache)] if cache == "f16" else []),
                   [(1.3, ["ik_llama.cpp"]), (ratio, ["llama.cpp"])], units=8192)
        for depth in (8192, 32768):
            yield case(f"prefill 128 at depth {depth} cache {cache}", "long context",
                       bench(model, kind, "--prefill", 128, "--decode", 0, "--depth", depth, "--cache-type", cache, "--repeat", 3),
                       [llama(model, kind, "prefill", 128, depth=depth, cache=cache)] if depth == 8192 and cache == "f16" else [], units=128)


def tokenizer_cases():
    novels = sorted(glob.glob(os.path.join(DATA, "novels", "*.xz")))
    for name in ("gpt2", "bert-base-uncased", "t5"):
        folder = os.path.join(DATA, "tokenizers", name)
        if novels and os.path.isdir(folder):
            size = models.unpacked_bytes(novels[0]) / 1e6
            yield case(f"tokenize {name}", "tokenize", {"engine": "trine, tokenizer", "model": folder, "file": novels[0]},
                       [{"engine": "tokenizers", "model": folder, "file": novels[0]}], [(3.0, ["tokenizers"])], unit="MB/s", units=size)


def cold_cases():
    for kind in ("q4_0", "q8_0", "f16"):
        c = case(f"cold start llama-100m {kind}", "cold start", {"cold": (models.gguf, "llama-100m", kind)},
                 [{"engine": "llama.cpp", "model": (models.gguf, "llama-100m", kind)}] +
                 ([{"engine": "CTranslate2", "model": (models.ctranslate2, "llama-100m", "int8")}] if kind == "q8_0" else []),
                 [("seconds", 0.08), ("bytes", 40e6)], unit="s")
        yield c


def all_cases():
    for group in (decode_cases, prefill_cases, encode_cases, sentence_cases, t5_cases, long_cases, tokenizer_cases, cold_cases):
        yield from group()
