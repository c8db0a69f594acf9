/* rows.h - what blocks share that work on one row at a time. */
#ifndef TRINE_BLOCKS_ROWS_H
#define TRINE_BLOCKS_ROWS_H

#include <omp.h>

#include "blocks/blocks.h"

#define TRINE_ROWS_SMALL 65536 /* element operations below which a second thread costs more than it brings */

/* Runs a statement with `float *row` and `size_t n` for each row of x, by all threads when there is enough of it; `cost`
 * element operations each. Rows are independent, so threads change nothing. `r` is the row's index. */
#define TRINE_FOR_ROWS(p, x, cost, ...)                                                                                            \
    {                                                                                                                              \
        const size_t n = (size_t)(x).cols;                                                                                         \
        const bool large = (p)->n_threads > 1 && (x).rows > 1 && (double)(x).rows * (double)n * (cost) > TRINE_ROWS_SMALL;         \
        _Pragma("omp parallel for schedule(static) num_threads((p)->n_threads) if (large)") for (int r = 0; r < (x).rows; r++)     \
        {                                                                                                                          \
            float *row = (x).data + (size_t)r * n;                                                                                 \
            __VA_ARGS__;                                                                                                           \
        }                                                                                                                          \
    }

/* Which of the threads of a parallel loop this is. */
static inline int trine_thread(void) { return omp_get_thread_num(); }

void trine_multiply_in_place(trine_pass *p, trine_mat x, trine_mat y); /* x *= y */

#endif
