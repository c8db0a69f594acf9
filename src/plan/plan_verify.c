/* plan_verify.c - a plan beside what is really taken: a model is opened and run to the end of its context, a training step is made,
 * and what the allocators hold and what of it is resident are read.
 *
 * Resident memory is that of the whole process, so what it was before is subtracted. Weights are mapped, and what a pass only looks up
 * (embeddings) is touched before it is read: a long use of the model would. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "base/counter_random.h"
#include "base/cpu.h"
#include "base/size.h"
#include "base/status.h"
#include "generate/session.h"
#include "load/model_open.h"
#include "plan/planner.h"

trine_status trine_plan_resident(size_t *out, trine_error *err)
{
    long pages = 0;
#if defined(__GLIBC__)
    malloc_trim(0); /* what has been freed is held by nobody, though the C library may keep it for later */
#endif
    FILE *f = fopen("/proc/self/statm", "r");
    const bool read = f && fscanf(f, "%*s %ld", &pages) == 1;
    if (f) fclose(f);
    *out = (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
    return read ? TRINE_OK : trine_fail(err, TRINE_ERROR_UNSUPPORTED, "plan: this system does not say how much memory is resident");
}

static bool goes_on(const trine_verify_options *o, int done, int total)
{
    return !o->on_progress || o->on_progress(o->user, done, total);
}

static trine_status stopped(trine_error *err) { return trine_fail(err, TRINE_ERROR_CANCELLED, "plan: stopped"); }

/* ------------------------------------------------------------------------------------------------------------ session */

/* Tables that passes look single rows of up in. */
static void touch_tables(const trine_model *m)
{
    volatile unsigned char sink = 0;
    for (int i = 0; i < trine_checkpoint_n_tensors(m->checkpoint); i++) {
        const trine_tensor *t = trine_checkpoint_tensor(m->checkpoint, i);
        if (t->n_dims < 2 || trine_plan_use_of(t->file_name, &m->info) != TRINE_USE_TABLE) continue;
        for (size_t at = 0; at < t->bytes; at += 4096) sink = (unsigned char)(sink + ((const unsigned char *)t->data)[at]);
    }
}

static void make_ids(int32_t *ids, int n, int vocab, uint64_t *at)
{
    for (int i = 0; i < n; i++) ids[i] = (int32_t)(trine_random_at(1, (*at)++) % (uint64_t)vocab);
}

/* All sequences to the end of their context, a batch at a time, all of them together. */
static trine_status fill_sequences(trine_session *s, int32_t *ids, const trine_verify_options *o, trine_error *err)
{
    const int n = s->options.n_sequences, ctx = s->options.ctx, chunk = s->options.batch_tokens / n, vocab = s->model->info.vocab;
    trine_sequence **sequences = calloc((size_t)n, sizeof *sequences);
    const int32_t **texts = calloc((size_t)n, sizeof *texts);
    int *counts = calloc((size_t)n, sizeof *counts);
    uint64_t drawn = 0;
    trine_status status =
        sequences && texts && counts ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "plan: no memory for %d sequences", n);
    for (int i = 0; i < n && !status; i++) {
        status = trine_sequence_open(&sequences[i], s, err);
        if (status || s->model->info.paradigm != TRINE_ENCODER_DECODER) continue;
        make_ids(ids, s->options.source_ctx, vocab, &drawn);
        status = trine_sequence_source(sequences[i], ids, s->options.source_ctx, err);
        if (!status && !goes_on(o, i, 2 * n)) status = stopped(err);
    }
    for (int at = 0; at < ctx && !status;) {
        const int take = trine_min_int(chunk, ctx - at);
        for (int i = 0; i < n; i++) {
            texts[i] = ids + (size_t)i * (size_t)take;
            counts[i] = take;
        }
        make_ids(ids, take * n, vocab, &drawn);
        status = trine_sequences_feed(sequences, texts, counts, n, err);
        at += take;
        if (!status && !goes_on(o, at, ctx)) status = stopped(err);
    }
    for (int i = 0; i < n && sequences; i++) trine_sequence_close(sequences[i]);
    free(sequences);
    free(texts);
    free(counts);
    return status;
}

/* An encoder's whole pass, as one text or as many. */
static trine_status fill_texts(trine_session *s, int32_t *ids, trine_error *err)
{
    const int rows = s->options.batch_tokens, longest = trine_min_int(s->options.ctx, rows), n = rows / longest;
    const int32_t **texts = calloc((size_t)n, sizeof *texts);
    int *counts = calloc((size_t)n, sizeof *counts);
    uint64_t drawn = 0;
    trine_mat out;
    trine_status status = texts && counts ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "plan: no memory for %d texts", n);
    for (int i = 0; i < n && !status; i++) {
        texts[i] = ids + (size_t)i * (size_t)longest;
        counts[i] = longest;
    }
    make_ids(ids, n * longest, s->model->info.vocab, &drawn);
    const trine_texts batch = { .n_texts = n, .ids = texts, .n = counts };
    const int n_out = s->options.logit_rows;
    int32_t *out_rows = s->model->info.head == TRINE_HEAD_MLM ? calloc((size_t)n_out, sizeof *out_rows) : NULL;
    if (!status) status = trine_session_head(&out, s, &batch, out_rows, n_out, err);
    free(out_rows);
    free(texts);
    free(counts);
    return status;
}

static trine_status run_session(trine_verification *out, trine_model *m, const trine_session_options *options,
                                const trine_verify_options *o, trine_error *err)
{
    trine_session *s;
    int32_t *ids = NULL;
    size_t rows = 0;
    trine_status status = trine_session_open(&s, m, options, err);
    if (status) return status;
    rows = (size_t)s->rows_cap;
    if (!(ids = malloc(rows * sizeof *ids))) status = trine_fail(err, TRINE_ERROR_MEMORY, "plan: no memory for %zu ids", rows);
    touch_tables(m);
    if (!status) status = trine_model_reads_whole(m) ? fill_texts(s, ids, err) : fill_sequences(s, ids, o, err);
    out->allocated_bytes = m->info.weights_bytes + s->arena.size + rows * (sizeof *s->segments + 3 * sizeof *s->ids) +
                           (s->self ? trine_kv_pool_taken(s->self) : 0) + (s->cross ? trine_kv_pool_taken(s->cross) : 0);
    out->arena_peak = s->arena.peak;
    size_t now = 0;
    if (!status) status = trine_plan_resident(&now, err);
    out->resident_bytes = now > out->resident_bytes ? now - out->resident_bytes : 0;
    free(ids);
    trine_session_close(s);
    return status;
}

trine_status trine_verify_session(trine_verification *out, const char *model, const trine_session_options *options,
                                  const trine_verify_options *verify, trine_error *err)
{
    const trine_verify_options none = { 0 };
    const trine_verify_options *o = verify ? verify : &none;
    const trine_model_options open = { .cpu = o->cpu };
    trine_planner *planner = NULL;
    trine_model *m = NULL;
    trine_session_bytes planned = { 0 };
    *out = (trine_verification) { 0 };
    trine_status status = trine_planner_open(&planner, model, &(trine_planner_options) { .cpu = o->cpu }, err);
    if (!status && strcmp(planner->source, "file") != 0)
        status = trine_fail(err, TRINE_ERROR_ARGUMENT,
                            "plan: '%s' has no weights to run: verifying needs a model's file or directory", model);
    if (!status) status = trine_planner_session(&planned, planner, options, err);
    out->planned_bytes = planned.total_bytes;
    if (!status) status = trine_plan_resident(&out->resident_bytes, err);
    if (!status) status = trine_model_open_bare(&m, model, &open, err);
    if (!status) status = run_session(out, m, &planned.options, o, err);
    trine_model_close(m);
    trine_planner_close(planner);
    return status;
}
