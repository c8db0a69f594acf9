/* kernels.h - the numeric loops, by pointer: the table starts complete with the scalar references and better entries
 * overwrite it in rising order of the CPU's level. Kernels never allocate and know no matrix, model or thread.
 *
 * Any length and any alignment is fine everywhere; tails are handled inside. The order in which one output element is
 * summed depends on its own operands and on the level only, never on how many neighbours are computed with it, so that
 * no result depends on how work is cut between threads. References accumulate in double. */
#ifndef TRINE_KERNELS_KERNELS_H
#define TRINE_KERNELS_KERNELS_H

#include "base/cpu.h"
#include "kernels/kv_kernels.h"
#include "quant/quant.h"

/* ---- products ---- */

#define TRINE_DOT_TILE 4 /* most rows of x, and of W, that a dot tile takes */

/* y[i * y_stride + j] = sum over k < n of x[i * x_stride + k] * w_j[k], i < n_x <= 4, j < n_w <= 4. Row j of W is in the type of
 * the entry, j * w_stride bytes after `w`; n is a multiple of the type's block. The product of few rows: W streams by once. */
typedef void trine_dot_tile_fn(float *y, size_t y_stride, const float *x, size_t x_stride, int n_x, const void *w, size_t w_stride,
                               int n_w, size_t n);

/* y[i * y_stride + j] = start + sum over k < depth of x[i * x_stride + k] * panel[k * panel_stride + j], i < n_rows,
 * j < n_cols <= panel_cols of the table. start is y's own content when `add`, else bias[j], or 0 when bias is NULL.
 * Columns of the panel from n_cols on are not read. The product of many rows; also both products of attention. */
typedef void trine_gemm_panel_fn(float *y, size_t y_stride, const float *x, size_t x_stride, int n_rows, const float *panel,
                                 size_t panel_stride, int n_cols, size_t depth, const float *bias, bool add);

/* out[k * out_stride + i] = in[i * in_stride + k], i < n_rows, k < n_cols: rows of W (or keys) become a panel. in is
 * untyped because rows of a mapped file need not lie on a multiple of four bytes; in_stride counts floats. */
typedef void trine_transpose_fn(float *out, size_t out_stride, const void *in, size_t in_stride, int n_rows, int n_cols);

/* ---- element types ---- */

typedef void trine_unpack_fn(float *out, const void *in, size_t n); /* f32 of n elements; n a multiple of the type's block */
typedef void trine_pack_fn(void *out, const float *in, size_t n);   /* and back, round to nearest even */

/* ---- rows ---- */

/* out = (x - mean) / sqrt(variance + eps) * weight + bias; bias may be NULL. Statistics in double. out may be x. */
typedef void trine_layer_norm_fn(float *out, const float *x, const float *weight, const float *bias, size_t n, float eps);
/* out = x / sqrt(mean(x^2) + eps) * weight. Statistics in double. out may be x. */
typedef void trine_rms_norm_fn(float *out, const float *x, const float *weight, size_t n, float eps);
typedef void trine_map_fn(float *x, size_t n);                     /* x = f(x) */
typedef void trine_combine_fn(float *x, const float *y, size_t n); /* x = x + y, x = x * y */
typedef void trine_scale_fn(float *x, float factor, size_t n);     /* x *= factor */
typedef float trine_max_fn(const float *x, size_t n);              /* -INFINITY when n is 0 */
/* x = exp(x - max); returns the sum. exp(-INFINITY) is 0. max is finite. */
typedef float trine_exp_sum_fn(float *x, float max, size_t n);

/* cos and sin of (float)pos * inv_freq[i], times scale. The product is rounded to f32 first, as the reference implementation
 * does: at position 100,000 that rounding is what decides the angle. */
typedef void trine_rope_angles_fn(float *cosine, float *sine, const float *inv_freq, float pos, float scale, size_t n);
/* (a, b) = (a cos - b sin, b cos + a sin) for n pairs: a = x[i], b = x[n + i], or interleaved x[2i], x[2i + 1]. */
typedef void trine_rope_turn_fn(float *x, const float *cosine, const float *sine, size_t n);

typedef enum trine_map {
    TRINE_MAP_RELU,
    TRINE_MAP_GELU,
    TRINE_MAP_GELU_TANH,
    TRINE_MAP_SILU,
    TRINE_MAP_TANH,
    TRINE_MAP_GELU_QUICK,
    TRINE_MAP_COUNT
} trine_map;

typedef struct trine_kernels {
    trine_cpu level;
    trine_dot_tile_fn *dot_tile[TRINE_DTYPE_COUNT]; /* NULL for a type that is not computed with; so are unpack and pack */
    trine_gemm_panel_fn *gemm_panel;
    int panel_cols; /* widest panel that gemm_panel takes */
    trine_transpose_fn *transpose;
    trine_unpack_fn *unpack[TRINE_DTYPE_COUNT];
    trine_pack_fn *pack[TRINE_DTYPE_COUNT];
    trine_layer_norm_fn *layer_norm;
    trine_rms_norm_fn *rms_norm;
    trine_map_fn *map[TRINE_MAP_COUNT];
    trine_combine_fn *add, *multiply;
    trine_scale_fn *scale;
    trine_max_fn *max;
    trine_exp_sum_fn *exp_sum;
    trine_rope_angles_fn *rope_angles;
    trine_rope_turn_fn *rope_half, *rope_interleaved;
    trine_kv_kernels kv[TRINE_DTYPE_COUNT];
} trine_kernels;

/* Fills the table for a level that this machine runs. */
void trine_kernels_init(trine_kernels *k, trine_cpu level);

/* The steps of init, one a directory: each overwrites what it does better. */
void trine_kernels_ref(trine_kernels *k);
void trine_kernels_avx2(trine_kernels *k);
void trine_kernels_avx512(trine_kernels *k);

#endif
