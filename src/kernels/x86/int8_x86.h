/* int8_x86.h - what the levels put into the table for products on bytes. A level's panels are as wide as its gemm_int8 takes them. */
#ifndef TRINE_KERNELS_INT8_X86_H
#define TRINE_KERNELS_INT8_X86_H

#include "kernels/kernels.h"

void trine_int8_avx2(trine_kernels *k);        /* packing and product: panels of 16 */
void trine_int8_pack_avx512(trine_kernels *k); /* packing: panels of 32 */
trine_gemm_int8_fn trine_gemm_int8_avx_vnni, trine_gemm_int8_avx512_vnni;

#endif
