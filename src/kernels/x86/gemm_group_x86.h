/* gemm_group_x86.h - template: the product of a group of rows of x with a panel of W. Include it after products_x86.h.
 *
 * Half as many rows as a vector has lanes by three vectors of columns are the sums that stay in registers: a step of depth loads
 * three vectors of the panel and one number a row, which all lie in lines that follow each other. Rows of x where they are, far
 * apart, would need a pointer each, more than there are. */
#ifndef TRINE_KERNELS_GEMM_GROUP_X86_H
#define TRINE_KERNELS_GEMM_GROUP_X86_H

#include "kernels/kernels.h"

enum { GROUP_ROWS = LANES / 2, GROUP_VECTORS = 3, GROUP_COLS = GROUP_VECTORS * LANES };

/* n_vectors (a constant where this is inlined) vectors of columns, the last of them `last` wide. */
TRINE_INLINE void group_tile(float *y, size_t y_stride, const float *x, int n_rows, const float *panel, int n_vectors, size_t last,
                             size_t depth, const float *bias, bool add)
{
    vf sums[GROUP_ROWS][GROUP_VECTORS];
    TRINE_UNROLL for (int i = 0; i < GROUP_ROWS; i++) TRINE_UNROLL for (int v = 0; v < n_vectors; v++) sums[i][v] = vf_zero();
    /* y comes from the second cache or farther while the products are computed. */
    TRINE_UNROLL for (int i = 0; i < GROUP_ROWS; i++) if (i < n_rows) TRINE_UNROLL for (int v = 0; v < n_vectors; v++)
        __builtin_prefetch(y + (size_t)i * y_stride + v * LANES, 1);
    for (size_t k = 0; k < depth; k++, x += TRINE_GROUP, panel += GROUP_COLS) {
        vf b[GROUP_VECTORS];
        TRINE_UNROLL for (int v = 0; v < n_vectors; v++) b[v] = vf_load(panel + v * LANES);
        TRINE_UNROLL for (int i = 0; i < GROUP_ROWS; i++)
        {
            const vf a = vf_set(x[i]);
            TRINE_UNROLL for (int v = 0; v < n_vectors; v++) sums[i][v] = vf_fma(a, b[v], sums[i][v]);
        }
    }
    TRINE_UNROLL for (int i = 0; i < GROUP_ROWS; i++)
    {
        if (i >= n_rows) return;
        float *out = y + (size_t)i * y_stride;
        const float *start = add ? out : bias;
        TRINE_UNROLL for (int v = 0; v < n_vectors; v++)
        {
            const size_t n = v < n_vectors - 1 ? LANES : last, at = (size_t)v * LANES;
            vf sum = sums[i][v];
            if (n == LANES) {
                if (start) sum = vf_add(sum, vf_load(start + at));
                vf_store(out + at, sum);
            } else {
                if (start) sum = vf_add(sum, vf_load_n(start + at, n));
                vf_store_n(out + at, sum, n);
            }
        }
    }
}

#define TRINE_GROUP_TILE(vectors)                                                                                                  \
    static void group_tile_##vectors(float *y, size_t y_stride, const float *x, int n_rows, const float *panel, size_t last,       \
                                     size_t depth, const float *bias, bool add)                                                    \
    {                                                                                                                              \
        group_tile(y, y_stride, x, n_rows, panel, vectors, last, depth, bias, add);                                                \
    }
TRINE_GROUP_TILE(1)
TRINE_GROUP_TILE(2)
TRINE_GROUP_TILE(3)
#undef TRINE_GROUP_TILE

static void TRINE_NAME(gemm_group)(float *y, size_t y_stride, const float *x, int n_rows, const float *panel, int n_cols,
                                   size_t depth, const float *bias, bool add)
{
    const int n_vectors = (n_cols + LANES - 1) / LANES;
    const size_t last = (size_t)(n_cols - (n_vectors - 1) * LANES);
    for (int i = 0; i < n_rows; i += GROUP_ROWS, y += GROUP_ROWS * y_stride, x += GROUP_ROWS) {
        if (n_vectors == 3)
            group_tile_3(y, y_stride, x, n_rows - i, panel, last, depth, bias, add);
        else if (n_vectors == 2)
            group_tile_2(y, y_stride, x, n_rows - i, panel, last, depth, bias, add);
        else
            group_tile_1(y, y_stride, x, n_rows - i, panel, last, depth, bias, add);
    }
}

#endif
