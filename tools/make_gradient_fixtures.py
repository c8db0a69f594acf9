#!/usr/bin/env python3
"""Gradients of the tiny models in tests/fixtures/models as PyTorch computes them: tests/fixtures/gradients.

Usage: make_gradient_fixtures.py [OUT_DIR [NAME...]]

For each model NAME.safetensors holds a ragged batch ("batch.ids", "batch.types", "batch.lengths", "batch.target_ids",
"batch.target_lengths", "batch.rows", "batch.labels", "batch.weights"), its loss ("loss": the weighted sum over scored rows, "smoothing")
and the gradient of loss / sum of weights for every parameter under its own name. Texts are run one by one, in f32, without padding
and without dropout. "curve" holds the loss of STEPS steps of AdamW (at "rate") from there, on the texts of the batch in turn, three at a time.
Needs torch, transformers 5, safetensors."""
import os, random, sys

import numpy as np
import torch
import transformers as tf
from safetensors.numpy import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "..", "tests", "fixtures", "models")
CASES = {  # name: (class, objective, label smoothing)
    "bert-mlm": (tf.BertForMaskedLM, "mlm", 0),
    "bert-classify": (tf.BertForSequenceClassification, "labels", 0.1),
    "bert-tags": (tf.BertForTokenClassification, "tags", 0),
    "roberta-mlm": (tf.RobertaForMaskedLM, "mlm", 0.1),
    "roberta-classify": (tf.RobertaForSequenceClassification, "labels", 0),
    "distilbert-mlm": (tf.DistilBertForMaskedLM, "mlm", 0),
    "distilbert-classify": (tf.DistilBertForSequenceClassification, "labels", 0),
    "gpt2": (tf.GPT2LMHeadModel, "causal", 0),
    "llama2": (tf.LlamaForCausalLM, "causal", 0.1),
    "llama3": (tf.LlamaForCausalLM, "causal", 0),
    "mistral": (tf.MistralForCausalLM, "causal", 0),
    "qwen2": (tf.Qwen2ForCausalLM, "causal", 0),
    "qwen3": (tf.Qwen3ForCausalLM, "causal", 0),
    "gpt2-classify": (tf.GPT2ForSequenceClassification, "labels", 0.1),
    "gpt2-tags": (tf.GPT2ForTokenClassification, "tags", 0),
    "llama-classify": (tf.LlamaForSequenceClassification, "labels", 0),
    "qwen3-tags": (tf.Qwen3ForTokenClassification, "tags", 0),
    "t5-classify": (tf.T5ForSequenceClassification, "twice", 0),
    "umt5-tags": (tf.UMT5ForTokenClassification, "tags", 0),
    "t5-v1.0": (tf.T5ForConditionalGeneration, "text to text", 0),
    "t5-v1.1": (tf.T5ForConditionalGeneration, "text to text", 0.1),
    "umt5": (tf.UMT5ForConditionalGeneration, "text to text", 0),
}
STEPS, RATE = 200, {"umt5": 1e-4}  # the others 3e-4; there umt5 is not stable: a difference in rounding grows tenfold in 16 steps
LENGTHS = [9, 1, 14, 5]  # mistral's window is 7


def curve(model, texts, smoothing, rate):
    """The loss of each step of AdamW over three texts of the batch: one of a single token, alone, has gradients that are 0 in one
    order of rounding and 1e-9 in another, which AdamW makes as large as any."""
    named = list(model.named_parameters())
    decays = [p for n, p in named if p.dim() > 1 and "bias" not in n]
    rest = [p for n, p in named if not (p.dim() > 1 and "bias" not in n)]
    optimiser = torch.optim.AdamW([{"params": decays, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}], lr=rate)
    losses = []
    for step in range(STEPS):
        optimiser.zero_grad()
        total, weight_sum = 0, 0
        for text in (texts[(step + i) % len(texts)] for i in range(3)):
            logits = model(**text["given"]).logits
            for row, label, weight in text["out"]:
                if label >= 0:
                    one = logits[row] if text["whole"] else logits[0][row]
                    total += weight * torch.nn.functional.cross_entropy(one, torch.tensor(label), label_smoothing=smoothing)
                    weight_sum += weight
        for _, p in named:  # as zeros: a parameter that the loss does not reach still decays
            p.grad = torch.zeros_like(p)
        (total / weight_sum).backward()
        optimiser.step()
        losses.append(total.item() / weight_sum)
    return losses


def run(name, kind, objective, smoothing, out):
    rng = random.Random(name)
    torch.manual_seed(0)
    model = kind.from_pretrained(os.path.join(MODELS, name), dtype=torch.float32, attn_implementation="eager").eval()
    vocab, config = model.config.vocab_size, model.config
    batch = {k: [] for k in ("ids", "types", "lengths", "target_ids", "target_lengths", "rows", "labels", "weights")}
    terms, weights, texts = [], [], []

    def score(logits, rows, first_row, classes):
        text = texts[-1]
        for row in rows:
            label = rng.randrange(classes) if row == rows[0] or rng.random() < 0.8 else -100
            weight = rng.choice([1.0, 1.0, 0.5, 2.0])
            batch["rows"].append(first_row + row)
            batch["labels"].append(label)
            batch["weights"].append(weight)
            text["out"].append((row, label, weight))
            if label >= 0:
                loss = torch.nn.functional.cross_entropy(logits[row], torch.tensor(label), label_smoothing=smoothing)
                terms.append(weight * loss)
                weights.append(weight)

    for n in LENGTHS:
        first, ids = len(batch["ids"]), [rng.randrange(3, vocab) for _ in range(n)]
        n_types = getattr(config, "type_vocab_size", 0) or 0
        types = [rng.randrange(n_types) for _ in range(n)] if n_types > 1 else [0] * n
        batch["ids"] += ids
        batch["types"] += types
        batch["lengths"].append(n)
        given = {"input_ids": torch.tensor([ids])}
        if n_types > 1:
            given["token_type_ids"] = torch.tensor([types])
        if objective == "twice":  # the decoder reads the source once more, and a label is asked of its end
            ids[-1] = config.eos_token_id
            batch["ids"][-1] = ids[-1]
            given = {"input_ids": torch.tensor([ids])}
            batch["target_ids"] += [config.decoder_start_token_id or 0] + ids[:-1]
            batch["target_lengths"].append(n)
        if objective == "text to text":
            first = len(batch["target_ids"])
            m = rng.randrange(1, 12)
            target = [config.decoder_start_token_id or 0] + [rng.randrange(3, vocab) for _ in range(m - 1)]
            batch["target_ids"] += target
            batch["target_lengths"].append(m)
            given["decoder_input_ids"] = torch.tensor([target])
            n = m
        logits = model(**given).logits
        texts.append({"given": given, "out": [], "whole": objective in ("labels", "twice")})
        if objective in ("labels", "twice"):
            score(logits, [0], len(batch["lengths"]) - 1, config.num_labels)
        elif objective == "tags":
            score(logits[0], range(n), first, config.num_labels)
        elif objective == "mlm":
            score(logits[0], [i for i in range(n) if i == n // 2 or rng.random() < 0.4], first, vocab)
        else:
            score(logits[0], range(n), first, vocab)
    total = torch.stack(terms).sum()
    (total / sum(weights)).backward()
    tensors = {"loss": np.array([total.item()], np.float32), "smoothing": np.array([smoothing], np.float32)}
    for key, value in batch.items():
        if value:
            tensors["batch." + key] = np.array(value, np.float32 if key == "weights" else np.int32)
    for key, p in model.named_parameters():
        if p.grad is not None:
            tensors[key] = p.grad.numpy().copy()
    tensors["curve"] = np.array(curve(model, texts, smoothing, RATE.get(name, 3e-4)), np.float32)
    tensors["rate"] = np.array([RATE.get(name, 3e-4)], np.float32)
    save_file(tensors, os.path.join(out, name + ".safetensors"))
    print(f"{name}: {len(terms)} scored rows, loss {total.item():.6f}, {sum(t.size for t in tensors.values())} numbers")


out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "tests", "fixtures", "gradients")
os.makedirs(out, exist_ok=True)
for name, (kind, objective, smoothing) in CASES.items():
    if not sys.argv[2:] or name in sys.argv[2:]:
        run(name, kind, objective, smoothing, out)
