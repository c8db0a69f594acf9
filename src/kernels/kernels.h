/* kernels.h - the numeric loops, by pointer: the table starts complete with the scalar references and better entries
 * overwrite it in rising order of the CPU's level. Kernels never allocate and know no matrix, model or thread.
 *
 * Any length and any alignment is fine everywhere; tails are handled inside. The order in which one output element is
 * summed depends on its own operands and on the level only, never on how many neighbours are computed with it, so that
 * no result depends on how work is cut between threads. References accumulate in double. */
#ifndef TRINE_KERNELS_KERNELS_H
#define TRINE_KERNELS_KERNELS_H

#include "base/cpu.h"
#include "kernels/grad_kernels.h"
#include "kernels/kv_kernels.h"
#include "kernels/level_kernels.h"
#include "kernels/pair_kernels.h"
#include "quant/quant.h"

/* ---- products ---- */

#define TRINE_DOT_TILE 4 /* most rows of x, and of W, that a dot tile takes */

/* y[i * y_stride + j] = sum over k < n of x[i * x_stride + k] * w_j[k], i < n_x <= 4, j < n_w <= 4. Row j of W is in the type of
 * the entry, j * w_stride bytes after `w`. The product of few rows: W streams by once. */
typedef void trine_dot_tile_fn(float *y, size_t y_stride, const float *x, size_t x_stride, int n_x, const void *w, size_t w_stride,
                               int n_w, size_t n);

/* A row of x in 8 bits, for products with quantised rows of W: blocks of 32 elements, x = scale * level, |level| <= 127 and
 * scale = max |x| / 127. Whatever the level of the CPU, the same bytes:
 *
 *     int8 levels[n rounded up to 128], then for each 128 of them   float scale[4], sum[4]     sum = scale * sum of levels
 *
 * What lies past n is zero. A block with an infinity or what is not a number has scale NaN and levels 0, so that every product
 * with it is NaN; a block whose largest magnitude is below TRINE_X8_LEAST is taken for zero. */
enum { TRINE_X8_BLOCK = 32, TRINE_X8_GROUP = 128 };
#define TRINE_X8_LEAST 0x1p-120f /* below it 127 / max |x| nears the end of f32 */
static inline size_t trine_x8_levels(size_t n) { return (n + TRINE_X8_GROUP - 1) / TRINE_X8_GROUP * TRINE_X8_GROUP; }
static inline size_t trine_x8_packed(size_t n) { return trine_x8_levels(n) / 4 * 5; } /* a quarter of them: 8 floats for 128 */
/* A level may want more of it, in an order of its own for each type of W: order_x8 of the type, after pack_x8, from this byte on. */
static inline size_t trine_x8_order_at(size_t n) { return (trine_x8_packed(n) + 63) / 64 * 64; }
typedef void trine_order_x8_fn(void *x8, size_t n);
/* Room for both. */
static inline size_t trine_x8_bytes(size_t n) { return trine_x8_order_at(n) + (n + 255) / 256 * 576; }
/* dot_tile with rows of x as these left them, x_stride bytes apart; n is a multiple of the type's block. */
typedef void trine_dot_x8_fn(float *y, size_t y_stride, const unsigned char *x, size_t x_stride, int n_x, const void *w,
                             size_t w_stride, int n_w, size_t n);

/* y[i * y_stride + j] = start + sum over k < depth of x[i * x_stride + k] * panel[k * panel_stride + j], i < n_rows,
 * j < n_cols <= panel_cols of the table. start is y's own content when `add`, else bias[j], or 0 when bias is NULL.
 * Columns of the panel from n_cols on are not read. Both products of attention. */
typedef void trine_gemm_panel_fn(float *y, size_t y_stride, const float *x, size_t x_stride, int n_rows, const float *panel,
                                 size_t panel_stride, int n_cols, size_t depth, const float *bias, bool add);

/* The same for up to TRINE_GROUP rows of x that lie together, x[k * TRINE_GROUP + i], and a panel of group_cols of the table that
 * lies together, panel[k * group_cols + j]: the product of many rows of x with W. Rows of x past n_rows and columns of the panel past
 * n_cols are read, and are any numbers. */
enum { TRINE_GROUP = 8 };
typedef void trine_gemm_group_fn(float *y, size_t y_stride, const float *x, int n_rows, const float *panel, int n_cols,
                                 size_t depth, const float *bias, bool add);

/* A strip of up to strip_cols rows of x side by side, x[k * strip_cols + i], by up to TRINE_GROUP rows of W in f32 as they lie, at any
 * alignment: the product of many rows of x with W. Sums come out turned, in sums[j * strip_cols + i], and depth may come in parts. Rows of x
 * past n_rows, up to a multiple of 16 or strip_cols, are read, and are any numbers; so are their sums. */
enum { TRINE_STRIP_AHEAD = 32 };
typedef struct trine_strip {
    float *sums; /* [n_w][strip_cols] */
    const float *x;
    int n_rows, n_w;
    const unsigned char *w, *next_w; /* W's rows, and those wanted after them: asked for, not read, and so is */
    const float *next_x;             /* x from here on, TRINE_STRIP_AHEAD bytes a column */
    size_t w_stride, depth;
    const float *bias; /* [n_w], or NULL; added when `first` */
    bool first;
} trine_strip;
typedef void trine_gemm_strip_fn(const trine_strip *strip);

/* out[k * out_stride + i] = in[i * in_stride + k], i < n_rows, k < n_cols: rows of W (or keys) become a panel. in is
 * untyped because rows of a mapped file need not lie on a multiple of four bytes; in_stride counts floats. */
typedef void trine_transpose_fn(float *out, size_t out_stride, const void *in, size_t in_stride, int n_rows, int n_cols);

/* ---- products of quantised weights on integer units ----
 *
 * Rows of x and of W become bytes with one f32 scale for each group of TRINE_INT8_GROUP columns (the last group may be shorter):
 *
 *     y[i][j] = sum over groups g of  x.scale[i][g] * panel.scale[g][j] * (sum over k in g of  x.bytes[i][k] * w[k][j])
 *
 * The inner sum is exact and below 2^21, so it is an exact float as well. W's own scales, one for 16 or 32 columns, are folded into
 * its bytes: a correction in floats every 32 columns would cost as much as the products between. */

/* 64 by measurement: SmolLM2-135M in Q4_1 (first 100 kB of WikiText-2's validation text, windows of 512) has a perplexity of 22.80 in
 * floats, 22.96 with groups of 64 and 23.17 with groups of 128. */
enum { TRINE_INT8_GROUP = 64, TRINE_INT8_PAD = 64 };

/* Rows of x. Bytes past the last column, up to a multiple of TRINE_INT8_PAD, are 0. */
typedef struct trine_int8_rows {
    int8_t *bytes; /* [rows][stride] */
    float *scale;  /* [rows][groups]; not a number where the group holds what is none */
    int32_t *sum;  /* [rows][groups]: of the group's bytes, times -128: what an offset of 128 in W adds, taken back */
    size_t stride, groups;
} trine_int8_rows;

/* Some rows of W, int8_cols of the table in width. Columns past the last row hold anything, lines past the last column (up to a
 * multiple of TRINE_INT8_PAD columns) are 0. */
typedef struct trine_int8_panel {
    uint8_t *bytes; /* [depth / 4][width][4]: int8, or int8 + 128 where the table's int8_offset says so */
    float *scale;   /* [groups][width] */
} trine_int8_panel;

/* One row of n floats, n a multiple of 32: the nearest whole multiple of scale = max|x| / 127. */
typedef void trine_quantize_row_fn(int8_t *bytes, float *scale, int32_t *sum, const float *x, size_t n);
/* n columns (a multiple of the type's block) of n_w rows of W, w_stride bytes apart, w_stride at any alignment. A weight differs from
 * scale * byte by at most TRINE_INT8_ERROR * scale. Every level gives the same bytes. */
typedef void trine_pack_panel_fn(trine_int8_panel *panel, const void *w, size_t w_stride, int n_w, size_t n, int offset);
/* y [n_rows, n_cols], started as in gemm_panel; depth a multiple of 32. */
typedef void trine_gemm_int8_fn(float *y, size_t y_stride, const trine_int8_rows *x, int n_rows, const trine_int8_panel *panel,
                                int n_cols, size_t depth, const float *bias, bool add);

/* Half a step of rounding; the rest is what 16-bit factors and offsets add (ref/int8_ref.c). */
#define TRINE_INT8_ERROR 0.51f

/* ---- products of bf16 weights ----
 *
 * Where the processor multiplies bf16: x is rounded to bf16, which costs half a step of 2^-8 of each element; sums are in f32.
 *
 * Depth goes by steps of 32, the last filled up with zeros. x lies in groups of 16 rows, [step][16 rows][32], one group after
 * another; what a group has past the last row is anything. */
enum { TRINE_BF16_STEP = 32, TRINE_BF16_GROUP = 16 };

/* Puts n elements of a row of x into its place in a group: `out` is the group's start plus 32 times the row in the group. */
typedef void trine_bf16_round_fn(uint16_t *out, const float *x, size_t n);
/* y[i * y_stride + j] = bias[j] + sum over k < depth of x_i[k] * w_j[k], i < n_rows, j < n_cols; no bias when it is NULL. Row j of W
 * lies j * w_stride bytes after `w`, at any alignment. */
typedef struct trine_bf16_product {
    float *y;
    size_t y_stride;
    int n_rows, n_cols, depth;
    const uint16_t *x; /* from a group's first row on */
    const unsigned char *w;
    size_t w_stride;
    const float *bias;
    float *scratch; /* trine_bf16_scratch(n_rows, n_cols) floats, at a multiple of 64 bytes */
} trine_bf16_product;
typedef void trine_bf16_gemm_fn(const trine_bf16_product *product);
/* A part of W made ready, and sums that wait for the next part. */
static inline size_t trine_bf16_scratch(int n_rows, int n_cols)
{
    return 32 * 256 / 2 + (((size_t)n_rows + 31) / 32 * 32) * (((size_t)n_cols + 31) / 32 * 32);
}

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
    trine_dot_tile_fn *dot_tile[TRINE_DTYPE_COUNT]; /* f32, f16, bf16; NULL for the others */
    trine_dot_x8_fn *dot_x8[TRINE_DTYPE_COUNT];     /* of the types in blocks; NULL for the others */
    /* Whether these two read rows of W that are far apart at once, so that they are streams, each of which memory answers beside the others:
     * those of a tile should then be far apart. */
    bool dot_tile_streams, dot_x8_streams;
    trine_pack_fn *pack_x8;
    trine_order_x8_fn *order_x8[TRINE_DTYPE_COUNT]; /* NULL where dot_x8 takes rows as pack_x8 leaves them */
    trine_gemm_panel_fn *gemm_panel;
    int panel_cols; /* widest panel that gemm_panel takes */
    trine_gemm_group_fn *gemm_group;
    int group_cols; /* width of its panels */
    trine_gemm_strip_fn *gemm_strip;
    int strip_cols; /* width of its strips */
    int dot_rows;   /* most rows of x for which dot_tile of f32 is faster than gemm_strip: measured at AVX2 and AVX-512 */
    trine_transpose_fn *transpose;
    trine_quantize_row_fn *quantize_row;
    trine_pack_panel_fn *pack_panel[TRINE_DTYPE_COUNT]; /* NULL for types that are not quantised */
    trine_gemm_int8_fn *gemm_int8;
    int int8_cols, int8_offset;      /* width of a panel; what gemm_int8 wants added to W's bytes: 0 or 128 */
    trine_bf16_round_fn *bf16_round; /* these two are NULL where f32 is faster or all there is */
    trine_bf16_gemm_fn *bf16_gemm;
    trine_unpack_fn *unpack[TRINE_DTYPE_COUNT]; /* NULL for a type that is not computed with; so is pack */
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
    trine_level_kernels levels;
    trine_pair_kernels pair;
    trine_grad_kernels grad;
} trine_kernels;

/* Fills the table for a level that this machine runs. */
void trine_kernels_init(trine_kernels *k, trine_cpu level);
/* Takes away the entries that round x to bytes or bf16: products are in floats then, whatever the type of W. */
void trine_kernels_exact(trine_kernels *k);

/* The steps of init, one a directory: each overwrites what it does better. */
void trine_kernels_ref(trine_kernels *k);
void trine_kernels_avx2(trine_kernels *k);
void trine_kernels_avx_vnni(trine_kernels *k);
void trine_kernels_avx512(trine_kernels *k);
void trine_kernels_avx512_vnni(trine_kernels *k);
void trine_kernels_avx512_bf16(trine_kernels *k);
void trine_kernels_amx(trine_kernels *k);

#endif
