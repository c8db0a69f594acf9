#!/usr/bin/env python3
"""Seeds for the fuzz targets of checkpoints: tests/fuzz/corpus/{safetensors,gguf,index,config}/. Needs the `gguf` package."""
import json, pathlib, struct
import numpy as np
import gguf

root = pathlib.Path(__file__).resolve().parent.parent / "tests/fuzz/corpus"

def put(folder, name, data):
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / folder / name).write_bytes(data)

def safetensors(header, data):
    h = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(h)) + h + data

T = lambda dtype, shape, a, b: {"dtype": dtype, "shape": shape, "data_offsets": [a, b]}
put("safetensors", "two", safetensors({"__metadata__": {"format": "pt"}, "a": T("F32", [2, 2], 0, 16), "b": T("BF16", [3], 16, 22)}, bytes(22)))
put("safetensors", "types", safetensors({"s": T("I64", [], 0, 8), "e": T("F16", [0, 4], 8, 8), "q": T("U8", [1, 2, 1, 2], 8, 12), "t": T("BOOL", [1], 12, 13)}, bytes(13)))
put("safetensors", "empty", safetensors({}, b""))
put("safetensors", "hole", safetensors({"a": T("F32", [1], 4, 8)}, bytes(8)))
put("safetensors", "cut", safetensors({"a": T("F32", [1], 0, 4)}, bytes(2)))

put("index", "one", json.dumps({"metadata": {"total_size": 12}, "weight_map": {"a": "one.safetensors", "b": "one.safetensors"}}).encode())
put("index", "path", json.dumps({"weight_map": {"a": "../one.safetensors"}}).encode())
put("index", "missing", json.dumps({"weight_map": {"a": "two.safetensors", "c": "one.safetensors"}}).encode())

common = {"hidden_act": "gelu", "vocab_size": 8, "bos_token_id": 1, "eos_token_id": [2, 3], "pad_token_id": 0}
bert = {"model_type": "bert", "hidden_size": 4, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 8, "max_position_embeddings": 6,
        "type_vocab_size": 2, "layer_norm_eps": 1e-12, **common}
configs = {
    "bert": bert | {"architectures": ["BertModel"]},
    "labels": bert | {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "a", "1": "b", "2": "c"}},
    "tags": bert | {"architectures": ["BertForTokenClassification"]},
    "gpt2": {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 4, "n_head": 2, "n_layer": 1, "n_positions": 6, "vocab_size": 8,
             "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5},
    "llama": {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 4, "num_attention_heads": 2, "num_key_value_heads": 2,
              "num_hidden_layers": 1, "intermediate_size": 8, "max_position_embeddings": 16, "rms_norm_eps": 1e-5, **common, "hidden_act": "silu",
              "tie_word_embeddings": True, "rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0,
                                                               "high_freq_factor": 4.0, "original_max_position_embeddings": 8}},
    "yarn": {"model_type": "mistral", "hidden_size": 4, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 8, "vocab_size": 8,
             "max_position_embeddings": 16, "sliding_window": 4, "hidden_act": "silu", "rms_norm_eps": 1e-5, "tie_word_embeddings": True,
             "rope_scaling": {"type": "yarn", "factor": 2.0, "original_max_position_embeddings": 8}},
    "t5": {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "d_model": 4, "d_ff": 8, "d_kv": 2, "num_heads": 2, "num_layers": 1,
           "num_decoder_layers": 1, "relative_attention_num_buckets": 8, "relative_attention_max_distance": 16, "vocab_size": 8, "feed_forward_proj": "relu",
           "layer_norm_epsilon": 1e-6, "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1},
}
for name, c in configs.items():
    put("config", name, json.dumps(c).encode())
modules = [{"idx": i, "name": str(i), "path": p, "type": "sentence_transformers.models." + t}
           for i, (p, t) in enumerate([("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")])]
put("config", "modules", b"\0".join(json.dumps(x).encode() for x in (configs["bert"], modules, {"word_embedding_dimension": 4, "pooling_mode_cls_token": True},
                                                                     {"eos_token_id": [3, 4], "decoder_start_token_id": 0})))

def write_gguf(name, arch, fields, tensors, tokenizer):
    path = root / "gguf" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    w = gguf.GGUFWriter(path, arch)
    for key, value in fields.items():
        (w.add_float32 if isinstance(value, float) else w.add_uint32)(f"{arch}.{key}", value)
    if tokenizer == "llama":
        w.add_tokenizer_model("llama"); w.add_tokenizer_pre("default")
        w.add_token_list(["<unk>", "<s>", "</s>", "\u2581", "a", "b", "ab", "<0x41>"]); w.add_token_scores([0., 0., 0., -1., -2., -3., -1., 0.])
        w.add_token_types([2, 3, 3, 1, 1, 1, 1, 6]); w.add_bos_token_id(1); w.add_eos_token_id(2); w.add_chat_template("{{ messages[0].content }}")
    if tokenizer == "gpt2":
        w.add_tokenizer_model("gpt2"); w.add_tokenizer_pre("gpt-2")
        w.add_token_list(["a", "b", "\u0120", "ab", "<|endoftext|>"]); w.add_token_types([1, 1, 1, 1, 3]); w.add_token_merges(["a b"]); w.add_eos_token_id(4)
    if tokenizer == "bert":
        w.add_tokenizer_model("bert"); w.add_token_list(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "\u2581a", "b"]); w.add_token_types([3, 3, 3, 3, 3, 1, 1])
    if tokenizer == "t5":
        w.add_tokenizer_model("t5"); w.add_token_list(["<pad>", "</s>", "<unk>", "\u2581", "a", "\u2581a"]); w.add_token_scores([0., 0., 0., -2., -3., -1.])
        w.add_token_types([3, 3, 2, 1, 1, 1]); w.add_remove_extra_whitespaces(True); w.add_precompiled_charsmap(bytes(8))
    if tokenizer == "texts":
        w.add_string("tokenizer.huggingface.json", json.dumps({"version": "1.0", "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "a": 1}}}))
        w.add_string("trine.tokenizer_config", json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"}))
        w.add_string("trine.config", json.dumps({"model_type": "roberta", "pad_token_id": 1}))
        w.add_array("trine.position_pad", [0.5, 1.5, 2.5, 3.5])
    for t, data in tensors.items():
        if data.dtype == np.uint8: w.add_tensor(t, data, raw_dtype=gguf.GGMLQuantizationType.Q4_0)
        else: w.add_tensor(t, data)
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()

llama = dict(embedding_length=4, block_count=1, feed_forward_length=8, context_length=16)
llama["attention.head_count"] = 2; llama["attention.layer_norm_rms_epsilon"] = 1e-5
z = lambda *s: np.zeros(s, np.float32)
write_gguf("llama", "llama", llama, {"token_embd.weight": z(8, 4), "blk.0.attn_q.weight": z(4, 4), "blk.0.ffn_up.weight": np.zeros((2, 18), np.uint8),
                                     "rope_freqs.weight": z(1)}, "llama")
write_gguf("gpt2", "gpt2", {"embedding_length": 4, "block_count": 1, "context_length": 6, "attention.head_count": 2, "attention.layer_norm_epsilon": 1e-5},
           {"token_embd.weight": z(5, 4).astype(np.float16)}, "gpt2")
write_gguf("bert", "bert", {"embedding_length": 4, "block_count": 1, "feed_forward_length": 8, "context_length": 6, "attention.head_count": 2,
                            "attention.layer_norm_epsilon": 1e-12, "pooling_type": 1}, {"token_embd.weight": z(7, 4)}, "bert")
write_gguf("t5", "t5", {"embedding_length": 4, "block_count": 1, "feed_forward_length": 8, "attention.head_count": 2, "attention.key_length": 2,
                        "attention.relative_buckets_count": 8, "attention.layer_norm_rms_epsilon": 1e-6}, {"enc.blk.0.ffn_up.weight": z(8, 4)}, "t5")
write_gguf("texts", "bert", {}, {"position_embd.weight": z(3, 4), "token_embd.weight": z(7, 4)}, "texts")
