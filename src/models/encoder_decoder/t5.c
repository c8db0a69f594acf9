/* t5.c - T5 (Raffel et al. 2020): text to text. An encoder that sees all of the source, a decoder that sees the past of the target
 * and, through cross-attention, the encoder's states. T5 v1.0, v1.1, FLAN-T5, mT5, ByT5, UMT5, and the encoder alone.
 * docs/models/t5.md. Unlike the 2017 Transformer: RMS norm before each box, no biases, scores not divided by sqrt(d_head),
 * positions only as a bias on the scores: one table a stack, kept in its layer 0 (in UMT5 one a layer).
 *
 * Checkpoint names; N is the layer:
 *     shared.weight (or encoder.embed_tokens.weight)                       [vocab, d_model]
 *     encoder.block.N.layer.0.SelfAttention.{q,k,v}.weight                 [n_heads d_kv, d_model]
 *     encoder.block.N.layer.0.SelfAttention.o.weight                       [d_model, n_heads d_kv]
 *     encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight [buckets, n_heads]
 *     encoder.block.N.layer.0.layer_norm.weight                            [d_model]
 *     encoder.block.N.layer.1.DenseReluDense.wi.weight                     [d_ff, d_model]     ungated, or
 *     encoder.block.N.layer.1.DenseReluDense.{wi_0,wi_1}.weight            [d_ff, d_model]     gated: act(wi_0 x) * wi_1 x
 *     encoder.block.N.layer.1.DenseReluDense.wo.weight                     [d_model, d_ff]
 *     encoder.block.N.layer.1.layer_norm.weight                            [d_model]
 *     encoder.final_layer_norm.weight                                      [d_model]
 *     decoder.* likewise, with cross-attention between the two:
 *     decoder.block.N.layer.1.EncDecAttention.{q,k,v,o}.weight, decoder.block.N.layer.1.layer_norm.weight
 *     decoder.block.N.layer.2.DenseReluDense.*, decoder.block.N.layer.2.layer_norm.weight
 *     lm_head.weight                                                       [vocab, d_model]    absent when tied to shared.weight
 * With labels all but the head is after the prefix "transformer.":
 *     classification_head.dense.{weight,bias}      [d_model, d_model]      a label a text, from the decoder's last row, when the
 *     classification_head.out_proj.{weight,bias}   [n_labels, d_model]     decoder has been given the source once more
 *     classifier.{weight,bias}                     [n_labels, d_model]     a label a token, from the encoder: there is no decoder */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/model.h"

typedef struct t5_layer {
    const float *self_norm;
    trine_weight self_q, self_k, self_v, self_o;
    trine_relative_bias bias;
    const float *cross_norm; /* decoder only, as the next line */
    trine_weight cross_q, cross_k, cross_v, cross_o;
    const float *ffn_norm;
    trine_feed_forward_weights ffn;
} t5_layer;

typedef struct t5_stack {
    int n_layers;
    t5_layer *layers;
    const float *final_norm;
} t5_stack;

typedef struct t5_model {
    int n_heads, d_head;
    float eps;
    float logit_scale;              /* d_model^-0.5 where the output layer is the embedding (v1.0); else 1 */
    trine_weight words, dense, out; /* out: of the vocabulary or of labels */
    t5_stack encoder, decoder;      /* decoder.n_layers 0: the encoder alone */
} t5_model;

/* ----------------------------------------------------------------------------------------------------------- loading */

static trine_weight load_projection(trine_loader *l, int rows, int cols, const char *stack, int n, int sub, const char *name)
{
    return trine_load_matrix(l, rows, cols, "%s.block.%d.layer.%d.%s.weight", stack, n, sub, name);
}

static const float *load_norm(trine_loader *l, const char *stack, int n, int sub)
{
    return trine_load_vector(l, l->m->info.d_model, "%s.block.%d.layer.%d.layer_norm.weight", stack, n, sub);
}

static trine_feed_forward_weights load_feed_forward(trine_loader *l, const char *stack, int n, int sub, trine_activation activation)
{
    const int d = l->m->info.d_model, d_ff = l->m->info.d_ff;
    const bool gated = l->m->info.gated;
    return (trine_feed_forward_weights) {
        .gate = gated ? load_projection(l, d_ff, d, stack, n, sub, "DenseReluDense.wi_0") : (trine_weight) { 0 },
        .up = load_projection(l, d_ff, d, stack, n, sub, gated ? "DenseReluDense.wi_1" : "DenseReluDense.wi"),
        .down = load_projection(l, d, d_ff, stack, n, sub, "DenseReluDense.wo"),
        .activation = activation,
        .drops = true,
    };
}

/* What is multiplied by all rows of the source. */
static void pack_layer(trine_loader *l, t5_layer *b, bool decoder)
{
    trine_weight *const encoding[] = { &b->self_q, &b->self_k, &b->self_v, &b->self_o, &b->ffn.gate, &b->ffn.up, &b->ffn.down };
    trine_weight *const crossing[] = { &b->cross_k, &b->cross_v };
    for (int i = 0; i < (decoder ? 2 : 7); i++) trine_load_packs(l, decoder ? crossing[i] : encoding[i]);
}

static t5_layer load_layer(trine_loader *l, const char *stack, int n, bool decoder, trine_activation activation)
{
    const int d = l->m->info.d_model, inner = l->m->info.n_heads * l->m->info.d_head;
    t5_layer b = {
        .self_norm = load_norm(l, stack, n, 0),
        .self_q = load_projection(l, inner, d, stack, n, 0, "SelfAttention.q"),
        .self_k = load_projection(l, inner, d, stack, n, 0, "SelfAttention.k"),
        .self_v = load_projection(l, inner, d, stack, n, 0, "SelfAttention.v"),
        .self_o = load_projection(l, d, inner, stack, n, 0, "SelfAttention.o"),
    };
    if (decoder) {
        b.cross_norm = load_norm(l, stack, n, 1);
        b.cross_q = load_projection(l, inner, d, stack, n, 1, "EncDecAttention.q");
        b.cross_k = load_projection(l, inner, d, stack, n, 1, "EncDecAttention.k");
        b.cross_v = load_projection(l, inner, d, stack, n, 1, "EncDecAttention.v");
        b.cross_o = load_projection(l, d, inner, stack, n, 1, "EncDecAttention.o");
    }
    b.ffn_norm = load_norm(l, stack, n, decoder ? 2 : 1);
    b.ffn = load_feed_forward(l, stack, n, decoder ? 2 : 1, activation);
    pack_layer(l, &b, decoder);
    return b;
}

static t5_stack load_stack(trine_loader *l, const char *prefix, const char *stack_name, int n_layers, bool decoder,
                           trine_activation activation)
{
    char name[32];
    snprintf(name, sizeof name, "%s%s", prefix, stack_name);
    t5_stack stack = { .n_layers = n_layers, .layers = trine_load_alloc(l, (size_t)n_layers, sizeof *stack.layers) };
    trine_relative_bias bias = { .n_heads = l->m->info.n_heads, .bidirectional = !decoder };
    bias.n_buckets = trine_read_int(l, "relative_attention_num_buckets", 32, 4, 1 << 16);
    /* Beyond the exact buckets distances grow as a logarithm up to this: it must leave room for one. */
    bias.max_distance = trine_read_int(l, "relative_attention_max_distance", 128, bias.n_buckets / 2 + 1, INT_MAX);
    const char *type = trine_read_string(l, "model_type", "t5");
    const bool own = type && !strcmp(type, "umt5");
    for (int n = 0; n < n_layers && !l->status; n++) {
        char table[128];
        snprintf(table, sizeof table, "%s.block.%d.layer.0.SelfAttention.relative_attention_bias.weight", name, n);
        if (n == 0 || trine_load_wants(l, own, "%s", table))
            bias.table = trine_load_table(l, bias.n_buckets, bias.n_heads, "%s", table);
        stack.layers[n] = load_layer(l, name, n, decoder, activation);
        stack.layers[n].bias = bias;
    }
    stack.final_norm = trine_load_vector(l, l->m->info.d_model, "%s.final_layer_norm.weight", name);
    return stack;
}

/* feed_forward_proj is "relu" or "gated-gelu", where that GELU is the tanh one (v1.1); newer configurations add the two parts. */
static trine_activation load_activation(trine_loader *l)
{
    const char *whole = trine_read_string(l, "feed_forward_proj", "relu"), *name = whole ? strrchr(whole, '-') : NULL;
    if (l->status || !whole) return TRINE_RELU;
    name = !strcmp(whole, "gated-gelu") ? "gelu_new" : name ? name + 1 : whole;
    if (strchr(whole, '-') && (strncmp(whole, "gated-", 6) != 0 || strchr(whole, '-') != strrchr(whole, '-')))
        trine_load_fail(l, TRINE_ERROR_UNSUPPORTED,
                        "config.json \"feed_forward_proj\" is \"%s\"; supported: an activation, or gated- and one", whole);
    l->m->info.gated = trine_read_bool(l, "is_gated_act", !strncmp(whole, "gated-", 6));
    return trine_read_activation(l, "dense_act_fn", name);
}

/* Raffel's tied output layer divides states by sqrt(d_model). transformers 5 says so by itself; before, tying meant it. mT5 is
 * never scaled, whatever is said of tying. */
static float load_logit_scale(trine_loader *l)
{
    const char *type = trine_read_string(l, "model_type", "t5");
    const bool when_silent = type && strcmp(type, "mt5") != 0 && trine_read_bool(l, "tie_word_embeddings", true);
    return trine_read_bool(l, "scale_decoder_outputs", when_silent) ? 1.0f / sqrtf((float)l->m->info.d_model) : 1.0f;
}

static trine_status load(trine_model *m, trine_error *err)
{
    static const trine_architecture known[] = { { "ForConditionalGeneration", TRINE_HEAD_LM },
                                                { "WithLMHeadModel", TRINE_HEAD_LM }, /* FLAN's and T5's first name */
                                                { "ForSequenceClassification", TRINE_HEAD_LABELS },
                                                { "ForTokenClassification", TRINE_HEAD_TAGS },
                                                { "EncoderModel", TRINE_HEAD_NONE },
                                                { "T5Model", TRINE_HEAD_NONE },
                                                { NULL, TRINE_HEAD_NONE } };
    trine_loader loader = trine_load_begin(m, err), *l = &loader;
    trine_model_info *info = &m->info;
    trine_read_tokens(l, -1, 1, 0);
    info->decoder_start = trine_read_token(l, "decoder_start_token_id", info->pad);
    const bool unnamed = trine_load_wants(l, true, "decoder.final_layer_norm.weight");
    const trine_head head = trine_read_head(l, known, unnamed ? TRINE_HEAD_LM : TRINE_HEAD_NONE);
    const bool labels = head == TRINE_HEAD_LABELS, tags = head == TRINE_HEAD_TAGS;
    const char *prefix = trine_load_wants(l, labels || tags, "transformer.shared.weight") ? "transformer." : "";
    const bool written = !strstr(info->architecture, "EncoderModel");
    const bool decodes = !tags && trine_load_wants(l, written, "%sdecoder.final_layer_norm.weight", prefix);

    t5_model *w = trine_load_alloc(l, 1, sizeof *w);
    if (!w) return trine_load_end(l);
    m->weights = w;
    info->n_layers = trine_read_layers(l, "num_layers", 6);
    const int n_decoder_layers =
        decodes || head == TRINE_HEAD_LM || labels ? trine_read_layers(l, "num_decoder_layers", info->n_layers) : 0;
    info->d_model = trine_read_int(l, "d_model", TRINE_REQUIRED, 1, TRINE_MAX_WIDTH);
    info->d_ff = trine_read_int(l, "d_ff", TRINE_REQUIRED, 1, TRINE_MAX_WIDTH);
    info->n_heads = info->n_kv_heads = trine_read_int(l, "num_heads", TRINE_REQUIRED, 1, 1 << 16);
    info->d_head = trine_read_int(l, "d_kv", TRINE_REQUIRED, 1, 1 << 14);
    const char *type = trine_read_string(l, "model_type", "t5");
    info->vocab = trine_read_size(l, "vocab_size", type && strcmp(type, "t5") != 0 ? 250112 : 32128);
    info->norm = "rms norm";
    info->positions = "relative";
    info->pooling = TRINE_POOL_MEAN;
    const trine_activation activation = load_activation(l);
    *w = (t5_model) { .n_heads = info->n_heads, .d_head = info->d_head, .logit_scale = 1 };
    w->eps = trine_read_float(l, "layer_norm_epsilon", 1e-6f, 0, 1);
    if (l->status) return trine_load_end(l);

    const char *words = trine_load_wants(l, true, "%sshared.weight", prefix) ? "shared.weight" : "encoder.embed_tokens.weight";
    w->words = trine_load_matrix(l, info->vocab, info->d_model, "%s%s", prefix, words);
    info->vocab = w->words.rows;
    if (!l->status && info->decoder_start >= info->vocab)
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json \"decoder_start_token_id\" is %d, expected 0 to %d",
                        info->decoder_start, info->vocab - 1);
    w->encoder = load_stack(l, prefix, "encoder", info->n_layers, false, activation);
    if (labels) w->dense = trine_load_linear(l, info->d_model, info->d_model, TRINE_BIAS_REQUIRED, "classification_head.dense");
    if (labels || tags) w->out = trine_load_labels(l, TRINE_BIAS_REQUIRED, labels ? "classification_head.out_proj" : "classifier");
    if (!n_decoder_layers) {
        info->paradigm = TRINE_ENCODER;
        return trine_load_end(l);
    }
    info->n_decoder_layers = n_decoder_layers;
    w->decoder = load_stack(l, prefix, "decoder", n_decoder_layers, true, activation);
    if (head == TRINE_HEAD_LM) {
        w->out = trine_load_output(l, &w->words, true, "lm_head.weight");
        w->logit_scale = load_logit_scale(l);
    }
    m->self_shape = (trine_kv_shape) { .n_layers = n_decoder_layers, .n_kv_heads = w->n_heads, .d_head = w->d_head };
    return trine_load_end(l);
}

/* ----------------------------------------------------------------------------------------------------------- forward */

/* x += self_attention(norm x), with the relative bias of the layer's stack. */
static trine_mat self_attention(trine_pass *p, const t5_model *w, const t5_layer *b, int n, bool causal, trine_mat x)
{
    const trine_attention_spec self = { .layer = n,
                                        .n_heads = w->n_heads,
                                        .n_kv_heads = w->n_heads,
                                        .d_head = w->d_head,
                                        .scale = 1.0f,
                                        .causal = causal,
                                        .bias = &b->bias };
    const size_t mark = trine_pass_mark(p);
    trine_mat h = trine_rms_norm(p, x, b->self_norm, w->eps);
    trine_mat qkv[3];
    trine_linears(p, qkv, h, (const trine_weight *[]) { &b->self_q, &b->self_k, &b->self_v }, 3);
    h = trine_self_attention(p, qkv[0], qkv[1], qkv[2], &self);
    x = trine_add(p, x, trine_dropout(p, trine_linear(p, h, &b->self_o)));
    trine_pass_release(p, mark);
    return x;
}

/* x += cross_attention(norm x): queries from the target, keys and values from the encoder, kept by cross(). */
static trine_mat cross_attention(trine_pass *p, const t5_model *w, const t5_layer *b, int n, trine_mat x)
{
    const trine_attention_spec cross = {
        .layer = n, .n_heads = w->n_heads, .n_kv_heads = w->n_heads, .d_head = w->d_head, .scale = 1.0f
    };
    const size_t mark = trine_pass_mark(p);
    trine_mat h = trine_rms_norm(p, x, b->cross_norm, w->eps);
    h = trine_cross_attention(p, trine_linear(p, h, &b->cross_q), &cross);
    x = trine_add(p, x, trine_dropout(p, trine_linear(p, h, &b->cross_o)));
    trine_pass_release(p, mark);
    return x;
}

/* x += feed_forward(norm x): ReLU in v1.0, gated GELU since v1.1. */
static trine_mat feed_forward(trine_pass *p, const t5_model *w, const t5_layer *b, trine_mat x)
{
    const size_t mark = trine_pass_mark(p);
    trine_mat h = trine_rms_norm(p, x, b->ffn_norm, w->eps);
    x = trine_add(p, x, trine_dropout(p, trine_feed_forward(p, h, &b->ffn)));
    trine_pass_release(p, mark);
    return x;
}

static trine_mat encoder_layer(trine_pass *p, const void *weights, int n, trine_mat x)
{
    const t5_model *w = weights;
    const t5_layer *b = &w->encoder.layers[n];
    return feed_forward(p, w, b, self_attention(p, w, b, n, false, x));
}

static trine_mat decoder_layer(trine_pass *p, const void *weights, int n, trine_mat x)
{
    const t5_model *w = weights;
    const t5_layer *b = &w->decoder.layers[n];
    return feed_forward(p, w, b, cross_attention(p, w, b, n, self_attention(p, w, b, n, true, x)));
}

/* What a tracer sees of a layer that is not the last. */
static void look(const trine_model *m, trine_pass *p, const t5_stack *stack, int n, trine_mat x)
{
    const t5_model *w = m->weights;
    if (!p->tracer) return;
    const size_t mark = trine_pass_mark(p);
    trine_model_look(m, p, n, x, trine_rms_norm(p, x, stack->final_norm, w->eps));
    trine_pass_release(p, mark);
}

/* The source's states. A tracer sees them as "encoder...."; they have no logits, so the lens stays closed. */
static trine_mat encode(const trine_model *m, trine_pass *p)
{
    const t5_model *w = m->weights;
    trine_tracer *outer = p->tracer, tracer = { 0 };
    if (outer) {
        tracer = *outer;
        if (w->decoder.n_layers) tracer.prefix = "encoder.";
        tracer.lens = false;
        p->tracer = &tracer;
    }
    trine_mat x = trine_dropout(p, trine_embedding(p, &w->words, NULL));
    for (int n = 0; n < w->encoder.n_layers; n++) {
        look(m, p, &w->encoder, n, x);
        x = trine_layer(p, encoder_layer, w, n, x);
    }
    x = trine_dropout(p, trine_rms_norm(p, x, w->encoder.final_norm, w->eps));
    trine_model_look(m, p, w->encoder.n_layers, x, x);
    p->tracer = outer;
    return x;
}

/* Each decoder layer's keys and values of the source, made once a request. */
static void cross(const trine_model *m, trine_pass *p, trine_mat states)
{
    const t5_model *w = m->weights;
    for (int n = 0; n < w->decoder.n_layers; n++) {
        const size_t mark = trine_pass_mark(p);
        const t5_layer *b = &w->decoder.layers[n];
        trine_mat kv[2];
        trine_linears(p, kv, states, (const trine_weight *[]) { &b->cross_k, &b->cross_v }, 2);
        trine_cross_append(p, n, kv[0], kv[1]);
        trine_pass_release(p, mark);
    }
}

static trine_mat decode(const trine_model *m, trine_pass *p)
{
    const t5_model *w = m->weights;
    trine_mat x = trine_dropout(p, trine_embedding(p, &w->words, NULL));
    for (int n = 0; n < w->decoder.n_layers; n++) {
        look(m, p, &w->decoder, n, x);
        x = trine_layer(p, decoder_layer, w, n, x);
    }
    x = trine_dropout(p, trine_rms_norm(p, x, w->decoder.final_norm, w->eps));
    trine_model_look(m, p, w->decoder.n_layers, x, x);
    return x;
}

static trine_mat head(const trine_model *m, trine_pass *p, trine_mat states)
{
    const t5_model *w = m->weights;
    const bool last = m->info.head == TRINE_HEAD_LABELS && !p->batch->out_rows;
    trine_mat x = last ? trine_last_rows(p, states, -1) : trine_take_rows(p, states, p->batch->out_rows, p->batch->n_out);
    if (m->info.head == TRINE_HEAD_NONE) return x;
    if (m->info.head == TRINE_HEAD_LABELS) x = trine_activate(p, trine_linear(p, trine_dropout(p, x), &w->dense), TRINE_TANH);
    if (m->info.head != TRINE_HEAD_LM) x = trine_dropout(p, x);
    return trine_logits(p, x, &w->out, w->logit_scale);
}

const trine_family trine_family_t5 = {
    .name = "t5",
    .paradigm = TRINE_ENCODER_DECODER,
    .model_types = (const char *const[]) { "t5", "mt5", "umt5", NULL },
    .load = load,
    .unload = trine_model_free_copies,
    .encode = encode,
    .cross = cross,
    .decode = decode,
    .head = head,
};
