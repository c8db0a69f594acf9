/* linear_integer.c - x W^T on integer units, for quantised W and several rows of x: both become bytes, rows of x once (prepare), W panel by
 * panel (linear_byte_panels.h).
 *
 * Packing costs as much as about 8 rows of x do, products of a group are exact, and a sum runs over groups in order, whichever
 * thread computes it. Scales of x and W are those of a group of columns: kernels.h says why, ref/int8_ref.c what it costs. */
#include "base/size.h"
#include "blocks/linear_byte_panels.h"

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

/* Lines of a panel: its bytes, and after them its scales. */
static size_t lines_of(const trine_linear_job *job)
{
    return trine_round_up((size_t)trine_min_int(TRINE_BYTE_DEPTH, job->w->cols), TRINE_INT8_PAD) / sizeof(float);
}

static trine_int8_panel panel_at(const trine_linear_job *job, float *panel)
{
    return (trine_int8_panel) { (uint8_t *)panel, panel + lines_of(job) * (size_t)job->kernels->int8_cols };
}

static void pack(const trine_linear_job *job, float *panel, int first, int n, trine_byte_part part)
{
    trine_int8_panel to = panel_at(job, panel);
    job->kernels->pack_panel[job->w->type](&to, trine_byte_part_of_row(job, first, part), job->row_bytes, n, (size_t)part.depth,
                                           job->kernels->int8_offset);
}

static void multiply(const trine_linear_job *job, float *panel, int first, int n, int row, int n_rows, trine_byte_part part)
{
    const size_t i = (size_t)row, y_cols = (size_t)job->y.cols;
    const trine_int8_panel of = panel_at(job, panel);
    trine_int8_rows x = rows_of(job);
    x.bytes += i * x.stride + (size_t)part.k0;
    x.scale += i * x.groups + groups_of(part.k0);
    x.sum += i * x.groups + groups_of(part.k0);
    job->kernels->gemm_int8(job->y.data + i * y_cols + (size_t)first, y_cols, &x, n_rows, &of, n, (size_t)part.depth,
                            job->w->bias ? job->w->bias + first : NULL, part.k0 > 0);
}

trine_byte_panels trine_integer_panels(const trine_linear_job *job)
{
    const int width = job->kernels->int8_cols, depth = trine_min_int(TRINE_BYTE_DEPTH, job->w->cols);
    return (trine_byte_panels) {
        .width = width,
        .panel_floats = (lines_of(job) + groups_of(depth)) * (size_t)width,
        .shared_bytes = shared_bytes,
        .prepare = prepare,
        .pack = pack,
        .multiply = multiply,
    };
}
