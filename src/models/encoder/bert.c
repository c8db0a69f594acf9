/* bert.c - BERT (Devlin et al. 2019): the encoder of "Attention Is All You Need", every token seeing every token, trained to fill
 * blanks. Learned positions, token types, layer norm after each sum (post-norm), GELU, biases everywhere. docs/models/bert.md.
 *
 * Checkpoint names, after the prefix "bert." (none in sentence-transformers' files); N is the layer:
 *     embeddings.word_embeddings.weight                  [vocab, d_model]
 *     embeddings.position_embeddings.weight              [max_tokens, d_model]
 *     embeddings.token_type_embeddings.weight            [types, d_model]
 *     embeddings.LayerNorm.{weight,bias}                 [d_model]       (older: .gamma, .beta)
 *     encoder.layer.N.attention.self.{query,key,value}   [d_model, d_model] + bias
 *     encoder.layer.N.attention.output.dense             [d_model, d_model] + bias
 *     encoder.layer.N.attention.output.LayerNorm         [d_model]
 *     encoder.layer.N.intermediate.dense                 [d_ff, d_model] + bias
 *     encoder.layer.N.output.dense                       [d_model, d_ff] + bias
 *     encoder.layer.N.output.LayerNorm                   [d_model]
 *     pooler.dense                                       [d_model, d_model] + bias
 * and the heads, without the prefix:
 *     cls.predictions.transform.dense, cls.predictions.transform.LayerNorm, cls.predictions.decoder.weight (or the word
 *     embeddings), cls.predictions.bias                  masked tokens
 *     classifier                                         [labels, d_model] + bias, of the pooled text or of each token */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "models/encoder/bert.h"

/* ----------------------------------------------------------------------------------------------------------- loading */

bert_norm trine_bert_load_norm(trine_loader *l, int width, const char *format, ...)
{
    char name[160];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    const bool older = trine_load_has(l, "%s.gamma", name);
    return (bert_norm) { .weight = trine_load_vector(l, width, "%s.%s", name, older ? "gamma" : "weight"),
                         .bias = trine_load_vector(l, width, "%s.%s", name, older ? "beta" : "bias") };
}

static bert_layer load_layer(trine_loader *l, const char *prefix, int n, trine_activation activation)
{
    const int d = l->m->info.d_model, d_ff = l->m->info.d_ff;
    const trine_bias bias = TRINE_BIAS_REQUIRED;
    return (bert_layer) {
        .q = trine_load_linear(l, d, d, bias, "%sencoder.layer.%d.attention.self.query", prefix, n),
        .k = trine_load_linear(l, d, d, bias, "%sencoder.layer.%d.attention.self.key", prefix, n),
        .v = trine_load_linear(l, d, d, bias, "%sencoder.layer.%d.attention.self.value", prefix, n),
        .o = trine_load_linear(l, d, d, bias, "%sencoder.layer.%d.attention.output.dense", prefix, n),
        .attention_norm = trine_bert_load_norm(l, d, "%sencoder.layer.%d.attention.output.LayerNorm", prefix, n),
        .ffn = { .up = trine_load_linear(l, d_ff, d, bias, "%sencoder.layer.%d.intermediate.dense", prefix, n),
                 .down = trine_load_linear(l, d, d_ff, bias, "%sencoder.layer.%d.output.dense", prefix, n),
                 .activation = activation },
        .ffn_norm = trine_bert_load_norm(l, d, "%sencoder.layer.%d.output.LayerNorm", prefix, n),
    };
}

void trine_bert_take_layer(trine_loader *l, bert_model *w, int n, bert_layer layer)
{
    trine_weight *const all[] = { &layer.q, &layer.k, &layer.v, &layer.o, &layer.ffn.up, &layer.ffn.down };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) trine_load_packs(l, all[i]);
    w->layers[n] = layer;
}

void trine_bert_describe(trine_loader *l)
{
    trine_model_info *info = &l->m->info;
    info->norm = "layer norm";
    info->positions = "learned";
    info->pooling = TRINE_POOL_MEAN;
    info->n_kv_heads = info->n_heads;
    if (l->status) return;
    info->d_head = info->d_model / info->n_heads;
    if (info->d_head * info->n_heads != info->d_model)
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json has %d heads, which do not divide a width of %d", info->n_heads,
                        info->d_model);
}

bert_model *trine_bert_load_body(trine_loader *l, const char *prefix, const char *activation_field, int default_vocab)
{
    trine_model_info *info = &l->m->info;
    const char *kind = trine_read_string(l, "position_embedding_type", "absolute");
    if (!l->status && strcmp(kind, "absolute") != 0)
        trine_load_fail(l, TRINE_ERROR_UNSUPPORTED, "config.json \"position_embedding_type\" is \"%s\"; supported: absolute", kind);
    if (trine_read_bool(l, "is_decoder", false))
        trine_load_fail(l, TRINE_ERROR_UNSUPPORTED, "config.json has \"is_decoder\": true; supported: encoders");

    bert_model *w = trine_load_alloc(l, 1, sizeof *w);
    info->n_layers = trine_read_layers(l, "num_hidden_layers", 12);
    info->d_model = trine_read_int(l, "hidden_size", TRINE_REQUIRED, 1, TRINE_MAX_WIDTH);
    info->n_heads = trine_read_int(l, "num_attention_heads", 12, 1, TRINE_MAX_WIDTH);
    info->d_ff = trine_read_int(l, "intermediate_size", 3072, 1, TRINE_MAX_WIDTH);
    info->vocab = trine_read_size(l, "vocab_size", default_vocab);
    info->max_tokens = trine_read_size(l, "max_position_embeddings", 512);
    const int n_types = trine_read_size(l, "type_vocab_size", 2);
    const trine_activation activation = trine_read_activation(l, activation_field, "gelu");
    const float eps = trine_read_float(l, "layer_norm_eps", 1e-12f, 0, 1);
    trine_bert_describe(l);
    if (l->status) return NULL;

    const int d = info->d_model;
    *w = (bert_model) { .n_heads = info->n_heads, .d_head = info->d_head, .eps = eps, .pad = -1 };
    w->words = trine_load_matrix(l, info->vocab, d, "%sembeddings.word_embeddings.weight", prefix);
    w->positions = trine_load_matrix(l, info->max_tokens, d, "%sembeddings.position_embeddings.weight", prefix);
    w->types = trine_load_matrix(l, n_types, d, "%sembeddings.token_type_embeddings.weight", prefix);
    l->m->n_types = w->types.rows;
    w->embedding_norm = trine_bert_load_norm(l, d, "%sembeddings.LayerNorm", prefix);
    info->vocab = w->words.rows;
    info->max_tokens = w->positions.rows;
    w->layers = trine_load_alloc(l, (size_t)info->n_layers, sizeof *w->layers);
    for (int n = 0; n < info->n_layers && !l->status; n++) trine_bert_take_layer(l, w, n, load_layer(l, prefix, n, activation));
    return l->status ? NULL : w;
}

static bert_head load_masked_head(trine_loader *l, const bert_model *w)
{
    const int d = l->m->info.d_model;
    bert_head head = { .dense = trine_load_linear(l, d, d, TRINE_BIAS_REQUIRED, "cls.predictions.transform.dense"),
                       .norm = trine_bert_load_norm(l, d, "cls.predictions.transform.LayerNorm"),
                       .activation = w->layers[0].ffn.activation,
                       .out = trine_load_output(l, &w->words, true, "cls.predictions.decoder.weight") };
    /* One vector under two names; transformers computes with the decoder's when a file has both, as one of untied weights does. */
    const bool own = trine_load_wants(l, !l->m->info.tied, "cls.predictions.decoder.bias");
    head.out.bias = trine_load_vector(l, head.out.rows, "%s", own ? "cls.predictions.decoder.bias" : "cls.predictions.bias");
    if (own) trine_load_unused(l, head.out.rows, 0, "cls.predictions.bias");
    return head;
}

static trine_status load(trine_model *m, trine_error *err)
{
    static const trine_architecture known[] = { { "ForMaskedLM", TRINE_HEAD_MLM },
                                                { "ForPreTraining", TRINE_HEAD_MLM },
                                                { "ForSequenceClassification", TRINE_HEAD_LABELS },
                                                { "ForTokenClassification", TRINE_HEAD_TAGS },
                                                { "BertModel", TRINE_HEAD_NONE },
                                                { NULL, TRINE_HEAD_NONE } };
    trine_loader loader = trine_load_begin(m, err), *l = &loader;
    trine_read_tokens(l, -1, -1, 0);
    const trine_head head =
        trine_read_head(l, known, trine_load_has(l, "cls.predictions.transform.dense.weight") ? TRINE_HEAD_MLM : TRINE_HEAD_NONE);
    const char *prefix = trine_load_wants(l, head != TRINE_HEAD_NONE, "bert.embeddings.word_embeddings.weight") ? "bert." : "";
    bert_model *w = trine_bert_load_body(l, prefix, "hidden_act", 30522);
    if (!w) return trine_load_end(l);
    m->weights = w;

    const int d = m->info.d_model;
    /* The plain model's pooler belongs to it, though embeddings are pooled from the states. */
    if (trine_load_blank(l) && (head == TRINE_HEAD_NONE || !strcmp(m->info.architecture, "BertForPreTraining"))) {
        trine_load_unused(l, d, d, "%spooler.dense.weight", prefix);
        trine_load_unused(l, d, 0, "%spooler.dense.bias", prefix);
    }
    if (head == TRINE_HEAD_LABELS || (head == TRINE_HEAD_NONE && trine_load_has(l, "%spooler.dense.weight", prefix))) {
        w->head.dense = trine_load_linear(l, d, d, TRINE_BIAS_REQUIRED, "%spooler.dense", prefix);
        w->head.activation = TRINE_TANH;
    }
    if (head == TRINE_HEAD_MLM) w->head = load_masked_head(l, w);
    if (!strcmp(m->info.architecture, "BertForPreTraining")) {
        trine_load_unused(l, 2, d, "cls.seq_relationship.weight");
        trine_load_unused(l, 2, 0, "cls.seq_relationship.bias");
    }
    if (trine_gives_labels(head)) w->head.out = trine_load_labels(l, TRINE_BIAS_REQUIRED, "classifier");
    return trine_load_end(l);
}

/* ----------------------------------------------------------------------------------------------------------- forward */

/* Indices made by the pass, [n] from the arena; NULL while measuring. */
static int32_t *indices(trine_pass *p, int n) { return trine_pass_alloc(p, (size_t)n, sizeof(int32_t)); }

/* RoBERTa's positions (Liu et al. 2019, fairseq's make_positions): the first token is at pad + 1, and a pad token stays at pad. */
static trine_mat add_counted_positions(trine_pass *p, const bert_model *w, trine_mat x)
{
    int32_t *pos = indices(p, x.rows);
    for (int s = 0; pos && s < p->batch->n_segments; s++) {
        const trine_segment *segment = &p->batch->segments[s];
        for (int i = 0, next = w->pad + 1; i < segment->n_rows; i++) {
            const int row = segment->first_row + i;
            pos[row] = p->batch->ids[row] == w->pad ? w->pad : next++;
            if (pos[row] < w->positions.rows) continue;
            trine_pass_fail(p, TRINE_ERROR_TOO_LONG, "positions: the text has more than %d tokens", w->positions.rows - w->pad - 1);
            return x;
        }
    }
    return trine_add(p, x, trine_embedding(p, &w->positions, pos));
}

/* Word + token type + position, then a norm (Devlin et al., fig. 2). */
static trine_mat embed(trine_pass *p, const bert_model *w)
{
    trine_mat x = trine_embedding(p, &w->words, NULL);
    const size_t mark = trine_pass_mark(p);
    if (w->types.data) {
        const int32_t *types = p->batch->types;
        if (!types) {
            int32_t *zeros = indices(p, x.rows);
            if (zeros) memset(zeros, 0, (size_t)x.rows * sizeof *zeros);
            types = zeros;
        }
        x = trine_add(p, x, trine_embedding(p, &w->types, types));
    }
    x = w->pad < 0 ? trine_add_positions(p, x, &w->positions, 0) : add_counted_positions(p, w, x);
    x = trine_dropout(p, trine_layer_norm_over(p, x, w->embedding_norm.weight, w->embedding_norm.bias, w->eps));
    trine_pass_release(p, mark);
    return x;
}

/* One layer (Vaswani et al. 2017, sec. 3.1): x = norm(x + attention(x)); x = norm(x + feed_forward(x)). */
static trine_mat layer(trine_pass *p, const void *weights, int n, trine_mat x)
{
    const bert_model *w = weights;
    const bert_layer *b = &w->layers[n];
    /* bf16 attention would be the largest error of a model in bf16, whose other products round only x; not of one in bytes. */
    const trine_attention_spec self = { .layer = n,
                                        .n_heads = w->n_heads,
                                        .n_kv_heads = w->n_heads,
                                        .d_head = w->d_head,
                                        .scale = 1.0f / sqrtf((float)w->d_head),
                                        .causal = false,
                                        .rounds = trine_weight_in_blocks(&b->q) };
    const size_t mark = trine_pass_mark(p);
    trine_mat qkv[3];
    trine_linears(p, qkv, x, (const trine_weight *[]) { &b->q, &b->k, &b->v }, 3);
    trine_mat h = trine_self_attention(p, qkv[0], qkv[1], qkv[2], &self);
    h = trine_linear(p, h, &b->o);
    x = trine_add(p, x, w->keeps_attention ? h : trine_dropout(p, h));
    x = trine_layer_norm_over(p, x, b->attention_norm.weight, b->attention_norm.bias, w->eps);
    trine_pass_release(p, mark);

    x = trine_add(p, x, trine_dropout(p, trine_feed_forward(p, x, &b->ffn)));
    x = trine_layer_norm_over(p, x, b->ffn_norm.weight, b->ffn_norm.bias, w->eps);
    trine_pass_release(p, mark);
    return x;
}

trine_mat trine_bert_encode(const trine_model *m, trine_pass *p)
{
    const bert_model *w = m->weights;
    trine_mat x = embed(p, w);
    trine_model_look(m, p, 0, x, x);
    for (int n = 0; n < m->info.n_layers; n++) {
        x = trine_layer(p, layer, w, n, x);
        trine_model_look(m, p, n + 1, x, x);
    }
    return x;
}

/* Labels are read from the first token, [CLS] or <s>; all else from the rows that are asked for. */
trine_mat trine_bert_head(const trine_model *m, trine_pass *p, trine_mat states)
{
    const bert_model *w = m->weights;
    const bert_head *head = &w->head;
    trine_mat x = m->info.head == TRINE_HEAD_LABELS ? trine_first_rows(p, states)
                                                    : trine_take_rows(p, states, p->batch->out_rows, p->batch->n_out);
    if (m->info.head == TRINE_HEAD_NONE) return x;
    if (head->drops) x = trine_dropout(p, x);
    if (head->dense.data) {
        x = trine_linear(p, x, &head->dense);
        x = trine_activate(p, x, head->activation);
    }
    if (head->norm.weight) x = trine_layer_norm_over(p, x, head->norm.weight, head->norm.bias, w->eps);
    if (m->info.head != TRINE_HEAD_MLM) x = trine_dropout(p, x);
    return trine_logits(p, x, &head->out, 1);
}

const trine_family trine_family_bert = {
    .name = "bert",
    .paradigm = TRINE_ENCODER,
    .model_types = (const char *const[]) { "bert", NULL },
    .load = load,
    .unload = trine_model_free_copies,
    .encode = trine_bert_encode,
    .head = trine_bert_head,
};
