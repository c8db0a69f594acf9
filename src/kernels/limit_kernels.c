/* limit_kernels.c - the table of limit loops, from the plain ones upwards. */
#include "kernels/limit_kernels.h"

#include <string.h>

static float peak_f32(size_t n_rounds)
{
    float a[8] = { 0 };
    for (size_t i = 0; i < n_rounds; i++)
        for (int j = 0; j < 8; j++) a[j] = a[j] * 0.999f + 0.001f;
    float sum = 0;
    for (int j = 0; j < 8; j++) sum += a[j];
    return sum;
}

static uint64_t read_words(const void *data, size_t n)
{
    uint64_t all[4] = { 0 };
    for (const char *p = data, *end = p + n; p < end; p += sizeof all) {
        uint64_t words[4];
        memcpy(words, p, sizeof words);
        for (int j = 0; j < 4; j++) all[j] ^= words[j];
    }
    return all[0] ^ all[1] ^ all[2] ^ all[3];
}

void trine_limit_kernels_init(trine_limit_kernels *k, trine_cpu level)
{
    *k = (trine_limit_kernels) { .f32 = { peak_f32, 8 * 2 }, .read = { read_words } };
#if defined(__x86_64__)
    if (level < TRINE_CPU_AVX2) return;
    trine_limits_avx2(k);
    if (level == TRINE_CPU_AVX_VNNI) trine_limits_avx_vnni(k);
    if (level < TRINE_CPU_AVX512) return;
    trine_limits_avx512(k);
    if (level < TRINE_CPU_AVX512_VNNI) return;
    trine_limits_avx512_vnni(k);
    if (level < TRINE_CPU_AVX512_BF16) return;
    trine_limits_avx512_bf16(k);
    if (level < TRINE_CPU_AMX) return;
    trine_limits_amx(k);
#endif
}
