/* kernels_avx2.c - the kernels 8 floats wide: AVX2, FMA and F16C. */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx2.h"
/* The templates, in the order in which they use each other. */
#include "kernels/x86/rows_x86.h"
#include "kernels/x86/unpack_x86.h"

#include "kernels/x86/int8_x86.h"
#include "kernels/x86/products_x86.h"

#include "kernels/x86/gemm_group_x86.h"
#include "kernels/x86/register_x86.h"
#include "kernels/x86/transpose_x86.h"

#include "kernels/x86/dot_x8_register.h"

/* ---- quantised rows ---- */

/* One body for all quantised types: the unpacking is called, and costs more than the call. */
static __attribute__((noinline)) void dot_unpacked(float *y, size_t y_stride, const float *x, size_t x_stride, int n_x,
                                                   const void *w, size_t w_stride, int n_w, size_t n, trine_unpack_fn *unpack,
                                                   size_t chunk_bytes)
{
    dot_tile(y, y_stride, x, x_stride, n_x, w, w_stride, n_w, n, W_F32, unpack, chunk_bytes);
}

#define TRINE_DOT_BLOCKS(name, bytes)                                                                                              \
    static void dot_tile_##name##_avx2(float *y, size_t y_stride, const float *x, size_t x_stride, int n_x, const void *w,         \
                                       size_t w_stride, int n_w, size_t n)                                                         \
    {                                                                                                                              \
        dot_unpacked(y, y_stride, x, x_stride, n_x, w, w_stride, n_w, n, trine_unpack_##name##_avx2, bytes);                       \
    }
/* Bytes of 256 elements. */
TRINE_DOT_BLOCKS(q8_0, 8 * 34)
TRINE_DOT_BLOCKS(q4_0, 8 * 18)
TRINE_DOT_BLOCKS(q4_1, 8 * 20)
TRINE_DOT_BLOCKS(q5_0, 8 * 22)
TRINE_DOT_BLOCKS(q5_1, 8 * 24)
TRINE_DOT_BLOCKS(q4_k, 144)
TRINE_DOT_BLOCKS(q5_k, 176)
TRINE_DOT_BLOCKS(q6_k, 210)
#undef TRINE_DOT_BLOCKS

void trine_kernels_avx2(trine_kernels *k)
{
    register_all(k);
    trine_dot_x8_avx2(k);
    k->transpose = transpose_by_8;
    trine_int8_avx2(k);
    k->dot_tile[TRINE_Q8_0] = dot_tile_q8_0_avx2;
    k->dot_tile[TRINE_Q4_0] = dot_tile_q4_0_avx2;
    k->dot_tile[TRINE_Q4_1] = dot_tile_q4_1_avx2;
    k->dot_tile[TRINE_Q5_0] = dot_tile_q5_0_avx2;
    k->dot_tile[TRINE_Q5_1] = dot_tile_q5_1_avx2;
    k->dot_tile[TRINE_Q4_K] = dot_tile_q4_k_avx2;
    k->dot_tile[TRINE_Q5_K] = dot_tile_q5_k_avx2;
    k->dot_tile[TRINE_Q6_K] = dot_tile_q6_k_avx2;
}
#endif
