/* limits_avx512.c - limit loops of 512 bits. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/limit_kernels.h"

enum { SUMS = 24 };

static float peak_f32(size_t n_rounds)
{
    __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f), sum[SUMS];
    UNROLL
    for (int j = 0; j < SUMS; j++) {
        sum[j] = _mm512_setzero_ps();
        APART(sum[j]);
    }
    for (size_t i = 0; i < n_rounds; i++) {
        UNROLL
        for (int j = 0; j < SUMS; j++) sum[j] = _mm512_fmadd_ps(sum[j], a, b);
    }
    UNROLL
    for (int j = 1; j < SUMS; j++) sum[0] = _mm512_add_ps(sum[0], sum[j]);
    return _mm512_cvtss_f32(sum[0]);
}

static float peak_int8(size_t n_rounds)
{
    __m512i a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(-2), ones = _mm512_set1_epi16(1), sum[SUMS];
    UNROLL
    for (int j = 0; j < SUMS; j++) {
        sum[j] = _mm512_setzero_si512();
        APART(sum[j]);
    }
    for (size_t i = 0; i < n_rounds; i++) {
        UNROLL
        for (int j = 0; j < SUMS; j++) {
            APART(b);
            sum[j] = _mm512_add_epi32(sum[j], _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), ones));
        }
    }
    UNROLL
    for (int j = 1; j < SUMS; j++) sum[0] = _mm512_add_epi32(sum[0], sum[j]);
    return (float)_mm512_reduce_add_epi32(sum[0]);
}

static uint64_t read_bytes(const void *data, size_t n)
{
    __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
    for (const char *p = data, *end = p + n; p < end; p += 256) {
        for (int line = 0; line < 4; line++) _mm_prefetch(p + 2048 + 64 * line, _MM_HINT_T0);
        a = _mm512_xor_si512(a, _mm512_load_si512(p));
        b = _mm512_xor_si512(b, _mm512_load_si512(p + 64));
        c = _mm512_xor_si512(c, _mm512_load_si512(p + 128));
        d = _mm512_xor_si512(d, _mm512_load_si512(p + 192));
    }
    a = _mm512_xor_si512(_mm512_xor_si512(a, b), _mm512_xor_si512(c, d));
    return (uint64_t)_mm512_reduce_add_epi64(a);
}

void trine_limits_avx512(trine_limit_kernels *k)
{
    k->f32 = (trine_peak) { peak_f32, SUMS * 16 * 2 };
    k->int8 = (trine_peak) { peak_int8, SUMS * 64 * 2 };
    k->read[1] = read_bytes;
}
#endif
