#!/usr/bin/env python3
"""Writes tests/fixtures/tokenizer_train: a text, and what other trainers make of it.

    python tools/make_vocabulary_fixtures.py

gpt2_merges.txt are the merges of `tokenizers`' BpeTrainer over bytes, wordpiece.txt the tokens of its WordPieceTrainer (sorted: it
numbers some of them anew each time), sizes.json how large they are, and how many tokens sentencepiece's unigram model cuts the text into.
Needs: pip install tokenizers sentencepiece.
"""
import json
import os
import random
import tempfile

import sentencepiece
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "fixtures", "tokenizer_train")
BPE, WORDPIECE, UNIGRAM = 600, 420, 500
STEMS = """walk talk jump play look want help start open close paint turn ask call move live love use like hope train learn count
garden window river mountain letter number table village winter summer morning evening story music paper colour measure
Haus Straße Kind Gärten Schule Wasser Brücke Übung Lehrer Fenster schön größer ruhig schnell
étude école garçon forêt fenêtre hôtel leçon rivière déjà même
λόγος άνθρωπος θάλασσα ουρανός книга человек город весна 世界 東京 時間 こんにちは""".split()
ENDINGS = ["", "", "", "", "s", "ed", "ing", "er", "ers", "ly", "en", "es", "ness"]
SMALL = "the a of and to in is it that was he for on with as his they be at one have this der die und das le la et un и в και το".split()


def make_text(r):
    weights = [1 / (i + 2) for i in range(len(STEMS))]
    lines = []
    for _ in range(520):
        words = []
        for k in range(r.randint(3, 14)):
            if r.random() < 0.5:
                word = r.choices(SMALL, [1 / (i + 1) for i in range(len(SMALL))])[0]
            elif r.random() < 0.04:
                word = str(r.randint(0, 2100))
            else:
                word = r.choices(STEMS, weights)[0]
                if word.isascii():
                    word += r.choice(ENDINGS)
            if k == 0 and r.random() < 0.8:
                word = word.capitalize()
            words.append(word + (r.choice([",", ",", ";", ":"]) if r.random() < 0.08 else ""))
        lines.append(" ".join(words) + r.choice([".", ".", ".", "!", "?", "...", " (sic)."]))
    return "\n".join(lines) + "\n"


def write(name, text):
    with open(os.path.join(OUT, name), "w", encoding="utf-8", newline="") as f:
        f.write(text)


def gpt2(text):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator([text], trainers.BpeTrainer(vocab_size=BPE, special_tokens=["<|endoftext|>"], show_progress=False,
                                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return "".join(f"{a} {b}\n" for a, b in json.loads(t.to_str())["model"]["merges"])


def wordpiece(text, size):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator([text], trainers.WordPieceTrainer(vocab_size=size, min_frequency=0, show_progress=False,
                                                            special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    return "".join(token + "\n" for token in sorted(t.get_vocab()))


def unigram(text):
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "text")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        sentencepiece.SentencePieceTrainer.train(input=path, model_prefix=d + "/m", vocab_size=UNIGRAM, model_type="unigram",
                                                 character_coverage=1.0, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2)
        p = sentencepiece.SentencePieceProcessor(model_file=d + "/m.model")
        return sum(len(ids) for ids in p.encode(text.split("\n")))


def main():
    os.makedirs(OUT, exist_ok=True)
    text = make_text(random.Random(1))
    size = WORDPIECE
    while any(wordpiece(text, size) != wordpiece(text, size) for _ in range(12)):  # a tie hangs on numbers that are new each time
        size -= 1
    write("text.txt", text)
    write("gpt2_merges.txt", gpt2(text))
    write("wordpiece.txt", wordpiece(text, size))
    write("sizes.json", json.dumps({"gpt2": BPE, "wordpiece": size, "t5": UNIGRAM, "t5_tokens": unigram(text)}) + "\n")


if __name__ == "__main__":
    main()
