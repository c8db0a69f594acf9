/* products_x86.h - template: the two products, in registers. Include it after a vector_*.h and unpack_x86.h.
 *
 * Dot tile: up to DOT_X rows of x by one row of W or DOT_W, DOT_SUMS vectors of sums each, over the length of the rows; the lanes
 * are added at the end.
 *
 * Panel product: up to TILE_ROWS rows of x by two vectors of columns, or half as many rows by four: either way the same
 * number of sums stays in registers, and each is summed in the order of depth. */
#ifndef TRINE_KERNELS_PRODUCTS_X86_H
#define TRINE_KERNELS_PRODUCTS_X86_H

#include "kernels/kernels.h"
#include "kernels/x86/rows_ahead.h"
#include "kernels/x86/unrolled.h"

/* ---- few rows ---- */

enum { W_F32, W_F16, W_BF16 };

TRINE_INLINE vf load_w(const unsigned char *w, size_t k, int kind)
{
    if (kind == W_F16) return vf_load_f16(w + 2 * k);
    if (kind == W_BF16) return bf16_vf(w + 2 * k);
    return vf_load((const float *)(const void *)(w + 4 * k));
}

TRINE_INLINE vf load_w_n(const unsigned char *w, size_t k, size_t n, int kind)
{
    unsigned char rest[4 * LANES] = { 0 };
    memcpy(rest, w + k * (kind == W_F32 ? 4 : 2), n * (kind == W_F32 ? 4 : 2));
    return load_w(rest, 0, kind);
}

/* sums[i][j][s] += x_i[k .. k + LANES] w_j[k .. k + LANES] */
#define DOT_STEP(s, at, load_x, load_w)                                                                                            \
    {                                                                                                                              \
        vf a[DOT_X];                                                                                                               \
        TRINE_UNROLL for (int i = 0; i < n_x; i++) a[i] = load_x(x + (size_t)i * x_stride, at);                                    \
        TRINE_UNROLL for (int j = 0; j < n_w; j++)                                                                                 \
        {                                                                                                                          \
            const vf b = load_w(w + (size_t)j * w_stride, at);                                                                     \
            TRINE_UNROLL for (int i = 0; i < n_x; i++) sums[i][j][s] = vf_fma(a[i], b, sums[i][j][s]);                             \
        }                                                                                                                          \
    }

/* n_x by n_w (constants where this is inlined) products. DOT_SUMS sums take turns, because one alone would wait for itself. */
TRINE_INLINE void dot_rows(float *y, size_t y_stride, const float *x, size_t x_stride, int n_x, const unsigned char *w,
                           size_t w_stride, int n_w, size_t n, int kind)
{
    enum { STEP = DOT_SUMS * LANES };
    const size_t size = kind == W_F32 ? 4 : 2, ahead = trine_rows_ahead(DOT_AHEAD, w_stride, n_w, DOT_W_ONE > 1);
    vf sums[DOT_X][DOT_W_ONE > DOT_W ? DOT_W_ONE : DOT_W][DOT_SUMS];
    TRINE_UNROLL for (int i = 0; i < n_x; i++) TRINE_UNROLL for (int j = 0; j < n_w; j++)
        TRINE_UNROLL for (int s = 0; s < DOT_SUMS; s++) sums[i][j][s] = vf_zero();
#define LOAD_X(row, at) vf_load((row) + (at))
#define LOAD_W(row, at) load_w(row, at, kind)
#define LOAD_X_N(row, at) vf_load_n((row) + (at), n - (at))
#define LOAD_W_N(row, at) load_w_n(row, at, n - (at), kind)
    size_t k = 0;
    for (; k + STEP <= n; k += STEP) {
        TRINE_UNROLL for (int j = 0; j < n_w; j++) TRINE_UNROLL for (size_t at = 0; at < STEP * size; at += 64)
            _mm_prefetch((const char *)w + (size_t)j * w_stride + k * size + at + ahead, _MM_HINT_T0);
        TRINE_UNROLL for (int s = 0; s < DOT_SUMS; s++) DOT_STEP(s, k + (size_t)s * LANES, LOAD_X, LOAD_W)
    }
    TRINE_UNROLL for (int s = 0; s < DOT_SUMS - 1; s++) if (k + LANES <= n)
    {
        DOT_STEP(s, k, LOAD_X, LOAD_W)
        k += LANES;
    }
    if (k < n) DOT_STEP(DOT_SUMS - 1, k, LOAD_X_N, LOAD_W_N)
#undef LOAD_X
#undef LOAD_W
#undef LOAD_X_N
#undef LOAD_W_N
    TRINE_UNROLL for (int i = 0; i < n_x; i++) TRINE_UNROLL for (int j = 0; j < n_w; j++)
    {
        TRINE_UNROLL for (int s = DOT_SUMS / 2; s > 0; s /= 2) TRINE_UNROLL for (int t = 0; t < s; t++) sums[i][j][t] =
            vf_add(sums[i][j][t], sums[i][j][t + s]);
        y[(size_t)i * y_stride + (size_t)j] = vf_sum(sums[i][j][0]);
    }
}

/* One row of x meets DOT_W_ONE rows of W at a time, several meet DOT_W: then x is loaded once for them. */
TRINE_INLINE void dot_tile(float *y, size_t y_stride, const float *x, size_t x_stride, int n_x, const void *w, size_t w_stride,
                           int n_w, size_t n, int kind)
{
    for (int i = 0; i < n_x; i += DOT_X, y += DOT_X * y_stride, x += DOT_X * x_stride) {
        const int rows = n_x - i < DOT_X ? n_x - i : DOT_X, most = rows > 1 ? DOT_W : DOT_W_ONE;
        for (int j = 0, step; j < n_w; j += step) {
            const unsigned char *row = (const unsigned char *)w + (size_t)j * w_stride;
            step = n_w - j >= most ? most : 1;
#define ROWS(r, most)                                                                                                              \
    if (step == 1)                                                                                                                 \
        dot_rows(y + j, y_stride, x, x_stride, r, row, w_stride, 1, n, kind);                                                      \
    else                                                                                                                           \
        dot_rows(y + j, y_stride, x, x_stride, r, row, w_stride, most, n, kind)
            switch (rows) {
            case 1: ROWS(1, DOT_W_ONE); break;
            case 2: ROWS(2, DOT_W); break;
#if defined(TRINE_DOT_X_4)
            case 3: ROWS(3, DOT_W); break;
            default: ROWS(4, DOT_W); break;
#endif
            }
#undef ROWS
        }
    }
}

#define TRINE_DOT_PLAIN(name, kind)                                                                                                \
    static void TRINE_NAME(dot_tile_##name)(float *y, size_t y_stride, const float *x, size_t x_stride, int n_x, const void *w,    \
                                            size_t w_stride, int n_w, size_t n)                                                    \
    {                                                                                                                              \
        dot_tile(y, y_stride, x, x_stride, n_x, w, w_stride, n_w, n, kind);                                                        \
    }
TRINE_DOT_PLAIN(f32, W_F32)
TRINE_DOT_PLAIN(f16, W_F16)
TRINE_DOT_PLAIN(bf16, W_BF16)
#undef TRINE_DOT_PLAIN

/* ---- many rows ---- */

/* n_rows by n_vectors (constants where this is inlined) vectors of columns, the last of them `last` wide. */
TRINE_INLINE void panel_tile(float *y, size_t y_stride, const float *x, size_t x_stride, int n_rows, const float *panel,
                             size_t panel_stride, int n_vectors, size_t last, size_t depth, const float *bias, bool add)
{
    enum { MOST = TILE_ROWS };
    vf sums[MOST][4];
    TRINE_UNROLL for (int i = 0; i < n_rows; i++) TRINE_UNROLL for (int v = 0; v < n_vectors; v++) sums[i][v] = vf_zero();
    const bool whole = last == LANES;
#define STEP(load_last)                                                                                                            \
    for (size_t k = 0; k < depth; k++) {                                                                                           \
        const float *row = panel + k * panel_stride;                                                                               \
        vf b[4];                                                                                                                   \
        TRINE_UNROLL for (int v = 0; v < n_vectors - 1; v++) b[v] = vf_load(row + v * LANES);                                      \
        b[n_vectors - 1] = load_last;                                                                                              \
        TRINE_UNROLL for (int i = 0; i < n_rows; i++)                                                                              \
        {                                                                                                                          \
            const vf a = vf_set(x[(size_t)i * x_stride + k]);                                                                      \
            TRINE_UNROLL for (int v = 0; v < n_vectors; v++) sums[i][v] = vf_fma(a, b[v], sums[i][v]);                             \
        }                                                                                                                          \
    }
    if (whole)
        STEP(vf_load(row + (n_vectors - 1) * LANES))
    else
        STEP(vf_load_n(row + (n_vectors - 1) * LANES, last))
#undef STEP
    TRINE_UNROLL for (int i = 0; i < n_rows; i++)
    {
        const float *start = add ? y + (size_t)i * y_stride : bias;
        float *out = y + (size_t)i * y_stride;
        TRINE_UNROLL for (int v = 0; v < n_vectors; v++)
        {
            const size_t n = v < n_vectors - 1 || whole ? LANES : last, at = (size_t)v * LANES;
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

#define TRINE_ROWS(r, v)                                                                                                           \
    case r:                                                                                                                        \
        panel_tile(y, y_stride, x, x_stride, r, panel, panel_stride, v, last, depth, bias, add);                                   \
        break;
#define TRINE_ROWS_3(v) TRINE_ROWS(1, v) TRINE_ROWS(2, v) TRINE_ROWS(3, v)
#define TRINE_ROWS_6(v) TRINE_ROWS_3(v) TRINE_ROWS(4, v) TRINE_ROWS(5, v) TRINE_ROWS(6, v)
#define TRINE_ROWS_12(v)                                                                                                           \
    TRINE_ROWS_6(v) TRINE_ROWS(7, v) TRINE_ROWS(8, v) TRINE_ROWS(9, v) TRINE_ROWS(10, v) TRINE_ROWS(11, v) TRINE_ROWS(12, v)

/* A function for each number of vectors, so that a tile's kernel is reached by one jump. */
#define TRINE_COLUMNS(v, rows)                                                                                                     \
    static void columns_##v(float *y, size_t y_stride, const float *x, size_t x_stride, int n_rows, const float *panel,            \
                            size_t panel_stride, size_t last, size_t depth, const float *bias, bool add)                           \
    {                                                                                                                              \
        switch (n_rows) {                                                                                                          \
            rows(v)                                                                                                                \
        }                                                                                                                          \
    }
TRINE_COLUMNS(1, TRINE_ROWS_WIDE)
TRINE_COLUMNS(2, TRINE_ROWS_WIDE)
TRINE_COLUMNS(3, TRINE_ROWS_NARROW)
TRINE_COLUMNS(4, TRINE_ROWS_NARROW)

static void TRINE_NAME(gemm_panel)(float *y, size_t y_stride, const float *x, size_t x_stride, int n_rows, const float *panel,
                                   size_t panel_stride, int n_cols, size_t depth, const float *bias, bool add)
{
    const int narrow = n_rows <= TILE_ROWS / 2, width = narrow ? 4 * LANES : 2 * LANES, height = narrow ? TILE_ROWS / 2 : TILE_ROWS;
    for (int c = 0; c < n_cols; c += width) {
        const int cols = n_cols - c < width ? n_cols - c : width, n_vectors = (cols + LANES - 1) / LANES;
        const size_t last = (size_t)(cols - (n_vectors - 1) * LANES);
        const float *start = bias ? bias + c : NULL;
        for (int i = 0; i < n_rows; i += height) {
            const int rows = n_rows - i < height ? n_rows - i : height;
            float *out = y + (size_t)i * y_stride + (size_t)c;
            const float *in = x + (size_t)i * x_stride;
            switch (n_vectors) {
            case 1: columns_1(out, y_stride, in, x_stride, rows, panel + c, panel_stride, last, depth, start, add); break;
            case 2: columns_2(out, y_stride, in, x_stride, rows, panel + c, panel_stride, last, depth, start, add); break;
            case 3: columns_3(out, y_stride, in, x_stride, rows, panel + c, panel_stride, last, depth, start, add); break;
            default: columns_4(out, y_stride, in, x_stride, rows, panel + c, panel_stride, last, depth, start, add); break;
            }
        }
    }
}

#endif
