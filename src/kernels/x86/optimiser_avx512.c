/* optimiser_avx512.c - the optimiser's loops, 16 floats at a time. */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx512.h"

#include "kernels/x86/optimiser_x86.h"

void trine_optimiser_kernels_avx512(trine_optimiser_kernels *k)
{
    k->adamw = trine_adamw_avx512;
    k->sum_squares = trine_sum_squares_avx512;
}
#endif
