"""cache_types.py - what each type of the key-value cache costs in quality: KL divergence and perplexity beside an f32 cache.

    python bench/cache_types.py MODEL TEXT [--before FOLDER] [--limit N]

One model with f32 weights, so that nothing but the cache differs; windows of 512 tokens of TEXT. --before: the folder of another build's
libtrine.so, measured too. Writes a record that report.py shows.
"""
import argparse
import ctypes as C
import datetime
import json
import os
import subprocess
import sys

from paths import RECORDS, TRINE

TYPES = {"f16": 2, "bf16": 3, "q8_0": 4, "q4_0": 5}  # trine_dtype
F32, LM = 1, 0


class Error(C.Structure):
    _fields_ = [("code", C.c_int), ("text", C.c_char * 508)]


class SessionOptions(C.Structure):
    _fields_ = [("n_threads", C.c_int), ("ctx", C.c_int), ("source_ctx", C.c_int), ("n_sequences", C.c_int), ("cache_type", C.c_int),
                ("batch_tokens", C.c_int), ("logit_rows", C.c_int), ("memory", C.c_size_t), ("rest", C.c_int * 8)]


class EvalOptions(C.Structure):  # the first fields; the rest is zero: defaults
    _fields_ = [("stride", C.c_int), ("window", C.c_int), ("columns", C.c_char_p * 3), ("words", C.c_char_p * 3), ("reverse", C.c_bool),
                ("limit", C.c_int), ("rest", C.c_long * 64)]


class EvalResult(C.Structure):
    _fields_ = [("perplexity", C.c_double), ("figures", C.c_double * 11), ("n_tokens", C.c_int64), ("n_examples", C.c_int64),
                ("seconds", C.c_double)]


class CompareResult(C.Structure):
    _fields_ = [("original", EvalResult), ("other", EvalResult), ("kl", C.c_double), ("same_top", C.c_double), ("n_tokens", C.c_int64),
                ("seconds", C.c_double)]


def measure(library, model_path, text, kind, limit):
    """One build, one type: in this process."""
    lib, error = C.CDLL(library), Error()
    model, sessions = C.c_void_p(), [C.c_void_p(), C.c_void_p()]

    def check(status):
        if status:
            raise SystemExit(error.text.decode())
    check(lib.trine_model_open(C.byref(model), model_path.encode(), None, C.byref(error)))
    for session, cache in zip(sessions, (F32, kind)):
        options = SessionOptions(ctx=512, cache_type=cache, logit_rows=512)
        check(lib.trine_session_open(C.byref(session), model, C.byref(options), C.byref(error)))
    result, options = CompareResult(), EvalOptions(window=512, limit=limit)
    check(lib.trine_compare(C.byref(result), *sessions, LM, text.encode(), C.byref(options), C.byref(error)))
    return {"perplexity": result.other.perplexity, "original": result.original.perplexity, "kl": result.kl, "same_top": result.same_top,
            "tokens": result.n_tokens}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("model")
    p.add_argument("text")
    p.add_argument("--before")
    p.add_argument("--limit", type=int, default=8, help="windows")
    p.add_argument("--one", help=argparse.SUPPRESS)  # LIBRARY:TYPE, in a process of its own
    o = p.parse_args()
    if o.one:
        library, kind = o.one.rsplit(":", 1)
        print(json.dumps(measure(library, o.model, o.text, int(kind), o.limit)))
        return
    builds = {"": os.path.dirname(TRINE)} | ({"before": o.before} if o.before else {})
    rows = []
    for build, folder in builds.items():
        for name, kind in TYPES.items():
            if build and name != "q4_0":
                continue  # what differs
            one = f"{os.path.join(folder, 'libtrine.so')}:{kind}"
            out = subprocess.run([sys.executable, __file__, o.model, o.text, "--limit", str(o.limit), "--one", one], capture_output=True,
                                 text=True, check=True).stdout
            rows.append({"type": name, "build": build} | json.loads(out))
            print(rows[-1], flush=True)
    os.makedirs(RECORDS, exist_ok=True)
    with open(os.path.join(RECORDS, "cache_types.quality"), "w") as f:
        json.dump({"model": os.path.basename(o.model), "text": os.path.basename(o.text), "date": datetime.date.today().isoformat(),
                   "rows": rows}, f, indent=1)


if __name__ == "__main__":
    main()
