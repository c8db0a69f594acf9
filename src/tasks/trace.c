/* trace.c - runs one text with a tracer that keeps copies of what happens inside, and writes them as safetensors
 * or hands them on.
 *
 * The pass is the session's own, with its arena, its cache and its kernels: what is seen is what always happens. Only copies are
 * made here; attention weights, which nothing else ever stores, are made by the attention block because the tracer asks. */
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "generate/session.h"
#include "trine/measuring.h"

typedef struct collection {
    trine_tensor *tensors; /* [n]; names and data are owned */
    int n, cap;
} collection;

static void clear(collection *c)
{
    for (int i = 0; i < c->n; i++) {
        free((char *)c->tensors[i].name);
        free((void *)c->tensors[i].data);
    }
    free(c->tensors);
}

/* A trine_trace_fn: keeps a copy. */
static trine_status keep(void *user, const char *name, const float *data, int n_dims, const int64_t *shape)
{
    collection *c = user;
    if (c->n == c->cap) {
        const int cap = c->cap ? 2 * c->cap : 64;
        trine_tensor *grown = realloc(c->tensors, (size_t)cap * sizeof *grown);
        if (!grown) return TRINE_ERROR_MEMORY;
        c->tensors = grown;
        c->cap = cap;
    }
    trine_tensor t = { .type = TRINE_F32, .n_dims = n_dims, .shape = { 1, 1, 1, 1 }, .bytes = sizeof(float) };
    for (int i = 0; i < n_dims; i++) {
        t.shape[i] = shape[i];
        if (!trine_mul_size(&t.bytes, t.bytes, (size_t)shape[i])) return TRINE_ERROR_MEMORY;
    }
    void *copy = malloc(t.bytes ? t.bytes : 1);
    char *own_name = strdup(name);
    if (!copy || !own_name) {
        free(copy);
        free(own_name);
        return TRINE_ERROR_MEMORY;
    }
    memcpy(copy, data, t.bytes);
    t.data = copy;
    t.name = t.file_name = own_name;
    c->tensors[c->n++] = t;
    return TRINE_OK;
}

static trine_status check_room(const trine_session *s, int n, int rows, trine_error *err)
{
    if (n <= s->options.batch_tokens && rows <= s->options.logit_rows) return TRINE_OK;
    return trine_fail(
        err, TRINE_ERROR_TOO_LONG,
        "trace: %d tokens in one pass, and the session was opened for %d (batch_tokens) with logits of %d (logit_rows)", n,
        s->options.batch_tokens, s->options.logit_rows);
}

/* Encoder-decoder: the source, then the target from the start token on, as a generation would begin. */
static trine_status run_pair(trine_mat *logits, trine_session *s, const trine_trace_options *o, const int32_t *source, int n_source,
                             trine_error *err)
{
    const trine_model_info *info = &s->model->info;
    const int32_t start = trine_start_token(info);
    const int32_t *ids = o->n_decoder_ids ? o->decoder_ids : &start;
    const int n = o->n_decoder_ids ? o->n_decoder_ids : 1;
    trine_sequence *sequence;
    trine_status status = check_room(s, n, n, err);
    if (status || (status = trine_sequence_open(&sequence, s, err))) return status;
    status = trine_sequence_source(sequence, source, n_source, err);
    if (!status) status = trine_sequence_feed_logits(logits, sequence, ids, n, err);
    trine_sequence_close(sequence);
    return status;
}

static trine_status run(trine_mat *logits, trine_session *s, const trine_trace_options *o, const int32_t *ids, const int32_t *types,
                        int n, trine_error *err)
{
    const trine_model_info *info = &s->model->info;
    const bool twice = info->head == TRINE_HEAD_LABELS && !o->n_decoder_ids; /* its decoder reads the text once more */
    if (info->paradigm == TRINE_ENCODER_DECODER && !twice) return run_pair(logits, s, o, ids, n, err);
    const bool vocabulary = info->head == TRINE_HEAD_LM || info->head == TRINE_HEAD_MLM;
    const trine_status status = check_room(s, n, vocabulary ? n : 0, err);
    if (status) return status;
    const trine_texts text = { .n_texts = 1, .ids = &ids, .types = types ? &types : NULL, .n = &n };
    return trine_session_head(logits, s, &text, NULL, 0, err);
}

static trine_status trace_ids(collection *kept, trine_session *s, const trine_trace_options *o, const int32_t *ids,
                              const int32_t *types, int n, trine_error *err)
{
    trine_tracer tracer = { .put = keep,
                            .user = kept,
                            .prefix = "",
                            .hidden = o->hidden,
                            .attention = o->attention,
                            .lens = o->lens,
                            .parts = o->parts,
                            .unscaled = o->unscaled };
    trine_mat logits;
    s->tracer = &tracer;
    trine_status status = run(&logits, s, o, ids, types, n, err);
    s->tracer = NULL;
    if (!status) {
        /* One text has one row of labels: a vector. */
        const bool vector = s->model->info.head == TRINE_HEAD_LABELS;
        const int64_t shape[2] = { vector ? logits.cols : logits.rows, logits.cols };
        status = keep(kept, "logits", logits.data, vector ? 1 : 2, shape);
        if (status) trine_fail(err, status, "trace: no memory for logits [%d, %d]", logits.rows, logits.cols);
    }
    return status;
}

static trine_status collect(collection *kept, trine_session *s, const trine_trace_options *options, trine_error *err)
{
    static const trine_trace_options defaults = { 0 };
    const trine_trace_options *o = options ? options : &defaults;
    if (o->n_ids < 0 || o->n_decoder_ids < 0 || (o->n_decoder_ids && !o->decoder_ids))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "trace: n_ids is %d and n_decoder_ids %d, expected as many as there are",
                          o->n_ids, o->n_decoder_ids);
    if (o->n_decoder_ids && s->model->info.paradigm != TRINE_ENCODER_DECODER)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "trace: decoder_ids are for encoder-decoders; %s has no such decoder",
                          s->model->info.family);
    if (o->ids) {
        if (!o->n_ids) return trine_fail(err, TRINE_ERROR_EMPTY, "trace: there are no ids");
        const trine_status status = o->types ? trine_check_types(s->model, o->types, o->n_ids, err) : TRINE_OK;
        return status ? status : trace_ids(kept, s, o, o->ids, o->types, o->n_ids, err);
    }
    if (!o->text || !o->text[0]) return trine_fail(err, TRINE_ERROR_EMPTY, "trace: the text is empty");
    if (!s->model->tokenizer)
        return trine_fail(err, TRINE_ERROR_NOT_FOUND, "trace: there is no tokenizer beside %s: give ids in place of text",
                          s->model->info.path);
    trine_encoding e;
    trine_status status = trine_tokenizer_encode(&e, s->model->tokenizer, o->text, 0, NULL, err);
    if (status) return status;
    if (e.n)
        status = trace_ids(kept, s, o, e.ids, e.types, e.n, err);
    else
        status = trine_fail(err, TRINE_ERROR_EMPTY, "trace: the text has no tokens");
    trine_encoding_clear(&e);
    return status;
}

trine_status trine_trace(int *n_tensors, trine_session *s, const char *out_path, const trine_trace_options *options,
                         trine_error *err)
{
    collection kept = { 0 };
    if (n_tensors) *n_tensors = 0;
    if (!s || !out_path) return trine_fail(err, TRINE_ERROR_ARGUMENT, "trace: no %s", s ? "output path" : "session");
    trine_status status = collect(&kept, s, options, err);
    if (!status) status = trine_safetensors_write(out_path, kept.tensors, kept.n, NULL, true, err);
    if (!status && n_tensors) *n_tensors = kept.n;
    clear(&kept);
    return status;
}

trine_status trine_trace_keep(trine_trace_result *out, trine_session *s, const trine_trace_options *options, trine_error *err)
{
    collection kept = { 0 };
    if (out) *out = (trine_trace_result) { 0 };
    if (!s || !out) return trine_fail(err, TRINE_ERROR_ARGUMENT, "trace: no %s", s ? "result" : "session");
    trine_status status = collect(&kept, s, options, err);
    if (!status && !(out->items = calloc((size_t)kept.n, sizeof *out->items)))
        status = trine_fail(err, TRINE_ERROR_MEMORY, "trace: no memory for %d tensors", kept.n);
    for (int i = 0; i < kept.n && !status; i++) {
        trine_tensor *t = &kept.tensors[i];
        out->items[i] = (trine_traced) { .name = (char *)t->name, .n_dims = t->n_dims, .data = (float *)t->data };
        memcpy(out->items[i].shape, t->shape, sizeof t->shape);
        t->name = NULL;
        t->data = NULL;
        out->n++;
    }
    clear(&kept);
    return status;
}

void trine_trace_result_clear(trine_trace_result *result)
{
    if (!result) return;
    for (int i = 0; i < result->n; i++) {
        free(result->items[i].name);
        free(result->items[i].data);
    }
    free(result->items);
    *result = (trine_trace_result) { 0 };
}
