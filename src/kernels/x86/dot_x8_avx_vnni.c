/* dot_x8_avx_vnni.c - products with rows of x in 8 bits by the 256-bit vpdpbusd of AVX-VNNI. */
#if defined(__x86_64__)
#include <immintrin.h>

/* Four sums of products of a with b, and of c with d. */
static inline __m256i dot_bytes(__m256i a, __m256i b, __m256i c, __m256i d)
{
    return _mm256_dpbusd_avx_epi32(_mm256_dpbusd_avx_epi32(_mm256_setzero_si256(), a, b), c, d);
}

/* |a| times b with the sign of a: a level of -128 becomes 128, which an unsigned byte holds. */
static inline __m256i dot_signed(__m256i a, __m256i b, __m256i c, __m256i d)
{
    return dot_bytes(_mm256_abs_epi8(a), _mm256_sign_epi8(b, a), _mm256_abs_epi8(c), _mm256_sign_epi8(d, c));
}

#include "kernels/x86/dot_x8_256.h"
#include "kernels/x86/dot_x8_register.h"

void trine_dot_x8_avx_vnni(trine_kernels *k) { register_dot_x8(k); }
#endif
