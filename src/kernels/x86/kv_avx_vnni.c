/* kv_avx_vnni.c - the loops over levels with the 256-bit byte product of AVX-VNNI. */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx2.h"

#define TRINE_KV_DOT _mm256_dpbusd_avx_epi32
#include "kernels/x86/kv_levels_x86.h"

void trine_kv_kernels_avx_vnni(trine_kv_kernels *k) { register_levels(k); }
#endif
