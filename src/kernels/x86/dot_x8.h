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

enum { X_ROWS = 2 }; /* rows of x that share the unpacked levels of W */

/* Rows of W are a loop inside `dot`, not written out: sums that lie in the first cache cost little beside a group of blocks. */
#define TRINE_DOT_X8(name, dot)                                                                                                    \
    static void dot_x8_##name(float *y, size_t y_stride, const unsigned char *x, size_t x_stride, int n_x, const void *w,          \
                              size_t w_stride, int n_w, size_t n)                                                                  \
    {                                                                                                                              \
        for (; n_x >= X_ROWS; n_x -= X_ROWS, y += X_ROWS * y_stride, x += X_ROWS * x_stride)                                       \
            dot(y, y_stride, x, x_stride, X_ROWS, w, w_stride, n_w, n);                                                            \
        if (n_x) dot(y, y_stride, x, x_stride, 1, w, w_stride, n_w, n);                                                            \
    }

#endif
