/* rows.h - what blocks share that work on one row at a time. */
#ifndef TRINE_BLOCKS_ROWS_H
#define TRINE_BLOCKS_ROWS_H

#include "blocks/blocks.h"

#define TRINE_ROWS_SMALL 65536 /* element operations below which a second thread costs more than it brings */

/* Rows [first, first + n) of a job, on thread `thread`. Rows are independent, so the cut changes nothing. */
typedef void trine_rows_fn(const void *job, int first, int n, int thread);
/* All rows [0, n_rows) of a job, by all threads when there is enough of it; `cost` element operations a row. */
void trine_for_rows(trine_pass *p, int n_rows, double cost, trine_rows_fn *run, const void *job);

static inline float *trine_row(trine_mat x, int row) { return x.data + (size_t)row * (size_t)x.cols; }

/* to[rows[i]] += row i of `from`, whose width it has. In the order of i, on any number of threads. */
void trine_scatter_rows(trine_pass *p, float *to, trine_mat from, const int32_t *rows);

/* Where a block that consumes x writes: x's own memory, or new memory while a tape keeps what is in x. */
trine_mat trine_consumed(trine_pass *p, trine_mat x);

/* On what a block owns: results of its own, and gradients. */
void trine_add_in_place(trine_pass *p, trine_mat x, trine_mat y); /* x += y */
void trine_scale_in_place(trine_pass *p, trine_mat x, float factor);
void trine_activate_in_place(trine_pass *p, trine_mat x, trine_activation kind);
void trine_multiply_in_place(trine_pass *p, trine_mat x, trine_mat y); /* x *= y */

#endif
