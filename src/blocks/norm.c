/* norm.c - layer norm and RMS norm, and the sums around them. */
#include <string.h>

#include "blocks/rows.h"

trine_mat trine_layer_norm(trine_pass *p, trine_mat x, const float *weight, const float *bias, float eps)
{
    trine_mat y = trine_mat_new(p, x.rows, x.cols);
    if (!trine_pass_computes(p)) return y;
    TRINE_FOR_ROWS(p, y, 8, p->kernels->layer_norm(row, x.data + (size_t)r * n, weight, bias, n, eps))
    return y;
}

void trine_layer_norm_in_place(trine_pass *p, trine_mat x, const float *weight, const float *bias, float eps)
{
    if (!trine_pass_computes(p)) return;
    TRINE_FOR_ROWS(p, x, 8, p->kernels->layer_norm(row, row, weight, bias, n, eps))
}

trine_mat trine_rms_norm(trine_pass *p, trine_mat x, const float *weight, float eps)
{
    trine_mat y = trine_mat_new(p, x.rows, x.cols);
    if (!trine_pass_computes(p)) return y;
    TRINE_FOR_ROWS(p, y, 8, p->kernels->rms_norm(row, x.data + (size_t)r * n, weight, n, eps))
    return y;
}

void trine_rms_norm_heads_in_place(trine_pass *p, trine_mat x, const float *weight, int d_head, float eps)
{
    if (!trine_pass_computes(p)) return;
    TRINE_FOR_ROWS(p, x, 8,
                   for (size_t h = 0; h + (size_t)d_head <= n; h += (size_t)d_head)
                       p->kernels->rms_norm(row + h, row + h, weight, (size_t)d_head, eps))
}

/* x and y must agree in shape: a model that adds others is wrong. */
static bool same_shape(trine_pass *p, trine_mat x, trine_mat y)
{
    if (!p->failed && (x.rows != y.rows || x.cols != y.cols))
        trine_pass_fail(p, TRINE_ERROR_INTERNAL, "sum or product of [%d, %d] and [%d, %d]", x.rows, x.cols, y.rows, y.cols);
    return trine_pass_computes(p);
}

void trine_add_in_place(trine_pass *p, trine_mat x, trine_mat y)
{
    if (!same_shape(p, x, y)) return;
    TRINE_FOR_ROWS(p, x, 1, p->kernels->add(row, y.data + (size_t)r * n, n))
}

void trine_multiply_in_place(trine_pass *p, trine_mat x, trine_mat y)
{
    if (!same_shape(p, x, y)) return;
    TRINE_FOR_ROWS(p, x, 1, p->kernels->multiply(row, y.data + (size_t)r * n, n))
}

void trine_scale_in_place(trine_pass *p, trine_mat x, float factor)
{
    if (!trine_pass_computes(p)) return;
    TRINE_FOR_ROWS(p, x, 1, p->kernels->scale(row, factor, n))
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
