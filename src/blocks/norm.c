/* norm.c - layer norm and RMS norm, and the sums around them. */
#include <string.h>

#include "blocks/rows.h"

typedef struct norm {
    const trine_kernels *kernels;
    trine_mat x, y; /* y may be x */
    const float *weight, *bias;
    float eps;
    int width; /* of what is normed on its own: a row, or a head */
} norm;

static void layer_norm_rows(const void *job, int first, int n, int thread)
{
    const norm *j = job;
    (void)thread;
    for (int r = first; r < first + n; r++)
        j->kernels->layer_norm(trine_row(j->y, r), trine_row(j->x, r), j->weight, j->bias, (size_t)j->x.cols, j->eps);
}

static void rms_norm_rows(const void *job, int first, int n, int thread)
{
    const norm *j = job;
    const size_t width = (size_t)j->width;
    (void)thread;
    for (int r = first; r < first + n; r++)
        for (size_t h = 0; h + width <= (size_t)j->x.cols; h += width)
            j->kernels->rms_norm(trine_row(j->y, r) + h, trine_row(j->x, r) + h, j->weight, width, j->eps);
}

static void run_norm(trine_pass *p, trine_rows_fn *run, trine_mat y, trine_mat x, const float *weight, const float *bias, int width,
                     float eps)
{
    if (!trine_pass_computes(p)) return;
    const norm job = { p->kernels, x, y, weight, bias, eps, width };
    trine_for_rows(p, x.rows, 8.0 * x.cols, run, &job);
}

trine_mat trine_layer_norm(trine_pass *p, trine_mat x, const float *weight, const float *bias, float eps)
{
    trine_mat y = trine_mat_new(p, x.rows, x.cols);
    run_norm(p, layer_norm_rows, y, x, weight, bias, x.cols, eps);
    return y;
}

void trine_layer_norm_in_place(trine_pass *p, trine_mat x, const float *weight, const float *bias, float eps)
{
    run_norm(p, layer_norm_rows, x, x, weight, bias, x.cols, eps);
}

trine_mat trine_rms_norm(trine_pass *p, trine_mat x, const float *weight, float eps)
{
    trine_mat y = trine_mat_new(p, x.rows, x.cols);
    run_norm(p, rms_norm_rows, y, x, weight, NULL, x.cols, eps);
    return y;
}

void trine_rms_norm_heads_in_place(trine_pass *p, trine_mat x, const float *weight, int d_head, float eps)
{
    run_norm(p, rms_norm_rows, x, x, weight, NULL, d_head, eps);
}

/* x and y must agree in shape: a model that adds others is wrong. */
static bool same_shape(trine_pass *p, trine_mat x, trine_mat y)
{
    if (!p->failed && (x.rows != y.rows || x.cols != y.cols))
        trine_pass_fail(p, TRINE_ERROR_INTERNAL, "sum or product of [%d, %d] and [%d, %d]", x.rows, x.cols, y.rows, y.cols);
    return trine_pass_computes(p);
}

typedef struct pair {
    const trine_kernels *kernels;
    trine_mat x, y;
    float factor;
} pair;

static void add_rows(const void *job, int first, int n, int thread)
{
    const pair *j = job;
    (void)thread;
    j->kernels->add(trine_row(j->x, first), trine_row(j->y, first), (size_t)n * (size_t)j->x.cols);
}

static void multiply_rows(const void *job, int first, int n, int thread)
{
    const pair *j = job;
    (void)thread;
    j->kernels->multiply(trine_row(j->x, first), trine_row(j->y, first), (size_t)n * (size_t)j->x.cols);
}

static void scale_rows(const void *job, int first, int n, int thread)
{
    const pair *j = job;
    (void)thread;
    j->kernels->scale(trine_row(j->x, first), j->factor, (size_t)n * (size_t)j->x.cols);
}

void trine_add_in_place(trine_pass *p, trine_mat x, trine_mat y)
{
    if (same_shape(p, x, y)) trine_for_rows(p, x.rows, x.cols, add_rows, &(pair) { p->kernels, x, y, 0 });
}

void trine_multiply_in_place(trine_pass *p, trine_mat x, trine_mat y)
{
    if (same_shape(p, x, y)) trine_for_rows(p, x.rows, x.cols, multiply_rows, &(pair) { p->kernels, x, y, 0 });
}

void trine_scale_in_place(trine_pass *p, trine_mat x, float factor)
{
    if (trine_pass_computes(p)) trine_for_rows(p, x.rows, x.cols, scale_rows, &(pair) { p->kernels, x, x, factor });
}

trine_mat trine_take_rows(trine_pass *p, trine_mat x, const int32_t *rows, int n)
{
    if (!rows) return x;
    trine_mat y = trine_mat_new(p, n, x.cols);
    if (!trine_pass_computes(p)) return y;
    for (int i = 0; i < n; i++) {
        if (rows[i] < 0 || rows[i] >= x.rows) {
            trine_pass_fail(p, TRINE_ERROR_INTERNAL, "take rows: row %d of %d", (int)rows[i], x.rows);
            return y;
        }
        memcpy(y.data + (size_t)i * (size_t)x.cols, x.data + (size_t)rows[i] * (size_t)x.cols, (size_t)x.cols * sizeof(float));
    }
    return y;
}
