/* gpt2.c - GPT-2 (Radford et al. 2019): a decoder, each token seeing the past only, trained to predict the next. Learned positions,
 * layer norm before each box (pre-norm) and once at the end, tanh GELU, biases everywhere, output layer = embedding.
 * docs/models/gpt2.md.
 *
 * Checkpoint names, after the prefix "transformer." (or none); N is the layer. Its linear layers are "Conv1D": stored transposed,
 * [in, out].
 *     wte.weight                [vocab, d_model]
 *     wpe.weight                [max_tokens, d_model]
 *     h.N.ln_1.{weight,bias}    [d_model]
 *     h.N.ln_2.{weight,bias}    [d_model]
 *     h.N.attn.c_attn.weight    [d_model, 3 d_model]    q, k and v beside each other; .bias [3 d_model]
 *     h.N.attn.c_proj.weight    [d_model, d_model]      .bias
 *     h.N.mlp.c_fc.weight       [d_model, d_ff]         .bias
 *     h.N.mlp.c_proj.weight     [d_ff, d_model]         .bias
 *     ln_f.{weight,bias}        [d_model]
 *     lm_head.weight            [vocab, d_model]        without the prefix; usually absent: tied to wte
 *     score.weight              [n_labels, d_model]     in its place: one label a text, from its last token
 *     classifier.{weight,bias}  [n_labels, d_model]     or one a token
 * h.N.attn.bias and h.N.attn.masked_bias in old files are causal masks, not weights. */
#include <math.h>

#include "models/model.h"

typedef struct gpt2_norm {
    const float *weight, *bias;
} gpt2_norm;

typedef struct gpt2_layer {
    gpt2_norm attention_norm, ffn_norm;
    trine_weight q, k, v, o;
    trine_feed_forward_weights ffn;
    float scale;
} gpt2_layer;

typedef struct gpt2_model {
    int n_heads, d_head;
    float eps;
    trine_weight words, positions, out; /* out: of the vocabulary or of labels */
    gpt2_layer *layers;
    gpt2_norm final_norm;
} gpt2_model;

/* ----------------------------------------------------------------------------------------------------------- loading */

static gpt2_norm load_norm(trine_loader *l, const char *prefix, int n, const char *name)
{
    const int d = l->m->info.d_model;
    return (gpt2_norm) { .weight = trine_load_vector(l, d, "%sh.%d.%s.weight", prefix, n, name),
                         .bias = trine_load_vector(l, d, "%sh.%d.%s.bias", prefix, n, name) };
}

/* A Conv1D as the linear layer it is. GGUF files have been turned already. */
static trine_weight load_conv1d(trine_loader *l, int rows, int cols, bool turned, const char *prefix, int n, const char *name)
{
    trine_weight w = turned ? trine_load_matrix(l, rows, cols, "%sh.%d.%s.weight", prefix, n, name)
                            : trine_load_transposed(l, rows, cols, "%sh.%d.%s.weight", prefix, n, name);
    w.bias = trine_load_vector(l, rows, "%sh.%d.%s.bias", prefix, n, name);
    return w;
}

static gpt2_layer load_layer(trine_loader *l, const char *prefix, int n, bool turned, trine_activation activation, float scale)
{
    const int d = l->m->info.d_model, d_ff = l->m->info.d_ff;
    const trine_weight qkv = load_conv1d(l, 3 * d, d, turned, prefix, n, "attn.c_attn");
    return (gpt2_layer) {
        .attention_norm = load_norm(l, prefix, n, "ln_1"),
        .ffn_norm = load_norm(l, prefix, n, "ln_2"),
        .q = trine_weight_rows(&qkv, 0, d),
        .k = trine_weight_rows(&qkv, d, d),
        .v = trine_weight_rows(&qkv, 2 * d, d),
        .o = load_conv1d(l, d, d, turned, prefix, n, "attn.c_proj"),
        .ffn = { .up = load_conv1d(l, d_ff, d, turned, prefix, n, "mlp.c_fc"),
                 .down = load_conv1d(l, d, d_ff, turned, prefix, n, "mlp.c_proj"),
                 .activation = activation },
        .scale = scale,
    };
}

static trine_status load(trine_model *m, trine_error *err)
{
    static const trine_architecture known[] = { { "LMHeadModel", TRINE_HEAD_LM },
                                                { "ForSequenceClassification", TRINE_HEAD_LABELS },
                                                { "ForTokenClassification", TRINE_HEAD_TAGS },
                                                { "GPT2Model", TRINE_HEAD_NONE },
                                                { NULL, TRINE_HEAD_NONE } };
    trine_loader loader = trine_load_begin(m, err), *l = &loader;
    trine_model_info *info = &m->info;
    trine_read_tokens(l, 50256, 50256, -1);
    const trine_head head = trine_read_head(l, known, TRINE_HEAD_LM);
    const char *prefix = trine_load_wants(l, head != TRINE_HEAD_NONE, "transformer.wte.weight") ? "transformer." : "";

    gpt2_model *w = trine_load_alloc(l, 1, sizeof *w);
    info->n_layers = trine_read_layers(l, "n_layer", 12);
    info->d_model = trine_read_int(l, "n_embd", 768, 1, TRINE_MAX_WIDTH);
    info->n_heads = info->n_kv_heads = trine_read_int(l, "n_head", 12, 1, TRINE_MAX_WIDTH);
    info->d_ff = trine_read_int(l, "n_inner", 4 * info->d_model, 1, 4 * TRINE_MAX_WIDTH);
    info->vocab = trine_read_size(l, "vocab_size", 50257);
    info->max_tokens = trine_read_size(l, "n_positions", 1024);
    info->norm = "layer norm";
    info->positions = "learned";
    info->pooling = TRINE_POOL_LAST;
    const trine_activation activation = trine_read_activation(l, "activation_function", "gelu_new");
    const float eps = trine_read_float(l, "layer_norm_epsilon", 1e-5f, 0, 1);
    const bool scaled = trine_read_bool(l, "scale_attn_weights", true);
    const bool by_layer = trine_read_bool(l, "scale_attn_by_inverse_layer_idx", false);
    const bool turned = trine_read_bool(l, "trine_conv1d_transposed", false);
    if (!l->status && info->d_model % info->n_heads != 0)
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json has %d heads, which do not divide a width of %d", info->n_heads,
                        info->d_model);
    if (l->status) return trine_load_end(l);

    const int d = info->d_model;
    info->d_head = d / info->n_heads;
    *w = (gpt2_model) { .n_heads = info->n_heads, .d_head = info->d_head, .eps = eps };
    w->words = trine_load_matrix(l, info->vocab, d, "%swte.weight", prefix);
    w->positions = trine_load_matrix(l, info->max_tokens, d, "%swpe.weight", prefix);
    info->vocab = w->words.rows;
    info->max_tokens = w->positions.rows;
    w->layers = trine_load_alloc(l, (size_t)info->n_layers, sizeof *w->layers);
    for (int n = 0; n < info->n_layers && !l->status; n++) {
        const float scale = (scaled ? 1.0f / sqrtf((float)w->d_head) : 1.0f) / (by_layer ? (float)(n + 1) : 1.0f);
        w->layers[n] = load_layer(l, prefix, n, turned, activation, scale);
    }
    w->final_norm = (gpt2_norm) { .weight = trine_load_vector(l, d, "%sln_f.weight", prefix),
                                  .bias = trine_load_vector(l, d, "%sln_f.bias", prefix) };
    if (head == TRINE_HEAD_LM) w->out = trine_load_output(l, &w->words, true, "lm_head.weight");
    if (head == TRINE_HEAD_LABELS) w->out = trine_load_labels(l, TRINE_BIAS_NONE, "score");
    if (head == TRINE_HEAD_TAGS) w->out = trine_load_labels(l, TRINE_BIAS_REQUIRED, "classifier");
    m->weights = w;
    if (!trine_gives_labels(head)) /* labels are of texts that are read whole */
        m->self_shape = (trine_kv_shape) { .n_layers = info->n_layers, .n_kv_heads = w->n_heads, .d_head = w->d_head };
    return trine_load_end(l);
}

/* ----------------------------------------------------------------------------------------------------------- forward */

/* One layer: x += attention(norm x); x += feed_forward(norm x). */
static trine_mat layer(trine_pass *p, const void *weights, int n, trine_mat x)
{
    const gpt2_model *w = weights;
    const gpt2_layer *b = &w->layers[n];
    const trine_attention_spec self = { .layer = n,
                                        .n_heads = w->n_heads,
                                        .n_kv_heads = w->n_heads,
                                        .d_head = w->d_head,
                                        .scale = b->scale,
                                        .causal = true,
                                        .rounds = trine_weight_rounds(&b->q) };
    const size_t mark = trine_pass_mark(p);
    trine_mat h = trine_layer_norm(p, x, b->attention_norm.weight, b->attention_norm.bias, w->eps);
    trine_mat qkv[3];
    trine_linears(p, qkv, h, (const trine_weight *[]) { &b->q, &b->k, &b->v }, 3);
    h = trine_self_attention(p, qkv[0], qkv[1], qkv[2], &self);
    x = trine_add(p, x, trine_dropout(p, trine_linear(p, h, &b->o)));
    trine_pass_release(p, mark);

    h = trine_layer_norm(p, x, b->ffn_norm.weight, b->ffn_norm.bias, w->eps);
    x = trine_add(p, x, trine_dropout(p, trine_feed_forward(p, h, &b->ffn)));
    trine_pass_release(p, mark);
    return x;
}

static trine_mat final_norm(trine_pass *p, const gpt2_model *w, trine_mat x)
{
    return trine_layer_norm(p, x, w->final_norm.weight, w->final_norm.bias, w->eps);
}

/* What a tracer sees of a layer that is not the last. */
static void look(const trine_model *m, trine_pass *p, int n, trine_mat x)
{
    if (!p->tracer) return;
    const size_t mark = trine_pass_mark(p);
    trine_model_look(m, p, n, x, final_norm(p, m->weights, x));
    trine_pass_release(p, mark);
}

static trine_mat decode(const trine_model *m, trine_pass *p)
{
    const gpt2_model *w = m->weights;
    trine_mat x = trine_embedding(p, &w->words, NULL);
    x = trine_dropout(p, trine_add_positions(p, x, &w->positions, 0));
    for (int n = 0; n < m->info.n_layers; n++) {
        look(m, p, n, x);
        x = trine_layer(p, layer, w, n, x);
    }
    x = final_norm(p, w, x);
    trine_model_look(m, p, m->info.n_layers, x, x);
    return x;
}

static trine_mat head(const trine_model *m, trine_pass *p, trine_mat states)
{
    const gpt2_model *w = m->weights;
    return trine_decoder_head(m, p, states, &w->out);
}

const trine_family trine_family_gpt2 = {
    .name = "gpt2",
    .paradigm = TRINE_DECODER,
    .model_types = (const char *const[]) { "gpt2", NULL },
    .load = load,
    .unload = trine_model_free_copies,
    .decode = decode,
    .head = head,
};
