/* sums.c - sums, products and multiples of matrices. */
#include "blocks/rows.h"
#include "blocks/tape.h"

/* x and y must agree in shape: a model that adds others is wrong. */
static bool same_shape(trine_pass *p, trine_mat x, trine_mat y)
{
    if (!p->failed && (x.rows != y.rows || x.cols != y.cols))
        trine_pass_fail(p, TRINE_ERROR_INTERNAL, "sum or product of [%d, %d] and [%d, %d]", x.rows, x.cols, y.rows, y.cols);
    return trine_pass_computes(p);
}

typedef struct pair {
    const trine_kernels *kernels;
    trine_mat x, y;
    float factor;
} pair;

static void add_rows(const void *job, int first, int n, int thread)
{
    const pair *j = job;
    (void)thread;
    j->kernels->add(trine_row(j->x, first), trine_row(j->y, first), (size_t)n * (size_t)j->x.cols);
}

static void multiply_rows(const void *job, int first, int n, int thread)
{
    const pair *j = job;
    (void)thread;
    j->kernels->multiply(trine_row(j->x, first), trine_row(j->y, first), (size_t)n * (size_t)j->x.cols);
}

static void scale_rows(const void *job, int first, int n, int thread)
{
    const pair *j = job;
    (void)thread;
    j->kernels->scale(trine_row(j->x, first), j->factor, (size_t)n * (size_t)j->x.cols);
}

void trine_add_in_place(trine_pass *p, trine_mat x, trine_mat y)
{
    if (same_shape(p, x, y)) trine_for_rows(p, x.rows, x.cols, add_rows, &(pair) { p->kernels, x, y, 0 });
}

void trine_multiply_in_place(trine_pass *p, trine_mat x, trine_mat y)
{
    if (same_shape(p, x, y)) trine_for_rows(p, x.rows, x.cols, multiply_rows, &(pair) { p->kernels, x, y, 0 });
}

void trine_scale_in_place(trine_pass *p, trine_mat x, float factor)
{
    if (trine_pass_computes(p)) trine_for_rows(p, x.rows, x.cols, scale_rows, &(pair) { p->kernels, x, x, factor });
}

/* ---------------------------------------------------------------------------------------------- the residual stream */

typedef struct add_op {
    trine_op op;
    trine_mat x, y;
} add_op;

static void add_backward(trine_pass *p, trine_op *op)
{
    const add_op *o = (const add_op *)op;
    trine_grad_share(p, o->x, op->made[0]);
    trine_grad_share(p, o->y, op->made[0]);
}

trine_mat trine_add(trine_pass *p, trine_mat x, trine_mat y)
{
    if (!trine_pass_notes(p)) {
        trine_add_in_place(p, x, y);
        return x;
    }
    trine_mat sum = { .data = y.data, .rows = y.rows, .cols = y.cols };
    trine_add_in_place(p, sum, x);
    add_op *op = trine_tape_note(p, add_backward, sizeof *op);
    if (!op) return sum;
    op->x = x;
    op->y = y;
    sum.value = trine_tape_made(p, &op->op, sum, trine_value_wanted(x) || trine_value_wanted(y));
    return sum;
}
