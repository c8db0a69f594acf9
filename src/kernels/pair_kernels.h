/* pair_kernels.h - attention of many queries where the processor multiplies bf16: both products and the softmax between them; and the
 * products of training.
 *
 * Such products take elements by pairs along the sum, in steps of 32. The left side (queries, weights) lies in groups of 16
 * rows, [step][16 rows][32]; the right side (keys, values) in panels of 16 columns, [pair][16 columns][2]. Each is then one tile of
 * AMX after another, 16 lines of 64 bytes, and one vector after another elsewhere. What a side lacks to whole steps is zeros. */
#ifndef TRINE_KERNELS_PAIR_KERNELS_H
#define TRINE_KERNELS_PAIR_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

enum { TRINE_PAIR_STEP = 32, TRINE_PAIR_GROUP = 16, TRINE_PAIR_COLS = 16, TRINE_PAIR_ROWS = 32 };

/* y[i * y_stride + j] (+)= sum over k of left_i[k] * right_j[k], i < n_rows rounded up to a group, j < 16 n_panels, k < 32 n_steps; added
 * to y's content when `add`. n_rows <= TRINE_PAIR_ROWS. Groups of the left side are `group` elements apart, panels `panel`. y and both
 * sides lie at multiples of 64 bytes, y_stride is a multiple of 16. */
typedef void trine_pair_gemm_fn(float *y, size_t y_stride, const uint16_t *left, size_t group, int n_rows, const uint16_t *right,
                                size_t panel, int n_panels, int n_steps, bool add);
/* A row as a left side: n elements times `factor` to row `row`, zeros up to whole steps. */
typedef void trine_pair_left_fn(uint16_t *out, size_t group, int row, const float *x, float factor, size_t n);
/* The same of columns: in[k * stride + i] as row i < n_rows of a group, k < n, zeros up to whole steps and up to 16 rows. */
typedef void trine_pair_left_turned_fn(uint16_t *out, const float *in, size_t stride, int n_rows, size_t n);
/* in[k * stride + j] - less[k] (NULL: as it is) as a right side: k < n_rows, zeros up to `rows` (even); j < n_cols, zeros up to whole
 * panels. */
typedef void trine_pair_right_fn(uint16_t *out, size_t panel, const float *in, size_t stride, const float *less, int n_rows,
                                 int rows, int n_cols);
/* The same of what is bf16 already. */
typedef void trine_pair_right_bf16_fn(uint16_t *out, size_t panel, const uint16_t *in, size_t stride, int n_rows, int rows,
                                      int n_cols);
/* The running softmax of n_rows rows of n scores: exp(score - max) as a left side, zeros up to whole steps of 32; sum = sum fade + those.
 * A row's max only follows its largest score when that is more than 8 beyond it: then fade is exp(old max - max), else 1. */
typedef void trine_pair_soften_fn(uint16_t *out, size_t group, const float *scores, size_t stride, int n_rows, int n, float *max,
                                  float *sum, float *fade);

/* Around the products of a thread: sets up what they need, and gives it back. Nothing but the thread's own registers. */
typedef void trine_pair_around_fn(void);

/* All NULL where bf16 is not worth it. */
typedef struct trine_pair_kernels {
    trine_pair_around_fn *begin, *end;
    trine_pair_gemm_fn *gemm;
    trine_pair_left_fn *left;
    trine_pair_left_turned_fn *left_turned;
    trine_pair_right_fn *right;
    trine_pair_right_bf16_fn *right_bf16;
    trine_pair_soften_fn *soften;
} trine_pair_kernels;

void trine_pair_kernels_init(trine_pair_kernels *k, trine_cpu level);
/* Its steps; the first also where vdpbf16ps is slow, for tests. */
void trine_pair_kernels_avx512_bf16(trine_pair_kernels *k);
void trine_pair_kernels_amx(trine_pair_kernels *k);

#endif
