/* optimiser_avx2.c - the optimiser's loops, 8 floats at a time. */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx2.h"

#include "kernels/x86/optimiser_x86.h"

void trine_optimiser_kernels_avx2(trine_optimiser_kernels *k)
{
    k->adamw = trine_adamw_avx2;
    k->sum_squares = trine_sum_squares_avx2;
}
#endif
