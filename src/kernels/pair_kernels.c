/* pair_kernels.c - fills the table of bf16 attention where it is worth it. */
#include "kernels/pair_kernels.h"

void trine_pair_kernels_init(trine_pair_kernels *k, trine_cpu level)
{
    *k = (trine_pair_kernels) { .gemm = NULL };
#if defined(__x86_64__)
    if (level == TRINE_CPU_AMX || (level >= TRINE_CPU_AVX512_BF16 && trine_cpu_bf16_is_fast())) trine_pair_kernels_avx512_bf16(k);
    if (level == TRINE_CPU_AMX) trine_pair_kernels_amx(k);
#endif
}
