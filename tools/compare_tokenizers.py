#!/usr/bin/env python3
"""Compares libtrine's tokenizers with Hugging Face's: ids, offsets, types and decoded text must be equal, line by line.

    python tools/compare_tokenizers.py --lib build/libtrine.so TOKENIZER[=REFERENCE] ... --text FILE ... [--fuzz SECONDS]

TOKENIZER is what trine_tokenizer_open takes (a directory, a tokenizer.json, a vocab.txt, a .gguf...). REFERENCE is a tokenizer.json
for the package `tokenizers`, or a class of `transformers` that reads the directory (T5TokenizerFast; of one without a fast kind,
ByT5Tokenizer, ids and text are compared alone), or "sentencepiece" for a BPE tokenizer.model. Without it: TOKENIZER itself when it is a .json or a directory with tokenizer.json;
a .gguf's own byte-level BPE, put together for `tokenizers`; else what `transformers` makes of the directory. Files may be .xz or .gz;
of .jsonl every string is a line; generated hostile lines are always added. Exit status 1 when anything differs.
"""
import argparse
import ctypes as C
import gzip
import json
import lzma
import os
import random
import sys
import time

import tokenizers


class Error(C.Structure):
    _fields_ = [("code", C.c_int), ("text", C.c_char * 508)]


class Span(C.Structure):
    _fields_ = [("start", C.c_size_t), ("end", C.c_size_t)]


class Options(C.Structure):
    _fields_ = [("pair", C.c_char_p), ("pair_bytes", C.c_size_t), ("no_special", C.c_bool), ("no_parse_special", C.c_bool),
                ("max_tokens", C.c_int)]


class Encoding(C.Structure):
    _fields_ = [("n", C.c_int), ("ids", C.POINTER(C.c_int32)), ("types", C.POINTER(C.c_int32)), ("spans", C.POINTER(Span)),
                ("special", C.POINTER(C.c_uint8)), ("sequence", C.POINTER(C.c_int8)), ("n_cut", C.c_int)]


class Trine:
    """The library's tokenizer through ctypes."""

    def __init__(self, lib, path):
        self.lib = lib
        self.err = Error()
        self.handle = C.c_void_p()
        opener = getattr(lib, "trine_tokenizer_open", None) or lib.trine_tokenizer_open_path
        if opener(C.byref(self.handle), path.encode(), C.byref(self.err)):
            raise RuntimeError(self.err.text.decode())

    def encode(self, text, pair=None, special=True, max_tokens=0, parse_special=True):
        raw = text if isinstance(text, bytes) else text.encode()
        second = pair.encode() if pair is not None else None
        options = Options(second, len(second) if second else 0, not special, not parse_special, max_tokens)
        out = Encoding()
        if self.lib.trine_tokenizer_encode(C.byref(out), self.handle, raw, C.c_size_t(len(raw)), C.byref(options), C.byref(self.err)):
            raise RuntimeError(self.err.text.decode())
        n = out.n
        result = (out.ids[:n], [(s.start, s.end) for s in out.spans[:n]], out.types[:n], out.special[:n], out.sequence[:n], out.n_cut)
        self.lib.trine_encoding_clear(C.byref(out))
        return result

    def decode(self, ids, skip_special):
        array = (C.c_int32 * max(1, len(ids)))(*ids)
        text = C.c_void_p()
        if self.lib.trine_tokenizer_decode(C.byref(text), self.handle, array, len(ids), C.c_bool(skip_special), C.byref(self.err)):
            raise RuntimeError(self.err.text.decode())
        value = C.string_at(text)
        self.lib.trine_free(text)
        return value

    def close(self):
        self.lib.trine_tokenizer_close(self.handle)


def load_library(path):
    lib = C.CDLL(os.path.abspath(path))
    lib.trine_free.argtypes = [C.c_void_p]
    lib.trine_tokenizer_close.argtypes = [C.c_void_p]
    return lib


class SlowReference:
    """A tokenizer of `transformers` in Python: ids and text, nothing else."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def encode(self, text, pair=None, add_special_tokens=True):
        self.ids = self.tokenizer(text, pair, add_special_tokens=add_special_tokens).input_ids
        return self

    def decode(self, ids, skip_special_tokens):
        return self.tokenizer.decode(ids, skip_special_tokens=skip_special_tokens, clean_up_tokenization_spaces=False)

    def get_added_tokens_decoder(self):
        return self.tokenizer.added_tokens_decoder

    def get_vocab(self):
        return {}

    def no_truncation(self):
        pass

    no_padding = no_truncation


def of_gguf(path):
    """The byte-level BPE of a GGUF file, with the pre-tokenizer that its name stands for in the published tokenizer.json."""
    import gguf
    fields = gguf.GGUFReader(path).fields

    def value(key, absent=None):
        return fields["tokenizer.ggml." + key].contents() if "tokenizer.ggml." + key in fields else absent

    assert value("model") == "gpt2" and value("pre") in ("gpt-2", "smollm", "default"), "no reference for this kind of GGUF"
    tokens, types = value("tokens"), value("token_type")
    merges = [tuple(merge.split(" ")) for merge in value("merges")]
    bpe = tokenizers.models.BPE({token: i for i, token in enumerate(tokens)}, merges)
    out = tokenizers.Tokenizer(bpe)
    level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    digits = tokenizers.pre_tokenizers.Digits(individual_digits=True)
    out.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([digits, level]) if value("pre") == "smollm" else level
    out.decoder = tokenizers.decoders.ByteLevel()
    out.add_special_tokens([tokenizers.AddedToken(t, normalized=False) for t, kind in zip(tokens, types) if kind == 3])
    out.add_tokens([tokenizers.AddedToken(t, normalized=False) for t, kind in zip(tokens, types) if kind == 4])
    return out


def merges_of(pieces, vocab):
    """The merges behind scores, best first: transformers' generate_merges(vocab, scores)."""
    found = []
    for p in pieces:
        if p.type not in (2, 3, 6):
            local = [(p.piece[:i], p.piece[i:], p.score) for i in range(1, len(p.piece)) if p.piece[:i] in vocab and p.piece[i:] in vocab]
            found += sorted(local, key=lambda m: (vocab[m[0]], vocab[m[1]]))
    found.sort(key=lambda m: (m[2], len(m[0]), len(m[1])), reverse=True)
    return [(a, b) for a, b, _ in found]


def of_sentencepiece(path):
    """A BPE model of sentencepiece, as transformers' LlamaConverter puts it together for `tokenizers` (legacy, the default)."""
    from sentencepiece import sentencepiece_model_pb2
    model = sentencepiece_model_pb2.ModelProto()
    with open(os.path.join(path, "tokenizer.model") if os.path.isdir(path) else path, "rb") as f:
        model.ParseFromString(f.read())
    vocab = {p.piece: i for i, p in enumerate(model.pieces)}
    out = tokenizers.Tokenizer(tokenizers.models.BPE(vocab, merges_of(model.pieces, vocab), unk_token="<unk>", fuse_unk=True,
                                                     byte_fallback=True))
    n, d = tokenizers.normalizers, tokenizers.decoders
    out.normalizer = n.Sequence([n.Prepend("\u2581"), n.Replace(" ", "\u2581")])
    out.decoder = d.Sequence([d.Replace("\u2581", " "), d.ByteFallback(), d.Fuse(), d.Strip(" ", 1, 0)])
    out.add_special_tokens([tokenizers.AddedToken(p.piece, normalized=False) for p in model.pieces if p.type in (2, 3)])
    out.post_processor = tokenizers.processors.TemplateProcessing("<s> $A", "<s> $A <s>:1 $B:1", [("<s>", vocab["<s>"])])
    return out


def reference(path):
    if "=" in path:
        path, given = path.split("=", 1)
        if given.endswith(".json"):
            return tokenizers.Tokenizer.from_file(given)
        if given == "sentencepiece":
            return of_sentencepiece(path)
        import transformers
        made = getattr(transformers, given).from_pretrained(path)
        return made.backend_tokenizer if made.is_fast else SlowReference(made)
    if path.endswith(".json"):
        return tokenizers.Tokenizer.from_file(path)
    if path.endswith(".gguf"):
        return of_gguf(path)
    if os.path.isdir(path) and os.path.exists(os.path.join(path, "tokenizer.json")) and not os.environ.get("COMPARE_AUTO"):
        return tokenizers.Tokenizer.from_file(os.path.join(path, "tokenizer.json"))
    import transformers
    return transformers.AutoTokenizer.from_pretrained(path).backend_tokenizer


def strings_of(value):
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for part in parts for text in strings_of(part)]


def read_lines(path, limit):
    opener = lzma.open if path.endswith(".xz") else gzip.open if path.endswith(".gz") else open
    out = []
    with opener(path, "rt", encoding="utf-8", errors="replace", newline="\n") as f:
        for line in f:
            line = line.rstrip("\n")
            out += strings_of(json.loads(line)) if ".jsonl" in path else [line]
            if len(out) >= limit:
                break
    return [line for line in out[:limit] if line]


WORDS = """Việt Nam người tiếng đường · مرحبا بالعالم كيف حالك؟ · שלום עולם · สวัสดีชาวโลก ภาษาไทย · नमस्ते दुनिया क्षत्रिय · 안녕하세요 세계 ·
こんにちは世界 カタカナ ﾊﾝｶｸ · 你好世界 春眠不覺曉 處處聞啼鳥 · Привет мир ёлка · Ελληνικά ΟΔΥΣΣΕΥΣ ς · Ångström naïve façade Übergröße İstanbul ıI ·
ﬁne ﬂow ﬃ ½ ² ① Ⅷ ㎏ ﷺ · don't we'll I'M THEY'RE it'S 'tis o'clock · 3.14159 1,000,000 0x1F 2³ ٣٤٥ ४५६ · http://a.b/c?d=e&f#g foo@bar.com ·
<s> </s> <unk> <pad> [CLS] [SEP] [MASK] [UNK] <mask> <|endoftext|> <|begin_of_text|> <|eot_id|> <extra_id_0> <extra_id_99> <0x41> <0xE4> ##ing ▁the Ġthe ·
e\u0301 a\u0308\u0301 o\u0302\u0323 \u1112\u1161\u11ab \u0f71\u0f72 \u0344 \u212b \u2126 \ufb1d \u1e9b\u0323 q\u0307\u0323 · 👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 ❤️ 1️⃣ ☕︎ 🤷🏿‍♀️ ·
A\ufeffB \u200b\u200c\u200d \u00ad soft \u2060 \u202eRTL\u202c \u0000 \u0001\u0002 \u007f\u0080\u0085\u009f \u2028 \u2029 \u180e \u3000 \u00a0 \u2009 \u1680 ·
\uff21\u0308 \uff21 Ｆｕｌｌ ｗｉｄｔｈ \u0600\u0661 \u00a9\u200d\u00ae \r\n \r \t\t \x0b \x0c · \U0001d400 \U00010400 \U0002f800 \U000e0041 \ue000 \ufffd \ufffe · Œuvre ŒUVRE ß ẞ ſ K""".split(
    " · ")


def alphabet():
    """Code points to draw from, weighted to what makes tokenizers stumble."""
    pools = [list(range(0x20, 0x7F)), [0x20], [0x20, 9, 0xA, 0xD, 0x85, 0xA0, 0x2003, 0x3000, 0x200B, 0x2028], list(range(0, 0x20)),
             list(range(0x80, 0x250)), list(range(0x300, 0x370)), list(range(0x370, 0x530)), list(range(0x590, 0x780)),
             list(range(0x900, 0xE80)), list(range(0xF00, 0x1000)), list(range(0x1100, 0x1200)), list(range(0x1AB0, 0x1B00)),
             list(range(0x1D00, 0x2000)), list(range(0x2000, 0x2C00)), list(range(0x3000, 0x3400)), list(range(0x4E00, 0x5200)),
             list(range(0xAC00, 0xB000)), list(range(0xF900, 0x10000)), list(range(0x1F1E6, 0x1F200)), list(range(0x1F300, 0x1F700)),
             [0x200D, 0xFE0F, 0x1F3FB, 0x1F3FF], list(range(0x10000, 0x11000)), list(range(0x1D400, 0x1D800)), list(range(0xE0000, 0xE0200)),
             [0x2581, 0x120, 0x10A, 0x23, 0x3C, 0x3E, 0x27]]
    return pools


POOLS = alphabet()


def random_text(rng, extra):
    parts = []
    for _ in range(rng.randint(1, 6)):
        kind = rng.random()
        if kind < 0.35:
            pool = rng.choice(POOLS)
            parts.append("".join(chr(rng.choice(pool)) for _ in range(rng.randint(1, 8))))
        elif kind < 0.5:
            parts.append("".join(chr(rng.choice(rng.choice(POOLS))) for _ in range(rng.randint(1, 10))))
        elif kind < 0.6:
            c = rng.randint(0, 0x10FFFF)
            parts.append(chr(c) if not 0xD800 <= c < 0xE000 else " ")
        elif kind < 0.75 and extra:
            parts.append(rng.choice(extra))
        elif kind < 0.85:
            parts.append(rng.choice([" ", "\n", "\t", " \n", "!", "a", "'"]) * rng.randint(1, 12))
        else:
            parts.append(rng.choice(rng.choice(WORDS).split(" ")))
        if rng.random() < 0.3:
            parts.append(rng.choice([" ", "  ", "\n", ""]))
    return "".join(parts)


def hostile_lines(rng, extra, count):
    lines = ["", " ", "  ", "\n", "\t", "a", "\0", "a\0b", " a", "a ", "  a  b  ", "\n\n\n", "\r\n\r\n", "'", "''s", "'S", "I'ſ"]
    lines += [w for group in WORDS for w in [group] + group.split(" ")]
    lines += ["%s%s%s" % (a, w, b) for w in extra[:60] for a in ("", "x", " ", "x ") for b in ("", "y", " ", " y")]
    lines += [" " * n + "x" for n in range(1, 40)] + ["x" * n for n in (50, 99, 100, 101, 200, 1000)] + ["ab" * 300, "\u0301" * 70, "한" * 150]
    lines += ["".join(chr(c) for c in range(a, a + 64) if not 0xD800 <= c < 0xE000) for a in range(0, 0x3400, 64)]
    lines += ["".join(chr(c) for c in range(a, a + 16)) for a in range(0x10000, 0x110000, 0x3FF0)]
    return lines + [random_text(rng, extra) for _ in range(count)]


def char_to_byte(text):
    table, at = [0], 0
    for c in text:
        at += len(c.encode())
        table.append(at)
    return table


class Comparison:
    def __init__(self, name, ours, theirs):
        self.name, self.ours, self.theirs = name, ours, theirs
        self.lines = self.different = 0

    def report(self, what, text, mine, other):
        self.different += 1
        if self.different <= 8:
            print("%s: %s of %r\n  trine %s\n  other %s" % (self.name, what, text[:200], str(mine)[:600], str(other)[:600]))

    def line(self, text, pair=None, special=True, max_tokens=0):
        t = self.theirs
        if isinstance(t, SlowReference) and (max_tokens or pair is not None):
            return
        if max_tokens:
            t.enable_truncation(max_tokens)
        try:
            e = t.encode(text, pair, add_special_tokens=special)
        except BaseException as problem:  # the reference itself gives up (it panics on some inputs)
            if type(problem).__name__ not in ("PanicException", "Exception"):
                raise
            return
        finally:
            if max_tokens:
                t.no_truncation()
        self.lines += 1
        ids, spans, types, specials, sequences, _ = self.ours.encode(text, pair, special, max_tokens)
        if ids != e.ids:
            return self.report("ids", text if pair is None else text + " || " + pair, ids, e.ids)
        if not isinstance(e, tokenizers.Encoding):
            return self.decoded(text, ids)
        tables = [char_to_byte(text), char_to_byte(pair or "")]
        want = []
        for k, (a, b) in enumerate(e.offsets):
            table = tables[1 if sequences[k] == 1 else 0]
            want.append((table[a], table[b]) if b < len(table) else (a, b))
        if spans != want:
            return self.report("offsets", text, [(i, s) for i, s in enumerate(spans) if s != want[i]],
                               [(i, s) for i, s in enumerate(want) if s != spans[i]])
        if types != e.type_ids:
            return self.report("types", text, types, e.type_ids)
        if specials != e.special_tokens_mask:
            return self.report("special mask", text, specials, e.special_tokens_mask)
        self.decoded(text, ids)

    def decoded(self, text, ids):
        for skip in (False, True):
            try:
                other = self.theirs.decode(ids, skip_special_tokens=skip).encode()
            except BaseException:
                continue
            mine = self.ours.decode(ids, skip)
            if mine != other.replace(b"\0", b""):
                return self.report("decode(skip_special=%s)" % skip, text, mine, other)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer", nargs="+")
    parser.add_argument("--lib", default="build/libtrine.so")
    parser.add_argument("--text", nargs="*", default=[])
    parser.add_argument("--limit", type=int, default=3000, help="lines of each file")
    parser.add_argument("--random", type=int, default=4000, help="random lines")
    parser.add_argument("--fuzz", type=float, default=0, help="then random lines for so many seconds")
    parser.add_argument("--seed", type=int, default=None)
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else int(time.time())
    print("seed %d" % seed)
    lib = load_library(args.lib)
    files = [line for path in args.text for line in read_lines(path, args.limit)]
    failed = False
    for name in args.tokenizer:
        rng = random.Random(seed)
        try:
            theirs = reference(name)
        except Exception as problem:
            print("%s: the reference does not load: %s" % (name, problem))
            failed = True
            continue
        theirs.no_truncation()
        theirs.no_padding()
        ours = Trine(lib, name.split("=", 1)[0])
        extra = [token.content for token in theirs.get_added_tokens_decoder().values()]
        vocab = list(theirs.get_vocab())
        comparison = Comparison(name, ours, theirs)
        hostile = hostile_lines(rng, extra + rng.sample(vocab, min(200, len(vocab))), args.random)
        for text in files + hostile:
            comparison.line(text, special=rng.random() < 0.5)
        for _ in range(min(2000, args.random)):
            a, b = rng.choice(hostile), rng.choice(hostile)
            comparison.line(a, b, max_tokens=rng.choice([0, 0, 8, 17, 64]))
            comparison.line(a, max_tokens=rng.choice([8, 16, 33]))
        n_given = comparison.lines
        until = time.time() + args.fuzz
        while time.time() < until:
            comparison.line(random_text(rng, extra + vocab[:50]), special=rng.random() < 0.5)
        print("%s: %d lines (%d of files, %d generated, %d of the fuzz), %d differ" %
              (name, comparison.lines, len(files), n_given - len(files), comparison.lines - n_given, comparison.different), flush=True)
        failed = failed or comparison.different > 0
        ours.close()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
