/* norm.c - layer norm and RMS norm. */
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

trine_mat trine_layer_norm_over(trine_pass *p, trine_mat x, const float *weight, const float *bias, float eps)
{
    trine_mat y = trine_consumed(p, x);
    run_norm(p, layer_norm_rows, y, x, weight, bias, x.cols, eps);
    return y;
}

trine_mat trine_rms_norm(trine_pass *p, trine_mat x, const float *weight, float eps)
{
    trine_mat y = trine_mat_new(p, x.rows, x.cols);
    run_norm(p, rms_norm_rows, y, x, weight, NULL, x.cols, eps);
    return y;
}

trine_mat trine_rms_norm_heads(trine_pass *p, trine_mat x, const float *weight, int d_head, float eps)
{
    trine_mat y = trine_consumed(p, x);
    run_norm(p, rms_norm_rows, y, x, weight, NULL, d_head, eps);
    return y;
}
