/* session_pass.c - one pass: the model's parts in the order of its paradigm, over a batch, in an arena.
 *
 * The same function runs when a session is sized, on an arena that only counts, and when it works: so what is
 * counted is what is used. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "generate/sequence.h"

static bool encodes(const trine_model *m, trine_pass_kind kind)
{
    return m->info.paradigm == TRINE_ENCODER || (m->info.paradigm == TRINE_ENCODER_DECODER && kind != TRINE_PASS_HEAD);
}

static trine_mat forward(const trine_model *m, trine_pass *p, trine_pass_kind kind)
{
    const trine_family *f = m->family;
    trine_mat states = encodes(m, kind) ? f->encode(m, p) : f->decode(m, p);
    if (kind == TRINE_PASS_SOURCE) f->cross(m, p, states);
    if (kind == TRINE_PASS_HEAD && p->batch->n_out) states = f->head(m, p, states);
    return states;
}

/* What a pass computes with. A tracer sees the numbers of the model's formula: nothing is rounded on the way to a product. */
static const trine_kernels *kernels_of(trine_kernels *exact, const trine_model *m, const trine_tracer *tracer)
{
    if (!tracer) return &m->kernels;
    *exact = m->kernels;
    trine_kernels_exact(exact);
    return exact;
}

trine_status trine_pass_measure(size_t *bytes, const trine_model *m, const trine_batch *batch, trine_pass_kind kind, int n_threads,
                                trine_tracer *tracer, trine_error *err)
{
    trine_arena counter;
    trine_kernels exact;
    trine_arena_measure(&counter);
    trine_pass p = {
        .arena = &counter, .kernels = kernels_of(&exact, m, tracer), .n_threads = n_threads, .batch = batch, .tracer = tracer
    };
    forward(m, &p, kind);
    *bytes = counter.peak;
    return trine_pass_status(&p, err);
}

trine_status trine_session_run(trine_mat *out, trine_session *s, const trine_batch *batch, trine_pass_kind kind, trine_error *err)
{
    trine_status status;
    if (out) *out = (trine_mat) { 0 };
    s->n_passes++; /* even if it fails: what the arena held is gone */
    trine_arena_close(&s->trace_arena);
    trine_arena *arena = &s->arena;
    if (s->tracer) {
        size_t bytes;
        status = trine_pass_measure(&bytes, s->model, batch, kind, s->options.n_threads, s->tracer, err);
        if (status) return status;
        if (bytes > arena->size) {
            status = trine_arena_open(&s->trace_arena, bytes, err);
            if (status) return status;
            arena = &s->trace_arena;
        }
    }
    if (s->model->packing && encodes(s->model, kind))
        trine_packing_pass(s->model->packing, &s->model->kernels, s->team, batch->n_rows);
    trine_arena_reset(arena);
    trine_kernels exact;
    trine_pass p = { .arena = arena,
                     .kernels = kernels_of(&exact, s->model, s->tracer),
                     .n_threads = s->options.n_threads,
                     .team = s->team,
                     .batch = batch,
                     .tracer = s->tracer };
    const trine_mat result = forward(s->model, &p, kind);
    status = trine_pass_status(&p, err);
    if (!status && out) *out = result;
    return status;
}

trine_status trine_check_ids(const trine_model *m, const int32_t *ids, int n, const char *what, trine_error *err)
{
    for (int i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= m->info.vocab)
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "%s: token %d has id %d, expected 0 to %d", what, i, (int)ids[i],
                              m->info.vocab - 1);
    return TRINE_OK;
}

trine_status trine_check_types(const trine_model *m, const int32_t *types, int n, trine_error *err)
{
    for (int i = 0; i < n; i++) {
        if (types[i] == 0 || (types[i] > 0 && types[i] < m->n_types)) continue;
        if (m->n_types < 2)
            return trine_fail(err, TRINE_ERROR_ARGUMENT,
                              "token %d has type %d, but tokens of %s have no types: leave them out, or all 0", i, (int)types[i],
                              m->info.family);
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "token %d has type %d; this model knows the types 0 to %d", i, (int)types[i],
                          m->n_types - 1);
    }
    return TRINE_OK;
}

/* Lays the texts one after another into the session's batch. */
static trine_status lay_out(trine_batch *batch, trine_session *s, const trine_texts *texts, trine_error *err)
{
    const trine_model *m = s->model;
    const int longest = m->info.paradigm == TRINE_ENCODER_DECODER ? s->options.source_ctx : s->memory.ctx;
    *batch = (trine_batch) { .segments = s->segments, .ids = s->ids, .mask = s->options.mask, .window = s->options.window };
    if (texts->n_texts < 1) return trine_fail(err, TRINE_ERROR_EMPTY, "session: no text to read");
    for (int i = 0; i < texts->n_texts; i++) {
        const int n = texts->n[i];
        if (n < 1) return trine_fail(err, TRINE_ERROR_EMPTY, "session: text %d has no tokens", i);
        if (n > longest)
            return trine_fail(err, TRINE_ERROR_TOO_LONG, "text %d has %d tokens, and %s takes at most %d here%s", i, n,
                              m->info.family, longest, longest == m->info.max_tokens ? " (the model's own limit)" : "");
        if (n > s->rows_cap - batch->n_rows)
            return trine_fail(err, TRINE_ERROR_TOO_LONG,
                              "text %d has %d tokens and %d came before it, and one pass takes %d (batch_tokens)", i, n,
                              batch->n_rows, s->rows_cap);
        const int32_t *types = texts->types ? texts->types[i] : NULL;
        trine_status status = trine_check_ids(m, texts->ids[i], n, "session", err);
        /* Tokenizers give a pair types whether the model knows any or not; a caller's own are checked where they come in. */
        if (!status && types && m->n_types) status = trine_check_types(m, types, n, err);
        if (status) return status;
        for (int t = 0; t < n; t++) {
            s->ids[batch->n_rows + t] = texts->ids[i][t];
            s->types[batch->n_rows + t] = types ? types[t] : 0;
        }
        if (types) batch->types = s->types;
        s->segments[i] = (trine_segment) { .first_row = batch->n_rows, .n_rows = n, .prefix = s->options.prefix };
        batch->n_rows += n;
    }
    batch->n_segments = texts->n_texts;
    return TRINE_OK;
}

trine_status trine_session_states(trine_mat *out, trine_session *s, const trine_texts *texts, trine_error *err)
{
    trine_batch batch;
    *out = (trine_mat) { 0 };
    const trine_status status = lay_out(&batch, s, texts, err);
    return status ? status : trine_session_run(out, s, &batch, TRINE_PASS_STATES, err);
}

/* Labels on an encoder-decoder (transformers' T5ForSequenceClassification): the decoder reads the source once more, shifted by one, and
 * gives them at its end. */
static trine_status labels_of_one(trine_mat *out, trine_session *s, const trine_texts *texts, trine_error *err)
{
    const trine_model_info *info = &s->model->info;
    const int n = texts->n_texts == 1 ? texts->n[0] : 0;
    if (n < 1) return trine_fail(err, TRINE_ERROR_ARGUMENT, "session: %s gives the labels of one text at a time", info->family);
    trine_sequence *q;
    trine_status status = trine_sequence_open(&q, s, err);
    if (status) return status;
    int32_t *shifted = malloc((size_t)n * sizeof *shifted);
    if (!shifted) status = trine_fail(err, TRINE_ERROR_MEMORY, "session: no memory for a text of %d tokens", n);
    if (!status) {
        shifted[0] = trine_start_token(info);
        memcpy(shifted + 1, texts->ids[0], (size_t)(n - 1) * sizeof *shifted);
        status = trine_sequence_source(q, texts->ids[0], n, err);
    }
    if (!status) status = trine_sequence_feed(q, shifted, n, err);
    if (!status) *out = (trine_mat) { .data = (float *)(uintptr_t)q->logits, .rows = 1, .cols = info->n_labels };
    trine_sequence_close(q);
    free(shifted);
    return status;
}

trine_status trine_session_head(trine_mat *out, trine_session *s, const trine_texts *texts, const int32_t *out_rows, int n_out,
                                trine_error *err)
{
    trine_batch batch;
    *out = (trine_mat) { 0 };
    if (s->model->info.paradigm == TRINE_ENCODER_DECODER && s->model->info.head == TRINE_HEAD_LABELS)
        return labels_of_one(out, s, texts, err);
    if (s->model->info.paradigm == TRINE_ENCODER_DECODER)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "%s is an encoder-decoder: its head stands on a decoder, feed a sequence",
                          s->model->info.family);
    const trine_status status = lay_out(&batch, s, texts, err);
    if (status) return status;
    batch.out_rows = out_rows;
    batch.n_out = out_rows ? n_out : batch.n_rows;
    if (out_rows)
        for (int i = 0; i < n_out; i++)
            if (out_rows[i] < 0 || out_rows[i] >= batch.n_rows)
                return trine_fail(err, TRINE_ERROR_ARGUMENT, "session: row %d is asked of %d", (int)out_rows[i], batch.n_rows);
    const bool vocabulary = s->model->info.head == TRINE_HEAD_MLM || s->model->info.head == TRINE_HEAD_LM;
    if (batch.n_out < 1 || (vocabulary && batch.n_out > s->options.logit_rows))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "session: logits of %d rows are asked, and it was opened for %d (logit_rows)",
                          batch.n_out, s->options.logit_rows);
    return trine_session_run(out, s, &batch, TRINE_PASS_HEAD, err);
}

trine_status trine_session_logits(trine_mat *out, trine_session *s, const int32_t *ids, int n, trine_error *err)
{
    *out = (trine_mat) { 0 };
    if (s->model->info.paradigm != TRINE_DECODER)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "%s is not a decoder: it gives no probability to a text",
                          s->model->info.family);
    return trine_session_head(out, s, &(trine_texts) { .n_texts = 1, .ids = &ids, .n = &n }, NULL, 0, err);
}
