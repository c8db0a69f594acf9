#!/usr/bin/env python3
"""Writes tests/fixtures/tokenizer: small tokenizers of every kind, hostile lines, and what the reference makes of each line.

    python tools/make_tokenizer_fixtures.py

The reference is Hugging Face's `tokenizers`. For sentencepiece BPE it is the tokenizer.json that the published Llama 2 models carry
(merges in order of the pieces' scores), whose ids are also those of sentencepiece itself; for ByT5 the class in `transformers`.
Needs: pip install tokenizers sentencepiece transformers.
"""
import json
import os
import random
import shutil
import sys
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from compare_tokenizers import POOLS, WORDS, char_to_byte, merges_of, random_text  # noqa: E402

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "fixtures", "tokenizer")
SENTENCES = """The quick brown fox jumps over the lazy dog, and the dog doesn't mind at all.
It was the best of times, it was the worst of times; it was the age of wisdom and the season of light.
A cat sits on the mat while three children are playing with a ball in the garden behind the house.
She said that they'd been waiting for 25 minutes, but we're sure it was 1,250 seconds (or 3.14 hours).
The translation of a sentence into another language is something that machines have been learning for years.
Attention is all you need: the model reads every word of the text and decides which ones matter.
Tokenization splits words into smaller pieces, and the pieces that are found together most often are joined.
HELLO WORLD! This IS the END of the STORY; nobody KNOWS what will happen next year in 2031.
Der schnelle braune Fuchs springt über den faulen Hund, während die Kinder im Garten spielen.
Ein Haus ohne Fenster ist wie ein Tag ohne Sonne; das weiß jeder, der größer geworden ist.
Le renard brun saute par-dessus le chien paresseux, et l'été n'est jamais aussi beau qu'à la mer.
Où êtes-vous allés hier soir ? Nous étions à la fenêtre, déjà prêts pour la fête de l'école.
El niño comió una manzana en la montaña; mañana volverá con su señora a la ciudad pequeña.
Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.
春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。床前明月光，疑是地上霜。举头望明月，低头思故乡。
吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。
모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.
Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi.
يولد جميع الناس أحرارا متساوين في الكرامة والحقوق. सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता प्राप्त है।""".split("\n")
RNG = random.Random(20260715)
CORPUS = SENTENCES * 4 + [word for group in WORDS for word in group.split(" ") if "\0" not in word and len(word) < 24]

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
MARK = "\u2581"


def train(model, trainer, **parts):
    t = Tokenizer(model)
    for name, part in parts.items():
        setattr(t, name, part)
    t.train_from_iterator(CORPUS, trainer)
    return t


def template(t, single, pair):
    words = {w.split(":")[0] for w in (single + " " + pair).split() if not w.startswith("$")}
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=[(w, t.token_to_id(w)) for w in sorted(words)])


def folder(name):
    path = os.path.join(OUT, name)
    os.makedirs(path)
    return path


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=True, separators=(",", ":"))
        f.write("\n")


def save(t, path):
    write_json(os.path.join(path, "tokenizer.json"), json.loads(t.to_str()))


def by_id(t):
    return [t.id_to_token(i) for i in range(t.get_vocab_size())]


def wordpiece(name, lowercase):
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t = train(models.WordPiece(unk_token="[UNK]"),
              trainers.WordPieceTrainer(vocab_size=700, special_tokens=special, show_progress=False, limit_alphabet=220),
              normalizer=normalizers.BertNormalizer(lowercase=lowercase), pre_tokenizer=pre_tokenizers.BertPreTokenizer(),
              decoder=decoders.WordPiece())
    t.post_processor = template(t, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1")
    path = folder(name)
    save(t, path)
    with open(os.path.join(path, "vocab.txt"), "w", encoding="utf-8") as f:
        f.writelines(token + "\n" for token in by_id(t))
    if not lowercase:
        write_json(os.path.join(path, "tokenizer_config.json"), {"do_lower_case": False, "tokenizer_class": "BertTokenizer"})
    return name, t


def byte_level(name, special, pre, files=None, n=520, **parts):
    t = train(models.BPE(ignore_merges=parts.pop("ignore_merges", False)),
              trainers.BpeTrainer(vocab_size=n, special_tokens=special, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet()),
              pre_tokenizer=pre, decoder=decoders.ByteLevel(), **parts)
    path = folder(name)
    if files is not None:
        t.model.save(path)
        write_json(os.path.join(path, "tokenizer_config.json"), files)
    return t, path


def split(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def gpt2():
    t, path = byte_level("gpt2", ["<|endoftext|>"], pre_tokenizers.ByteLevel(add_prefix_space=False), {"tokenizer_class": "GPT2Tokenizer"})
    save(t, path)
    return "gpt2", t


def llama3():
    t, path = byte_level("llama3", ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"], split(LLAMA3), ignore_merges=True)
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template(
        t, "<|begin_of_text|> $A", "<|begin_of_text|> $A <|begin_of_text|>:1 $B:1")])
    save(t, path)
    return "llama3", t


def qwen2():
    t, path = byte_level("qwen2", ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], split(QWEN2), {
        "tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": {
            str(i): {"content": w, "special": True, "normalized": False, "lstrip": False, "rstrip": False, "single_word": False}
            for i, w in enumerate(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])}}, normalizer=normalizers.NFC())
    save(t, path)
    return "qwen2", t


def roberta():
    t, path = byte_level("roberta", ["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True)],
                         pre_tokenizers.ByteLevel(add_prefix_space=False))
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False)
    save(t, path)
    return "roberta", t


RULES = {**{chr(c): " " for c in [9, 10, 13, 0xA0, 0x2003, 0x3000, 0x200B, 0x2028, 0x200D]},
         **{chr(c): "" for c in list(range(1, 9)) + [0xAD, 0x7F]}, **{chr(0xFEE0 + c): chr(c) for c in range(0x21, 0x7F)},
         "\ufb01": "fi", "\ufb02": "fl", "\u00bd": "1\u20442", "\u2460": "1", "\u2167": "VIII", "e\u0301": "\u00e9", "o\u0302\u0323": "\u1ed9",
         "a\u0308": "\u00e4", "\u1112\u1161\u11ab": "\ud55c", "\u212b": "\u00c5", "\ufdfa": "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647"}


def sentencepiece_model(**options):
    with tempfile.TemporaryDirectory() as d:
        with open(os.path.join(d, "text"), "w", encoding="utf-8") as f:
            f.write("\n".join(CORPUS))
        with open(os.path.join(d, "rules"), "w") as f:
            for a, b in RULES.items():
                f.write("%s\t%s\n" % (" ".join("%X" % ord(c) for c in a), " ".join("%X" % ord(c) for c in b)))
        if options.pop("rules", False):
            options["normalization_rule_tsv"] = os.path.join(d, "rules")
        sentencepiece.SentencePieceTrainer.train(input=os.path.join(d, "text"), model_prefix=os.path.join(d, "m"), minloglevel=2,
                                                 num_threads=1, **options)
        with open(os.path.join(d, "m.model"), "rb") as f:
            return f.read()


LLAMA = sentencepiece_model(model_type="bpe", vocab_size=760, byte_fallback=True, character_coverage=0.98, split_digits=True,
                            normalization_rule_name="identity", remove_extra_whitespaces=False, allow_whitespace_only_pieces=True)


def llama2(name, legacy):
    m = sentencepiece_model_pb2.ModelProto()
    m.ParseFromString(LLAMA)
    vocab = {p.piece: i for i, p in enumerate(m.pieces)}
    t = Tokenizer(models.BPE(vocab, merges_of(m.pieces, vocab), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if legacy:
        t.normalizer = normalizers.Sequence([normalizers.Prepend(MARK), normalizers.Replace(" ", MARK)])
    else:
        t.pre_tokenizer = pre_tokenizers.Metaspace(MARK, prepend_scheme="first", split=False)
    t.decoder = decoders.Sequence([decoders.Replace(MARK, " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.add_special_tokens([AddedToken(w, normalized=False) for w in ("<unk>", "<s>", "</s>")])
    t.post_processor = template(t, "<s> $A", "<s> $A <s>:1 $B:1")
    path = folder(name)
    with open(os.path.join(path, "tokenizer.model"), "wb") as f:
        f.write(LLAMA)
    write_json(os.path.join(path, "tokenizer_config.json"), {"tokenizer_class": "LlamaTokenizer", "legacy": legacy, "add_bos_token": True,
                                                             "add_eos_token": False})
    if legacy:
        save(t, path)
    return name, t


def t5():
    data = sentencepiece_model(model_type="unigram", vocab_size=480, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, character_coverage=0.98, rules=True)
    m = sentencepiece_model_pb2.ModelProto()
    m.ParseFromString(data)
    extra = ["<extra_id_%d>" % i for i in range(9, -1, -1)]
    t = Tokenizer(models.Unigram([(p.piece, p.score) for p in m.pieces] + [(w, 0.0) for w in extra], unk_id=2, byte_fallback=False))
    t.normalizer = normalizers.Precompiled(m.normalizer_spec.precompiled_charsmap)
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(MARK, prepend_scheme="always")])
    t.decoder = decoders.Metaspace(MARK, prepend_scheme="always")
    t.add_special_tokens([AddedToken(w, normalized=False) for w in ["<pad>", "</s>", "<unk>"] + extra])
    t.post_processor = template(t, "$A </s>", "$A </s> $B </s>")
    path = folder("t5")
    with open(os.path.join(path, "spiece.model"), "wb") as f:
        f.write(data)
    write_json(os.path.join(path, "tokenizer_config.json"), {"tokenizer_class": "T5Tokenizer", "extra_ids": 10})
    save(t, path)
    return "t5", t


def byt5():
    import transformers
    path = folder("byt5")
    write_json(os.path.join(path, "tokenizer_config.json"), {"tokenizer_class": "ByT5Tokenizer", "extra_ids": 125})
    return "byt5", transformers.ByT5Tokenizer()


SPECIAL = ["[CLS]", "[MASK]", "<mask>", "<s>", "</s>", "<unk>", "<|endoftext|>", "<|eot_id|>", "<|im_start|>", "<extra_id_3>", "<0x41>"]


def hostile_lines():
    lines = ["", " ", "  ", "\n", "\t", "a", "\0", "a\0b", " a", "a ", "  a  b  ", "\n\n\n", "\r\n\r\n", "'", "''s", "'S", "I'\u017f", "  I  saw  it  "]
    lines += [w.strip("\n") for group in WORDS for w in [group]]
    lines += ["%s%s%s" % (a, w, b) for w in SPECIAL for a, b in (("", ""), ("x", "y"), (" ", " "), ("x ", " y"))]
    lines += [" " * n + "x" for n in (2, 3, 7, 16, 33)] + ["x" * n for n in (50, 100, 101)] + ["ab" * 60, "\u0301" * 30, "\ud55c" * 30]
    lines += ["\U000e0001\u200d\u0654", "12345678 1234567 3\u00b2", "DON'T don't Don'\u017f we'LL", "x\u00a0y\u2003z", "#hash ##hash"]
    for pool in POOLS:
        lines.append("".join(chr(RNG.choice(pool)) for _ in range(12)))
    lines += SENTENCES[3:19:3]
    while len(lines) < 250:
        text = random_text(RNG, SPECIAL)
        if len(text) < 60:
            lines.append(text)
    return lines


def without_zeros(text):
    return text.replace("\0", "")


def record(t, lines, index, pair=None, special=True, parse=True, limit=0):
    out = {"text": index}
    if pair is not None:
        out["pair"] = pair
    if not special:
        out["no_special"] = True
    if not parse:
        out["no_parse_special"] = True
    if limit:
        out["max_tokens"] = limit
    text, second = lines[index], lines[pair] if pair is not None else None
    if not isinstance(t, Tokenizer):  # ByT5
        ids = t(text, second, add_special_tokens=special)["input_ids"]
        out["ids"] = ids
        decoded = [t.decode(ids, skip_special_tokens=skip) for skip in (False, True)]
    else:
        t.encode_special_tokens = not parse
        if limit:
            t.enable_truncation(limit)
        try:
            e = t.encode(text, second, add_special_tokens=special)
        finally:
            t.no_truncation()
            t.encode_special_tokens = False
        out["ids"] = e.ids
        tables = [char_to_byte(text), char_to_byte(second or "")]
        out["spans"] = []
        for k, (a, b) in enumerate(e.offsets):
            table = tables[e.sequence_ids[k] or 0]
            out["spans"] += [table[a], table[b]]
        if any(e.type_ids):
            out["types"] = e.type_ids
        out["added"] = [k for k, v in enumerate(e.special_tokens_mask) if v]
        decoded = [t.decode(e.ids, skip_special_tokens=skip) for skip in (False, True)]
    if pair is None:
        out["decoded"] = without_zeros(decoded[0])
        if decoded[1] != decoded[0]:
            out["decoded_text"] = without_zeros(decoded[1])
    return out


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    os.makedirs(OUT)
    lines = hostile_lines()
    write_json(os.path.join(OUT, "lines.json"), lines)
    kinds = [wordpiece("bert_uncased", True), wordpiece("bert_cased", False), gpt2(), llama3(), qwen2(), roberta(), llama2("llama2", True),
             llama2("llama2_first", False), t5(), byt5()]
    for name, t in kinds:
        cases = [record(t, lines, i, special=i % 4 != 3) for i in range(len(lines))]
        if isinstance(t, Tokenizer):
            few = [lines.index(s) for s in SENTENCES[3:19:3]] + list(range(60, 100, 7))
            for k, i in enumerate(few):
                cases.append(record(t, lines, i, pair=few[-1 - k], special=k % 5 != 4))
                cases.append(record(t, lines, i, pair=few[-1 - k], limit=4 + 5 * k))
                cases.append(record(t, lines, i, limit=3 + k))
            cases += [record(t, lines, i, parse=False) for i, s in enumerate(lines) if any(w in s for w in SPECIAL) and i % 2]
        write_json(os.path.join(OUT, name, "expected.json"), cases)


if __name__ == "__main__":
    main()
