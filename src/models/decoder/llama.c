/* llama.c - Llama 2 and 3 (Touvron et al. 2023; Grattafiori et al. 2024) and the decoders that are Llama with a difference: Mistral
 * (sliding window), Qwen 2 (biases on q, k, v), Qwen 3 (a norm of each head of q and k), SmolLM (none). Rotary positions, RMS norm
 * before each box, gated SiLU feed-forward, keys and values shared by groups of query heads. docs/models/llama.md.
 *
 * Checkpoint names, after the prefix "model." (or none); N is the layer:
 *     embed_tokens.weight                        [vocab, d_model]
 *     layers.N.input_layernorm.weight            [d_model]
 *     layers.N.self_attn.q_proj.weight           [n_heads d_head, d_model]      .bias in Qwen 2, or by attention_bias
 *     layers.N.self_attn.{k_proj,v_proj}.weight  [n_kv_heads d_head, d_model]   likewise
 *     layers.N.self_attn.o_proj.weight           [d_model, n_heads d_head]      .bias by attention_bias
 *     layers.N.self_attn.{q_norm,k_norm}.weight  [d_head]                       Qwen 3
 *     layers.N.post_attention_layernorm.weight   [d_model]
 *     layers.N.mlp.{gate_proj,up_proj}.weight    [d_ff, d_model]                .bias by mlp_bias
 *     layers.N.mlp.down_proj.weight              [d_model, d_ff]                .bias by mlp_bias
 *     norm.weight                                [d_model]
 *     lm_head.weight                             [vocab, d_model]               without the prefix; absent when tied
 *     rope_freqs.weight                          [d_head / 2]                   GGUF only: Llama 3's scaling, worked out */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/numbers.h"
#include "models/model.h"

typedef struct llama_layer {
    const float *attention_norm, *ffn_norm;
    trine_weight q, k, v, o;
    const float *q_norm, *k_norm; /* Qwen 3; else NULL */
    trine_feed_forward_weights ffn;
    int window; /* 0: all of the past */
} llama_layer;

typedef struct llama_model {
    int n_heads, n_kv_heads, d_head;
    float eps;
    trine_rope rope;
    trine_weight words, out;
    llama_layer *layers;
    const float *final_norm;
} llama_model;

/* ----------------------------------------------------------------------------------------------------------- loading */

/* Attention's factor under yarn (Peng et al. 2023, sec. 3.4; mscale fields as DeepSeek names them). */
static float yarn_attention_factor(trine_loader *l, float factor)
{
    const float given = trine_read_float(l, "attention_factor", 0, 0, 1e6);
    const float mscale = trine_read_float(l, "mscale", 0, -1e6, 1e6), all_dim = trine_read_float(l, "mscale_all_dim", 0, -1e6, 1e6);
    if (given > 0) return given;
    if (factor <= 1) return 1;
    const double log_factor = 0.1 * log((double)factor);
    if (mscale != 0 && all_dim != 0) return (float)((mscale * log_factor + 1) / (all_dim * log_factor + 1));
    return (float)(log_factor + 1);
}

/* The caller's scaling in place of the model's own: the context grows by as much. */
static void override_rope(trine_loader *l, trine_rope_config *c)
{
    trine_model *m = l->m;
    const char *kind = m->rope_scaling->kind ? m->rope_scaling->kind : "";
    const float scale = m->rope_scaling->scale;
    const bool linear = !strcmp(kind, "linear");
    const double ctx = (double)scale * c->original_ctx;
    char text[160];
    if (!linear && strcmp(kind, "yarn") != 0)
        trine_load_fail(l, TRINE_ERROR_ARGUMENT, "rope_scaling is '%.20s', expected linear or yarn", kind);
    else if (!(scale >= 1) || !(ctx < INT_MAX))
        trine_load_fail(l, TRINE_ERROR_ARGUMENT, "rope_scale is %g, expected 1 or more, and a context that an int holds",
                        (double)scale);
    if (l->status) return;
    *c = (trine_rope_config) { .kind = linear ? TRINE_ROPE_LINEAR : TRINE_ROPE_YARN,
                               .factor = scale,
                               .original_ctx = c->original_ctx,
                               .beta_fast = 32,
                               .beta_slow = 1 };
    m->info.max_tokens = (int)ctx;
    trine_print(text, sizeof text, "positions: %s scaling by %g, to %d tokens; the model was trained on %d", kind, (double)scale,
                m->info.max_tokens, c->original_ctx);
    if (m->log) m->log(m->log_user, text);
}

/* Rotary positions in both styles: rope_parameters (transformers 5) holds everything; before, rope_theta and
 * partial_rotary_factor stood alone and rope_scaling held the rest, its kind called "type" or "rope_type". */
static void load_rope(trine_loader *l, llama_model *w)
{
    const json_t *outer = l->config, *scaling = json_object_get(outer, "rope_scaling"),
                 *rope = json_object_get(outer, "rope_parameters");
    if (json_is_object(scaling) && json_object_size(scaling)) rope = scaling;
    if (json_object_get(rope, "full_attention") || json_object_get(rope, "sliding_attention"))
        trine_load_fail(l, TRINE_ERROR_UNSUPPORTED,
                        "config.json \"rope_parameters\" differ by layer type; supported: one set for all layers");
    if (scaling && !json_is_object(scaling) && !json_is_null(scaling))
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json \"rope_scaling\" is not an object, expected one with \"rope_type\"");
    else if (rope && !json_is_object(rope) && !json_is_null(rope))
        trine_load_fail(l, TRINE_ERROR_FORMAT,
                        "config.json \"rope_parameters\" is not an object, expected one with \"rope_theta\"");
    float theta = trine_read_float(l, "rope_theta", 10000, 1e-3, 1e15);
    float part = trine_read_float(l, "partial_rotary_factor", 1, 0, 1);
    const int max_tokens = l->m->info.max_tokens;
    int original = trine_read_int(l, "original_max_position_embeddings", 0, 1, INT_MAX);
    const bool interleaved = trine_read_bool(l, "trine_rope_interleaved", false);
    const char *kind = "default";
    trine_rope_config c = { .kind = TRINE_ROPE_PLAIN };
    if (json_is_object(rope)) {
        l->config = rope;
        kind = trine_read_string(l, "rope_type", trine_read_string(l, "type", "default"));
        theta = trine_read_float(l, "rope_theta", theta, 1e-3, 1e15);
        part = trine_read_float(l, "partial_rotary_factor", part, 0, 1);
        if (!original) original = trine_read_int(l, "original_max_position_embeddings", max_tokens, 1, INT_MAX);
        const bool scaled = !l->status && strcmp(kind, "default") != 0;
        const float fallback = original ? (float)max_tokens / (float)original : 1;
        if (scaled) c.factor = trine_read_float(l, "factor", !strcmp(kind, "yarn") ? fallback : 1, 1e-6, 1e9);
        if (scaled && !strcmp(kind, "linear")) {
            c.kind = TRINE_ROPE_LINEAR;
        } else if (scaled && !strcmp(kind, "llama3")) {
            c.kind = TRINE_ROPE_LLAMA3;
            c.low_freq_factor = trine_read_float(l, "low_freq_factor", 1, 1e-6, 1e9);
            c.high_freq_factor = trine_read_float(l, "high_freq_factor", 4, 1e-6, 1e9);
        } else if (scaled && !strcmp(kind, "yarn")) {
            c.kind = TRINE_ROPE_YARN;
            c.beta_fast = trine_read_float(l, "beta_fast", 32, 0, 1e9);
            c.beta_slow = trine_read_float(l, "beta_slow", 1, 0, 1e9);
            c.no_truncate = !trine_read_bool(l, "truncate", true);
            c.attention_factor = yarn_attention_factor(l, c.factor);
        } else if (scaled) {
            trine_load_fail(l, TRINE_ERROR_UNSUPPORTED,
                            "config.json \"rope_type\" is \"%s\"; supported: default, linear, llama3, yarn", kind);
        }
        l->config = outer;
    }
    c.original_ctx = original ? original : max_tokens;
    if (l->m->rope_scaling) override_rope(l, &c);
    c.theta = theta;
    c.d_head = w->d_head;
    c.n_rotated = (int)((float)w->d_head * part);
    c.interleaved = interleaved;
    if (!l->m->rope_scaling && trine_load_has(l, "rope_freqs.weight")) {
        c.freq_factors = trine_load_vector(l, c.n_rotated / 2, "rope_freqs.weight");
        if (trine_load_hollow(l)) c.freq_factors = NULL;
        for (int i = 0; c.freq_factors && i < c.n_rotated / 2; i++)
            if (!(c.freq_factors[i] > 0))
                trine_load_fail(l, TRINE_ERROR_FORMAT, "tensor 'rope_freqs.weight' holds %g at %d, expected factors above 0",
                                (double)c.freq_factors[i], i);
        if (c.kind == TRINE_ROPE_LLAMA3) c.kind = TRINE_ROPE_PLAIN; /* the factors are that scaling */
    }
    if (l->status) return;
    trine_error inner;
    const trine_status made = trine_rope_make(&w->rope, &c, &inner);
    if (made) trine_load_fail(l, made, "%s", inner.text);
}

/* Whether a kind of bias is there: as the configuration says, else as the checkpoint shows. */
static trine_bias bias_of(trine_loader *l, const char *key)
{
    if (!trine_config_has(l, key)) return TRINE_BIAS_OPTIONAL;
    return trine_read_bool(l, key, false) ? TRINE_BIAS_REQUIRED : TRINE_BIAS_NONE;
}

/* The window of each layer: all (Mistral), those that layer_types names, or those from max_window_layers on (Qwen). */
static void load_windows(trine_loader *l, llama_model *w, const char *model_type)
{
    trine_model_info *info = &l->m->info;
    const bool mistral = !strcmp(model_type, "mistral"), qwen = !strncmp(model_type, "qwen", 4);
    if (!mistral && !(qwen && trine_read_bool(l, "use_sliding_window", false))) return;
    /* null means none; only a configuration that does not speak of it has the class's 4096. */
    const bool named = json_object_get(l->config, "sliding_window") != NULL;
    const int window = trine_read_int(l, "sliding_window", named ? 0 : 4096, 1, INT_MAX);
    const int first = trine_read_int(l, "max_window_layers", 28, 0, INT_MAX);
    const json_t *types = json_object_get(l->config, "layer_types");
    if (qwen && json_is_array(types) && json_array_size(types) < (size_t)info->n_layers)
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json \"layer_types\" names %zu layers, expected %d", json_array_size(types),
                        info->n_layers);
    if (l->status) return;
    for (int n = 0; n < info->n_layers; n++) {
        bool slides = mistral || n >= first;
        if (qwen && json_is_array(types)) {
            const char *type = json_string_value(json_array_get(types, (size_t)n));
            slides = type && !strcmp(type, "sliding_attention");
            if (!slides && (!type || strcmp(type, "full_attention") != 0)) {
                trine_load_fail(l, TRINE_ERROR_UNSUPPORTED,
                                "config.json \"layer_types\" has \"%s\" at %d; supported: full_attention, sliding_attention",
                                type ? type : "no string", n);
                return;
            }
        }
        w->layers[n].window = slides ? window : 0;
        if (slides) info->window = window;
    }
}

static llama_layer load_layer(trine_loader *l, const llama_model *w, const char *prefix, int n, trine_bias qkv_bias,
                              trine_bias o_bias, trine_bias ffn_bias, bool head_norms, trine_activation activation)
{
    const int d = l->m->info.d_model, d_ff = l->m->info.d_ff, d_q = w->n_heads * w->d_head, d_kv = w->n_kv_heads * w->d_head;
    return (llama_layer) {
        .attention_norm = trine_load_vector(l, d, "%slayers.%d.input_layernorm.weight", prefix, n),
        .q = trine_load_linear(l, d_q, d, qkv_bias, "%slayers.%d.self_attn.q_proj", prefix, n),
        .k = trine_load_linear(l, d_kv, d, qkv_bias, "%slayers.%d.self_attn.k_proj", prefix, n),
        .v = trine_load_linear(l, d_kv, d, qkv_bias, "%slayers.%d.self_attn.v_proj", prefix, n),
        .o = trine_load_linear(l, d, d_q, o_bias, "%slayers.%d.self_attn.o_proj", prefix, n),
        .q_norm = head_norms ? trine_load_vector(l, w->d_head, "%slayers.%d.self_attn.q_norm.weight", prefix, n) : NULL,
        .k_norm = head_norms ? trine_load_vector(l, w->d_head, "%slayers.%d.self_attn.k_norm.weight", prefix, n) : NULL,
        .ffn_norm = trine_load_vector(l, d, "%slayers.%d.post_attention_layernorm.weight", prefix, n),
        .ffn = { .up = trine_load_linear(l, d_ff, d, ffn_bias, "%slayers.%d.mlp.up_proj", prefix, n),
                 .gate = trine_load_linear(l, d_ff, d, ffn_bias, "%slayers.%d.mlp.gate_proj", prefix, n),
                 .down = trine_load_linear(l, d, d_ff, ffn_bias, "%slayers.%d.mlp.down_proj", prefix, n),
                 .activation = activation },
    };
}

/* Sizes, and that they agree: everything later is checked against the tensors' shapes. */
static void load_sizes(trine_loader *l, llama_model *w, const char *model_type)
{
    trine_model_info *info = &l->m->info;
    info->n_layers = trine_read_layers(l, "num_hidden_layers", TRINE_REQUIRED);
    info->d_model = trine_read_int(l, "hidden_size", TRINE_REQUIRED, 1, TRINE_MAX_WIDTH);
    info->d_ff = trine_read_int(l, "intermediate_size", TRINE_REQUIRED, 1, TRINE_MAX_WIDTH);
    info->n_heads = trine_read_int(l, "num_attention_heads", TRINE_REQUIRED, 1, 1 << 16);
    const bool mistral_default = !strcmp(model_type, "mistral") && !json_object_get(l->config, "num_key_value_heads");
    info->n_kv_heads = trine_read_int(l, "num_key_value_heads", mistral_default ? 8 : info->n_heads, 1, 1 << 16);
    info->vocab = trine_read_size(l, "vocab_size", !strncmp(model_type, "qwen", 4) ? 151936 : 32000);
    info->max_tokens = trine_read_int(l, "max_position_embeddings", 2048, 1, INT_MAX);
    if (l->status) return;
    info->d_head = trine_read_int(l, "head_dim", !strcmp(model_type, "qwen3") ? 128 : info->d_model / info->n_heads, 1, 1 << 14);
    if (!trine_config_has(l, "head_dim") && strcmp(model_type, "qwen3") != 0 && info->d_model % info->n_heads)
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json has %d heads, which do not divide a width of %d", info->n_heads,
                        info->d_model);
    if (info->n_heads % info->n_kv_heads)
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json \"num_key_value_heads\" is %d, which does not divide %d heads",
                        info->n_kv_heads, info->n_heads);
    w->n_heads = info->n_heads;
    w->n_kv_heads = info->n_kv_heads;
    w->d_head = info->d_head;
}

static const char *const model_types[] = { "llama", "mistral", "qwen2", "qwen3", NULL };

/* One of model_types; a configuration without one, or with a class alone, is a plain Llama, whose checkpoint shows the rest. */
static const char *model_type_of(trine_loader *l)
{
    const char *named = trine_read_string(l, "model_type", "llama");
    for (int i = 0; named && model_types[i]; i++)
        if (!strcmp(named, model_types[i])) return model_types[i];
    return model_types[0];
}

static trine_status load(trine_model *m, trine_error *err)
{
    static const trine_architecture known[] = { { "ForCausalLM", TRINE_HEAD_LM },
                                                { "ForSequenceClassification", TRINE_HEAD_LABELS },
                                                { "ForTokenClassification", TRINE_HEAD_TAGS },
                                                { "LlamaModel", TRINE_HEAD_NONE },
                                                { "MistralModel", TRINE_HEAD_NONE },
                                                { "Qwen2Model", TRINE_HEAD_NONE },
                                                { "Qwen3Model", TRINE_HEAD_NONE },
                                                { NULL, TRINE_HEAD_NONE } };
    trine_loader loader = trine_load_begin(m, err), *l = &loader;
    trine_model_info *info = &m->info;
    const char *type = model_type_of(l);
    info->family = type;
    trine_read_tokens(l, !strncmp(type, "qwen", 4) ? -1 : 1, !strncmp(type, "qwen", 4) ? -1 : 2, -1);
    const trine_head head = trine_read_head(l, known, TRINE_HEAD_LM);
    const char *prefix = trine_load_wants(l, head != TRINE_HEAD_NONE, "model.embed_tokens.weight") ? "model." : "";

    llama_model *w = trine_load_alloc(l, 1, sizeof *w);
    if (!w) return trine_load_end(l);
    m->weights = w;
    load_sizes(l, w, type);
    info->norm = "rms norm";
    info->positions = "rotary";
    info->gated = true;
    info->pooling = TRINE_POOL_LAST;
    w->eps = trine_read_float(l, "rms_norm_eps", 1e-6f, 0, 1);
    const trine_activation activation = trine_read_activation(l, "hidden_act", "silu");
    const bool qwen2 = !strcmp(type, "qwen2"), mistral = !strcmp(type, "mistral");
    const trine_bias qkv_bias = qwen2 ? TRINE_BIAS_REQUIRED : mistral ? TRINE_BIAS_NONE : bias_of(l, "attention_bias");
    const trine_bias o_bias = qwen2 || mistral ? TRINE_BIAS_NONE : bias_of(l, "attention_bias");
    const trine_bias ffn_bias = strcmp(type, "llama") != 0 ? TRINE_BIAS_NONE : bias_of(l, "mlp_bias");
    if (!l->status) load_rope(l, w);
    if (l->status) return trine_load_end(l);

    w->words = trine_load_matrix(l, info->vocab, info->d_model, "%sembed_tokens.weight", prefix);
    info->vocab = w->words.rows;
    w->layers = trine_load_alloc(l, (size_t)info->n_layers, sizeof *w->layers);
    for (int n = 0; n < info->n_layers && !l->status; n++)
        w->layers[n] = load_layer(l, w, prefix, n, qkv_bias, o_bias, ffn_bias, !strcmp(type, "qwen3"), activation);
    load_windows(l, w, type);
    w->final_norm = trine_load_vector(l, info->d_model, "%snorm.weight", prefix);
    if (head == TRINE_HEAD_LM) {
        if (trine_config_has(l, "tie_word_embeddings") && !trine_read_bool(l, "tie_word_embeddings", false) &&
            !trine_load_wants(l, true, "lm_head.weight"))
            trine_load_fail(l, TRINE_ERROR_NOT_FOUND,
                            "tensor 'lm_head.weight' is missing, and config.json \"tie_word_embeddings\" is false");
        w->out = trine_load_output(l, &w->words, false, "lm_head.weight");
    } else if (trine_gives_labels(head)) {
        w->out = trine_load_labels(l, head == TRINE_HEAD_TAGS ? TRINE_BIAS_REQUIRED : TRINE_BIAS_NONE, "score");
    }
    if (!trine_gives_labels(head)) /* labels are of texts that are read whole */
        m->self_shape = (trine_kv_shape) { .n_layers = info->n_layers, .n_kv_heads = w->n_kv_heads, .d_head = w->d_head };
    return trine_load_end(l);
}

static void unload(trine_model *m)
{
    if (m->weights) trine_rope_clear(&((llama_model *)m->weights)->rope);
    trine_model_free_copies(m);
}

/* ----------------------------------------------------------------------------------------------------------- forward */

/* One layer: x += attention(norm x); x += feed_forward(norm x). Keys are turned by their position before they are kept. */
static trine_mat layer(trine_pass *p, const void *weights, int n, trine_mat x)
{
    const llama_model *w = weights;
    const llama_layer *b = &w->layers[n];
    const trine_attention_spec self = { .layer = n,
                                        .n_heads = w->n_heads,
                                        .n_kv_heads = w->n_kv_heads,
                                        .d_head = w->d_head,
                                        .scale = 1.0f / sqrtf((float)w->d_head),
                                        .causal = true,
                                        .window = b->window,
                                        .rounds = trine_weight_rounds(&b->q) };
    const size_t mark = trine_pass_mark(p);
    trine_mat h = trine_rms_norm(p, x, b->attention_norm, w->eps);
    trine_mat qkv[3];
    trine_linears(p, qkv, h, (const trine_weight *[]) { &b->q, &b->k, &b->v }, 3);
    if (b->q_norm) {
        qkv[0] = trine_rms_norm_heads(p, qkv[0], b->q_norm, w->d_head, w->eps);
        qkv[1] = trine_rms_norm_heads(p, qkv[1], b->k_norm, w->d_head, w->eps);
    }
    qkv[0] = trine_rope_turn(p, qkv[0], w->d_head, &w->rope);
    qkv[1] = trine_rope_turn(p, qkv[1], w->d_head, &w->rope);
    h = trine_self_attention(p, qkv[0], qkv[1], qkv[2], &self);
    x = trine_add(p, x, trine_linear(p, h, &b->o));
    trine_pass_release(p, mark);

    h = trine_rms_norm(p, x, b->ffn_norm, w->eps);
    x = trine_add(p, x, trine_feed_forward(p, h, &b->ffn));
    trine_pass_release(p, mark);
    return x;
}

/* What a tracer sees of a layer that is not the last. */
static void look(const trine_model *m, trine_pass *p, int n, trine_mat x)
{
    const llama_model *w = m->weights;
    if (!p->tracer) return;
    const size_t mark = trine_pass_mark(p);
    trine_model_look(m, p, n, x, trine_rms_norm(p, x, w->final_norm, w->eps));
    trine_pass_release(p, mark);
}

static trine_mat decode(const trine_model *m, trine_pass *p)
{
    const llama_model *w = m->weights;
    trine_mat x = trine_embedding(p, &w->words, NULL);
    for (int n = 0; n < m->info.n_layers; n++) {
        look(m, p, n, x);
        x = trine_layer(p, layer, w, n, x);
    }
    x = trine_rms_norm(p, x, w->final_norm, w->eps);
    trine_model_look(m, p, m->info.n_layers, x, x);
    return x;
}

static trine_mat head(const trine_model *m, trine_pass *p, trine_mat states)
{
    const llama_model *w = m->weights;
    return trine_decoder_head(m, p, states, &w->out);
}

const trine_family trine_family_llama = {
    .name = "llama",
    .paradigm = TRINE_DECODER,
    .model_types = model_types,
    .load = load,
    .unload = unload,
    .decode = decode,
    .head = head,
};
