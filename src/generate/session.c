/* session.c - opening a session takes all it will ever use: its threads, the arena of its passes, the pages of its caches and the
 * arrays a batch is laid out in. */
#include "generate/session.h"

#include <stdlib.h>

#include "base/size.h"
#include "base/status.h"

static void let_go(trine_session *s)
{
    trine_kv_pool_close(s->self);
    trine_kv_pool_close(s->cross);
    trine_arena_close(&s->arena);
    trine_arena_close(&s->trace_arena);
    free(s->segments);
    free(s->ids);
    free(s->types);
    free(s->out_rows);
    free(s);
}

void trine_session_close(trine_session *s)
{
    if (!s) return;
    trine_team_close(s->team);
    s->team = NULL;
    s->closed = true;
    if (!s->n_open) let_go(s); /* else the last of its sequences does */
}

void trine_session_drop_sequence(trine_session *s)
{
    if (!--s->n_open && s->closed) let_go(s);
}

trine_status trine_session_open(trine_session **out, trine_model *model, const trine_session_options *options, trine_error *err)
{
    *out = NULL;
    if (!model) return trine_fail(err, TRINE_ERROR_ARGUMENT, "session: no model");
    trine_session_plan plan;
    trine_status status = trine_session_make_plan(&plan, model, options, err);
    if (status) return status;
    const trine_session_options *o = &plan.options;
    const size_t rows = (size_t)plan.rows_cap;

    trine_session *s = calloc(1, sizeof *s);
    if (!s) return trine_fail(err, TRINE_ERROR_MEMORY, "session: no memory");
    s->model = model;
    s->options = *o;
    s->rows_cap = plan.rows_cap;
    s->segments = malloc(rows * sizeof *s->segments);
    s->ids = malloc(rows * sizeof *s->ids);
    s->types = malloc(rows * sizeof *s->types);
    s->out_rows = malloc(rows * sizeof *s->out_rows);
    if (!s->segments || !s->ids || !s->types || !s->out_rows) {
        status = trine_fail(err, TRINE_ERROR_MEMORY, "session: no memory for batches of %d tokens", plan.rows_cap);
        goto fail;
    }
    if ((status = trine_model_end_ids(s->ends, &s->n_ends, model, err))) goto fail;
    if ((status = trine_arena_open(&s->arena, plan.arena_bytes, err))) goto fail;
    if ((status = trine_team_open(&s->team, o->n_threads, err))) goto fail;
    const trine_kv_shape shape = trine_session_kv_shape(model, o);
    if (!trine_model_reads_whole(model) && (status = trine_kv_pool_open(&s->self, &shape, o->ctx, o->n_sequences, err))) goto fail;
    if (model->info.paradigm == TRINE_ENCODER_DECODER &&
        (status = trine_kv_pool_open(&s->cross, &shape, o->source_ctx, o->n_sequences, err)))
        goto fail;
    s->memory = (trine_memory) { .weights_bytes = model->info.weights_bytes,
                                 .cache_bytes = plan.cache_bytes,
                                 .arena_bytes = plan.arena_bytes,
                                 .ctx = o->ctx,
                                 .cache_type = o->cache_type,
                                 .n_threads = o->n_threads,
                                 .text_tokens = trine_min_int(
                                     model->info.paradigm == TRINE_ENCODER_DECODER ? o->source_ctx : o->ctx, plan.rows_cap) };
    *out = s;
    return TRINE_OK;

fail:
    trine_session_close(s);
    return status;
}

void trine_session_memory(trine_memory *out, const trine_session *s)
{
    *out = s->memory;
    out->arena_peak = s->arena.peak;
}
