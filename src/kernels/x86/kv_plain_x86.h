/* kv_plain_x86.h - template: loops over a tile of f32, f16 or bf16, converted in registers. Include it after a vector_*.h.
 *
 * Keys [d][P] under queries and values [P][d] under weights are one and the same product of few rows with a typed panel. A row
 * of the panel is converted once for all rows of x, which are the query heads of one kv head. */
#ifndef TRINE_KERNELS_KV_PLAIN_X86_H
#define TRINE_KERNELS_KV_PLAIN_X86_H

#include "kernels/kv_kernels.h"
#include "kernels/x86/unrolled.h"

enum { P_F32, P_F16, P_BF16 };
enum { KV_ROWS = LANES == 16 ? 6 : 4, KV_VECTORS = LANES == 16 ? 4 : 2 };

TRINE_INLINE vf load_typed(const unsigned char *p, int kind)
{
    if (kind == P_F16) return vf_load_f16(p);
    if (kind == P_BF16) return vf_bits(vi_shift_left(vi_load_u16(p), 16));
    return vf_load((const float *)(const void *)p);
}

/* y[i][c] (+)= sum over k < depth of x[i][k] * panel[k][c] for n_rows by n_vectors (constants) vectors, of which the last stores
 * `last` lanes. */
TRINE_INLINE void typed_tile(float *y, size_t y_stride, const float *x, size_t x_stride, int n_rows, const unsigned char *panel,
                             size_t row_bytes, int n_vectors, size_t last, size_t depth, bool add, int kind, ptrdiff_t ahead)
{
    enum { SIZE_F32 = 4 };
    const size_t size = kind == P_F32 ? SIZE_F32 : 2;
    vf sums[KV_ROWS][KV_VECTORS];
    TRINE_UNROLL for (int i = 0; i < n_rows; i++) TRINE_UNROLL for (int v = 0; v < n_vectors; v++) sums[i][v] = vf_zero();
    for (size_t k = 0; k < depth; k++, panel += row_bytes) {
        if (ahead)
            TRINE_UNROLL for (size_t at = 0; at < (size_t)n_vectors * LANES * size; at += 64)
                _mm_prefetch((const char *)panel + ahead + at, _MM_HINT_T0);
        vf b[KV_VECTORS];
        TRINE_UNROLL for (int v = 0; v < n_vectors; v++) b[v] = load_typed(panel + (size_t)v * LANES * size, kind);
        TRINE_UNROLL for (int i = 0; i < n_rows; i++)
        {
            const vf a = vf_set(x[(size_t)i * x_stride + k]);
            TRINE_UNROLL for (int v = 0; v < n_vectors; v++) sums[i][v] = vf_fma(a, b[v], sums[i][v]);
        }
    }
    TRINE_UNROLL for (int i = 0; i < n_rows; i++) TRINE_UNROLL for (int v = 0; v < n_vectors; v++)
    {
        float *to = y + (size_t)i * y_stride + (size_t)v * LANES;
        if (v < n_vectors - 1 || last == LANES)
            vf_store(to, add ? vf_add(vf_load(to), sums[i][v]) : sums[i][v]);
        else
            vf_store_n(to, add ? vf_add(vf_load_n(to, last), sums[i][v]) : sums[i][v], last);
    }
}

TRINE_INLINE void typed_rows(float *y, size_t y_stride, const float *x, size_t x_stride, int n_rows, const unsigned char *panel,
                             size_t row_bytes, size_t n_cols, size_t depth, bool add, int kind, ptrdiff_t ahead)
{
    const size_t size = kind == P_F32 ? 4 : 2;
    size_t c = 0;
    for (; c + KV_VECTORS * LANES <= n_cols; c += KV_VECTORS * LANES)
        typed_tile(y + c, y_stride, x, x_stride, n_rows, panel + c * size, row_bytes, KV_VECTORS, LANES, depth, add, kind, ahead);
    for (; c < n_cols; c += LANES)
        typed_tile(y + c, y_stride, x, x_stride, n_rows, panel + c * size, row_bytes, 1, n_cols - c < LANES ? n_cols - c : LANES,
                   depth, add, kind, ahead);
}

/* Any number of rows; the first pass over the panel asks for what lies `ahead` of it. */
TRINE_INLINE void typed_panel(float *y, size_t y_stride, const float *x, size_t x_stride, int n_rows, const void *panel,
                              size_t row_bytes, size_t n_cols, size_t depth, bool add, int kind, const void *next)
{
    ptrdiff_t ahead = next ? (const unsigned char *)next - (const unsigned char *)panel : 0;
    for (int i = 0; i < n_rows; ahead = 0) {
        const int rows = n_rows - i < KV_ROWS ? n_rows - i : KV_ROWS;
#define ROWS(r)                                                                                                                    \
    case r: typed_rows(y, y_stride, x, x_stride, r, panel, row_bytes, n_cols, depth, add, kind, ahead); break;
        switch (rows) {
            ROWS(1)
            ROWS(2)
            ROWS(3)
#if defined(TRINE_DOT_X_4)
            ROWS(4)
            ROWS(5)
        default: typed_rows(y, y_stride, x, x_stride, 6, panel, row_bytes, n_cols, depth, add, kind, ahead);
#else
        default: typed_rows(y, y_stride, x, x_stride, 4, panel, row_bytes, n_cols, depth, add, kind, ahead);
#endif
        }
#undef ROWS
        i += rows;
        y += (size_t)rows * y_stride;
        x += (size_t)rows * x_stride;
    }
}

#define TRINE_KV_PLAIN(name, kind, size)                                                                                           \
    static void scores_##name(float *scores, size_t stride, const void *queries, int n, const void *keys, size_t d,                \
                              const void *ahead)                                                                                   \
    {                                                                                                                              \
        typed_panel(scores, stride, queries, trine_kv_query_bytes(d) / sizeof(float), n, keys, TRINE_KV_PAGE * size,               \
                    TRINE_KV_PAGE, d, false, kind, ahead);                                                                         \
    }                                                                                                                              \
    static void values_##name(float *out, size_t out_stride, const float *weights, size_t stride, int n, const void *values,       \
                              int n_keys, size_t d, const void *ahead)                                                             \
    {                                                                                                                              \
        typed_panel(out, out_stride, weights, stride, n, values, d *size, d, (size_t)n_keys, true, kind, ahead);                   \
    }                                                                                                                              \
    static void unpack_keys_##name(float *out, const void *keys, size_t d)                                                         \
    {                                                                                                                              \
        for (size_t i = 0; i < d * TRINE_KV_PAGE; i += LANES)                                                                      \
            vf_store(out + i, load_typed((const unsigned char *)keys + i * size, kind));                                           \
    }                                                                                                                              \
    static void unpack_values_##name(float *out, const void *values, int n, size_t d)                                              \
    {                                                                                                                              \
        const size_t all = (size_t)n * d;                                                                                          \
        size_t i = 0;                                                                                                              \
        for (; i + LANES <= all; i += LANES) vf_store(out + i, load_typed((const unsigned char *)values + i * size, kind));        \
        if (i < all) vf_store_n(out + i, load_typed((const unsigned char *)values + i * size, kind), all - i);                     \
    }
TRINE_KV_PLAIN(f32, P_F32, 4)
TRINE_KV_PLAIN(f16, P_F16, 2)
TRINE_KV_PLAIN(bf16, P_BF16, 2)
#undef TRINE_KV_PLAIN

static void register_plain(trine_kv_kernels *k)
{
#define ENTRY(name, type)                                                                                                          \
    k[type].scores = scores_##name;                                                                                                \
    k[type].values = values_##name;                                                                                                \
    k[type].unpack_keys = unpack_keys_##name;                                                                                      \
    k[type].unpack_values = unpack_values_##name;
    ENTRY(f32, TRINE_F32)
    ENTRY(f16, TRINE_F16)
    ENTRY(bf16, TRINE_BF16)
#undef ENTRY
}

#endif
