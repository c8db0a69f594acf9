"""finetune_peer.py - the same fine-tuning in transformers' Trainer with dynamic padding: one line a seed.

    python finetune_peer.py classify|tag MODEL TRAIN VALID [--epochs X] [--lr X] [--batch N] [--seeds 1 2 3] [--steps N] [--f32] [--threads N]

bf16 is autocast. Accuracy, or F1 of entities (seqeval), of the step that was best, as trine keeps it; and of the last step."""
import argparse
import csv
import gzip
import os
import tempfile
import time

import torch
import transformers as tf


def read(path):
    return (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8")


def labelled(path, tokenizer, o):
    rows = list(csv.reader(read(path), delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
    names = ["0", "1"]
    return [{**tokenizer(text), "labels": names.index(label)} for label, text in rows], names


def tagged(path, tokenizer, o):
    """The tag stands at each word's first piece, the others are not scored."""
    sentences, words = [], []
    for line in list(read(path)) + [""]:
        if line.strip():
            parts = line.split()
            words.append((parts[0], parts[-1]))
        elif words:
            sentences.append(words)
            words = []
    names = o.names or sorted({t for s in sentences for _, t in s})
    examples = []
    for s in sentences:
        e = tokenizer([w for w, _ in s], is_split_into_words=True, truncation=True, max_length=512)
        owners, before, labels = e.word_ids(), None, []
        for w in owners:
            labels.append(-100 if w is None or w == before else names.index(s[w][1]))
            before = w
        examples.append({**e, "labels": labels})
    return examples, names


def main():
    p = argparse.ArgumentParser()
    p.add_argument("task", choices=["classify", "tag"]), p.add_argument("model"), p.add_argument("train"), p.add_argument("valid")
    p.add_argument("--epochs", type=float), p.add_argument("--lr", type=float), p.add_argument("--batch", type=int)
    p.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3])
    p.add_argument("--steps", type=int, default=-1, help="stop after so many: for its rate alone")
    p.add_argument("--f32", action="store_true"), p.add_argument("--threads", type=int, default=os.cpu_count())
    o = p.parse_args()
    tag, o.names = o.task == "tag", None
    torch.set_num_threads(o.threads)
    tf.logging.set_verbosity_error()
    tokenizer = tf.AutoTokenizer.from_pretrained(o.model)
    train, o.names = (tagged if tag else labelled)(o.train, tokenizer, o)
    valid, _ = (tagged if tag else labelled)(o.valid, tokenizer, o)

    def score(result):
        best, truth = result.predictions.argmax(-1), result.label_ids
        if not tag:
            return {"score": float((best == truth).mean())}
        from seqeval.metrics import f1_score

        name = lambda row, at: [o.names[i] for i, t in zip(row, at) if t != -100]
        return {"score": float(f1_score([name(t, t) for t in truth], [name(b, t) for b, t in zip(best, truth)]))}

    for seed in o.seeds:
        tf.set_seed(seed)
        kind = tf.AutoModelForTokenClassification if tag else tf.AutoModelForSequenceClassification
        model = kind.from_pretrained(o.model, num_labels=len(o.names))
        arguments = tf.TrainingArguments(
            output_dir=tempfile.gettempdir() + "/finetune_peer", seed=seed, num_train_epochs=o.epochs or (8 if tag else 3), max_steps=o.steps,
            learning_rate=o.lr or (2e-4 if tag else 5e-5), per_device_train_batch_size=o.batch or (16 if tag else 32),
            per_device_eval_batch_size=64, weight_decay=0.01, warmup_steps=0.06, lr_scheduler_type="linear", bf16=not o.f32, use_cpu=True,
            eval_strategy="steps" if o.steps < 0 else "no", eval_steps=0.1, save_strategy="no", logging_strategy="no", report_to=[],
            disable_tqdm=True)
        collator = tf.DataCollatorForTokenClassification(tokenizer) if tag else tf.DataCollatorWithPadding(tokenizer)
        trainer = tf.Trainer(model, arguments, collator, train, valid, compute_metrics=score)
        began = time.time()
        result = trainer.train()
        seconds = time.time() - began
        scores = [r["eval_score"] for r in trainer.state.log_history if "eval_score" in r]
        reached = f"best {max(scores):.4f}, last {scores[-1]:.4f}, " if scores else ""
        print(f"transformers {o.task} seed {seed}: {reached}{seconds:.0f} s, "
              f"{result.metrics['train_samples_per_second']:.1f} examples a second", flush=True)


main()
