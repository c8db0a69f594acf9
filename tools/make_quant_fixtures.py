#!/usr/bin/env python3
"""Blocks of every quantised type with their values, by the `gguf` package: tests/fixtures/quant/<type>.bin.

Each file: u32 n (elements), u32 block bytes in all, u32 has_source, [n f32 source], packed bytes, n f32 values.
Types that package can pack come with their source; K types get random valid blocks.
"""
import pathlib, struct
import numpy as np
from gguf import GGMLQuantizationType as T, GGML_QUANT_SIZES, quants

out = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures/quant"
out.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(20)

def source():
    x = rng.standard_normal(512).astype(np.float32)
    x[0:32] = 0                       # a block of zeros
    x[32:64] *= 1e-6                  # a scale that is a subnormal half
    x[64:96] = 3.25                   # one value, no range
    x[96:128] = np.arange(32) - 16    # whole numbers: ties
    x[128:160] *= 1000
    return x

def write(name, packed, values, src=None):
    values = np.ascontiguousarray(values, np.float32)
    with open(out / f"{name}.bin", "wb") as f:
        f.write(struct.pack("<3I", values.size, len(packed), src is not None))
        if src is not None: f.write(src.tobytes())
        f.write(packed); f.write(values.tobytes())

for t in (T.F16, T.BF16, T.Q8_0, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1):
    x = source()
    q = quants.quantize(x, t)
    write(t.name.lower(), q.tobytes(), quants.dequantize(q.view(np.uint8) if t != T.F16 else q, t).astype(np.float32), x)

for t in (T.Q4_K, T.Q5_K, T.Q6_K):
    block, size = GGML_QUANT_SIZES[t]
    q = rng.integers(0, 256, (4, size), dtype=np.uint8)
    scales = (rng.standard_normal((4, 2)) * 0.01).astype(np.float16).view(np.uint8)
    if t == T.Q6_K: q[:, 208:210] = scales[:, :2]
    else: q[:, 0:4] = scales
    write(t.name.lower(), q.tobytes(), quants.dequantize(q.reshape(-1), t))
