#include "support/runner.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

trine_status runner_open(trine_model *m, const char *path, const char *cpu, trine_error *err)
{
    *m = (trine_model) { 0 };
    trine_cpu level;
    trine_status status = trine_cpu_choose(&level, cpu, err);
    if (!status) status = trine_checkpoint_open(&m->checkpoint, path, err);
    if (status) return status;
    trine_kernels_init(&m->kernels, level);
    m->family = trine_family_find(trine_checkpoint_config(m->checkpoint), err);
    status = m->family ? m->family->load(m, err) : TRINE_ERROR_UNSUPPORTED;
    if (!status) return TRINE_OK;
    m->family = NULL; /* load has freed what it took */
    runner_close(m);
    return status;
}

void runner_close(trine_model *m)
{
    if (m->family) m->family->unload(m);
    trine_checkpoint_close(m->checkpoint);
    *m = (trine_model) { 0 };
}

/* The state of one run. */
typedef struct runner {
    const trine_model *m;
    const runner_text *texts;
    int n_texts;
    runner_options *o;
    trine_kv_pool *self_pool, *cross_pool;
    trine_kv **self, **cross;
    trine_segment *segments;
    int32_t *ids, *types, *out_rows;
    trine_batch batch;
} runner;

typedef trine_mat runner_pass_fn(const trine_model *m, trine_pass *p);

static trine_mat run_encoder(const trine_model *m, trine_pass *p) { return m->family->head(m, p, m->family->encode(m, p)); }
static trine_mat run_decoder(const trine_model *m, trine_pass *p) { return m->family->head(m, p, m->family->decode(m, p)); }
static trine_mat run_source(const trine_model *m, trine_pass *p)
{
    const trine_mat x = m->family->encode(m, p);
    m->family->cross(m, p, x);
    return x;
}

/* Measures the pass, gives it an arena of exactly that, runs it, and hands the result to `keep` before the arena goes. */
static trine_status run_pass(runner *r, runner_pass_fn *pass, runner_output *out, const int *at, trine_error *err)
{
    trine_arena arena;
    trine_arena_measure(&arena);
    trine_pass p = {
        .arena = &arena, .kernels = &r->m->kernels, .n_threads = r->o->n_threads, .batch = &r->batch, .tracer = r->o->tracer
    };
    pass(r->m, &p);
    trine_status status = trine_pass_status(&p, err);
    const size_t measured = arena.peak;
    trine_arena_close(&arena);
    if (!status) status = trine_arena_open(&arena, measured, err);
    if (status) return status;
    p = (trine_pass) {
        .arena = &arena, .kernels = &r->m->kernels, .n_threads = r->o->n_threads, .batch = &r->batch, .tracer = r->o->tracer
    };
    status = trine_team_open(&p.team, p.n_threads, err);
    if (status) {
        trine_arena_close(&arena);
        return status;
    }
    const trine_mat x = pass(r->m, &p);
    status = trine_pass_status(&p, err);
    trine_team_close(p.team);
    if (measured > r->o->measured) {
        r->o->measured = measured;
        r->o->peak = arena.peak;
    }
    for (int i = 0, row = 0; !status && out && i < r->n_texts; i++) {
        const int n = r->m->info.head == TRINE_HEAD_LABELS ? 1 : r->batch.out_rows ? r->texts[i].n_rows : r->segments[i].n_rows;
        out[i].cols = x.cols;
        if (n && out[i].rows < at[i] + n) {
            out[i].rows = at[i] + n;
            out[i].data = realloc(out[i].data, (size_t)out[i].rows * (size_t)x.cols * sizeof(float));
        }
        if (n && !out[i].data)
            status = trine_fail(err, TRINE_ERROR_MEMORY, "runner: no memory");
        else
            memcpy(out[i].data + (size_t)at[i] * (size_t)x.cols, x.data + (size_t)row * (size_t)x.cols,
                   (size_t)n * (size_t)x.cols * sizeof(float));
        row += n;
    }
    trine_arena_close(&arena);
    return status;
}

/* Rows of the batch: tokens [first, first + step) of each text's source or target. Returns how many there are. */
static int fill(runner *r, bool target, int first, int step)
{
    int row = 0;
    bool types = false;
    for (int i = 0; i < r->n_texts; i++) {
        const runner_text *t = &r->texts[i];
        const int32_t *ids = target ? t->decoder_ids : t->ids;
        const int n_all = target ? t->n_decoder : t->n, n = n_all - first < step ? (n_all > first ? n_all - first : 0) : step;
        const bool keeps = r->self && (r->m->info.paradigm == TRINE_DECODER || target);
        r->segments[i] = (trine_segment) { .first_row = row,
                                           .n_rows = n,
                                           .pos = first < n_all ? first : n_all,
                                           .self = keeps ? r->self[i] : NULL,
                                           .cross = r->cross ? r->cross[i] : NULL };
        for (int k = 0; k < n; k++, row++) {
            r->ids[row] = ids[first + k];
            r->types[row] = t->types && !target ? t->types[first + k] : 0;
        }
        types = types || (t->types && !target);
    }
    r->batch = (trine_batch) { .n_rows = row,
                               .n_segments = r->n_texts,
                               .segments = r->segments,
                               .ids = r->ids,
                               .types = types ? r->types : NULL,
                               .n_out = row,
                               .mask = r->o->mask };
    return row;
}

/* The rows each text asks for, as rows of the batch. */
static void choose_rows(runner *r)
{
    if (!r->texts[0].rows) return;
    int n = 0;
    for (int i = 0; i < r->n_texts; i++)
        for (int k = 0; k < r->texts[i].n_rows; k++) r->out_rows[n++] = r->segments[i].first_row + r->texts[i].rows[k];
    r->batch.out_rows = r->out_rows;
    r->batch.n_out = n;
}

static trine_status reserve(runner *r, trine_kv **kv, bool commit, trine_error *err)
{
    for (int i = 0; i < r->n_texts; i++) {
        if (commit)
            trine_kv_commit(kv[i], r->segments[i].n_rows);
        else if (trine_kv_reserve(kv[i], r->segments[i].n_rows, err))
            return TRINE_ERROR_MEMORY;
    }
    return TRINE_OK;
}

static trine_status open_caches(trine_kv_pool **pool, trine_kv ***kv, runner *r, int ctx, trine_error *err)
{
    trine_kv_shape shape = r->m->self_shape;
    shape.type = r->o->cache_type ? r->o->cache_type : TRINE_F32;
    *kv = calloc((size_t)r->n_texts, sizeof **kv);
    trine_status status = *kv ? trine_kv_pool_open(pool, &shape, ctx, r->n_texts, err) : TRINE_ERROR_MEMORY;
    for (int i = 0; i < r->n_texts && !status; i++) status = trine_kv_open(&(*kv)[i], *pool, err);
    return status;
}

static void close_caches(trine_kv_pool *pool, trine_kv **kv, int n)
{
    for (int i = 0; kv && i < n; i++) trine_kv_close(kv[i]);
    free(kv);
    trine_kv_pool_close(pool);
}

static trine_status run_all(runner *r, runner_output *out, int longest, int longest_target, trine_error *err)
{
    const trine_paradigm paradigm = r->m->info.paradigm;
    int *at = calloc((size_t)r->n_texts, sizeof *at);
    if (!at) return TRINE_ERROR_MEMORY;
    trine_status status = TRINE_OK;
    if (trine_model_reads_whole(r->m)) {
        fill(r, false, 0, longest);
        choose_rows(r);
        status = run_pass(r, paradigm == TRINE_DECODER ? run_decoder : run_encoder, out, at, err);
    } else {
        const bool target = paradigm == TRINE_ENCODER_DECODER;
        const int n = target ? longest_target : longest, step = r->o->step ? r->o->step : n;
        status = open_caches(&r->self_pool, &r->self, r, n, err);
        if (!status && target) {
            status = open_caches(&r->cross_pool, &r->cross, r, longest, err);
            if (!status) fill(r, false, 0, longest);
            if (!status) status = reserve(r, r->cross, false, err);
            if (!status) status = run_pass(r, run_source, NULL, NULL, err);
            if (!status) status = reserve(r, r->cross, true, err);
        }
        for (int first = 0; first < n && !status; first += step) {
            fill(r, target, first, step);
            if (!r->o->step) choose_rows(r);
            for (int i = 0; i < r->n_texts; i++) at[i] = first;
            status = reserve(r, r->self, false, err);
            if (!status) status = run_pass(r, run_decoder, out, at, err);
            if (!status) status = reserve(r, r->self, true, err);
        }
    }
    free(at);
    return status;
}

trine_status runner_run(runner_output *out, const trine_model *m, const runner_text *texts, int n_texts, runner_options *options,
                        trine_error *err)
{
    int rows = 0, longest = 0, longest_target = 0;
    for (int i = 0; i < n_texts; i++) {
        out[i] = (runner_output) { 0 };
        rows += texts[i].n > texts[i].n_decoder ? texts[i].n : texts[i].n_decoder;
        longest = texts[i].n > longest ? texts[i].n : longest;
        longest_target = texts[i].n_decoder > longest_target ? texts[i].n_decoder : longest_target;
    }
    if (!options->n_threads) options->n_threads = 1;
    options->measured = options->peak = 0;
    runner r = { .m = m, .texts = texts, .n_texts = n_texts, .o = options };
    r.segments = calloc((size_t)n_texts, sizeof *r.segments);
    r.ids = calloc((size_t)rows + 1, sizeof *r.ids);
    r.types = calloc((size_t)rows + 1, sizeof *r.types);
    r.out_rows = calloc((size_t)rows + 1, sizeof *r.out_rows);
    trine_status status = r.segments && r.ids && r.types && r.out_rows ? run_all(&r, out, longest, longest_target, err)
                                                                       : trine_fail(err, TRINE_ERROR_MEMORY, "runner: no memory");
    close_caches(r.self_pool, r.self, n_texts);
    close_caches(r.cross_pool, r.cross, n_texts);
    free(r.segments);
    free(r.ids);
    free(r.types);
    free(r.out_rows);
    for (int i = 0; status && i < n_texts; i++) {
        free(out[i].data);
        out[i] = (runner_output) { 0 };
    }
    return status;
}
