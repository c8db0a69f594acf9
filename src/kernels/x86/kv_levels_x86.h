/* kv_levels_x86.h - template: loops over a tile of q8_0 or q4_0, in whole numbers. Include it after a vector_*.h; TRINE_KV_DOT
 * names the byte product, VNNI's vpdpbusd, where the file has it.
 *
 * The factor that is not stored - a query, or the weights of a tile times the scales of its values - becomes whole numbers P of
 * 8 or 14 bits. Levels u are unsigned with their zero at z, so that sum (u - z) P = sum u P - z sum P, all of it exact; the last
 * term is where the sum starts. P of more than a byte meets levels as the instructions take most of them at a time:
 *
 *     TRINE_KV_DOT   two planes of bytes, P = high 2^shift + low: two products of four bytes, added as they are taken
 *     else           words: levels are spread to words once for all rows, then two products of two words. Bytes by planes
 *                    would take four instructions where this takes two, because vpmaddubsw leaves words to be added
 *
 * P of a byte without TRINE_KV_DOT: vpmaddubsw, summed in words over a block of d: 16 * 15 * 127 < 2^15. */
#ifndef TRINE_KERNELS_KV_LEVELS_X86_H
#define TRINE_KERNELS_KV_LEVELS_X86_H

#include "kernels/kv_kernels.h"
#include "kernels/x86/unrolled.h"

#if defined(TRINE_KV_DOT)
enum { LEVEL_ROWS = 4, LEVEL_VECTORS = LANES == 16 ? 2 : 1, BLOCK = 32, BY_WORDS = 0 };
#else
enum { LEVEL_ROWS = 4, LEVEL_VECTORS = 2, BLOCK = 32, BY_WORDS = 1 };
#endif

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
TRINE_INLINE vi vi_evens_first(vi a)
{
    return _mm512_shufflehi_epi16(_mm512_shufflelo_epi16(a, 0xD8), 0xD8);
} /* of four words each */
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
TRINE_INLINE vi vi_evens_first(vi a)
{
    return _mm256_shufflehi_epi16(_mm256_shufflelo_epi16(a, 0xD8), 0xD8);
} /* of four words each */
TRINE_INLINE void vi_store(signed char *p, vi a) { _mm256_storeu_si256((__m256i *)(void *)p, a); }
TRINE_INLINE vf vf_first(vf a, size_t n) { return _mm256_and_ps(a, _mm256_castsi256_ps(first_lanes(n))); }
#endif

/* ---- the other factor ---- */

/* How a type's other factor is cut: P of at most `limit`. Two planes: high = round(P / 2^shift). Levels with their zero at 0 have
 * signs, and P has none (high is then rounded down). */
typedef struct cut {
    int limit, shift, n_planes, zero;
    bool nibbles;
} cut;
static const cut Q8_QUERY = { 127 * 128 + 63, 7, 2, 128, false }, Q8_WEIGHTS = { 127 * 128 + 127, 7, 2, 0, false };
static const cut Q4_QUERY = { 127, 0, 1, 8, true }, Q4_WEIGHTS = { 127 * 128 + 63, 7, 2, 8, true };

TRINE_INLINE bool is_words(cut how) { return BY_WORDS && how.n_planes == 2; }

/* What P is multiplied by when x is at most `most`. *factor: what x is multiplied by; nothing where that would overflow. */
TRINE_INLINE float unit_of(vf *factor, vf most, cut how)
{
    const float max = vf_most(most);
    *factor = vf_set(max > 1e-30f ? (float)how.limit / max : 0);
    return max / (float)how.limit;
}

/* Where words lie: four of them, as levels_at spreads its four, at 8 PLACE_OF_WORDS(g) for group g. Packing goes by 16 bytes of two
 * vectors in turn. */
#define QUADS (LANES / 4)
#define PLACE_OF_WORDS(g) ((g) / (2 * QUADS) * (2 * QUADS) + (g) % QUADS * 2 + (g) / QUADS % 2)

/* n (even) vectors of x as words in that order. Returns -zero sum P. */
TRINE_INLINE int32_t put_words(signed char *to, const vf *x, size_t n, vf factor, cut how)
{
    vi total = vi_set(0);
    TRINE_UNROLL for (size_t v = 0; v < n; v += 2)
    {
        const vi words = vi_words(vi_nearest(vf_mul(x[v], factor)), vi_nearest(vf_mul(x[v + 1], factor)));
        if (how.zero) total = vi_add(total, MADD(words, SET_16(1)));
        vi_store(to + v * LANES * 2, vi_evens_first(words));
    }
    return how.zero ? -how.zero * vi_sum(total) : 0;
}

/* And packed planes, with groups of LANES vectors transposed. */
#define PLACE_OF_BYTES(g) ((g) / LANES * LANES + (g) % LANES % QUADS * 4 + (g) % LANES / QUADS)

/* n vectors of x as planes, `plane` bytes apart. Returns -zero sum P. */
TRINE_INLINE int32_t put_planes(signed char *to, size_t plane, const vf *x, size_t n, vf factor, cut how)
{
    vi total = vi_set(0);
    TRINE_UNROLL for (size_t v = 0; v < n; v++, to += LANES)
    {
        const vi p = vi_nearest(vf_mul(x[v], factor));
        total = vi_add(total, p);
        if (how.n_planes == 1) {
            store_bytes(to, p);
        } else {
            const vi h = vi_halve(vi_add(p, vi_set(1 << how.shift >> 1)), (unsigned)how.shift);
            store_bytes(to, h);
            store_bytes(to + plane, vi_subtract(p, vi_shift_left(h, how.shift)));
        }
    }
    return -how.zero * vi_sum(total);
}

/* ---- products ---- */

/* Four levels of each of LANES columns: bytes, or words, the first and third of the four and the others. */
typedef struct four_levels {
    vi part[2];
} four_levels;

/* Those of group g, in the low or the high halves of bytes when nibbles. */
TRINE_INLINE four_levels levels_at(const unsigned char *at, size_t g, cut how)
{
    const vi u = vi_load(at), half = how.nibbles && g % 2 ? vi_shift_right(u, 4) : u;
    four_levels l;
    if (!is_words(how)) {
        l.part[0] = how.nibbles ? vi_and(half, vi_set(0x0F0F0F0F)) : u;
    } else if (how.zero) {
        const vi mask = vi_set(how.nibbles ? 0x000F000F : 0x00FF00FF);
        l.part[0] = vi_and(half, mask);
        l.part[1] = vi_and(vi_shift_right(u, how.nibbles && g % 2 ? 12 : 8), mask);
    } else {
        l.part[0] = SHIFT_16(SHIFT_LEFT_16(u, 8), 8);
        l.part[1] = SHIFT_16(u, 8);
    }
    return l;
}

/* The running sum of one vector: by planes; or in one part, with words of a block beside it. */
typedef struct level_sum {
    vi part[2];
} level_sum;

TRINE_INLINE level_sum sum_from(int32_t start, cut how)
{
    level_sum s;
    s.part[0] = vi_set(start);
    if (!is_words(how) && (how.n_planes == 2 || BY_WORDS)) {
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

/* Adds four levels by their P: at x, or with planes also `plane` bytes behind it. */
TRINE_INLINE level_sum sum_add(level_sum s, four_levels l, const signed char *x, size_t plane, cut how)
{
#if defined(TRINE_KV_DOT)
    for (int i = 0; i < how.n_planes; i++) {
        const vi other = four_bytes(x + (size_t)i * plane);
        s.part[i] = TRINE_KV_DOT(s.part[i], how.zero ? l.part[0] : other, how.zero ? other : l.part[0]);
    }
#else
    (void)plane;
    if (is_words(how))
        TRINE_UNROLL for (int i = 0; i < 2; i++) s.part[0] = vi_add(s.part[0], MADD(l.part[i], four_bytes(x + 4 * i)));
    else
        s.part[0] = ADD_16(s.part[0], MADDUBS(l.part[0], four_bytes(x)));
#endif
    return s;
}

TRINE_INLINE vf sum_whole(level_sum s, cut how)
{
    if (!is_words(how) && BY_WORDS) return vf_from_vi(vi_add(s.part[1], MADD(s.part[0], SET_16(1))));
    if (!is_words(how) && how.n_planes == 2) return vf_from_vi(vi_add(vi_shift_left(s.part[0], how.shift), s.part[1]));
    return vf_from_vi(s.part[0]);
}

/* n_rows by LEVEL_VECTORS sums over n_groups of four: levels of the first vector at `levels`, a group (or two of nibbles) row_bytes
 * after the other; P of row i at x + i x_row, where `packed` planes have their own order. */
TRINE_INLINE void sum_levels(level_sum sums[LEVEL_ROWS][LEVEL_VECTORS], int n_rows, size_t n_groups, const unsigned char *levels,
                             size_t row_bytes, const signed char *x, size_t x_row, size_t plane, bool packed, cut how,
                             ptrdiff_t ahead)
{
    TRINE_UNROLL for (size_t g = 0; g < n_groups; g++)
    {
        const size_t place = is_words(how) ? 8 * PLACE_OF_WORDS(g) : 4 * (packed ? PLACE_OF_BYTES(g) : g);
        four_levels l[LEVEL_VECTORS];
        TRINE_UNROLL for (int v = 0; v < LEVEL_VECTORS; v++)
        {
            const unsigned char *at = levels + (how.nibbles ? g / 2 : g) * row_bytes + (size_t)v * LANES * 4;
            if (ahead && !(how.nibbles && g % 2)) _mm_prefetch((const char *)at + ahead, _MM_HINT_T0);
            l[v] = levels_at(at, g, how);
        }
        TRINE_UNROLL for (int i = 0; i < n_rows; i++) TRINE_UNROLL for (int v = 0; v < LEVEL_VECTORS; v++) sums[i][v] =
            sum_add(sums[i][v], l[v], x + (size_t)i * x_row + place, plane, how);
    }
}

/* ---- queries by keys ---- */

/* A query: P of d elements, as words or as planes [n_planes][d]; then a factor and a start each block. */
TRINE_INLINE void level_query(void *out, const float *q, size_t d, cut how)
{
    enum { N = BLOCK / LANES };
    signed char *to = out;
    float *factors = (float *)(void *)(to + 2 * d);
    int32_t *starts = (int32_t *)(void *)(factors + d / BLOCK);
    for (size_t b = 0; b < d / BLOCK; b++) {
        vf x[N], most = vf_zero(), factor;
        TRINE_UNROLL for (size_t v = 0; v < N; v++)
        {
            x[v] = vf_load(q + b * BLOCK + v * LANES);
            most = vf_max(vf_abs(x[v]), most);
        }
        factors[b] = unit_of(&factor, most, how);
        starts[b] =
            is_words(how) ? put_words(to + b * BLOCK * 2, x, N, factor, how) : put_planes(to + b * BLOCK, d, x, N, factor, how);
    }
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
            sum_levels(sums, n_rows, BLOCK / 4, keys + b * block_bytes + c * 4, TRINE_KV_PAGE * 4,
                       queries + b * BLOCK * (is_words(how) ? 2 : 1), row, d, false, how, ahead);
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

/* n (a multiple of four) vectors of x as two planes in that order. Returns -zero sum P. */
TRINE_INLINE int32_t put_packed_planes(signed char *to, size_t plane, const vf *x, size_t n, vf factor, cut how)
{
    vi total = vi_set(0);
    TRINE_UNROLL for (size_t v = 0; v < n; v += 4)
    {
        vi high[2], low[2];
        TRINE_UNROLL for (size_t i = 0; i < 2; i++)
        {
            const vi words = vi_words(vi_nearest(vf_mul(x[v + 2 * i], factor)), vi_nearest(vf_mul(x[v + 2 * i + 1], factor)));
            if (how.zero) total = vi_add(total, MADD(words, SET_16(1)));
            high[i] = SHIFT_16(how.zero ? ADD_16(words, SET_16((short)(1 << how.shift >> 1))) : words, how.shift);
            low[i] = SUB_16(words, SHIFT_LEFT_16(high[i], how.shift));
        }
        vi_store(to + v * LANES, vi_bytes(high[0], high[1]));
        vi_store(to + plane + v * LANES, vi_bytes(low[0], low[1]));
    }
    return how.zero ? -how.zero * vi_sum(total) : 0;
}

/* The weights of a tile times the scales of one block of its values, as P. Returns what P is multiplied by. */
TRINE_INLINE float put_weights(signed char *to, int32_t *start, const float *weights, const unsigned char *scales, size_t n_keys,
                               cut how)
{
    enum { P = TRINE_KV_PAGE, N = P / LANES };
    vf x[N], most = vf_zero(), factor;
    TRINE_UNROLL for (size_t v = 0; v < N; v++)
    {
        x[v] = vf_mul(vf_load(weights + v * LANES), vf_load_f16(scales + v * LANES * 2));
        if (n_keys < (v + 1) * LANES) x[v] = vf_first(x[v], n_keys > v * LANES ? n_keys - v * LANES : 0); /* no token there */
        most = vf_max(vf_abs(x[v]), most);
    }
    const float unit = unit_of(&factor, most, how);
    *start = is_words(how) ? put_words(to, x, N, factor, how) : put_packed_planes(to, P, x, N, factor, how);
    return unit;
}

TRINE_INLINE void level_values_rows(float *out, size_t out_stride, const float *weights, size_t stride, int n_rows,
                                    const unsigned char *values, size_t n_keys, size_t d, cut how, ptrdiff_t ahead)
{
    enum { P = TRINE_KV_PAGE };
    const unsigned char *scales = values + P * d / (how.nibbles ? 2 : 1);
    _Alignas(64) signed char x[LEVEL_ROWS][2 * P];
    for (size_t b = 0; b < d / BLOCK; b++) {
        float factor[LEVEL_ROWS];
        int32_t start[LEVEL_ROWS];
        TRINE_UNROLL for (int i = 0; i < n_rows; i++) factor[i] =
            put_weights(x[i], &start[i], weights + (size_t)i * stride, scales + b * P * 2, n_keys, how);
        for (size_t c = 0; c < BLOCK; c += LEVEL_VECTORS * LANES) {
            /* P is to be read from memory each time, where a broadcast is free: taken out of registers it is a shuffle, and kept
             * for the next columns it is a store and a load of a whole vector. */
            __asm__ volatile("" : : "r"(x) : "memory");
            level_sum sums[LEVEL_ROWS][LEVEL_VECTORS];
            TRINE_UNROLL for (int i = 0; i < n_rows; i++) TRINE_UNROLL for (int v = 0; v < LEVEL_VECTORS; v++) sums[i][v] =
                sum_from(start[i], how);
            sum_levels(sums, n_rows, P / 4, values + (b * BLOCK + c) * 4, d * 4, x[0], sizeof x[0], P, true, how, ahead);
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
