/* limits_avx512_bf16.c - the bf16 dot product of 512 bits. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/limit_kernels.h"

enum { SUMS = 24 };

static float peak_bf16(size_t n_rounds)
{
    const __m512 x = _mm512_set1_ps(0.5f);
    __m512bh a = _mm512_cvtne2ps_pbh(x, x);
    __m512 sum[SUMS];
    UNROLL
    for (int j = 0; j < SUMS; j++) {
        sum[j] = _mm512_setzero_ps();
        APART(sum[j]);
    }
    for (size_t i = 0; i < n_rounds; i++) {
        UNROLL
        for (int j = 0; j < SUMS; j++) sum[j] = _mm512_dpbf16_ps(sum[j], a, a);
    }
    UNROLL
    for (int j = 1; j < SUMS; j++) sum[0] = _mm512_add_ps(sum[0], sum[j]);
    return _mm512_cvtss_f32(sum[0]);
}

void trine_limits_avx512_bf16(trine_limit_kernels *k) { k->bf16 = (trine_peak) { peak_bf16, SUMS * 32 * 2 }; }
#endif
