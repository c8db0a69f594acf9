/* transpose_avx512.h - 16 x 16 units of 32 bits, in registers. Each row is read once and whole: rows that lie a power of two apart
 * share a set of the first cache, which holds fewer of them than there are, so a second visit would find them gone. */
#ifndef TRINE_KERNELS_TRANSPOSE_AVX512_H
#define TRINE_KERNELS_TRANSPOSE_AVX512_H

#include "kernels/x86/unrolled.h"
#include <immintrin.h>
#include <stddef.h>

/* Line i of out, 64 bytes, is unit i of 16 rows of in; rows lie in_stride bytes apart, lines out_stride. */
static inline __attribute__((always_inline)) void transpose_16x16(void *out, size_t out_stride, const void *in, size_t in_stride)
{
    __m512i r[16], s[16];
    TRINE_UNROLL for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_si512((const unsigned char *)in + (size_t)i * in_stride);
    TRINE_UNROLL for (int i = 0; i < 16; i += 2)
    {
        s[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        s[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    /* Now r[4q + u] has, in its 128-bit part p, unit 4p + u of rows 4q .. 4q + 3. */
    TRINE_UNROLL for (int i = 0; i < 16; i += 4)
    {
        r[i] = _mm512_unpacklo_epi64(s[i], s[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(s[i], s[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(s[i + 1], s[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(s[i + 1], s[i + 3]);
    }
    TRINE_UNROLL for (int u = 0; u < 4; u++)
    {
        const __m512i even0 = _mm512_shuffle_i32x4(r[u], r[4 + u], 0x88), odd0 = _mm512_shuffle_i32x4(r[u], r[4 + u], 0xDD);
        const __m512i even1 = _mm512_shuffle_i32x4(r[8 + u], r[12 + u], 0x88),
                      odd1 = _mm512_shuffle_i32x4(r[8 + u], r[12 + u], 0xDD);
        unsigned char *to = (unsigned char *)out + (size_t)u * out_stride;
        _mm512_storeu_si512(to, _mm512_shuffle_i32x4(even0, even1, 0x88));
        _mm512_storeu_si512(to + 4 * out_stride, _mm512_shuffle_i32x4(odd0, odd1, 0x88));
        _mm512_storeu_si512(to + 8 * out_stride, _mm512_shuffle_i32x4(even0, even1, 0xDD));
        _mm512_storeu_si512(to + 12 * out_stride, _mm512_shuffle_i32x4(odd0, odd1, 0xDD));
    }
}

#endif
