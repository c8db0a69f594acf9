/* linear.c - x W^T + b, for one row of x and for thousands, over weights as they lie in the file: which path, and who computes
 * which piece of y. The cut decides who computes, never what: results do not depend on the number of threads. */
#include "blocks/linear.h"

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

/* How y is cut: n_blocks of `block` columns by n_parts of `part` rows, a piece each. */
typedef struct cut {
    const trine_linear_job *job;
    const trine_linear_path *path;
    int block, n_blocks, part, n_parts, prepare;
    float *scratch;
    size_t stride;
} cut;

static void prepare_piece(void *user, int piece, int thread)
{
    const cut *c = user;
    const int row = piece * c->prepare;
    (void)thread;
    c->path->prepare(c->job, row, trine_min_int(c->prepare, c->job->x.rows - row));
}

static void run_piece(void *user, int piece, int thread)
{
    const cut *c = user;
    const int first = piece / c->n_parts * c->block, row = piece % c->n_parts * c->part;
    const int n = trine_min_int(c->block, c->job->w->rows - first), n_rows = trine_min_int(c->part, c->job->x.rows - row);
    if (n_rows > 0) c->path->run(c->job, first, n, row, n_rows, c->scratch + (size_t)thread * c->stride);
}

static void compute(trine_pass *p, const trine_linear_job *job, const trine_linear_path *path, float *scratch, size_t stride)
{
    const int n_rows = job->w->rows, x_rows = job->x.rows, n_threads = trine_max_int(1, p->n_threads);
    const bool large = (double)x_rows * (double)job->w->cols * (double)n_rows > SMALL_WORK;
    cut c = { .job = job, .path = path, .scratch = scratch, .stride = stride };
    /* Each thread finds several pieces, so that one that is interrupted does not make the others wait. */
    const int block = (n_rows + 4 * n_threads - 1) / (4 * n_threads);
    c.block = trine_min_int((int)trine_round_up((size_t)trine_max_int(block, 1), (size_t)path->unit), path->most);
    c.n_blocks = (n_rows + c.block - 1) / c.block;
    /* A narrow W leaves threads without a block: then rows of x are shared out as well. */
    c.n_parts =
        path->cuts_x ? trine_max_int(1, trine_min_int(x_rows / PART_ROWS, (2 * n_threads + c.n_blocks - 1) / c.n_blocks)) : 1;
    c.part = (x_rows + c.n_parts - 1) / c.n_parts;
    c.prepare = (x_rows + 4 * n_threads - 1) / (4 * n_threads);
    const trine_stage stages[] = { { path->prepare ? (x_rows + c.prepare - 1) / c.prepare : 0, prepare_piece },
                                   { c.n_blocks * c.n_parts, run_piece } };
    trine_team_run_stages(large ? p->team : NULL, stages, 2, &c);
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
    if (trine_pass_computes(p) && x.rows > 0) compute(p, &job, &path, scratch, stride);
    trine_arena_release(p->arena, mark);
}

trine_mat trine_linear(trine_pass *p, trine_mat x, const trine_weight *w)
{
    trine_mat y = trine_mat_new(p, x.rows, w->rows);
    trine_linear_into(p, y, x, w);
    return y;
}
