/* kv_avx512_vnni.c - the loops over levels with VNNI's byte product. */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx512.h"

#define TRINE_KV_DOT _mm512_dpbusd_epi32
#include "kernels/x86/kv_levels_x86.h"

void trine_kv_kernels_avx512_vnni(trine_kv_kernels *k) { register_levels(k); }
#endif
