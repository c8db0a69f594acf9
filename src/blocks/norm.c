/* norm.c - layer norm and RMS norm. */
#include <string.h>

#include "base/size.h"
#include "blocks/rows.h"
#include "blocks/tape.h"

typedef struct norm {
    const trine_kernels *kernels;
    trine_mat x, y; /* y may be x */
    const float *weight, *bias;
    float eps;
    int width; /* of what is normed on its own: a row, or a head */
} norm;

static void layer_norm_rows(const void *job, int first, int n, int thread)
{
    const norm *j = job;
    (void)thread;
    for (int r = first; r < first + n; r++)
        j->kernels->layer_norm(trine_row(j->y, r), trine_row(j->x, r), j->weight, j->bias, (size_t)j->x.cols, j->eps);
}

static void rms_norm_rows(const void *job, int first, int n, int thread)
{
    const norm *j = job;
    const size_t width = (size_t)j->width;
    (void)thread;
    for (int r = first; r < first + n; r++)
        for (size_t h = 0; h + width <= (size_t)j->x.cols; h += width)
            j->kernels->rms_norm(trine_row(j->y, r) + h, trine_row(j->x, r) + h, j->weight, width, j->eps);
}

/* --------------------------------------------------------------------------------------------------------- backward */

/* Gradients of the weights are sums over rows. Rows are cut into chunks by their number alone, and chunks are added in order, so that
 * the sums do not depend on the number of threads. */
enum { MOST_CHUNKS = 32, CHUNK_ROWS = 8 };

typedef struct norm_op {
    trine_op op;
    trine_mat x;
    const float *weight, *bias;
    float eps;
    int width;
    bool centered; /* layer norm */
} norm_op;

typedef struct slope_job {
    const norm_op *op;
    trine_norm_slope_fn *run;
    trine_mat x, dy, dx; /* [rows, width]: heads are rows */
    bool add;
    float *sums; /* [chunks][2][width]: of dw and db; or NULL */
    int chunk;   /* rows */
} slope_job;

static void slope_chunks(const void *job, int first, int n, int thread)
{
    const slope_job *j = job;
    const size_t width = (size_t)j->x.cols;
    (void)thread;
    for (int c = first; c < first + n; c++) {
        float *sums = j->sums ? j->sums + (size_t)c * 2 * width : NULL;
        trine_norm_slope row = {
            .dw = sums, .db = sums ? sums + width : NULL, .weight = j->op->weight, .eps = j->op->eps, .add = j->add
        };
        if (sums) memset(sums, 0, 2 * width * sizeof *sums);
        for (int r = c * j->chunk; r < trine_min_int((c + 1) * j->chunk, j->x.rows); r++) {
            row.dx = trine_row(j->dx, r);
            row.dy = trine_row(j->dy, r);
            row.x = trine_row(j->x, r);
            j->run(&row, width);
        }
    }
}

static trine_mat by_width(trine_mat x, int width)
{
    return (trine_mat) { .data = x.data, .rows = (int)((int64_t)x.rows * x.cols / width), .cols = width };
}

static void norm_backward(trine_pass *p, trine_op *op)
{
    const norm_op *o = (const norm_op *)op;
    const size_t mark = trine_arena_mark(p->arena), width = (size_t)o->width;
    bool fresh;
    trine_mat dx = trine_grad_for(p, o->x, &fresh);
    float *dw = trine_parameter_grad(p, o->weight), *db = trine_parameter_grad(p, o->bias);
    if (!dx.rows) dx = trine_mat_new(p, o->x.rows, o->x.cols); /* weights that learn below a frozen x */
    slope_job job = { .op = o,
                      .run = o->centered ? p->kernels->grad.layer_norm : p->kernels->grad.rms_norm,
                      .x = by_width(o->x, o->width),
                      .dy = by_width(trine_grad_of(p, op->made[0]), o->width),
                      .dx = by_width(dx, o->width),
                      .add = trine_value_wanted(o->x) && !fresh };
    const int n_chunks = trine_min_int(MOST_CHUNKS, (job.x.rows + CHUNK_ROWS - 1) / CHUNK_ROWS);
    job.chunk = n_chunks ? (job.x.rows + n_chunks - 1) / n_chunks : 0;
    if (dw || db) job.sums = trine_pass_alloc(p, MOST_CHUNKS * 2 * width, sizeof *job.sums);
    if (trine_pass_computes(p)) {
        trine_for_rows(p, n_chunks, 24.0 * o->width * job.chunk, slope_chunks, &job);
        for (int c = 0; c < n_chunks; c++) {
            if (dw) p->kernels->add(dw, job.sums + (size_t)c * 2 * width, width);
            if (db) p->kernels->add(db, job.sums + ((size_t)c * 2 + 1) * width, width);
        }
    }
    trine_arena_release(p->arena, mark);
}

/* ---------------------------------------------------------------------------------------------------------- forward */

static trine_mat run_norm(trine_pass *p, trine_rows_fn *run, trine_mat y, trine_mat x, const float *weight, const float *bias,
                          int width, float eps)
{
    if (trine_pass_computes(p)) {
        const norm job = { p->kernels, x, y, weight, bias, eps, width };
        trine_for_rows(p, x.rows, 8.0 * x.cols, run, &job);
    }
    const bool wanted = p->tape && (trine_value_wanted(x) || trine_learns(p, weight) || trine_learns(p, bias));
    norm_op *op = wanted ? trine_tape_note(p, norm_backward, sizeof *op) : NULL;
    if (!op) return y;
    *op = (norm_op) { op->op, x, weight, bias, eps, width, run == layer_norm_rows };
    y.value = trine_tape_made(p, &op->op, y, true);
    return y;
}

trine_mat trine_layer_norm(trine_pass *p, trine_mat x, const float *weight, const float *bias, float eps)
{
    return run_norm(p, layer_norm_rows, trine_mat_new(p, x.rows, x.cols), x, weight, bias, x.cols, eps);
}

trine_mat trine_layer_norm_over(trine_pass *p, trine_mat x, const float *weight, const float *bias, float eps)
{
    return run_norm(p, layer_norm_rows, trine_consumed(p, x), x, weight, bias, x.cols, eps);
}

trine_mat trine_rms_norm(trine_pass *p, trine_mat x, const float *weight, float eps)
{
    return run_norm(p, rms_norm_rows, trine_mat_new(p, x.rows, x.cols), x, weight, NULL, x.cols, eps);
}

trine_mat trine_rms_norm_heads(trine_pass *p, trine_mat x, const float *weight, int d_head, float eps)
{
    return run_norm(p, rms_norm_rows, trine_consumed(p, x), x, weight, NULL, d_head, eps);
}
