/* x8_block_avx2.h - a block of a row of x in 8 bits (ref/x8_ref.c defines it). */
#ifndef TRINE_KERNELS_X8_BLOCK_AVX2_H
#define TRINE_KERNELS_X8_BLOCK_AVX2_H

#include <immintrin.h>
#include <math.h>

#include "kernels/kernels.h"

/* 32 floats: their levels; returns the sum of them, and the scale by pointer. */
static inline int x8_block(unsigned char *levels, float *scale, const float *x)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7FFFFFFF), infinity = _mm256_set1_epi32(0x7F800000);
    __m256i v[4];
    for (int i = 0; i < 4; i++) v[i] = _mm256_castps_si256(_mm256_loadu_ps(x + 8 * i));
    /* Bits of magnitudes are in the order of their values, and what is no number is above infinity. */
    const __m256i a = _mm256_max_epi32(_mm256_and_si256(v[0], magnitude), _mm256_and_si256(v[1], magnitude));
    const __m256i b = _mm256_max_epi32(_mm256_and_si256(v[2], magnitude), _mm256_and_si256(v[3], magnitude));
    __m256i most = _mm256_max_epi32(a, b);
    most = _mm256_max_epi32(most, _mm256_permute2x128_si256(most, most, 1));
    most = _mm256_max_epi32(most, _mm256_shuffle_epi32(most, 0x4E));
    most = _mm256_max_epi32(most, _mm256_shuffle_epi32(most, 0xB1));
    const float largest = _mm256_cvtss_f32(_mm256_castsi256_ps(most));
    const bool finite = _mm256_cvtsi256_si32(most) < _mm256_cvtsi256_si32(infinity);
    if (!finite || largest < TRINE_X8_LEAST) {
        _mm256_storeu_si256((__m256i *)(void *)levels, _mm256_setzero_si256());
        *scale = finite ? 0 : NAN;
        return 0;
    }
    const __m256 inverse = _mm256_set1_ps(127 / largest);
    for (int i = 0; i < 4; i++) v[i] = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_castsi256_ps(v[i]), inverse));
    const __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(v[0], v[1]), _mm256_packs_epi32(v[2], v[3]));
    const __m256i all = _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)(void *)levels, all);
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), all);
    const __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(fours), _mm256_extracti128_si256(fours, 1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4E));
    *scale = largest / 127;
    return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xB1)));
}

#endif
