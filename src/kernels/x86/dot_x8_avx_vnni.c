/* dot_x8_avx_vnni.c - products with rows of x in 8 bits by the 256-bit vpdpbusd of AVX-VNNI. */
#if defined(__x86_64__)
#include <immintrin.h>

enum { X_ROWS = 2, W_ROWS = 2, W_ONE = 1, W_AHEAD = 4096 };

static inline __m256i dot_bytes(__m256i u, __m256i x) { return _mm256_dpbusd_avx_epi32(_mm256_setzero_si256(), u, x); }

/* Levels of q8_0 are taken by 128 more: start has that of every type with a zero. */
static inline __m256i dot_32_levels(__m256i low, __m256i x, __m256i high, __m256i y, __m256i start, int zero)
{
    const __m256i top = _mm256_set1_epi8(-128), none = _mm256_setzero_si256();
    if (zero == 0) {
        low = _mm256_xor_si256(low, top);
        high = _mm256_xor_si256(high, top);
    }
    return _mm256_dpbusd_avx_epi32(_mm256_dpbusd_avx_epi32(zero < 0 ? none : start, low, x), high, y);
}

#include "kernels/x86/dot_x8_256.h"
#include "kernels/x86/dot_x8_register.h"

void trine_dot_x8_avx_vnni(trine_kernels *k) { register_dot_x8(k); }
#endif
