/* linear_strips.c - x W^T for some dozens of rows of x and W in f32: the arithmetic is the cost, and laying W out, as linear_panels.c
 * does, would cost as much as 30 to 60 rows of x do.
 *
 * So x is laid out anew, a strip of its rows side by side, and W is met as it lies in the file. A slice of a strip fits the first
 * cache, and rows of W pass over it, eight at a time. Sums come out turned:
 *
 *       slice
 *     +---------+  8 rows of W      x [slice][strip]     sums [8][strip]         y
 *     |/////////|                   [      ......  ] ->  [   ......   ]   ->   [ .. ]   after the last slice
 *     +---------+                   [      ......  ]     [   ......   ]        [ .. ]
 *
 * A sum runs over slices in order and inside a slice in order, as that of panels does: either way gives the same bits. */
#include <string.h>

#include "base/size.h"
#include "blocks/linear.h"

enum {
    SLICE = 192,   /* columns of W at a time: a strip has 36 KiB of them where it is widest */
    MOST_W = 192,  /* rows of W in a piece: their slice, that of x, and the sums of both stay in the second cache */
    LAY_ROWS = 16, /* rows of x laid out together, where strips are a multiple of it */
};

static size_t shared_bytes(const trine_linear_job *job)
{
    size_t n;
    const size_t rows = trine_round_up((size_t)job->x.rows, (size_t)job->kernels->strip_cols);
    return trine_mul_size(&n, rows, (size_t)job->x.cols * sizeof(float)) ? n : SIZE_MAX;
}

static size_t scratch_floats(const trine_linear_job *job)
{
    const int rows = trine_min_int(TRINE_LINEAR_STRIP_ROWS, job->x.rows);
    return trine_round_up((size_t)rows, (size_t)job->kernels->strip_cols) * MOST_W;
}

/* Column k of the strip that begins with a row of x. */
static const float *strip_at(const trine_linear_job *job, int row, int k)
{
    return (const float *)job->shared + (size_t)row * (size_t)job->x.cols + (size_t)k * (size_t)job->kernels->strip_cols;
}

/* Parts of strips that begin in [row, row + n). */
static void prepare(const trine_linear_job *job, int row, int n)
{
    const int width = job->kernels->strip_cols, lay = width % LAY_ROWS ? TRINE_GROUP : LAY_ROWS;
    const size_t cols = (size_t)job->x.cols;
    for (int i = (int)trine_round_up((size_t)row, (size_t)lay); i < row + n; i += lay) {
        float *part = (float *)job->shared + (size_t)(i - i % width) * cols + i % width;
        const int take = trine_min_int(lay, job->x.rows - i);
        for (size_t k = 0; take < lay && k < cols; k++) memset(part + k * (size_t)width, 0, (size_t)lay * sizeof *part);
        job->kernels->transpose(part, (size_t)width, job->x.data + (size_t)i * cols, cols, take, (int)cols);
    }
}

static const unsigned char *weights_at(const trine_linear_job *job, int row, int k)
{
    return trine_linear_weight_row(job, row) + (size_t)k * sizeof(float);
}

/* What a slice adds to the sums of columns [first, first + n) of y, rows [row, row + n_rows): those of a strip are [n][strip]. */
static void add_slice(const trine_linear_job *job, int first, int n, int row, int n_rows, int k0, float *sums)
{
    const int width = job->kernels->strip_cols, depth = trine_min_int(SLICE, job->w->cols - k0);
    const size_t slice_floats = (size_t)depth * (size_t)width;
    for (int i = 0; i < n_rows; i += width) {
        /* Behind a strip comes the next one, and behind the last the next slice. */
        const bool ends = i + width >= n_rows;
        const int next_k = ends && k0 + depth < job->w->cols ? k0 + depth : k0;
        const float *next_x = strip_at(job, ends ? row : row + i + width, next_k);
        for (int j = 0; j < n; j += TRINE_GROUP) {
            const size_t share = (size_t)(j / TRINE_GROUP) * (size_t)depth * TRINE_STRIP_AHEAD / sizeof(float);
            job->kernels->gemm_strip(&(trine_strip) {
                .sums = sums + (size_t)i * (size_t)n + (size_t)j * (size_t)width,
                .x = strip_at(job, row + i, k0),
                .n_rows = trine_min_int(width, n_rows - i),
                .n_w = trine_min_int(TRINE_GROUP, n - j),
                .w = weights_at(job, first + j, k0),
                .next_w = j + TRINE_GROUP < n ? weights_at(job, first + j + TRINE_GROUP, k0) : weights_at(job, first, next_k),
                .next_x = next_x + share % slice_floats,
                .w_stride = job->row_bytes,
                .depth = (size_t)depth,
                .bias = job->w->bias ? job->w->bias + first + j : NULL,
                .first = k0 == 0,
            });
        }
    }
}

/* Eight rows of y at a time, along them: whole lines are written, and of as few rows as the ways of a cache's set, which rows of a
 * multiple of 4 KiB share. */
static void turn(const trine_linear_job *job, int first, int n, int row, int n_rows, const float *sums)
{
    const int width = job->kernels->strip_cols;
    const size_t y_cols = (size_t)job->y.cols;
    for (int i = 0; i < n_rows; i += TRINE_GROUP) {
        const float *from = sums + (size_t)(i - i % width) * (size_t)n + (size_t)(i % width);
        float *to = job->y.data + (size_t)(row + i) * y_cols + (size_t)first;
        job->kernels->transpose(to, y_cols, from, (size_t)width, n, trine_min_int(TRINE_GROUP, n_rows - i));
    }
}

static void run(const trine_linear_job *job, int first, int n, int row, int n_rows, float *scratch)
{
    for (int k0 = 0; k0 < job->w->cols; k0 += SLICE) add_slice(job, first, n, row, n_rows, k0, scratch);
    turn(job, first, n, row, n_rows, scratch);
}

trine_linear_path trine_linear_strips(const trine_linear_job *job)
{
    return (trine_linear_path) {
        .unit = TRINE_GROUP,
        .most = MOST_W,
        .cuts_x = true,
        .x_unit = job->kernels->strip_cols, /* a strip belongs to one piece */
        .shared_bytes = shared_bytes,
        .scratch_floats = scratch_floats,
        .prepare = prepare,
        .run = run,
    };
}
