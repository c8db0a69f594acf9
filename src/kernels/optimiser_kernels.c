/* optimiser_kernels.c - fills the table of the optimiser's loops. */
#include "kernels/optimiser_kernels.h"

void trine_optimiser_kernels_init(trine_optimiser_kernels *k, trine_cpu level)
{
    trine_optimiser_kernels_ref(k);
#if defined(__x86_64__)
    if (level >= TRINE_CPU_AVX2) trine_optimiser_kernels_avx2(k);
    if (level >= TRINE_CPU_AVX512) trine_optimiser_kernels_avx512(k);
#endif
}
