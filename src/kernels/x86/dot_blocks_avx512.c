/* dot_blocks_avx512.c - dot tiles of quantised rows, 16 floats wide, without a detour through memory.
 *
 * A level of 4 or 5 bits is an index into a table of 16 or 32 values, and a table of 16 floats is one register: so the scaled
 * values of a block (d (q - 8), or d q + m) are made once, and a permutation looks all levels up, with neither a
 * conversion nor a product an element. What is looked up is bit by bit what unpacking gives. */
#if defined(__x86_64__)
#include "kernels/x86/dot_blocks_avx512.h"

#include "kernels/x86/vector_avx512.h"

#define TRINE_UNROLL _Pragma("GCC unroll 16")
#define TRINE_INLINE static inline __attribute__((always_inline))

/* Asks for n bytes; past the end of the weights it does nothing. */
TRINE_INLINE void prefetch(const unsigned char *p, size_t n)
{
    TRINE_UNROLL for (size_t i = 0; i < n; i += 64) _mm_prefetch((const char *)p + i, _MM_HINT_T0);
}

/* What is made once of a block of 256: scales and mins of its parts. Blocks of 32 have none. */
typedef struct parts {
    float scale[16], min[8];
} parts;

TRINE_INLINE vf f16_everywhere(const unsigned char *p)
{
    int16_t h;
    memcpy(&h, p, sizeof h);
    return _mm512_cvtph_ps(_mm256_set1_epi16(h));
}

TRINE_INLINE vf first_levels(void) { return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }
TRINE_INLINE vf next_levels(void) { return vf_add(first_levels(), vf_set(16)); }

/* 16 bytes of nibbles: the table's values of their low halves, then of their high ones. Only the low four bits of an index count. */
TRINE_INLINE void look_up_16(vf out[2], const unsigned char *q, vf table)
{
    const vi bytes = vi_load_u8(q);
    out[0] = _mm512_permutexvar_ps(bytes, table);
    out[1] = _mm512_permutexvar_ps(_mm512_srli_epi32(bytes, 4), table);
}

/* The same of two vectors of nibbles with fifth bits. */
TRINE_INLINE vf look_up_32(vi nibbles, __mmask16 fifth, vf low, vf high)
{
    const vi index = _mm512_mask_or_epi32(nibbles, fifth, nibbles, vi_set(16));
    return _mm512_permutex2var_ps(low, index, high);
}

TRINE_INLINE void look_up_nibbles_32(vf out[2], const unsigned char *q, const unsigned char *fifth, vf low, vf high)
{
    uint16_t bits[2];
    memcpy(bits, fifth, sizeof bits);
    const vi bytes = vi_load_u8(q);
    out[0] = look_up_32(vi_and(bytes, vi_set(15)), bits[0], low, high);
    out[1] = look_up_32(_mm512_srli_epi32(bytes, 4), bits[1], low, high);
}

TRINE_INLINE void prepare(parts *out, const unsigned char *b, trine_dtype type)
{
    if (type == TRINE_Q6_K) {
        _mm512_storeu_ps(out->scale, vf_mul(f16_everywhere(b + 208), vf_from_vi(vi_load_i8(b + 192))));
    } else if (type == TRINE_Q4_K || type == TRINE_Q5_K) {
        /* Four 6-bit numbers at a time (block_256.c draws where their bits lie), in registers: bytes stored one by one would
         * have to reach the cache before they could be read back as one vector. */
        uint32_t a[3];
        memcpy(a, b + 4, sizeof a);
        const uint32_t six = 0x3F3F3F3F, four = 0x0F0F0F0F, two = 0x30303030;
        const __m128i level = _mm_setr_epi32((int)(a[0] & six), (int)((a[2] & four) | (a[0] >> 2 & two)), (int)(a[1] & six),
                                             (int)((a[2] >> 4 & four) | (a[1] >> 2 & two)));
        const vf d = _mm512_mask_blend_ps(0xFF00, f16_everywhere(b), f16_everywhere(b + 2));
        const vf all = vf_mul(d, vf_from_vi(_mm512_cvtepu8_epi32(level)));
        _mm256_storeu_ps(out->scale, _mm512_castps512_ps256(all));
        _mm256_storeu_ps(out->min, _mm512_extractf32x8_ps(all, 1));
    }
}

/* Elements 32 part .. 32 part + 31 of block b. */
TRINE_INLINE void levels(vf out[2], const unsigned char *b, const parts *p, int part, trine_dtype type)
{
    switch (type) {
    case TRINE_Q8_0: {
        const vf d = f16_everywhere(b);
        out[0] = vf_mul(d, vf_from_vi(vi_load_i8(b + 2)));
        out[1] = vf_mul(d, vf_from_vi(vi_load_i8(b + 18)));
        break;
    }
    case TRINE_Q4_0: look_up_16(out, b + 2, vf_mul(f16_everywhere(b), vf_sub(first_levels(), vf_set(8)))); break;
    case TRINE_Q4_1: look_up_16(out, b + 4, vf_add(vf_mul(f16_everywhere(b), first_levels()), f16_everywhere(b + 2))); break;
    case TRINE_Q5_0: {
        const vf d = f16_everywhere(b);
        look_up_nibbles_32(out, b + 6, b + 2, vf_mul(d, vf_sub(first_levels(), vf_set(16))), vf_mul(d, first_levels()));
        break;
    }
    case TRINE_Q5_1: {
        const vf d = f16_everywhere(b), m = f16_everywhere(b + 2);
        look_up_nibbles_32(out, b + 8, b + 4, vf_add(vf_mul(d, first_levels()), m), vf_add(vf_mul(d, next_levels()), m));
        break;
    }
    case TRINE_Q4_K: {
        const vf table = vf_sub(vf_mul(vf_set(p->scale[part]), first_levels()), vf_set(p->min[part]));
        const unsigned char *q = b + 16 + 32 * (part / 2);
        vi low = vi_load_u8(q), high = vi_load_u8(q + 16);
        if (part & 1) low = _mm512_srli_epi32(low, 4), high = _mm512_srli_epi32(high, 4);
        out[0] = _mm512_permutexvar_ps(low, table);
        out[1] = _mm512_permutexvar_ps(high, table);
        break;
    }
    case TRINE_Q5_K: {
        const vf d = vf_set(p->scale[part]), m = vf_set(p->min[part]);
        const vf first = vf_sub(vf_mul(d, first_levels()), m), next = vf_sub(vf_mul(d, next_levels()), m);
        const unsigned char *q = b + 48 + 32 * (part / 2);
        const __m256i fifth = _mm256_loadu_si256((const __m256i *)(const void *)(b + 16));
        const __mmask32 bits = _mm256_test_epi8_mask(fifth, _mm256_set1_epi8((char)(1 << part)));
        vi low = vi_load_u8(q), high = vi_load_u8(q + 16);
        if (part & 1) low = _mm512_srli_epi32(low, 4), high = _mm512_srli_epi32(high, 4);
        out[0] = look_up_32(vi_and(low, vi_set(15)), (__mmask16)bits, first, next);
        out[1] = look_up_32(vi_and(high, vi_set(15)), (__mmask16)(bits >> 16), first, next);
        break;
    }
    default: { /* q6_k: 64 levels do not fit two registers, so they are converted */
        const int half = part / 4, quarter = part % 4;
        TRINE_UNROLL for (int v = 0; v < 2; v++)
        {
            const vi nibbles =
                _mm512_srli_epi32(vi_load_u8(b + 64 * half + 32 * (quarter % 2) + 16 * v), 4 * (unsigned)(quarter / 2));
            const vi pairs = _mm512_srli_epi32(vi_load_u8(b + 128 + 32 * half + 16 * v), 2 * (unsigned)quarter);
            const vi level = vi_or(vi_and(nibbles, vi_set(15)), _mm512_slli_epi32(vi_and(pairs, vi_set(3)), 4));
            out[v] = vf_mul(vf_set(p->scale[2 * part + v]), vf_from_vi(vi_add(level, vi_set(-32))));
        }
    }
    }
}

TRINE_INLINE void dot_rows(float *y, size_t y_stride, const float *x, size_t x_stride, int n_x, const unsigned char *w,
                           size_t w_stride, int n_w, size_t n, trine_dtype type, size_t block, size_t block_bytes)
{
    vf sums[TRINE_DOT_TILE][TRINE_DOT_TILE];
    parts made[TRINE_DOT_TILE];
    TRINE_UNROLL for (int i = 0; i < n_x; i++) TRINE_UNROLL for (int j = 0; j < n_w; j++) sums[i][j] = vf_zero();
    for (size_t k = 0; k < n; k += block, w += block_bytes) {
        /* Four short rows side by side are no stream that the hardware follows: ask for the same place of the next four. */
        if (n_w == TRINE_DOT_TILE)
            TRINE_UNROLL for (int j = 0; j < n_w; j++) prefetch(w + (size_t)(j + n_w) * w_stride, block_bytes);
        TRINE_UNROLL for (int j = 0; j < n_w; j++) prepare(&made[j], w + (size_t)j * w_stride, type);
        TRINE_UNROLL for (int part = 0; part < (int)(block / 32); part++)
        {
            vf a[TRINE_DOT_TILE][2];
            TRINE_UNROLL for (int i = 0; i < n_x; i++)
            {
                const float *at = x + (size_t)i * x_stride + k + (size_t)part * 32;
                a[i][0] = vf_load(at);
                a[i][1] = vf_load(at + LANES);
            }
            TRINE_UNROLL for (int j = 0; j < n_w; j++)
            {
                vf b[2];
                levels(b, w + (size_t)j * w_stride, &made[j], part, type);
                TRINE_UNROLL for (int i = 0; i < n_x; i++) sums[i][j] = vf_fma(a[i][1], b[1], vf_fma(a[i][0], b[0], sums[i][j]));
            }
        }
    }
    TRINE_UNROLL for (int i = 0; i < n_x; i++) TRINE_UNROLL for (int j = 0; j < n_w; j++) y[(size_t)i * y_stride + (size_t)j] =
        vf_sum(sums[i][j]);
}

/* One row of x by four of W is the step of decoding; two and more are worth keeping the looked-up values for. */
#define TRINE_DOT(name, type, block, bytes)                                                                                        \
    void trine_dot_tile_##name##_avx512(float *y, size_t y_stride, const float *x, size_t x_stride, int n_x, const void *w,        \
                                        size_t w_stride, int n_w, size_t n)                                                        \
    {                                                                                                                              \
        const unsigned char *rows = w;                                                                                             \
        int i = 0;                                                                                                                 \
        if (n_w == TRINE_DOT_TILE) {                                                                                               \
            for (; i + 2 <= n_x; i += 2)                                                                                           \
                dot_rows(y + (size_t)i * y_stride, y_stride, x + (size_t)i * x_stride, x_stride, 2, rows, w_stride,                \
                         TRINE_DOT_TILE, n, type, block, bytes);                                                                   \
            if (i < n_x)                                                                                                           \
                dot_rows(y + (size_t)i * y_stride, y_stride, x + (size_t)i * x_stride, x_stride, 1, rows, w_stride,                \
                         TRINE_DOT_TILE, n, type, block, bytes);                                                                   \
            return;                                                                                                                \
        }                                                                                                                          \
        for (; i < n_x; i++)                                                                                                       \
            for (int j = 0; j < n_w; j++)                                                                                          \
                dot_rows(y + (size_t)i * y_stride + j, y_stride, x + (size_t)i * x_stride, x_stride, 1,                            \
                         rows + (size_t)j * w_stride, w_stride, 1, n, type, block, bytes);                                         \
    }
TRINE_DOT(q8_0, TRINE_Q8_0, 32, 34)
TRINE_DOT(q4_0, TRINE_Q4_0, 32, 18)
TRINE_DOT(q4_1, TRINE_Q4_1, 32, 20)
TRINE_DOT(q5_0, TRINE_Q5_0, 32, 22)
TRINE_DOT(q5_1, TRINE_Q5_1, 32, 24)
TRINE_DOT(q4_k, TRINE_Q4_K, 256, 144)
TRINE_DOT(q5_k, TRINE_Q5_K, 256, 176)
TRINE_DOT(q6_k, TRINE_Q6_K, 256, 210)
#undef TRINE_DOT
#endif
