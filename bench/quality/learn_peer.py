"""learn_peer.py - PyTorch learns what `trine train` learnt: from the same first weights, the same batches in the same order, by the same
schedule and optimiser; its losses beside those in trine's metrics.

    python learn_peer.py FIRST METRICS.jsonl lm|masked|seq2seq TRAIN VALID [--tokens N] [--length N] [--seed N] [--steps N] [--bf16] ...

FIRST is a model that trine saved before it learnt anything (--steps 1 --lr 1e-11). TRAIN is a file or a mixture (.json, as --mix
takes it: all parts of one objective). lm, masked: text, documents parted by <|endoftext|>, or a "text" a line (.jsonl), which are not
kept apart. seq2seq: two columns with a header. At each step at which trine measured, a line: both losses and their difference.
--metrics-out has PyTorch's losses as trine writes its own: `trine runs` draws both in one picture. With --checkpoint what was stopped
goes on."""
import argparse
import glob
import gzip
import json
import math
import os
import time

import torch
import transformers as tf

import order

PART = 4 << 20  # bytes of a long document that are tokenised at a time


def read(path):
    return (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8", newline="").read()


def documents_of(path):
    for file in sorted(glob.glob(path + "/*")) if os.path.isdir(path) else [path]:
        if file.endswith(".jsonl"):
            yield from (json.loads(line)["text"] for line in read(file).splitlines())
        else:
            yield from (d for d in read(file).split("<|endoftext|>") if d.strip(" \t\r\n"))


def text_of(paths, tokenizer, before, after):
    """The tokens of all documents, with what goes around each."""
    ids = []
    for document in (d for path in paths for d in documents_of(path)):
        ids += before
        rest = document.encode()
        while rest:
            end = rest.rfind(b"\n", 0, PART) + 1 if len(rest) > PART else len(rest)
            ids += tokenizer.encode(rest[:end].decode(), add_special_tokens=False).ids
            rest = rest[end:]
        ids += after
    return ids


def pairs_of(path, tokenizer, o, part):
    rows = [line.split("\t") for line in read(path).splitlines()]
    source, target = (rows[0].index(part[k]) if k in part else i for i, k in enumerate(("source", "target")))
    whole = lambda text, most: (lambda ids: ids if len(ids) <= most else ids[: most - 1] + ids[-1:])(tokenizer.encode(text).ids)
    return [(whole(part.get("prefix", "") + r[source], o.length), whole(r[target], o.target_length or o.length)) for r in rows[1:]]


def part_of(part, tokenizer, o):
    """What order.packed wants of a source: weight, examples, size, make."""
    paths, weight = part["data"], part.get("weight", 1)
    if o.task == "seq2seq":
        pairs = [p for path in paths for p in pairs_of(path, tokenizer, o, part)]
        return weight, lambda epoch: pairs, lambda p: len(p[0]) + len(p[1]), lambda p, epoch, k: p
    if o.task == "lm":
        ids = text_of(paths, tokenizer, o.before, o.after)
        return weight, lambda epoch: order.windows(ids, o.length, 1, o.seed, epoch), lambda w: len(w) - 1, lambda w, epoch, k: w
    ids, special = text_of(paths, tokenizer, [], []), {i for i, t in tokenizer.get_added_tokens_decoder().items() if t.special}
    cls, _, sep = tokenizer.encode("<mask>").ids

    def hide(window, epoch, k):
        shown, asked = order.masked(window, tokenizer.token_to_id("<mask>"), special, tokenizer.get_vocab_size(), o.noise, o.seed, epoch, k)
        return [cls] + shown + [sep], [(at + 1, token) for at, token in asked]

    return weight, lambda epoch: order.windows(ids, o.length - 2, 0, o.seed, epoch), lambda w: len(w) + 2, hide


def padded(rows, value):
    width = max(map(len, rows))
    return torch.tensor([r + [value] * (width - len(r)) for r in rows])


def inputs(batch, o):
    if o.task == "lm":
        return {"input_ids": padded([w[:-1] for w in batch], 0)}, padded([w[1:] for w in batch], -100)
    if o.task == "masked":
        shown = padded([s for s, _ in batch], -1)
        target = torch.full_like(shown, -100)
        for row, (_, asked) in enumerate(batch):
            for at, token in asked:
                target[row, at] = token
        return {"input_ids": shown.clamp(min=0), "attention_mask": (shown >= 0).long()}, target
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
    t = (step - o.warmup) / (o.total - o.warmup)
    share = 1 - t if o.linear else 0.5 * (1 + math.cos(math.pi * t))
    return o.min_lr + share * (o.lr - o.min_lr)


def orthogonal(g, coefficients, steps, eps):
    """What Muon makes of a momentum, in f32: torch takes it in bf16, which processors without it emulate, for two thirds of a step."""
    a, b, c = coefficients
    x = g.T if g.size(0) > g.size(1) else g
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if g.size(0) > g.size(1) else x


def optimisers_of(model, o):
    """Muon, where asked for, has the matrices of the layers; AdamW all the rest, without decay what is no matrix. The queries of T5 are
    stepped by 1 / sqrt(d_head) of the rate (src/train/params.c)."""
    hidden = [q for name, q in model.named_parameters() if o.muon and q.dim() == 2 and (".layer." in name or ".layers." in name or ".block." in name)
              and "relative_attention_bias" not in name]
    rest = [q for q in model.parameters() if not any(q is h for h in hidden)]
    groups = [{"params": [q for q in rest if q.dim() > 1], "weight_decay": o.decay}, {"params": [q for q in rest if q.dim() == 1], "weight_decay": 0.0}]
    made = [torch.optim.AdamW(groups, lr=o.lr, betas=(0.9, o.beta2), fused=True)]
    if hidden:
        if not o.bf16:
            torch.optim._muon._zeropower_via_newtonschulz = orthogonal
        queries = [q for name, q in model.named_parameters() if name.endswith("Attention.q.weight")]
        share = model.config.d_kv**-0.5 if queries else 1
        groups = [{"params": [q for q in hidden if not any(q is k for k in queries)], "share": 1.0, "weight_decay": o.decay},
                  {"params": queries, "share": share, "weight_decay": o.decay / share}]
        made.append(torch.optim.Muon([g for g in groups if g["params"]], lr=o.lr, adjust_lr_fn="match_rms_adamw"))
    return made


@torch.no_grad()
def measure(model, valid, o):
    model.eval()
    total = n = 0
    for batch in order.packed([valid], o.tokens, o.seed, shuffle=False):
        loss, count = loss_of(model, batch, o, 0)
        total, n = total + loss.item() * count, n + count
    model.train()
    return total / n


def main():
    p = argparse.ArgumentParser()
    p.add_argument("first"), p.add_argument("metrics"), p.add_argument("task"), p.add_argument("train"), p.add_argument("valid")
    p.add_argument("--tokens", type=int, default=4096)
    p.add_argument("--length", type=int, default=512)
    p.add_argument("--target-length", type=int)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--steps", type=int, help="stop early; the schedule stays that of the whole run")
    p.add_argument("--total", type=int, help="steps of the schedule, where METRICS were stopped before its end")
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--min-lr", type=float)
    p.add_argument("--warmup", type=int)
    p.add_argument("--linear", action="store_true", help="the rate falls in a line, not by a cosine")
    p.add_argument("--muon", action="store_true")
    p.add_argument("--beta2", type=float, default=0.95)
    p.add_argument("--decay", type=float, default=0.1)
    p.add_argument("--smoothing", type=float, default=0)
    p.add_argument("--noise", type=float, default=0.15)
    p.add_argument("--dropout", type=float, default=0, help="drawn by PyTorch: losses are alike, not the same")
    p.add_argument("--bf16", action="store_true")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--metrics-out")
    p.add_argument("--save", help="where the model goes")
    p.add_argument("--checkpoint", help="a file: written every --checkpoint-every steps, and gone on from where it is there")
    p.add_argument("--checkpoint-every", type=int, default=25)
    o = p.parse_args()
    theirs = {r["step"]: r for r in map(json.loads, open(o.metrics))}
    o.total = o.total or max(theirs)
    o.min_lr = o.lr / 10 if o.min_lr is None else o.min_lr
    o.warmup = int(0.02 * o.total) if o.warmup is None else o.warmup
    torch.set_num_threads(o.threads)
    torch.manual_seed(o.seed)
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(o.first + "/tokenizer.json")
    kind = {"lm": tf.AutoModelForCausalLM, "masked": tf.AutoModelForMaskedLM, "seq2seq": tf.AutoModelForSeq2SeqLM}[o.task]
    rates = {"lm": ["attn_pdrop", "embd_pdrop", "resid_pdrop"], "masked": ["hidden_dropout_prob", "attention_probs_dropout_prob"],
             "seq2seq": ["dropout_rate"]}[o.task]
    config = tf.AutoConfig.from_pretrained(o.first)
    for name in rates:
        if hasattr(config, name):
            setattr(config, name, o.dropout)
    model = kind.from_pretrained(o.first, config=config, dtype=torch.float32).train()
    end, begin = model.config.eos_token_id, getattr(model.config, "bos_token_id", None)
    o.before, o.after = [t for t in tokenizer.encode("a").ids[:1] if t == begin != end], [end]
    train = json.load(open(o.train)) if o.train.endswith(".json") else [{"data": [o.train]}]
    valid = part_of({"data": [o.valid]}, tokenizer, o)
    batches = order.packed([part_of(part, tokenizer, o) for part in train], o.tokens, o.seed)
    optimisers = optimisers_of(model, o)
    began, worst, done = time.time(), 0.0, 0
    if o.checkpoint and os.path.exists(o.checkpoint):
        kept = torch.load(o.checkpoint, weights_only=False)
        done, worst, began = kept["done"], kept["worst"], began - kept["seconds"]
        model.load_state_dict(kept["model"])
        for optimiser, state in zip(optimisers, kept["optimisers"]):
            optimiser.load_state_dict(state)
        torch.set_rng_state(kept["random"])
        for _ in range(done):
            next(batches)
    if o.metrics_out and done:
        lines = [line for line in open(o.metrics_out) if json.loads(line)["step"] <= done]
        open(o.metrics_out, "w").writelines(lines)
    out = open(o.metrics_out, "a" if done else "w") if o.metrics_out else None
    print(f"{'step':>6} {'trine':>9} {'PyTorch':>9} {'apart':>8}   validation: trine, PyTorch, apart", flush=True)
    for step in range(done, o.steps or o.total):
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate_at(step, o) * group.get("share", 1)
        loss, _ = loss_of(model, next(batches), o, o.smoothing)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers:
            optimiser.step()
            optimiser.zero_grad()
        r = theirs[step + 1]
        metrics = {"step": step + 1, "loss": loss.item()}
        if "valid_loss" in r:
            ours = metrics["valid_loss"] = measure(model, valid, o)
            worst = max(worst, abs(ours - r["valid_loss"]))
            print(f"{step + 1:6} {r['loss']:9.5f} {loss.item():9.5f} {loss.item() - r['loss']:8.5f}   "
                  f"{r['valid_loss']:9.5f} {ours:9.5f} {ours - r['valid_loss']:8.5f}", flush=True)
        elif step < 3:
            print(f"{step + 1:6} {r['loss']:9.5f} {loss.item():9.5f} {loss.item() - r['loss']:8.5f}", flush=True)
        if out:
            print(json.dumps(metrics), file=out, flush=True)
        if o.checkpoint and (step + 1) % o.checkpoint_every == 0:
            torch.save({"done": step + 1, "worst": worst, "seconds": time.time() - began, "model": model.state_dict(),
                        "optimisers": [x.state_dict() for x in optimisers], "random": torch.get_rng_state()}, o.checkpoint + ".part")
            os.replace(o.checkpoint + ".part", o.checkpoint)
    print(f"{time.time() - began:.0f} s; validation losses at most {worst:.5f} apart", flush=True)
    if o.save:
        model.save_pretrained(o.save)
        tokenizer.save(o.save + "/tokenizer.json")


main()
