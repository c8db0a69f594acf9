/* linear_bf16.c - x W^T for many rows of x and W in bf16, on processors that multiply bf16: x is rounded to bf16 once for the
 * product and meets W's own bits.
 *
 * So many rows of x pass over all columns of a piece before the next do that their slice of depth, and their sums, stay in the second
 * cache. A sum runs in the order of depth, however y is cut. */
#include "base/size.h"
#include "blocks/linear.h"

enum {
    X_ROWS = 512,    /* of x that meet a piece of W together: a slice of them is 256 KiB */
    PANEL_COLS = 32, /* rows of W that the kernel makes ready together */
    MOST_COLS = 128, /* rows of W in a piece: 256 KiB of sums */
};

static size_t group_bytes(const trine_linear_job *job)
{
    return trine_round_up((size_t)job->w->cols, TRINE_BF16_STEP) * TRINE_BF16_GROUP * sizeof(uint16_t);
}

/* Rows of x that meet W together. */
static int rows_at_once(const trine_linear_job *job) { return trine_min_int(X_ROWS, job->x.rows); }

static size_t shared_bytes(const trine_linear_job *job)
{
    size_t n;
    const size_t groups = trine_round_up((size_t)job->x.rows, TRINE_BF16_GROUP) / TRINE_BF16_GROUP;
    return trine_mul_size(&n, groups, group_bytes(job)) ? n : SIZE_MAX;
}

static size_t scratch_floats(const trine_linear_job *job) { return trine_bf16_scratch(rows_at_once(job), MOST_COLS); }

static void prepare(const trine_linear_job *job, int row, int n)
{
    for (int i = row; i < row + n; i++) {
        unsigned char *group = (unsigned char *)job->shared + (size_t)(i / TRINE_BF16_GROUP) * group_bytes(job);
        job->kernels->bf16_round((uint16_t *)(void *)group + i % TRINE_BF16_GROUP * TRINE_BF16_STEP,
                                 job->x.data + (size_t)i * (size_t)job->x.cols, (size_t)job->x.cols);
    }
}

static void run(const trine_linear_job *job, int first, int n, int row, int n_rows, float *scratch)
{
    const int at_once = rows_at_once(job);
    const size_t y_cols = (size_t)job->y.cols;
    for (int i = row; i < row + n_rows; i += at_once)
        job->kernels->bf16_gemm(&(trine_bf16_product) {
            .y = job->y.data + (size_t)i * y_cols + (size_t)first,
            .y_stride = y_cols,
            .n_rows = trine_min_int(at_once, row + n_rows - i),
            .n_cols = n,
            .depth = job->w->cols,
            .x = (const uint16_t *)job->shared + (size_t)(i / TRINE_BF16_GROUP) * (group_bytes(job) / sizeof(uint16_t)),
            .w = trine_linear_weight_row(job, first),
            .w_stride = job->row_bytes,
            .bias = job->w->bias ? job->w->bias + first : NULL,
            .scratch = scratch,
        });
}

trine_linear_path trine_linear_bf16(const trine_linear_job *job)
{
    (void)job;
    return (trine_linear_path) {
        .unit = PANEL_COLS,
        .most = MOST_COLS,
        .cuts_x = true,
        .x_unit = TRINE_BF16_GROUP, /* a group of rows belongs to one piece */
        .shared_bytes = shared_bytes,
        .scratch_floats = scratch_floats,
        .prepare = prepare,
        .run = run,
    };
}
