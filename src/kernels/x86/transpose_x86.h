/* transpose_x86.h - transposition by blocks of 8 x 8, for every vector level. */
#ifndef TRINE_KERNELS_TRANSPOSE_X86_H
#define TRINE_KERNELS_TRANSPOSE_X86_H

#include <immintrin.h>
#include <string.h>

/* 8 x 8 elements in registers; out rows are columns of in. */
static void transpose_8x8(float *out, size_t out_stride, const unsigned char *in, size_t in_bytes)
{
    __m256 r[8], s[8];
    for (size_t i = 0; i < 8; i++) r[i] = _mm256_loadu_ps((const float *)(const void *)(in + i * in_bytes));
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
        _mm256_storeu_ps(out + i * out_stride, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        _mm256_storeu_ps(out + (i + 4) * out_stride, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}

static void transpose_by_8(float *out, size_t out_stride, const void *in, size_t in_stride, int n_rows, int n_cols)
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

#endif
