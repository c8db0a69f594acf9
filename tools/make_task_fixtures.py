#!/usr/bin/env python3
"""Writes the tiny models of tests/fixtures/tasks/models and what transformers and sentence-transformers make of them (tasks.json).

Usage: make_task_fixtures.py OUT_DIR         (needs torch, transformers, tokenizers, sentence-transformers)

Weights are random but large, so that scores are far apart; vocabularies are trained on the sentences below (the trainers break
ties by chance, so a second run may give other pieces)."""
import json, os, sys
import torch
import tokenizers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (BertConfig, BertForMaskedLM, BertForSequenceClassification, BertForTokenClassification, BertModel, LlamaConfig,
                          LlamaForCausalLM, PreTrainedTokenizerFast, RobertaConfig, RobertaForMaskedLM, RobertaForTokenClassification,
                          T5Config, T5ForConditionalGeneration, pipeline)

OUT = sys.argv[1]
TEXTS = """Paris is the capital of France and Berlin is the capital of Germany.
Anna Schmidt works for Nordic Steel in Oslo, not for Blue River Ltd.
The weather was cold; nobody went out, and the streets stayed empty.
A cat sat on the mat while the old dog slept near the door.
Zürich and Genève are cities in Switzerland, said Mr. Müller.
They won't play football today because it rains, but they will tomorrow.
Summarize this: the meeting was short, and everyone agreed on the plan.
translate English to German: The house is small.
Is this film good? Yes, it's wonderful! No, it's awful...""".split("\n")
MORE = ["Oslo", "Anna  went\tto Zürich.", "日本 and 東京 are far", "naïve café déjà vu", "unbelievable antidisestablishment", "x" * 40,
        "Müller, Schmidt & Müller (Genève)", " leading and trailing ", "emoji 😀 here", "a-b-c 1,000.50"]


def fast(tokenizer, **special):
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def wordpiece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=260, special_tokens=special, show_progress=False))
    t.decoder = decoders.WordPiece()
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                                     special_tokens=[("[CLS]", t.token_to_id("[CLS]")), ("[SEP]", t.token_to_id("[SEP]"))])
    return fast(t, model_input_names=["input_ids", "token_type_ids", "attention_mask"], pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]")


def byte_bpe():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    t.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=380, special_tokens=special, show_progress=False,
                                                     initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.add_special_tokens([tokenizers.AddedToken("<mask>", lstrip=True, special=True)])
    t.post_processor = processors.RobertaProcessing(("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")), trim_offsets=True,
                                                    add_prefix_space=False)
    return fast(t, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>", mask_token="<mask>")


def chat_bpe():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=340, special_tokens=["<|begin|>", "<|end|>"], show_progress=False,
                                                     initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.post_processor = processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", 0)])
    out = fast(t, bos_token="<|begin|>", eos_token="<|end|>")
    out.chat_template = ("{{ bos_token }}{% for m in messages %}{{ '[' + m.role + '] ' + m.content + eos_token }}{% endfor %}"
                         "{% if add_generation_prompt %}{{ '[assistant] ' }}{% endif %}")
    return out


def unigram():
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.NFKC()
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    t.train_from_iterator(TEXTS, trainers.UnigramTrainer(vocab_size=180, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", t.token_to_id("</s>"))])
    return fast(t, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


def save(name, model, tokenizer, seed, scale=4.0):
    torch.manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() > 1:
                p.normal_(0, scale / p.shape[-1] ** .5)
    for p in model.parameters(): # not model.half(): it would round the rotary frequencies too
        p.data = p.data.half().float()
    model.eval()
    folder = os.path.join(OUT, "models", name)
    model.config.dtype = torch.float16
    model.save_pretrained(folder, state_dict={k: v.half() for k, v in model.state_dict().items()})
    tokenizer.save_pretrained(folder)
    for extra in ("generation_config.json",):
        if os.path.exists(os.path.join(folder, extra)) and name.startswith(("bert", "roberta")):
            os.remove(os.path.join(folder, extra))
    return folder, model


def perplexity(model, ids, window, stride):
    """As eval_lm.c defines it, in the plainest way: one pass a window, double precision."""
    losses, scored, start = [], 0, 0
    while True:
        end = min(start + window, len(ids))
        if stride == -1 and end - start < window:
            break
        piece = [ids[0]] + ids[start + 1:end]
        logits = torch.log_softmax(model(torch.tensor([piece])).logits[0].double(), -1)
        first = window // 2 + 1 if stride == -1 else max(1, scored - start)
        losses += [-logits[i - 1, piece[i]].item() for i in range(first, len(piece))]
        scored = end
        if end == len(ids) and stride != -1:
            break
        start += stride if stride > 0 else window
    return {"perplexity": float(torch.tensor(losses).double().mean().exp()), "scored": len(losses)}


@torch.no_grad()
def main():
    wp, bb, cb, ug = wordpiece(), byte_bpe(), chat_bpe(), unigram()
    small = dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40, max_position_embeddings=48)
    bert = dict(vocab_size=len(wp), pad_token_id=wp.pad_token_id, **small)
    roberta = dict(vocab_size=len(bb), pad_token_id=1, bos_token_id=0, eos_token_id=2, type_vocab_size=1, **{**small, "max_position_embeddings": 50})
    tags = {i: t for i, t in enumerate(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])}
    topics = {0: "sport", 1: "city", 2: "weather"}
    out = {}

    def label_config(cls, base, labels, **more):
        return cls(**base, id2label=labels, label2id={v: k for k, v in labels.items()}, **more)

    # fill
    out["fill"] = []
    for name, model, tok in (("bert-mlm", BertForMaskedLM(BertConfig(**bert)), wp), ("roberta-mlm", RobertaForMaskedLM(RobertaConfig(**roberta)), bb)):
        _, m = save(name, model, tok, 1)
        pipe = pipeline("fill-mask", model=m, tokenizer=tok, top_k=4)
        M = tok.mask_token
        for text in [f"Paris is the {M} of France.", f"{M} sat on the mat", f"The {M} dog {M} near the {M}.", f"went to{M}", f"Zürich and Genève {M}"]:
            r = pipe(text)
            r = [r] if isinstance(r[0], dict) else r
            out["fill"].append({"model": name, "text": text, "masks": [[{"id": c["token"], "score": c["score"]} for c in mask] for mask in r]})

    # classify
    out["classify"] = []
    for name, cfg in (("bert-classify", label_config(BertConfig, bert, topics)), ("bert-multi", label_config(BertConfig, bert, topics, problem_type="multi_label_classification")),
                      ("bert-regression", label_config(BertConfig, bert, {0: "LABEL_0"}, problem_type="regression")),
                      ("bert-single", label_config(BertConfig, bert, {0: "LABEL_0"}))):
        _, m = save(name, BertForSequenceClassification(cfg), wp, 2)
        pipe = pipeline("text-classification", model=m, tokenizer=wp, top_k=None)
        for text in TEXTS[:5] + [(TEXTS[0], TEXTS[3])]:
            r = pipe({"text": text[0], "text_pair": text[1]}) if isinstance(text, tuple) else pipe([text])[0]
            case = {"model": name, "text": text[0] if isinstance(text, tuple) else text, "labels": [[c["label"], c["score"]] for c in r]}
            if isinstance(text, tuple):
                case["pair"] = text[1]
            out["classify"].append(case)

    # tag
    out["tag"] = []
    for name, model, tok in (("bert-tags", BertForTokenClassification(label_config(BertConfig, bert, tags)), wp),
                             ("bert-io", BertForTokenClassification(label_config(BertConfig, bert, {0: "O", 1: "PER", 2: "LOC"})), wp)):
        _, m = save(name, model, tok, 3)
        pipe = pipeline("token-classification", model=m, tokenizer=tok, aggregation_strategy="first")
        for text in TEXTS + [t for t in MORE if t.strip()]:
            out["tag"].append({"model": name, "text": text, "entities": [[e["entity_group"], e["start"], e["end"], float(e["score"])] for e in pipe(text)]})

    # embed: another pooling and no scaling, declared as sentence-transformers does
    from sentence_transformers import SentenceTransformer
    from sentence_transformers import models as st
    folder, _ = save("bert-embed", BertModel(BertConfig(**bert), add_pooling_layer=False), wp, 4)
    word = st.Transformer(folder, max_seq_length=32)
    word.float()
    out["embed"] = []
    for mode in ("mean", "cls", "max"):
        both = SentenceTransformer(modules=[word, st.Pooling(word.get_embedding_dimension() if hasattr(word, "get_embedding_dimension") else word.get_word_embedding_dimension(), pooling_mode=mode)], device="cpu")
        for text in TEXTS[:3] + [" ".join(TEXTS)]:
            out["embed"].append({"model": "bert-embed", "pooling": mode, "text": text, "vector": [round(float(x), 6) for x in both.encode(text)]})

    # models that write: used for what they are asked, not for what they say
    _, m = save("llama-chat", LlamaForCausalLM(LlamaConfig(vocab_size=len(cb), hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3,
         num_key_value_heads=1, max_position_embeddings=96, bos_token_id=0, eos_token_id=1, tie_word_embeddings=True)), cb, 5, 1.5)
    text = "\n".join(TEXTS)
    ids = cb(text)["input_ids"]
    out["lm"] = {"text": text, "tokens": len(ids), "cases": [dict(window=w, stride=s, **perplexity(m, ids, w, s)) for w, s in
                                                             ((64, 0), (64, 16), (64, 64), (96, 1), (48, -1), (17, 5), (96, 0))]}
    t5 = T5Config(vocab_size=len(ug), d_model=24, d_kv=8, d_ff=40, num_layers=2, num_heads=3, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1,
                  task_specific_params={"summarization": {"prefix": "Summarize this: "}, "translation_en_to_fr": {"prefix": "into French: "}})
    save("t5-text", T5ForConditionalGeneration(t5), ug, 6, 1.5)

    with open(os.path.join(OUT, "tasks.json"), "w") as f:
        json.dump(out, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


main()
