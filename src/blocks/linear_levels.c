/* linear_levels.c - x W^T by the levels of quantised W (kernels/level_kernels.h), for several rows of x: rows of x become bytes with a scale
 * each 32 columns, and W panels of its own levels (linear_byte_panels.h). */
#include "base/size.h"
#include "blocks/linear_byte_panels.h"

/* Bytes of all rows of x, then scales, then sums. */
static size_t stride_of(const trine_linear_job *job) { return trine_round_up((size_t)job->x.cols, 64); }
static size_t scales_of(const trine_linear_job *job) { return (size_t)job->x.cols / TRINE_LEVEL_BLOCK; }
static size_t shared_bytes(const trine_linear_job *job)
{
    return (size_t)job->x.rows * (stride_of(job) + 2 * scales_of(job) * sizeof(float));
}

typedef struct x_rows {
    uint8_t *bytes;
    float *scale, *sum;
} x_rows;

/* From `row` on. */
static x_rows rows_at(const trine_linear_job *job, size_t row)
{
    unsigned char *bytes = job->shared;
    float *scale = (float *)(void *)(bytes + (size_t)job->x.rows * stride_of(job)),
          *sum = scale + (size_t)job->x.rows * scales_of(job);
    return (x_rows) { bytes + row * stride_of(job), scale + row * scales_of(job), sum + row * scales_of(job) };
}

static void prepare(const trine_linear_job *job, int row, int n)
{
    const size_t cols = (size_t)job->x.cols;
    for (size_t i = (size_t)row; i < (size_t)row + (size_t)n; i++) {
        const x_rows to = rows_at(job, i);
        job->kernels->levels.pack_row(to.bytes, to.scale, to.sum, job->x.data + i * cols, cols);
    }
}

/* A panel: its levels, then d, zero, m. */
static size_t depth_of(const trine_linear_job *job) { return (size_t)trine_min_int(TRINE_BYTE_DEPTH, job->w->cols); }
static size_t parts_of(const trine_linear_job *job) { return depth_of(job) / (size_t)trine_level_part(job->w->type); }
static trine_level_panel panel_at(const trine_linear_job *job, float *panel)
{
    float *d = panel + depth_of(job) / sizeof(float) * TRINE_LEVEL_COLS, *zero = d + parts_of(job) * TRINE_LEVEL_COLS;
    float *m = zero + depth_of(job) / TRINE_LEVEL_BLOCK * TRINE_LEVEL_COLS;
    return (trine_level_panel) { (int8_t *)panel, d, zero, trine_level_has_min(job->w->type) ? m : NULL };
}

static void pack(const trine_linear_job *job, float *panel, int first, int n, trine_byte_part part)
{
    trine_level_panel to = panel_at(job, panel);
    job->kernels->levels.pack[job->w->type](&to, trine_byte_part_of_row(job, first, part), job->row_bytes, n, (size_t)part.depth);
}

static void multiply(const trine_linear_job *job, float *panel, int first, int n, int row, int n_rows, trine_byte_part part)
{
    const size_t y_cols = (size_t)job->y.cols;
    const trine_level_panel of = panel_at(job, panel);
    const x_rows from = rows_at(job, (size_t)row);
    const trine_level_rows x = {
        .bytes = from.bytes + part.k0,
        .scale = from.scale + part.k0 / TRINE_LEVEL_BLOCK,
        .sum = from.sum + part.k0 / TRINE_LEVEL_BLOCK,
        .stride = stride_of(job),
        .scales = scales_of(job),
    };
    job->kernels->levels.gemm(job->y.data + (size_t)row * y_cols + (size_t)first, y_cols, &x, n_rows, &of, job->w->type, n,
                              (size_t)part.depth, job->w->bias ? job->w->bias + first : NULL, part.k0 > 0);
}

trine_byte_panels trine_level_panels(const trine_linear_job *job)
{
    return (trine_byte_panels) {
        .width = TRINE_LEVEL_COLS,
        .panel_floats = (depth_of(job) / sizeof(float) + parts_of(job) + 2 * depth_of(job) / TRINE_LEVEL_BLOCK) * TRINE_LEVEL_COLS,
        .shared_bytes = shared_bytes,
        .prepare = prepare,
        .pack = pack,
        .multiply = multiply,
    };
}
