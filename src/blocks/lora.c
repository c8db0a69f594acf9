/* lora.c - what an adapter adds to a product: two products more, the first of them to `rank` columns only. The adapter's matrices may
 * learn while W stays as it is, of whatever type. */
#include "blocks/rows.h"
#include "blocks/tape.h"

/* y = factor x, in x's memory. */
typedef struct scaled_op {
    trine_op op;
    trine_mat x;
    float factor;
} scaled_op;

static void scaled_backward(trine_pass *p, trine_op *op)
{
    const scaled_op *o = (const scaled_op *)op;
    const trine_mat dy = trine_grad_of(p, op->made[0]);
    bool fresh;
    const trine_mat dx = trine_grad_for(p, o->x, &fresh);
    if (!trine_pass_computes(p) || !dx.rows) return;
    const size_t n = (size_t)dx.rows * (size_t)dx.cols;
    for (size_t i = 0; i < n; i++) dx.data[i] = (fresh ? 0 : dx.data[i]) + o->factor * dy.data[i];
}

static trine_mat scaled(trine_pass *p, trine_mat x, float factor)
{
    if (factor == 1) return x;
    trine_mat y = { .data = x.data, .rows = x.rows, .cols = x.cols };
    trine_scale_in_place(p, y, factor);
    scaled_op *op = trine_value_wanted(x) ? trine_tape_note(p, scaled_backward, sizeof *op) : NULL;
    if (!op) return y;
    op->x = x;
    op->factor = factor;
    y.value = trine_tape_made(p, &op->op, y, true);
    return y;
}

/* z = y + d, in y's memory: nobody's backward reads what was in it. */
typedef struct sum_op {
    trine_op op;
    trine_mat y, d;
} sum_op;

static void sum_backward(trine_pass *p, trine_op *op)
{
    const sum_op *o = (const sum_op *)op;
    trine_grad_share(p, o->y, op->made[0]);
    trine_grad_share(p, o->d, op->made[0]);
}

static trine_mat sum(trine_pass *p, trine_mat y, trine_mat d)
{
    trine_mat z = { .data = y.data, .rows = y.rows, .cols = y.cols };
    trine_add_in_place(p, z, d);
    const bool wanted = trine_value_wanted(y) || trine_value_wanted(d);
    sum_op *op = wanted ? trine_tape_note(p, sum_backward, sizeof *op) : NULL;
    if (!op) return z;
    op->y = y;
    op->d = d;
    z.value = trine_tape_made(p, &op->op, z, true);
    return z;
}

trine_mat trine_adapted(trine_pass *p, trine_mat y, trine_mat x, const trine_weight *w)
{
    const trine_lora *lora = w->lora;
    trine_weight b = lora->b;
    b.data = (const float *)b.data + (size_t)w->lora_first * (size_t)b.cols;
    b.rows = w->rows;
    const size_t mark = trine_pass_mark(p);
    const trine_mat h = scaled(p, trine_linear(p, x, &lora->a), lora->scale);
    y = sum(p, y, trine_linear(p, h, &b));
    trine_pass_release(p, mark);
    return y;
}
