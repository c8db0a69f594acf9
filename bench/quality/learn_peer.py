"""learn_peer.py - PyTorch learns what `trine train` learnt: from the same first weights, the same batches in the same order, by the same
schedule; its losses beside those in trine's metrics.

    python learn_peer.py FIRST METRICS.jsonl lm|seq2seq TRAIN VALID [--tokens N] [--length N] [--seed N] [--steps N] [--bf16] ...

FIRST is a model that trine saved before it learnt anything (--steps 1 --lr 1e-11). lm: text, documents parted by
<|endoftext|>. seq2seq: source TAB target with a header. At each step at which trine measured, a line: both losses and their difference."""
import argparse
import gzip
import json
import math
import time

import torch
import transformers as tf

import order


def read(path):
    return (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8").read()


def text_of(path, tokenizer):
    """The tokens of all documents, the end token after each."""
    ids = []
    for document in read(path).split("<|endoftext|>"):
        if document.strip(" \t\r\n"):
            ids += tokenizer.encode(document, add_special_tokens=False).ids + [tokenizer.token_to_id("<|endoftext|>")]
    return ids


def pairs_of(path, tokenizer):
    lines = [line.split("\t") for line in read(path).splitlines()[1:]]
    return [(tokenizer.encode(s).ids, tokenizer.encode(t).ids) for s, t in lines]


def padded(rows, value):
    width = max(map(len, rows))
    return torch.tensor([r + [value] * (width - len(r)) for r in rows])


def inputs(batch, o):
    if o.task == "lm":
        x = padded([w[:-1] for w in batch], 0)
        return {"input_ids": x}, padded([w[1:] for w in batch], -100)
    source, target = padded([s for s, _ in batch], -1), padded([t for _, t in batch], -100)
    start = torch.zeros(len(batch), 1, dtype=torch.long)
    shifted = torch.cat([start, target[:, :-1].clamp(min=0)], 1)
    return {"input_ids": source.clamp(min=0), "attention_mask": (source >= 0).long(), "decoder_input_ids": shifted}, target


def loss_of(model, batch, o, smoothing):
    x, y = inputs(batch, o)
    with torch.autocast("cpu", torch.bfloat16, enabled=o.bf16):
        logits = model(**x).logits
    loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), y.flatten(), ignore_index=-100, label_smoothing=smoothing)
    return loss, int((y >= 0).sum())


def rate_at(step, o):
    if step < o.warmup:
        return o.lr * (step + 1) / (o.warmup + 1)
    share = 0.5 * (1 + math.cos(math.pi * (step - o.warmup) / (o.total - o.warmup)))
    return o.min_lr + share * (o.lr - o.min_lr)


@torch.no_grad()
def measure(model, valid, size, o):
    model.eval()
    total = n = 0
    for batch in order.packed(lambda epoch: valid, size, o.tokens):
        loss, count = loss_of(model, batch, o, 0)
        total, n = total + loss.item() * count, n + count
    model.train()
    return total / n


def main():
    p = argparse.ArgumentParser()
    p.add_argument("first"), p.add_argument("metrics"), p.add_argument("task"), p.add_argument("train"), p.add_argument("valid")
    p.add_argument("--tokens", type=int, default=4096)
    p.add_argument("--length", type=int, default=512)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--steps", type=int, help="stop early; the schedule stays that of the whole run")
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--min-lr", type=float)
    p.add_argument("--warmup", type=int)
    p.add_argument("--beta2", type=float, default=0.95)
    p.add_argument("--decay", type=float, default=0.1)
    p.add_argument("--smoothing", type=float, default=0)
    p.add_argument("--bf16", action="store_true")
    p.add_argument("--save", help="where the model goes")
    o = p.parse_args()
    theirs = {r["step"]: r for r in map(json.loads, open(o.metrics))}
    o.total = max(theirs)
    o.min_lr = o.lr / 10 if o.min_lr is None else o.min_lr
    o.warmup = int(0.02 * o.total) if o.warmup is None else o.warmup
    torch.set_num_threads(2)
    torch.manual_seed(o.seed)
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(o.first + "/tokenizer.json")
    kind = tf.AutoModelForCausalLM if o.task == "lm" else tf.AutoModelForSeq2SeqLM
    model = kind.from_pretrained(o.first, dtype=torch.float32).train()
    if o.task == "lm":
        ids, held = text_of(o.train, tokenizer), text_of(o.valid, tokenizer)
        valid, size = order.windows(held, o.length, o.seed, 0), lambda w: len(w) - 1
        batches = order.packed(lambda epoch: order.windows(ids, o.length, o.seed, epoch), size, o.tokens, o.seed)
    else:
        pairs, valid = pairs_of(o.train, tokenizer), pairs_of(o.valid, tokenizer)
        size = lambda pair: len(pair[0]) + len(pair[1])
        batches = order.packed(lambda epoch: pairs, size, o.tokens, o.seed)
    matrices = [q for q in model.parameters() if q.dim() > 1]
    others = [q for q in model.parameters() if q.dim() == 1]
    optimiser = torch.optim.AdamW([{"params": matrices, "weight_decay": o.decay}, {"params": others, "weight_decay": 0.0}], lr=o.lr,
                                  betas=(0.9, o.beta2), fused=True)
    began, worst = time.time(), 0.0
    print(f"{'step':>6} {'trine':>9} {'PyTorch':>9} {'apart':>8}   validation: trine, PyTorch, apart", flush=True)
    for step in range(o.steps or o.total):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, o)
        loss, _ = loss_of(model, next(batches), o, o.smoothing)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        r = theirs[step + 1]
        if "valid_loss" in r:
            ours = measure(model, valid, size, o)
            worst = max(worst, abs(ours - r["valid_loss"]))
            print(f"{step + 1:6} {r['loss']:9.5f} {loss.item():9.5f} {loss.item() - r['loss']:8.5f}   "
                  f"{r['valid_loss']:9.5f} {ours:9.5f} {ours - r['valid_loss']:8.5f}", flush=True)
        elif step < 3:
            print(f"{step + 1:6} {r['loss']:9.5f} {loss.item():9.5f} {loss.item() - r['loss']:8.5f}", flush=True)
    print(f"{time.time() - began:.0f} s; validation losses at most {worst:.5f} apart", flush=True)
    if o.save:
        model.save_pretrained(o.save)
        tokenizer.save(o.save + "/tokenizer.json")


main()
