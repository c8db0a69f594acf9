/* linear_levels.c - x W^T by the levels of quantised W (kernels/level_kernels.h), for several rows of x: rows of x become bytes with a scale
 * each 32 columns, as for few rows, and W panels of its own levels (linear_byte_panels.h). */
#include <string.h>

#include "base/size.h"
#include "blocks/linear_byte_panels.h"

static size_t part_of(const trine_linear_job *job) { return (size_t)trine_level_part(job->w->type); }

/* A row of x: what pack_x8 makes, of which the levels stay; then scales, and sums of parts. Each row has all of its own. */
static size_t scales_at(const trine_linear_job *job) { return trine_round_up(trine_x8_packed((size_t)job->x.cols), 64); }
static size_t row_bytes(const trine_linear_job *job)
{
    const size_t cols = (size_t)job->x.cols, floats = cols / TRINE_LEVEL_BLOCK + cols / part_of(job);
    return scales_at(job) + trine_round_up(floats * sizeof(float), 64);
}

static size_t shared_bytes(const trine_linear_job *job) { return (size_t)job->x.rows * row_bytes(job); }

static trine_level_rows rows_of(const trine_linear_job *job, int row)
{
    const unsigned char *at = (const unsigned char *)job->shared + (size_t)row * row_bytes(job);
    const float *scale = (const float *)(const void *)(at + scales_at(job));
    return (trine_level_rows) {
        .bytes = (const int8_t *)at,
        .scale = scale,
        .sum = scale + job->x.cols / TRINE_LEVEL_BLOCK,
        .stride = row_bytes(job),
        .scales = row_bytes(job) / sizeof(float),
        .sums = row_bytes(job) / sizeof(float),
    };
}

static void prepare_row(const trine_linear_job *job, int row)
{
    const size_t cols = (size_t)job->x.cols, part = part_of(job);
    unsigned char *at = (unsigned char *)job->shared + (size_t)row * row_bytes(job);
    const int8_t *bytes = (const int8_t *)at;
    float *scale = (float *)(void *)(at + scales_at(job)), *sum = scale + cols / TRINE_LEVEL_BLOCK;
    job->kernels->pack_x8(at, job->x.data + (size_t)row * cols, cols);
    for (size_t b = 0; b < cols / TRINE_LEVEL_BLOCK; b++) {
        const unsigned char *group = at + trine_x8_levels(cols) + b / 4 * 32;
        memcpy(&scale[b], group + b % 4 * sizeof *scale, sizeof *scale);
        if (part == TRINE_LEVEL_BLOCK) memcpy(&sum[b], group + 16 + b % 4 * sizeof *sum, sizeof *sum);
    }
    for (size_t p = 0; part < TRINE_LEVEL_BLOCK && p < cols / part; p++) {
        int whole = 0;
        for (size_t k = p * part; k < (p + 1) * part; k++) whole += bytes[k];
        sum[p] = scale[p * part / TRINE_LEVEL_BLOCK] * (float)whole;
    }
}

static void prepare_32(const trine_linear_job *job, int row, int n)
{
    for (int i = row; i < row + n; i++) prepare_row(job, i);
}

/* Another function, so that products share what they prepare only where the parts are the same. */
static void prepare_16(const trine_linear_job *job, int row, int n) { prepare_32(job, row, n); }

/* A panel: its levels, then d, then m. */
static trine_level_panel panel_at(const trine_linear_job *job, float *panel)
{
    const size_t depth = (size_t)trine_min_int(TRINE_BYTE_DEPTH, job->w->cols);
    float *d = panel + depth / sizeof(float) * TRINE_LEVEL_COLS;
    return (trine_level_panel) { (uint8_t *)panel, d, d + depth / part_of(job) * TRINE_LEVEL_COLS };
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
    trine_level_rows x = rows_of(job, row);
    x.bytes += part.k0;
    x.scale += part.k0 / TRINE_LEVEL_BLOCK;
    x.sum += (size_t)part.k0 / part_of(job);
    job->kernels->levels.gemm(job->y.data + (size_t)row * y_cols + (size_t)first, y_cols, &x, n_rows, &of, job->w->type, n,
                              (size_t)part.depth, job->w->bias ? job->w->bias + first : NULL, part.k0 > 0);
}

trine_byte_panels trine_level_panels(const trine_linear_job *job)
{
    const size_t depth = (size_t)trine_min_int(TRINE_BYTE_DEPTH, job->w->cols);
    return (trine_byte_panels) {
        .width = TRINE_LEVEL_COLS,
        .panel_floats = (depth / sizeof(float) + 2 * depth / part_of(job)) * TRINE_LEVEL_COLS,
        .shared_bytes = shared_bytes,
        .prepare = part_of(job) < TRINE_LEVEL_BLOCK ? prepare_16 : prepare_32,
        .pack = pack,
        .multiply = multiply,
    };
}
