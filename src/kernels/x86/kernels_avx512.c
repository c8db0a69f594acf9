/* kernels_avx512.c - the kernels 16 floats wide: AVX-512 F, BW, DQ and VL. */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx512.h"
/* The templates, in the order in which they use each other. */
#include "kernels/x86/rows_x86.h"
#include "kernels/x86/unpack_x86.h"

#include "kernels/x86/products_x86.h"
#include "kernels/x86/register_x86.h"

#include "kernels/x86/dot_blocks_avx512.h"

void trine_kernels_avx512(trine_kernels *k)
{
    register_all(k);
    k->dot_tile[TRINE_Q8_0] = trine_dot_tile_q8_0_avx512;
    k->dot_tile[TRINE_Q4_0] = trine_dot_tile_q4_0_avx512;
    k->dot_tile[TRINE_Q4_1] = trine_dot_tile_q4_1_avx512;
    k->dot_tile[TRINE_Q5_0] = trine_dot_tile_q5_0_avx512;
    k->dot_tile[TRINE_Q5_1] = trine_dot_tile_q5_1_avx512;
    k->dot_tile[TRINE_Q4_K] = trine_dot_tile_q4_k_avx512;
    k->dot_tile[TRINE_Q5_K] = trine_dot_tile_q5_k_avx512;
    k->dot_tile[TRINE_Q6_K] = trine_dot_tile_q6_k_avx512;
}
#endif
