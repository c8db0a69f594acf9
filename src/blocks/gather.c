/* gather.c - rows of a matrix by index, and gradients that go back to them. */
#include <string.h>

#include "blocks/rows.h"
#include "blocks/tape.h"

enum { SCATTER_COLS = 16 }; /* what is shared out among threads is columns: a cache line of each row */

typedef struct scatter_job {
    const trine_kernels *kernels;
    float *to;
    trine_mat from;
    const int32_t *rows;
} scatter_job;

static void scatter_columns(const void *job, int first, int n, int thread)
{
    const scatter_job *j = job;
    const int begin = first * SCATTER_COLS,
              end = (first + n) * SCATTER_COLS < j->from.cols ? (first + n) * SCATTER_COLS : j->from.cols;
    (void)thread;
    for (int i = 0; i < j->from.rows; i++)
        j->kernels->add(j->to + (size_t)j->rows[i] * (size_t)j->from.cols + begin, trine_row(j->from, i) + begin,
                        (size_t)(end - begin));
}

void trine_scatter_rows(trine_pass *p, float *to, trine_mat from, const int32_t *rows)
{
    if (trine_pass_computes(p))
        trine_for_rows(p, (from.cols + SCATTER_COLS - 1) / SCATTER_COLS, (double)SCATTER_COLS * from.rows, scatter_columns,
                       &(scatter_job) { p->kernels, to, from, rows });
}

typedef struct take_op {
    trine_op op;
    trine_mat x;
    const int32_t *rows;
} take_op;

static void take_backward(trine_pass *p, trine_op *op)
{
    const take_op *o = (const take_op *)op;
    bool fresh;
    trine_mat dx = trine_grad_for(p, o->x, &fresh);
    if (!trine_pass_computes(p)) return;
    if (fresh) memset(dx.data, 0, (size_t)dx.rows * (size_t)dx.cols * sizeof *dx.data);
    trine_scatter_rows(p, dx.data, trine_grad_of(p, op->made[0]), o->rows);
}

static trine_mat take(trine_pass *p, trine_mat x, const int32_t *rows, int n)
{
    trine_mat y = trine_mat_new(p, n, x.cols);
    for (int i = 0; rows && i < n && trine_pass_computes(p); i++) {
        if (rows[i] < 0 || rows[i] >= x.rows)
            trine_pass_fail(p, TRINE_ERROR_INTERNAL, "take rows: row %d of %d", (int)rows[i], x.rows);
        else
            memcpy(trine_row(y, i), trine_row(x, rows[i]), (size_t)x.cols * sizeof *x.data);
    }
    take_op *op = trine_value_wanted(x) ? trine_tape_note(p, take_backward, sizeof *op) : NULL;
    if (!op) return y;
    op->x = x;
    op->rows = rows;
    y.value = trine_tape_made(p, &op->op, y, true);
    return y;
}

trine_mat trine_take_rows(trine_pass *p, trine_mat x, const int32_t *rows, int n) { return rows ? take(p, x, rows, n) : x; }

trine_mat trine_first_rows(trine_pass *p, trine_mat x)
{
    const trine_batch *b = p->batch;
    int32_t *rows = trine_pass_alloc(p, (size_t)b->n_segments, sizeof *rows);
    for (int s = 0; rows && s < b->n_segments; s++) rows[s] = b->segments[s].first_row;
    return take(p, x, rows, b->n_segments);
}

trine_mat trine_last_rows(trine_pass *p, trine_mat x, int32_t pad)
{
    const trine_batch *b = p->batch;
    int32_t *rows = trine_pass_alloc(p, (size_t)b->n_segments, sizeof *rows);
    for (int s = 0; rows && s < b->n_segments; s++) {
        rows[s] = b->segments[s].first_row + b->segments[s].n_rows - 1;
        while (rows[s] > b->segments[s].first_row && b->ids[rows[s]] == pad) rows[s]--;
    }
    return take(p, x, rows, b->n_segments);
}
