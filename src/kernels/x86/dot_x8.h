/* dot_x8.h - what the products with rows of x in 8 bits share, whatever their width. */
#ifndef TRINE_KERNELS_DOT_X8_H
#define TRINE_KERNELS_DOT_X8_H

#include <immintrin.h>

#include "kernels/kernels.h"

#define TRINE_UNROLL _Pragma("GCC unroll 16")
#define TRINE_INLINE static inline __attribute__((always_inline))

/* Rows side by side are not a stream that the hardware follows well: ask for n bytes of each of the next rows. Past the end of
 * the weights this does nothing. */
TRINE_INLINE void trine_prefetch_rows(const unsigned char *w, size_t w_stride, int n_w, size_t n)
{
    TRINE_UNROLL for (int j = 0; j < n_w; j++) TRINE_UNROLL for (size_t at = 0; at < n; at += 64)
        _mm_prefetch((const char *)w + (size_t)j * w_stride + at, _MM_HINT_T0);
}

/* A tile for each number of rows of x; rows of W all four or one by one. */
#define TRINE_DOT_X8(name, dot)                                                                                                    \
    static void dot_x8_##name(float *y, size_t y_stride, const unsigned char *x, size_t x_stride, int n_x, const void *weights,    \
                              size_t w_stride, int n_w, size_t n)                                                                  \
    {                                                                                                                              \
        const unsigned char *w = weights;                                                                                          \
        if (n_w < TRINE_DOT_TILE) {                                                                                                \
            for (int i = 0; i < n_x; i++)                                                                                          \
                for (int j = 0; j < n_w; j++)                                                                                      \
                    dot(y + (size_t)i * y_stride + j, y_stride, x + (size_t)i * x_stride, x_stride, 1, w + (size_t)j * w_stride,   \
                        w_stride, 1, n);                                                                                           \
            return;                                                                                                                \
        }                                                                                                                          \
        switch (n_x) {                                                                                                             \
        case 1: dot(y, y_stride, x, x_stride, 1, w, w_stride, TRINE_DOT_TILE, n); break;                                           \
        case 2: dot(y, y_stride, x, x_stride, 2, w, w_stride, TRINE_DOT_TILE, n); break;                                           \
        case 3: dot(y, y_stride, x, x_stride, 3, w, w_stride, TRINE_DOT_TILE, n); break;                                           \
        default: dot(y, y_stride, x, x_stride, 4, w, w_stride, TRINE_DOT_TILE, n); break;                                          \
        }                                                                                                                          \
    }

#endif
