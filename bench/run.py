"""run.py - measures the cases of cases.py, each side in turn, and writes one record (JSON) a case.

    python bench/run.py [--full] [--only WORDS] [--prepare] [--seconds N]

Method: both sides are loaded and warm; then they run in turn, A B A B, while the other is stopped, so that a neighbour's noise or a
change of the clock meets both. The best run of each counts. Threads are the same. A case ends after its passes or its seconds.
--prepare makes the models and stops. Records go to BENCH_RECORDS; report.py turns them into docs/RESULTS.md.
"""
import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import time

from cases import all_cases
from paths import LLAMA_AVX2, RECORDS, ROOT, TRINE

HERE = os.path.dirname(os.path.abspath(__file__))


class Peer:
    """A process of peer.py, stopped whenever it is not its turn."""

    def __init__(self, q, avx2):
        env = dict(os.environ, OMP_NUM_THREADS=str(q["threads"]), TOKENIZERS_PARALLELISM="false")
        if avx2:
            env |= {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2", "CT2_FORCE_CPU_ISA": "AVX2"}
        folder = LLAMA_AVX2 if avx2 else os.environ.get("BENCH_LLAMA")
        if q["engine"] == "llama.cpp" and folder:
            env["PYTHONPATH"] = folder
        self.name = q["engine"]
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "peer.py"), json.dumps(q)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError(self.process.stderr.read().strip().splitlines()[-1:] or ["it ended"])
        self.stop()

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def once(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        seconds = float(self.process.stdout.readline())
        self.stop()
        return seconds

    def close(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        self.process.wait()


class Bench:
    """trine bench, run once for every pass, with the limits of the machine in the same run: the memory of a machine that others share
    may be twice as fast a minute later, so a share is that of its own run, and the median of the passes counts."""

    def __init__(self, ours, threads, cpu):
        repeat = [] if "--repeat" in ours["arguments"] else ["--repeat", "2"]
        self.command = [TRINE, "bench", "-m", ours["model"], "-t", str(threads), "--json", "-q", "--no-record", *ours["arguments"], *repeat]
        self.command += ["--cpu", cpu] if cpu else []
        self.limits, self.result, self.shares = None, None, []

    def once(self):
        out = json.loads(subprocess.run(self.command + ["--limits"], capture_output=True, text=True, check=True).stdout)
        r = out["results"][-1]
        self.limits = best_limits(out["limits"], self.limits or out["limits"])
        self.shares.append(shares(r, out["limits"], r["peak"]))
        if not self.result or r["best_ms"] < self.result["best_ms"]:
            self.result = r
        return r["best_ms"] / 1000

    def share(self):
        return {k: statistics.median(s[k] for s in self.shares) for k in self.shares[0]}

    def close(self):
        pass


def resolve(value):
    """A model's path: (function, argument, ...) is called, which makes the model when it is not there."""
    if isinstance(value, dict):
        return {k: resolve(v) for k, v in value.items()}
    return value[0](*value[1:]) if isinstance(value, tuple) else value


def best_limits(a, b):
    return {k: max(v, b[k]) if k.endswith(("_bytes", "_ops")) else v for k, v in a.items()}


def shares(result, limits, kind):
    """Of what is read and computed; the peak is that of the type, of vectors or of tiles, whichever is higher."""
    seconds = result["best_ms"] / 1000
    names = {"f32": ["f32_ops"], "bf16": ["bf16_ops", "f32_ops", "tile_bf16_ops"], "int8": ["int8_ops", "tile_int8_ops"]}[kind]
    vector = max(limits[n] for n in names if not n.startswith("tile"))
    tiles = max([limits[n] for n in names if n.startswith("tile")], default=0)
    work = result["flops"] / seconds
    return {"read": result["bytes"] / seconds / limits["read_bytes"], "vector": work / vector if vector else 0,
            "tiles": work / tiles if tiles else 0}


def run_cold(c, o):
    """From the command to its first token, several times in turn: the least time, and the least peak of resident memory."""
    model = resolve(c["ours"]["cold"])
    commands = {"trine": [TRINE, "generate", "-m", model, "--tokens", "5,6,7", "-n", "1", "--temp", "0", "-c", "512", "-q", "-t",
                          str(o.threads)] + (["--cpu", o.cpu] if o.cpu else [])}
    for q in c["peers"]:
        commands[q["engine"]] = [sys.executable, os.path.join(HERE, "cold.py"), q["engine"], resolve(q["model"]), str(o.threads)]
    env = dict(os.environ, PYTHONPATH=os.environ.get("BENCH_LLAMA", ""))
    record = {k: c[k] for k in ("name", "group", "targets", "unit")} | {"cpu": o.cpu or "auto", "threads": o.threads, "failed": {}}
    seconds, sizes = {n: [] for n in commands}, {n: [] for n in commands}
    for _ in range(o.passes + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env)
            out = process.stdout.read()
            _, status, usage = os.wait4(process.pid, 0)
            took = time.perf_counter() - start
            if status:
                record["failed"][name] = "it ended with an error"
                continue
            one = {"seconds": took, "bytes": usage.ru_maxrss * 1024} if name == "trine" else json.loads(out)
            seconds[name].append(one["seconds"])
            sizes[name].append(one["bytes"])
    return record | {"seconds": seconds, "rates": {n: min(t) for n, t in seconds.items() if t},
                     "bytes": {n: min(b) for n, b in sizes.items() if b}, "file_bytes": os.path.getsize(model)}


def run_case(c, o):
    if "cold" in c["ours"]:
        return run_cold(c, o)
    record = {k: c[k] for k in ("name", "group", "targets", "unit")} | {"cpu": o.cpu or "auto", "threads": o.threads, "failed": {}}
    ours = resolve(c["ours"])
    sides = {"trine": Peer(ours | {"threads": o.threads, "cpu": o.cpu}, False) if "engine" in ours else Bench(ours, o.threads, o.cpu)}
    for q in c["peers"]:
        if o.cpu and q["engine"] in ("ik_llama.cpp",) + (() if LLAMA_AVX2 else ("llama.cpp",)):
            continue  # not built for that level
        try:
            sides[q["engine"]] = Peer(resolve(q) | {"threads": o.threads}, o.cpu == "avx2")
        except Exception as e:  # a peer that cannot is told, and the others are measured
            record["failed"][q["engine"]] = str(e)[:200]
    times = {name: [] for name in sides}
    start = time.time()
    for i in range(o.passes):
        for name, side in sides.items():
            if times[name] and time.time() - start + times[name][-1] > o.seconds:
                continue
            times[name].append(side.once())
    mine = sides["trine"]
    if isinstance(mine, Bench):
        record |= {"limits": mine.limits, "shares": mine.share(),
                   "work": {"bytes": mine.result["bytes"], "flops": mine.result["flops"], "peak": mine.result["peak"]}}
    for side in sides.values():
        side.close()
    record["rates"] = {name: c["units"] / min(t) for name, t in times.items()}
    record["seconds"] = times
    return record


def facts():
    """The machine and the versions, once for all records."""
    def version(name):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    packages = ("llama_cpp_python", "ctranslate2", "torch", "transformers", "sentence-transformers", "onnxruntime", "tokenizers")
    commit = json.loads(subprocess.run([TRINE, "version", "--json"], capture_output=True, text=True).stdout)["commit"]  # of the binary
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"date": datetime.date.today().isoformat(), "processor": cpu, "cores": os.cpu_count(), "memory_bytes": memory, "commit": commit,
            "trine": subprocess.run([TRINE, "--version"], capture_output=True, text=True).stdout.splitlines()[0],
            "versions": {p: version(p) for p in packages if version(p)}}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--full", action="store_true", help="all models, more passes")
    p.add_argument("--only", default="", help="cases whose name has all of these words")
    p.add_argument("--case", help="one case, by its whole name")
    p.add_argument("--prepare", action="store_true", help="make the models and stop")
    p.add_argument("--list", action="store_true")
    p.add_argument("--cpu", help="a kernel level; the peers are restricted to it too (avx2)")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--passes", type=int)
    p.add_argument("--seconds", type=float, default=60, help="of a case; each side runs at least once")
    o = p.parse_args()
    o.passes = o.passes or (5 if o.full else 3)
    os.makedirs(RECORDS, exist_ok=True)
    for c in all_cases():
        if not all(w in c["name"].split() for w in o.only.split()) or (c["full"] and not (o.full or o.case)):
            continue
        if o.case and c["name"] != o.case:
            continue
        if o.list:
            print(c["name"])
        elif o.prepare:
            for part in [c["ours"], *c["peers"]]:
                resolve(part)  # makes what is not there
        else:
            record = run_case(c, o) | {"facts": facts()}
            name = c["name"].replace(" ", "_").replace("/", "-") + (f"--{o.cpu}" if o.cpu else "")
            with open(os.path.join(RECORDS, name + ".json"), "w") as f:
                json.dump(record, f, indent=1)
            ours = record["rates"]["trine"]
            share = "".join(f" {k} {v:.0%}" for k, v in record.get("shares", {}).items() if v)
            print(f"{c['name']}: {ours:.1f} {c['unit']}{share}; " +
                  ", ".join(f"{k} {v:.1f} ({ours / v:.2f}x)" for k, v in record["rates"].items() if k != "trine") +
                  "".join(f"; {k} failed: {v}" for k, v in record["failed"].items()), flush=True)


if __name__ == "__main__":
    main()
