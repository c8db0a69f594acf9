#!/usr/bin/env python3
"""Byte strings, valid and not, with what Python's errors="replace" makes of them: tests/fixtures/base/utf8.bin.

Records: u16 n, u16 m, n bytes, m bytes of UTF-8.
"""
import pathlib, random, struct

out = pathlib.Path(__file__).resolve().parent.parent / "tests/fixtures/base/utf8.bin"
out.parent.mkdir(parents=True, exist_ok=True)
rng = random.Random(7)
edge = [0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3,
        0xF4, 0xF5, 0xF8, 0xFE, 0xFF]
cases = [bytes([a]) for a in edge]
cases += [bytes([a, b]) for a in edge[11:23] for b in edge[::2]]
for _ in range(500):
    cases.append(bytes(rng.choice(edge) for _ in range(rng.randint(1, 8))))
for _ in range(60):  # valid text with a byte lost, doubled or changed
    text = bytearray("".join(chr(rng.choice([0x41, 0xE9, 0x3B1, 0x4E2D, 0xFFFD, 0x1F600, 0x10FFFF, 0xD7FF, 0xE000])) for _ in range(6)).encode())
    i = rng.randrange(len(text))
    [text.pop, lambda k: text.insert(k, text[k]), lambda k: text.__setitem__(k, rng.randrange(256)), lambda k: None][rng.randrange(4)](i)
    cases.append(bytes(text))
with open(out, "wb") as f:
    for c in cases:
        r = c.decode("utf-8", errors="replace").encode()
        f.write(struct.pack("<2H", len(c), len(r)) + c + r)
