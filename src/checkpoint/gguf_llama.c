/* gguf_llama.c - Llama, Mistral, Qwen 2 and Qwen 3 in GGUF.
 *
 * They share their tensor names. Llama's (and Mistral's) q and k rows are stored in pairs: row 2i and 2i + 1 of a head are rows i
 * and i + d_head/2 of Hugging Face. Qwen's are stored as they are. */
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "checkpoint/gguf_architecture.h"

static const trine_gguf_name names[] = {
    { "token_embd", "model.embed_tokens", 0 },
    { "output_norm", "model.norm", 0 },
    { "output", "lm_head", 0 },
    { "blk.*.attn_norm", "model.layers.*.input_layernorm", 0 },
    { "blk.*.attn_q", "model.layers.*.self_attn.q_proj", 0 },
    { "blk.*.attn_k", "model.layers.*.self_attn.k_proj", 0 },
    { "blk.*.attn_v", "model.layers.*.self_attn.v_proj", 0 },
    { "blk.*.attn_output", "model.layers.*.self_attn.o_proj", 0 },
    { "blk.*.attn_q_norm", "model.layers.*.self_attn.q_norm", 0 },
    { "blk.*.attn_k_norm", "model.layers.*.self_attn.k_norm", 0 },
    { "blk.*.ffn_norm", "model.layers.*.post_attention_layernorm", 0 },
    { "blk.*.ffn_gate", "model.layers.*.mlp.gate_proj", 0 },
    { "blk.*.ffn_up", "model.layers.*.mlp.up_proj", 0 },
    { "blk.*.ffn_down", "model.layers.*.mlp.down_proj", 0 },
    { NULL, NULL, 0 },
};

static const trine_gguf_field fields[] = {
    { ".embedding_length", "hidden_size", TRINE_FIELD_INT, true },
    { ".block_count", "num_hidden_layers", TRINE_FIELD_INT, true },
    { ".feed_forward_length", "intermediate_size", TRINE_FIELD_INT, true },
    { ".attention.head_count", "num_attention_heads", TRINE_FIELD_INT, true },
    { ".attention.head_count_kv", "num_key_value_heads", TRINE_FIELD_INT, false },
    { ".attention.key_length", "head_dim", TRINE_FIELD_INT, false },
    { ".context_length", "max_position_embeddings", TRINE_FIELD_INT, true },
    { ".vocab_size", "vocab_size", TRINE_FIELD_INT, false },
    { ".attention.layer_norm_rms_epsilon", "rms_norm_eps", TRINE_FIELD_FLOAT, true },
    { ".rope.freq_base", "rope_theta", TRINE_FIELD_FLOAT, false },
    { NULL, NULL, TRINE_FIELD_INT, false },
};

static void scaling_to_config(trine_json_builder *config, const trine_gguf *g, const char *arch)
{
    trine_gguf_string type;
    char key[64];
    snprintf(key, sizeof key, "%s.rope.scaling.type", arch);
    if (!trine_gguf_get_string(&type, g, key) || (type.n == 4 && !memcmp(type.data, "none", 4))) return;
    const bool yarn = type.n == 4 && !memcmp(type.data, "yarn", 4), linear = type.n == 6 && !memcmp(type.data, "linear", 6);
    trine_json_builder scaling = { .object = json_object() };
    trine_json_put(&scaling, "rope_type", json_string(yarn ? "yarn" : linear ? "linear" : "unknown"));
    double value;
    int64_t original;
    if (trine_gguf_field_float(&value, g, arch, ".rope.scaling.factor")) trine_json_put(&scaling, "factor", json_real(value));
    const double factor = json_number_value(json_object_get(scaling.object, "factor"));
    if (trine_gguf_field_int(&original, g, arch, ".rope.scaling.original_context_length"))
        trine_json_put(&scaling, "original_max_position_embeddings", json_integer(original));
    if (trine_gguf_field_float(&value, g, arch, ".rope.scaling.yarn_beta_fast"))
        trine_json_put(&scaling, "beta_fast", json_real(value));
    if (trine_gguf_field_float(&value, g, arch, ".rope.scaling.yarn_beta_slow"))
        trine_json_put(&scaling, "beta_slow", json_real(value));
    /* GGUF's attn_factor multiplies YaRN's own factor, Hugging Face's attention_factor takes its place. */
    if (trine_gguf_field_float(&value, g, arch, ".rope.scaling.attn_factor") && value != 1 && factor > 1)
        trine_json_put(&scaling, "attention_factor", json_real(value * (0.1 * log(factor) + 1)));
    config->failed |= scaling.failed;
    trine_json_put(config, "rope_scaling", scaling.object);
}

static trine_status to_config(trine_json_builder *config, const trine_gguf *g, trine_error *err)
{
    const char *arch = json_string_value(json_object_get(config->object, "model_type"));
    if (!strcmp(arch, "mistral")) arch = "llama";
    int64_t value;
    if (trine_gguf_field_int(&value, g, arch, ".expert_count") && value > 0)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED,
                          "the model is a mixture of %lld experts (%s.expert_count), which is not supported", (long long)value,
                          arch);
    trine_json_put(config, "hidden_act", json_string("silu"));
    if (!json_object_get(config->object, "rope_theta")) trine_json_put(config, "rope_theta", json_real(10000));
    if (!json_object_get(config->object, "num_key_value_heads"))
        trine_json_put(config, "num_key_value_heads", json_copy(json_object_get(config->object, "num_attention_heads")));
    trine_json_put(config, "tie_word_embeddings", json_boolean(!trine_gguf_has_tensor(g, "output.weight")));
    const int64_t heads = trine_config_whole(config->object, "num_attention_heads", 0);
    const int64_t d_head =
        trine_config_whole(config->object, "head_dim", heads ? trine_config_whole(config->object, "hidden_size", 0) / heads : 0);
    if (trine_gguf_field_int(&value, g, arch, ".rope.dimension_count") && d_head > 0 && value > 0 && value < d_head)
        trine_json_put(config, "partial_rotary_factor", json_real((double)value / (double)d_head));
    if (!strcmp(arch, "llama")) {
        trine_json_put(config, "attention_bias", json_boolean(trine_gguf_has_tensor(g, "blk.0.attn_q.bias")));
        trine_json_put(config, "mlp_bias", json_boolean(trine_gguf_has_tensor(g, "blk.0.ffn_up.bias")));
    }
    if (trine_gguf_field_int(&value, g, arch, ".attention.sliding_window") && value > 0) {
        trine_json_put(config, "sliding_window", json_integer(value));
        if (strcmp(arch, "llama")) trine_json_put(config, "use_sliding_window", json_true());
    }
    scaling_to_config(config, g, arch);
    return TRINE_OK;
}

static void scaling_to_gguf(trine_gguf_head *h, const json_t *config)
{
    const json_t *scaling = trine_config_value(config, NULL, "rope_parameters");
    if (!scaling) scaling = trine_config_value(config, NULL, "rope_scaling");
    const char *type = json_string_value(json_object_get(scaling, "rope_type"));
    if (!type) type = json_string_value(json_object_get(scaling, "type"));
    if (!type || (strcmp(type, "linear") && strcmp(type, "yarn"))) return; /* llama3 is a tensor; default is nothing */
    trine_gguf_put_string(h, ".rope.scaling.type", type);
    const double factor = json_number_value(json_object_get(scaling, "factor"));
    if (factor > 0) trine_gguf_put_f32(h, ".rope.scaling.factor", (float)factor);
    const int64_t original = trine_config_whole(scaling, "original_max_position_embeddings", 0);
    if (original > 0) trine_gguf_put_u32(h, ".rope.scaling.original_context_length", (uint32_t)original);
    const json_t *fast = json_object_get(scaling, "beta_fast"), *slow = json_object_get(scaling, "beta_slow");
    const json_t *attention = json_object_get(scaling, "attention_factor");
    if (json_is_number(fast)) trine_gguf_put_f32(h, ".rope.scaling.yarn_beta_fast", (float)json_number_value(fast));
    if (json_is_number(slow)) trine_gguf_put_f32(h, ".rope.scaling.yarn_beta_slow", (float)json_number_value(slow));
    if (json_is_number(attention) && factor > 1)
        trine_gguf_put_f32(h, ".rope.scaling.attn_factor", (float)(json_number_value(attention) / (0.1 * log(factor) + 1)));
}

static void to_gguf(trine_gguf_head *h, const json_t *config)
{
    const int64_t heads = trine_config_whole(config, "num_attention_heads", 0);
    int64_t d_head = trine_config_whole(config, "head_dim", heads ? trine_config_whole(config, "hidden_size", 0) / heads : 0);
    if (!trine_config_value(config, NULL, "num_key_value_heads"))
        trine_gguf_put_u32(h, ".attention.head_count_kv", (uint32_t)heads);
    if (trine_config_value(config, NULL, "head_dim")) trine_gguf_put_u32(h, ".attention.value_length", (uint32_t)d_head);
    const json_t *partial = trine_config_value(config, NULL, "partial_rotary_factor");
    if (!partial) partial = trine_config_value(config, "rope_parameters", "partial_rotary_factor");
    if (json_is_number(partial)) d_head = (int64_t)((double)d_head * json_number_value(partial));
    trine_gguf_put_u32(h, ".rope.dimension_count", (uint32_t)d_head);
    if (!trine_config_value(config, NULL, "rope_theta")) {
        const json_t *theta = trine_config_value(config, "rope_parameters", "rope_theta");
        trine_gguf_put_f32(h, ".rope.freq_base", theta ? (float)json_number_value(theta) : 10000.0f);
    }
    const int64_t window = trine_config_whole(config, "sliding_window", 0);
    const json_t *use = json_object_get(config, "use_sliding_window");
    const bool qwen = !strncmp(h->architecture, "qwen", 4);
    if (window > 0 && (!qwen || json_is_true(use))) trine_gguf_put_u32(h, ".attention.sliding_window", (uint32_t)window);
    scaling_to_gguf(h, config);
}

#define DECODER .prefix = "model.", .names = names, .fields = fields, .to_config = to_config, .to_gguf = to_gguf
const trine_gguf_architecture trine_gguf_llama = {
    .gguf = "llama", .model_type = "llama", .class_name = "LlamaForCausalLM", .rope_interleaved = true, DECODER
};
const trine_gguf_architecture trine_gguf_mistral = {
    .gguf = "llama", .model_type = "mistral", .class_name = "MistralForCausalLM", .rope_interleaved = true, DECODER
};
const trine_gguf_architecture trine_gguf_qwen2 = {
    .gguf = "qwen2", .model_type = "qwen2", .class_name = "Qwen2ForCausalLM", DECODER
};
const trine_gguf_architecture trine_gguf_qwen3 = {
    .gguf = "qwen3", .model_type = "qwen3", .class_name = "Qwen3ForCausalLM", DECODER
};
