/* convert_plan.c - deciding what a conversion writes. */
#include "load/convert_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ends.h"
#include "base/size.h"
#include "base/status.h"
#include "checkpoint/hollow_checkpoint.h"
#include "quant/quant.h"

static trine_status no_memory(const trine_convert_plan *plan, trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to convert '%s'", plan->in);
}

static bool ends_with_any(const char *text, const char *const *ends)
{
    for (; *ends; ends++) {
        if (trine_ends_with(text, *ends)) return true;
    }
    return false;
}

static bool is_set(const json_t *config, const char *key) { return json_is_true(json_object_get(config, key)); }

/* ------------------------------------------------------------------------------------------------------ configuration */

/* Llama 3's scaling is a tensor in GGUF; a config.json says it in numbers. */
static trine_status restore_rope(trine_convert_plan *plan, json_t *scaling, trine_error *err)
{
    const trine_tensor *t = trine_checkpoint_find(plan->checkpoint, "rope_freqs.weight");
    if (trine_checkpoint_is_hollow(plan->checkpoint)) t = NULL; /* its factors are not there to be explained */
    if (!scaling && t) {
        const json_t *theta = trine_config_value(plan->config, NULL, "rope_theta");
        float factors[1024];
        double factor;
        int original;
        const bool fits = t->type == TRINE_F32 && t->n_dims == 1 && t->shape[0] <= 1024;
        if (fits) memcpy(factors, t->data, t->bytes);
        if (!fits ||
            !trine_rope_factors_explain(&factor, &original, factors, (int)t->shape[0], theta ? json_number_value(theta) : 10000))
            return trine_fail(err, TRINE_ERROR_UNSUPPORTED,
                              "'%s': the factors of rope_freqs.weight are no scaling that config.json has a name for", plan->in);
        scaling = json_pack("{s:s, s:f, s:f, s:f, s:i}", "rope_type", "llama3", "factor", factor, "low_freq_factor", 1.0,
                            "high_freq_factor", 4.0, "original_max_position_embeddings", original);
        if (!scaling) return no_memory(plan, err);
    }
    if (!scaling) return TRINE_OK;
    const char *key = json_object_get(plan->config, "rope_parameters") ? "rope_parameters" : "rope_scaling";
    return json_object_set_new(plan->config, key, scaling) ? no_memory(plan, err) : TRINE_OK;
}

/* The configuration without what the GGUF reader added. */
static trine_status make_config(trine_convert_plan *plan, trine_error *err)
{
    const json_t *source = trine_checkpoint_config(plan->checkpoint);
    json_t *config = plan->config = trine_json_copy(source);
    if (!config) return no_memory(plan, err);
    json_t *scaling = json_incref(json_object_get(config, "trine_rope_llama3"));
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(config, next, key, value)
    {
        if (!strncmp(key, "trine_", 6)) json_object_del(config, key);
    }
    if (trine_checkpoint_gguf(plan->checkpoint)) return restore_rope(plan, scaling, err);
    json_decref(scaling);
    return TRINE_OK;
}

/* ------------------------------------------------------------------------------------------------------------ tensors */

static trine_planned_tensor *add(trine_convert_plan *plan, trine_error *err)
{
    if (plan->n_tensors == plan->tensors_cap) {
        const int cap = plan->tensors_cap ? 2 * plan->tensors_cap : 64;
        trine_planned_tensor *grown = realloc(plan->tensors, (size_t)cap * sizeof *grown);
        if (!grown) {
            no_memory(plan, err);
            return NULL;
        }
        plan->tensors = grown;
        plan->tensors_cap = cap;
    }
    trine_planned_tensor *t = &plan->tensors[plan->n_tensors++];
    *t = (trine_planned_tensor) { 0 };
    return t;
}

/* The same bytes under both names: an output layer that is the embedding. */
static bool is_tied_output(const trine_convert_plan *plan, const trine_tensor *t)
{
    if (strcmp(t->name, "lm_head.weight") || !is_set(plan->config, "tie_word_embeddings")) return false;
    static const char *const names[] = { "model.embed_tokens.weight", "transformer.wte.weight", "wte.weight", "shared.weight" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const trine_tensor *e = trine_checkpoint_find(plan->checkpoint, names[i]);
        if (e)
            return e->type == t->type && e->bytes == t->bytes &&
                   trine_checkpoint_same(plan->checkpoint, e->data, t->data, t->bytes);
    }
    return false;
}

/* Tensors that are no weights, or that are there twice. */
static bool is_left_out(const trine_convert_plan *plan, const trine_tensor *t)
{
    static const char *const no_weights[] = { "embeddings.position_ids", ".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq",
                                              NULL };
    const bool from_gguf = trine_checkpoint_gguf(plan->checkpoint) != NULL;
    if (!plan->to_gguf) return from_gguf && !strcmp(t->name, "rope_freqs.weight"); /* said in config.json */
    if (from_gguf) return false;
    if (ends_with_any(t->name, no_weights) || is_tied_output(plan, t)) return true;
    const bool encoder = !strcmp(t->name, "encoder.embed_tokens.weight"), decoder = !strcmp(t->name, "decoder.embed_tokens.weight");
    if (!encoder && !decoder) return false;
    return trine_checkpoint_find(plan->checkpoint, "shared.weight") ||
           (decoder && trine_checkpoint_find(plan->checkpoint, "encoder.embed_tokens.weight"));
}

/* The name in the target, in new memory. */
static char *target_name(const trine_convert_plan *plan, const trine_tensor *t)
{
    trine_buffer plain = { 0 }, out = { 0 };
    const size_t n = strlen(t->name);
    if (!plan->to_gguf) {
        trine_buffer_puts(&out, t->name);
    } else if (trine_ends_with(t->name, ".embed_tokens.weight") && n == strlen("encoder.embed_tokens.weight")) {
        trine_gguf_name_from_hf(&out, plan->architecture, "shared.weight");
    } else {
        /* Checkpoints of the TensorFlow days call a norm's weight gamma and its bias beta. */
        const bool gamma = trine_ends_with(t->name, ".gamma"), beta = trine_ends_with(t->name, ".beta");
        trine_buffer_append(&plain, t->name, n - (gamma ? 5 : beta ? 4 : 0));
        trine_buffer_puts(&plain, gamma ? "weight" : beta ? "bias" : "");
        if (!plain.failed) trine_gguf_name_from_hf(&out, plan->architecture, plain.data);
        out.failed |= plain.failed;
    }
    trine_buffer_clear(&plain);
    return trine_buffer_take(&out);
}

static trine_status set_change(const trine_convert_plan *plan, trine_planned_tensor *t, trine_error *err)
{
    const json_t *source = trine_checkpoint_config(plan->checkpoint);
    const trine_gguf_architecture *a = plan->architecture;
    const char *name = t->from->name;
    const bool pairs_before = is_set(source, "trine_rope_interleaved"), pairs_after = plan->to_gguf && a->rope_interleaved;
    static const char *const q_names[] = { ".self_attn.q_proj.weight", ".self_attn.q_proj.bias", NULL };
    static const char *const k_names[] = { ".self_attn.k_proj.weight", ".self_attn.k_proj.bias", NULL };
    const bool q = ends_with_any(name, q_names), k = ends_with_any(name, k_names);
    if (pairs_before != pairs_after && (q || k)) {
        const int64_t heads = trine_config_whole(plan->config, "num_attention_heads", 0);
        const int64_t n = k ? trine_config_whole(plan->config, "num_key_value_heads", heads) : heads;
        if (n < 1 || t->from->shape[0] % (2 * n))
            return trine_fail(err, TRINE_ERROR_FORMAT, "tensor '%s' has %lld rows, which %lld heads do not divide", name,
                              (long long)t->from->shape[0], (long long)n);
        t->change = pairs_after ? TRINE_CHANGE_TO_PAIRS : TRINE_CHANGE_FROM_PAIRS;
        t->n = (int)n;
    }
    const bool turned_before = is_set(source, "trine_conv1d_transposed"), turned_after = plan->to_gguf && a->conv1d_transposed;
    static const char *const conv1d[] = { ".attn.c_attn.weight", ".attn.c_proj.weight", ".mlp.c_fc.weight", ".mlp.c_proj.weight",
                                          NULL };
    if (turned_before != turned_after && ends_with_any(name, conv1d) && t->from->n_dims == 2) {
        t->change = TRINE_CHANGE_TRANSPOSE;
        t->to.shape[0] = t->from->shape[1];
        t->to.shape[1] = t->from->shape[0];
    }
    if (plan->to_gguf && a->positions_cut && trine_ends_with(name, "embeddings.position_embeddings.weight")) {
        const int64_t n = trine_config_whole(plan->config, "pad_token_id", 1) + 1;
        if (n < 1 || n >= t->from->shape[0])
            return trine_fail(err, TRINE_ERROR_FORMAT, "tensor '%s' has %lld rows, expected more than pad_token_id + 1 = %lld",
                              name, (long long)t->from->shape[0], (long long)n);
        t->change = TRINE_CHANGE_CUT_ROWS;
        t->n = (int)n;
        t->to.shape[0] -= n;
    }
    return TRINE_OK;
}

/* Vectors and small tables stay exact: f32 in GGUF, whose readers expect that. */
static bool is_small(const trine_planned_tensor *t)
{
    static const char *const tables[] = { "position_embd.weight", "token_types.weight", ".attn_rel_b.weight", NULL };
    return t->to.n_dims < 2 || ends_with_any(t->to.name, tables);
}

static trine_dtype target_type(const trine_convert_plan *plan, const trine_planned_tensor *t)
{
    const trine_dtype from = t->from->type;
    const trine_dtype_info *info = trine_dtype_get(from);
    if (!info->computes) return from; /* counters and the like are copied */
    if (plan->to_gguf && is_small(t)) return TRINE_F32;
    if (t->to.n_dims < 2) return info->safetensors ? from : TRINE_F32;
    trine_dtype type = plan->type ? plan->type : from;
    if (!plan->to_gguf && !trine_dtype_get(type)->safetensors) type = TRINE_F16;
    /* A turned matrix is made of values, and blocks must divide rows. */
    const int64_t row = t->to.shape[t->to.n_dims - 1];
    const trine_dtype_info *to = trine_dtype_get(type);
    if (type != from || t->change == TRINE_CHANGE_TRANSPOSE) {
        if (!to->pack || row % to->block) type = TRINE_F16;
    }
    return type;
}

trine_status trine_convert_plan_set_type(const trine_convert_plan *plan, trine_planned_tensor *t, trine_dtype type,
                                         trine_error *err)
{
    size_t n = 1;
    t->to.type = type;
    for (int d = 0; d < t->to.n_dims; d++) n *= (size_t)t->to.shape[d];
    const trine_dtype_info *info = trine_dtype_get(t->to.type);
    if (plan->to_gguf ? info->gguf < 0 : !info->safetensors)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "%s cannot hold tensor '%s' of type %s",
                          plan->to_gguf ? "GGUF" : "safetensors", t->to.name, info->name);
    if (!trine_dtype_bytes(&t->to.bytes, t->to.type, n))
        return trine_fail(err, TRINE_ERROR_FORMAT, "tensor '%s' is too large", t->to.name);
    return TRINE_OK;
}

static trine_status add_tensor(trine_convert_plan *plan, const trine_tensor *from, trine_error *err)
{
    if (is_left_out(plan, from)) return TRINE_OK;
    trine_planned_tensor *t = add(plan, err);
    if (!t) return TRINE_ERROR_MEMORY;
    t->from = from;
    t->to = *from;
    t->to.data = NULL;
    t->to.name = t->to.file_name = target_name(plan, from);
    if (!t->to.name) return no_memory(plan, err);
    const trine_status status = set_change(plan, t, err);
    if (status) return status;
    return trine_convert_plan_set_type(plan, t, target_type(plan, t), err);
}

/* rope_freqs.weight, for a configuration with Llama 3's scaling. */
static trine_status add_rope_factors(trine_convert_plan *plan, trine_error *err)
{
    const json_t *scaling = trine_rope_llama3(plan->config);
    if (!plan->to_gguf || trine_checkpoint_gguf(plan->checkpoint) || !scaling) return TRINE_OK;
    const int64_t heads = trine_config_whole(plan->config, "num_attention_heads", 0),
                  width = trine_config_whole(plan->config, "hidden_size", 0);
    const int64_t n = trine_config_whole(plan->config, "head_dim", heads > 0 ? width / heads : 0) / 2;
    const json_t *theta = trine_config_value(plan->config, NULL, "rope_theta");
    if (!theta) theta = trine_config_value(scaling, NULL, "rope_theta");
    if (n < 1 || n > 1 << 16)
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': the configuration gives no width of a head", plan->in);
    trine_planned_tensor *t = add(plan, err);
    if (!t) return TRINE_ERROR_MEMORY;
    t->made = malloc((size_t)n * sizeof *t->made);
    char *name = strdup("rope_freqs.weight");
    t->to = (trine_tensor) { .name = name,
                             .file_name = name,
                             .type = TRINE_F32,
                             .n_dims = 1,
                             .shape = { n, 1, 1, 1 },
                             .bytes = (size_t)n * sizeof *t->made };
    if (!t->made || !name) return no_memory(plan, err);
    if (!trine_rope_factors_make(t->made, (int)n, theta ? json_number_value(theta) : 10000, scaling))
        return trine_fail(err, TRINE_ERROR_FORMAT,
                          "'%s': the llama3 scaling of config.json lacks one of factor, low_freq_factor, high_freq_factor and "
                          "original_max_position_embeddings",
                          plan->in);
    return TRINE_OK;
}

static trine_status find_architecture(trine_convert_plan *plan, trine_error *err)
{
    plan->architecture = trine_gguf_architecture_of(plan->config);
    const char *class = json_string_value(json_array_get(json_object_get(plan->config, "architectures"), 0));
    const bool labels = class && (strstr(class, "T5ForSequence") || strstr(class, "T5ForToken"));
    if (plan->to_gguf && labels)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED,
                          "'%s' is a T5 with labels (%.60s), which GGUF has no form for: write a directory", plan->in, class);
    if (plan->architecture || !plan->to_gguf) return TRINE_OK;
    const char *type = json_string_value(json_object_get(plan->config, "model_type"));
    char list[256] = "";
    size_t n = 0;
    for (int i = 0; trine_gguf_architectures[i]; i++) {
        if (i && !strcmp(trine_gguf_architectures[i]->model_type, trine_gguf_architectures[i - 1]->model_type)) continue;
        if (n < sizeof list)
            n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", trine_gguf_architectures[i]->model_type);
    }
    return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "'%s' is of model_type '%s', which cannot be written as GGUF; supported are %s",
                      plan->in, type ? type : "(none)", list);
}

trine_status trine_convert_plan_make(trine_convert_plan *plan, const char *in, bool to_gguf, trine_dtype type, trine_error *err)
{
    trine_checkpoint *c;
    *plan = (trine_convert_plan) { 0 };
    const trine_status status = trine_checkpoint_open(&c, in, err);
    return status ? status : trine_convert_plan_over(plan, c, in, to_gguf, type, err);
}

trine_status trine_convert_plan_over(trine_convert_plan *plan, trine_checkpoint *c, const char *in, bool to_gguf, trine_dtype type,
                                     trine_error *err)
{
    *plan = (trine_convert_plan) {
        .in = in, .checkpoint = c, .to_gguf = to_gguf, .type = type, .task = "convert", .n_threads = 1, .file_type = -1
    };
    trine_status status = make_config(plan, err);
    if (!status) status = find_architecture(plan, err);
    for (int i = 0; !status && i < trine_checkpoint_n_tensors(plan->checkpoint); i++)
        status = add_tensor(plan, trine_checkpoint_tensor(plan->checkpoint, i), err);
    if (!status) status = add_rope_factors(plan, err);
    if (!status && !plan->n_tensors) status = trine_fail(err, TRINE_ERROR_FORMAT, "'%s' holds no tensors to convert", in);
    if (status) trine_convert_plan_clear(plan);
    return status;
}

void trine_convert_plan_clear(trine_convert_plan *plan)
{
    for (int i = 0; i < plan->n_tensors; i++) {
        free((void *)(uintptr_t)plan->tensors[i].to.name);
        free(plan->tensors[i].made);
    }
    free(plan->tensors);
    json_decref(plan->config);
    trine_checkpoint_close(plan->checkpoint);
    *plan = (trine_convert_plan) { 0 };
}

trine_dtype trine_convert_plan_type(const trine_convert_plan *plan)
{
    size_t bytes[TRINE_DTYPE_COUNT] = { 0 };
    trine_dtype most = TRINE_F32;
    for (int i = 0; i < plan->n_tensors; i++) {
        const trine_tensor *t = &plan->tensors[i].to;
        if (t->n_dims >= 2) bytes[t->type] += t->bytes;
        if (bytes[t->type] > bytes[most]) most = t->type;
    }
    return most;
}
