#!/usr/bin/env python3
"""Writes tests/fixtures/command: five tiny models with random weights and real tokenizers, one for each kind of head.

Usage: make_command_fixtures.py OUT   (needs torch, transformers, tokenizers; the seed is fixed)

The command's tests look at documents, streams and exit statuses, not at numbers: any weights will do.
"""
import json, os, sys
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
import transformers as tf

out = sys.argv[1]
TEXT = """A cat sits on the mat. The dog runs in the park. Ada Lovelace lived in London. Once upon a time there was a king.
What is the capital of France? Paris is the capital of France. That is good. Das ist gut. The house is wonderful.
translate English to German: summarize: user assistant system hello world one two three four five""".split("\n")
CHATML = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}"
          "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")

def write(name, model, tokenizer, **config):
    d = os.path.join(out, name)
    os.makedirs(d, exist_ok=True)
    model.eval().save_pretrained(d, safe_serialization=True)
    for extra in ("generation_config.json",):
        if os.path.exists(os.path.join(d, extra)):
            os.remove(os.path.join(d, extra))
    if tokenizer:
        tokenizer.save(os.path.join(d, "tokenizer.json"))
    with open(os.path.join(d, "tokenizer_config.json"), "w") as f:
        json.dump(config, f, indent=1)

def wordpiece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(TEXT, trainers.WordPieceTrainer(vocab_size=160, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    ids = {x: t.token_to_id(x) for x in ("[CLS]", "[SEP]")}
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=list(ids.items()))
    t.decoder = decoders.WordPiece()
    return t

def byte_bpe():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=320, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                                    special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"]))
    return t

def unigram():
    t = Tokenizer(models.Unigram())
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    t.train_from_iterator(TEXT, trainers.UnigramTrainer(vocab_size=120, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>"))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", t.token_to_id("</s>"))])
    return t

torch.manual_seed(1)
wp = wordpiece()
small = dict(vocab_size=wp.get_vocab_size(), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
             max_position_embeddings=32, initializer_range=0.5)
bert = dict(tokenizer_class="BertTokenizer", do_lower_case=True, cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]", pad_token="[PAD]",
            unk_token="[UNK]")
write("bert-mlm", tf.BertForMaskedLM(tf.BertConfig(**small)), wp, **bert)
write("bert-labels", tf.BertForSequenceClassification(tf.BertConfig(**small, id2label={0: "negative", 1: "neutral", 2: "positive"},
      label2id={"negative": 0, "neutral": 1, "positive": 2})), wp, **bert)
tags = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
write("bert-tags", tf.BertForTokenClassification(tf.BertConfig(**small, id2label=dict(enumerate(tags)), label2id={t: i for i, t in enumerate(tags)})), wp, **bert)
bpe = byte_bpe()
end = bpe.token_to_id("<|im_end|>")
write("llama-chat", tf.LlamaForCausalLM(tf.LlamaConfig(vocab_size=bpe.get_vocab_size(), hidden_size=16, num_hidden_layers=2, num_attention_heads=4,
      num_key_value_heads=2, intermediate_size=32, max_position_embeddings=256, initializer_range=0.5, bos_token_id=0, eos_token_id=end, pad_token_id=0)),
      bpe, tokenizer_class="PreTrainedTokenizerFast", eos_token="<|im_end|>", chat_template=CHATML)
uni = unigram()
write("t5", tf.T5ForConditionalGeneration(tf.T5Config(vocab_size=uni.get_vocab_size(), d_model=16, d_kv=8, d_ff=32, num_layers=2, num_decoder_layers=2,
      num_heads=2, decoder_start_token_id=0, eos_token_id=1, pad_token_id=0)), uni, tokenizer_class="T5Tokenizer", eos_token="</s>", pad_token="<pad>", unk_token="<unk>")
