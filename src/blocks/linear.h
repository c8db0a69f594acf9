/* linear.h - x W^T + b from the inside: the ways to compute it, and the product into a matrix that is there already.
 *
 * A path is one way: which memory it wants, what it prepares of x once, and how it computes a rectangle of y. linear.c picks
 * a path by the type of W and the number of rows, cuts y and shares the pieces out; a path knows no thread. */
#ifndef TRINE_BLOCKS_LINEAR_H
#define TRINE_BLOCKS_LINEAR_H

#include "blocks/blocks.h"

/* One product, checked: y [x.rows, w->rows]. */
typedef struct trine_linear_job {
    trine_mat y, x;
    const trine_weight *w;
    const trine_kernels *kernels;
    size_t row_bytes;    /* of a row of W */
    const float *panels; /* those of W that are kept (packed.h), or NULL */
    void *shared;        /* what prepare() wrote, or NULL */
} trine_linear_job;

enum {
    TRINE_LINEAR_STRIP_ROWS = 256, /* up to here laying W in f32 out costs more than turning y does: by measurement */
    TRINE_LINEAR_BF16_ROWS = 7,    /* from this many rows of x on it becomes bf16 where W is and the processor multiplies it */
};
/* And from this many on a quantised W becomes panels of bytes, by measurement; before, rows of W meet x as they lie, four rows of x at a
 * time, and those of Q8_0 have nothing to unpack. */
static inline int trine_linear_integer_rows(const trine_kernels *kernels, trine_dtype type)
{
    const bool levels = kernels->levels.pack[type] != NULL;
    return type == TRINE_Q8_0 ? (levels ? 8 : 24) : levels ? 6 : 12;
}

typedef struct trine_linear_path {
    int unit;    /* rows of W that are computed together: pieces are cut in multiples of it */
    int most;    /* most rows of W a piece has, a multiple of unit */
    bool cuts_x; /* whether a piece may be some rows of x only: multiples of x_unit, but for the last */
    int x_unit;  /* 0 is 1 */
    /* Bytes of memory that all pieces share, and floats that each thread has for itself. The number of rows may be smaller than
     * it was when the arena was measured, never larger: sizes must not grow when rows shrink. */
    size_t (*shared_bytes)(const trine_linear_job *job);
    size_t (*scratch_floats)(const trine_linear_job *job);
    /* Rows [row, row + n) of x into job->shared; NULL when there is nothing to prepare. It follows from x and `form` alone: products of
     * one x whose paths prepare by the same function and form, into as many bytes, share it. */
    void (*prepare)(const trine_linear_job *job, int row, int n);
    trine_order_x8_fn *form;
    /* y[row .. row + n_rows, first .. first + n). */
    void (*run)(const trine_linear_job *job, int first, int n, int row, int n_rows, float *scratch);
} trine_linear_path;

static inline const unsigned char *trine_linear_weight_row(const trine_linear_job *job, int row)
{
    return (const unsigned char *)job->w->data + (size_t)row * job->row_bytes;
}

trine_linear_path trine_linear_few(const trine_linear_job *job);    /* W streams by, as it lies */
trine_linear_path trine_linear_panels(const trine_linear_job *job); /* W becomes panels of f32, or has been made them */
trine_linear_path trine_linear_strips(const trine_linear_job *job); /* f32 of up to TRINE_LINEAR_STRIP_ROWS, W as it lies */
trine_linear_path trine_linear_bytes(const trine_linear_job *job);  /* x and a quantised W become bytes */
trine_linear_path trine_linear_bf16(const trine_linear_job *job);   /* x is rounded to bf16 and meets W in bf16 */

/* Panels of W to keep, `out` of [trine_linear_panel_rows, w->cols] floats. Piece i, of all its columns: rows from i group_cols on. */
void trine_linear_lay_out(float *out, const trine_linear_job *job, int piece);
static inline size_t trine_linear_panel_rows(const trine_linear_job *job)
{
    const size_t width = (size_t)job->kernels->group_cols;
    return ((size_t)job->w->rows + width - 1) / width * width;
}

void trine_linear_into(trine_pass *p, trine_mat y, trine_mat x, const trine_weight *w);

/* An adapter beside w: low = scale A x, y += B low. For blocks that make y themselves: trine_linear and trine_linears do it. A tape keeps
 * `low`, of trine_adapter_low. */
void trine_adapt(trine_pass *p, trine_mat y, trine_mat low, trine_mat x, const trine_weight *w);
static inline trine_mat trine_adapter_low(trine_pass *p, int n_rows, const trine_weight *w)
{
    return trine_mat_new(p, n_rows, w->lora->a.rows);
}

/* ---- with a tape ---- */

/* Whether W, its bias or its adapter learns. */
bool trine_linear_learns(const trine_pass *p, const trine_weight *w);

/* What a forward multiplies by in place of w: where products are in bf16, the copy of the parameters that is rounded already. */
trine_weight trine_linear_weight(const trine_pass *p, const trine_weight *w);
/* Of y_i = W_i x + b_i, i < n, given d y_i: d W_i += d y_i^T x and d b_i += the sums of d y_i's columns, where they learn; dx (of x's shape;
 * no rows: not wanted) = the sum of d y_i W_i, and of what it holds when `add`. */
void trine_linear_gradients(trine_pass *p, trine_mat dx, bool add, trine_mat x, const trine_weight *const *w, const trine_mat *dy,
                            int n);
/* The same of what trine_adapt added to y: of A and B, where they learn, and to dx, which it holds already when `add`. */
void trine_adapter_gradients(trine_pass *p, trine_mat dx, bool add, trine_mat x, trine_mat low, trine_mat dy,
                             const trine_weight *w);

#endif
