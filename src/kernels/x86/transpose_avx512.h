/* transpose_avx512.h - 16 x 16 units of 32 bits, in registers. Half of the transposition is done by the loads: a register takes 16
 * bytes of four rows, so that two rounds of shuffles remain of four. */
#ifndef TRINE_KERNELS_TRANSPOSE_AVX512_H
#define TRINE_KERNELS_TRANSPOSE_AVX512_H

#include <immintrin.h>
#include <stddef.h>

#define TRINE_UNROLL_16 _Pragma("GCC unroll 16")

/* Line i of out, 64 bytes, is unit i of 16 rows of in; rows lie in_stride bytes apart, lines out_stride. */
static inline __attribute__((always_inline)) void transpose_16x16(void *out, size_t out_stride, const void *in, size_t in_stride)
{
    __m512i r[16];
    TRINE_UNROLL_16 for (int i = 0; i < 16; i++)
    {
        /* The quarter i / 4 of rows i % 4 and those 4, 8 and 12 below it. */
        const unsigned char *from = (const unsigned char *)in + (size_t)(i % 4) * in_stride + 16 * (i / 4);
        __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const void *)from));
        v = _mm512_mask_broadcast_i32x4(v, 0x00F0, _mm_loadu_si128((const void *)(from + 4 * in_stride)));
        v = _mm512_mask_broadcast_i32x4(v, 0x0F00, _mm_loadu_si128((const void *)(from + 8 * in_stride)));
        r[i] = _mm512_mask_broadcast_i32x4(v, 0xF000, _mm_loadu_si128((const void *)(from + 12 * in_stride)));
    }
    TRINE_UNROLL_16 for (int q = 0; q < 16; q += 4)
    {
        const __m512i a = _mm512_unpacklo_epi32(r[q], r[q + 1]), b = _mm512_unpackhi_epi32(r[q], r[q + 1]);
        const __m512i c = _mm512_unpacklo_epi32(r[q + 2], r[q + 3]), d = _mm512_unpackhi_epi32(r[q + 2], r[q + 3]);
        unsigned char *to = (unsigned char *)out + (size_t)q * out_stride;
        _mm512_storeu_si512(to, _mm512_unpacklo_epi64(a, c));
        _mm512_storeu_si512(to + out_stride, _mm512_unpackhi_epi64(a, c));
        _mm512_storeu_si512(to + 2 * out_stride, _mm512_unpacklo_epi64(b, d));
        _mm512_storeu_si512(to + 3 * out_stride, _mm512_unpackhi_epi64(b, d));
    }
}

#endif
