/* kernels_avx2.c - the kernels 8 floats wide: AVX2, FMA and F16C. */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx2.h"
/* The templates, in the order in which they use each other. */
#include "kernels/x86/rows_x86.h"
#include "kernels/x86/unpack_x86.h"

#include "kernels/x86/int8_x86.h"
#include "kernels/x86/products_x86.h"
#include "kernels/x86/register_x86.h"

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

/* ---- transposition ---- */

/* 8 x 8 elements in registers; out rows are columns of in. */
static void transpose_8x8(float *out, size_t out_stride, const unsigned char *in, size_t in_bytes)
{
    __m256 r[8], s[8];
    for (size_t i = 0; i < 8; i++) r[i] = vf_load((const float *)(const void *)(in + i * in_bytes));
    for (int i = 0; i < 8; i += 2) {
        s[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        s[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(s[i], s[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(s[i], s[i + 2], 0xEE);
        r[i + 2] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(s[i + 1], s[i + 3], 0xEE);
    }
    for (size_t i = 0; i < 4; i++) {
        vf_store(out + i * out_stride, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        vf_store(out + (i + 4) * out_stride, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}

static void transpose_avx2(float *out, size_t out_stride, const void *in, size_t in_stride, int n_rows, int n_cols)
{
    const unsigned char *from = in;
    const size_t row_bytes = in_stride * sizeof(float);
    for (int i = 0; i < n_rows; i += 8)
        for (int k = 0; k < n_cols; k += 8) {
            const unsigned char *corner = from + (size_t)i * row_bytes + (size_t)k * sizeof(float);
            float *to = out + (size_t)k * out_stride + (size_t)i;
            if (i + 8 <= n_rows && k + 8 <= n_cols) {
                transpose_8x8(to, out_stride, corner, row_bytes);
                continue;
            }
            for (int a = 0; a < 8 && i + a < n_rows; a++)
                for (int b = 0; b < 8 && k + b < n_cols; b++)
                    memcpy(to + (size_t)b * out_stride + (size_t)a, corner + (size_t)a * row_bytes + (size_t)b * sizeof(float),
                           sizeof(float));
        }
}

void trine_kernels_avx2(trine_kernels *k)
{
    register_all(k);
    trine_dot_x8_avx2(k);
    k->transpose = transpose_avx2;
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
