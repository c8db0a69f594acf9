/* level_kernels.h - products of quantised weights by the levels of their own blocks, for processors that multiply bytes in pairs to 16
 * bits (AVX2's vpmaddubsw) and have no integer dot product.
 *
 * A weight is d level + m, with levels of 4 to 7 bits about 0, and d and m those of a part of its row; formats without a min have no m.
 * That instruction takes a byte without sign and one with it. Two products of full bytes fill 16 bits, so each pair would have to be widened
 * before it is added; levels are smaller, and products of a whole part, or some of them, are added in 16 bits first. x has no sign then: its
 * bytes have their zero at 128, and what that brings is known of W alone.
 *
 *     y[i][j] = sum over blocks b of  scale[i][b] (zero[b][j] + sum over parts p of b of  d[p][j] (sum over k in p of
 *                                         x.bytes[i][k] * level[k][j]))  +  m[b][j] sum[i][b]
 *     zero[b][j] = -128 times the sum over parts p of b of  d[p][j] (sum over k in p of  level[k][j])
 *
 * Nothing is rounded but x, to 8 bits, and Q8_0, to 7: two products are to fit 16 bits. */
#ifndef TRINE_KERNELS_LEVEL_KERNELS_H
#define TRINE_KERNELS_LEVEL_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "quant/quant.h"

enum {
    TRINE_LEVEL_BLOCK = 32,                 /* columns of x with one scale */
    TRINE_LEVEL_COLS = 16,                  /* rows of W in a panel */
    TRINE_LEVEL_ZERO = 128,                 /* the byte of x that means 0 */
    TRINE_LEVEL_7 = (63 * 32768 + 63) / 127 /* what makes 7 bits of Q8_0's levels, in 32768ths */
};

/* Columns with one d: a block, or half of one. */
static inline int trine_level_part(trine_dtype type) { return type == TRINE_Q6_K ? 16 : TRINE_LEVEL_BLOCK; }

/* Whether the type's blocks have a min. */
static inline bool trine_level_has_min(trine_dtype type)
{
    return type == TRINE_Q4_1 || type == TRINE_Q5_1 || type == TRINE_Q4_K || type == TRINE_Q5_K;
}

/* Rows of x. No byte is 0. */
typedef struct trine_level_rows {
    const uint8_t *bytes; /* [rows], stride apart */
    const float *scale;   /* [rows][.. / 32], scales apart */
    const float *sum;     /* [rows][.. / 32], scales apart: scale times the sum of a block's bytes, less 128 each */
    size_t stride, scales;
} trine_level_rows;

/* Some rows of W. Columns past the last row hold anything. */
typedef struct trine_level_panel {
    int8_t *bytes;   /* [depth / 4][TRINE_LEVEL_COLS][4] */
    float *d;        /* [depth / part][TRINE_LEVEL_COLS] */
    float *zero, *m; /* [depth / 32][TRINE_LEVEL_COLS]; m is NULL where the type has no min */
} trine_level_panel;

/* n floats (a multiple of TRINE_LEVEL_BLOCK) of a row of x. The scale of a block with what is not a number, or infinite, is NAN. */
typedef void trine_pack_level_row_fn(uint8_t *bytes, float *scale, float *sum, const float *x, size_t n);
/* n columns (a multiple of the type's block) of n_w <= TRINE_LEVEL_COLS rows of W, w_stride bytes apart, at any alignment. */
typedef void trine_pack_levels_fn(trine_level_panel *panel, const void *w, size_t w_stride, int n_w, size_t n);
/* y [n_rows, n_cols] of a panel of `type`, plus y's own content when `add`, else bias[j], or 0 when bias is NULL. */
typedef void trine_gemm_levels_fn(float *y, size_t y_stride, const trine_level_rows *x, int n_rows, const trine_level_panel *panel,
                                  trine_dtype type, int n_cols, size_t depth, const float *bias, bool add);

/* All NULL where other ways are faster; pack NULL for types without levels. */
typedef struct trine_level_kernels {
    trine_pack_level_row_fn *pack_row;
    trine_pack_levels_fn *pack[TRINE_DTYPE_COUNT];
    trine_gemm_levels_fn *gemm;
} trine_level_kernels;

void trine_level_kernels_init(trine_level_kernels *k, trine_cpu level);
/* The definition, and the step of AVX2. */
void trine_level_kernels_ref(trine_level_kernels *k);
void trine_level_kernels_avx2(trine_level_kernels *k);

#endif
