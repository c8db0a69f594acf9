/* plain_attention.c - see plain_attention.h. */
#include "compare/plain_attention.h"

#include <math.h>

#include "base/counter_random.h"
#include "base/cpu.h"
#include "base/status.h"
#include "blocks/matmul.h"
#include "generate/clock.h"

enum { ROWS_A_PIECE = 64 };

typedef struct work {
    int n, n_heads, d_head;
    trine_mat q, k, v, tiled, plain;
    float *scores; /* [n, n] */
    const trine_kernels *kernels;
    double tiled_ms, plain_ms;
    size_t tiled_bytes;
} work;

static void fill(trine_mat m, uint64_t key)
{
    for (size_t i = 0; i < (size_t)m.rows * (size_t)m.cols; i++) m.data[i] = (float)(2 * trine_random_unit(key, i) - 1);
}

static void softmax_rows(void *job, int piece, int thread)
{
    const work *w = job;
    (void)thread;
    for (int i = piece * ROWS_A_PIECE; i < w->n && i < (piece + 1) * ROWS_A_PIECE; i++) {
        float *row = w->scores + (size_t)i * (size_t)w->n;
        w->kernels->scale(row, 1 / sqrtf((float)w->d_head), (size_t)w->n);
        const float sum = w->kernels->exp_sum(row, w->kernels->max(row, (size_t)w->n), (size_t)w->n);
        w->kernels->scale(row, 1 / sum, (size_t)w->n);
    }
}

static void attend_plainly(trine_pass *p, work *w)
{
    const size_t width = (size_t)w->q.cols;
    for (int h = 0; h < w->n_heads; h++) {
        const size_t at = (size_t)h * (size_t)w->d_head;
        const trine_matmul scores = {
            .c = w->scores,
            .c_stride = (size_t)w->n,
            .m = w->n,
            .n = w->n,
            .n_terms = 1,
            .terms = { { { w->q.data + at, width, false, NULL }, { w->k.data + at, width, true, NULL }, w->d_head } }
        };
        trine_matmuls(p, &scores, 1);
        if (trine_pass_computes(p)) trine_team_run(p->team, (w->n + ROWS_A_PIECE - 1) / ROWS_A_PIECE, softmax_rows, w);
        const trine_matmul values = {
            .c = w->plain.data + at,
            .c_stride = width,
            .m = w->n,
            .n = w->d_head,
            .n_terms = 1,
            .terms = { { { w->scores, (size_t)w->n, false, NULL }, { w->v.data + at, width, false, NULL }, w->n } }
        };
        trine_matmuls(p, &values, 1);
    }
}

/* Everything on one pass: it is run once to measure the arena, once to compute. */
static void run(trine_pass *p, work *w)
{
    const trine_attention_spec spec = {
        .n_heads = w->n_heads, .n_kv_heads = w->n_heads, .d_head = w->d_head, .scale = 1 / sqrtf((float)w->d_head)
    };
    const int width = w->n_heads * w->d_head;
    w->q = trine_mat_new(p, w->n, width);
    w->k = trine_mat_new(p, w->n, width);
    w->v = trine_mat_new(p, w->n, width);
    w->plain = trine_mat_new(p, w->n, width);
    w->scores = trine_pass_alloc(p, (size_t)w->n * (size_t)w->n, sizeof(float));
    const size_t before = p->arena->used;
    if (trine_pass_computes(p)) {
        fill(w->q, 1);
        fill(w->k, 2);
        fill(w->v, 3);
    }
    double began = trine_clock_ms();
    w->tiled = trine_self_attention(p, w->q, w->k, w->v, &spec);
    w->tiled_ms = trine_clock_ms() - began;
    w->tiled_bytes = p->arena->peak - before - sizeof(float) * (size_t)w->n * (size_t)width;
    began = trine_clock_ms();
    attend_plainly(p, w);
    w->plain_ms = trine_clock_ms() - began;
}

static double difference(const work *w)
{
    double most = 0;
    for (size_t i = 0; i < (size_t)w->n * (size_t)w->q.cols; i++)
        most = fmax(most, fabs((double)w->tiled.data[i] - (double)w->plain.data[i]));
    return most;
}

trine_status trine_attention_measure(trine_attention_cost *out, int n, int n_heads, int d_head, int n_threads, const char *cpu,
                                     trine_error *err)
{
    const trine_segment segment = { .n_rows = n };
    const trine_batch batch = { .n_rows = n, .n_segments = 1, .segments = &segment };
    trine_arena arena = { 0 };
    trine_kernels kernels;
    trine_cpu level;
    trine_team *team = NULL;
    *out = (trine_attention_cost) { 0 };
    if (n < 1 || n_heads < 1 || d_head < 1)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "compare: attention over %d tokens, %d heads of %d", n, n_heads, d_head);
    trine_status status = trine_cpu_choose(&level, cpu, err);
    if (!status) status = trine_team_open(&team, n_threads, err);
    if (status) return status;
    trine_kernels_init(&kernels, level);
    work w = { .n = n, .n_heads = n_heads, .d_head = d_head, .kernels = &kernels };
    for (int computes = 0; computes < 2 && !status; computes++) {
        const size_t size = arena.peak;
        if (computes)
            status = trine_arena_open(&arena, size, err);
        else
            trine_arena_measure(&arena);
        if (status) break;
        trine_pass p = { .arena = &arena, .kernels = &kernels, .n_threads = n_threads, .team = team, .batch = &batch };
        run(&p, &w);
        status = trine_pass_status(&p, err);
        if (computes && !status)
            *out = (trine_attention_cost) { w.tiled_ms, w.plain_ms, (double)w.tiled_bytes, (double)n * n * sizeof(float),
                                            difference(&w) };
        if (!computes)
            w = (work) { .n = n, .n_heads = n_heads, .d_head = d_head, .kernels = &kernels, .tiled_bytes = w.tiled_bytes };
        if (computes || status) trine_arena_close(&arena);
    }
    trine_team_close(team);
    return status;
}
