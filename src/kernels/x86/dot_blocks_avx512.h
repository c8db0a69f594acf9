/* dot_blocks_avx512.h - dot tiles of quantised rows, for the table of kernels_avx512.c. */
#ifndef TRINE_KERNELS_DOT_BLOCKS_AVX512_H
#define TRINE_KERNELS_DOT_BLOCKS_AVX512_H

#include "kernels/kernels.h"

trine_dot_tile_fn trine_dot_tile_q8_0_avx512, trine_dot_tile_q4_0_avx512, trine_dot_tile_q4_1_avx512, trine_dot_tile_q5_0_avx512,
    trine_dot_tile_q5_1_avx512, trine_dot_tile_q4_k_avx512, trine_dot_tile_q5_k_avx512, trine_dot_tile_q6_k_avx512;

#endif
