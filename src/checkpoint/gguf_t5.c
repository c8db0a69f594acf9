/* gguf_t5.c - T5, its version 1.1, FLAN-T5, mT5 and UMT5 in GGUF ("t5"), and the encoder alone ("t5encoder"). */
#include <string.h>

#include "checkpoint/gguf_architecture.h"

#define ENCODER                                                                                                                    \
    { "token_embd", "shared", 0 }, { "enc.output_norm", "encoder.final_layer_norm", 0 },                                           \
        { "enc.blk.*.attn_norm", "encoder.block.*.layer.0.layer_norm", 0 },                                                        \
        { "enc.blk.*.attn_q", "encoder.block.*.layer.0.SelfAttention.q", 0 },                                                      \
        { "enc.blk.*.attn_k", "encoder.block.*.layer.0.SelfAttention.k", 0 },                                                      \
        { "enc.blk.*.attn_v", "encoder.block.*.layer.0.SelfAttention.v", 0 },                                                      \
        { "enc.blk.*.attn_o", "encoder.block.*.layer.0.SelfAttention.o", 0 },                                                      \
        { "enc.blk.*.attn_rel_b", "encoder.block.*.layer.0.SelfAttention.relative_attention_bias", 0 },                            \
        { "enc.blk.*.ffn_norm", "encoder.block.*.layer.1.layer_norm", 0 },                                                         \
        { "enc.blk.*.ffn_gate", "encoder.block.*.layer.1.DenseReluDense.wi_0", TRINE_WITH_GATE },                                  \
        { "enc.blk.*.ffn_up", "encoder.block.*.layer.1.DenseReluDense.wi_1", TRINE_WITH_GATE },                                    \
        { "enc.blk.*.ffn_up", "encoder.block.*.layer.1.DenseReluDense.wi", TRINE_WITHOUT_GATE },                                   \
    {                                                                                                                              \
        "enc.blk.*.ffn_down", "encoder.block.*.layer.1.DenseReluDense.wo", 0                                                       \
    }

static const trine_gguf_name names[] = {
    ENCODER,
    { "output", "lm_head", 0 },
    { "dec.output_norm", "decoder.final_layer_norm", 0 },
    { "dec.blk.*.attn_norm", "decoder.block.*.layer.0.layer_norm", 0 },
    { "dec.blk.*.attn_q", "decoder.block.*.layer.0.SelfAttention.q", 0 },
    { "dec.blk.*.attn_k", "decoder.block.*.layer.0.SelfAttention.k", 0 },
    { "dec.blk.*.attn_v", "decoder.block.*.layer.0.SelfAttention.v", 0 },
    { "dec.blk.*.attn_o", "decoder.block.*.layer.0.SelfAttention.o", 0 },
    { "dec.blk.*.attn_rel_b", "decoder.block.*.layer.0.SelfAttention.relative_attention_bias", 0 },
    { "dec.blk.*.cross_attn_norm", "decoder.block.*.layer.1.layer_norm", 0 },
    { "dec.blk.*.cross_attn_q", "decoder.block.*.layer.1.EncDecAttention.q", 0 },
    { "dec.blk.*.cross_attn_k", "decoder.block.*.layer.1.EncDecAttention.k", 0 },
    { "dec.blk.*.cross_attn_v", "decoder.block.*.layer.1.EncDecAttention.v", 0 },
    { "dec.blk.*.cross_attn_o", "decoder.block.*.layer.1.EncDecAttention.o", 0 },
    { "dec.blk.*.cross_attn_rel_b", "decoder.block.*.layer.1.EncDecAttention.relative_attention_bias", 0 },
    { "dec.blk.*.ffn_norm", "decoder.block.*.layer.2.layer_norm", 0 },
    { "dec.blk.*.ffn_gate", "decoder.block.*.layer.2.DenseReluDense.wi_0", TRINE_WITH_GATE },
    { "dec.blk.*.ffn_up", "decoder.block.*.layer.2.DenseReluDense.wi_1", TRINE_WITH_GATE },
    { "dec.blk.*.ffn_up", "decoder.block.*.layer.2.DenseReluDense.wi", TRINE_WITHOUT_GATE },
    { "dec.blk.*.ffn_down", "decoder.block.*.layer.2.DenseReluDense.wo", 0 },
    { NULL, NULL, 0 },
};
static const trine_gguf_name encoder_names[] = { ENCODER, { NULL, NULL, 0 } };

static const trine_gguf_field fields[] = {
    { ".embedding_length", "d_model", TRINE_FIELD_INT, true },
    { ".feed_forward_length", "d_ff", TRINE_FIELD_INT, true },
    { ".block_count", "num_layers", TRINE_FIELD_INT, true },
    { ".decoder_block_count", "num_decoder_layers", TRINE_FIELD_INT, false },
    { ".attention.head_count", "num_heads", TRINE_FIELD_INT, true },
    { ".attention.key_length", "d_kv", TRINE_FIELD_INT, true },
    { ".attention.relative_buckets_count", "relative_attention_num_buckets", TRINE_FIELD_INT, true },
    { ".attention.layer_norm_rms_epsilon", "layer_norm_epsilon", TRINE_FIELD_FLOAT, true },
    { ".context_length", "n_positions", TRINE_FIELD_INT, false },
    { ".vocab_size", "vocab_size", TRINE_FIELD_INT, false },
    { ".decoder_start_token_id", "decoder_start_token_id", TRINE_FIELD_INT, false },
    { NULL, NULL, TRINE_FIELD_INT, false },
};

static trine_status to_config(trine_json_builder *config, const trine_gguf *g, trine_error *err)
{
    (void)err;
    const bool gated = trine_gguf_has_tensor(g, "enc.blk.0.ffn_gate.weight"), tied = !trine_gguf_has_tensor(g, "output.weight");
    trine_json_put(config, "feed_forward_proj", json_string(gated ? "gated-gelu" : "relu"));
    trine_json_put(config, "tie_word_embeddings", json_boolean(tied));
    trine_json_put(config, "is_encoder_decoder", json_true());
    trine_json_put(config, "relative_attention_max_distance", json_integer(128)); /* GGUF has no key for it */
    if (!json_object_get(config->object, "num_decoder_layers"))
        trine_json_put(config, "num_decoder_layers", json_incref(json_object_get(config->object, "num_layers")));
    if (!json_object_get(config->object, "decoder_start_token_id"))
        trine_json_put(config, "decoder_start_token_id", json_integer(0));
    return TRINE_OK;
}

static void to_gguf(trine_gguf_head *h, const json_t *config)
{
    const json_t *eps = trine_config_value(config, NULL, "layer_norm_epsilon");
    trine_gguf_put_u32(h, ".attention.value_length", (uint32_t)trine_config_whole(config, "d_kv", 0));
    trine_gguf_put_f32(h, ".attention.layer_norm_epsilon", eps ? (float)json_number_value(eps) : 1e-6f);
    if (!trine_config_value(config, NULL, "n_positions")) trine_gguf_put_u32(h, ".context_length", 512);
}

#define T5 .prefix = "", .fields = fields, .to_config = to_config, .to_gguf = to_gguf
const trine_gguf_architecture trine_gguf_t5 = {
    .gguf = "t5", .model_type = "t5", .class_name = "T5ForConditionalGeneration", .names = names, T5
};
const trine_gguf_architecture trine_gguf_mt5 = {
    .gguf = "t5", .model_type = "mt5", .class_name = "MT5ForConditionalGeneration", .names = names, T5
};
const trine_gguf_architecture trine_gguf_umt5 = {
    .gguf = "t5", .model_type = "umt5", .class_name = "UMT5ForConditionalGeneration", .names = names, T5
};
const trine_gguf_architecture trine_gguf_t5_encoder = {
    .gguf = "t5encoder", .model_type = "t5", .class_name = "T5EncoderModel", .names = encoder_names, T5
};
