/* dot_x8_avx512_vnni.c - products of quantised rows of W with rows of x in 8 bits: 64 integer products an instruction.
 *
 * Levels of W are met as they lie, as unsigned bytes (q8_0 with 128 added), which is what vpdpbusd takes; sums start below zero
 * by what that offset brings, so that they are exact. Blocks of 32 go four at a time, and each fills a quarter of two registers:
 *
 *     low    elements 0..15 of block 0 | of block 1 | of block 2 | of block 3      for nibbles: the low halves of bytes
 *     high   elements 16..31 of each                                                            and the high ones
 *
 * so that 4 sums of each block come out side by side, and one product with the scales of the four, spread over the quarters,
 * ends them. x lies in that order already (x8_order.h). */
#if defined(__x86_64__)
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define TRINE_X_ROWS_4
enum { X_ROWS = 4, W_ROWS = 4, W_ONE = 1, W_AHEAD = 4096 }; /* 32 registers hold 16 sums and what they are made from */
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

/* sums[i][j] += x_i . w_j over n <= 4 blocks of 32. */
TRINE_INLINE void four_blocks(__m512 sums[X_ROWS][MOST_W], const unsigned char *x, size_t x_stride, int n_x, const unsigned char *w,
                              size_t w_stride, int n_w, const format *f, int n)
{
    TRINE_UNROLL for (int j = 0; j < n_w; j++)
    {
        const unsigned char *block = w + (size_t)j * w_stride;
        __m512i low, high;
        __m512 m = _mm512_setzero_ps();
        levels_of(&low, &high, block, f, n);
        const __m512 d = fields(block, 0, f, f->scale, n);
        if (f->zero < 0) m = fields(block, 2, f, f->min, n);
        TRINE_UNROLL for (int i = 0; i < n_x; i++)
        {
            const unsigned char *row = x + (size_t)i * x_stride;
            const __m512i start = f->zero > 0 ? _mm512_loadu_si512(row + 128) : _mm512_setzero_si512();
            const __m512i s =
                _mm512_dpbusd_epi32(_mm512_dpbusd_epi32(start, low, _mm512_loadu_si512(row)), high, _mm512_loadu_si512(row + 64));
            if (f->zero < 0) sums[i][j] = _mm512_fmadd_ps(m, _mm512_loadu_ps(row + 128), sums[i][j]);
            sums[i][j] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(s), _mm512_mul_ps(d, _mm512_loadu_ps(row + 192)), sums[i][j]);
        }
    }
}

TRINE_INLINE void dot_32(float *y, size_t y_stride, const unsigned char *x, size_t x_stride, int n_x, const unsigned char *w,
                         size_t w_stride, int n_w, size_t n, const format *f)
{
    __m512 sums[X_ROWS][MOST_W];
    TRINE_UNROLL for (int j = 0; j < n_w; j++) TRINE_UNROLL for (int i = 0; i < n_x; i++) sums[i][j] = _mm512_setzero_ps();
    size_t k = 0;
    for (; k + 128 <= n; k += 128, w += 4 * f->bytes, x += TRINE_X8_ORDERED_32) {
        trine_prefetch_rows(w, w_stride, n_w, 4 * f->bytes);
        four_blocks(sums, x, x_stride, n_x, w, w_stride, n_w, f, 4);
    }
    switch ((n - k) / 32) {
    case 3: four_blocks(sums, x, x_stride, n_x, w, w_stride, n_w, f, 3); break;
    case 2: four_blocks(sums, x, x_stride, n_x, w, w_stride, n_w, f, 2); break;
    case 1: four_blocks(sums, x, x_stride, n_x, w, w_stride, n_w, f, 1); break;
    default: break;
    }
    TRINE_UNROLL for (int j = 0; j < n_w; j++) TRINE_UNROLL for (int i = 0; i < n_x; i++) y[(size_t)i * y_stride + (size_t)j] =
        _mm512_reduce_add_ps(sums[i][j]);
}

/* ---- blocks of 256 ---- */

/* Shifts that bring fifth bits (or pairs) of each half of a register to where they belong in a byte. */
TRINE_INLINE __m512i turns(int first, int second)
{
    return _mm512_inserti64x4(_mm512_set1_epi32(first), _mm256_set1_epi32(second), 1);
}

TRINE_INLINE __m512i twice_32(const unsigned char *p)
{
    return _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

/* Parts 0 and 2 | 1 and 3 | 4 and 6 | 5 and 7, 32 levels each: what 64 bytes of nibbles hold. */
TRINE_INLINE void levels_of_4_k(__m512i levels[4], const unsigned char *block, bool fifth)
{
    const __m512i high = fifth ? twice_32(block + 16) : _mm512_setzero_si512();
    TRINE_UNROLL for (int h = 0; h < 2; h++)
    {
        const __m512i q = _mm512_loadu_si512(block + (fifth ? 48 : 16) + 64 * h), nibbles = _mm512_set1_epi8(15);
        levels[2 * h] = _mm512_and_si512(q, nibbles);
        levels[2 * h + 1] = _mm512_and_si512(_mm512_srli_epi16(q, 4), nibbles);
        if (!fifth) continue;
        /* Bit p of a byte belongs to part p, as its bit 4; a shift to the right is a turn by so much less than 32. */
        const __m512i even = h ? turns(0, 30) : turns(4, 2), odd = h ? turns(31, 29) : turns(3, 1);
        const __m512i sixteen = _mm512_set1_epi8(16);
        levels[2 * h] = _mm512_or_si512(levels[2 * h], _mm512_and_si512(_mm512_rolv_epi32(high, even), sixteen));
        levels[2 * h + 1] = _mm512_or_si512(levels[2 * h + 1], _mm512_and_si512(_mm512_rolv_epi32(high, odd), sixteen));
    }
}

/* d scale and dmin min of the parts: scales 0..3, mins 0..3, scales 4..7, mins 4..7. */
TRINE_INLINE __m512 scales_of_4_k(const unsigned char *block)
{
    uint64_t first;
    uint32_t last;
    memcpy(&first, block + 4, sizeof first);
    memcpy(&last, block + 12, sizeof last);
    /* Bytes: scales 0..3 and mins 0..3, 6 bits each, on top of which lie the upper two of 4..7; then the lower four of these. */
    const uint64_t low = first & 0x3F3F3F3F3F3F3F3F;
    const uint64_t high = (((uint64_t)last | (uint64_t)last << 28) & 0x0F0F0F0F0F0F0F0F) | (first >> 2 & 0x3030303030303030);
    const __m512i q = _mm512_cvtepu8_epi32(_mm_set_epi64x((long long)high, (long long)low));
    int32_t both;
    memcpy(&both, block, sizeof both);
    const __m256i order = _mm256_setr_epi16(0x0100, 0x0100, 0x0100, 0x0100, 0x0302, 0x0302, 0x0302, 0x0302, 0x0100, 0x0100, 0x0100,
                                            0x0100, 0x0302, 0x0302, 0x0302, 0x0302);
    const __m512 d = _mm512_cvtph_ps(_mm256_shuffle_epi8(_mm256_set1_epi32(both), order));
    return _mm512_mul_ps(d, _mm512_cvtepi32_ps(q));
}

/* Lanes of these for each of the four registers of levels. */
TRINE_INLINE __m512i lanes_of_4_k(int r)
{
    const int first = 8 * (r / 2) + r % 2;
    return turns(first, first + 2);
}

/* In the order of the file, 64 levels each. */
TRINE_INLINE void levels_of_6_k(__m512i levels[4], const unsigned char *block)
{
    TRINE_UNROLL for (int h = 0; h < 2; h++)
    {
        const __m512i q = _mm512_loadu_si512(block + 64 * h), pairs = twice_32(block + 128 + 32 * h), top = _mm512_set1_epi8(48);
        const __m512i first = _mm512_and_si512(_mm512_rolv_epi32(pairs, turns(4, 2)), top);
        const __m512i second = _mm512_and_si512(_mm512_rolv_epi32(pairs, turns(0, 30)), top);
        /* first | (q & 15) */
        levels[2 * h] = _mm512_ternarylogic_epi32(first, q, _mm512_set1_epi8(15), 0xF8);
        levels[2 * h + 1] = _mm512_ternarylogic_epi32(second, _mm512_srli_epi16(q, 4), _mm512_set1_epi8(15), 0xF8);
    }
}

TRINE_INLINE __m512 scales_of_6_k(const unsigned char *block)
{
    int16_t d;
    memcpy(&d, block + 208, sizeof d);
    const __m512i q = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(block + 192)));
    return _mm512_mul_ps(_mm512_cvtph_ps(_mm256_set1_epi16(d)), _mm512_cvtepi32_ps(q));
}

/* What a block of x and one of W add to each lane. Products go by two, so that the next block waits for one addition alone. */
TRINE_INLINE __m512 block_256(const unsigned char *x, const __m512i levels[4], __m512 own, trine_dtype type)
{
    const bool six = type == TRINE_Q6_K;
    const __m512 both = _mm512_mul_ps(own, _mm512_loadu_ps(x + (six ? 512 : 256)));
    __m512 part[4];
    TRINE_UNROLL for (int r = 0; r < 4; r++)
    {
        const __m512i start = six ? _mm512_loadu_si512(x + 256 + 64 * r) : _mm512_setzero_si512();
        const __m512i lanes = six ? _mm512_add_epi32(quarter_lanes(), _mm512_set1_epi32(4 * r)) : lanes_of_4_k(r);
        const __m512 s = _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(start, levels[r], _mm512_loadu_si512(x + 64 * r)));
        const __m512 scale = _mm512_permutexvar_ps(lanes, both);
        if (r < 2)
            part[r] = _mm512_mul_ps(s, scale);
        else
            part[r - 2] = _mm512_fmadd_ps(s, scale, part[r - 2]);
    }
    if (!six) part[0] = _mm512_mask_sub_ps(part[0], 0xF0F0, part[0], both); /* the mins */
    return _mm512_add_ps(part[0], part[1]);
}

TRINE_INLINE void dot_256(float *y, size_t y_stride, const unsigned char *x, size_t x_stride, int n_x, const unsigned char *w,
                          size_t w_stride, int n_w, size_t n, trine_dtype type)
{
    const size_t bytes = type == TRINE_Q4_K ? 144 : type == TRINE_Q5_K ? 176 : 210;
    __m512 sums[X_ROWS][MOST_W];
    TRINE_UNROLL for (int j = 0; j < n_w; j++) TRINE_UNROLL for (int i = 0; i < n_x; i++) sums[i][j] = _mm512_setzero_ps();
    for (size_t k = 0; k < n; k += 256, w += bytes, x += type == TRINE_Q6_K ? TRINE_X8_ORDERED_6_K : TRINE_X8_ORDERED_4_K) {
        trine_prefetch_rows(w, w_stride, n_w, bytes);
        TRINE_UNROLL for (int j = 0; j < n_w; j++)
        {
            const unsigned char *block = w + (size_t)j * w_stride;
            __m512i levels[4];
            if (type == TRINE_Q6_K)
                levels_of_6_k(levels, block);
            else
                levels_of_4_k(levels, block, type == TRINE_Q5_K);
            const __m512 own = type == TRINE_Q6_K ? scales_of_6_k(block) : scales_of_4_k(block);
            TRINE_UNROLL for (int i = 0; i < n_x; i++) sums[i][j] =
                _mm512_add_ps(sums[i][j], block_256(x + (size_t)i * x_stride, levels, own, type));
        }
    }
    TRINE_UNROLL for (int j = 0; j < n_w; j++) TRINE_UNROLL for (int i = 0; i < n_x; i++) y[(size_t)i * y_stride + (size_t)j] =
        _mm512_reduce_add_ps(sums[i][j]);
}

#include "kernels/x86/dot_x8_types.h"

void trine_dot_x8_avx512_vnni(trine_kernels *k) { register_dot_x8(k); }
#endif
