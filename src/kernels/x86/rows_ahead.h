/* rows_ahead.h - where the rows of W that come next are asked for. */
#ifndef TRINE_KERNELS_ROWS_AHEAD_H
#define TRINE_KERNELS_ROWS_AHEAD_H

#include <stdbool.h>
#include <stddef.h>

/* How many bytes behind each of n_w rows, `stride` apart, while they are multiplied, so that memory answers in time. One row after another,
 * and rows far apart, are streams that the hardware follows as well, but for the ends of pages: `ahead` suffices. Rows side by side are
 * followed by whole tiles of them. */
static inline size_t trine_rows_ahead(size_t ahead, size_t stride, int n_w, bool far_apart)
{
    if (n_w == 1 || far_apart) return ahead;
    const size_t tile = (size_t)n_w * stride;
    return (ahead + tile - 1) / tile * tile;
}

#endif
