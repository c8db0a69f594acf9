/* linear_few.c - x W^T for a few rows of x: every weight is used a few times, so reading W is all the cost. W streams by once, row
 * after row as it lies in the file, and meets x in tiles of 4 x 4 rows.
 *
 * Quantised rows of W meet x in 8 bits (kernels.h), made once for the product: unpacking to f32 would cost several times what
 * reading does, while products of integers keep up with memory. x is rounded by that to half of 1/127 of the largest of its
 * 32 neighbours. */
#include "base/size.h"
#include "blocks/linear.h"

static size_t no_bytes(const trine_linear_job *job)
{
    (void)job;
    return 0;
}

/* Room for a tile of W's rows, unpacked. */
static size_t scratch_floats(const trine_linear_job *job) { return (size_t)TRINE_DOT_TILE * (size_t)job->w->cols; }

static void run(const trine_linear_job *job, int first, int n, int row, int n_rows, float *scratch)
{
    const trine_kernels *kernels = job->kernels;
    const trine_weight *w = job->w;
    const size_t cols = (size_t)w->cols, y_cols = (size_t)job->y.cols;
    const float *x = job->x.data + (size_t)row * cols;
    float *y = job->y.data + (size_t)row * y_cols;
    for (int j = first; j < first + n; j += TRINE_DOT_TILE) {
        const int n_w = trine_min_int(TRINE_DOT_TILE, first + n - j);
        const void *rows = trine_linear_weight_row(job, j);
        size_t stride = job->row_bytes;
        trine_dtype type = w->type;
        /* Unpacking quantised weights costs more than a product with one row: share it when several rows want it. */
        if (n_rows > TRINE_DOT_TILE && type > TRINE_BF16) {
            for (int i = 0; i < n_w; i++)
                kernels->unpack[type](scratch + (size_t)i * cols, trine_linear_weight_row(job, j + i), cols);
            rows = scratch;
            stride = cols * sizeof(float);
            type = TRINE_F32;
        }
        for (int i = 0; i < n_rows; i += TRINE_DOT_TILE)
            kernels->dot_tile[type](y + (size_t)i * y_cols + (size_t)j, y_cols, x + (size_t)i * cols, cols,
                                    trine_min_int(TRINE_DOT_TILE, n_rows - i), rows, stride, n_w, cols);
        if (w->bias)
            for (int i = 0; i < n_rows; i++)
                for (int c = j; c < j + n_w; c++) y[(size_t)i * y_cols + (size_t)c] += w->bias[c];
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
    for (int i = row; i < row + n; i++) job->kernels->pack_x8(row_8(job, i), job->x.data + (size_t)i * cols, cols);
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
        if (w->bias)
            for (int i = row; i < row + n_rows; i++)
                for (int c = j; c < j + n_w; c++) job->y.data[(size_t)i * y_cols + (size_t)c] += w->bias[c];
    }
}

static size_t no_floats(const trine_linear_job *job)
{
    (void)job;
    return 0;
}

trine_linear_path trine_linear_few(const trine_linear_job *job)
{
    const int most = trine_max_int(16, (int)(65536 / (job->row_bytes + 1)));
    if (trine_dtype_get(job->w->type)->block == 32 && job->kernels->dot_x8[job->w->type]) {
        return (trine_linear_path) {
            .unit = TRINE_DOT_TILE,
            .most = most / TRINE_DOT_TILE * TRINE_DOT_TILE,
            .shared_bytes = shared_bytes_8,
            .scratch_floats = no_floats,
            .prepare = prepare_8,
            .run = run_8,
        };
    }
    return (trine_linear_path) {
        .unit = TRINE_DOT_TILE,
        .most = most / TRINE_DOT_TILE * TRINE_DOT_TILE,
        .shared_bytes = no_bytes,
        .scratch_floats = scratch_floats,
        .run = run,
    };
}
