/* linear_few.c - x W^T for a few rows of x: every weight is used a few times, so reading W is all the cost. W streams by once, as it lies
 * in the file, and meets x in tiles of 4 x 4 rows.
 *
 * Quantised rows of W meet x in 8 bits (kernels.h), made once for the product: unpacking to f32 would cost several times what
 * reading does, while products of integers keep up with memory. x is rounded by that to half of 1/127 of the largest of its
 * 32 neighbours. */
#include "base/size.h"
#include "blocks/linear.h"
#include "blocks/rows.h"

/* Bytes of W in a piece, at most. Where a piece begins, the hardware has to find the stream anew: pieces of 64 KiB cost a third of
 * what memory gives. */
#define PIECE ((size_t)1 << 20)

static size_t nothing(const trine_linear_job *job)
{
    (void)job;
    return 0;
}

/* ---- quantised W: x in 8 bits ---- */

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

/* ---- the product ---- */

/* n_w rows of W from j on, each `apart` rows behind the one before it, by rows [row, row + n_rows) of x. */
static void run_tile(const trine_linear_job *job, int j, int apart, int n_w, int row, int n_rows)
{
    const trine_weight *w = job->w;
    const size_t cols = (size_t)w->cols, stride = (size_t)apart * job->row_bytes;
    const unsigned char *rows = trine_linear_weight_row(job, j);
    for (int i = row; i < row + n_rows; i += TRINE_DOT_TILE) {
        const int n_x = trine_min_int(TRINE_DOT_TILE, row + n_rows - i);
        float tile[TRINE_DOT_TILE][TRINE_DOT_TILE];
        if (trine_weight_in_blocks(w))
            job->kernels->dot_x8[w->type](tile[0], TRINE_DOT_TILE, row_8(job, i), row_bytes_8(job), n_x, rows, stride, n_w, cols);
        else
            job->kernels->dot_tile[w->type](tile[0], TRINE_DOT_TILE, trine_row(job->x, i), cols, n_x, rows, stride, n_w, cols);
        for (int k = 0; k < n_x; k++) {
            float *y = trine_row(job->y, i + k) + j;
            for (int c = 0; c < n_w; c++) y[c * apart] = w->bias ? tile[k][c] + w->bias[j + c * apart] : tile[k][c];
        }
    }
}

/* A tile is of neighbours in W, or of rows a fourth of the piece away from each other, where memory answers several streams sooner than
 * one (kernels.h). */
static void run(const trine_linear_job *job, int first, int n, int row, int n_rows, float *scratch)
{
    const bool streams = trine_weight_in_blocks(job->w) ? job->kernels->dot_x8_streams : job->kernels->dot_tile_streams;
    const int apart = streams ? n / TRINE_DOT_TILE : 0, end = first + n;
    (void)scratch;
    for (int j = first; j < first + apart; j++) run_tile(job, j, apart, TRINE_DOT_TILE, row, n_rows);
    for (int j = first + apart * TRINE_DOT_TILE; j < end; j += TRINE_DOT_TILE)
        run_tile(job, j, 1, trine_min_int(TRINE_DOT_TILE, end - j), row, n_rows);
}

trine_linear_path trine_linear_few(const trine_linear_job *job)
{
    const int most = trine_max_int(16, (int)(PIECE / (job->row_bytes + 1))) / TRINE_DOT_TILE * TRINE_DOT_TILE;
    const bool blocks = trine_weight_in_blocks(job->w);
    return (trine_linear_path) {
        .unit = TRINE_DOT_TILE,
        .most = most,
        .shared_bytes = blocks ? shared_bytes_8 : nothing,
        .scratch_floats = nothing,
        .prepare = blocks ? prepare_8 : NULL,
        .form = job->kernels->order_x8[job->w->type],
        .run = run,
    };
}
