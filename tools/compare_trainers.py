#!/usr/bin/env python3
"""Trains the same vocabulary with trine and with the reference trainers, and counts the tokens of a text that neither has seen.

    python tools/compare_trainers.py TRINE VOCAB TRAIN.txt HELD_OUT.txt

For each of WordPiece, byte-level BPE and unigram a line a trainer: the seconds of training (of three runs of trine the shortest) and
the tokens of HELD_OUT. For the first two also how many tokens and merges are the same. Needs: pip install tokenizers sentencepiece.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

import sentencepiece
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers


def trine(program, type, vocab, train, held_out, out, *more):
    runs = [json.loads(subprocess.run([program, "tokenizer", "--json", "-q", "--overwrite", "--type", type, "--vocab", str(vocab), "-o", out,
                                       "--sentinels", "0", "--held-out", held_out, *more, train], capture_output=True, check=True).stdout)
            for _ in range(3)]
    return min(r["seconds"] for r in runs), runs[0]["held_out"]["tokens"]


def read(path):
    with open(path, encoding="utf-8", newline="") as f:
        return f.read()


def wordpiece(vocab, train):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train([train], trainers.WordPieceTrainer(vocab_size=vocab, min_frequency=0, show_progress=False,
                                               special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    return t


def bpe(vocab, train):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator([read(train)], trainers.BpeTrainer(vocab_size=vocab, special_tokens=["<|endoftext|>"], show_progress=False,
                                                             initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return t


def main():
    program, vocab, train, held_out = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    text = read(held_out)
    with tempfile.TemporaryDirectory() as d:
        out = os.path.join(d, "out")
        for name, type, reference in ("WordPiece", "bert", wordpiece), ("BPE", "gpt2", bpe):
            print(f"{name:10} trine         %7.2f s  %9d tokens" % trine(program, type, vocab, train, held_out, out), flush=True)
            start = time.time()
            t = reference(vocab, train)
            seconds = time.time() - start
            print(f"{name:10} tokenizers    {seconds:7.2f} s  {len(t.encode(text).ids):9} tokens", flush=True)
            ours, theirs = json.loads(read(out + "/tokenizer.json"))["model"], json.loads(t.to_str())["model"]
            print(f"{'':10} {len(set(ours['vocab']) & set(theirs['vocab']))} of {len(theirs['vocab'])} tokens are the same", end="")
            print(f", merges {'too' if ours['merges'] == theirs['merges'] else 'differ'}" if "merges" in theirs else "")
        print("unigram    trine         %7.2f s  %9d tokens" % trine(program, "t5", vocab, train, held_out, out, "--lines"), flush=True)
        start = time.time()
        sentencepiece.SentencePieceTrainer.train(input=train, model_prefix=d + "/m", vocab_size=vocab, model_type="unigram",
                                                 num_threads=os.cpu_count(), character_coverage=0.9995, max_sentence_length=100000,
                                                 pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2)
        seconds = time.time() - start
        p = sentencepiece.SentencePieceProcessor(model_file=d + "/m.model")
        print(f"unigram    sentencepiece {seconds:7.2f} s  {sum(len(ids) for ids in p.encode(text.split(chr(10)))):9} tokens")


if __name__ == "__main__":
    main()
