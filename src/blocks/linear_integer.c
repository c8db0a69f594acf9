/* linear_integer.c - x W^T on integer units, for quantised W and several rows of x.
 *
 * Rows of x become bytes once (prepare). A block of rows of W becomes panels of bytes on the fly, so that nothing but the file is in
 * memory, and stays in the cache while x passes over it:
 *
 *        DEPTH                        x bytes       panel        y
 *     +---------+   W rows          [ .......  ] x [ ....  ]  += [ .... ]
 *     |/////////|   block -> panels [ .......  ]   [ ....  ]     [ .... ]
 *     +---------+
 *
 * Packing costs as much as about 8 rows of x do, products of a group are exact, and a sum runs over groups in order, whichever
 * thread computes it. Scales of x and W are those of a group of columns: kernels.h says why, ref/int8_ref.c what it costs. */
#include "base/size.h"
#include "blocks/linear.h"

enum {
    DEPTH = 1024,     /* columns of W a panel holds: a multiple of TRINE_INT8_GROUP and of every block of quant.h */
    BLOCK_COLS = 256, /* most rows of W in a block of panels: 256 KiB of them */
    X_ROWS = 24,      /* rows of x that pass over all panels of a block before the next do */
};

static size_t stride_of(const trine_linear_job *job) { return trine_round_up((size_t)job->w->cols, TRINE_INT8_PAD); }
static size_t groups_of(int cols) { return ((size_t)cols + TRINE_INT8_GROUP - 1) / TRINE_INT8_GROUP; }

/* x in bytes, then scales, then sums. */
static size_t shared_bytes(const trine_linear_job *job)
{
    return (size_t)job->x.rows * (stride_of(job) + groups_of(job->w->cols) * (sizeof(float) + sizeof(int32_t)));
}

static trine_int8_rows rows_of(const trine_linear_job *job)
{
    trine_int8_rows r = { .bytes = job->shared, .stride = stride_of(job), .groups = groups_of(job->w->cols) };
    r.scale = (float *)(void *)(r.bytes + (size_t)job->x.rows * r.stride);
    r.sum = (int32_t *)(void *)(r.scale + (size_t)job->x.rows * r.groups);
    return r;
}

static void prepare(const trine_linear_job *job, int row, int n)
{
    const trine_int8_rows r = rows_of(job);
    for (size_t i = (size_t)row; i < (size_t)row + (size_t)n; i++)
        job->kernels->quantize_row(r.bytes + i * r.stride, r.scale + i * r.groups, r.sum + i * r.groups,
                                   job->x.data + i * (size_t)job->x.cols, (size_t)job->x.cols);
}

/* A panel's bytes and scales lie in one piece. */
static size_t panel_floats(const trine_linear_job *job)
{
    const int depth = trine_min_int(DEPTH, job->w->cols);
    return (trine_round_up((size_t)depth, TRINE_INT8_PAD) / sizeof(float) + groups_of(depth)) * (size_t)job->kernels->int8_cols;
}

static int block_cols(const trine_linear_job *job) { return BLOCK_COLS / job->kernels->int8_cols * job->kernels->int8_cols; }

static size_t scratch_floats(const trine_linear_job *job)
{
    return panel_floats(job) * (size_t)(block_cols(job) / job->kernels->int8_cols);
}

static trine_int8_panel panel_at(const trine_linear_job *job, float *scratch, int j)
{
    const size_t width = (size_t)job->kernels->int8_cols, depth = (size_t)trine_min_int(DEPTH, job->w->cols);
    float *start = scratch + (size_t)j / width * panel_floats(job);
    return (trine_int8_panel) { (uint8_t *)start, start + trine_round_up(depth, TRINE_INT8_PAD) / sizeof(float) * width };
}

/* Columns [first, first + n) of y, rows [row, row + n_rows): what columns [k0, k0 + depth) of x and W add to them. */
static void multiply(const trine_linear_job *job, int first, int n, int row, int n_rows, int k0, int depth, float *scratch)
{
    const trine_kernels *kernels = job->kernels;
    const trine_dtype_info *type = trine_dtype_get(job->w->type);
    const int width = kernels->int8_cols;
    const size_t before = (size_t)(k0 / type->block) * (size_t)type->block_bytes, y_cols = (size_t)job->y.cols;
    for (int j = 0; j < n; j += width) {
        trine_int8_panel panel = panel_at(job, scratch, j);
        kernels->pack_panel[job->w->type](&panel, trine_linear_weight_row(job, first + j) + before, job->row_bytes,
                                          trine_min_int(width, n - j), (size_t)depth, kernels->int8_offset);
    }
    /* Rows of x outside, panels inside: a few rows of x stay in the first cache while the panels of the block pass. */
    for (int i = row; i < row + n_rows; i += X_ROWS) {
        trine_int8_rows x = rows_of(job);
        x.bytes += (size_t)i * x.stride + (size_t)k0;
        x.scale += (size_t)i * x.groups + groups_of(k0);
        x.sum += (size_t)i * x.groups + groups_of(k0);
        for (int j = 0; j < n; j += width) {
            const trine_int8_panel panel = panel_at(job, scratch, j);
            const int c = first + j;
            kernels->gemm_int8(job->y.data + (size_t)i * y_cols + (size_t)c, y_cols, &x, trine_min_int(X_ROWS, row + n_rows - i),
                               &panel, trine_min_int(width, n - j), (size_t)depth, job->w->bias ? job->w->bias + c : NULL, k0 > 0);
        }
    }
}

static void run(const trine_linear_job *job, int first, int n, int row, int n_rows, float *scratch)
{
    /* When all rows pass over a panel at once, it goes no further than the first cache. */
    const int step = n_rows <= X_ROWS ? job->kernels->int8_cols : n;
    for (int j = 0; j < n; j += step)
        for (int k0 = 0; k0 < job->w->cols; k0 += DEPTH)
            multiply(job, first + j, trine_min_int(step, n - j), row, n_rows, k0, trine_min_int(DEPTH, job->w->cols - k0), scratch);
}

trine_linear_path trine_linear_integer(const trine_linear_job *job)
{
    return (trine_linear_path) {
        .unit = job->kernels->int8_cols,
        .most = block_cols(job),
        .cuts_x = true,
        .shared_bytes = shared_bytes,
        .scratch_floats = scratch_floats,
        .prepare = prepare,
        .run = run,
    };
}
