/* linear.c - x W^T + b, for one row of x and for thousands, over weights as they lie in the file: which path, and who computes
 * which piece of y. The cut decides who computes, never what: results do not depend on the number of threads. */
#include "blocks/linear.h"

#include <omp.h>

#include "base/size.h"

enum {
    FEW_ROWS = 48,      /* up to here W streams */
    PART_ROWS = 64,     /* least rows of x in a piece that has not all of them */
    SMALL_WORK = 32768, /* multiplications below which a second thread costs more than it brings */
};

static trine_linear_path choose(const trine_linear_job *job)
{
    return job->x.rows <= FEW_ROWS ? trine_linear_few(job) : trine_linear_panels(job);
}

/* Floats a thread needs for this product with these rows or fewer: a pass measured with the most rows has room for every other. */
static size_t scratch_floats(const trine_linear_job *job, const trine_linear_path *path)
{
    const size_t own = path->scratch_floats(job);
    trine_linear_job fewer = *job;
    fewer.x.rows = trine_min_int(job->x.rows, FEW_ROWS);
    const trine_linear_path other = choose(&fewer);
    const size_t least = other.scratch_floats(&fewer);
    return trine_round_up(own > least ? own : least, 16);
}

static void compute(const trine_linear_job *job, const trine_linear_path *path, int n_threads, float *scratch, size_t stride)
{
    const int n_rows = job->w->rows, x_rows = job->x.rows;
    const bool large = n_threads > 1 && (double)x_rows * (double)job->w->cols * (double)n_rows > SMALL_WORK;
    /* Each thread finds several pieces, so that one that is interrupted does not make the others wait. */
    int block = (n_rows + 4 * n_threads - 1) / (4 * n_threads);
    block = trine_min_int((int)trine_round_up((size_t)trine_max_int(block, 1), (size_t)path->unit), path->most);
    const int n_blocks = (n_rows + block - 1) / block;
    /* A narrow W leaves threads without a block: then rows of x are shared out as well. */
    const int n_parts =
        path->cuts_x ? trine_max_int(1, trine_min_int(x_rows / PART_ROWS, (2 * n_threads + n_blocks - 1) / n_blocks)) : 1;
    const int part = (x_rows + n_parts - 1) / n_parts;
#pragma omp parallel num_threads(n_threads) if (large)
    {
        float *mine = scratch + (size_t)omp_get_thread_num() * stride;
        if (path->prepare) {
#pragma omp for schedule(static)
            for (int row = 0; row < x_rows; row++) path->prepare(job, row, 1);
        }
#pragma omp for collapse(2) schedule(dynamic)
        for (int b = 0; b < n_blocks; b++)
            for (int r = 0; r < n_parts; r++) {
                const int first = b * block, row = r * part, rows = trine_min_int(part, x_rows - row);
                if (rows > 0) path->run(job, first, trine_min_int(block, n_rows - first), row, rows, mine);
            }
    }
}

void trine_linear_into(trine_pass *p, trine_mat y, trine_mat x, const trine_weight *w)
{
    const trine_dtype_info *type = trine_dtype_get(w->type);
    trine_linear_job job = { .y = y, .x = x, .w = w, .kernels = p->kernels };
    if (p->failed) return;
    if (!type || !type->computes || x.cols != w->cols || y.cols != w->rows || y.rows != x.rows || w->cols % type->block ||
        !trine_dtype_bytes(&job.row_bytes, w->type, (size_t)w->cols)) {
        trine_pass_fail(p, TRINE_ERROR_INTERNAL, "linear: weights [%d, %d] of type %s do not take x [%d, %d] to y [%d, %d]",
                        w->rows, w->cols, type ? type->name : "unknown", x.rows, x.cols, y.rows, y.cols);
        return;
    }
    const trine_linear_path path = choose(&job);
    const int n_threads = trine_max_int(1, p->n_threads);
    const size_t stride = scratch_floats(&job, &path), mark = trine_arena_mark(p->arena);
    float *scratch = trine_pass_alloc(p, stride * (size_t)n_threads, sizeof(float));
    const size_t shared = path.shared_bytes(&job);
    if (shared) job.shared = trine_pass_alloc(p, shared, 1);
    if (trine_pass_computes(p) && x.rows > 0) compute(&job, &path, n_threads, scratch, stride);
    trine_arena_release(p->arena, mark);
}

trine_mat trine_linear(trine_pass *p, trine_mat x, const trine_weight *w)
{
    trine_mat y = trine_mat_new(p, x.rows, w->rows);
    trine_linear_into(p, y, x, w);
    return y;
}
