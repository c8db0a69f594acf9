"""report.py [MACHINE] - records of run.py become docs/RESULTS.md and docs/results.svg: every figure in them is from a record, none by hand.
Of another kind of machine, as "avx2", docs/RESULTS-avx2.md and docs/results-avx2.svg; what is told below the tables is notes.md, notes-avx2.md."""
import glob
import json
import os
import sys

from cases import all_cases
from paths import RECORDS, ROOT

GROUPS = {
    "decode": "Decode: one token a pass", "prefill": "Prefill: a prompt of 512 tokens", "encode": "Encoders: 128 tokens a text",
    "sentences": "Sentences of real lengths: the 872 of SST-2's development set, text in, vectors out",
    "t5": "T5: source to target", "long context": "Long context: Llama 100M shape, Q8_0 weights",
    "tokenize": "Tokenizers: paragraphs of a novel, one thread", "cold start": "Cold start: from the command to the first token",
}


WORDS = {True: "**yes**", False: "no", None: ""}


def short(x):
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def shares_of(r):
    """Of its own run, as the record says; where the clock rose between limit and run, so that a share is more than a whole, of the highest
    limits of the case's passes."""
    s = r.get("shares")
    if not s or max(s.values()) <= 1:
        return s
    work, limits, seconds = r["work"], r["limits"], min(r["seconds"]["trine"])
    peak = {"f32": "f32_ops", "bf16": "bf16_ops", "int8": "int8_ops"}[work["peak"]]
    rate = lambda amount, limit: amount / seconds / limits[limit] if limits.get(limit) else 0
    return {"read": rate(work["bytes"], "read_bytes"), "vector": rate(work["flops"], peak),
            "tiles": rate(work["flops"], "tile_" + peak) if work["peak"] != "f32" else 0}


def share_text(r):
    s = shares_of(r)
    if not s:
        return ""
    peak = r["work"]["peak"]
    if s["read"] > max(s["tiles"], s["vector"]):
        return f"{s['read']:.0%} of read"
    return f"{s['vector']:.0%} of {peak}" + (f", {s['tiles']:.0%} of its tiles" if s["tiles"] else "")


def verdicts(r, all_records):
    """(what was to be reached, measured, reached) for each target; reached is None where the peer was not measured."""
    rates = r["rates"]
    peers = {k: v for k, v in rates.items() if k != "trine"}
    for target, beside, *other in r["targets"]:
        if target == "read":
            got = shares_of(r)["read"]
            yield f"{beside:.0%} of read", f"{got:.0%}", got >= beside
        elif target == "peak":
            s = shares_of(r)  # where the processor has tiles, theirs is the peak: the harder one to reach
            got = s["tiles"] or s["vector"]
            yield f"{beside:.0%} of {r['work']['peak']}{' tiles' if s['tiles'] else ''}", f"{got:.0%}", got >= beside
        elif target == "times":
            single = next((x["rates"]["trine"] for x in all_records if x["name"] == other[0] and x["cpu"] == r["cpu"]), None)
            if single:
                yield f"{beside:g}x one sequence", f"{rates['trine'] / single:.2f}x", rates["trine"] / single >= beside
        elif target == "seconds":
            yield f"{beside * 1000:.0f} ms", f"{rates['trine'] * 1000:.0f} ms", rates["trine"] <= beside
        elif target == "bytes":
            got = r["bytes"]["trine"] - r["file_bytes"]
            yield f"file + {beside / 1e6:.0f} MB", f"file {got / 1e6:+.0f} MB", got <= beside
        else:
            names = list(peers) if beside == ["best"] else [n for n in beside if n in peers]
            if not names:
                yield f"{target:g}x {', '.join(beside)}", "not measured", None
            else:
                rival = max(names, key=peers.get)
                got = rates["trine"] / peers[rival]
                yield f"{target:g}x {'the best' if beside == ['best'] else rival}", f"{got:.2f}x", got >= target


def slow_clock(r, records):
    """Whether the processor's clock was lower beside this case than beside others: its share holds, its rate does not."""
    rate = lambda x: (x.get("limits") or {}).get("f32_ops", 0)
    return rate(r) and rate(r) < 0.85 * max(rate(x) for x in records if x["cpu"] == r["cpu"])


def table(records, everything):
    out = ["| | trine | share of the limit | peers (trine is ... times as fast) | to reach: measured |", "| --- | --- | --- | --- | --- |"]
    for r in records:
        rates = r["rates"]
        peers = [f"{n} {short(v)} ({rates['trine'] / v:.2f}x)" for n, v in rates.items() if n != "trine"]
        peers += [f"{n}: failed" for n in r["failed"]]
        told = [f"{want}: {got} {WORDS[ok]}" for want, got, ok in verdicts(r, records)] if r["cpu"] == "auto" else []
        clock = " (slow clock)" if slow_clock(r, everything) else ""
        out.append(f"| {r['name']}{clock} | {short(rates['trine'])} {r['unit']} | {share_text(r)} | {', '.join(peers)} | {'; '.join(told)} |")
    return out


def quality(name):
    path = os.path.join(RECORDS, name + ".quality")
    return json.load(open(path)) if os.path.exists(path) else None


def cache_table():
    """What cache_types.py measured."""
    q = quality("cache_types")
    if not q:
        return []
    out = ["", "## What a type of the cache costs in quality", "",
           f"{q['model']} with f32 weights, {q['rows'][0]['tokens']:,} tokens of {q['text']} in windows of 512, beside an f32 cache (perplexity "
           f"{q['rows'][0]['original']:.3f}); measured {q['date']} by bench/cache_types.py. Keys and values of q4_0 are turned by a Hadamard",
           "transform before they are rounded.", "", "| cache | KL divergence, nats | perplexity | same likeliest token |",
           "| --- | --- | --- | --- |"]
    for r in q["rows"]:
        out.append(f"| {r['type']}{', ' + r['build'] if r['build'] else ''} | {r['kl']:.5f} | {r['perplexity']:.3f} | {r['same_top']:.1%} |")
    return out


def document_table():
    """What long_document.py measured."""
    q = quality("long_document")
    if not q:
        return []
    out = ["", "## A long document", "",
           f"{q['model']}, its positions stretched by YaRN, reads {q['text']}; measured {q['date']} by bench/long_document.py. Resident is what",
           "the process holds more than before its session, planned what the session said it would take for its whole context.", "",
           "| cache | depth | reading, tokens/s | writing, tokens/s | resident, MB | planned, MB |", "| --- | --- | --- | --- | --- | --- |"]
    for r in q["rows"]:
        whole = f"{r['resident'] / 1e6:.1f} | {r['planned'] / 1e6:.1f} ({r['resident'] / r['planned'] - 1:+.1%})" if r["whole"] else " | "
        out.append(f"| {r['type']} | {r['depth']:,} | {short(r['prefill'])} | {short(r['decode'])} | {whole} |")
    return out


def cold_table(records):
    out = ["| | ms to the first token: trine | peers | peak resident memory, MB (file) | peers | to reach: measured |",
           "| --- | --- | --- | --- | --- | --- |"]
    for r in records:
        ms = [f"{n} {v * 1000:.0f}" for n, v in r["rates"].items() if n != "trine"]
        mb = [f"{n} {v / 1e6:.0f}" for n, v in r["bytes"].items() if n != "trine"]
        told = [f"{want}: {got} {WORDS[ok]}" for want, got, ok in verdicts(r, records)]
        out.append(f"| {r['name']} | {r['rates']['trine'] * 1000:.0f} | {', '.join(ms)} | {r['bytes']['trine'] / 1e6:.0f} "
                   f"({r['file_bytes'] / 1e6:.0f}) | {', '.join(mb)} | {'; '.join(told)} |")
    return out


def limits_table(records):
    names = {"read_bytes": "memory, read, GB/s", "f32_ops": "f32 FMA, GFLOP/s", "bf16_ops": "bf16 dot product, GFLOP/s",
             "int8_ops": "int8 dot product, GOP/s", "tile_bf16_ops": "bf16 tiles (AMX), GFLOP/s", "tile_int8_ops": "int8 tiles (AMX), GOP/s"}
    out = ["| limit, measured beside each case | lowest | highest |", "| --- | --- | --- |"]
    for key, name in names.items():
        seen = [r["limits"][key] / 1e9 for r in records if r.get("limits") and r["limits"][key]]
        if seen:
            out.append(f"| {name} | {short(min(seen))} | {short(max(seen))} |")
    return out


def svg(records):
    """One bar a case and peer: how many times the peer's speed, on a scale of doublings; the line at 1 is the peer."""
    import math
    rows = [(r["name"], n, r["rates"]["trine"] / v if r["group"] != "cold start" else v / r["rates"]["trine"])
            for r in records for n, v in r["rates"].items() if n != "trine"]
    colors = {"llama.cpp": "#4477aa", "ik_llama.cpp": "#66ccee", "CTranslate2": "#228833", "PyTorch": "#ee6677", "ONNX Runtime": "#aa3377",
              "sentence-transformers": "#ee6677", "ONNX Runtime, sorted": "#aa3377", "tokenizers": "#ccbb44"}
    low, high, left, width, step = -2, 4, 330, 560, 16
    at = lambda ratio: left + (min(max(math.log2(ratio), low), high) - low) / (high - low) * width
    height = 40 + step * len(rows) + 20
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 60}" height="{height}" font-family="sans-serif" font-size="11">',
           f'<rect width="100%" height="100%" fill="#ffffff"/><text x="8" y="16" font-size="13">trine beside its peers: times as fast '
           f'(higher is better)</text>']
    for power in range(low, high + 1):
        x = left + (power - low) / (high - low) * width
        out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="24" y2="{height - 16}" stroke="{"#000000" if power == 0 else "#dddddd"}"/>'
                   f'<text x="{x:.1f}" y="{height - 4}" text-anchor="middle">{2.0 ** power:g}x</text>')
    last = None
    for i, (name, peer, ratio) in enumerate(rows):
        y = 30 + step * i
        x0, x1 = sorted((at(1), at(ratio)))
        if name != last:
            out.append(f'<text x="{left - 8}" y="{y + 10}" text-anchor="end">{name}</text>')
        out.append(f'<rect x="{x0:.1f}" y="{y}" width="{max(x1 - x0, 1):.1f}" height="{step - 4}" fill="{colors.get(peer, "#888888")}"/>'
                   f'<text x="{x1 + 4:.1f}" y="{y + 10}">{ratio:.2f} {peer}</text>')
        last = name
    return "\n".join(out + ["</svg>", ""])


def main():
    end = f"-{sys.argv[1]}" if len(sys.argv) > 1 else ""
    order = {c["name"]: i for i, c in enumerate(all_cases())}
    records = [json.load(open(p)) for p in glob.glob(os.path.join(RECORDS, "*.json"))]
    records.sort(key=lambda r: (order.get(r["name"], len(order)), r["name"]))
    native, avx2 = ([r for r in records if (r["cpu"] == "auto") == want] for want in (True, False))
    if not native:
        raise SystemExit(f"no records under {RECORDS}: run bench/run.py first")
    f = max((r["facts"] for r in native), key=lambda x: x["date"])
    commits = ", ".join(sorted({r["facts"]["commit"] for r in native + avx2}))
    checks = [ok for r in native for _, _, ok in verdicts(r, native) if ok is not None]
    out = ["# Results" + (f": {sys.argv[1]}" if end else ""), "",
           "Written by bench/report.py from the records of bench/run.py; `make bench` repeats it. Random weights of standard shapes, the same",
           "files and threads for each engine, everything loaded and warm; each side ran in turn with the others and its best run counts.",
           "Ratios carry over to another day and machine better than rates do.", "",
           f"Measured {f['date']} at commit {commits}, {f['trine']}, {native[0]['threads']} threads of {f['processor']} ({f['cores']} cores, "
           f"{f['memory_bytes'] / 2 ** 30:.0f} GiB).",
           "Peers: " + ", ".join(f"{k} {v}" for k, v in f["versions"].items()) + ".", "",
           f"{sum(checks)} of the {len(checks)} targets that could be measured are reached. [QUALITY.md](QUALITY.md) has what training reaches.",
           "", f"![trine beside its peers](results{end}.svg)", ""]
    out += limits_table(native)
    out += ["", "The share is that of the nearer limit, as `trine bench --limits` counts: bytes that must be read, operations that must be done,",
            "against what the machine allowed in the same run; the median of the passes. Where the processor has tiles (AMX), targets in",
            "shares of a peak are held against the tiles' peak. *Slow clock*: the f32 peak measured beside the case was 15% or more below that of",
            "other cases, as happens on a machine that others share; the share of its limits holds, its rate and ratios less."]
    for group, title in GROUPS.items():
        some = [r for r in native if r["group"] == group]
        if some:
            out += ["", f"## {title}", ""] + (cold_table(some) if group == "cold start" else table(some, native))
    if avx2:
        out += ["", "## At AVX2", "", "`--cpu avx2`, and the peers restricted to it (ONEDNN_MAX_CPU_ISA, ATEN_CPU_CAPABILITY, CT2_FORCE_CPU_ISA,",
                "llama.cpp built without more). ONNX Runtime has no such switch and runs as it is.", ""]
        out += table([r for r in avx2 if r["group"] != "cold start"], avx2)
    elif not end:
        out += ["", "## At AVX2", "", "[RESULTS-avx2.md](RESULTS-avx2.md): a processor that has nothing more, so that every engine beside is held to "
                "the same."]
    out += cache_table() + document_table()
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), f"notes{end}.md"), encoding="utf-8") as file:
        out += ["", file.read().rstrip("\n")]
    with open(os.path.join(ROOT, "docs", f"RESULTS{end}.md"), "w") as file:
        file.write("\n".join(out) + "\n")
    with open(os.path.join(ROOT, "docs", f"results{end}.svg"), "w") as file:
        file.write(svg(native))


if __name__ == "__main__":
    main()
