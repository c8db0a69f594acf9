/* byte_tile_x86.h - template: what tiles of products on bytes begin and end with. Include it after a vector_*.h. */
#ifndef TRINE_KERNELS_BYTE_TILE_X86_H
#define TRINE_KERNELS_BYTE_TILE_X86_H

#include "kernels/kernels.h"
#include "kernels/x86/unrolled.h"

/* Four bytes of a row of x, for each column. */
TRINE_INLINE vi four_bytes(const int8_t *p)
{
    int v;
    memcpy(&v, p, sizeof v);
    return vi_set(v);
}

/* Of n columns, or none, those from `first` on that a vector has. */
TRINE_INLINE vf load_cols(const float *p, int first, int n)
{
    return n >= first + LANES ? vf_load(p + first) : n > first ? vf_load_n(p + first, (size_t)(n - first)) : vf_zero();
}

/* What a row's sums begin with: y's own content, the bias, or nothing. */
TRINE_INLINE vf start_cols(const float *y, const float *bias, bool add, int first, int n)
{
    return add ? load_cols(y, first, n) : bias ? load_cols(bias, first, n) : vf_zero();
}

TRINE_INLINE void store_cols(float *p, vf v, int first, int n)
{
    if (n >= first + LANES)
        vf_store(p + first, v);
    else if (n > first)
        vf_store_n(p + first, v, (size_t)(n - first));
}

#endif
