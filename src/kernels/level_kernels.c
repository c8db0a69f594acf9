/* level_kernels.c - fills the table of products by levels where there is no integer dot product. */
#include "kernels/level_kernels.h"

void trine_level_kernels_init(trine_level_kernels *k, trine_cpu level)
{
    *k = (trine_level_kernels) { .gemm = NULL };
#if defined(__x86_64__)
    if (level == TRINE_CPU_AVX2 || level == TRINE_CPU_AVX512) trine_level_kernels_avx2(k);
#endif
}
