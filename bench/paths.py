"""paths.py - where things lie; everything but the sources is outside the tree."""
import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "trine-bench")
MODELS = os.environ.get("BENCH_MODELS") or os.path.join(CACHE, "models")
TRINE = os.environ.get("BENCH_TRINE") or os.path.join(ROOT, "build", "trine")
DATA = os.environ.get("BENCH_DATA") or os.path.join(os.path.dirname(ROOT), "shared", "data")
IK = os.environ.get("BENCH_IK")                 # ik_llama.cpp's llama-bench, built by the reader
LLAMA_AVX2 = os.environ.get("BENCH_LLAMA_AVX2")  # a folder with a llama_cpp package built for AVX2 alone
RECORDS = os.environ.get("BENCH_RECORDS") or os.path.join(CACHE, "records")
