/* linear_few.c - x W^T for a few rows of x: every weight is used a few times, so reading W is all the cost. W streams by once, row
 * after row as it lies in the file, and meets x in tiles of 4 x 4 rows. */
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

trine_linear_path trine_linear_few(const trine_linear_job *job)
{
    const int most = trine_max_int(16, (int)(65536 / (job->row_bytes + 1)));
    return (trine_linear_path) {
        .unit = TRINE_DOT_TILE,
        .most = most / TRINE_DOT_TILE * TRINE_DOT_TILE,
        .shared_bytes = no_bytes,
        .scratch_floats = scratch_floats,
        .run = run,
    };
}
