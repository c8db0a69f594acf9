#!/usr/bin/env python3
"""Trains the demonstration T5 that lies in this folder: English <-> German for short everyday sentences.

    python3 recipe.py tokenizer --data DIR --out DIR
    python3 recipe.py train     --data DIR --out DIR --steps 6000
    python3 recipe.py score     --data DIR --out DIR

DIR of --data holds eng-deu.{train,dev}.tsv.gz (English TAB German, from tatoeba.org). Needs torch, transformers,
sentencepiece, safetensors and sacrebleu. The rate stays as it is for --steps steps, or until the file DIR/finish appears,
and then falls to nothing over half as many steps more.
"""
import argparse, gzip, os, random, time

import torch

PREFIX = {"en-de": "translate English to German: ", "de-en": "translate German to English: "}


def pairs(data, part):
    with gzip.open(f"{data}/eng-deu.{part}.tsv.gz", "rt", encoding="utf-8") as f:
        both = [tuple(line.rstrip("\n").split("\t")) for line in f]
    return [pair for pair in both if max(len(text.split()) for text in pair) <= args.words]


def make_tokenizer(args):
    import sentencepiece

    lines = [text for pair in pairs(args.data, "train") for text in pair]
    lines += list(PREFIX.values()) * (len(lines) // 40)  # so that the words of the prefixes are pieces
    random.Random(1).shuffle(lines)
    os.makedirs(args.out, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=f"{args.out}/spiece", vocab_size=args.vocab, model_type="unigram",
        pad_id=0, eos_id=1, unk_id=2, bos_id=-1, character_coverage=0.9999, num_threads=1)
    os.remove(f"{args.out}/spiece.vocab")


def encoded(args, part):
    """Every pair in both directions, as (source ids, target ids); sentences of 60 pieces and more are left out."""
    import sentencepiece

    sp = sentencepiece.SentencePieceProcessor(model_file=f"{args.out}/spiece.model")
    prefix = {d: sp.encode(p) for d, p in PREFIX.items()}
    rows = []
    both = pairs(args.data, part)
    for en, de in zip(sp.encode([p[0] for p in both]), sp.encode([p[1] for p in both])):
        if len(en) < 60 and len(de) < 60:
            rows.append((prefix["en-de"] + en + [1], de + [1]))
            rows.append((prefix["de-en"] + de + [1], en + [1]))
    return rows


def batches(rows, n_tokens, rng):
    """Shuffled batches of about n_tokens pieces. Sentences of like length go together, and lengths and counts are rounded,
    so that few shapes occur: a CPU's matrix products are prepared for each shape once. The odd rest of a bucket waits for
    the next epoch, which shuffles anew."""
    buckets = {}
    for source, target in rows:
        buckets.setdefault((-(-len(source) // 3), -(-len(target) // 3)), []).append((source, target))
    groups = []
    for (source, target), members in buckets.items():
        rng.shuffle(members)
        n = max(32, n_tokens // (3 * (source + target)) // 32 * 32)
        groups += [(3 * source, 3 * target, members[i:i + n]) for i in range(0, len(members) // 32 * 32, n)]
    rng.shuffle(groups)
    return [(w, v, members[:len(members) // 32 * 32]) for w, v, members in groups]


def padded(lists, width, fill):
    return torch.tensor([row + [fill] * (width - len(row)) for row in lists])


def train(args):
    from transformers import T5Config, T5ForConditionalGeneration

    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    rng = random.Random(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    config = T5Config(
        vocab_size=args.vocab, d_model=192, d_kv=48, d_ff=512, num_heads=4, num_layers=4, num_decoder_layers=3,
        relative_attention_num_buckets=32, relative_attention_max_distance=128, dropout_rate=args.dropout,
        feed_forward_proj="gated-gelu", tie_word_embeddings=True, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0)
    config._attn_implementation = "eager"  # the fastest on a CPU at these sizes
    model = T5ForConditionalGeneration(config).to(device)
    for module in model.modules():
        if hasattr(module, "act"):
            module.act = torch.nn.GELU(approximate="tanh")  # the same function in one operation
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "shared" not in n and "relative" not in n]
    others = [p for n, p in model.named_parameters() if not (p.ndim == 2 and "shared" not in n and "relative" not in n)]
    optimizers = [torch.optim.Muon(matrices, lr=1.0, momentum=0.95, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
                  torch.optim.AdamW(others, lr=1.0, betas=(0.9, 0.98), weight_decay=0.0)]
    rows = encoded(args, "train")
    start, step, epoch, seen, window, last = time.time(), 0, 0, 0, [], None
    model.train()
    while True:
        for source_width, target_width, group in batches(rows, args.tokens, rng):
            if last is None and (step == args.steps or os.path.exists(f"{args.out}/finish")):
                last = step + step // 2
            if step == last:
                model.eval()
                model.half().save_pretrained(args.out)
                print(f"{step} steps, {seen / len(rows):.2f} epochs", flush=True)
                return
            rate = min(1, (step + 1) / 100) * (1 if last is None else (last - step) / (last / 3))
            for optimizer, peak in zip(optimizers, (args.lr, args.embedding_lr)):
                optimizer.param_groups[0]["lr"] = peak * rate
            source = padded([pair[0] for pair in group], source_width, 0).to(device)
            target = padded([pair[1] for pair in group], target_width, -100).to(device)
            with torch.autocast(device, dtype=torch.bfloat16):
                logits = model(input_ids=source, attention_mask=(source != 0), labels=target).logits
            loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), target.flatten(), label_smoothing=args.smooth)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
            step, seen = step + 1, seen + len(group)
            window.append(loss.detach())
            if step % args.every == 0:
                print(f"step {step} epoch {epoch} loss {torch.stack(window).mean():.4f} "
                      f"{seen / (time.time() - start):.0f} pairs/s", flush=True)
                window = []
        epoch += 1


def score(args):
    import sacrebleu
    from transformers import T5ForConditionalGeneration, T5TokenizerFast

    model = T5ForConditionalGeneration.from_pretrained(args.out, dtype=torch.float32).eval()
    tokenizer = T5TokenizerFast.from_pretrained(args.out, extra_ids=0)
    for direction, prefix in PREFIX.items():
        both = pairs(args.data, "dev")
        source, target = ([p[0] for p in both], [p[1] for p in both])
        if direction == "de-en":
            source, target = target, source
        out = []
        for i in range(0, len(source), 64):
            batch = tokenizer([prefix + s for s in source[i:i + 64]], return_tensors="pt", padding=True)
            with torch.no_grad():
                ids = model.generate(input_ids=batch.input_ids, attention_mask=batch.attention_mask, max_new_tokens=64, num_beams=args.beam)
            out += tokenizer.batch_decode(ids, skip_special_tokens=True)
        for i in range(0, len(source), len(source) // 12):
            print(f"    {source[i]} -> {out[i]}")
        print(direction, "beam", args.beam, sacrebleu.corpus_bleu(out, [target]), sacrebleu.corpus_chrf(out, [target]))


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("command", choices=["tokenizer", "train", "score"])
parser.add_argument("--data", required=True)
parser.add_argument("--out", required=True)
parser.add_argument("--vocab", type=int, default=4000)
parser.add_argument("--words", type=int, default=7, help="sentences of more words are left out")
parser.add_argument("--steps", type=int, default=6000)
parser.add_argument("--lr", type=float, default=3e-3, help="of the matrices (Muon)")
parser.add_argument("--embedding-lr", type=float, default=5e-3, help="of the embedding and the norms (AdamW)")
parser.add_argument("--tokens", type=int, default=5000, help="pieces a batch, source and target")
parser.add_argument("--dropout", type=float, default=0.0)
parser.add_argument("--smooth", type=float, default=0.1)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--every", type=int, default=100)
parser.add_argument("--beam", type=int, default=1)
args = parser.parse_args()
{"tokenizer": make_tokenizer, "train": train, "score": score}[args.command](args)
