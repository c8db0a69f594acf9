/* lora.c - what an adapter adds to a product: two products more, the first of them to `rank` columns only. The adapter's matrices may
 * learn while W stays as it is, of whatever type. */
#include "blocks/linear.h"
#include "blocks/rows.h"
#include "blocks/tape.h"

/* The rows of B that belong to those of W. */
static trine_weight rows_of_b(const trine_weight *w)
{
    trine_weight b = w->lora->b;
    b.data = (const float *)b.data + (size_t)w->lora_first * (size_t)b.cols;
    b.rows = w->rows;
    return b;
}

void trine_adapt(trine_pass *p, trine_mat y, trine_mat low, trine_mat x, const trine_weight *w)
{
    const trine_weight b_rows = rows_of_b(w), a = trine_linear_weight(p, &w->lora->a), b = trine_linear_weight(p, &b_rows);
    const size_t mark = trine_arena_mark(p->arena);
    const trine_mat sum = trine_mat_new(p, y.rows, y.cols);
    trine_linear_into(p, low, x, &a);
    trine_scale_in_place(p, low, w->lora->scale);
    trine_linear_into(p, sum, low, &b);
    trine_add_in_place(p, y, sum);
    trine_arena_release(p->arena, mark);
}

void trine_adapter_gradients(trine_pass *p, trine_mat dx, bool add, trine_mat x, trine_mat low, trine_mat dy, const trine_weight *w)
{
    const trine_weight b = rows_of_b(w);
    const size_t mark = trine_arena_mark(p->arena);
    const trine_mat d_low = trine_mat_new(p, low.rows, low.cols);
    trine_linear_gradients(p, d_low, false, low, (const trine_weight *[]) { &b }, &dy, 1);
    trine_scale_in_place(p, d_low, w->lora->scale);
    trine_linear_gradients(p, dx, add, x, (const trine_weight *[]) { &w->lora->a }, &d_low, 1);
    trine_arena_release(p->arena, mark);
}
