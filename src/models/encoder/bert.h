/* bert.h - the encoder of BERT, shared with its two descendants: RoBERTa counts positions differently and names another head,
 * DistilBERT drops the token types and renames everything. The layer and the passes are BERT's own, in bert.c. */
#ifndef TRINE_MODELS_BERT_H
#define TRINE_MODELS_BERT_H

#include "models/model.h"

typedef struct bert_norm {
    const float *weight, *bias;
} bert_norm;

typedef struct bert_layer {
    trine_weight q, k, v, o;
    bert_norm attention_norm;
    trine_feed_forward_weights ffn;
    bert_norm ffn_norm;
} bert_layer;

/* Every head is the same two boxes: out(norm(act(dense(x)))); dense or the norm may be missing. */
typedef struct bert_head {
    trine_weight dense; /* data NULL: none */
    trine_activation activation;
    bert_norm norm; /* weight NULL: none */
    bool drops;     /* training drops elements of what dense takes, beside those of what out takes (RoBERTa, labels) */
    trine_weight out;
} bert_head;

typedef struct bert_model {
    int n_heads, d_head;
    float eps;
    bool keeps_attention; /* training does not drop elements of what attention adds (DistilBERT) */
    int pad;              /* RoBERTa counts positions from pad + 1 and skips pad tokens; -1: positions are 0, 1, 2... */
    trine_weight words, positions, types; /* types.data NULL: none */
    bert_norm embedding_norm;
    bert_layer *layers;
    bert_head head;
} bert_model;

/* The norm NAME.weight and NAME.bias, or NAME.gamma and NAME.beta in checkpoints made from TensorFlow's. */
bert_norm trine_bert_load_norm(trine_loader *l, int width, const char *name, ...) __attribute__((format(printf, 3, 4)));
/* Layer n of the model, whose weights are multiplied by many rows (trine_load_packs). */
void trine_bert_take_layer(trine_loader *l, bert_model *w, int n, bert_layer layer);
/* What all three say of themselves in m->info, and that the heads divide the width. */
void trine_bert_describe(trine_loader *l);
/* The configuration that BERT and RoBERTa share, and all weights below the head. `prefix` is "bert." or "";
 * `default_vocab` is for a configuration without a file that does not say it. */
bert_model *trine_bert_load_body(trine_loader *l, const char *prefix, const char *activation, int default_vocab);
trine_mat trine_bert_encode(const trine_model *m, trine_pass *p);
trine_mat trine_bert_head(const trine_model *m, trine_pass *p, trine_mat states);

#endif
