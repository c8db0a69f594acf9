/* kernels_avx512.c - the kernels 16 floats wide: AVX-512 F, BW, DQ and VL. */
#if defined(__x86_64__)
#include "kernels/x86/vector_avx512.h"
/* The templates, in the order in which they use each other. */
#include "kernels/x86/rows_x86.h"
#include "kernels/x86/unpack_x86.h"

#include "kernels/x86/grad_x86.h"

#include "kernels/x86/products_x86.h"

#include "kernels/x86/gemm_group_x86.h"
#include "kernels/x86/transpose_x86.h"

#include "kernels/x86/gemm_strip_x86.h"
#include "kernels/x86/register_x86.h"
#include "kernels/x86/transpose_avx512.h"

/* By blocks of 16 x 16, and what is left by smaller ones. */
static void transpose_by_16(float *out, size_t out_stride, const void *in, size_t in_stride, int n_rows, int n_cols)
{
    const size_t row_bytes = in_stride * sizeof(float), line_bytes = out_stride * sizeof(float);
    const int rows = n_rows / 16 * 16, cols = n_cols / 16 * 16;
    for (int i = 0; i < rows; i += 16)
        for (int k = 0; k < cols; k += 16)
            transpose_16x16(out + (size_t)k * out_stride + i, line_bytes,
                            (const unsigned char *)in + (size_t)i * row_bytes + (size_t)k * sizeof(float), row_bytes);
    if (cols < n_cols && rows)
        transpose_by_8(out + (size_t)cols * out_stride, out_stride, (const unsigned char *)in + (size_t)cols * sizeof(float),
                       in_stride, rows, n_cols - cols);
    if (rows < n_rows)
        transpose_by_8(out + rows, out_stride, (const unsigned char *)in + (size_t)rows * row_bytes, in_stride, n_rows - rows,
                       n_cols);
}

void trine_kernels_avx512(trine_kernels *k)
{
    register_all(k);
    k->transpose = transpose_by_16;
}
#endif
