/* dot_x8_avx512_vnni.c - products of quantised rows of W with rows of x in 8 bits: 64 integer products an instruction.
 *
 * Levels of W are met as they lie, as unsigned bytes (q8_0 with 128 added), which is what vpdpbusd takes; sums start below zero
 * by what that offset brings, so that they are exact. Blocks of 32 go four at a time, and each fills a quarter of two registers:
 *
 *     low    elements 0..15 of block 0 | of block 1 | of block 2 | of block 3      for nibbles: the low halves of bytes
 *     high   elements 16..31 of each                                                            and the high ones
 *
 * so that 4 sums of each block come out side by side, and one product with the scales of the four, spread over the quarters,
 * ends them. x is turned to that order as it is loaded, once for four rows of W. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "kernels/x86/dot_x8.h"
#include "kernels/x86/dot_x8_register.h"

/* ---- blocks of 32 ---- */

/* Two bytes `at` bytes into each of four blocks, as indices of 16-bit words, each four times. From `bytes` = 22 on the
 * fields of four blocks do not lie in one register of 64 bytes: there is a second one, at SECOND, inside the last block. */
#define SECOND(bytes) (4 * (bytes)-64 < 64 ? 4 * (bytes)-64 : 64)
#define FIELD_WORD(bytes, at, b)                                                                                                   \
    ((bytes) * (b) + (at) < 63 ? ((bytes) * (b) + (at)) / 2 : 32 + ((bytes) * (b) + (at)-SECOND(bytes)) / 2)
#define FIELD_4(bytes, at, b) FIELD_WORD(bytes, at, b), FIELD_WORD(bytes, at, b), FIELD_WORD(bytes, at, b), FIELD_WORD(bytes, at, b)
#define FIELDS(bytes, at)                                                                                                          \
    {                                                                                                                              \
        FIELD_4(bytes, at, 0), FIELD_4(bytes, at, 1), FIELD_4(bytes, at, 2), FIELD_4(bytes, at, 3)                                 \
    }

/* The lane of four floats that each lane of a quarter takes. */
TRINE_INLINE __m512i quarter_lanes(void) { return _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3); }

/* What differs between the formats of 32. */
typedef struct format {
    size_t bytes, levels; /* of a block; where its levels begin */
    int fifth;            /* where its fifth bits lie, or 0 */
    int zero;             /* the level that means 0; -1: the block has a min of its own, after the scale */
    uint16_t scale[16], min[16];
} format;
static const format Q8_0 = { 34, 2, 0, 128, FIELDS(34, 0), { 0 } };
static const format Q4_0 = { 18, 2, 0, 8, FIELDS(18, 0), { 0 } };
static const format Q4_1 = { 20, 4, 0, -1, FIELDS(20, 0), FIELDS(20, 2) };
static const format Q5_0 = { 22, 6, 2, 16, FIELDS(22, 0), { 0 } };
static const format Q5_1 = { 24, 8, 4, -1, FIELDS(24, 0), FIELDS(24, 2) };

/* 16 bytes of each of n <= 4 blocks, each in its quarter; quarters without a block are 0. */
TRINE_INLINE __m512i quarters(const unsigned char *p, size_t bytes, int n)
{
#define AT(b) _mm_loadu_si128((const __m128i *)(const void *)(p + (b)*bytes))
    __m512i v = _mm512_zextsi128_si512(AT(0));
    if (n > 1) v = _mm512_mask_broadcast_i32x4(v, 0x00F0, AT(1));
    if (n > 2) v = _mm512_mask_broadcast_i32x4(v, 0x0F00, AT(2));
    if (n > 3) v = _mm512_mask_broadcast_i32x4(v, 0xF000, AT(3));
#undef AT
    return v;
}

/* Two bytes at p of each of n <= 4 blocks. */
TRINE_INLINE uint64_t words(const unsigned char *p, size_t bytes, int n)
{
    uint64_t all = 0;
    for (int b = 0; b < n; b++) {
        uint16_t word;
        memcpy(&word, p + (size_t)b * bytes, sizeof word);
        all |= (uint64_t)word << 16 * b;
    }
    return all;
}

/* f16 at p of each of n blocks as floats, each four times. */
TRINE_INLINE __m512 fields(const unsigned char *block, size_t at, const format *f, const uint16_t *index, int n)
{
    if (n < 4) {
        const __m128 four = _mm_cvtph_ps(_mm_cvtsi64_si128((long long)words(block + at, f->bytes, n)));
        return _mm512_permutexvar_ps(quarter_lanes(), _mm512_castps128_ps512(four));
    }
    const __m512i which = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(const void *)index));
    const __m512i first = _mm512_loadu_si512(block);
    const __m512i picked = f->bytes <= 20 ? _mm512_permutexvar_epi16(which, first)
                                          : _mm512_permutex2var_epi16(first, which, _mm512_loadu_si512(block + SECOND(f->bytes)));
    return _mm512_cvtph_ps(_mm512_castsi512_si256(picked));
}

/* The levels of n blocks. */
TRINE_INLINE void levels_of(__m512i *low, __m512i *high, const unsigned char *block, const format *f, int n)
{
    const __m512i nibbles = _mm512_set1_epi8(15), v = quarters(block + f->levels, f->bytes, n);
    if (f->zero == 128) {
        const __m512i top = _mm512_set1_epi8(-128);
        *low = _mm512_xor_si512(v, top);
        *high = _mm512_xor_si512(quarters(block + f->levels + 16, f->bytes, n), top);
        return;
    }
    *low = _mm512_and_si512(v, nibbles);
    *high = _mm512_and_si512(_mm512_srli_epi16(v, 4), nibbles);
    if (f->fifth) {
        const __m512i sixteen = _mm512_set1_epi8(16);
        *low = _mm512_mask_add_epi8(*low, words(block + f->fifth, f->bytes, n), *low, sixteen);
        *high = _mm512_mask_add_epi8(*high, words(block + f->fifth + 2, f->bytes, n), *high, sixteen);
    }
}

/* sums[i][j] += x_i . w_j over n <= 4 blocks of 32; x is at its levels, x_scales at the 8 floats that belong to them. */
TRINE_INLINE void four_blocks(__m512 sums[TRINE_DOT_TILE][TRINE_DOT_TILE], const unsigned char *x, const unsigned char *x_scales,
                              size_t x_stride, int n_x, const unsigned char *w, size_t w_stride, int n_w, const format *f, int n)
{
    __m512i low_x[TRINE_DOT_TILE], high_x[TRINE_DOT_TILE];
    __m512i start[TRINE_DOT_TILE]; /* what the level that means zero brings, less */
    __m512 scale[TRINE_DOT_TILE], sum[TRINE_DOT_TILE];
    TRINE_UNROLL for (int i = 0; i < n_x; i++)
    {
        const unsigned char *row = x + (size_t)i * x_stride, *scales = x_scales + (size_t)i * x_stride;
        const __m512i a = _mm512_loadu_si512(row), b = _mm512_loadu_si512(row + 64);
        low_x[i] = _mm512_shuffle_i64x2(a, b, 0x88);
        high_x[i] = _mm512_shuffle_i64x2(a, b, 0xDD);
        const __m512 both = _mm512_castps256_ps512(_mm256_loadu_ps((const float *)(const void *)scales));
        scale[i] = _mm512_permutexvar_ps(quarter_lanes(), both);
        if (f->zero > 0) {
            const __m512i zero = _mm512_set1_epi8((char)f->zero), none = _mm512_setzero_si512();
            const __m512i brought = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(none, zero, low_x[i]), zero, high_x[i]);
            start[i] = _mm512_sub_epi32(none, brought);
        } else { /* the sum of a block of x counts once: in the first lane of its quarter */
            start[i] = _mm512_setzero_si512();
            sum[i] = _mm512_maskz_permutexvar_ps(0x1111, _mm512_add_epi32(quarter_lanes(), _mm512_set1_epi32(4)), both);
        }
    }
    TRINE_UNROLL for (int j = 0; j < n_w; j++)
    {
        const unsigned char *block = w + (size_t)j * w_stride;
        __m512i low, high;
        levels_of(&low, &high, block, f, n);
        const __m512 d = fields(block, 0, f, f->scale, n);
        __m512 m;
        if (f->zero < 0) m = fields(block, 2, f, f->min, n);
        TRINE_UNROLL for (int i = 0; i < n_x; i++)
        {
            const __m512i s = _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(start[i], low, low_x[i]), high, high_x[i]);
            if (f->zero < 0) sums[i][j] = _mm512_fmadd_ps(m, sum[i], sums[i][j]);
            sums[i][j] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(s), _mm512_mul_ps(d, scale[i]), sums[i][j]);
        }
    }
}

TRINE_INLINE void dot_32(float *y, size_t y_stride, const unsigned char *x, size_t x_stride, int n_x, const unsigned char *w,
                         size_t w_stride, int n_w, size_t n, const format *f)
{
    __m512 sums[TRINE_DOT_TILE][TRINE_DOT_TILE];
    const unsigned char *scales = x + trine_x8_levels(n);
    const bool ahead = n_w == TRINE_DOT_TILE;
    TRINE_UNROLL for (int i = 0; i < n_x; i++) TRINE_UNROLL for (int j = 0; j < n_w; j++) sums[i][j] = _mm512_setzero_ps();
    size_t k = 0;
    for (; k + 128 <= n; k += 128, w += 4 * f->bytes, x += 128, scales += 32) {
        if (ahead) trine_prefetch_rows(w + (size_t)n_w * w_stride, w_stride, n_w, 4 * f->bytes);
        four_blocks(sums, x, scales, x_stride, n_x, w, w_stride, n_w, f, 4);
    }
    if (k < n) four_blocks(sums, x, scales, x_stride, n_x, w, w_stride, n_w, f, (int)((n - k) / 32));
    TRINE_UNROLL for (int i = 0; i < n_x; i++) TRINE_UNROLL for (int j = 0; j < n_w; j++) y[(size_t)i * y_stride + (size_t)j] =
        _mm512_reduce_add_ps(sums[i][j]);
}

#define DOT_Q8_0(...) dot_32(__VA_ARGS__, &Q8_0)
#define DOT_Q4_0(...) dot_32(__VA_ARGS__, &Q4_0)
#define DOT_Q4_1(...) dot_32(__VA_ARGS__, &Q4_1)
#define DOT_Q5_0(...) dot_32(__VA_ARGS__, &Q5_0)
#define DOT_Q5_1(...) dot_32(__VA_ARGS__, &Q5_1)
TRINE_DOT_X8(q8_0, DOT_Q8_0)
TRINE_DOT_X8(q4_0, DOT_Q4_0)
TRINE_DOT_X8(q4_1, DOT_Q4_1)
TRINE_DOT_X8(q5_0, DOT_Q5_0)
TRINE_DOT_X8(q5_1, DOT_Q5_1)

void trine_dot_x8_avx512_vnni(trine_kernels *k)
{
    k->dot_x8[TRINE_Q8_0] = dot_x8_q8_0;
    k->dot_x8[TRINE_Q4_0] = dot_x8_q4_0;
    k->dot_x8[TRINE_Q4_1] = dot_x8_q4_1;
    k->dot_x8[TRINE_Q5_0] = dot_x8_q5_0;
    k->dot_x8[TRINE_Q5_1] = dot_x8_q5_1;
}
#endif
