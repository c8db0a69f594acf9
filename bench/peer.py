"""peer.py - one peer with one model, as a process that answers each line of standard input with the seconds of one run.

    python bench/peer.py '{"engine": "llama.cpp", "model": ..., "what": "prefill", "tokens": 512, ...}'

The driver keeps one such process for each side and lets them run in turn, stopped in between, so that both see the same machine.
What is timed is what `trine bench` times: everything is loaded and was run once before, and token ids are raw. Each engine is a
function of the request that returns a function without arguments; calling that runs once and gives the seconds.
"""
import json
import os
import sys
import time

import numpy as np


def timed(run):
    def once():
        start = time.perf_counter()
        run()
        return time.perf_counter() - start
    return once


def random_ids(q, n, low=3):
    return np.random.default_rng(1).integers(low, q.get("vocab", 30000), n).tolist()


# ---- llama.cpp, through its C interface ----

def llama_cpp(q):
    import ctypes

    import llama_cpp as L
    types = {"f32": 0, "f16": 1, "q4_0": 2, "q8_0": 8, "bf16": 30}
    L.llama_log_set(_silent(L), None)
    L.llama_backend_init()
    mp = L.llama_model_default_params()
    mp.use_extra_bufts = not q.get("no_extra_bufts", False)
    model = L.llama_model_load_from_file(q["model"].encode(), mp)
    encode, batch_size = q["what"] == "encode", q.get("batch", 1)
    depth, n = q.get("depth", 0), q["tokens"]
    cp = L.llama_context_default_params()
    cp.n_ctx = n * batch_size if encode else (depth + n + 8) * batch_size
    cp.n_batch = cp.n_ubatch = max(512, n * batch_size if encode else 512)
    cp.n_seq_max = batch_size
    cp.n_threads = cp.n_threads_batch = q["threads"]
    cp.type_k = cp.type_v = types[q.get("cache") or "f16"]
    cp.flash_attn_type = q.get("flash", -1)
    cp.embeddings = encode
    if encode:
        cp.pooling_type = 1
    ctx = L.llama_init_from_model(model, cp)
    if not ctx:
        raise RuntimeError("llama.cpp opens no context for this")
    batch = L.llama_batch_init(cp.n_batch, 0, 1)
    memory = L.llama_get_memory(ctx)
    ids = random_ids(q, depth + n + 8)

    def feed(tokens, pos, seq, last_only=True):
        """Several (token, pos, seq) in one pass."""
        batch.n_tokens = len(tokens)
        for i, (t, p, s) in enumerate(zip(tokens, pos, seq)):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0] = t, p, 1, s
            batch.logits[i] = not last_only or i == len(tokens) - 1
        if (L.llama_encode if encode else L.llama_decode)(ctx, batch):
            raise RuntimeError("llama.cpp failed in a pass")
        L.llama_synchronize(ctx)

    def read(tokens, pos, seq):
        for i in range(0, len(tokens), 512):
            part = tokens[i:i + 512]
            feed(part, range(pos + i, pos + i + len(part)), [seq] * len(part))

    if encode:
        tokens = (ids * batch_size)[:n * batch_size]
        pos, seq = list(range(n)) * batch_size, [s for s in range(batch_size) for _ in range(n)]
        return timed(lambda: feed(tokens, pos, seq, False))
    for s in range(batch_size):
        if depth:
            read(ids[:depth], 0, s)

    def back():
        for s in range(batch_size):
            L.llama_memory_seq_rm(memory, s, depth, -1)

    def prefill():
        back()
        return timed(lambda: read(ids[depth:depth + n], depth, 0))()

    def decode():
        back()
        start = time.perf_counter()
        for k in range(n):
            feed([ids[(k + s) % n] for s in range(batch_size)], [depth + k] * batch_size, range(batch_size), False)
        return time.perf_counter() - start
    return prefill if q["what"] == "prefill" else decode


def _silent(L):
    global _keep
    _keep = L.llama_log_callback(lambda level, text, user: None)
    return _keep


# ---- ik_llama.cpp, by its own llama-bench ----

def ik_llama(q):
    import subprocess
    depth, n = q.get("depth", 0), q["tokens"]
    cache = q.get("cache") or "f16"
    command = [q["program"], "-m", q["model"], "-t", str(q["threads"]), "-r", "1", "-o", "json", "-fa", "1", "-rtr", "1",
               "-ctk", cache, "-ctv", cache]
    if q["what"] == "prefill":
        command += ["-p", str(n), "-n", "0"]
    elif depth:
        command += ["-p", "0", "-n", "0", "-gp", f"{depth},{n}"]
    else:
        command += ["-p", "0", "-n", str(n)]

    def once():
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        last = json.loads(out[out.index("["):])[-1]
        return n / last["avg_ts"]
    return once


# ---- CTranslate2 ----

def ctranslate2(q):
    import ctranslate2 as C
    options = {"device": "cpu", "intra_threads": q["threads"], "inter_threads": 1, "compute_type": q["type"]}
    n = q["tokens"]
    if q["what"] == "encode":
        encoder = C.Encoder(q["model"], **options)
        ids = [random_ids(q, n) for _ in range(q["batch"])]
        return timed(lambda: np.array(encoder.forward_batch(ids).last_hidden_state.to_device(C.Device.cpu)))
    if q["what"] == "translate":
        translator = C.Translator(q["model"], **options)
        source = [[f"\u2581word{i}" for i in random_ids(q | {"vocab": 20000}, q["source"])]]
        return timed(lambda: translator.translate_batch(source, beam_size=q["beam"], max_decoding_length=n, min_decoding_length=n))
    generator = C.Generator(q["model"], **options)
    words = [f"\u2581word{i}" for i in random_ids(q | {"vocab": 20000}, n)]
    if q["what"] == "prefill":
        return timed(lambda: generator.generate_batch([words], max_length=1, include_prompt_in_result=False))
    return timed(lambda: generator.generate_batch([words[:1]], max_length=n, min_length=n, include_prompt_in_result=False))


# ---- PyTorch: transformers ----

def pytorch(q):
    import torch
    from transformers import AutoModel, AutoModelForCausalLM
    torch.set_num_threads(q["threads"])
    kind = {"f32": torch.float32, "bf16": torch.bfloat16}[q["type"]]
    decoder = q["what"] == "prefill"
    model = (AutoModelForCausalLM if decoder else AutoModel).from_pretrained(q["model"], dtype=kind).eval()
    ids = torch.tensor([random_ids(q, q["tokens"]) for _ in range(q.get("batch", 1))])
    more = {"use_cache": True, "logits_to_keep": 1} if decoder else {"attention_mask": torch.ones_like(ids)}

    def run():
        with torch.inference_mode():
            model(ids, **more)
    return timed(run)


# ---- ONNX Runtime ----

def onnx_session(q):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = q["threads"]
    return ort.InferenceSession(q["model"], options, providers=["CPUExecutionProvider"])


def onnxruntime(q):
    session = onnx_session(q)
    ids = np.array([random_ids(q, q["tokens"]) for _ in range(q["batch"])], dtype=np.int64)
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    return timed(lambda: session.run(None, feed))


# ---- sentences of real lengths, text in, vectors out ----

def sentences(q):
    with open(q["file"], encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t", 1)[1] for line in f][1:]


def sentence_transformers(q):
    import torch
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(q["threads"])
    model = SentenceTransformer(q["model"], device="cpu")
    texts = sentences(q)
    return timed(lambda: model.encode(texts, batch_size=32, show_progress_bar=False))


def onnx_sorted(q):
    """The strongest plain use of ONNX Runtime: sentences sorted by length, so that a batch pads little."""
    from tokenizers import Tokenizer
    session, tok, texts = onnx_session(q), Tokenizer.from_file(q["tokenizer"]), sentences(q)
    tok.no_padding()
    tok.no_truncation()

    def run():
        all_ids = [e.ids for e in tok.encode_batch(texts)]
        order = sorted(range(len(texts)), key=lambda i: len(all_ids[i]))
        out = np.empty((len(texts), 384), dtype=np.float32)
        for b in range(0, len(order), 32):
            part = order[b:b + 32]
            longest = max(len(all_ids[i]) for i in part)
            ids, mask = (np.zeros((len(part), longest), dtype=np.int64) for _ in range(2))
            for row, i in enumerate(part):
                ids[row, :len(all_ids[i])] = all_ids[i]
                mask[row, :len(all_ids[i])] = 1
            states = session.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})[0]
            v = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
            out[part] = v / np.linalg.norm(v, axis=1, keepdims=True)
    return timed(run)


def trine_sentences(q):
    from trine_lib import Model
    model = Model(q["model"], q["threads"], q.get("cpu"))
    texts = [t.encode() for t in sentences(q)]
    return timed(lambda: model.embed(texts))


# ---- tokenizers: paragraphs of a novel, one at a time, one thread ----

def paragraphs(q):
    import lzma
    with lzma.open(q["file"], "rt", encoding="utf-8") as f:
        return [p for p in f.read().split("\n") if p.strip()]


def hf_tokenizers(q):
    from tokenizers import Tokenizer
    from tokenizers.implementations import BertWordPieceTokenizer, SentencePieceUnigramTokenizer
    at = lambda name: os.path.join(q["model"], name)
    if os.path.exists(at("tokenizer.json")):
        tok = Tokenizer.from_file(at("tokenizer.json"))
    elif os.path.exists(at("vocab.txt")):
        tok = BertWordPieceTokenizer(at("vocab.txt"))
    else:
        import sentencepiece.sentencepiece_model_pb2 as pb
        sys.modules["sentencepiece_model_pb2"] = pb  # where tokenizers looks for it
        tok = SentencePieceUnigramTokenizer.from_spm(at("spiece.model"))
    texts = paragraphs(q)

    def run():
        for t in texts:
            tok.encode(t)
    return timed(run)


def trine_tokenizer(q):
    from trine_lib import Tokenizer
    tok, texts = Tokenizer(q["model"]), [p.encode() for p in paragraphs(q)]

    def run():
        for t in texts:
            tok.encode(t)
    return timed(run)


ENGINES = {"llama.cpp": llama_cpp, "ik_llama.cpp": ik_llama, "CTranslate2": ctranslate2, "PyTorch": pytorch, "ONNX Runtime": onnxruntime,
           "sentence-transformers": sentence_transformers, "ONNX Runtime, sorted": onnx_sorted, "trine, sentences": trine_sentences,
           "tokenizers": hf_tokenizers, "trine, tokenizer": trine_tokenizer}


def main():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    q = json.loads(sys.argv[1])
    once = ENGINES[q["engine"]](q)
    if q["engine"] != "ik_llama.cpp":
        once()  # it warms up itself
    print("ready", file=answers)
    for _ in sys.stdin:
        print(once(), file=answers)


if __name__ == "__main__":
    main()
