/* linear.c - x W^T + b, for one row of x and for thousands, over weights as they lie in the file: which path, and who computes
 * which piece of y. The cut decides who computes, never what: results do not depend on the number of threads. */
#include "blocks/linear.h"

#include <limits.h>

#include "base/size.h"
#include "blocks/matmul.h"
#include "blocks/packed.h"
#include "blocks/rows.h"
#include "blocks/tape.h"

enum {
    FEW_ROWS = 28,      /* up to here W streams, if it is not f32 */
    PART_ROWS = 64,     /* least rows of x in a piece that has not all of them */
    SMALL_WORK = 32768, /* multiplications below which a second thread costs more than it brings */
};

static int few_rows(const trine_linear_job *job) { return job->w->type == TRINE_F32 ? job->kernels->dot_rows : FEW_ROWS; }

static trine_linear_path choose(const trine_linear_job *job)
{
    const bool bf16 = job->w->type == TRINE_BF16 && job->kernels->bf16_gemm;
    const bool streams = job->kernels->dot_tile[job->w->type] || job->kernels->dot_x8[job->w->type];
    if (job->kernels->pack_panel[job->w->type] && job->x.rows >= trine_linear_integer_rows(job->kernels, job->w->type))
        return trine_linear_bytes(job);
    if (bf16 && job->x.rows >= TRINE_LINEAR_BF16_ROWS) return trine_linear_bf16(job);
    if (streams && job->x.rows <= few_rows(job)) return trine_linear_few(job);
    return job->w->type == TRINE_F32 && job->x.rows <= TRINE_LINEAR_STRIP_ROWS && !job->panels ? trine_linear_strips(job)
                                                                                               : trine_linear_panels(job);
}

/* One of the products: how its y is cut, n_blocks of `block` columns by n_parts of `part` rows, a piece each. */
typedef struct product {
    trine_linear_job job;
    trine_linear_path path;
    int block, n_blocks, part, n_parts;
    size_t scratch, shared; /* floats a thread needs, and bytes of job.shared */
    bool prepares;          /* what job.shared holds; not so when a product before it does */
} product;

typedef struct products {
    product items[TRINE_LINEARS];
    int n;
    int n_pieces, n_prepare; /* pieces of a product that prepares: runs of prepare_rows rows of x */
    int prepare_rows;
    float *scratch;
    size_t stride; /* floats of it that a thread has */
} products;

static void measure_path(product *it, const trine_linear_job *job, trine_linear_path path)
{
    const size_t floats = trine_round_up(path.scratch_floats(job), 16), bytes = path.shared_bytes(job);
    if (floats > it->scratch) it->scratch = floats;
    if (bytes > it->shared) it->shared = bytes;
}

/* Sizes that suffice for this product with these rows or fewer, whichever path they take, with panels that are kept or without: a pass
 * measured with the most rows has room for every other. */
static void measure(product *it)
{
    const int last[] = { INT_MAX, TRINE_LINEAR_STRIP_ROWS, few_rows(&it->job), TRINE_LINEAR_BF16_ROWS - 1,
                         trine_linear_integer_rows(it->job.kernels, it->job.w->type) - 1 }; /* rows at which a path ends */
    for (size_t i = 0; i < sizeof last / sizeof *last; i++) {
        trine_linear_job fewer = it->job;
        fewer.x.rows = trine_min_int(it->job.x.rows, last[i]);
        fewer.panels = NULL;
        measure_path(it, &fewer, choose(&fewer));
        if (it->job.w->packed) measure_path(it, &fewer, trine_linear_panels(&fewer));
    }
}

static void prepare_piece(void *user, int piece, int thread)
{
    const products *all = user;
    int i = 0;
    (void)thread;
    for (;; i++) {
        if (!all->items[i].prepares) continue;
        if (piece < all->n_prepare) break;
        piece -= all->n_prepare;
    }
    const product *it = &all->items[i];
    const int row = piece * all->prepare_rows;
    it->path.prepare(&it->job, row, trine_min_int(all->prepare_rows, it->job.x.rows - row));
}

static void run_piece(void *user, int piece, int thread)
{
    const products *all = user;
    const product *it = all->items;
    for (; piece >= it->n_blocks * it->n_parts; it++) piece -= it->n_blocks * it->n_parts;
    const int first = piece / it->n_parts * it->block, row = piece % it->n_parts * it->part;
    const int n = trine_min_int(it->block, it->job.w->rows - first), n_rows = trine_min_int(it->part, it->job.x.rows - row);
    if (n_rows > 0) it->path.run(&it->job, first, n, row, n_rows, all->scratch + (size_t)thread * all->stride);
}

/* Each thread finds several pieces, so that one that is interrupted does not make the others wait. A narrow W leaves threads
 * without a block: then rows of x are shared out as well. */
static void cut(product *it, int n_threads)
{
    const int n_rows = it->job.w->rows, x_rows = it->job.x.rows, block = (n_rows + 4 * n_threads - 1) / (4 * n_threads);
    it->block = trine_min_int((int)trine_round_up((size_t)trine_max_int(block, 1), (size_t)it->path.unit), it->path.most);
    it->n_blocks = (n_rows + it->block - 1) / it->block;
    it->n_parts = it->path.cuts_x
                      ? trine_max_int(1, trine_min_int(x_rows / PART_ROWS, (2 * n_threads + it->n_blocks - 1) / it->n_blocks))
                      : 1;
    it->part = (x_rows + it->n_parts - 1) / it->n_parts;
    if (it->path.cuts_x) it->part = (int)trine_round_up((size_t)it->part, (size_t)trine_max_int(it->path.x_unit, 1));
}

static void compute(trine_pass *p, products *all)
{
    const int n_threads = trine_max_int(1, p->n_threads), x_rows = all->items[0].job.x.rows;
    double work = 0;
    trine_stage stages[] = { { 0, prepare_piece }, { 0, run_piece } };
    all->prepare_rows = (x_rows + 4 * n_threads - 1) / (4 * n_threads);
    all->n_prepare = (x_rows + all->prepare_rows - 1) / all->prepare_rows;
    for (int i = 0; i < all->n; i++) {
        product *it = &all->items[i];
        cut(it, n_threads);
        work += (double)x_rows * (double)it->job.w->cols * (double)it->job.w->rows;
        if (it->prepares) stages[0].n += all->n_prepare;
        stages[1].n += it->n_blocks * it->n_parts;
    }
    /* A few rows are prepared sooner than others are woken for it. */
    if (x_rows <= TRINE_DOT_TILE)
        for (; stages[0].n > 0; stages[0].n--) prepare_piece(all, stages[0].n - 1, 0);
    trine_team_run_stages(work > SMALL_WORK ? p->team : NULL, stages, 2, all);
}

/* Shapes and types that agree; fills what follows from them. */
static bool check(trine_pass *p, trine_linear_job *job)
{
    const trine_weight *w = job->w;
    const trine_dtype_info *type = trine_dtype_get(w->type);
    if (p->failed) return false;
    if (type && type->computes && job->x.cols == w->cols && job->y.cols == w->rows && job->y.rows == job->x.rows &&
        w->cols % type->block == 0 && trine_dtype_bytes(&job->row_bytes, w->type, (size_t)w->cols))
        return true;
    trine_pass_fail(p, TRINE_ERROR_INTERNAL, "linear: weights [%d, %d] of type %s do not take x [%d, %d] to y [%d, %d]", w->rows,
                    w->cols, type ? type->name : "unknown", job->x.rows, job->x.cols, job->y.rows, job->y.cols);
    return false;
}

/* Memory for what product i prepares of x, unless one before it does the same. */
static void share(trine_pass *p, products *all, int i)
{
    product *it = &all->items[i];
    for (int k = 0; k < i; k++) {
        const product *before = &all->items[k];
        if (!before->prepares || before->path.prepare != it->path.prepare || before->path.form != it->path.form ||
            before->shared != it->shared)
            continue;
        it->job.shared = before->job.shared;
        return;
    }
    it->prepares = it->path.prepare != NULL;
    if (it->prepares && it->shared) it->job.shared = trine_pass_alloc(p, it->shared, 1);
}

/* Whether the panels of all n weights are there: products of one x prepare it alike then, as they were measured. */
static bool all_kept(const trine_weight *const *w, int n)
{
    for (int i = 0; i < n; i++)
        if (!w[i]->packed || !trine_packed_panels(w[i]->packed)) return false;
    return n > 0;
}

static void linears_into(trine_pass *p, const trine_mat *y, trine_mat x, const trine_weight *const *w, int n)
{
    products all = { .n = n };
    const size_t mark = trine_arena_mark(p->arena);
    const bool kept = x.rows > p->kernels->dot_rows && all_kept(w, n);
    for (int i = 0; i < n; i++) {
        product *it = &all.items[i];
        it->job = (trine_linear_job) { .y = y[i], .x = x, .w = w[i], .kernels = p->kernels };
        if (!check(p, &it->job)) return;
        it->job.panels = kept ? trine_packed_panels(w[i]->packed) : NULL;
        it->path = choose(&it->job);
        measure(it);
        if (it->scratch > all.stride) all.stride = it->scratch;
    }
    all.scratch = trine_pass_alloc(p, all.stride * (size_t)trine_max_int(1, p->n_threads), sizeof(float));
    for (int i = 0; i < n; i++) share(p, &all, i);
    if (trine_pass_computes(p) && n > 0 && x.rows > 0) compute(p, &all);
    trine_arena_release(p->arena, mark);
}

void trine_linear_into(trine_pass *p, trine_mat y, trine_mat x, const trine_weight *w) { linears_into(p, &y, x, &w, 1); }

/* ------------------------------------------------------------------------------------------------------------ a tape */

typedef struct linears_op {
    trine_op op;
    trine_mat x;
    int n;
    trine_weight w[TRINE_LINEARS];
    trine_mat low[TRINE_LINEARS]; /* of their adapters */
} linears_op;

/* The copy of W that is rounded to bf16 already, where products are in bf16; or NULL. */
static const uint16_t *rounded_of(const trine_pass *p, const trine_weight *w)
{
    const trine_tape *tape = p->tape;
    if (!tape || !tape->values_bf16 || w->type != TRINE_F32 || !trine_is_parameter(p, w->data)) return NULL;
    return tape->values_bf16 + ((const float *)w->data - tape->values);
}

trine_weight trine_linear_weight(const trine_pass *p, const trine_weight *w)
{
    trine_weight copy = *w;
    const uint16_t *rounded = p->kernels->bf16_gemm ? rounded_of(p, w) : NULL;
    if (!rounded) return copy;
    copy.data = rounded;
    copy.type = TRINE_BF16;
    return copy;
}

enum { UNPACK_ROWS = 384 }; /* rows of a frozen W that are in floats at a time */

typedef struct unpack_job {
    const trine_kernels *kernels;
    const trine_weight *w;
    float *out;
    size_t row_bytes;
    int first;
} unpack_job;

static void unpack_rows(const void *user, int row, int n, int thread)
{
    const unpack_job *j = user;
    const size_t cols = (size_t)j->w->cols;
    (void)thread;
    for (int i = row; i < row + n; i++)
        j->kernels->unpack[j->w->type](j->out + (size_t)i * cols,
                                       (const unsigned char *)j->w->data + (size_t)(j->first + i) * j->row_bytes, cols);
}

/* dx += dy W for W of any type, some of its rows at a time. */
static void add_unpacked(trine_pass *p, trine_mat dx, trine_mat dy, const trine_weight *w)
{
    const size_t mark = trine_arena_mark(p->arena);
    trine_mat rows = trine_mat_new(p, trine_min_int(UNPACK_ROWS, w->rows), w->cols);
    unpack_job job = { .kernels = p->kernels, .w = w, .out = rows.data };
    trine_dtype_bytes(&job.row_bytes, w->type, (size_t)w->cols);
    for (; job.first < w->rows && !p->failed; job.first += UNPACK_ROWS) {
        const int n = trine_min_int(UNPACK_ROWS, w->rows - job.first);
        const trine_matmul_term term = { { dy.data ? dy.data + job.first : NULL, (size_t)w->rows, false, NULL },
                                         { rows.data, (size_t)w->cols, false, NULL },
                                         n };
        if (trine_pass_computes(p)) trine_for_rows(p, n, (double)w->cols, unpack_rows, &job);
        trine_matmuls(p,
                      &(trine_matmul) { .c = dx.data,
                                        .c_stride = (size_t)dx.cols,
                                        .m = dx.rows,
                                        .n = dx.cols,
                                        .n_terms = 1,
                                        .add = true,
                                        .terms = { term } },
                      1);
    }
    trine_arena_release(p->arena, mark);
}

/* d b += column sums of dy alone, where W is frozen. */
typedef struct bias_job {
    const trine_kernels *kernels;
    trine_mat dy;
    float *grad;
} bias_job;

static void add_columns(const void *user, int first, int n, int thread)
{
    const bias_job *j = user;
    (void)thread;
    for (int i = 0; i < j->dy.rows; i++) j->kernels->add(j->grad + first, trine_row(j->dy, i) + first, (size_t)n);
}

/* All products at once. The sums of dy's columns are those of d W's left side. */
void trine_linear_gradients(trine_pass *p, trine_mat dx, bool add, trine_mat x, const trine_weight *const *w, const trine_mat *dy,
                            int n)
{
    trine_matmul all[TRINE_MATMULS];
    int n_all = 0;
    if (p->failed) return;
    if (dx.rows)
        all[n_all++] = (trine_matmul) { .c = dx.data, .c_stride = (size_t)dx.cols, .m = dx.rows, .n = dx.cols, .add = add };
    for (int i = 0; i < n; i++) {
        float *dw = w[i]->type == TRINE_F32 ? trine_parameter_grad(p, w[i]->data) : NULL, *db = trine_parameter_grad(p, w[i]->bias);
        const trine_operand by_rows = { dy[i].data, (size_t)dy[i].cols, false, NULL },
                            turned = { dy[i].data, (size_t)dy[i].cols, true, NULL };
        if (dx.rows && w[i]->type == TRINE_F32)
            all[0].terms[all[0].n_terms++] =
                (trine_matmul_term) { by_rows, { w[i]->data, (size_t)w[i]->cols, false, rounded_of(p, w[i]) }, w[i]->rows };
        if (dw)
            all[n_all++] = (trine_matmul) {
                .c = dw,
                .c_stride = (size_t)w[i]->cols,
                .m = w[i]->rows,
                .n = w[i]->cols,
                .n_terms = 1,
                .add = true,
                .sums = db,
                .terms = { { turned, { x.data, (size_t)x.cols, false, NULL }, dy[i].rows } },
            };
        else if (db && trine_pass_computes(p))
            trine_for_rows(p, dy[i].cols, (double)dy[i].rows, add_columns, &(bias_job) { p->kernels, dy[i], db });
    }
    trine_matmuls(p, all, n_all);
    for (int i = 0; i < n && dx.rows; i++)
        if (w[i]->type != TRINE_F32) add_unpacked(p, dx, dy[i], w[i]);
}

static void linears_backward(trine_pass *p, trine_op *op)
{
    const linears_op *o = (const linears_op *)op;
    const trine_weight *w[TRINE_LINEARS] = { NULL };
    trine_mat dy[TRINE_LINEARS] = { 0 }, low[TRINE_LINEARS] = { 0 };
    int n = 0;
    for (int i = 0; i < o->n; i++) {
        if (!trine_has_grad(op->made[i])) continue;
        dy[n] = trine_grad_of(p, op->made[i]);
        low[n] = o->low[i];
        w[n++] = &o->w[i];
    }
    bool fresh;
    const trine_mat dx = trine_grad_for(p, o->x, &fresh);
    trine_linear_gradients(p, dx, !fresh, o->x, w, dy, n);
    for (int i = 0; i < n; i++)
        if (w[i]->lora) trine_adapter_gradients(p, dx, true, o->x, low[i], dy[i], w[i]);
}

bool trine_linear_learns(const trine_pass *p, const trine_weight *w)
{
    return trine_learns(p, w->data) || trine_learns(p, w->bias) ||
           (w->lora && (trine_learns(p, w->lora->a.data) || trine_learns(p, w->lora->b.data)));
}

static void note(trine_pass *p, trine_mat *y, trine_mat x, const trine_weight *const *w, const trine_mat *low, int n)
{
    bool wanted = trine_value_wanted(x);
    for (int i = 0; i < n; i++) wanted |= trine_linear_learns(p, w[i]);
    linears_op *op = wanted ? trine_tape_note(p, linears_backward, sizeof *op) : NULL;
    if (!op) return;
    op->x = x;
    op->n = n;
    for (int i = 0; i < n; i++) {
        op->w[i] = *w[i];
        op->low[i] = low[i];
        y[i].value = trine_tape_made(p, &op->op, y[i], true);
    }
}

static void linears(trine_pass *p, trine_mat *y, trine_mat x, const trine_weight *const *w, int n)
{
    trine_weight weights[TRINE_LINEARS];
    const trine_weight *of[TRINE_LINEARS] = { NULL };
    trine_mat low[TRINE_LINEARS] = { 0 };
    for (int i = 0; i < n; i++) {
        y[i] = trine_mat_new(p, x.rows, w[i]->rows);
        weights[i] = trine_linear_weight(p, w[i]);
        of[i] = &weights[i];
    }
    linears_into(p, y, x, of, n);
    for (int i = 0; i < n; i++) {
        if (!w[i]->lora) continue;
        low[i] = trine_adapter_low(p, x.rows, w[i]);
        trine_adapt(p, y[i], low[i], x, w[i]);
    }
    if (trine_pass_notes(p)) note(p, y, x, w, low, n);
}

trine_mat trine_linear(trine_pass *p, trine_mat x, const trine_weight *w)
{
    trine_mat y;
    linears(p, &y, x, &w, 1);
    return y;
}

void trine_linears(trine_pass *p, trine_mat *y, trine_mat x, const trine_weight *const *w, int n)
{
    if (n <= TRINE_LINEARS) {
        linears(p, y, x, w, n);
        return;
    }
    for (int i = 0; i < n; i++) y[i] = trine_mat_new(p, x.rows, w[i]->rows);
    trine_pass_fail(p, TRINE_ERROR_INTERNAL, "linears: %d products at once, expected at most %d", n, TRINE_LINEARS);
}
