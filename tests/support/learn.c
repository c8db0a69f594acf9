#include "support/learn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

typedef struct input_op {
    trine_op op;
    float *grad;
} input_op;

static size_t bytes_of(trine_mat x) { return (size_t)x.rows * (size_t)x.cols * sizeof(float); }

static void input_backward(trine_pass *p, trine_op *op)
{
    const trine_mat g = trine_grad_of(p, op->made[0]);
    if (trine_pass_computes(p)) memcpy(((input_op *)op)->grad, g.data, bytes_of(g));
}

trine_mat learn_input(trine_pass *p, const float *data, int rows, int cols, float *grad)
{
    trine_mat x = trine_mat_new(p, rows, cols);
    if (trine_pass_computes(p)) memcpy(x.data, data, bytes_of(x));
    input_op *op = grad ? trine_tape_note(p, input_backward, sizeof *op) : NULL;
    if (!op) return x;
    op->grad = grad;
    x.value = trine_tape_made(p, &op->op, x, true);
    return x;
}

typedef struct weigh_op {
    trine_op op;
    trine_mat y;
    const float *factors;
} weigh_op;

static void weigh_backward(trine_pass *p, trine_op *op)
{
    const weigh_op *o = (const weigh_op *)op;
    bool fresh;
    const trine_mat g = trine_grad_for(p, o->y, &fresh);
    for (size_t i = 0; trine_pass_computes(p) && i < bytes_of(g) / sizeof(float); i++)
        g.data[i] = (fresh ? 0 : g.data[i]) + o->factors[i];
}

void learn_weigh(trine_pass *p, trine_mat y, const float *factors, float *out)
{
    if (out && trine_pass_computes(p)) memcpy(out, y.data, bytes_of(y));
    weigh_op *op = trine_tape_note(p, weigh_backward, sizeof *op);
    if (!op) return;
    op->y = y;
    op->factors = factors;
}

static void run(learning *l, trine_tape *tape, trine_arena *arena, const trine_batch *batch, learn_fn *forward, void *user)
{
    trine_kernels kernels;
    trine_kernels_init(&kernels, l->level);
    trine_pass p = { .arena = arena, .kernels = &kernels, .n_threads = l->n_threads, .batch = batch, .tape = tape };
    assert_int_equal(trine_team_open(&p.team, l->n_threads, NULL), TRINE_OK);
    trine_tape_reset(tape);
    if (l->n) memset(l->grads, 0, l->n * sizeof *l->grads);
    forward(&p, user);
    trine_backward(&p);
    trine_error err = { 0 };
    if (trine_pass_status(&p, &err)) fail_msg("the pass failed: %s", err.text);
    assert_int_equal(tape->pool.used, 0);
    trine_team_close(p.team);
}

void learn(learning *l, const trine_batch *batch, learn_fn *forward, void *user)
{
    trine_tape tape;
    trine_arena arena;
    assert_int_equal(trine_tape_open(&tape, l->n_cross, NULL), TRINE_OK);
    tape.values = l->values;
    tape.values_bf16 = l->bf16;
    tape.grads = l->grads;
    tape.n_values = l->n;
    tape.dropout = l->dropout;
    tape.dropout_attention = l->dropout_attention;
    tape.seed = l->seed;
    tape.recompute = l->recompute;
    for (size_t i = 0; l->bf16 && i < l->n; i++) l->bf16[i] = trine_f32_to_bf16(l->values[i]);
    trine_arena_measure(&arena);
    run(l, &tape, &arena, batch, forward, user);
    l->arena = arena.peak;
    l->pool = tape.pool.peak;
    assert_int_equal(trine_arena_open(&arena, l->arena, NULL), TRINE_OK);
    assert_int_equal(trine_tape_take_pool(&tape, l->pool, NULL), TRINE_OK);
    run(l, &tape, &arena, batch, forward, user);
    /* The loss is planned by its largest chunk of rows, and takes chunks of one size: a product may need a little less than was planned. */
    assert_true(arena.peak <= l->arena && l->arena - arena.peak <= l->arena / 16);
    assert_int_equal(tape.pool.peak, l->pool);
    trine_arena_close(&arena);
    trine_tape_close(&tape);
}
