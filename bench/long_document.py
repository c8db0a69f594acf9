"""long_document.py - one long text read by a decoder whose positions are stretched: rates by depth, and memory against what was planned.

    python bench/long_document.py MODEL TEXT [--tokens 100000] [--types f16,q8_0,q4_0] [--depths 0,8192,32768,100000] [--cpu LEVEL]

TEXT (.xz or plain) is read from its beginning, in pieces of 512 tokens. At each depth: the rate of the 512 tokens before it (after it at
0), and of 16 tokens decoded one by one and forgotten again. Memory: what the process has resident more than before the session was
opened, against the plan's cache and work. One process a type; a record is written after each depth, so that what was stopped is not lost.
"""
import argparse
import ctypes as C
import datetime
import json
import lzma
import os
import subprocess
import sys
import time

from paths import RECORDS, TRINE

TYPES = {"f32": 1, "f16": 2, "bf16": 3, "q8_0": 4, "q4_0": 5}  # trine_dtype
PIECE, DECODED, TRAINED = 512, 16, 8192


class Error(C.Structure):
    _fields_ = [("code", C.c_int), ("text", C.c_char * 508)]


class ModelOptions(C.Structure):
    _fields_ = [("cpu", C.c_char_p), ("log", C.c_void_p), ("log_user", C.c_void_p)]


class Rope(C.Structure):
    _fields_ = [("kind", C.c_char_p), ("scale", C.c_float)]


class SessionOptions(C.Structure):
    _fields_ = [("n_threads", C.c_int), ("ctx", C.c_int), ("source_ctx", C.c_int), ("n_sequences", C.c_int), ("cache_type", C.c_int),
                ("batch_tokens", C.c_int), ("logit_rows", C.c_int), ("memory", C.c_size_t), ("rest", C.c_int * 8)]


class Memory(C.Structure):
    _fields_ = [("weights", C.c_size_t), ("cache", C.c_size_t), ("arena", C.c_size_t), ("arena_peak", C.c_size_t), ("ctx", C.c_int),
                ("cache_type", C.c_int), ("n_threads", C.c_int)]


class Encoding(C.Structure):
    _fields_ = [("n", C.c_int), ("ids", C.POINTER(C.c_int32)), ("rest", C.c_void_p * 5)]


def resident(kind):
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith(kind))


class Document:
    def __init__(self, o):
        self.lib, self.error = C.CDLL(os.path.join(os.path.dirname(TRINE), "libtrine.so")), Error()
        self.lib.trine_model_get_tokenizer.restype = C.c_void_p
        self.model, self.session, self.sequence, self.plan = C.c_void_p(), C.c_void_p(), C.c_void_p(), Memory()
        options = ModelOptions(cpu=o.cpu.encode() if o.cpu else None)
        rope = Rope(b"yarn", max(1.0, (o.tokens + 1024) / TRAINED))
        self.check(self.lib.trine_model_open_scaled(C.byref(self.model), o.model.encode(), C.byref(options), C.byref(rope), C.byref(self.error)))
        with (lzma.open if o.text.endswith(".xz") else open)(o.text, "rb") as f:
            text = f.read(8 * o.tokens)
        out = Encoding()
        self.check(self.lib.trine_tokenizer_encode(C.byref(out), C.c_void_p(self.lib.trine_model_get_tokenizer(self.model)), text,
                                                   C.c_size_t(len(text)), None, C.byref(self.error)))
        self.ids = (C.c_int32 * o.tokens)(*out.ids[:o.tokens])
        self.before = resident("RssAnon")
        session = SessionOptions(ctx=o.tokens + DECODED + 64, cache_type=TYPES[o.one])
        self.check(self.lib.trine_session_open(C.byref(self.session), self.model, C.byref(session), C.byref(self.error)))
        self.check(self.lib.trine_sequence_open(C.byref(self.sequence), self.session, C.byref(self.error)))
        self.lib.trine_session_memory(C.byref(self.plan), self.session)

    def check(self, status):
        if status:
            raise SystemExit(self.error.text.decode())

    def feed(self, first, n):
        start = time.perf_counter()
        at = C.byref(self.ids, 4 * first)
        self.check(self.lib.trine_sequence_feed(self.sequence, at, n, C.byref(self.error)))
        return time.perf_counter() - start

    def decode(self, depth):
        seconds = sum(self.feed(i, 1) for i in range(DECODED))
        self.check(self.lib.trine_sequence_truncate(self.sequence, depth, C.byref(self.error)))
        return DECODED / seconds


def one(o):
    """One type: prints a row a depth."""
    d = Document(o)
    depths, at = sorted(int(x) for x in o.depths.split(",") if int(x) <= o.tokens), 0
    start = time.perf_counter()
    for depth in depths:
        rate = 0
        while at < depth:
            n = min(PIECE, depth - at)
            rate = n / d.feed(at, n)
            at += n
        decoded = d.decode(depth) if depth else 0
        if not depth:
            d.feed(0, PIECE)  # warm
            d.check(d.lib.trine_sequence_truncate(d.sequence, 0, C.byref(d.error)))
            rate = PIECE / d.feed(0, PIECE)
            d.check(d.lib.trine_sequence_truncate(d.sequence, 1, C.byref(d.error)))
            decoded = d.decode(1)
            d.check(d.lib.trine_sequence_truncate(d.sequence, 0, C.byref(d.error)))
            start = time.perf_counter()
        print(json.dumps({"type": o.one, "depth": depth, "prefill": rate, "decode": decoded, "seconds": time.perf_counter() - start,
                          "resident": resident("RssAnon") - d.before, "planned": d.plan.cache + d.plan.arena, "cache": d.plan.cache,
                          "whole": depth == o.tokens}), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("model")
    p.add_argument("text")
    p.add_argument("--tokens", type=int, default=100000)
    p.add_argument("--types", default="f16,q8_0,q4_0")
    p.add_argument("--depths", default="0,8192,32768,100000")
    p.add_argument("--cpu")
    p.add_argument("--one", help=argparse.SUPPRESS)  # a type, in a process of its own
    o = p.parse_args()
    if o.one:
        one(o)
        return
    os.makedirs(RECORDS, exist_ok=True)
    path = os.path.join(RECORDS, "long_document.quality")
    record = json.load(open(path)) if os.path.exists(path) else {"rows": []}
    record |= {"model": os.path.basename(o.model), "text": os.path.basename(o.text), "date": datetime.date.today().isoformat()}
    for kind in o.types.split(","):
        process = subprocess.Popen([sys.executable, __file__, *sys.argv[1:], "--one", kind], stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            row = json.loads(line)
            print(row, flush=True)
            record["rows"] = [r for r in record["rows"] if (r["type"], r["depth"]) != (kind, row["depth"])] + [row]
            with open(path, "w") as f:
                json.dump(record, f, indent=1)
        process.wait()


if __name__ == "__main__":
    main()
