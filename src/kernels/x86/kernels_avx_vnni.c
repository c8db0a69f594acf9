/* kernels_avx_vnni.c - what the 256-bit integer dot products of AVX-VNNI do better. */
#if defined(__x86_64__)
#include "kernels/x86/dot_x8_register.h"
#include "kernels/x86/int8_x86.h"

void trine_kernels_avx_vnni(trine_kernels *k)
{
    trine_dot_x8_avx_vnni(k);
    k->gemm_int8 = trine_gemm_int8_avx_vnni;
    k->int8_offset = 128;
}
#endif
