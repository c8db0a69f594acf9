/* dropout.c - elements that are left out while training (Srivastava et al. 2014): each with the same probability, the others grown by as
 * much as keeps the mean. Which ones follows from the seed of the step, the number of the draw and the element's place, so it is
 * the same on any number of threads, in the backward, and when a layer is computed again: no mask is kept. */
#include "base/counter_random.h"
#include "blocks/rows.h"
#include "blocks/tape.h"

typedef struct drop_job {
    trine_drop_fn *drop;
    trine_mat x;
    uint64_t key;
    float rate;
} drop_job;

static void drop_rows(const void *job, int first, int n, int thread)
{
    const drop_job *j = job;
    (void)thread;
    for (int r = first; r < first + n; r++)
        j->drop(trine_row(j->x, r), (size_t)j->x.cols, trine_random_at(j->key, (uint64_t)r), 0, trine_drop_below(j->rate),
                1 / (1 - j->rate));
}

void trine_drop_in_place(trine_pass *p, trine_mat x, uint32_t stream)
{
    const trine_tape *tape = p->tape;
    if (trine_pass_computes(p))
        trine_for_rows(p, x.rows, 6.0 * x.cols, drop_rows,
                       &(drop_job) { p->kernels->grad.drop, x, trine_random_key(tape->seed, stream), tape->dropout });
}

bool trine_drops(const trine_pass *p) { return p->tape && p->tape->dropout > 0; }

typedef struct dropout_op {
    trine_op op;
    trine_mat x;
    uint32_t stream;
} dropout_op;

static void dropout_backward(trine_pass *p, trine_op *op)
{
    const dropout_op *o = (const dropout_op *)op;
    const size_t mark = trine_arena_mark(p->arena);
    bool apart;
    const trine_mat g = trine_grad_move(p, o->x, op->made[0], &apart);
    trine_drop_in_place(p, g, o->stream);
    trine_grad_moved(p, o->x, g, apart);
    trine_arena_release(p->arena, mark);
}

trine_mat trine_dropout(trine_pass *p, trine_mat x)
{
    if (!trine_drops(p)) return x;
    const uint32_t stream = p->tape->n_draws++;
    trine_drop_in_place(p, x, stream);
    dropout_op *op = trine_value_wanted(x) ? trine_tape_note(p, dropout_backward, sizeof *op) : NULL;
    if (!op) return x;
    op->x = x;
    op->stream = stream;
    x.value = trine_tape_made(p, &op->op, x, true);
    return x;
}
