#!/usr/bin/env python3
"""Writes src/tokenizer/unicode_sets.c and unicode_forms.c: what the Hugging Face `tokenizers` package takes each code point for.

    python tools/make_unicode_tables.py

That package rests on several Rust crates, each of another version of Unicode (categories of 7, normalisation of 9, the standard
library's own of 17, regular expressions of 16), so no one library of C agrees with it. The package itself is the authority for
ids, and this script asks it about every code point. Needs: pip install tokenizers sentencepiece.
"""
import contextlib
import os
import tempfile
import unicodedata

import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex
from tokenizers import normalizers as N
from tokenizers import pre_tokenizers as P

CODES = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def normalized(normalizer):
    return {c: normalizer.normalize_str(chr(c)) for c in CODES}


def bert(**on):
    off = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return N.BertNormalizer(**{**off, **on})


def splitting(pre_tokenizer):
    return {c for c in CODES if len(pre_tokenizer.pre_tokenize_str("a%sa" % chr(c))) > 1}


def matching(pattern):
    p = P.Split(Regex(pattern), behavior="removed")
    return {c for c in CODES if not p.pre_tokenize_str(chr(c))}


def charsmap(rules):
    """A Precompiled normaliser with these rules, compiled by sentencepiece."""
    with tempfile.TemporaryDirectory() as d:
        with open(os.path.join(d, "corpus"), "w") as f:
            f.write("\n".join("hello world this is a small corpus %d" % i for i in range(200)))
        with open(os.path.join(d, "rules"), "w") as f:
            for a, b in rules:
                f.write("%s\t%s\n" % (" ".join("%X" % ord(c) for c in a), " ".join("%X" % ord(c) for c in b)))
        sentencepiece.SentencePieceTrainer.train(
            input=os.path.join(d, "corpus"), model_prefix=os.path.join(d, "m"), vocab_size=40, hard_vocab_limit=False,
            normalization_rule_tsv=os.path.join(d, "rules"), model_type="char", minloglevel=2)
        m = sentencepiece_model_pb2.ModelProto()
        m.ParseFromString(open(os.path.join(d, "m.model"), "rb").read())
        return N.Precompiled(m.normalizer_spec.precompiled_charsmap)


def graphemes():
    """Grapheme cluster classes, seen through Precompiled: it replaces a whole cluster of fewer than 6 bytes by the rule of its
    first character, so that what clings to a character is what disappears. Longer clusters never matter to it."""
    p = charsmap([("x", "y")])
    extend = {c for c in CODES if c and chr(c) != "x" and p.normalize_str("x" + chr(c)) == "y"}
    p = charsmap([("\u00a9", "y")])
    picture = {c for c in CODES if c and p.normalize_str("\u00a9\u200d" + chr(c)) == "y\u200d" + chr(c)} - extend
    low = [c for c in CODES if 0 < c < 0x10000 and chr(c) not in " Y"]
    p = charsmap([(chr(c), "Y") for c in low])
    prepend = {c for c in low if c != 0xD and p.normalize_str(chr(c) + "x") == "Y"}
    control = {c for c in low if p.normalize_str(chr(c) + "\u0301") == "YY"} | {0}
    p = charsmap([("\u200d", "y")])  # a joiner with an accent is short enough, unless both cling to what is before
    control |= {c for c in CODES if c >= 0x10000 and p.normalize_str(chr(c) + "\u200d\u0301") == chr(c) + "y"}
    high = [c for c in CODES if 0x10000 <= c < 0x20000]
    p = charsmap([(chr(c), "Y") for c in high] + [("x", "Y")])
    return extend, picture, prepend | {c for c in high if p.normalize_str(chr(c) + "x") == "Y"}, control


def ranges(codes):
    codes, out = sorted(codes), []
    for c in codes:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def lines(items):
    text = ""
    for item in items:
        if len(text) + len(item) + 2 > 126:
            yield "    " + text.rstrip()
            text = ""
        text += item + ", "
    if text:
        yield "    " + text.rstrip()


def table(name, comment, items, kind="trine_code_range"):
    print("\n/* %s */" % comment)
    print("const %s trine_%s[] = {" % (kind, name))
    for line in lines(items):
        print(line)
    print("};\nconst int trine_n_%s = %d;" % (name, len(items)))


def code_set(name, comment, codes):
    table(name, comment, ["{ 0x%X, 0x%X }" % (a, b) for a, b in ranges(codes)])


def runs(lower):
    """Lower case as (first, last, step, delta): every step-th code point of first..last grows by delta."""
    out = []
    for c, to in sorted(lower.items()):
        if len(to) != 1:
            continue
        d = ord(to) - c
        if out and out[-1][3] == d:
            r = out[-1]
            if r[0] == r[1] and c - r[1] in (1, 2):
                r[1], r[2] = c, c - r[0]
                continue
            if r[0] != r[1] and c - r[1] == r[2]:
                r[1] = c
                continue
        out.append([c, c, 1, d])
    return out


def additions():
    """Members of \\p{..} that regular expressions of the package (Unicode 16) have and Unicode 14 (PCRE2 10.42) has not, as text to
    put into a character class. Where PCRE2 is newer they are there twice, which does no harm."""
    print("\n/* What \\p{..} of a pattern lacks in Unicode 14, as text for a character class. */")
    print("const trine_class_addition trine_class_additions[] = {")
    names = "L Lu Ll Lt Lm Lo M Mn Mc Me N Nd Nl No P Pc Pd Ps Pe Pi Pf Po S Sm Sc Sk So Z Zs".split()
    for name in names + ["w"]:
        if name == "w":  # \w is Alphabetic, M, Nd and Pc; what is left are letters and marks newer than Unicode 14
            new = {c for c in matching("\\w") if unicodedata.category(chr(c)) == "Cn"}
        else:
            new = {c for c in matching("\\p{%s}" % name) if unicodedata.category(chr(c)) == "Cn"}
        if new:
            text = "".join("\\x{%X}" % a if a == b else "\\x{%X}-\\x{%X}" % (a, b) for a, b in ranges(new))
            print('    { "%s",' % name)
            for i in range(0, len(text), 100):
                print('      "%s"%s' % (text[i:i + 100].replace("\\", "\\\\"), "" if i + 100 < len(text) else " },"))
    print("    { 0, 0 }")
    print("};")


def main():
    cleaned = normalized(bert(clean_text=True))
    accents = normalized(bert(strip_accents=True))
    lower = {c: v for c, v in normalized(N.Lowercase()).items() if v != chr(c)}
    nfd, nfkd, marks = normalized(N.NFD()), normalized(N.NFKD()), normalized(N.StripAccents())
    nfc = N.NFC()
    assert [c for c, v in lower.items() if len(v) != 1] == [0x130], "only U+0130 has a lower case of two"
    decomposes = {c for c in CODES if (nfd[c] != chr(c) or nfkd[c] != chr(c)) and not 0xAC00 <= c <= 0xD7A3}
    for c in decomposes:  # by the stability policy a decomposition never changes once there is one
        assert nfd[c] == unicodedata.normalize("NFD", chr(c)) and nfkd[c] == unicodedata.normalize("NFKD", chr(c))
    classes = {}
    for c in CODES:
        k = unicodedata.combining(chr(c))
        if k and (k >= 240 or N.NFD().normalize_str("\u0345" + chr(c)) == chr(c) + "\u0345"):
            classes[c] = k
    ccc = []
    for c, k in sorted(classes.items()):
        if ccc and ccc[-1][1] == c - 1 and ccc[-1][2] == k:
            ccc[-1][1] = c
        else:
            ccc.append([c, c, k])
    pairs = []
    for c in sorted(decomposes):
        d = unicodedata.decomposition(chr(c)).split()
        if len(d) == 2 and not d[0].startswith("<"):
            a, b = (int(x, 16) for x in d)
            if nfc.normalize_str(chr(a) + chr(b)) == chr(c):
                pairs.append((a, b, c))
    extend, picture, prepend, control = graphemes()

    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "src", "tokenizer")
    head = ("/* %s - what the Hugging Face `tokenizers` package takes each code point for; unicode.h says how each is used.\n"
            " * Written by tools/make_unicode_tables.py from tokenizers " + tokenizers.__version__ + ": do not edit. */\n"
            '#include "tokenizer/unicode_tables.h"')
    with open(os.path.join(here, "unicode_sets.c"), "w") as f, contextlib.redirect_stdout(f):
        print(head % "unicode_sets.c")
        code_set("controls", "Removed by BertNormalizer's clean_text, beside U+0000 and U+FFFD.",
                 {c for c in CODES if cleaned[c] == ""} - {0, 0xFFFD})
        code_set("nonspacing", "Removed by BertNormalizer's strip_accents.", {c for c in CODES if accents[c] == ""})
        code_set("marks", "Removed by StripAccents.", {c for c in CODES if marks[c] == ""})
        code_set("punctuation", "Split off by BertPreTokenizer and Punctuation.", splitting(P.Punctuation()))
        code_set("numerics", "Split off by Digits.", splitting(P.Digits(individual_digits=True)))
        word = P.Whitespace()
        code_set("word_characters", "\\w of Whitespace and of single_word added tokens.",
                 {c for c in CODES if len(word.pre_tokenize_str("a%sa" % chr(c))) == 1})
        code_set("grapheme_extends", "Clings to the character before it (UAX 29: Extend, ZWJ, SpacingMark).", extend)
        code_set("grapheme_prepends", "Clings to the character after it (UAX 29: Prepend).", prepend)
        code_set("grapheme_controls", "Clings to nothing (UAX 29: Control).", control)
        code_set("pictures", "Extended_Pictographic of UAX 29.", picture)
    with open(os.path.join(here, "unicode_forms.c"), "w") as f, contextlib.redirect_stdout(f):
        print(head % "unicode_forms.c")
        code_set("decomposing", "Changed by NFD or NFKD (Unicode 9), Hangul aside.", decomposes)
        table("combining_classes", "Canonical combining classes (Unicode 9).",
              ["{ 0x%X, 0x%X, %d }" % tuple(r) for r in ccc], "trine_code_class")
        table("compositions", "Canonical compositions (Unicode 9), sorted by the pair; Hangul aside.",
              ["{ 0x%X, 0x%X, 0x%X }" % p for p in sorted(pairs)], "trine_code_pair")
        table("lower_runs", "Lower case; U+0130 aside, which becomes two.",
              ["{ 0x%X, 0x%X, %d, %d }" % tuple(r) for r in runs(lower)], "trine_case_run")
        additions()


if __name__ == "__main__":
    main()
