/* dot_x8_256.h - template: products of quantised rows of W with rows of x in 8 bits, 32 integer products at a time. Include it
 * after definitions of
 *     dot_bytes(u, x)                           sums of four products of levels of at most 63 with signed bytes
 *     dot_32_levels(low, x, high, y, start, z)  low x + high y in such sums, less what the zero z of the levels brings; z is 0 where
 *                                               levels are signed (q8_0), -1 where they have a min of their own. start: x8_order.h
 * and of the rows of x and of W in a tile, X_ROWS and W_ROWS, the rows of W that a single row of x meets at a time, W_ONE, and how many
 * bytes ahead they are asked for, W_AHEAD.
 *
 * Blocks of 32 go two at a time, and each fills half of two registers:
 *
 *     low    elements 0..15 of block 0 | of block 1      for nibbles: the low halves of bytes
 *     high   elements 16..31 of each                                   and the high ones
 *
 * so that 4 sums of each come out side by side. Four blocks' scales are turned from f16 together. x lies in the order of
 * x8_order.h. */
#ifndef TRINE_KERNELS_DOT_X8_256_H
#define TRINE_KERNELS_DOT_X8_256_H

#include <stdint.h>
#include <string.h>

#include "kernels/x86/dot_x8.h"

/* ---- blocks of 32 ---- */

/* What differs between the formats of 32. */
typedef struct format {
    size_t bytes, levels; /* of a block; where its levels begin */
    int fifth;            /* where its fifth bits lie, or 0 */
    int zero;             /* the level that means 0; -1: the block has a min of its own, after the scale */
} format;
static const format Q8_0 = { 34, 2, 0, 0 };
static const format Q4_0 = { 18, 2, 0, 8 };
static const format Q4_1 = { 20, 4, 0, -1 };
static const format Q5_0 = { 22, 6, 2, 16 };
static const format Q5_1 = { 24, 8, 4, -1 };

TRINE_INLINE __m256i load_32(const unsigned char *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }
TRINE_INLINE __m128i load_16(const unsigned char *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }

/* 16 bytes of each of n <= 2 places, `bytes` apart. */
TRINE_INLINE __m256i halves(const unsigned char *p, size_t bytes, int n)
{
    const __m256i first = _mm256_zextsi128_si256(load_16(p));
    return n > 1 ? _mm256_inserti128_si256(first, load_16(p + bytes), 1) : first;
}

/* f16 at p of each of n <= 4 blocks. */
TRINE_INLINE __m128 fields(const unsigned char *p, size_t bytes, int n)
{
    uint16_t h[4] = { 0 };
    TRINE_UNROLL for (int b = 0; b < n; b++) memcpy(&h[b], p + (size_t)b * bytes, sizeof h[b]);
    __m128i v = _mm_cvtsi32_si128(h[0]);
    v = _mm_insert_epi16(v, h[1], 1);
    v = _mm_insert_epi16(v, h[2], 2);
    v = _mm_insert_epi16(v, h[3], 3);
    return _mm_cvtph_ps(v);
}

/* 16 where the bit of a byte is set: bits 0..15 of each half's word into low, 16..31 into high. */
TRINE_INLINE void fifth_bits(__m256i *low, __m256i *high, const unsigned char *p, size_t bytes, int n)
{
    uint32_t bits[2] = { 0 };
    for (int b = 0; b < 2 && b < n; b++) memcpy(&bits[b], p + (size_t)b * bytes, sizeof bits[b]);
    const __m256i words = _mm256_inserti128_si256(_mm256_set1_epi32((int)bits[0]), _mm_set1_epi32((int)bits[1]), 1);
    const __m256i each = _mm256_set1_epi64x((long long)0x8040201008040201u), sixteen = _mm256_set1_epi8(16);
    const __m256i first = _mm256_setr_epi64x(0, 0x0101010101010101, 0, 0x0101010101010101);
    const __m256i a = _mm256_and_si256(_mm256_shuffle_epi8(words, first), each);
    const __m256i b = _mm256_and_si256(_mm256_shuffle_epi8(words, _mm256_add_epi8(first, _mm256_set1_epi8(2))), each);
    *low = _mm256_and_si256(_mm256_cmpeq_epi8(a, each), sixteen);
    *high = _mm256_and_si256(_mm256_cmpeq_epi8(b, each), sixteen);
}

TRINE_INLINE void levels_of(__m256i *low, __m256i *high, const unsigned char *block, const format *f, int n)
{
    const __m256i v = halves(block + f->levels, f->bytes, n), nibbles = _mm256_set1_epi8(15);
    if (f->zero == 0) {
        *low = v;
        *high = halves(block + f->levels + 16, f->bytes, n);
        return;
    }
    *low = _mm256_and_si256(v, nibbles);
    *high = _mm256_and_si256(_mm256_srli_epi16(v, 4), nibbles);
    if (f->fifth) {
        __m256i a, b;
        fifth_bits(&a, &b, block + f->fifth, f->bytes, n);
        *low = _mm256_or_si256(*low, a);
        *high = _mm256_or_si256(*high, b);
    }
}

typedef struct sums_32 {
    __m256 products;
    __m128 mins;
} sums_32;

/* sums[i][j] += x_i . w_j over n <= 4 blocks of 32. Scales are multiplied by four, and then spread. */
TRINE_INLINE void four_blocks(sums_32 sums[X_ROWS][MOST_W], const unsigned char *x, const unsigned char *x_scales, size_t x_stride,
                              int n_x, const unsigned char *w, size_t w_stride, int n_w, const format *f, int n)
{
    const __m256i first = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1), second = _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3);
    TRINE_UNROLL for (int j = 0; j < n_w; j++)
    {
        const unsigned char *block = w + (size_t)j * w_stride;
        const __m128 d = fields(block, f->bytes, n);
        __m256 scales[X_ROWS];
        TRINE_UNROLL for (int i = 0; i < n_x; i++)
        {
            const float *of = (const float *)(const void *)(x_scales + (size_t)i * x_stride);
            scales[i] = _mm256_castps128_ps256(_mm_mul_ps(d, _mm_loadu_ps(of)));
            if (f->zero < 0) sums[i][j].mins = _mm_fmadd_ps(fields(block + 2, f->bytes, n), _mm_loadu_ps(of + 4), sums[i][j].mins);
        }
        TRINE_UNROLL for (int b = 0; b < n; b += 2)
        {
            __m256i low, high;
            levels_of(&low, &high, block + (size_t)b * f->bytes, f, n - b);
            TRINE_UNROLL for (int i = 0; i < n_x; i++)
            {
                const unsigned char *row = x + (size_t)i * x_stride + 16 * b;
                const __m256i s = dot_32_levels(low, load_32(row), high, load_32(row + 64), load_32(row + 128), f->zero);
                const __m256 scale = _mm256_permutevar8x32_ps(scales[i], b ? second : first);
                sums[i][j].products = _mm256_fmadd_ps(_mm256_cvtepi32_ps(s), scale, sums[i][j].products);
            }
        }
    }
}

TRINE_INLINE float sum_8(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

TRINE_INLINE void dot_32(float *y, size_t y_stride, const unsigned char *x, size_t x_stride, int n_x, const unsigned char *w,
                         size_t w_stride, int n_w, size_t n, const format *f)
{
    sums_32 sums[X_ROWS][MOST_W];
    const unsigned char *scales = x - trine_x8_order_at(n) + trine_x8_levels(n);
    TRINE_UNROLL for (int j = 0; j < n_w; j++) TRINE_UNROLL for (int i = 0; i < n_x; i++) sums[i][j] =
        (sums_32) { _mm256_setzero_ps(), _mm_setzero_ps() };
    size_t k = 0;
    for (; k + 128 <= n; k += 128, w += 4 * f->bytes, x += TRINE_X8_ORDERED_32, scales += 32) {
        trine_prefetch_rows(w, w_stride, n_w, 4 * f->bytes);
        four_blocks(sums, x, scales, x_stride, n_x, w, w_stride, n_w, f, 4);
    }
    if (k < n) four_blocks(sums, x, scales, x_stride, n_x, w, w_stride, n_w, f, (int)((n - k) / 32));
    TRINE_UNROLL for (int j = 0; j < n_w; j++) TRINE_UNROLL for (int i = 0; i < n_x; i++) y[(size_t)i * y_stride + (size_t)j] =
        sum_8(_mm256_add_ps(sums[i][j].products, _mm256_zextps128_ps256(sums[i][j].mins)));
}

/* ---- blocks of 256 ---- */

/* d scale and dmin min of parts 0..3 | of parts 4..7 of q4_k and q5_k: four scales, four mins each. */
TRINE_INLINE void scales_of_4_k(__m256 out[2], const unsigned char *block)
{
    uint64_t first;
    uint32_t last;
    memcpy(&first, block + 4, sizeof first);
    memcpy(&last, block + 12, sizeof last);
    /* Bytes: scales 0..3 and mins 0..3, 6 bits each, on top of which lie the upper two of 4..7; then the lower four of these. */
    const uint64_t low = first & 0x3F3F3F3F3F3F3F3F;
    const uint64_t high = (((uint64_t)last | (uint64_t)last << 28) & 0x0F0F0F0F0F0F0F0F) | (first >> 2 & 0x3030303030303030);
    int32_t both;
    memcpy(&both, block, sizeof both);
    const __m128i order = _mm_setr_epi16(0x0100, 0x0100, 0x0100, 0x0100, 0x0302, 0x0302, 0x0302, 0x0302);
    const __m256 d = _mm256_cvtph_ps(_mm_shuffle_epi8(_mm_set1_epi32(both), order));
    out[0] = _mm256_mul_ps(d, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)low))));
    out[1] = _mm256_mul_ps(d, _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)high))));
}

/* d scale of the 16 parts of q6_k. */
TRINE_INLINE void scales_of_6_k(__m256 out[2], const unsigned char *block)
{
    int16_t h;
    memcpy(&h, block + 208, sizeof h);
    const __m256 d = _mm256_cvtph_ps(_mm_set1_epi16(h));
    const __m128i q = load_16(block + 192);
    out[0] = _mm256_mul_ps(d, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q)));
    out[1] = _mm256_mul_ps(d, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(q, q))));
}

/* Bits of v to the left by n, or to the right by -n. */
TRINE_INLINE __m256i moved(__m256i v, int n) { return n >= 0 ? _mm256_slli_epi16(v, n) : _mm256_srli_epi16(v, -n); }

/* 32 levels: elements 32 b .. 32 b + 31 of a block. */
TRINE_INLINE __m256i levels_of_k(const unsigned char *block, int b, trine_dtype type)
{
    const __m256i nibbles = _mm256_set1_epi8(15);
    if (type == TRINE_Q6_K) {
        const __m256i q = load_32(block + 64 * (b / 4) + 32 * (b % 2)), pairs = load_32(block + 128 + 32 * (b / 4));
        const __m256i low = _mm256_and_si256(moved(q, b % 4 < 2 ? 0 : -4), nibbles);
        return _mm256_or_si256(low, _mm256_and_si256(moved(pairs, 4 - 2 * (b % 4)), _mm256_set1_epi8(48)));
    }
    const __m256i q = load_32(block + (type == TRINE_Q5_K ? 48 : 16) + 32 * (b / 2));
    const __m256i low = _mm256_and_si256(moved(q, b % 2 ? -4 : 0), nibbles);
    if (type == TRINE_Q4_K) return low;
    return _mm256_or_si256(low, _mm256_and_si256(moved(load_32(block + 16), 4 - b), _mm256_set1_epi8(16)));
}

/* Where x8_order.h puts the 32 levels of x that meet part b of a block. */
TRINE_INLINE size_t place_of(int b, trine_dtype type)
{
    static const int place[8] = { 0, 2, 1, 3, 4, 6, 5, 7 };
    return 32 * (size_t)(type == TRINE_Q6_K ? b : place[b]);
}

/* Products of a block go into two sums of their own, so that the next block waits for one addition alone. */
TRINE_INLINE void dot_256(float *y, size_t y_stride, const unsigned char *x, size_t x_stride, int n_x, const unsigned char *w,
                          size_t w_stride, int n_w, size_t n, trine_dtype type)
{
    const bool six = type == TRINE_Q6_K;
    const size_t bytes = type == TRINE_Q4_K ? 144 : type == TRINE_Q5_K ? 176 : 210;
    __m256 sums[X_ROWS][MOST_W], mins[X_ROWS][MOST_W]; /* mins: in the upper four lanes */
    TRINE_UNROLL for (int j = 0; j < n_w; j++) TRINE_UNROLL for (int i = 0; i < n_x; i++) sums[i][j] = mins[i][j] =
        _mm256_setzero_ps();
    for (size_t k = 0; k < n; k += 256, w += bytes, x += six ? TRINE_X8_ORDERED_6_K : TRINE_X8_ORDERED_4_K) {
        trine_prefetch_rows(w, w_stride, n_w, bytes);
        TRINE_UNROLL for (int j = 0; j < n_w; j++)
        {
            const unsigned char *block = w + (size_t)j * w_stride;
            __m256 own[2], both[X_ROWS][2], part[X_ROWS][2];
            if (six)
                scales_of_6_k(own, block);
            else
                scales_of_4_k(own, block);
            TRINE_UNROLL for (int i = 0; i < n_x; i++) TRINE_UNROLL for (int h = 0; h < 2; h++)
            {
                const unsigned char *scales = x + (size_t)i * x_stride + (six ? 512 : 256) + 32 * h;
                both[i][h] = _mm256_mul_ps(own[h], _mm256_loadu_ps((const float *)(const void *)scales));
                if (!six) mins[i][j] = _mm256_add_ps(mins[i][j], both[i][h]);
            }
            TRINE_UNROLL for (int b = 0; b < 8; b++)
            {
                const __m256i levels = levels_of_k(block, b, type);
                const __m256i lanes = six ? _mm256_setr_epi32(2 * (b % 4), 2 * (b % 4), 2 * (b % 4), 2 * (b % 4), 2 * (b % 4) + 1,
                                                              2 * (b % 4) + 1, 2 * (b % 4) + 1, 2 * (b % 4) + 1)
                                          : _mm256_set1_epi32(b % 4);
                TRINE_UNROLL for (int i = 0; i < n_x; i++)
                {
                    const unsigned char *row = x + (size_t)i * x_stride;
                    __m256i s = dot_bytes(levels, load_32(row + place_of(b, type)));
                    if (six) s = _mm256_add_epi32(s, load_32(row + 256 + 32 * b));
                    const __m256 scale = _mm256_permutevar8x32_ps(both[i][b / 4], lanes);
                    part[i][b % 2] = b < 2 ? _mm256_mul_ps(_mm256_cvtepi32_ps(s), scale)
                                           : _mm256_fmadd_ps(_mm256_cvtepi32_ps(s), scale, part[i][b % 2]);
                }
            }
            TRINE_UNROLL for (int i = 0; i < n_x; i++) sums[i][j] =
                _mm256_add_ps(sums[i][j], _mm256_add_ps(part[i][0], part[i][1]));
        }
    }
    TRINE_UNROLL for (int j = 0; j < n_w; j++) TRINE_UNROLL for (int i = 0; i < n_x; i++)
    {
        const __m256 upper = _mm256_blend_ps(_mm256_setzero_ps(), mins[i][j], 0xF0);
        y[(size_t)i * y_stride + (size_t)j] = sum_8(six ? sums[i][j] : _mm256_sub_ps(sums[i][j], upper));
    }
}

#include "kernels/x86/dot_x8_types.h"

#endif
