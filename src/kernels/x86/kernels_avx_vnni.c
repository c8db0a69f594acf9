/* kernels_avx_vnni.c - what the 256-bit integer dot products of AVX-VNNI do better. */
#if defined(__x86_64__)
#include "kernels/x86/dot_x8_register.h"

void trine_kernels_avx_vnni(trine_kernels *k) { trine_dot_x8_avx_vnni(k); }
#endif
