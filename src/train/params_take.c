/* params_take.c - see params_take.h.
 *
 * Names are those of transformers; a file may have them with or without the prefix of the whole ("bert."), and with the names of
 * TensorFlow's days. What the model has and the file lacks is initialised and said, as is what the file has beyond. */
#include "train/params_take.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/ends.h"
#include "base/size.h"
#include "base/status.h"
#include "checkpoint/json_file.h"
#include "quant/quant.h"

enum { NAME_BYTES = 208, NAMES_SAID = 6 };

static bool starts_with(const char *text, const char *start) { return !strncmp(text, start, strlen(start)); }

trine_status trine_source_open(trine_source *s, const trine_params_options *o, trine_error *err)
{
    *s = (trine_source) { .checkpoint = o->stored, .borrowed = o->stored != NULL };
    if (!o->checkpoint && !o->stored) {
        if (o->config) return TRINE_OK;
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "training needs a configuration or a checkpoint, and neither was given");
    }
    const char *const name = o->stored ? "the model" : o->checkpoint;
    trine_status status = o->stored ? TRINE_OK : trine_checkpoint_open(&s->checkpoint, o->checkpoint, err);
    if (!status && trine_checkpoint_gguf(s->checkpoint))
        status = trine_fail(
            err, TRINE_ERROR_UNSUPPORTED,
            "'%s' is a GGUF file: to train it, or to merge an adapter, make a directory of it first (trine convert --type f32)",
            name);
    if (!status) {
        status = trine_family_declare(&s->info, s->checkpoint, err);
        if (status) status = trine_fail_in(err, status, "'%s'", name);
    }
    if (!status && o->adapter) status = trine_adapter_open(&s->adapter, o->adapter, err);
    if (status) trine_source_close(s);
    return status;
}

void trine_source_close(trine_source *s)
{
    if (!s->borrowed) trine_checkpoint_close(s->checkpoint);
    trine_adapter_close(s->adapter);
    *s = (trine_source) { 0 };
}

/* What a file shows and a configuration may leave open: whether the output layer is the embedding. T5 is the family that takes the
 * scale of its logits from the same field, so that is said apart, as it was. */
static void settle_tying(trine_json_builder *config, const trine_model_info *info)
{
    const json_t *tie = json_object_get(config->object, "tie_word_embeddings");
    const bool said = json_is_boolean(tie), tied = said ? json_is_true(tie) : info->paradigm != TRINE_DECODER;
    if (said && json_is_true(tie) == info->tied) return;
    if (info->paradigm == TRINE_ENCODER_DECODER && !json_object_get(config->object, "scale_decoder_outputs")) {
        const char *type = json_string_value(json_object_get(config->object, "model_type"));
        const bool scales = tied && (!type || strcmp(type, "mt5") != 0);
        trine_json_put(config, "scale_decoder_outputs", json_boolean(scales));
    }
    trine_json_put(config, "tie_word_embeddings", json_boolean(info->tied));
}

/* The head's output that a file has for its own labels does not serve others. */
static bool has_labels(const json_t *config, const char *const *labels, int n_labels)
{
    const json_t *names = json_object_get(config, "id2label");
    if (json_object_size(names) != (size_t)n_labels) return false;
    for (int i = 0; i < n_labels; i++) {
        char digits[16];
        snprintf(digits, sizeof digits, "%d", i);
        const char *name = json_string_value(json_object_get(names, digits));
        if (!name || strcmp(name, labels[i]) != 0) return false;
    }
    return true;
}

trine_status trine_source_config(json_t **out, const trine_source *s, const trine_params_options *o, trine_error *err)
{
    const json_t *config = o->config                          ? o->config
                           : s->adapter && s->adapter->config ? s->adapter->config
                                                              : trine_checkpoint_config(s->checkpoint);
    if (!json_is_object(config)) return trine_fail(err, TRINE_ERROR_FORMAT, "config.json is not a JSON object");
    *out = NULL;
    trine_status status = TRINE_OK;
    const char *class = json_string_value(json_array_get(json_object_get(config, "architectures"), 0));
    /* A file without the name of its class, or with one that transformers has given up, gets today's. */
    const bool unnamed =
        s->checkpoint && config == trine_checkpoint_config(s->checkpoint) && (!class || trine_ends_with(class, "WithLMHeadModel"));
    if (o->change_head)
        status = trine_params_config(out, config, o->head, o->labels, o->n_labels, err);
    else if (unnamed && !trine_gives_labels(s->info.head))
        status = trine_params_config(out, config, s->info.head, NULL, 0, err);
    else if (!(*out = trine_json_copy(config)))
        status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a model's configuration");
    if (status) return status;
    trine_json_builder made = { .object = *out };
    const bool outputs = s->info.head == TRINE_HEAD_LM || s->info.head == TRINE_HEAD_MLM;
    if (s->checkpoint && config == trine_checkpoint_config(s->checkpoint) && outputs) settle_tying(&made, &s->info);
    if (!made.failed) return TRINE_OK;
    json_decref(*out);
    *out = NULL;
    return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a model's configuration");
}

/* ------------------------------------------------------------------------------------------------------- names in a file */

/* `name` as it is, or as checkpoints of TensorFlow's days have a norm's. */
static const trine_tensor *find_spelt(const trine_checkpoint *c, const char *name)
{
    const trine_tensor *t = trine_checkpoint_find(c, name);
    char older[NAME_BYTES];
    const size_t n = strlen(name);
    if (t || n + 1 > sizeof older) return t;
    strcpy(older, name);
    if (trine_ends_with(name, "LayerNorm.weight"))
        strcpy(older + n - 6, "gamma");
    else if (trine_ends_with(name, "LayerNorm.bias"))
        strcpy(older + n - 4, "beta");
    else
        return NULL;
    return trine_checkpoint_find(c, older);
}

static const trine_tensor *find_prefixed(const trine_checkpoint *c, const char *name)
{
    const char *const *prefixes = trine_name_prefixes;
    const trine_tensor *t = find_spelt(c, name);
    for (size_t i = 0; !t && prefixes[i]; i++) {
        char whole[NAME_BYTES];
        if (starts_with(name, prefixes[i])) return find_spelt(c, name + strlen(prefixes[i]));
        if (snprintf(whole, sizeof whole, "%s%s", prefixes[i], name) < (int)sizeof whole) t = find_spelt(c, whole);
    }
    return t;
}

/* Names of one and the same weight: the first that a file has is the one that computes. */
static const char *const synonyms[][2] = {
    { "cls.predictions.decoder.bias", "cls.predictions.bias" },
    { "lm_head.decoder.bias", "lm_head.bias" },
    { "shared.weight", "encoder.embed_tokens.weight" },
};
enum { N_SYNONYMS = sizeof synonyms / sizeof *synonyms };

static const trine_tensor *find_in(const trine_checkpoint *c, const char *name)
{
    for (int i = 0; i < N_SYNONYMS; i++) {
        if (strcmp(name, synonyms[i][0]) != 0 && strcmp(name, synonyms[i][1]) != 0) continue;
        const trine_tensor *first = find_prefixed(c, synonyms[i][0]);
        return first ? first : find_prefixed(c, synonyms[i][1]);
    }
    return find_prefixed(c, name);
}

const trine_tensor *trine_source_find(const trine_source *s, const char *name) { return find_in(s->checkpoint, name); }

/* What files hold that is no weight, or one that is there already under another name. */
static bool is_said_twice(const char *name, bool tied)
{
    static const char *const no_weights[] = { "position_ids", ".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq" };
    static const char *const copies[] = { "lm_head.weight", "cls.predictions.decoder.weight", "vocab_projector.weight",
                                          "lm_head.decoder.weight" };
    static const char *const always[] = { "encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "cls.predictions.bias",
                                          "lm_head.bias" };
    for (size_t i = 0; i < sizeof no_weights / sizeof *no_weights; i++)
        if (trine_ends_with(name, no_weights[i])) return true;
    for (size_t i = 0; tied && i < sizeof copies / sizeof *copies; i++)
        if (!strcmp(name, copies[i])) return true;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (!strcmp(name, always[i])) return true;
    return false;
}

/* ------------------------------------------------------------------------------------------------------------ taking */

/* The values of a tensor that has t's shape, as f32, where they belong. */
trine_status trine_source_copy(float *out, const trine_param *t, const trine_tensor *from, const char *path, trine_error *err)
{
    const trine_dtype_info *type = trine_dtype_get(from->type);
    if (!type || !type->computes || !type->unpack || t->n % (size_t)type->block)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "'%s': tensor '%s' has type %s, expected f32, f16 or bf16", path, t->name,
                          type ? type->name : "unknown");
    const size_t size = type->block == 1 ? (size_t)type->block_bytes : 1;
    float *values = out;
    const void *data = from->data;
    void *aligned = NULL;
    if ((uintptr_t)data % (size % 2 ? 2 : size)) { /* the file may have elements anywhere */
        if (!(aligned = malloc(from->bytes))) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for tensor '%s'", t->name);
        data = memcpy(aligned, data, from->bytes);
    }
    if (t->turned && !(values = malloc(t->n * sizeof *values))) {
        free(aligned);
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for tensor '%s'", t->name);
    }
    type->unpack(values, data, t->n);
    if (t->turned) {
        const size_t rows = (size_t)t->shape[0], cols = (size_t)t->shape[1];
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < cols; c++) out[c * rows + r] = values[r * cols + c];
        free(values);
    }
    free(aligned);
    return TRINE_OK;
}

static bool has_shape(const trine_tensor *from, const trine_param *t)
{
    return from->n_dims == t->n_dims && from->shape[0] == t->shape[0] && (t->n_dims == 1 || from->shape[1] == t->shape[1]);
}

trine_status trine_source_check(const trine_tensor *from, const trine_param *t, const char *path, trine_error *err)
{
    const trine_dtype_info *type = trine_dtype_get(from->type);
    if (!has_shape(from, t))
        return trine_fail(err, TRINE_ERROR_FORMAT,
                          "'%s': tensor '%s' has shape [%" PRId64 ",%" PRId64 "], expected [%" PRId64 ",%" PRId64 "]", path,
                          t->name, from->shape[0], from->shape[1], t->shape[0], t->shape[1]);
    if (type && type->computes && type->unpack) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "'%s': tensor '%s' has type %s, expected f32, f16 or bf16", path, t->name,
                      type ? type->name : "unknown");
}

/* W += scale B A, in the order in which weights compute: [out, in]. */
static void merge(float *w, const trine_lora *lora)
{
    const float *a = lora->a.data, *b = lora->b.data;
    const size_t cols = (size_t)lora->a.cols, rank = (size_t)lora->a.rows;
    for (size_t r = 0; r < (size_t)lora->b.rows; r++) {
        for (size_t k = 0; k < rank; k++) {
            const float factor = lora->scale * b[r * rank + k];
            for (size_t c = 0; c < cols; c++) w[r * cols + c] += factor * a[k * cols + c];
        }
    }
}

static trine_status merge_into(trine_params *p, const trine_param *t, const trine_adapter *adapter, const char *path,
                               trine_error *err)
{
    trine_adapter_module *m = adapter ? trine_adapter_find(adapter, t->name) : NULL;
    if (!m) return TRINE_OK;
    const int64_t out = t->shape[t->turned], in = t->n_dims > 1 ? t->shape[!t->turned] : 0;
    if (m->lora.b.rows != out || m->lora.a.cols != in)
        return trine_fail(err, TRINE_ERROR_FORMAT,
                          "'%s': the adapter of '%s' is for [%d,%d], but the weight is [%" PRId64 ",%" PRId64 "]", path, t->name,
                          m->lora.b.rows, m->lora.a.cols, out, in);
    merge(p->values + t->offset, &m->lora);
    m->used = true;
    return TRINE_OK;
}

/* The layer that gives labels. */
static bool gives_labels(const char *name)
{
    return starts_with(name, "score.") || starts_with(name, "classification_head.out_proj.") ||
           (starts_with(name, "classifier.") && !starts_with(name, "classifier.dense."));
}

/* "3 tensors are new: a, b, c" */
static void say(const trine_params_options *o, const char *what, int n, trine_buffer *names)
{
    if (!o->log || !n) return;
    char text[700];
    snprintf(text, sizeof text, "%d %s %s: %.600s%s", n, n == 1 ? "tensor" : "tensors", what, names->data ? names->data : "",
             n > NAMES_SAID ? ", ..." : "");
    o->log(o->log_user, text);
}

static void name_one(trine_buffer *names, int n, const char *name)
{
    if (n <= NAMES_SAID) trine_buffer_printf(names, "%s%s", n > 1 ? ", " : "", name);
}

static trine_status take_all(trine_params *p, const trine_source *s, const trine_params_options *o, trine_buffer *names,
                             trine_error *err)
{
    const bool labelled = o->change_head && trine_gives_labels(o->head);
    const bool other_labels = labelled && !has_labels(trine_checkpoint_config(s->checkpoint), o->labels, o->n_labels);
    trine_status status = TRINE_OK;
    for (int i = 0; !status && i < p->n_tensors; i++) {
        trine_param *t = &p->tensors[i];
        if (strstr(t->name, ".lora_")) {
            t->is_new = true;
            continue;
        }
        const trine_tensor *from = s->adapter ? trine_adapter_tensor(s->adapter, t->name) : NULL;
        if (!from) from = find_in(s->checkpoint, t->name);
        const bool anew = other_labels && gives_labels(t->name);
        if (!from || anew) {
            t->is_new = true;
            name_one(names, ++p->n_new, t->name);
        } else {
            status = trine_source_check(from, t, o->checkpoint, err);
            if (!status) status = trine_source_copy(p->values + t->offset, t, from, o->checkpoint, err);
            if (!status) status = merge_into(p, t, s->adapter, o->adapter, err);
            trine_checkpoint_forget(s->checkpoint, from);
        }
    }
    return status;
}

trine_status trine_source_take(trine_params *p, const trine_source *s, const trine_checkpoint *blank, const trine_model_info *info,
                               const trine_params_options *o, trine_error *err)
{
    if (!s->checkpoint) {
        for (int i = 0; i < p->n_tensors; i++) p->tensors[i].is_new = true;
        return TRINE_OK;
    }
    const int n = trine_checkpoint_n_tensors(s->checkpoint);
    unsigned char *used = calloc((size_t)n + 1, 1);
    if (!used) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a table of %d tensors", n);
    trine_buffer fresh = { 0 }, left = { 0 };
    trine_status status = take_all(p, s, o, &fresh, err);
    for (int i = 0; i < trine_checkpoint_n_tensors(blank); i++) {
        const trine_tensor *from = find_in(s->checkpoint, trine_checkpoint_tensor(blank, i)->name);
        if (from) used[from - trine_checkpoint_tensor(s->checkpoint, 0)] = 1;
    }
    for (int i = 0; !status && s->adapter && i < s->adapter->n_modules; i++)
        if (!s->adapter->modules[i].used)
            status = trine_fail(err, TRINE_ERROR_FORMAT, "'%s' has '%s', which the model '%s' has not: it is of another model",
                                o->adapter, s->adapter->modules[i].name, o->checkpoint);
    for (int i = 0; !status && i < n; i++) {
        const char *name = trine_checkpoint_tensor(s->checkpoint, i)->name;
        if (!used[i] && !is_said_twice(name, info->tied || info->head == TRINE_HEAD_NONE)) name_one(&left, ++p->n_unused, name);
    }
    if (!status) {
        say(o, "of the model are not in the checkpoint and begin at random", p->n_new, &fresh);
        say(o, "of the checkpoint are not used", p->n_unused, &left);
    }
    trine_buffer_clear(&fresh);
    trine_buffer_clear(&left);
    free(used);
    return status;
}
