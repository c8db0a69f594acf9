/* test_tape.c - gradients flow, share memory, go back to the pool, and a measured step is the step. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "blocks/tape.h"

/* y = factor x, y = x + z and a loss that is the sum of all elements, as ops of this test. */
typedef struct scale_op {
    trine_op op;
    trine_mat x;
    const float *factor; /* a parameter */
} scale_op;

static void scale_backward(trine_pass *p, trine_op *op)
{
    const scale_op *o = (const scale_op *)op;
    const trine_mat dy = trine_grad_of(p, op->made[0]);
    bool fresh;
    const trine_mat dx = trine_grad_for(p, o->x, &fresh);
    float *df = trine_parameter_grad(p, o->factor);
    if (!trine_pass_computes(p)) return;
    for (int i = 0; i < dy.rows * dy.cols; i++) {
        if (dx.rows) dx.data[i] = (fresh ? 0 : dx.data[i]) + *o->factor * dy.data[i];
        if (df) *df += o->x.data[i] * dy.data[i];
    }
}

static trine_mat scale(trine_pass *p, trine_mat x, const float *factor)
{
    trine_mat y = trine_mat_new(p, x.rows, x.cols);
    for (int i = 0; trine_pass_computes(p) && i < x.rows * x.cols; i++) y.data[i] = *factor * x.data[i];
    scale_op *op = trine_tape_note(p, scale_backward, sizeof *op);
    if (!op) return y;
    op->x = x;
    op->factor = factor;
    y.value = trine_tape_made(p, &op->op, y, trine_value_wanted(x) || trine_learns(p, factor));
    return y;
}

typedef struct sum_op {
    trine_op op;
    trine_mat x, z;
} sum_op;

static void sum_backward(trine_pass *p, trine_op *op)
{
    const sum_op *o = (const sum_op *)op;
    trine_grad_share(p, o->x, op->made[0]);
    trine_grad_share(p, o->z, op->made[0]);
}

/* Into x's own memory when nothing is noted, as consuming blocks do. */
static trine_mat sum(trine_pass *p, trine_mat x, trine_mat z)
{
    trine_mat y = trine_pass_notes(p) ? trine_mat_new(p, x.rows, x.cols) : x;
    for (int i = 0; trine_pass_computes(p) && i < x.rows * x.cols; i++) y.data[i] = x.data[i] + z.data[i];
    sum_op *op = trine_tape_note(p, sum_backward, sizeof *op);
    if (!op) return y;
    op->x = x;
    op->z = z;
    y.value = trine_tape_made(p, &op->op, y, trine_value_wanted(x) || trine_value_wanted(z));
    return y;
}

typedef struct loss_op {
    trine_op op;
    trine_mat x;
} loss_op;

static void loss_backward(trine_pass *p, trine_op *op)
{
    bool fresh;
    const trine_mat dx = trine_grad_for(p, ((const loss_op *)op)->x, &fresh);
    for (int i = 0; trine_pass_computes(p) && i < dx.rows * dx.cols; i++) dx.data[i] = (fresh ? 0 : dx.data[i]) + 1;
}

static void loss(trine_pass *p, trine_mat x)
{
    loss_op *op = trine_tape_note(p, loss_backward, sizeof *op);
    if (op) op->x = x;
}

/* x + a (b x) */
static trine_mat layer(trine_pass *p, const void *weights, int n, trine_mat x)
{
    const float *w = (const float *)weights + 2 * n;
    const size_t mark = trine_pass_mark(p);
    x = sum(p, x, scale(p, scale(p, x, &w[1]), &w[0]));
    trine_pass_release(p, mark);
    return x;
}

enum { LAYERS = 5, ROWS = 3, COLS = 7 };

typedef struct step {
    float values[2 * LAYERS + 1], grads[2 * LAYERS + 1];
    trine_kernels kernels;
    trine_arena arena;
    trine_tape tape;
    size_t peak;
} step;

static void run(step *s, bool recompute, bool measuring)
{
    trine_pass p = { .arena = &s->arena, .kernels = &s->kernels, .tape = &s->tape };
    trine_tape_reset(&s->tape);
    s->tape.values = s->values;
    s->tape.grads = s->grads;
    s->tape.n_values = 2 * LAYERS + 1;
    s->tape.recompute = recompute;
    memset(s->grads, 0, sizeof s->grads);
    trine_mat x = trine_mat_new(&p, ROWS, COLS);
    for (int i = 0; !measuring && i < ROWS * COLS; i++) x.data[i] = 0.1f * (float)(i + 1);
    x = scale(&p, x, &s->values[2 * LAYERS]);
    for (int n = 0; n < LAYERS; n++) x = trine_layer(&p, layer, s->values, n, x);
    loss(&p, x);
    trine_backward(&p);
    assert_int_equal(trine_pass_status(&p, NULL), TRINE_OK);
    assert_null(s->tape.last);
    assert_int_equal(s->tape.pool.used, 0);
    for (int i = 0; i < TRINE_GRAD_BLOCKS; i++) assert_int_equal(s->tape.blocks[i].n_users, 0);
}

static void learn(step *s, bool recompute)
{
    *s = (step) { 0 };
    trine_kernels_init(&s->kernels, TRINE_CPU_SCALAR);
    for (int i = 0; i <= 2 * LAYERS; i++) s->values[i] = 0.3f + 0.05f * (float)i;
    assert_int_equal(trine_tape_open(&s->tape, 0, NULL), TRINE_OK);
    trine_arena_measure(&s->arena);
    run(s, recompute, true);
    const size_t arena = s->arena.peak, pool = s->tape.pool.peak;
    assert_int_equal(trine_arena_open(&s->arena, arena, NULL), TRINE_OK);
    assert_int_equal(trine_tape_take_pool(&s->tape, pool, NULL), TRINE_OK);
    run(s, recompute, false);
    assert_int_equal(s->arena.peak, arena);
    assert_int_equal(s->tape.pool.peak, pool);
    s->peak = arena;
}

static void forget(step *s)
{
    trine_tape_close(&s->tape);
    trine_arena_close(&s->arena);
}

/* d/dw of sum(x) prod(1 + a b) c. */
static void gradients_are_those_of_the_formula(void **state)
{
    (void)state;
    step s;
    learn(&s, false);
    double total = 0, product = 1;
    for (int i = 0; i < ROWS * COLS; i++) total += 0.1 * (i + 1);
    for (int n = 0; n < LAYERS; n++) product *= 1 + (double)s.values[2 * n] * (double)s.values[2 * n + 1];
    const double c = (double)s.values[2 * LAYERS];
    assert_float_equal(s.grads[2 * LAYERS], total * product, 1e-4 * total * product);
    for (int n = 0; n < LAYERS; n++) {
        const double a = (double)s.values[2 * n], b = (double)s.values[2 * n + 1];
        assert_float_equal(s.grads[2 * n], total * c * product / (1 + a * b) * b, 1e-3);
        assert_float_equal(s.grads[2 * n + 1], total * c * product / (1 + a * b) * a, 1e-3);
    }
    forget(&s);
}

static void computing_layers_again_changes_memory_only(void **state)
{
    (void)state;
    step kept, again;
    learn(&kept, false);
    learn(&again, true);
    assert_memory_equal(kept.grads, again.grads, sizeof kept.grads);
    assert_true(again.peak < kept.peak);
    forget(&kept);
    forget(&again);
}

static void frozen_parameters_have_no_gradient(void **state)
{
    (void)state;
    float value = 1, frozen = 1, grad = 0;
    trine_tape tape = { .values = &value, .grads = &grad, .n_values = 1 };
    trine_pass p = { .tape = &tape };
    assert_ptr_equal(trine_parameter_grad(&p, &value), &grad);
    assert_null(trine_parameter_grad(&p, &frozen));
    assert_null(trine_parameter_grad(&p, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_those_of_the_formula),
        cmocka_unit_test(computing_layers_again_changes_memory_only),
        cmocka_unit_test(frozen_parameters_have_no_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
