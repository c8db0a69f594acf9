"""cold.py - a peer from nothing to its first token: prints seconds and the growth of its peak resident memory, as JSON.

    python bench/cold.py llama.cpp MODEL.gguf THREADS

What the interpreter and the libraries' imports take is not counted, in time or memory: a program in C would not pay it.
"""
import json
import resource
import sys
import time


def llama_cpp(model, threads):
    import llama_cpp as L

    import peer
    L.llama_log_set(peer._silent(L), None)

    def run():
        mp, cp = L.llama_model_default_params(), L.llama_context_default_params()
        cp.n_ctx, cp.n_threads, cp.n_threads_batch = 512, threads, threads
        ctx = L.llama_init_from_model(L.llama_model_load_from_file(model.encode(), mp), cp)
        ids = (L.llama_token * 3)(5, 6, 7)
        L.llama_decode(ctx, L.llama_batch_get_one(ids, 3))
        L.llama_synchronize(ctx)
    return run


def ctranslate2(model, threads):
    import ctranslate2 as C

    def run():
        g = C.Generator(model, device="cpu", intra_threads=threads, compute_type="int8")
        g.generate_batch([["\u2581word5", "\u2581word6", "\u2581word7"]], max_length=1)
    return run


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    engine, model_path, n_threads = sys.argv[1:]
    first_token = {"llama.cpp": llama_cpp, "CTranslate2": ctranslate2}[engine](model_path, int(n_threads))
    before, start = peak(), time.perf_counter()
    first_token()
    print(json.dumps({"seconds": time.perf_counter() - start, "bytes": peak() - before}))
