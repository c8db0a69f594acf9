/* kv_avx512.c - the loops over a tile of the cache, 16 floats or 64 bytes wide. */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx512.h"

#include "kernels/x86/kv_levels_x86.h"
#include "kernels/x86/kv_plain_x86.h"

void trine_kv_kernels_avx512(trine_kv_kernels *k)
{
    register_plain(k);
    register_levels(k);
}
#endif
