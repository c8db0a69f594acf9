/* limits_avx2.c - limit loops of 256 bits. */
#if defined(__x86_64__)
#include <immintrin.h>

#include "kernels/limit_kernels.h"

enum { SUMS = 12 }; /* 4 cycles of latency, 2 units: 8 at least; 16 registers hold these and the operands */

static float peak_f32(size_t n_rounds)
{
    __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f), sum[SUMS];
    UNROLL
    for (int j = 0; j < SUMS; j++) {
        sum[j] = _mm256_setzero_ps();
        APART(sum[j]);
    }
    for (size_t i = 0; i < n_rounds; i++) {
        UNROLL
        for (int j = 0; j < SUMS; j++) sum[j] = _mm256_fmadd_ps(sum[j], a, b);
    }
    UNROLL
    for (int j = 1; j < SUMS; j++) sum[0] = _mm256_add_ps(sum[0], sum[j]);
    return _mm256_cvtss_f32(sum[0]);
}

/* Bytes to pairs, pairs to fours, and the sum: the product of integers before VNNI. */
static float peak_int8(size_t n_rounds)
{
    __m256i a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(-2), ones = _mm256_set1_epi16(1), sum[SUMS];
    UNROLL
    for (int j = 0; j < SUMS; j++) {
        sum[j] = _mm256_setzero_si256();
        APART(sum[j]);
    }
    for (size_t i = 0; i < n_rounds; i++) {
        UNROLL
        for (int j = 0; j < SUMS; j++) {
            APART(b); /* nothing is known of b: each product is computed */
            sum[j] = _mm256_add_epi32(sum[j], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
        }
    }
    UNROLL
    for (int j = 1; j < SUMS; j++) sum[0] = _mm256_add_epi32(sum[0], sum[j]);
    return (float)_mm256_extract_epi32(sum[0], 0);
}

/* In `streams` (a constant where this is inlined, as `ahead` is) parts at once: each waits for memory by itself. */
static inline __attribute__((always_inline)) uint64_t read_parts(const void *data, size_t n, int streams, ptrdiff_t ahead)
{
    enum { MOST = 4 };
    const size_t part = n / (size_t)streams;
    __m256i sum[MOST];
    UNROLL
    for (int s = 0; s < streams; s++) sum[s] = _mm256_setzero_si256();
    for (const char *p = data, *end = p + part; p < end; p += 128) {
        UNROLL
        for (int s = 0; s < streams; s++) {
            const char *at = p + (size_t)s * part;
            _mm_prefetch(at + ahead, _MM_HINT_T0);
            _mm_prefetch(at + ahead + 64, _MM_HINT_T0);
            UNROLL
            for (int i = 0; i < 4; i++) sum[s] = _mm256_xor_si256(sum[s], _mm256_load_si256((const void *)(at + 32 * i)));
        }
    }
    UNROLL
    for (int s = 1; s < streams; s++) sum[0] = _mm256_xor_si256(sum[0], sum[s]);
    return (uint64_t)_mm256_extract_epi64(sum[0], 0);
}
static uint64_t read_bytes(const void *data, size_t n) { return read_parts(data, n, 1, 2048); }
static uint64_t read_streams(const void *data, size_t n) { return read_parts(data, n, 4, 512); }

void trine_limits_avx2(trine_limit_kernels *k)
{
    k->f32 = (trine_peak) { peak_f32, SUMS * 8 * 2 };
    k->int8 = (trine_peak) { peak_int8, SUMS * 32 * 2 };
    k->read[1] = read_bytes;
    k->read[2] = read_streams;
}
#endif
