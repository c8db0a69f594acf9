/* gguf_bert.c - BERT, RoBERTa and DistilBERT in GGUF, which calls all of them "bert".
 *
 * RoBERTa numbers positions from pad + 1; GGUF cuts the unused rows off, so that a text starts at row 0. The heads for masked
 * tokens have no names in GGUF and keep those of Hugging Face. */
#include <string.h>

#include "base/utf8.h"
#include "checkpoint/gguf_architecture.h"

/* BERT and RoBERTa differ in the first word and in their heads. */
#define TRUNK(model)                                                                                                               \
    { "token_embd", model ".embeddings.word_embeddings", 0 }, { "position_embd", model ".embeddings.position_embeddings", 0 },     \
        { "token_types", model ".embeddings.token_type_embeddings", 0 }, { "token_embd_norm", model ".embeddings.LayerNorm", 0 },  \
        { "blk.*.attn_q", model ".encoder.layer.*.attention.self.query", 0 },                                                      \
        { "blk.*.attn_k", model ".encoder.layer.*.attention.self.key", 0 },                                                        \
        { "blk.*.attn_v", model ".encoder.layer.*.attention.self.value", 0 },                                                      \
        { "blk.*.attn_output", model ".encoder.layer.*.attention.output.dense", 0 },                                               \
        { "blk.*.attn_output_norm", model ".encoder.layer.*.attention.output.LayerNorm", 0 },                                      \
        { "blk.*.ffn_up", model ".encoder.layer.*.intermediate.dense", 0 },                                                        \
        { "blk.*.ffn_down", model ".encoder.layer.*.output.dense", 0 },                                                            \
    {                                                                                                                              \
        "blk.*.layer_output_norm", model ".encoder.layer.*.output.LayerNorm", 0                                                    \
    }

static const trine_gguf_name bert_names[] = {
    TRUNK("bert"),
    { "cls", "bert.pooler.dense", 0 },
    { "cls.output", "classifier", 0 },
    { NULL, NULL, 0 },
};

static const trine_gguf_name roberta_names[] = {
    TRUNK("roberta"),
    { "cls", "classifier.dense", 0 },
    { "cls.output", "classifier.out_proj", 0 },
    { NULL, NULL, 0 },
};

static const trine_gguf_name distilbert_names[] = {
    { "token_embd", "distilbert.embeddings.word_embeddings", 0 },
    { "position_embd", "distilbert.embeddings.position_embeddings", 0 },
    { "token_embd_norm", "distilbert.embeddings.LayerNorm", 0 },
    { "blk.*.attn_q", "distilbert.transformer.layer.*.attention.q_lin", 0 },
    { "blk.*.attn_k", "distilbert.transformer.layer.*.attention.k_lin", 0 },
    { "blk.*.attn_v", "distilbert.transformer.layer.*.attention.v_lin", 0 },
    { "blk.*.attn_output", "distilbert.transformer.layer.*.attention.out_lin", 0 },
    { "blk.*.attn_output_norm", "distilbert.transformer.layer.*.sa_layer_norm", 0 },
    { "blk.*.ffn_up", "distilbert.transformer.layer.*.ffn.lin1", 0 },
    { "blk.*.ffn_down", "distilbert.transformer.layer.*.ffn.lin2", 0 },
    { "blk.*.layer_output_norm", "distilbert.transformer.layer.*.output_layer_norm", 0 },
    { "cls", "pre_classifier", 0 },
    { "cls.output", "classifier", 0 },
    { NULL, NULL, 0 },
};

static const trine_gguf_field bert_fields[] = {
    { ".embedding_length", "hidden_size", TRINE_FIELD_INT, true },
    { ".block_count", "num_hidden_layers", TRINE_FIELD_INT, true },
    { ".feed_forward_length", "intermediate_size", TRINE_FIELD_INT, true },
    { ".attention.head_count", "num_attention_heads", TRINE_FIELD_INT, true },
    { ".context_length", "max_position_embeddings", TRINE_FIELD_INT, true },
    { ".vocab_size", "vocab_size", TRINE_FIELD_INT, false },
    { ".attention.layer_norm_epsilon", "layer_norm_eps", TRINE_FIELD_FLOAT, true },
    { "tokenizer.ggml.token_type_count", "type_vocab_size", TRINE_FIELD_INT, false },
    { NULL, NULL, TRINE_FIELD_INT, false },
};

/* The same facts under DistilBERT's keys. */
static const trine_gguf_field distilbert_fields[] = {
    { ".embedding_length", "dim", TRINE_FIELD_INT, true },
    { ".block_count", "n_layers", TRINE_FIELD_INT, true },
    { ".feed_forward_length", "hidden_dim", TRINE_FIELD_INT, true },
    { ".attention.head_count", "n_heads", TRINE_FIELD_INT, true },
    { ".context_length", "max_position_embeddings", TRINE_FIELD_INT, true },
    { ".vocab_size", "vocab_size", TRINE_FIELD_INT, false },
    { NULL, NULL, TRINE_FIELD_INT, false },
};

static trine_status to_config(trine_json_builder *config, const trine_gguf *g, trine_error *err)
{
    (void)err;
    trine_json_put(config, "hidden_act", json_string("gelu"));
    size_t n_labels;
    if (!trine_gguf_get_array(&n_labels, g, "bert.classifier.output_labels") || !n_labels ||
        !trine_gguf_has_tensor(g, "cls.output.weight"))
        return TRINE_OK;
    trine_json_builder labels = { .object = json_object() };
    for (size_t i = 0; i < n_labels; i++) {
        trine_gguf_string label;
        char key[24];
        snprintf(key, sizeof key, "%zu", i);
        if (trine_gguf_array_string(&label, g, "bert.classifier.output_labels", i) && trine_utf8_valid(label.data, label.n) &&
            !memchr(label.data, 0, label.n))
            trine_json_put(&labels, key, json_stringn(label.data, label.n));
    }
    config->failed |= labels.failed;
    trine_json_put(config, "id2label", labels.object);
    trine_json_put(config, "architectures", json_pack("[s]", "BertForSequenceClassification"));
    return TRINE_OK;
}

static void to_gguf(trine_gguf_head *h, const json_t *config)
{
    trine_gguf_put_bool(h, ".attention.causal", false);
    const char *type = json_string_value(json_object_get(config, "model_type"));
    if (type && !strcmp(type, "distilbert")) {
        trine_gguf_put_f32(h, ".attention.layer_norm_epsilon", 1e-12f);
        trine_gguf_put_u32(h, "tokenizer.ggml.token_type_count", 1);
    }
    const json_t *labels = json_object_get(config, "id2label");
    const size_t n = json_object_size(labels);
    const char *texts[256];
    if (!n || n > sizeof texts / sizeof *texts) return; /* the configuration is stored whole beside it */
    for (size_t i = 0; i < n; i++) {
        char key[24];
        snprintf(key, sizeof key, "%zu", i);
        texts[i] = json_string_value(json_object_get(labels, key));
        if (!texts[i]) return;
    }
    trine_gguf_put_strings(h, ".classifier.output_labels", texts, n);
}

const trine_gguf_architecture trine_gguf_bert = {
    .gguf = "bert",
    .model_type = "bert",
    .class_name = "BertModel",
    .prefix = "bert.",
    .names = bert_names,
    .fields = bert_fields,
    .to_config = to_config,
    .to_gguf = to_gguf,
};
#define ROBERTA                                                                                                                    \
    .gguf = "bert", .prefix = "roberta.", .names = roberta_names, .fields = bert_fields, .positions_cut = true,                    \
    .to_config = to_config, .to_gguf = to_gguf
const trine_gguf_architecture trine_gguf_roberta = { .model_type = "roberta", .class_name = "RobertaModel", ROBERTA };
const trine_gguf_architecture trine_gguf_xlm_roberta = { .model_type = "xlm-roberta", .class_name = "XLMRobertaModel", ROBERTA };
const trine_gguf_architecture trine_gguf_camembert = { .model_type = "camembert", .class_name = "CamembertModel", ROBERTA };
const trine_gguf_architecture trine_gguf_distilbert = {
    .gguf = "bert",
    .model_type = "distilbert",
    .class_name = "DistilBertModel",
    .prefix = "distilbert.",
    .names = distilbert_names,
    .fields = distilbert_fields,
    .to_config = to_config,
    .to_gguf = to_gguf,
};
