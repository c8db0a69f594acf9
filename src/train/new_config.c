/* new_config.c - see new_config.h. */
#include "train/new_config.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"

typedef struct sizes {
    int layers, width, heads, kv_heads, ff, positions, vocab;
    int bos, eos, pad;
    double dropout;
} sizes;

static trine_status sizes_of(sizes *s, const trine_new_model *m, const trine_config_ids *ids, int seq_len, float dropout,
                             trine_error *err)
{
    s->layers = m->n_layers ? m->n_layers : 4;
    s->width = m->d_model ? m->d_model : 256;
    s->heads = m->n_heads ? m->n_heads : s->width > 64 ? s->width / 64 : 1;
    s->kv_heads = m->n_kv_heads ? m->n_kv_heads : s->heads;
    s->ff = m->d_ff ? m->d_ff : 4 * s->width;
    s->positions = seq_len;
    s->vocab = ids->vocab;
    s->dropout = dropout > 0 ? (double)dropout : 0;
    s->bos = ids->bos;
    s->eos = ids->eos;
    s->pad = ids->pad;
    if (s->layers < 1 || s->width < 1 || s->heads < 1 || s->kv_heads < 1 || s->ff < 1)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: a size of the new model is below 1");
    if (s->width % s->heads)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: %d heads do not divide a width of %d", s->heads, s->width);
    if (s->heads % s->kv_heads)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: %d key-value heads do not divide %d heads", s->kv_heads, s->heads);
    return TRINE_OK;
}

static json_t *bert(const sizes *s)
{
    return json_pack("{s:[s],s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:s,s:f,s:f,s:f,s:f,s:i,s:s}", "architectures", "BertForMaskedLM",
                     "model_type", "bert", "vocab_size", s->vocab, "hidden_size", s->width, "num_hidden_layers", s->layers,
                     "num_attention_heads", s->heads, "intermediate_size", s->ff, "max_position_embeddings", s->positions,
                     "type_vocab_size", 2, "hidden_act", "gelu", "layer_norm_eps", 1e-12, "initializer_range", 0.02,
                     "hidden_dropout_prob", s->dropout, "attention_probs_dropout_prob", s->dropout, "pad_token_id",
                     s->pad < 0 ? 0 : s->pad, "position_embedding_type", "absolute");
}

static json_t *gpt2(const sizes *s)
{
    return json_pack("{s:[s],s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:s,s:f,s:f,s:f,s:f,s:f}", "architectures", "GPT2LMHeadModel",
                     "model_type", "gpt2", "vocab_size", s->vocab, "n_embd", s->width, "n_layer", s->layers, "n_head", s->heads,
                     "n_inner", s->ff, "n_positions", s->positions, "activation_function", "gelu_new", "layer_norm_epsilon", 1e-5,
                     "initializer_range", 0.02, "embd_pdrop", s->dropout, "attn_pdrop", s->dropout, "resid_pdrop", s->dropout);
}

/* A gated feed-forward has three matrices: two thirds of the width keep their sum (Shazeer 2020), in a multiple of 32. */
static json_t *llama(const sizes *s, bool ff_given)
{
    const int ff = ff_given ? s->ff : (8 * s->width / 3 + 31) / 32 * 32;
    return json_pack("{s:[s],s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:s,s:f,s:f,s:f,s:b,s:b,s:f}", "architectures", "LlamaForCausalLM",
                     "model_type", "llama", "vocab_size", s->vocab, "hidden_size", s->width, "num_hidden_layers", s->layers,
                     "num_attention_heads", s->heads, "num_key_value_heads", s->kv_heads, "intermediate_size", ff,
                     "max_position_embeddings", s->positions, "hidden_act", "silu", "rms_norm_eps", 1e-5, "rope_theta", 10000.0,
                     "initializer_range", 0.02, "tie_word_embeddings", 1, "attention_bias", 0, "attention_dropout", s->dropout);
}

static json_t *t5(const sizes *s)
{
    const int pad = s->pad < 0 ? 0 : s->pad;
    return json_pack("{s:[s],s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:s,s:f,s:f,s:f,s:b,s:b,s:i,s:i}", "architectures",
                     "T5ForConditionalGeneration", "model_type", "t5", "vocab_size", s->vocab, "d_model", s->width, "d_kv",
                     s->width / s->heads, "d_ff", s->ff, "num_layers", s->layers, "num_decoder_layers", s->layers, "num_heads",
                     s->heads, "relative_attention_num_buckets", 32, "relative_attention_max_distance", 128, "feed_forward_proj",
                     "relu", "layer_norm_epsilon", 1e-6, "initializer_factor", 1.0, "dropout_rate", s->dropout,
                     "is_encoder_decoder", 1, "tie_word_embeddings", 1, "pad_token_id", pad, "decoder_start_token_id", pad);
}

static trine_status from_file(json_t **out, const char *path, trine_error *err)
{
    char *file = trine_is_directory(path) ? trine_path_join(path, "config.json") : strdup(path), *text;
    size_t n;
    if (!file) return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory");
    trine_status status = trine_file_read(&text, &n, file, (size_t)16 << 20, err);
    if (!status) {
        json_error_t error;
        *out = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
        if (!json_is_object(*out)) {
            status = trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: not a JSON object (%.100s)", file, error.line, error.text);
            json_decref(*out);
            *out = NULL;
        }
        free(text);
    }
    free(file);
    return status;
}

/* BOS and EOS. One that is not there is null: what is left out has the default of transformers' class, 50256 for GPT-2. BERT's have none,
 * nor has T5's BOS. */
static bool set_ids(json_t *config, int arch, const sizes *s)
{
    enum { BERT = 0, T5 = 3 };
    const bool eos = s->eos >= 0 || arch != BERT, bos = arch != T5 && (s->bos >= 0 || arch != BERT);
    return !(eos && json_object_set_new(config, "eos_token_id", s->eos < 0 ? json_null() : json_integer(s->eos))) &&
           !(bos && json_object_set_new(config, "bos_token_id", s->bos < 0 ? json_null() : json_integer(s->bos)));
}

trine_status trine_new_config(json_t **out, const trine_new_model *model, const trine_tokenizer *tokenizer, int seq_len,
                              float dropout, trine_error *err)
{
    const trine_config_ids ids = { trine_tokenizer_vocab_size(tokenizer), trine_tokenizer_special(tokenizer, TRINE_TOKEN_BOS),
                                   trine_tokenizer_special(tokenizer, TRINE_TOKEN_EOS),
                                   trine_tokenizer_special(tokenizer, TRINE_TOKEN_PAD) };
    return trine_new_config_for(out, model, &ids, seq_len, dropout, err);
}

trine_status trine_new_config_for(json_t **out, const trine_new_model *model, const trine_config_ids *ids, int seq_len,
                                  float dropout, trine_error *err)
{
    static const char *const names[] = { "bert", "gpt2", "llama", "t5" };
    *out = NULL;
    sizes s;
    trine_status status = sizes_of(&s, model, ids, seq_len, dropout, err);
    if (status) return status;
    if (model->config) {
        if ((status = from_file(out, model->config, err))) return status;
        const int64_t vocab = json_integer_value(json_object_get(*out, "vocab_size"));
        if (vocab < s.vocab) {
            json_decref(*out);
            *out = NULL;
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "%s: vocab_size is %lld, and the tokenizer has %d ids", model->config,
                              (long long)vocab, s.vocab);
        }
        return TRINE_OK;
    }
    int which = 0;
    while (which < 4 && model->arch && strcmp(names[which], model->arch)) which++;
    if (!model->arch || which == 4)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: the architecture is '%s', expected bert, gpt2, llama or t5",
                          model->arch ? model->arch : "");
    json_t *c = which == 0 ? bert(&s) : which == 1 ? gpt2(&s) : which == 2 ? llama(&s, model->d_ff > 0) : t5(&s);
    if (!c || !set_ids(c, which, &s)) {
        json_decref(c);
        return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory for a configuration");
    }
    *out = c;
    return TRINE_OK;
}
