#!/usr/bin/env python3
"""arch_comparison.py - three architectures on equal terms, by libtrine alone.

Trains an encoder-only, a decoder-only and an encoder-decoder model from nothing on the same texts, and tells what each can do
and what it costs: the same experiment as `trine compare`, from Python's standard library.

    python3 examples/arch_comparison.py                       a minute
    python3 examples/arch_comparison.py --standard            ten minutes, three seeds
    python3 examples/arch_comparison.py --masks               one model under other masks
    python3 examples/arch_comparison.py --report page.html    one page with plots
"""
import argparse
import ctypes
import json
import os
import sys


class Error(ctypes.Structure):
    """trine_error: what went wrong, in one line."""

    _fields_ = [("code", ctypes.c_int), ("text", ctypes.c_char * 508)]


# bool on_progress(void *user, const char *what, int done, int total)
PROGRESS = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int)


class Options(ctypes.Structure):
    """trine_comparison_options, field by field as trine/comparing.h has it; zeros are the defaults."""

    _fields_ = [
        ("quick", ctypes.c_bool),
        ("equal_compute", ctypes.c_bool),
        ("data", ctypes.c_char_p),
        ("n_parameters", ctypes.c_int64),
        ("n_tokens", ctypes.c_int64),
        ("n_seeds", ctypes.c_int),
        ("n_texts", ctypes.c_int),
        ("seed", ctypes.c_uint64),
        ("n_threads", ctypes.c_int),
        ("cpu", ctypes.c_char_p),
        ("record", ctypes.c_void_p),
        ("anew", ctypes.c_bool),
        ("on_progress", PROGRESS),
        ("user", ctypes.c_void_p),
    ]


def load(path):
    """The library, with the types of what is called here."""
    lib = ctypes.CDLL(path)
    report = ctypes.c_void_p
    for name in ("trine_compare_paradigms", "trine_compare_masks"):
        function = getattr(lib, name)
        function.argtypes = [ctypes.POINTER(report), ctypes.POINTER(Options), ctypes.POINTER(Error)]
        function.restype = ctypes.c_int
    lib.trine_report_json.argtypes = [report]
    lib.trine_report_json.restype = ctypes.c_char_p
    lib.trine_report_write.argtypes = [report, ctypes.c_char_p, ctypes.POINTER(Error)]
    lib.trine_report_write.restype = ctypes.c_int
    lib.trine_report_close.argtypes = [report]
    lib.trine_report_close.restype = None
    return lib


def compare(lib, masks=False, report=None, **options):
    """Runs the experiment; what it found, as a dictionary. `report`: a file for the page."""
    out, error = ctypes.c_void_p(), Error()
    function = lib.trine_compare_masks if masks else lib.trine_compare_paradigms
    try:
        if function(ctypes.byref(out), ctypes.byref(Options(**options)), ctypes.byref(error)):
            raise RuntimeError(error.text.decode())
        if report and lib.trine_report_write(out, os.fsencode(report), ctypes.byref(error)):
            raise RuntimeError(error.text.decode())
        return json.loads(lib.trine_report_json(out))
    finally:
        lib.trine_report_close(out)


def show_paradigms(found):
    """Each ability by paradigm, with the best that anybody can have."""
    paradigms = found["paradigms"]
    print("%-18s %7s" % ("", "best"), *("%22s" % p["paradigm"] for p in paradigms))
    print("%-18s %7s" % ("parameters", ""), *("%22d" % p["parameters"] for p in paradigms))
    print("%-18s %7s" % ("tokens a second", ""), *("%22.0f" % p["tokens_per_second"] for p in paradigms))
    names = []
    for p in paradigms:
        names += [n for n in p["tasks"] if n not in names]
    for name in names:
        best = found["best_possible"].get(name)
        cells = []
        for p in paradigms:
            t = p["tasks"].get(name)
            cells.append("%22s" % ("%.2f (%.2f to %.2f)" % (t["value"], t["low"], t["high"]) if t else "-"))
        print("%-18s %7s" % (name, "-" if best is None else "%.2f" % best), *cells)


def show_masks(found):
    """The losses of both models under every mask."""
    print("nats a token; nobody who sees the past alone has less than %.3f" % found["floor"])
    for model in found["models"]:
        losses = "  ".join("%s %.3f" % (name, loss["value"]) for name, loss in model["loss"].items())
        print("trained %s: %s" % (model["trained"], losses))


def main():
    parser = argparse.ArgumentParser(description="Three architectures on equal terms, by libtrine.")
    parser.add_argument("--library", default=os.environ.get("TRINE_LIBRARY"), help="libtrine.so (default: beside this tree, or the system's)")
    parser.add_argument("--standard", action="store_true", help="ten minutes and three seeds in place of a minute")
    parser.add_argument("--masks", action="store_true", help="one model under other masks")
    parser.add_argument("--equal", choices=["parameters", "compute"], default="parameters", help="what is made equal")
    parser.add_argument("--data", help="your own text in place of the built-in corpus")
    parser.add_argument("--parameters", type=int, default=0, help="of each model")
    parser.add_argument("--tokens", type=int, default=0, help="that each learns from")
    parser.add_argument("--texts", type=int, default=0, help="that each ability is measured on")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--report", help="a file for the page with plots")
    parser.add_argument("--json", action="store_true", help="print all numbers")
    a = parser.parse_args()

    def on_progress(_user, what, done, total):
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K%3d%%  %s" % (100 * done // total, what.decode()))
        return True

    built = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "build", "libtrine.so")
    path = a.library or (built if os.path.exists(built) else "libtrine.so.0.1")
    try:
        found = compare(load(path), a.masks, a.report, quick=not a.standard, equal_compute=a.equal == "compute",
                        data=os.fsencode(a.data) if a.data else None, n_parameters=a.parameters, n_tokens=a.tokens,
                        n_texts=a.texts, seed=a.seed, on_progress=PROGRESS(on_progress))
    except (OSError, RuntimeError) as error:
        sys.exit("arch_comparison: %s" % error)
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    if a.json:
        print(json.dumps(found))
    elif a.masks:
        show_masks(found)
    else:
        show_paradigms(found)


if __name__ == "__main__":
    main()
