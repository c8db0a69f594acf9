/* dot_x8.h - what the products with rows of x in 8 bits share, whatever their width. */
#ifndef TRINE_KERNELS_DOT_X8_H
#define TRINE_KERNELS_DOT_X8_H

#include <immintrin.h>

#include "kernels/x86/rows_ahead.h"
#include "kernels/x86/unrolled.h"
#include "kernels/x8_order.h"

enum { MOST_W = W_ROWS > W_ONE ? W_ROWS : W_ONE };

/* Asks for n bytes of what comes after each of n_w rows of W. Past the end of the weights this does nothing. */
TRINE_INLINE void trine_prefetch_rows(const unsigned char *w, size_t w_stride, int n_w, size_t n)
{
    const size_t ahead = trine_rows_ahead(W_AHEAD, w_stride, n_w, W_ONE > 1);
    TRINE_UNROLL for (int j = 0; j < n_w; j++) TRINE_UNROLL for (size_t at = 0; at < n; at += 64)
        _mm_prefetch((const char *)w + (size_t)j * w_stride + at + ahead, _MM_HINT_T0);
}

/* A row of x meets W_ONE rows of W at a time; several meet W_ROWS, so that they are loaded once for them. */
#define TRINE_DOT_X8_ROWS(dot, r, most)                                                                                            \
    case r:                                                                                                                        \
        if (step == 1)                                                                                                             \
            dot(y + j, y_stride, x, x_stride, r, row, w_stride, 1, n);                                                             \
        else                                                                                                                       \
            dot(y + j, y_stride, x, x_stride, r, row, w_stride, most, n);                                                          \
        break;
#if defined(TRINE_X_ROWS_4)
#define TRINE_DOT_X8_MORE(dot) TRINE_DOT_X8_ROWS(dot, 3, W_ROWS) TRINE_DOT_X8_ROWS(dot, 4, W_ROWS)
#else
#define TRINE_DOT_X8_MORE(dot)
#endif
#define TRINE_DOT_X8(name, dot)                                                                                                    \
    static void dot_x8_##name(float *y, size_t y_stride, const unsigned char *x8, size_t x_stride, int n_x, const void *w,         \
                              size_t w_stride, int n_w, size_t n)                                                                  \
    {                                                                                                                              \
        const unsigned char *x = x8 + trine_x8_order_at(n);                                                                        \
        for (; n_x > 0; n_x -= X_ROWS, y += X_ROWS * y_stride, x += X_ROWS * x_stride)                                             \
            for (int j = 0, step; j < n_w; j += step) {                                                                            \
                const unsigned char *row = (const unsigned char *)w + (size_t)j * w_stride;                                        \
                step = n_w - j < (n_x > 1 ? W_ROWS : W_ONE) ? 1 : n_x > 1 ? W_ROWS : W_ONE;                                        \
                switch (n_x < X_ROWS ? n_x : X_ROWS) {                                                                             \
                    TRINE_DOT_X8_ROWS(dot, 1, W_ONE)                                                                               \
                    TRINE_DOT_X8_ROWS(dot, 2, W_ROWS)                                                                              \
                    TRINE_DOT_X8_MORE(dot)                                                                                         \
                }                                                                                                                  \
            }                                                                                                                      \
    }

#endif
