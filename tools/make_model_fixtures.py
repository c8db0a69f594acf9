#!/usr/bin/env python3
"""Tiny random checkpoints of every family with what transformers computes from them: tests/fixtures/models.

Usage: make_model_fixtures.py [OUT_DIR]                 the committed fixtures (default: tests/fixtures/models)
       make_model_fixtures.py --sweep N OUT_DIR [SEED]   N random checkpoints of every family, other shapes and lengths 1 to 300

Each folder holds config.json, the weights, and expected.safetensors with, for case I: "I/tokens", "I/types", "I/decoder" (ids),
"I/rows" (rows of the logits that are kept; all when absent), "I/logits", and for short texts "I/hidden.L", "I/attention.L",
"I/cross.L" and the same after "encoder.", as transformers' output_hidden_states and output_attentions give them.
Weights are drawn larger than at the start of training, so that attention is far from uniform and a mistake shows.
Needs torch, transformers 5, safetensors, gguf."""
import json, os, random, shutil, sys

import numpy as np
import torch
import transformers as tf
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file

torch.set_num_threads(2)
HERE = os.path.dirname(os.path.abspath(__file__))


def randomise(model, rng, dtype):
    """Draws every parameter anew, rounded to what `dtype` holds, so that the file and the reference agree exactly."""
    g = torch.Generator().manual_seed(rng.randrange(1 << 30))
    for name, p in model.named_parameters():
        x = torch.randn(p.shape, generator=g)
        if "relative_attention_bias" in name:
            x = 1.5 * x
        elif p.dim() == 1:
            x = 1 + 0.2 * x if ("norm" in name.lower() or "ln_" in name) and name.endswith("weight") else 0.2 * x
        elif "embed" in name or "wte" in name or "wpe" in name or "shared" in name:
            x = 0.7 * x
        else:  # Conv1D keeps [in, out]; near enough
            x = x * 1.3 / p.shape[-1] ** 0.5
            if name.endswith("Attention.q.weight"):  # T5 has the scale of its scores in its weights
                x = x / model.config.d_kv ** 0.5
        p.data.copy_(x.to(dtype).float())


def save_weights(model, d, dtype, rename=lambda n: n, shards=1):
    seen, tensors = set(), {}
    # Of a tensor under several names the embedding's stays, as transformers saves it.
    for name, t in sorted(model.state_dict().items(), key=lambda item: "head" in item[0] or "decoder." in item[0] or "projector" in item[0]):
        if t.data_ptr() in seen or not t.is_floating_point():
            continue
        seen.add(t.data_ptr())
        tensors[rename(name)] = t.detach().to(dtype).contiguous()
    tensors = {k: v for k, v in tensors.items() if k}
    if shards == 1:
        save_file(tensors, os.path.join(d, "model.safetensors"), metadata={"format": "pt"})
        return
    names, index = sorted(tensors), {}
    for s in range(shards):
        part = {n: tensors[n] for n in names[s::shards]}
        file = f"model-{s + 1:05d}-of-{shards:05d}.safetensors"
        save_file(part, os.path.join(d, file), metadata={"format": "pt"})
        index.update({n: file for n in part})
    json.dump({"metadata": {"total_size": sum(t.numel() * t.element_size() for t in tensors.values())}, "weight_map": index},
              open(os.path.join(d, "model.safetensors.index.json"), "w"), indent=1)


def save_config(model, d, edit=None):
    model.config.architectures = [type(model).__name__]
    c = json.loads(model.config.to_json_string(use_diff=False))
    keep = {k: v for k, v in c.items() if k not in ("transformers_version", "dtype", "_name_or_path", "output_hidden_states",
                                                    "output_attentions", "return_dict", "chunk_size_feed_forward")}
    if edit:
        edit(keep)
    json.dump(keep, open(os.path.join(d, "config.json"), "w"), indent=1, sort_keys=True)


def lens(model, h):
    """The logit lens: what the head gives for a layer's state, through the final norm where there is one."""
    if hasattr(model, "cls"):
        return model.cls(h)
    if hasattr(model, "vocab_projector"):
        return model.vocab_projector(model.vocab_layer_norm(model.activation(model.vocab_transform(h))))
    if hasattr(model, "lm_head") and hasattr(model, "decoder"):
        scaled = getattr(model.config, "scale_decoder_outputs", model.config.model_type == "umt5")
        return model.lm_head(model.decoder.final_layer_norm(h) * (model.config.d_model**-0.5 if scaled else 1))
    if hasattr(model, "lm_head") and hasattr(model, "transformer"):
        return model.lm_head(model.transformer.ln_f(h))
    if hasattr(model, "lm_head") and hasattr(model, "model"):
        return model.lm_head(model.model.norm(h))
    return model.lm_head(h) if hasattr(model, "lm_head") else None


@torch.no_grad()
def run(model, case, inside):
    """What transformers computes: {name: array}."""
    ids = torch.tensor([case["tokens"]])
    kw = dict(output_hidden_states=inside, output_attentions=inside)
    out = {}

    def put(prefix, hidden, attention):
        for i, h in enumerate(hidden or ()):
            out[f"{prefix}hidden.{i}"] = h[0]
            logits = lens(model, h) if not prefix and i + 1 < len(hidden) else None
            if logits is not None:
                out[f"lens.{i}"] = logits[0]
        for i, a in enumerate(attention or ()):
            out[f"{prefix}attention.{i}"] = a[0]

    if "decoder" in case:
        r = model(input_ids=ids, decoder_input_ids=torch.tensor([case["decoder"]]), use_cache=False, **kw)
        if inside:
            put("encoder.", r.encoder_hidden_states, r.encoder_attentions)
            put("", r.decoder_hidden_states, r.decoder_attentions)
            for i, a in enumerate(r.cross_attentions):
                out[f"cross.{i}"] = a[0]
        out["logits"] = r.logits[0]
        return out
    if "types" in case:
        kw["token_type_ids"] = torch.tensor([case["types"]])
    r = model(input_ids=ids, **kw)
    if inside:
        put("", r.hidden_states, r.attentions)
    out["logits"] = r.logits[0] if hasattr(r, "logits") and r.logits is not None else r.last_hidden_state[0]
    return out


def write_expected(model, d, cases):
    model.eval()
    tensors = {}
    for i, case in enumerate(cases):
        for key in ("tokens", "types", "decoder"):
            if key in case:
                tensors[f"{i}/{key}"] = np.array(case[key], np.int32)
        out = run(model, case, len(case["tokens"]) <= 12)
        logits = out["logits"]
        n = logits.shape[0]
        if logits.dim() == 2 and n > 12:  # a few rows of a long text
            rows = sorted({0, 1, n // 3, n // 2 + 1, n - 2, n - 1})
            tensors[f"{i}/rows"] = np.array(rows, np.int32)
            out["logits"] = logits[rows]
        for name, t in out.items():
            tensors[f"{i}/{name}"] = np.ascontiguousarray(t.float().numpy())
    save_numpy(tensors, os.path.join(d, "expected.safetensors"))


class Maker:
    def __init__(self, out, seed):
        self.out, self.rng = out, random.Random(seed)

    def ids(self, n, vocab, low=0):
        return [self.rng.randrange(low, vocab) for _ in range(n)]

    def make(self, name, cls, config, lengths=(1, 9, 40), dtype=torch.float32, edit=None, rename=lambda n: n, shards=1, types=0,
             decoder_lengths=None, prepare=None, low=0, twice=False):
        d = os.path.join(self.out, name)
        shutil.rmtree(d, ignore_errors=True)
        os.makedirs(d)
        config._attn_implementation = "eager"
        torch.manual_seed(self.rng.randrange(1 << 30))
        model = cls(config)
        if prepare:
            prepare(model)
        randomise(model, self.rng, dtype)
        save_weights(model, d, dtype, rename, shards)
        save_config(model, d, edit)
        cases = []
        for i, n in enumerate(lengths):
            case = {"tokens": self.ids(n, config.vocab_size, low)}
            if types and i % 2:
                case["types"] = self.ids(n, types)
            if decoder_lengths:
                case["decoder"] = [0] + self.ids(decoder_lengths[i] - 1, config.vocab_size)
            if twice:  # T5ForSequenceClassification: a text ends with the end token, and the decoder reads it once more
                case["tokens"] = [2 if t == config.eos_token_id else t for t in case["tokens"][:-1]] + [config.eos_token_id]
                case["decoder"] = [0] + case["tokens"][:-1]
            cases.append(case)
        write_expected(model, d, cases)
        return model, cases, d


def strip(prefix):
    return lambda n: n[len(prefix):] if n.startswith(prefix) else n


def older_norms(name):
    return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")


def rope_before_5(c):
    """rope_theta and rope_scaling as transformers 4 wrote them."""
    rope = dict(c.pop("rope_parameters"))
    c["rope_theta"] = rope.pop("rope_theta")
    kind = rope.pop("rope_type")
    c["rope_scaling"] = None if kind == "default" else {"type" if kind == "linear" else "rope_type": kind, **rope}


def t5_before_5(tied):
    def edit(c):
        for k in ("scale_decoder_outputs", "dense_act_fn", "is_gated_act"):
            c.pop(k, None)
        if tied:
            c.pop("tie_word_embeddings", None)
        else:
            c["tie_word_embeddings"] = False
    return edit


def own_head(model):
    """An output layer of its own."""
    model.lm_head.weight = torch.nn.Parameter(torch.zeros_like(model.lm_head.weight))


def bert(d=30, heads=5, layers=2, ff=44, vocab=97, positions=64, types=2, act="gelu", **kw):
    return tf.BertConfig(hidden_size=d, num_attention_heads=heads, num_hidden_layers=layers, intermediate_size=ff, vocab_size=vocab,
                         max_position_embeddings=positions, type_vocab_size=types, hidden_act=act, **kw)


def roberta(cls=tf.RobertaConfig, d=24, heads=4, layers=2, ff=33, vocab=83, positions=66, act="gelu", **kw):
    return cls(hidden_size=d, num_attention_heads=heads, num_hidden_layers=layers, intermediate_size=ff, vocab_size=vocab,
               max_position_embeddings=positions, type_vocab_size=1, hidden_act=act, pad_token_id=1, bos_token_id=0, eos_token_id=2, **kw)


def distilbert(d=28, heads=4, layers=2, ff=37, vocab=71, positions=48, act="gelu", **kw):
    return tf.DistilBertConfig(dim=d, n_heads=heads, n_layers=layers, hidden_dim=ff, vocab_size=vocab, max_position_embeddings=positions,
                               activation=act, **kw)


def gpt2(d=28, heads=4, layers=2, vocab=79, positions=310, **kw):
    return tf.GPT2Config(n_embd=d, n_head=heads, n_layer=layers, vocab_size=vocab, n_positions=positions, bos_token_id=1, eos_token_id=2,
                         resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, **kw)


def llama(cls=tf.LlamaConfig, d=24, heads=4, kv=2, layers=2, ff=38, vocab=89, rope=None, positions=512, **kw):
    rope = {"rope_type": "default", "rope_theta": 10000.0, **(rope or {})}
    kw.setdefault("pad_token_id", None)
    return cls(hidden_size=d, num_attention_heads=heads, num_key_value_heads=kv, num_hidden_layers=layers, intermediate_size=ff,
               vocab_size=vocab, max_position_embeddings=positions, rope_parameters=rope, bos_token_id=1, eos_token_id=2, **kw)


def t5(cls=tf.T5Config, d=24, d_kv=6, heads=3, layers=2, decoder_layers=None, ff=30, vocab=77, proj="relu", buckets=32, distance=128, **kw):
    return cls(d_model=d, d_kv=d_kv, num_heads=heads, num_layers=layers, num_decoder_layers=decoder_layers, d_ff=ff, vocab_size=vocab,
               feed_forward_proj=proj, relative_attention_num_buckets=buckets, relative_attention_max_distance=distance, dropout_rate=0.0,
               decoder_start_token_id=0, **kw)


LLAMA3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 64}
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64}


def fixtures(out):
    m, bf16, f16 = Maker(out, 7), torch.bfloat16, torch.float16
    m.make("bert-mlm", tf.BertForMaskedLM, bert(), types=2, rename=older_norms)
    m.make("bert-mlm-own-decoder", tf.BertForMaskedLM, bert(d=24, heads=3, act="gelu_new", tie_word_embeddings=False), dtype=bf16, types=2,
           lengths=(2, 11, 64))
    m.make("bert-classify", tf.BertForSequenceClassification, bert(num_labels=3, act="relu", d=24, heads=2), dtype=bf16, types=2)
    m.make("bert-tags", tf.BertForTokenClassification, bert(num_labels=5, d=24, heads=4), dtype=f16, types=2)
    m.make("bert-plain", tf.BertModel, bert(d=24, heads=3), dtype=bf16, types=2)
    m.make("roberta-mlm", tf.RobertaForMaskedLM, roberta(), lengths=(1, 10, 60))
    m.make("roberta-classify", tf.RobertaForSequenceClassification, roberta(num_labels=4), dtype=bf16)
    m.make("roberta-tags", tf.RobertaForTokenClassification, roberta(num_labels=3), dtype=bf16, rename=strip("-"))
    m.make("xlm-roberta-mlm", tf.XLMRobertaForMaskedLM, roberta(tf.XLMRobertaConfig, act="relu"), dtype=bf16)
    m.make("camembert-plain", tf.CamembertModel, roberta(tf.CamembertConfig), dtype=bf16)
    m.make("distilbert-mlm", tf.DistilBertForMaskedLM, distilbert(), dtype=bf16)
    m.make("distilbert-classify", tf.DistilBertForSequenceClassification, distilbert(num_labels=3, act="relu"), dtype=bf16)
    m.make("distilbert-tags", tf.DistilBertForTokenClassification, distilbert(num_labels=3), dtype=bf16)

    m.make("gpt2", tf.GPT2LMHeadModel, gpt2(), lengths=(1, 8, 300))
    m.make("gpt2-variant", tf.GPT2LMHeadModel,
           gpt2(scale_attn_by_inverse_layer_idx=True, n_inner=37, layers=3, activation_function="relu", tie_word_embeddings=False), dtype=f16,
           rename=strip("transformer."))
    m.make("gpt2-unscaled", tf.GPT2LMHeadModel, gpt2(scale_attn_weights=False, heads=7, d=21), dtype=bf16)
    m.make("llama2", tf.LlamaForCausalLM, llama(kv=4, tie_word_embeddings=True), lengths=(1, 9, 300), shards=3)
    m.make("llama3", tf.LlamaForCausalLM, llama(heads=6, kv=2, d=36, rope=LLAMA3), dtype=bf16, lengths=(2, 12, 300))
    m.make("llama3-before-5", tf.LlamaForCausalLM, llama(heads=6, kv=3, d=36, rope=LLAMA3), dtype=f16, lengths=(1, 70), edit=rope_before_5)
    m.make("llama-linear", tf.LlamaForCausalLM, llama(rope={"rope_type": "linear", "factor": 3.0}), dtype=bf16, edit=rope_before_5)
    m.make("llama-yarn", tf.LlamaForCausalLM, llama(d=40, heads=2, kv=1, rope=YARN), dtype=bf16, lengths=(5, 200))
    m.make("llama-yarn-fields", tf.LlamaForCausalLM,
           llama(d=40, heads=2, kv=1, rope={**YARN, "mscale": 0.9, "mscale_all_dim": 0.5, "beta_fast": 16.0, "beta_slow": 2.0, "truncate": False}),
           dtype=bf16, lengths=(5, 200))
    m.make("llama-biases", tf.LlamaForCausalLM, llama(attention_bias=True, mlp_bias=True, head_dim=10), dtype=bf16)
    m.make("llama-plain", tf.LlamaModel, llama(), dtype=bf16)
    m.make("mistral", tf.MistralForCausalLM, llama(tf.MistralConfig, sliding_window=7), dtype=bf16, lengths=(3, 12, 150))
    m.make("qwen2", tf.Qwen2ForCausalLM, llama(tf.Qwen2Config, tie_word_embeddings=True), dtype=bf16, lengths=(2, 12, 100))
    m.make("qwen2-window", tf.Qwen2ForCausalLM,
           llama(tf.Qwen2Config, layers=3, use_sliding_window=True, sliding_window=5, max_window_layers=1), dtype=bf16, lengths=(12, 80),
           edit=lambda c: (rope_before_5(c), c.pop("layer_types")))
    m.make("qwen3", tf.Qwen3ForCausalLM, llama(tf.Qwen3Config, head_dim=14), dtype=bf16, lengths=(1, 12, 130))

    m.make("t5-v1.0", tf.T5ForConditionalGeneration, t5(), lengths=(1, 9, 200), decoder_lengths=(1, 7, 150))
    m.make("t5-v1.0-before-5", tf.T5ForConditionalGeneration, t5(layers=3, decoder_layers=1), dtype=bf16, lengths=(2, 30), decoder_lengths=(3, 20),
           edit=t5_before_5(True))
    m.make("t5-v1.1", tf.T5ForConditionalGeneration, t5(proj="gated-gelu", d_kv=5, tie_word_embeddings=False), dtype=bf16, lengths=(1, 10, 40),
           decoder_lengths=(2, 6, 300), prepare=own_head)
    m.make("t5-v1.1-shared-unscaled", tf.T5ForConditionalGeneration, t5(proj="gated-gelu", tie_word_embeddings=False), dtype=bf16,
           lengths=(8,), decoder_lengths=(6,))
    m.make("flan-t5-before-5", tf.T5ForConditionalGeneration, t5(proj="gated-gelu", tie_word_embeddings=False, layers=1, decoder_layers=2), dtype=f16,
           lengths=(8, 25), decoder_lengths=(6, 25), edit=t5_before_5(False), prepare=own_head)
    m.make("t5-silu-buckets", tf.T5ForConditionalGeneration, t5(proj="gated-silu", buckets=10, distance=23), dtype=bf16, lengths=(9, 120),
           decoder_lengths=(6, 90))
    m.make("mt5", tf.MT5ForConditionalGeneration, t5(tf.MT5Config, proj="gated-gelu"), dtype=bf16, lengths=(9, 40), decoder_lengths=(6, 30),
           prepare=own_head)
    m.make("umt5", tf.UMT5ForConditionalGeneration, t5(tf.UMT5Config, proj="gated-gelu"), dtype=bf16, lengths=(9, 40), decoder_lengths=(6, 30))
    m.make("t5-encoder", tf.T5EncoderModel, t5(proj="gated-gelu"), dtype=bf16, lengths=(9, 40))
    gguf_llama(m)
    gguf_t5(m)
    labels(m)


def labels(m):
    """Heads of labels on decoders and T5. Ids of the first are drawn from a small vocabulary, so that texts end in padding too."""
    many, bf16 = (1, 9, 40, 5, 6, 7), torch.bfloat16
    m.make("gpt2-classify", tf.GPT2ForSequenceClassification, gpt2(vocab=9, d=24, heads=3, num_labels=3, pad_token_id=4), lengths=many)
    m.make("gpt2-tags", tf.GPT2ForTokenClassification, gpt2(d=24, heads=3, num_labels=5), dtype=bf16)
    m.make("llama-classify", tf.LlamaForSequenceClassification, llama(vocab=9, num_labels=4, pad_token_id=0), lengths=many, dtype=bf16)
    m.make("qwen3-tags", tf.Qwen3ForTokenClassification, llama(tf.Qwen3Config, head_dim=14, num_labels=3), dtype=bf16)
    m.make("t5-classify", tf.T5ForSequenceClassification, t5(num_labels=3), twice=True)
    m.make("umt5-tags", tf.UMT5ForTokenClassification, t5(tf.UMT5Config, proj="gated-gelu", num_labels=5), dtype=bf16)


# ------------------------------------------------------------------------------------------------------------- GGUF

def gguf_write(d, arch, fields, tensors, kinds):
    """tensors: {gguf name: f32 array}; kinds(name): a gguf.GGMLQuantizationType. Returns what the file holds, as f32."""
    import gguf
    w, held = gguf.GGUFWriter(os.path.join(d, "model.gguf"), arch), {}
    for key, value in fields.items():
        (w.add_float32 if isinstance(value, float) else w.add_bool if isinstance(value, bool) else w.add_uint32)(f"{arch}.{key}", value)
    for name, x in tensors.items():
        kind = kinds(name) if x.ndim == 2 else gguf.GGMLQuantizationType.F32
        data = gguf.quants.quantize(x, kind)
        held[name] = gguf.quants.dequantize(data, kind).reshape(x.shape)
        w.add_tensor(name, data, raw_dtype=kind)
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
    return held


def gguf_model(m, name, cls, config, names, kinds, arch, fields, lengths, decoder_lengths=None, turn=lambda n, x: x, back=lambda n, x: x,
               extra=None):
    """A checkpoint as GGUF: `names` maps its tensors' names, `turn` changes the content as converters do, `back` undoes it."""
    d = os.path.join(m.out, name)
    shutil.rmtree(d, ignore_errors=True)
    os.makedirs(d)
    config._attn_implementation = "eager"
    model = cls(config)
    randomise(model, m.rng, torch.float32)
    state = {k: v for k, v in model.state_dict().items() if names(k)}
    tensors = {names(k): np.ascontiguousarray(turn(k, v.numpy().copy())) for k, v in state.items()}
    tensors.update(extra or {})
    held = gguf_write(d, arch, fields, tensors, kinds)
    for k, v in state.items():
        v.copy_(torch.from_numpy(np.ascontiguousarray(back(k, held[names(k)]))))
    cases = []
    for i, n in enumerate(lengths):
        case = {"tokens": m.ids(n, config.vocab_size)}
        if decoder_lengths:
            case["decoder"] = [0] + m.ids(decoder_lengths[i] - 1, config.vocab_size)
        cases.append(case)
    os.makedirs(d, exist_ok=True)
    write_expected(model, d, cases)
    open(os.path.join(d, "config.json"), "w").write("{}")  # for the reader of expected.safetensors


def gguf_llama(m):
    import gguf
    Q = gguf.GGMLQuantizationType
    heads, kv = 4, 2
    config = llama(d=64, heads=heads, kv=kv, ff=96, vocab=64, layers=2, rope=LLAMA3, tie_word_embeddings=True)
    plain = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    part = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
            "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
            "mlp.down_proj": "ffn_down"}

    def names(k):
        if k in plain:
            return plain[k]
        if k.startswith("model.layers."):
            n, rest = k[len("model.layers."):].split(".", 1)
            return f"blk.{n}.{part[rest[:-len('.weight')]]}.weight"
        return None

    def permute(k, x):  # pairs (i, i + n/2) become (2i, 2i + 1), as convert_hf_to_gguf.py does for Llama
        n = heads if "q_proj" in k else kv if "k_proj" in k else 0
        return x.reshape(n, 2, x.shape[0] // n // 2, x.shape[1]).swapaxes(1, 2).reshape(x.shape) if n else x

    def unpermute(k, x):
        n = heads if "q_proj" in k else kv if "k_proj" in k else 0
        return x.reshape(n, x.shape[0] // n // 2, 2, x.shape[1]).swapaxes(1, 2).reshape(x.shape) if n else x

    # Llama 3's scaling as the factors that GGUF stores.
    half = config.head_dim // 2
    base = 1.0 / (500000.0 ** (np.arange(0, config.head_dim, 2) / config.head_dim))
    scaled, _ = tf.modeling_rope_utils.ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    factors = (base / scaled.double().numpy()).astype(np.float32)[:half]
    kinds = {"token_embd": Q.Q8_0, "attn_q": Q.Q4_0, "attn_k": Q.F16, "attn_v": Q.Q5_1, "attn_output": Q.Q5_0, "ffn_gate": Q.Q4_1, "ffn_up": Q.BF16}
    fields = {"block_count": 2, "context_length": 512, "embedding_length": 64, "feed_forward_length": 96, "attention.head_count": heads,
              "attention.head_count_kv": kv, "attention.layer_norm_rms_epsilon": 1e-6, "rope.freq_base": 500000.0, "vocab_size": 64,
              "rope.dimension_count": config.head_dim}
    gguf_model(m, "gguf-llama", tf.LlamaForCausalLM, config, names, lambda n: kinds.get(n.split(".")[-2], Q.F32), "llama", fields, (1, 9, 120),
               turn=permute, back=unpermute, extra={"rope_freqs.weight": factors})


def gguf_t5(m):
    import gguf
    Q = gguf.GGMLQuantizationType
    config = t5(d=32, d_kv=8, heads=4, ff=64, proj="gated-gelu", vocab=64)
    side = {"SelfAttention.q": "attn_q", "SelfAttention.k": "attn_k", "SelfAttention.v": "attn_v", "SelfAttention.o": "attn_o",
            "SelfAttention.relative_attention_bias": "attn_rel_b", "EncDecAttention.q": "cross_attn_q", "EncDecAttention.k": "cross_attn_k",
            "EncDecAttention.v": "cross_attn_v", "EncDecAttention.o": "cross_attn_o", "DenseReluDense.wi_0": "ffn_gate",
            "DenseReluDense.wi_1": "ffn_up", "DenseReluDense.wo": "ffn_down"}

    def names(k):
        if k == "shared.weight":
            return "token_embd.weight"
        stack, rest = k.split(".", 1)
        if stack not in ("encoder", "decoder") or "embed_tokens" in k:
            return None
        if rest == "final_layer_norm.weight":
            return f"{stack[:3]}.output_norm.weight"
        _, n, _, sub, what = rest.split(".", 4)
        what = what[:-len(".weight")]
        if what == "layer_norm":
            what = ("attn_norm", "ffn_norm")[int(sub)] if stack == "encoder" else ("attn_norm", "cross_attn_norm", "ffn_norm")[int(sub)]
        else:
            what = side[what]
        return f"{stack[:3]}.blk.{n}.{what}.weight"

    fields = {"block_count": 2, "context_length": 512, "embedding_length": 32, "feed_forward_length": 64, "attention.head_count": 4,
              "attention.key_length": 8, "attention.value_length": 8, "attention.layer_norm_epsilon": 1e-6, "attention.layer_norm_rms_epsilon": 1e-6,
              "attention.relative_buckets_count": 32, "decoder_start_token_id": 0}
    gguf_model(m, "gguf-t5", tf.T5ForConditionalGeneration, config, names, lambda n: Q.F32 if "rel_b" in n else Q.F16, "t5", fields, (9, 40), (6, 30))


# ------------------------------------------------------------------------------------------------------------ sweep

def sweep(out, rounds, seed):
    m = Maker(out, seed)
    r = m.rng
    for i in range(rounds):
        dt = lambda: r.choice([torch.float32, torch.float32, torch.bfloat16, torch.float16])
        act = lambda: r.choice(["gelu", "gelu_new", "relu", "silu", "gelu_pytorch_tanh"])
        heads = r.choice([1, 2, 3, 5, 7, 8])
        dh = r.randrange(1, 40)
        lengths = (r.randrange(1, 13), r.randrange(1, 301), r.randrange(1, 301), 300, 1)
        vocab, ff, layers = r.randrange(30, 700), r.randrange(3, 300), r.randrange(1, 5)
        e = dict(d=heads * dh, heads=heads, layers=layers, ff=ff, vocab=vocab, positions=310)
        kw = dict(lengths=lengths)
        m.make(f"bert-mlm-{i}", tf.BertForMaskedLM, bert(**e, act=act(), types=r.randrange(1, 4), tie_word_embeddings=r.random() < .5), dtype=dt(), types=1, **kw)
        m.make(f"bert-classify-{i}", tf.BertForSequenceClassification, bert(**e, act=act(), num_labels=r.randrange(1, 20)), dtype=dt(), types=2, **kw)
        m.make(f"bert-tags-{i}", tf.BertForTokenClassification, bert(**e, act=act(), num_labels=r.randrange(1, 20)), dtype=dt(), types=2, **kw)
        m.make(f"roberta-mlm-{i}", tf.RobertaForMaskedLM, roberta(**e, act=act()), dtype=dt(), **kw)
        m.make(f"roberta-classify-{i}", tf.RobertaForSequenceClassification, roberta(**e, act=act(), num_labels=3), dtype=dt(), **kw)
        m.make(f"distilbert-mlm-{i}", tf.DistilBertForMaskedLM, distilbert(**e, act=r.choice(["gelu", "relu"])), dtype=dt(), **kw)
        m.make(f"distilbert-classify-{i}", tf.DistilBertForSequenceClassification, distilbert(**e, num_labels=5), dtype=dt(), **kw)
        m.make(f"gpt2-{i}", tf.GPT2LMHeadModel,
               gpt2(d=heads * dh, heads=heads, layers=layers, vocab=vocab, n_inner=r.choice([None, ff]), activation_function=act(),
                    scale_attn_by_inverse_layer_idx=r.random() < .3, tie_word_embeddings=r.random() < .7), dtype=dt(), **kw)
        kv = r.choice([1, 2, 3])
        heads, dh = kv * r.choice([1, 2, 3, 4]), 2 * r.randrange(1, 30)
        l = dict(d=heads * dh, heads=heads, kv=kv, layers=layers, ff=ff, vocab=vocab)
        ropes = [{}, {"rope_theta": 500000.0}, LLAMA3, YARN, {"rope_type": "linear", "factor": 2.5}, {**YARN, "truncate": False, "beta_fast": 20.0}]
        edit = lambda: r.choice([None, rope_before_5])
        for j in range(3):
            m.make(f"llama-{i}-{j}", tf.LlamaForCausalLM,
                   llama(**l, rope=r.choice(ropes), tie_word_embeddings=r.random() < .5, attention_bias=r.random() < .3, mlp_bias=r.random() < .3,
                         head_dim=r.choice([None, 2 * r.randrange(1, 40)])), dtype=dt(), edit=edit(), shards=r.choice([1, 1, 2]), **kw)
        m.make(f"mistral-{i}", tf.MistralForCausalLM, llama(tf.MistralConfig, **l, sliding_window=r.choice([None, 1, 4, 64, 65, 100])), dtype=dt(),
               edit=edit(), **kw)
        m.make(f"qwen2-{i}", tf.Qwen2ForCausalLM,
               llama(tf.Qwen2Config, **l, use_sliding_window=r.random() < .5, sliding_window=r.randrange(1, 80), max_window_layers=r.randrange(3),
                     tie_word_embeddings=r.random() < .5), dtype=dt(), edit=edit(), **kw)
        m.make(f"qwen3-{i}", tf.Qwen3ForCausalLM, llama(tf.Qwen3Config, **l, head_dim=2 * r.randrange(1, 50), attention_bias=r.random() < .3),
               dtype=dt(), edit=edit(), **kw)
        for j, (cls, model) in enumerate([(tf.T5Config, tf.T5ForConditionalGeneration)] * 3 +
                                         [(tf.MT5Config, tf.MT5ForConditionalGeneration), (tf.UMT5Config, tf.UMT5ForConditionalGeneration)]):
            tied = r.random() < .5
            m.make(f"t5-{i}-{j}", model,
                   t5(cls, d=r.randrange(4, 150), d_kv=r.randrange(1, 50), heads=r.randrange(1, 8), layers=layers, decoder_layers=r.randrange(1, 4),
                      ff=ff, vocab=vocab, proj=r.choice(["relu", "gated-gelu", "gated-silu", "gated-relu", "silu"]), buckets=2 * r.randrange(2, 30),
                      distance=r.randrange(60, 200), tie_word_embeddings=tied), dtype=dt(),
                   decoder_lengths=[r.randrange(1, 301) for _ in lengths], edit=t5_before_5(tied) if cls is tf.T5Config and r.random() < .5 else None,
                   prepare=own_head if not tied else None, **kw)


if __name__ == "__main__":
    tf.logging.set_verbosity_error()
    if len(sys.argv) > 3 and sys.argv[1] == "--sweep":
        sweep(sys.argv[3], int(sys.argv[2]), int(sys.argv[4]) if len(sys.argv) > 4 else 1)
    else:
        fixtures(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "..", "tests", "fixtures", "models"))
