#!/usr/bin/env python3
"""Tiny random models and the texts transformers generates with them: tests/fixtures/generate.

Usage: make_generate_fixtures.py [OUT_DIR]

Each folder holds config.json, model.safetensors and cases.json: a list of {"prompt", "beams", "max_new", "length_penalty",
"ignore_eos", "ids", "score", "ended"}; ids are new tokens without the end token, score is transformers' sequences_scores (greedy:
the sum of the log probabilities). Models are drawn so that the end token comes now and then; llama has two end tokens, named
in generation_config.json only. Needs torch, transformers 5, safetensors."""
import json, os, random, shutil, sys

import torch
import transformers as tf
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
VOCAB = 67


@torch.no_grad()
def randomise(model, seed):
    g = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        x = torch.randn(p.shape, generator=g)
        if p.dim() == 1:
            x = 1 + 0.1 * x if name.endswith("weight") else 0.1 * x
        elif "embed" in name or "wte" in name or "wpe" in name or "shared" in name:
            x = 0.6 * x
        elif "lm_head" in name:
            x = 0.25 * x
        else:
            x = 1.2 * x / p.shape[-1] ** 0.5
        p.copy_(x)


def save(model, d):
    shutil.rmtree(d, ignore_errors=True)
    os.makedirs(d)
    seen, tensors = set(), {}
    for name, t in model.state_dict().items():
        if t.is_floating_point() and t.data_ptr() not in seen:
            seen.add(t.data_ptr())
            tensors[name] = t.detach().clone().contiguous()
    save_file(tensors, os.path.join(d, "model.safetensors"), metadata={"format": "pt"})
    model.config.architectures = [type(model).__name__]
    c = json.loads(model.config.to_json_string(use_diff=False))
    for key in ("transformers_version", "dtype", "_name_or_path", "chunk_size_feed_forward"):
        c.pop(key, None)
    with open(os.path.join(d, "config.json"), "w") as f:
        json.dump(c, f, indent=1, sort_keys=True)


@torch.no_grad()
def generate(model, prompt, beams, max_new, length_penalty, ends, ignore_eos):
    enc_dec = model.config.is_encoder_decoder
    model.generation_config.eos_token_id = None  # or it would stand in for the None below
    config = tf.GenerationConfig(num_beams=beams, do_sample=False, max_new_tokens=max_new, length_penalty=length_penalty, early_stopping=False,
                                 eos_token_id=None if ignore_eos else list(ends), pad_token_id=0, use_cache=True, output_scores=True,
                                 return_dict_in_generate=True, output_logits=True, decoder_start_token_id=0 if enc_dec else None)
    ids = torch.tensor([prompt])
    out = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
    new = out.sequences[0, 1 if enc_dec else len(prompt):].tolist()
    if beams > 1:
        score = float(out.sequences_scores[0])
    else:
        score = sum(float(torch.log_softmax(l[0].double(), -1)[t]) for l, t in zip(out.logits, new))
    ended = False
    if not ignore_eos:
        for i, t in enumerate(new):
            if t in ends:
                new, ended = new[:i], True
                break
    return {"prompt": prompt, "beams": beams, "max_new": max_new, "length_penalty": length_penalty, "ignore_eos": ignore_eos, "ids": new,
            "score": score, "ended": ended}


def make(out, name, build, ends, flat, boost, generation_config=None):
    """Tries seeds until texts end at all sorts of places; `flat` and `boost` scale the output layer and its end tokens' rows."""
    d = os.path.join(out, name)
    for seed in range(1, 100):
        torch.manual_seed(seed)
        model = build()
        model.eval()
        randomise(model, seed)
        rows = model.get_output_embeddings().weight.data
        rows *= flat
        for end in ends:
            rows[end] *= boost
        rng, cases = random.Random(seed), []
        for i in range(36):
            prompt = [rng.randrange(3, VOCAB) for _ in range(rng.choice([1, 2, 5, 9, 70]))]
            cases.append(generate(model, prompt, [1, 2, 3, 4, 7][i % 5], rng.choice([1, 3, 12, 20]), rng.choice([1.0, 1.0, 0.5, 2.0, -1.0]),
                                  ends, i % 9 == 8))
        within = sum(c["ended"] and len(c["ids"]) > 0 and c["beams"] > 1 for c in cases)
        ended = sum(c["ended"] for c in cases)
        print(f"{name}, seed {seed}: {len(cases)} cases, {ended} ended, {within} of them by beams and not at once")
        if within >= 6 and ended <= 28:
            break
    save(model, d)
    if generation_config:
        with open(os.path.join(d, "generation_config.json"), "w") as f:
            json.dump(generation_config, f)
    with open(os.path.join(d, "cases.json"), "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "tests", "fixtures", "generate")
    make(out, "gpt2", lambda: tf.GPT2LMHeadModel(tf.GPT2Config(
        vocab_size=VOCAB, n_positions=96, n_embd=20, n_layer=2, n_head=2, bos_token_id=1, eos_token_id=2)), [2], 0.5, 2.5)
    make(out, "llama", lambda: tf.LlamaForCausalLM(tf.LlamaConfig(
        vocab_size=VOCAB, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=128, bos_token_id=1, eos_token_id=2)), [7, 9], 1, 1.7, {"eos_token_id": [7, 9], "bos_token_id": 1})
    make(out, "t5", lambda: tf.T5ForConditionalGeneration(tf.T5Config(
        vocab_size=VOCAB, d_model=24, d_kv=8, d_ff=32, num_layers=2, num_decoder_layers=2, num_heads=3, feed_forward_proj="gated-gelu",
        tie_word_embeddings=False, decoder_start_token_id=0, eos_token_id=1, pad_token_id=0)), [1], 0.6, 2.5)
    torch.manual_seed(1)  # generates nothing: for the tests of sessions
    bert = tf.BertForMaskedLM(tf.BertConfig(vocab_size=VOCAB, hidden_size=20, num_hidden_layers=2, num_attention_heads=2, intermediate_size=28,
                                            max_position_embeddings=48))
    randomise(bert, 1)
    save(bert, os.path.join(out, "bert"))


main()
