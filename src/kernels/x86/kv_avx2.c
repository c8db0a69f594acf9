/* kv_avx2.c - the loops over a tile of the cache, 8 floats or 32 bytes wide. */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx2.h"

#include "kernels/x86/kv_levels_x86.h"
#include "kernels/x86/kv_plain_x86.h"

void trine_kv_kernels_avx2(trine_kv_kernels *k)
{
    register_plain(k);
    register_levels(k);
}
#endif
