#!/usr/bin/env python3
"""Losses of 200 steps of training as PyTorch makes them: tests/fixtures/train/learning.json.

Usage: make_learning_fixtures.py [OUT_FILE]

For each model of tests/fixtures/models named below, from its weights as they are: four ragged batches in turn, made by a small generator that
test_learning.c has too; the mean loss of the scored tokens; gradients clipped at 1; torch.optim.AdamW with decay of matrices alone;
a linear warm-up of 10 steps and a cosine to a tenth. f32, no dropout, texts one by one without padding. Needs torch and transformers 5.

The rates are such that the curve is one that f32 can hold to. T5's grows rounding: at 1e-3 PyTorch in f32 parts from PyTorch in f64 by more
than 1e-3 at step 125 (t5-v1.1) and 70 (t5-v1.0); at 3e-4 t5-v1.1 stays within 4e-6."""
import json, math, os, sys

import torch
import transformers as tf

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "..", "tests", "fixtures", "models")
CASES = {  # name: (class, rate)
    "bert-mlm": (tf.BertForMaskedLM, 1e-3),
    "gpt2": (tf.GPT2LMHeadModel, 1e-3),
    "llama3": (tf.LlamaForCausalLM, 1e-3),
    "t5-v1.1": (tf.T5ForConditionalGeneration, 3e-4),
}
STEPS, BATCHES, WARMUP = 200, 4, 10
LENGTHS, TARGETS = [8, 5, 12, 3], [6, 4, 3, 7]


class Draws:
    def __init__(self, seed):
        self.x = seed

    def below(self, n):
        self.x = (self.x * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.x >> 8) % n


def batch(k, vocab, name):
    """Texts as (ids, target input or None, labels with -100 where a row is not scored)."""
    d, out = Draws(k + 1), []
    for n, m in zip(LENGTHS, TARGETS):
        ids = [3 + d.below(vocab - 3) for _ in range(n)]
        if name.startswith("t5"):
            labels = [3 + d.below(vocab - 3) for _ in range(m)]
            out.append((ids, [0] + labels[:-1], labels))
        elif name.startswith("bert"):
            out.append((ids, None, [3 + d.below(vocab - 3) if i % 3 == 0 else -100 for i in range(n)]))
        else:
            out.append((ids, None, ids[1:] + [-100]))
    return out


def rate(step, highest):
    if step < WARMUP:
        return highest * (step + 1) / (WARMUP + 1)
    share = 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP)))
    return highest * (0.1 + 0.9 * share)


def learn(name, kind, highest):
    torch.manual_seed(0)
    model = kind.from_pretrained(os.path.join(MODELS, name), dtype=torch.float32, attn_implementation="eager").eval()
    decays = [p for n, p in model.named_parameters() if p.dim() > 1 and "bias" not in n]
    others = [p for n, p in model.named_parameters() if not (p.dim() > 1 and "bias" not in n)]
    adam = torch.optim.AdamW([{"params": decays, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}], betas=(0.9, 0.95), eps=1e-8)
    losses = []
    for step in range(STEPS):
        terms = []
        for ids, target, labels in batch(step % BATCHES, model.config.vocab_size, name):
            given = {"input_ids": torch.tensor([ids])}
            if target:
                given["decoder_input_ids"] = torch.tensor([target])
            logits = model(**given).logits[0]
            terms += [torch.nn.functional.cross_entropy(logits[i], torch.tensor(label)) for i, label in enumerate(labels) if label >= 0]
        loss = torch.stack(terms).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in adam.param_groups:
            group["lr"] = rate(step, highest)
        adam.step()
        adam.zero_grad()
        losses.append(loss.item())
    print(f"{name}: {losses[0]:.4f} to {losses[-1]:.4f}")
    return [float(f"{x:.7g}") for x in losses]


out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "tests", "fixtures", "train", "learning.json")
with open(out, "w") as f:
    json.dump({name: learn(name, kind, highest) for name, (kind, highest) in CASES.items()}, f, separators=(",", ":"))
    f.write("\n")
