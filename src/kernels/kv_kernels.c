/* kv_kernels.c - fills the table of loops over the cache, from the references upwards. */
#include "kernels/kv_kernels.h"

void trine_kv_kernels_init(trine_kv_kernels *k, trine_cpu level)
{
    trine_kv_kernels_ref(k);
#if defined(__x86_64__)
    if (level < TRINE_CPU_AVX2) return;
    trine_kv_kernels_avx2(k);
    if (level == TRINE_CPU_AVX_VNNI) trine_kv_kernels_avx_vnni(k);
    if (level < TRINE_CPU_AVX512) return;
    trine_kv_kernels_avx512(k);
    if (level < TRINE_CPU_AVX512_VNNI) return;
    trine_kv_kernels_avx512_vnni(k);
#endif
}
