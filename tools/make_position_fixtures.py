#!/usr/bin/env python3
"""Writes tests/fixtures/blocks/{rope,buckets}.txt with transformers' own functions.

rope.txt, a case a line: kind theta d_head n_rotated factor low high original_ctx beta_fast beta_slow no_truncate attention_factor,
then the scale and the n_rotated / 2 inverse frequencies that ROPE_INIT_FUNCTIONS gives. Zeros stand for "not given".
buckets.txt, a case a line: bidirectional n_buckets max_distance first last, then T5's bucket of each distance first .. last.
"""
import os

import torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.t5.modeling_t5 import T5Attention

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "fixtures", "blocks")
KINDS = {"default": 0, "linear": 1, "llama3": 2, "yarn": 3}


def rope_case(kind, theta, d_head, rotated=1.0, **scaling):
    n_rotated = int(d_head * rotated)
    parameters = {"rope_type": kind, "rope_theta": theta, "partial_rotary_factor": rotated, **scaling}
    config = LlamaConfig(hidden_size=d_head * 2, num_attention_heads=2, head_dim=d_head, rope_parameters=parameters,
                         max_position_embeddings=131072)
    if kind == "default":
        inv_freq = 1.0 / (theta ** (torch.arange(0, n_rotated, 2, dtype=torch.int64).float() / n_rotated))
        scale = 1.0
    else:
        inv_freq, scale = ROPE_INIT_FUNCTIONS[kind](config, torch.device("cpu"))
    given = [KINDS[kind], theta, d_head, n_rotated, scaling.get("factor", 0), scaling.get("low_freq_factor", 0),
             scaling.get("high_freq_factor", 0), scaling.get("original_max_position_embeddings", 0), scaling.get("beta_fast", 0),
             scaling.get("beta_slow", 0), int(not scaling.get("truncate", True)), scaling.get("attention_factor", 0)]
    return " ".join(map(str, given)) + " " + " ".join("%.9g" % f for f in [scale, *inv_freq.tolist()])


def bucket_case(bidirectional, n_buckets, max_distance, first, last):
    relative = torch.arange(first, last + 1)
    buckets = T5Attention._relative_position_bucket(relative, bidirectional, n_buckets, max_distance)
    return " ".join(map(str, [int(bidirectional), n_buckets, max_distance, first, last, *buckets.tolist()]))


def main():
    os.makedirs(OUT, exist_ok=True)
    llama3 = dict(factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)
    cases = [
        rope_case("default", 10000.0, 64), rope_case("default", 1000000.0, 80, 0.5), rope_case("default", 100000.0, 10),
        rope_case("default", 10000.0, 24, 0.25),
        rope_case("linear", 10000.0, 128, factor=4.0), rope_case("linear", 500000.0, 20, factor=2.5),
        rope_case("llama3", 500000.0, 128, **llama3),
        rope_case("llama3", 500000.0, 64, **{**llama3, "factor": 32.0}),
        rope_case("llama3", 10000.0, 16, factor=4.0, low_freq_factor=1.0, high_freq_factor=2.0, original_max_position_embeddings=64),
        rope_case("yarn", 10000.0, 128, factor=4.0, original_max_position_embeddings=4096),
        rope_case("yarn", 1000000.0, 64, factor=4.0, original_max_position_embeddings=32768, attention_factor=1.25),
        rope_case("yarn", 10000.0, 48, factor=16.0, original_max_position_embeddings=2048, beta_fast=16.0, beta_slow=2.0),
        rope_case("yarn", 150000.0, 64, factor=32.0, original_max_position_embeddings=4096, truncate=False),
        rope_case("yarn", 10000.0, 64, 0.5, factor=8.0, original_max_position_embeddings=1024),
    ]
    with open(os.path.join(OUT, "rope.txt"), "w") as f:
        f.write("\n".join(cases) + "\n")
    cases = [bucket_case(b, n, d, -400, 400) for b in (True, False) for n, d in
             ((32, 128), (8, 20), (16, 64), (32, 64), (12, 100), (64, 256), (10, 33), (7, 50))]
    cases += [bucket_case(True, 32, 128, -70000, -69990), bucket_case(False, 32, 128, -70000, -69990)]
    with open(os.path.join(OUT, "buckets.txt"), "w") as f:
        f.write("\n".join(cases) + "\n")


if __name__ == "__main__":
    main()
