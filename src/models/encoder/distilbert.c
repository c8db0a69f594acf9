/* distilbert.c - DistilBERT (Sanh et al. 2019): BERT with every second layer, taught by the whole. No token types, no pooler, and
 * names of its own; the layer is BERT's. docs/models/distilbert.md.
 *
 * Checkpoint names, after the prefix "distilbert." (or none); N is the layer:
 *     embeddings.word_embeddings.weight, embeddings.position_embeddings.weight, embeddings.LayerNorm
 *     transformer.layer.N.attention.{q_lin,k_lin,v_lin,out_lin}   [dim, dim] + bias
 *     transformer.layer.N.sa_layer_norm                           [dim]
 *     transformer.layer.N.ffn.{lin1,lin2}                         [hidden_dim, dim], [dim, hidden_dim] + bias
 *     transformer.layer.N.output_layer_norm                       [dim]
 * and the heads, without the prefix:
 *     vocab_transform, vocab_layer_norm, vocab_projector (weight: or the word embeddings)     masked tokens
 *     pre_classifier, classifier                                                              a label a text
 *     classifier                                                                              a label a token */
#include "models/encoder/bert.h"

static const float eps = 1e-12f; /* fixed in this family: its configuration has no field for it */

static bert_layer load_layer(trine_loader *l, const char *prefix, int n, trine_activation activation)
{
    const int d = l->m->info.d_model, d_ff = l->m->info.d_ff;
    const trine_bias bias = TRINE_BIAS_REQUIRED;
    return (bert_layer) {
        .q = trine_load_linear(l, d, d, bias, "%stransformer.layer.%d.attention.q_lin", prefix, n),
        .k = trine_load_linear(l, d, d, bias, "%stransformer.layer.%d.attention.k_lin", prefix, n),
        .v = trine_load_linear(l, d, d, bias, "%stransformer.layer.%d.attention.v_lin", prefix, n),
        .o = trine_load_linear(l, d, d, bias, "%stransformer.layer.%d.attention.out_lin", prefix, n),
        .attention_norm = trine_bert_load_norm(l, d, "%stransformer.layer.%d.sa_layer_norm", prefix, n),
        .ffn = { .up = trine_load_linear(l, d_ff, d, bias, "%stransformer.layer.%d.ffn.lin1", prefix, n),
                 .down = trine_load_linear(l, d, d_ff, bias, "%stransformer.layer.%d.ffn.lin2", prefix, n),
                 .activation = activation },
        .ffn_norm = trine_bert_load_norm(l, d, "%stransformer.layer.%d.output_layer_norm", prefix, n),
    };
}

static bert_model *load_body(trine_loader *l, const char *prefix)
{
    trine_model_info *info = &l->m->info;
    bert_model *w = trine_load_alloc(l, 1, sizeof *w);
    info->n_layers = trine_read_layers(l, "n_layers", 6);
    info->d_model = trine_read_int(l, "dim", 768, 1, TRINE_MAX_WIDTH);
    info->n_heads = trine_read_int(l, "n_heads", 12, 1, TRINE_MAX_WIDTH);
    info->d_ff = trine_read_int(l, "hidden_dim", 3072, 1, TRINE_MAX_WIDTH);
    info->vocab = trine_read_size(l, "vocab_size", 30522);
    info->max_tokens = trine_read_size(l, "max_position_embeddings", 512);
    const trine_activation activation = trine_read_activation(l, "activation", "gelu");
    trine_bert_describe(l);
    if (l->status) return NULL;

    const int d = info->d_model;
    *w = (bert_model) { .n_heads = info->n_heads, .d_head = info->d_head, .eps = eps, .keeps_attention = true, .pad = -1 };
    w->words = trine_load_matrix(l, info->vocab, d, "%sembeddings.word_embeddings.weight", prefix);
    w->positions = trine_load_matrix(l, info->max_tokens, d, "%sembeddings.position_embeddings.weight", prefix);
    w->embedding_norm = trine_bert_load_norm(l, d, "%sembeddings.LayerNorm", prefix);
    info->vocab = w->words.rows;
    info->max_tokens = w->positions.rows;
    w->layers = trine_load_alloc(l, (size_t)info->n_layers, sizeof *w->layers);
    for (int n = 0; n < info->n_layers && !l->status; n++) trine_bert_take_layer(l, w, n, load_layer(l, prefix, n, activation));
    return l->status ? NULL : w;
}

static trine_status load(trine_model *m, trine_error *err)
{
    static const trine_architecture known[] = { { "ForMaskedLM", TRINE_HEAD_MLM },
                                                { "ForSequenceClassification", TRINE_HEAD_LABELS },
                                                { "ForTokenClassification", TRINE_HEAD_TAGS },
                                                { "DistilBertModel", TRINE_HEAD_NONE },
                                                { NULL, TRINE_HEAD_NONE } };
    trine_loader loader = trine_load_begin(m, err), *l = &loader;
    trine_read_tokens(l, -1, -1, 0);
    const trine_head head =
        trine_read_head(l, known, trine_load_has(l, "vocab_transform.weight") ? TRINE_HEAD_MLM : TRINE_HEAD_NONE);
    const bool prefixed = trine_load_wants(l, head != TRINE_HEAD_NONE, "distilbert.embeddings.word_embeddings.weight");
    const char *prefix = prefixed ? "distilbert." : "";
    bert_model *w = load_body(l, prefix);
    if (!w) return trine_load_end(l);
    m->weights = w;

    const int d = m->info.d_model;
    if (head == TRINE_HEAD_MLM) {
        w->head = (bert_head) { .dense = trine_load_linear(l, d, d, TRINE_BIAS_REQUIRED, "vocab_transform"),
                                .activation = w->layers[0].ffn.activation,
                                .norm = trine_bert_load_norm(l, d, "vocab_layer_norm"),
                                .out = trine_load_output(l, &w->words, true, "vocab_projector.weight") };
        w->head.out.bias = trine_load_vector(l, w->head.out.rows, "vocab_projector.bias");
    }
    if (head == TRINE_HEAD_LABELS) {
        w->head.dense = trine_load_linear(l, d, d, TRINE_BIAS_REQUIRED, "pre_classifier");
        w->head.activation = TRINE_RELU;
    }
    if (trine_gives_labels(head)) w->head.out = trine_load_labels(l, TRINE_BIAS_REQUIRED, "classifier");
    return trine_load_end(l);
}

const trine_family trine_family_distilbert = {
    .name = "distilbert",
    .paradigm = TRINE_ENCODER,
    .model_types = (const char *const[]) { "distilbert", NULL },
    .load = load,
    .unload = trine_model_free_copies,
    .encode = trine_bert_encode,
    .head = trine_bert_head,
};
