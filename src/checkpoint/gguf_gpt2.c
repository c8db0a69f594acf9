/* gguf_gpt2.c - GPT-2 in GGUF. Hugging Face's Conv1D keeps its matrices [in, out]; GGUF has them [out, in] like all others. */
#include "checkpoint/gguf_architecture.h"

static const trine_gguf_name names[] = {
    { "token_embd", "transformer.wte", 0 },
    { "position_embd", "transformer.wpe", 0 },
    { "output_norm", "transformer.ln_f", 0 },
    { "output", "lm_head", 0 },
    { "blk.*.attn_norm", "transformer.h.*.ln_1", 0 },
    { "blk.*.attn_qkv", "transformer.h.*.attn.c_attn", 0 },
    { "blk.*.attn_output", "transformer.h.*.attn.c_proj", 0 },
    { "blk.*.ffn_norm", "transformer.h.*.ln_2", 0 },
    { "blk.*.ffn_up", "transformer.h.*.mlp.c_fc", 0 },
    { "blk.*.ffn_down", "transformer.h.*.mlp.c_proj", 0 },
    { NULL, NULL, 0 },
};

static const trine_gguf_field fields[] = {
    { ".embedding_length", "n_embd", TRINE_FIELD_INT, true },
    { ".block_count", "n_layer", TRINE_FIELD_INT, true },
    { ".feed_forward_length", "n_inner", TRINE_FIELD_INT, false },
    { ".attention.head_count", "n_head", TRINE_FIELD_INT, true },
    { ".context_length", "n_positions", TRINE_FIELD_INT, true },
    { ".vocab_size", "vocab_size", TRINE_FIELD_INT, false },
    { ".attention.layer_norm_epsilon", "layer_norm_epsilon", TRINE_FIELD_FLOAT, true },
    { NULL, NULL, TRINE_FIELD_INT, false },
};

static trine_status to_config(trine_json_builder *config, const trine_gguf *g, trine_error *err)
{
    (void)err;
    trine_json_put(config, "activation_function", json_string("gelu_new"));
    trine_json_put(config, "tie_word_embeddings", json_boolean(!trine_gguf_has_tensor(g, "output.weight")));
    return TRINE_OK;
}

static void to_gguf(trine_gguf_head *h, const json_t *config)
{
    if (!trine_config_value(config, NULL, "n_inner"))
        trine_gguf_put_u32(h, ".feed_forward_length", (uint32_t)(4 * trine_config_whole(config, "n_embd", 0)));
}

const trine_gguf_architecture trine_gguf_gpt2 = {
    .gguf = "gpt2",
    .model_type = "gpt2",
    .class_name = "GPT2LMHeadModel",
    .prefix = "transformer.",
    .names = names,
    .fields = fields,
    .conv1d_transposed = true,
    .to_config = to_config,
    .to_gguf = to_gguf,
};
