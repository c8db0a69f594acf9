/* level_kernels.h - products of quantised weights by the levels of their own blocks, for processors that multiply bytes in pairs to 16
 * bits (AVX2's vpmaddubsw) and have no integer dot product.
 *
 * A weight is d level + m, with levels of 4 to 7 bits from 0 up, and d and m those of a part of its row. Bytes of 8 bits fill 16
 * bits with two products, so each pair has to be widened before it is added, after x has taken the sign of w: four instructions. Levels
 * are smaller and have no sign: products of a whole part or half of one are added in 16 bits, which makes it two; three for 7 bits.
 *
 *     y[i][j] = sum over parts p of  d[p][j] scale[i][p] (sum over k in p of  x.bytes[i][k] * level[k][j])  +  m[p][j] sum[i][p]
 *
 * Nothing is rounded but x, and the last bit of Q8_0: two of its steps become one level, halfway between them. A weight moves by half a
 * step of Q8_0, which is as much as it had moved when it became Q8_0. */
#ifndef TRINE_KERNELS_LEVEL_KERNELS_H
#define TRINE_KERNELS_LEVEL_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "quant/quant.h"

enum { TRINE_LEVEL_BLOCK = 32, TRINE_LEVEL_COLS = 16 }; /* columns of x with one scale; rows of W in a panel */

/* Columns with one d and m. */
static inline int trine_level_part(trine_dtype type) { return type == TRINE_Q6_K ? 16 : TRINE_LEVEL_BLOCK; }

/* Rows of x, |byte| <= 127; depth is a multiple of TRINE_LEVEL_BLOCK. */
typedef struct trine_level_rows {
    const int8_t *bytes; /* [rows], stride apart */
    const float *scale;  /* [rows][.. / 32], scales apart */
    const float *sum;    /* [rows][.. / part], sums apart: scale times the sum of a part's bytes */
    size_t stride, scales, sums;
} trine_level_rows;

/* Some rows of W. Columns past the last row hold anything. */
typedef struct trine_level_panel {
    uint8_t *bytes; /* [depth / 4][TRINE_LEVEL_COLS][4] */
    float *d, *m;   /* [depth / part][TRINE_LEVEL_COLS] */
} trine_level_panel;

/* n columns (a multiple of the type's block) of n_w <= TRINE_LEVEL_COLS rows of W, w_stride bytes apart, at any alignment. */
typedef void trine_pack_levels_fn(trine_level_panel *panel, const void *w, size_t w_stride, int n_w, size_t n);
/* y [n_rows, n_cols] of a panel of `type`, plus y's own content when `add`, else bias[j], or 0 when bias is NULL. */
typedef void trine_gemm_levels_fn(float *y, size_t y_stride, const trine_level_rows *x, int n_rows, const trine_level_panel *panel,
                                  trine_dtype type, int n_cols, size_t depth, const float *bias, bool add);

/* All NULL where other ways are faster; pack NULL for types without levels. */
typedef struct trine_level_kernels {
    trine_pack_levels_fn *pack[TRINE_DTYPE_COUNT];
    trine_gemm_levels_fn *gemm;
} trine_level_kernels;

void trine_level_kernels_init(trine_level_kernels *k, trine_cpu level);
/* The definition, and the step of AVX2. */
void trine_level_kernels_ref(trine_level_kernels *k);
void trine_level_kernels_avx2(trine_level_kernels *k);

#endif
