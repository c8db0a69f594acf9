/* linear_few.c - x W^T for a few rows of x: every weight is used a few times, so reading W is all the cost. W streams by once, row
 * after row as it lies in the file, and meets x in tiles of 4 x 4 rows.
 *
 * Quantised rows of W meet x in 8 bits (kernels.h), made once for the product: unpacking to f32 would cost several times what
 * reading does, while products of integers keep up with memory. x is rounded by that to half of 1/127 of the largest of its
 * 32 neighbours. */
#include "base/size.h"
#include "blocks/linear.h"

/* Bytes of W in a piece, at most. Where a piece begins, the hardware has to find the stream anew: pieces of 64 KiB cost a third of
 * what memory gives. */
#define PIECE ((size_t)1 << 20)

static size_t nothing(const trine_linear_job *job)
{
    (void)job;
    return 0;
}

static void add_bias(const trine_linear_job *job, int first, int n, int row, int n_rows)
{
    if (!job->w->bias) return;
    for (int i = row; i < row + n_rows; i++)
        for (int c = first; c < first + n; c++) job->y.data[(size_t)i * (size_t)job->y.cols + (size_t)c] += job->w->bias[c];
}

static void run(const trine_linear_job *job, int first, int n, int row, int n_rows, float *scratch)
{
    const trine_weight *w = job->w;
    const size_t cols = (size_t)w->cols, y_cols = (size_t)job->y.cols;
    (void)scratch;
    for (int j = first; j < first + n; j += TRINE_DOT_TILE) {
        const int n_w = trine_min_int(TRINE_DOT_TILE, first + n - j);
        for (int i = row; i < row + n_rows; i += TRINE_DOT_TILE)
            job->kernels->dot_tile[w->type](job->y.data + (size_t)i * y_cols + (size_t)j, y_cols, job->x.data + (size_t)i * cols,
                                            cols, trine_min_int(TRINE_DOT_TILE, row + n_rows - i), trine_linear_weight_row(job, j),
                                            job->row_bytes, n_w, cols);
        add_bias(job, j, n_w, row, n_rows);
    }
}

/* ---- quantised W, x in 8 bits ---- */

static size_t row_bytes_8(const trine_linear_job *job) { return trine_round_up(trine_x8_bytes((size_t)job->x.cols), 64); }
static size_t shared_bytes_8(const trine_linear_job *job) { return (size_t)job->x.rows * row_bytes_8(job); }
static unsigned char *row_8(const trine_linear_job *job, int row)
{
    return (unsigned char *)job->shared + (size_t)row * row_bytes_8(job);
}

static void prepare_8(const trine_linear_job *job, int row, int n)
{
    const size_t cols = (size_t)job->x.cols;
    trine_order_x8_fn *order = job->kernels->order_x8[job->w->type];
    for (int i = row; i < row + n; i++) {
        job->kernels->pack_x8(row_8(job, i), job->x.data + (size_t)i * cols, cols);
        if (order) order(row_8(job, i), cols);
    }
}

static void run_8(const trine_linear_job *job, int first, int n, int row, int n_rows, float *scratch)
{
    const trine_weight *w = job->w;
    const size_t cols = (size_t)w->cols, y_cols = (size_t)job->y.cols;
    (void)scratch;
    for (int j = first; j < first + n; j += TRINE_DOT_TILE) {
        const int n_w = trine_min_int(TRINE_DOT_TILE, first + n - j);
        for (int i = row; i < row + n_rows; i += TRINE_DOT_TILE)
            job->kernels->dot_x8[w->type](job->y.data + (size_t)i * y_cols + (size_t)j, y_cols, row_8(job, i), row_bytes_8(job),
                                          trine_min_int(TRINE_DOT_TILE, row + n_rows - i), trine_linear_weight_row(job, j),
                                          job->row_bytes, n_w, cols);
        add_bias(job, j, n_w, row, n_rows);
    }
}

trine_linear_path trine_linear_few(const trine_linear_job *job)
{
    const int most = trine_max_int(16, (int)(PIECE / (job->row_bytes + 1))) / TRINE_DOT_TILE * TRINE_DOT_TILE;
    const bool blocks = trine_dtype_get(job->w->type)->block > 1;
    return (trine_linear_path) {
        .unit = TRINE_DOT_TILE,
        .most = most,
        .shared_bytes = blocks ? shared_bytes_8 : nothing,
        .scratch_floats = nothing,
        .prepare = blocks ? prepare_8 : NULL,
        .form = job->kernels->order_x8[job->w->type],
        .run = blocks ? run_8 : run,
    };
}
