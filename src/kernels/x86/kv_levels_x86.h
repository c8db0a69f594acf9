/* kv_levels_x86.h - template: loops over a tile of q8_0 or q4_0, in whole numbers. Include it after a vector_*.h; TRINE_KV_DOT
 * names the byte product: VNNI's vpdpbusd where the file has it, else vpmaddubsw and vpmaddwd.
 *
 * The factor that is not stored - a query, or the weights of a tile times the scales of its values - becomes whole numbers P of
 * 12 to 14 bits, in two planes of bytes: P = high 2^shift + low. Levels u are unsigned with their zero at z, so that
 * sum (u - z) P = sum u high 2^shift + sum u low - z sum P, all of it exact; the last term is where the sum starts. Bytes of
 * q8_0 meet planes of at most 63, because vpmaddubsw adds two products of a byte in 16 bits: 2 * 255 * 63 < 2^15. */
#ifndef TRINE_KERNELS_KV_LEVELS_X86_H
#define TRINE_KERNELS_KV_LEVELS_X86_H

#include "kernels/kv_kernels.h"
#include "kernels/x86/unrolled.h"

enum { LEVEL_ROWS = 4, LEVEL_VECTORS = LANES == 16 ? 2 : 1, BLOCK = 32 };

#if defined(__AVX512F__)
TRINE_INLINE vi vi_load(const unsigned char *p) { return _mm512_loadu_si512(p); }
TRINE_INLINE vi vi_subtract(vi a, vi b) { return _mm512_sub_epi32(a, b); }
TRINE_INLINE vi vi_halve(vi a, unsigned n) { return _mm512_srai_epi32(a, n); }
TRINE_INLINE vi vi_nearest(vf x) { return _mm512_cvtps_epi32(x); }
TRINE_INLINE int vi_sum(vi a) { return _mm512_reduce_add_epi32(a); }
TRINE_INLINE void store_bytes(signed char *p, vi a) { _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8(a)); }
#define MADDUBS _mm512_maddubs_epi16
#define MADD _mm512_madd_epi16
#define SET_16 _mm512_set1_epi16
#define ADD_16 _mm512_add_epi16
#define SUB_16 _mm512_sub_epi16
#define SHIFT_16(a, n) _mm512_srai_epi16(a, (unsigned)(n))
#define SHIFT_LEFT_16(a, n) _mm512_slli_epi16(a, (unsigned)(n))
TRINE_INLINE vi vi_words(vi a, vi b) { return _mm512_packs_epi32(a, b); }
TRINE_INLINE vi vi_bytes(vi a, vi b) { return _mm512_packs_epi16(a, b); }
TRINE_INLINE void vi_store(signed char *p, vi a) { _mm512_storeu_si512(p, a); }
TRINE_INLINE vf vf_first(vf a, size_t n) { return _mm512_maskz_mov_ps(first_lanes(n), a); }
#else
TRINE_INLINE vi vi_load(const unsigned char *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }
TRINE_INLINE vi vi_subtract(vi a, vi b) { return _mm256_sub_epi32(a, b); }
TRINE_INLINE vi vi_halve(vi a, unsigned n) { return _mm256_srai_epi32(a, (int)n); }
TRINE_INLINE vi vi_nearest(vf x) { return _mm256_cvtps_epi32(x); }
TRINE_INLINE int vi_sum(vi a)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xB1)));
}
TRINE_INLINE void store_bytes(signed char *p, vi a)
{
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    _mm_storel_epi64((__m128i *)(void *)p, _mm_packs_epi16(words, words));
}
#define MADDUBS _mm256_maddubs_epi16
#define MADD _mm256_madd_epi16
#define SET_16 _mm256_set1_epi16
#define ADD_16 _mm256_add_epi16
#define SUB_16 _mm256_sub_epi16
#define SHIFT_16(a, n) _mm256_srai_epi16(a, n)
#define SHIFT_LEFT_16(a, n) _mm256_slli_epi16(a, n)
TRINE_INLINE vi vi_words(vi a, vi b) { return _mm256_packs_epi32(a, b); }
TRINE_INLINE vi vi_bytes(vi a, vi b) { return _mm256_packs_epi16(a, b); }
TRINE_INLINE void vi_store(signed char *p, vi a) { _mm256_storeu_si256((__m256i *)(void *)p, a); }
TRINE_INLINE vf vf_first(vf a, size_t n) { return _mm256_and_ps(a, _mm256_castsi256_ps(first_lanes(n))); }
#endif

/* ---- planes ---- */

/* How a type's other factor is cut: P of at most `limit`, high = round(P / 2^shift); one plane has shift 0. Levels with their
 * zero at 0 have signs, and P has none (high is then rounded down). */
typedef struct cut {
    int limit, shift, n_planes, zero;
    bool nibbles;
} cut;
static const cut Q8_QUERY = { 63 * 64 + 31, 6, 2, 128, false }, Q8_WEIGHTS = { 127 * 128 + 127, 7, 2, 0, false };
static const cut Q4_QUERY = { 127, 0, 1, 8, true }, Q4_WEIGHTS = { 127 * 128 + 63, 7, 2, 8, true };

/* n (a multiple of LANES) elements of x as planes n bytes long, `plane` bytes apart. *start: -zero sum P. Returns what P is
 * multiplied by. */
TRINE_INLINE float to_planes(signed char *high, size_t plane, int32_t *start, const float *x, size_t n, cut how)
{
    vf most = vf_zero();
    for (size_t i = 0; i < n; i += LANES) most = vf_max(vf_abs(vf_load(x + i)), most);
    const float max = vf_most(most), inverse = max > 1e-30f ? (float)how.limit / max : 0; /* less is nothing, and would overflow */
    const vf factor = vf_set(inverse);
    vi total = vi_set(0);
    for (size_t i = 0; i < n; i += LANES) {
        const vi p = vi_nearest(vf_mul(vf_load(x + i), factor));
        total = vi_add(total, p);
        if (how.n_planes == 1) {
            store_bytes(high + i, p);
        } else {
            const vi h = vi_halve(vi_add(p, vi_set(1 << how.shift >> 1)), (unsigned)how.shift);
            store_bytes(high + i, h);
            store_bytes(high + plane + i, vi_subtract(p, vi_shift_left(h, how.shift)));
        }
    }
    *start = -how.zero * vi_sum(total);
    return max / (float)how.limit;
}

/* ---- byte products ---- */

/* The running sum of one vector: of each plane by VNNI, of both by pairs. */
typedef struct level_sum {
    vi part[2];
} level_sum;

TRINE_INLINE level_sum sum_from(int32_t start, cut how)
{
    level_sum s;
    s.part[0] = vi_set(start);
    if (how.n_planes == 2) {
        s.part[1] = s.part[0];
        s.part[0] = vi_set(0);
    }
    return s;
}

TRINE_INLINE vi four_bytes(const signed char *p)
{
    int32_t word;
    memcpy(&word, p, sizeof word);
    return vi_set(word);
}

TRINE_INLINE level_sum sum_add(level_sum s, vi levels, const signed char *x, size_t plane, cut how)
{
    for (int i = 0; i < how.n_planes; i++) {
        const vi other = four_bytes(x + (size_t)i * plane), u = how.zero ? levels : other, v = how.zero ? other : levels;
#if defined(TRINE_KV_DOT)
        s.part[i] = TRINE_KV_DOT(s.part[i], u, v);
#else
        s.part[i] = vi_add(s.part[i], MADD(MADDUBS(u, v), SET_16((short)(i ? 1 : 1 << how.shift))));
#endif
    }
    return s;
}

TRINE_INLINE vf sum_whole(level_sum s, cut how)
{
#if defined(TRINE_KV_DOT)
    if (how.n_planes == 2) return vf_from_vi(vi_add(vi_shift_left(s.part[0], how.shift), s.part[1]));
#else
    if (how.n_planes == 2) return vf_from_vi(vi_add(s.part[0], s.part[1]));
#endif
    return vf_from_vi(s.part[0]);
}

/* n_rows by LEVEL_VECTORS sums over a block of BLOCK elements of d: levels of the first vector at `levels`, queries x_row bytes
 * apart. */
TRINE_INLINE void sum_levels(level_sum sums[LEVEL_ROWS][LEVEL_VECTORS], int n_rows, const unsigned char *levels,
                             const signed char *x, size_t x_row, size_t plane, cut how, ptrdiff_t ahead)
{
    const vi low_half = vi_set(0x0F0F0F0F);
    TRINE_UNROLL for (size_t g = 0; g < BLOCK / 4; g++)
    {
        vi u[LEVEL_VECTORS];
        TRINE_UNROLL for (int v = 0; v < LEVEL_VECTORS; v++)
        {
            const unsigned char *at = levels + (how.nibbles ? g / 2 : g) * TRINE_KV_PAGE * 4 + (size_t)v * LANES * 4;
            if (ahead && !(how.nibbles && g % 2)) _mm_prefetch((const char *)at + ahead, _MM_HINT_T0);
            u[v] = vi_load(at);
            if (how.nibbles) u[v] = vi_and(g % 2 ? vi_shift_right(u[v], 4) : u[v], low_half);
        }
        TRINE_UNROLL for (int i = 0; i < n_rows; i++) TRINE_UNROLL for (int v = 0; v < LEVEL_VECTORS; v++) sums[i][v] =
            sum_add(sums[i][v], u[v], x + (size_t)i * x_row + 4 * g, plane, how);
    }
}

/* ---- queries by keys ---- */

/* A query: planes [n_planes][d], a factor and a start each block. */
TRINE_INLINE void level_query(void *out, const float *q, size_t d, cut how)
{
    signed char *planes = out;
    float *factors = (float *)(void *)(planes + 2 * d);
    int32_t *starts = (int32_t *)(void *)(factors + d / BLOCK);
    for (size_t b = 0; b < d / BLOCK; b++) factors[b] = to_planes(planes + b * BLOCK, d, &starts[b], q + b * BLOCK, BLOCK, how);
}

TRINE_INLINE void level_scores_rows(float *scores, size_t stride, const signed char *queries, int n_rows, const unsigned char *keys,
                                    size_t d, cut how, ptrdiff_t ahead)
{
    const size_t row = trine_kv_query_bytes(d), block_bytes = TRINE_KV_PAGE * BLOCK / (how.nibbles ? 2 : 1);
    const unsigned char *scales = keys + d / BLOCK * block_bytes;
    for (size_t c = 0; c < TRINE_KV_PAGE; c += LEVEL_VECTORS * LANES) {
        vf out[LEVEL_ROWS][LEVEL_VECTORS];
        TRINE_UNROLL for (int i = 0; i < n_rows; i++) TRINE_UNROLL for (int v = 0; v < LEVEL_VECTORS; v++) out[i][v] = vf_zero();
        for (size_t b = 0; b < d / BLOCK; b++) {
            level_sum sums[LEVEL_ROWS][LEVEL_VECTORS];
            float factor[LEVEL_ROWS];
            TRINE_UNROLL for (int i = 0; i < n_rows; i++)
            {
                int32_t start;
                memcpy(&factor[i], queries + (size_t)i * row + 2 * d + b * sizeof(float), sizeof(float));
                memcpy(&start, queries + (size_t)i * row + 2 * d + (d / BLOCK + b) * sizeof(float), sizeof start);
                TRINE_UNROLL for (int v = 0; v < LEVEL_VECTORS; v++) sums[i][v] = sum_from(start, how);
            }
            sum_levels(sums, n_rows, keys + b * block_bytes + c * 4, queries + b * BLOCK, row, d, how, ahead);
            TRINE_UNROLL for (int v = 0; v < LEVEL_VECTORS; v++)
            {
                const vf scale = vf_load_f16(scales + (b * TRINE_KV_PAGE + c + (size_t)v * LANES) * 2);
                TRINE_UNROLL for (int i = 0; i < n_rows; i++) out[i][v] =
                    vf_fma(vf_mul(sum_whole(sums[i][v], how), scale), vf_set(factor[i]), out[i][v]);
            }
        }
        TRINE_UNROLL for (int i = 0; i < n_rows; i++) TRINE_UNROLL for (int v = 0; v < LEVEL_VECTORS; v++)
            vf_store(scores + (size_t)i * stride + c + (size_t)v * LANES, out[i][v]);
    }
}

/* ---- weights by values ---- */

/* Where the planes of a tile's weights hold the four of group g: packing to bytes goes by 16 bytes of each vector, and leaves the
 * groups of LANES vectors transposed. */
#define PLACE(g) ((g) / LANES * LANES + (g) % LANES % (LANES / 4) * 4 + (g) % LANES / (LANES / 4))

/* The weights of a tile times the scales of one block of its values, as two planes [P] in that order. Returns what P is
 * multiplied by. */
TRINE_INLINE float weights_to_planes(signed char *planes, int32_t *start, const float *weights, const unsigned char *scales,
                                     size_t n_keys, cut how)
{
    enum { P = TRINE_KV_PAGE, N = P / LANES };
    vf x[N], most = vf_zero();
    TRINE_UNROLL for (size_t v = 0; v < N; v++)
    {
        x[v] = vf_mul(vf_load(weights + v * LANES), vf_load_f16(scales + v * LANES * 2));
        if (n_keys < (v + 1) * LANES) x[v] = vf_first(x[v], n_keys > v * LANES ? n_keys - v * LANES : 0); /* no token there */
        most = vf_max(vf_abs(x[v]), most);
    }
    const float max = vf_most(most), inverse = max > 1e-30f ? (float)how.limit / max : 0;
    const vf factor = vf_set(inverse);
    vi total = vi_set(0);
    TRINE_UNROLL for (size_t v = 0; v < N; v += 4)
    {
        vi words[2];
        TRINE_UNROLL for (size_t i = 0; i < 2; i++) words[i] =
            vi_words(vi_nearest(vf_mul(x[v + 2 * i], factor)), vi_nearest(vf_mul(x[v + 2 * i + 1], factor)));
        vi high[2], low[2];
        TRINE_UNROLL for (size_t i = 0; i < 2; i++)
        {
            if (how.zero) total = vi_add(total, MADD(words[i], SET_16(1)));
            high[i] = SHIFT_16(how.zero ? ADD_16(words[i], SET_16((short)(1 << how.shift >> 1))) : words[i], how.shift);
            low[i] = SUB_16(words[i], SHIFT_LEFT_16(high[i], how.shift));
        }
        vi_store(planes + v * LANES, vi_bytes(high[0], high[1]));
        vi_store(planes + P + v * LANES, vi_bytes(low[0], low[1]));
    }
    *start = how.zero ? -how.zero * vi_sum(total) : 0;
    return max / (float)how.limit;
}

TRINE_INLINE void level_values_rows(float *out, size_t out_stride, const float *weights, size_t stride, int n_rows,
                                    const unsigned char *values, size_t n_keys, size_t d, cut how, ptrdiff_t ahead)
{
    enum { P = TRINE_KV_PAGE };
    const unsigned char *scales = values + P * d / (how.nibbles ? 2 : 1);
    const vi low_half = vi_set(0x0F0F0F0F);
    _Alignas(64) signed char planes[LEVEL_ROWS][2 * P];
    for (size_t b = 0; b < d / BLOCK; b++) {
        float factor[LEVEL_ROWS];
        int32_t start[LEVEL_ROWS];
        TRINE_UNROLL for (int i = 0; i < n_rows; i++) factor[i] =
            weights_to_planes(planes[i], &start[i], weights + (size_t)i * stride, scales + b * P * 2, n_keys, how);
        /* The planes are to be read back from memory, where a broadcast is free: taken out of registers it is a shuffle each. */
        __asm__ volatile("" : : "r"(planes) : "memory");
        for (size_t c = 0; c < BLOCK; c += LEVEL_VECTORS * LANES) {
            const unsigned char *levels = values + (b * BLOCK + c) * 4;
            level_sum sums[LEVEL_ROWS][LEVEL_VECTORS];
            TRINE_UNROLL for (int i = 0; i < n_rows; i++) TRINE_UNROLL for (int v = 0; v < LEVEL_VECTORS; v++) sums[i][v] =
                sum_from(start[i], how);
            TRINE_UNROLL for (int g = 0; g < P / 4; g++)
            {
                vi u[LEVEL_VECTORS];
                TRINE_UNROLL for (int v = 0; v < LEVEL_VECTORS; v++)
                {
                    const unsigned char *at = levels + (how.nibbles ? (size_t)g / 2 : (size_t)g) * d * 4 + (size_t)v * LANES * 4;
                    if (ahead && !(how.nibbles && g % 2)) _mm_prefetch((const char *)at + ahead, _MM_HINT_T0);
                    u[v] = vi_load(at);
                    if (how.nibbles) u[v] = vi_and(g % 2 ? vi_shift_right(u[v], 4) : u[v], low_half);
                }
                TRINE_UNROLL for (int i = 0; i < n_rows; i++) TRINE_UNROLL for (int v = 0; v < LEVEL_VECTORS; v++) sums[i][v] =
                    sum_add(sums[i][v], u[v], planes[i] + 4 * PLACE(g), P, how);
            }
            TRINE_UNROLL for (int i = 0; i < n_rows; i++) TRINE_UNROLL for (int v = 0; v < LEVEL_VECTORS; v++)
            {
                float *to = out + (size_t)i * out_stride + b * BLOCK + c + (size_t)v * LANES;
                vf_store(to, vf_fma(sum_whole(sums[i][v], how), vf_set(factor[i]), vf_load(to)));
            }
        }
    }
}

/* ---- to f32 ---- */

/* out[k * out_row + c] = (level - zero) * scale for k < depth, c < LANES, from one column of vectors. The scale is that of the
 * column (keys), or of the row (values). */
TRINE_INLINE void unpack_column(float *out, size_t out_row, const unsigned char *levels, size_t row_bytes, size_t first, size_t end,
                                size_t step, int zero, const unsigned char *column_scales, const unsigned char *row_scales)
{
    const vf scale = column_scales ? vf_load_f16(column_scales) : vf_zero();
    const vi mask = vi_set(step == 8 ? 15 : 255);
    for (size_t k = first; k < end; k += step, levels += row_bytes) {
        vi rest = vi_load(levels);
        /* By bytes, then within a byte: elements k .. k + 3 are low halves, k + 4 .. k + 7 high ones. */
        for (size_t j = 0; j < 4; j++, rest = vi_shift_right(rest, 8))
            for (size_t half = 0; half < step / 4; half++) {
                const size_t at = k + j + 4 * half;
                if (at >= end) continue;
                const vi level = zero ? vi_and(half ? vi_shift_right(rest, 4) : rest, mask) : vi_halve(vi_shift_left(rest, 24), 24);
                const vf by = row_scales ? vf_set(_cvtsh_ss(((const uint16_t *)(const void *)row_scales)[at])) : scale;
                vf_store(out + at * out_row, vf_mul(vf_from_vi(vi_add(level, vi_set(-zero))), by));
            }
    }
}

TRINE_INLINE void level_unpack_keys(float *out, const unsigned char *keys, size_t d, cut how)
{
    enum { P = TRINE_KV_PAGE };
    const size_t step = how.nibbles ? 8 : 4;
    const unsigned char *scales = keys + P * d * 4 / step;
    for (size_t b = 0; b < d; b += BLOCK)
        for (size_t c = 0; c < P; c += LANES)
            unpack_column(out + c, P, keys + (b / step * P + c) * 4, P * 4, b, b + BLOCK, step, how.zero,
                          scales + (b / BLOCK * P + c) * 2, NULL);
}

TRINE_INLINE void level_unpack_values(float *out, const unsigned char *values, size_t n, size_t d, cut how)
{
    enum { P = TRINE_KV_PAGE };
    const size_t step = how.nibbles ? 8 : 4;
    const unsigned char *scales = values + P * d * 4 / step;
    for (size_t c = 0; c < d; c += LANES)
        unpack_column(out + c, d, values + c * 4, d * 4, 0, n, step, how.zero, NULL, scales + c / BLOCK * P * 2);
}

/* Any number of rows; the first pass over the tile asks for what lies `ahead` of it. */
#define TRINE_KV_LEVELS(name, on_queries, on_weights)                                                                              \
    static void query_##name(void *out, const float *q, size_t d) { level_query(out, q, d, on_queries); }                          \
    static void scores_##name(float *scores, size_t stride, const void *queries, int n, const void *keys, size_t d,                \
                              const void *next)                                                                                    \
    {                                                                                                                              \
        ptrdiff_t ahead = next ? (const unsigned char *)next - (const unsigned char *)keys : 0;                                    \
        const signed char *q = queries;                                                                                            \
        for (int i = 0; i < n; i += LEVEL_ROWS, ahead = 0, scores += LEVEL_ROWS * stride) {                                        \
            const signed char *rows = q + (size_t)i * trine_kv_query_bytes(d);                                                     \
            switch (n - i) {                                                                                                       \
            case 1: level_scores_rows(scores, stride, rows, 1, keys, d, on_queries, ahead); break;                                 \
            case 2: level_scores_rows(scores, stride, rows, 2, keys, d, on_queries, ahead); break;                                 \
            case 3: level_scores_rows(scores, stride, rows, 3, keys, d, on_queries, ahead); break;                                 \
            default: level_scores_rows(scores, stride, rows, 4, keys, d, on_queries, ahead);                                       \
            }                                                                                                                      \
        }                                                                                                                          \
    }                                                                                                                              \
    static void values_##name(float *out, size_t out_stride, const float *weights, size_t stride, int n, const void *values,       \
                              int n_keys, size_t d, const void *next)                                                              \
    {                                                                                                                              \
        ptrdiff_t ahead = next ? (const unsigned char *)next - (const unsigned char *)values : 0;                                  \
        const size_t all = (size_t)n_keys;                                                                                         \
        for (int i = 0; i < n; i += LEVEL_ROWS, ahead = 0, out += LEVEL_ROWS * out_stride, weights += LEVEL_ROWS * stride) {       \
            switch (n - i) {                                                                                                       \
            case 1: level_values_rows(out, out_stride, weights, stride, 1, values, all, d, on_weights, ahead); break;              \
            case 2: level_values_rows(out, out_stride, weights, stride, 2, values, all, d, on_weights, ahead); break;              \
            case 3: level_values_rows(out, out_stride, weights, stride, 3, values, all, d, on_weights, ahead); break;              \
            default: level_values_rows(out, out_stride, weights, stride, 4, values, all, d, on_weights, ahead);                    \
            }                                                                                                                      \
        }                                                                                                                          \
    }                                                                                                                              \
    static void unpack_keys_##name(float *out, const void *keys, size_t d) { level_unpack_keys(out, keys, d, on_queries); }        \
    static void unpack_values_##name(float *out, const void *values, int n, size_t d)                                              \
    {                                                                                                                              \
        level_unpack_values(out, values, (size_t)n, d, on_weights);                                                                \
    }
TRINE_KV_LEVELS(q8_0, Q8_QUERY, Q8_WEIGHTS)
TRINE_KV_LEVELS(q4_0, Q4_QUERY, Q4_WEIGHTS)
#undef TRINE_KV_LEVELS

static void register_levels(trine_kv_kernels *k)
{
    k[TRINE_Q8_0] = (trine_kv_kernels) { query_q8_0, scores_q8_0, values_q8_0, unpack_keys_q8_0, unpack_values_q8_0 };
    k[TRINE_Q4_0] = (trine_kv_kernels) { query_q4_0, scores_q4_0, values_q4_0, unpack_keys_q4_0, unpack_values_q4_0 };
}

#endif
