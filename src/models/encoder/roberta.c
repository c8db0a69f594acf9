/* roberta.c - RoBERTa (Liu et al. 2019): BERT's encoder trained longer on more, without next-sentence prediction. As a network it
 * differs in three places: positions are counted from pad + 1 and pad tokens do not count, the heads have other names, and a
 * text's label is read through a dense layer of the head instead of a pooler. XLM-RoBERTa and CamemBERT are the same network.
 * docs/models/roberta.md.
 *
 * Checkpoint names: those of bert.c after the prefix "roberta." (or none), and the heads, without the prefix:
 *     lm_head.dense, lm_head.layer_norm, lm_head.decoder.weight (or the word embeddings), lm_head.bias       masked tokens
 *     classifier.dense, classifier.out_proj                                                                 a label a text
 *     classifier                                                                                            a label a token */
#include <string.h>

#include "models/encoder/bert.h"

static bert_head load_masked_head(trine_loader *l, const bert_model *w)
{
    const int d = l->m->info.d_model;
    /* The head's GELU is the exact one, whatever hidden_act says. */
    bert_head head = { .dense = trine_load_linear(l, d, d, TRINE_BIAS_REQUIRED, "lm_head.dense"),
                       .norm = trine_bert_load_norm(l, d, "lm_head.layer_norm"),
                       .activation = TRINE_GELU,
                       .out = trine_load_output(l, &w->words, true, "lm_head.decoder.weight") };
    const bool own = trine_load_wants(l, !l->m->info.tied, "lm_head.decoder.bias");
    head.out.bias = trine_load_vector(l, head.out.rows, "%s", own ? "lm_head.decoder.bias" : "lm_head.bias");
    if (own) trine_load_unused(l, head.out.rows, 0, "lm_head.bias");
    return head;
}

static trine_status load(trine_model *m, trine_error *err)
{
    static const trine_architecture known[] = { { "ForMaskedLM", TRINE_HEAD_MLM },
                                                { "ForSequenceClassification", TRINE_HEAD_LABELS },
                                                { "ForTokenClassification", TRINE_HEAD_TAGS },
                                                { "RobertaModel", TRINE_HEAD_NONE },
                                                { "CamembertModel", TRINE_HEAD_NONE },
                                                { NULL, TRINE_HEAD_NONE } };
    trine_loader loader = trine_load_begin(m, err), *l = &loader;
    trine_read_tokens(l, 0, 2, 1);
    const trine_head head = trine_read_head(l, known, trine_load_has(l, "lm_head.dense.weight") ? TRINE_HEAD_MLM : TRINE_HEAD_NONE);
    const bool prefixed = trine_load_wants(l, head != TRINE_HEAD_NONE, "roberta.embeddings.word_embeddings.weight");
    const char *prefix = prefixed ? "roberta." : "", *type = trine_read_string(l, "model_type", "roberta");
    const bool plain = type && !strcmp(type, "roberta");
    bert_model *w = trine_bert_load_body(l, prefix, "hidden_act", plain ? 50265 : 30522);
    if (!w) return trine_load_end(l);
    m->weights = w;
    w->pad = m->info.pad < 0 ? 1 : m->info.pad;
    m->info.max_tokens = w->positions.rows - w->pad - 1;
    if (m->info.max_tokens < 1)
        trine_load_fail(l, TRINE_ERROR_FORMAT,
                        "config.json \"max_position_embeddings\" is %d, expected more than pad_token_id + 1 = %d",
                        w->positions.rows, w->pad + 1);

    const int d = m->info.d_model;
    if (head == TRINE_HEAD_NONE) {
        trine_load_unused(l, d, d, "%spooler.dense.weight", prefix);
        trine_load_unused(l, d, 0, "%spooler.dense.bias", prefix);
    }
    if (head == TRINE_HEAD_NONE && trine_load_has(l, "%spooler.dense.weight", prefix))
        w->head.dense = trine_load_linear(l, d, d, TRINE_BIAS_REQUIRED, "%spooler.dense", prefix);
    if (head == TRINE_HEAD_MLM) w->head = load_masked_head(l, w);
    if (head == TRINE_HEAD_LABELS) {
        w->head.dense = trine_load_linear(l, d, d, TRINE_BIAS_REQUIRED, "classifier.dense");
        w->head.activation = TRINE_TANH;
        w->head.drops = true;
        w->head.out = trine_load_labels(l, TRINE_BIAS_REQUIRED, "classifier.out_proj");
    }
    if (head == TRINE_HEAD_TAGS) w->head.out = trine_load_labels(l, TRINE_BIAS_REQUIRED, "classifier");
    return trine_load_end(l);
}

const trine_family trine_family_roberta = {
    .name = "roberta",
    .paradigm = TRINE_ENCODER,
    .model_types = (const char *const[]) { "roberta", "xlm-roberta", "camembert", NULL },
    .load = load,
    .unload = trine_model_free_copies,
    .encode = trine_bert_encode,
    .head = trine_bert_head,
};
