/* limits_avx512_vnni.c - the integer dot product of 512 bits. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/limit_kernels.h"

enum { SUMS = 24 };

static float peak_int8(size_t n_rounds)
{
    __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(-2), sum[SUMS];
    UNROLL
    for (int j = 0; j < SUMS; j++) {
        sum[j] = _mm512_setzero_si512();
        APART(sum[j]);
    }
    for (size_t i = 0; i < n_rounds; i++) {
        UNROLL
        for (int j = 0; j < SUMS; j++) sum[j] = _mm512_dpbusd_epi32(sum[j], a, b);
    }
    UNROLL
    for (int j = 1; j < SUMS; j++) sum[0] = _mm512_add_epi32(sum[0], sum[j]);
    return (float)_mm512_reduce_add_epi32(sum[0]);
}

void trine_limits_avx512_vnni(trine_limit_kernels *k) { k->int8 = (trine_peak) { peak_int8, SUMS * 64 * 2 }; }
#endif
