/* int8_gemm_x86.h - template: the product on bytes, in registers. Include it after a vector_*.h and what a level makes of one step:
 *
 *     INT8_ROWS (a macro)          rows of x in a tile, by two vectors of columns: what is fastest by measurement
 *     INT8_OFFSET                  128 where W's bytes have no sign
 *     w_bytes, w_bytes_load        four bytes of W for each column of a vector
 *     w_bytes_dot(sum, w, four)    each column's sum plus four products with the same four bytes of x
 *
 * While a group passes, a tile stays in registers: for each line of the panel two loads, a broadcast for each row, and the products.
 * A group begins with what takes an offset of W back, and ends in floats, in memory. */
#ifndef TRINE_KERNELS_INT8_GEMM_X86_H
#define TRINE_KERNELS_INT8_GEMM_X86_H

#include "kernels/x86/byte_tile_x86.h"

TRINE_INLINE void int8_tile(float *y, size_t y_stride, const trine_int8_rows *x, int row, int rows, const trine_int8_panel *panel,
                            int n_cols, size_t depth, const float *bias, bool add)
{
    enum { COLS = 2 * LANES, LINE = 4 * COLS };
    const size_t stride = x->stride, groups = x->groups;
    const int8_t *a = x->bytes + (size_t)row * stride;
    const float *x_scale = x->scale + (size_t)row * groups, *w_scale = panel->scale;
    const int32_t *x_sum = x->sum + (size_t)row * groups;
    const uint8_t *b = panel->bytes;
    vf sum[INT8_ROWS][2];
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < 2; c++) sum[i][c] = start_cols(y + (size_t)i * y_stride, bias, add, c * LANES, n_cols);
    for (size_t at = 0; at < depth; at += TRINE_INT8_GROUP, w_scale += COLS, x_scale++, x_sum++) {
        const size_t lines = (depth - at < TRINE_INT8_GROUP ? depth - at : TRINE_INT8_GROUP) / 4;
        vi whole[INT8_ROWS][2];
        TRINE_UNROLL for (int i = 0; i < rows; i++) whole[i][0] = whole[i][1] = vi_set(INT8_OFFSET ? x_sum[(size_t)i * groups] : 0);
        for (size_t l = 0; l < lines; l++, a += 4, b += LINE) {
            const w_bytes b0 = w_bytes_load(b), b1 = w_bytes_load(b + LINE / 2);
            TRINE_UNROLL for (int i = 0; i < rows; i++)
            {
                const vi four = four_bytes(a + (size_t)i * stride);
                whole[i][0] = w_bytes_dot(whole[i][0], b0, four);
                whole[i][1] = w_bytes_dot(whole[i][1], b1, four);
            }
        }
        const vf d0 = vf_load(w_scale), d1 = vf_load(w_scale + LANES);
        TRINE_UNROLL for (int i = 0; i < rows; i++)
        {
            const vf d = vf_set(x_scale[(size_t)i * groups]);
            sum[i][0] = vf_fma(vf_mul(vf_from_vi(whole[i][0]), d0), d, sum[i][0]);
            sum[i][1] = vf_fma(vf_mul(vf_from_vi(whole[i][1]), d1), d, sum[i][1]);
        }
    }
    for (int i = 0; i < rows; i++)
        for (int c = 0; c < 2; c++) store_cols(y + (size_t)i * y_stride, sum[i][c], c * LANES, n_cols);
}

/* Tiles of equal height: a low one at the end would wait for its own sums. */
TRINE_INLINE void int8_tiles(float *y, size_t y_stride, const trine_int8_rows *x, int n_rows, const trine_int8_panel *panel,
                             int n_cols, size_t depth, const float *bias, bool add)
{
    const int n_tiles = (n_rows + INT8_ROWS - 1) / INT8_ROWS;
    for (int t = 0, row = 0; t < n_tiles; t++) {
        const int rows = (n_rows - row) / (n_tiles - t);
        float *out = y + (size_t)row * y_stride;
#define TILE(n)                                                                                                                    \
    case n: int8_tile(out, y_stride, x, row, n, panel, n_cols, depth, bias, add); break;
        switch (rows) {
            TILE(1)
            TILE(2)
            TILE(3)
#if INT8_ROWS > 4
            TILE(4)
            TILE(5)
#endif
        default: int8_tile(out, y_stride, x, row, INT8_ROWS, panel, n_cols, depth, bias, add);
        }
#undef TILE
        row += rows;
    }
}

#endif
