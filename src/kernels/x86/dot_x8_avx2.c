/* dot_x8_avx2.c - rows of x into 8 bits, and their products by AVX2: bytes are multiplied and added in pairs to 16 bits
 * (vpmaddubsw), these in pairs to 32 (vpmaddwd). */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>

#include "kernels/x86/dot_x8_register.h"

enum { X_ROWS = 2, W_ROWS = 2, W_ONE = 4, W_AHEAD = 256 };

static inline __m256i dot_bytes(__m256i u, __m256i x)
{
    return _mm256_madd_epi16(_mm256_maddubs_epi16(u, x), _mm256_set1_epi16(1));
}

/* Products by pairs in 16 bits: of levels of up to 5 bits, 4 x 31 x 127 is within them; of q8_0's, |level| times x with the sign of the
 * level, 2 x 128 x 127 is, twice that is not. */
static inline __m256i dot_32_levels(__m256i low, __m256i x, __m256i high, __m256i y, __m256i start, int zero)
{
    const __m256i ones = _mm256_set1_epi16(1);
    if (zero == 0) {
        const __m256i first = _mm256_maddubs_epi16(_mm256_abs_epi8(low), _mm256_sign_epi8(x, low));
        const __m256i second = _mm256_maddubs_epi16(_mm256_abs_epi8(high), _mm256_sign_epi8(y, high));
        return _mm256_add_epi32(_mm256_madd_epi16(first, ones), _mm256_madd_epi16(second, ones));
    }
    const __m256i pairs = _mm256_add_epi16(_mm256_maddubs_epi16(low, x), _mm256_maddubs_epi16(high, y));
    const __m256i s = _mm256_madd_epi16(pairs, ones);
    return zero > 0 ? _mm256_add_epi32(s, start) : s;
}

#include "kernels/x86/dot_x8_256.h"
#include "kernels/x86/x8_block_avx2.h"

/* ---- rows of x ---- */

static void pack_x8(void *out, const float *in, size_t n)
{
    unsigned char *levels = out, *scales = levels + trine_x8_levels(n);
    for (size_t at = 0; at < trine_x8_levels(n); at += TRINE_X8_GROUP, scales += 32) {
        float group[8];
        for (size_t b = 0; b < 4; b++) {
            const size_t from = at + 32 * b, take = from >= n ? 0 : n - from < 32 ? n - from : 32;
            float rest[32] = { 0 };
            if (take < 32) memcpy(rest, in + from, take * sizeof *in);
            const int sum = x8_block(levels + from, &group[b], take < 32 ? rest : in + from);
            group[4 + b] = group[b] * (float)sum;
        }
        memcpy(scales, group, sizeof group);
    }
}

void trine_dot_x8_avx2(trine_kernels *k)
{
    register_dot_x8(k);
    k->pack_x8 = pack_x8;
}
#endif
