#!/usr/bin/env python3
"""Fixtures of tests/train, from transformers, PyTorch and PEFT.

    python tools/make_train_fixtures.py declared    names and shapes that save_pretrained writes, class by class
    python tools/make_train_fixtures.py adamw       steps of torch.optim.AdamW
    python tools/make_train_fixtures.py muon        steps of torch.optim.Muon
    python tools/make_train_fixtures.py lora        adapters as PEFT saves them, over tests/fixtures/models

Without an argument: all of them. Needs torch, transformers, peft.
"""
import json
import os
import struct
import sys
import tempfile

import torch
import transformers as T

OUT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "fixtures", "train")


def header_of(path):
    with open(path, "rb") as f:
        (n,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(n))
    header.pop("__metadata__", None)
    return {name: t["shape"] for name, t in sorted(header.items())}


def written(cls, config, own_head=False):
    """config.json and the tensors that transformers writes for a class."""
    model = cls(config)
    if own_head:  # transformers 5 ties T5 when it makes one anew; files of v1.1 have a head of their own
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    with tempfile.TemporaryDirectory() as d:
        model.save_pretrained(d)
        with open(os.path.join(d, "config.json")) as f:
            saved = json.load(f)
        tensors = header_of(os.path.join(d, "model.safetensors"))
    if own_head:
        saved["tie_word_embeddings"] = False
    return {"class": cls.__name__, "config": saved, "tensors": tensors}


def declared():
    cases = []
    bert = dict(vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20,
                max_position_embeddings=17, pad_token_id=0)
    labels = dict(id2label={0: "a", 1: "b", 2: "c"}, label2id={"a": 0, "b": 1, "c": 2})
    for tied in (True, False):
        for kind, config in (("Bert", T.BertConfig), ("Roberta", T.RobertaConfig), ("XLMRoberta", T.XLMRobertaConfig),
                             ("Camembert", T.CamembertConfig)):
            for head in ("Model", "ForMaskedLM", "ForPreTraining", "ForSequenceClassification", "ForTokenClassification"):
                if head == "ForPreTraining" and kind != "Bert":
                    continue
                if not tied and head not in ("ForMaskedLM", "ForPreTraining"):
                    continue
                more = labels if "Classification" in head else {}
                cases.append(written(getattr(T, kind + head), config(**bert, **more, tie_word_embeddings=tied)))
        for head in ("Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification"):
            config = T.DistilBertConfig(vocab_size=37, dim=12, n_layers=2, n_heads=3, hidden_dim=20, max_position_embeddings=17,
                                        tie_word_embeddings=tied)
            cases.append(written(getattr(T, "DistilBert" + head), config))
        for head in ("Model", "LMHeadModel"):
            config = T.GPT2Config(vocab_size=37, n_embd=12, n_layer=2, n_head=3, n_positions=17, n_inner=None if tied else 20,
                                  bos_token_id=1, eos_token_id=1, tie_word_embeddings=tied)
            cases.append(written(getattr(T, "GPT2" + head), config))
        wide = dict(vocab_size=37, hidden_size=12, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=1,
                    intermediate_size=20, tie_word_embeddings=tied)
        for kind in ("Llama", "Mistral", "Qwen2", "Qwen3"):
            for head in ("Model", "ForCausalLM"):
                more = dict(attention_bias=True, mlp_bias=True) if kind == "Llama" and not tied else {}
                if kind == "Qwen3":
                    more = dict(head_dim=4)
                cases.append(written(getattr(T, kind + head), getattr(T, kind + "Config")(**wide, **more)))
        t5 = dict(vocab_size=37, d_model=12, d_kv=5, d_ff=20, num_layers=2, num_decoder_layers=3, num_heads=3)
        for kind in ("T5", "MT5", "UMT5"):
            for head in ("Model", "ForConditionalGeneration", "EncoderModel"):
                if not tied and head != "ForConditionalGeneration":
                    continue
                config = getattr(T, kind + "Config")(**t5, feed_forward_proj="relu" if tied else "gated-gelu")
                cases.append(written(getattr(T, kind + head), config, own_head=not tied))
    # Published totals (shared weights once), each computed by transformers from the configuration alone.
    bert_base = dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072)
    bert_large = dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)
    llama3 = dict(vocab_size=128256, rope_theta=500000.0, num_key_value_heads=8, max_position_embeddings=8192)
    published = [
        ("bert-base-uncased", T.BertModel, T.BertConfig(**bert_base, vocab_size=30522)),
        ("bert-base-uncased, masked language model", T.BertForMaskedLM, T.BertConfig(**bert_base, vocab_size=30522)),
        ("bert-base-cased", T.BertModel, T.BertConfig(**bert_base, vocab_size=28996)),
        ("bert-large-uncased", T.BertModel, T.BertConfig(**bert_large, vocab_size=30522)),
        ("bert-base-multilingual-cased", T.BertModel, T.BertConfig(**bert_base, vocab_size=119547)),
        ("bert-tiny", T.BertModel, T.BertConfig(hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=512)),
        ("MiniLM-L6-H384", T.BertModel, T.BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12,
                                                     intermediate_size=1536)),
        ("gpt2", T.GPT2LMHeadModel, T.GPT2Config()),
        ("gpt2-medium", T.GPT2LMHeadModel, T.GPT2Config(n_embd=1024, n_layer=24, n_head=16)),
        ("gpt2-xl", T.GPT2LMHeadModel, T.GPT2Config(n_embd=1600, n_layer=48, n_head=25)),
        ("Llama-3-8B", T.LlamaForCausalLM, T.LlamaConfig(**llama3, hidden_size=4096, num_hidden_layers=32, num_attention_heads=32,
                                                         intermediate_size=14336)),
        ("Llama-3-70B", T.LlamaForCausalLM, T.LlamaConfig(**llama3, hidden_size=8192, num_hidden_layers=80, num_attention_heads=64,
                                                          intermediate_size=28672)),
        ("Llama-3.2-1B", T.LlamaForCausalLM, T.LlamaConfig(**llama3, hidden_size=2048, num_hidden_layers=16, num_attention_heads=32,
                                                           intermediate_size=8192, head_dim=64, tie_word_embeddings=True)),
        ("Llama-2-7B", T.LlamaForCausalLM, T.LlamaConfig(vocab_size=32000, hidden_size=4096, num_hidden_layers=32,
                                                         num_attention_heads=32, intermediate_size=11008)),
        ("t5-small", T.T5ForConditionalGeneration, T.T5Config()),
        ("t5-base", T.T5ForConditionalGeneration, T.T5Config(d_model=768, d_ff=3072, num_layers=12, num_heads=12)),
        ("t5-large", T.T5ForConditionalGeneration, T.T5Config(d_model=1024, d_ff=4096, num_layers=24, num_heads=16)),
    ]
    totals = []
    for name, cls, config in published:
        with torch.device("meta"):
            model = cls(config)
        config.architectures = [cls.__name__]
        totals.append({"name": name, "config": json.loads(config.to_json_string()), "parameters": model.num_parameters()})
    # A head of its own (transformers 5 counts it as tied): flan-t5-small's 76,961,152.
    flan = T.T5Config(d_model=512, d_ff=1024, num_layers=8, num_heads=6, feed_forward_proj="gated-gelu")
    flan.architectures = ["T5ForConditionalGeneration"]
    with torch.device("meta"):
        n = T.T5ForConditionalGeneration(flan).num_parameters() + flan.vocab_size * flan.d_model
    totals.append({"name": "flan-t5-small", "config": {**json.loads(flan.to_json_string()), "tie_word_embeddings": False},
                   "parameters": n})
    with open(os.path.join(OUT, "declared.json"), "w") as f:
        json.dump({"transformers": T.__version__, "written": cases, "published": totals}, f, separators=(",", ":"))


def adamw():
    """A matrix that decays and a vector that does not; gradients by a formula that the test has too."""
    matrix, vector = torch.nn.Parameter(torch.empty(5, 7)), torch.nn.Parameter(torch.empty(9))
    places = torch.arange(44, dtype=torch.float64)
    start = torch.sin(places * 0.7) * 0.5
    with torch.no_grad():
        matrix.copy_(start[:35].reshape(5, 7))
        vector.copy_(start[35:])
    optimizer = torch.optim.AdamW([{"params": [matrix], "weight_decay": 0.1}, {"params": [vector], "weight_decay": 0.0}], lr=1e-2,
                                  betas=(0.9, 0.98), eps=1e-6)
    steps = []
    for step in range(1, 9):
        grads = (torch.cos(places * 0.3 + step) * 0.01 * step).float()
        matrix.grad, vector.grad = grads[:35].reshape(5, 7), grads[35:].clone()
        norm = float(torch.nn.utils.clip_grad_norm_([matrix, vector], 0.2))
        optimizer.step()
        steps.append({"norm": norm, "values": [float(x) for x in torch.cat([matrix.detach().flatten(), vector.detach()])]})
    with open(os.path.join(OUT, "adamw.json"), "w") as f:
        json.dump(steps, f)


def muon():
    """A wide matrix and a tall one; gradients by a formula that the test has too."""
    wide, tall = torch.nn.Parameter(torch.empty(6, 20)), torch.nn.Parameter(torch.empty(18, 5))
    places = torch.arange(210, dtype=torch.float64)
    start = torch.sin(places * 0.7) * 0.5
    with torch.no_grad():
        wide.copy_(start[:120].reshape(6, 20))
        tall.copy_(start[120:].reshape(18, 5))
    optimizer = torch.optim.Muon([wide, tall], lr=1e-2, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    steps = []
    for step in range(1, 5):
        grads = (torch.cos(places * places * 0.3 + step) * 0.01 * step).float()
        wide.grad, tall.grad = grads[:120].reshape(6, 20).clone(), grads[120:].reshape(18, 5).clone()
        optimizer.step()
        steps.append([float(x) for x in torch.cat([wide.detach().flatten(), tall.detach().flatten()])])
    with open(os.path.join(OUT, "muon.json"), "w") as f:
        json.dump(steps, f)


def lora():
    import peft
    models = os.path.join(os.path.dirname(OUT), "models")
    ids = [3, 9, 4, 7, 5]
    cases = [
        ("lora-bert-classify", "bert-classify", T.AutoModelForSequenceClassification, "SEQ_CLS",
         ["query", "value", "attention.output.dense", "intermediate.dense"], {}),
        ("lora-gpt2", "gpt2", T.AutoModelForCausalLM, "CAUSAL_LM", ["c_attn", "c_proj", "c_fc"], {"fan_in_fan_out": True}),
        ("lora-llama3", "llama3", T.AutoModelForCausalLM, "CAUSAL_LM", ["q_proj", "v_proj", "down_proj"], {"use_rslora": True}),
        ("lora-t5", "t5-v1.1", T.AutoModelForSeq2SeqLM, "SEQ_2_SEQ_LM", ["q", "v", "wo"], {}),
    ]
    for name, base, cls, task, targets, more in cases:
        model = cls.from_pretrained(os.path.join(models, base), dtype=torch.float32)
        model = peft.get_peft_model(model, peft.LoraConfig(r=2, lora_alpha=3, task_type=task, target_modules=targets, **more))
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.requires_grad:
                    parameter.copy_(torch.randn_like(parameter) * 0.2)
        model.eval()
        x = torch.tensor([ids])
        with torch.no_grad():
            logits = (model(input_ids=x, decoder_input_ids=x) if task == "SEQ_2_SEQ_LM" else model(input_ids=x)).logits
        out = os.path.join(OUT, name)
        model.save_pretrained(out)
        os.remove(os.path.join(out, "README.md"))
        path = os.path.join(out, "adapter_config.json")  # no path of a machine
        with open(path) as f:
            config = json.load(f)
        config["base_model_name_or_path"] = base
        config["target_modules"] = sorted(config["target_modules"])
        with open(path, "w") as f:
            json.dump(config, f, indent=2)
        with open(os.path.join(out, "expected.json"), "w") as f:
            json.dump({"base": base, "ids": ids, "logits": [float(v) for v in logits.flatten()]}, f)


def main():
    os.makedirs(OUT, exist_ok=True)
    torch.manual_seed(20260715)
    makers = {"declared": declared, "adamw": adamw, "muon": muon, "lora": lora}
    for name in sys.argv[1:] or makers:
        makers[name]()


main()
