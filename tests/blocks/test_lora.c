/* test_lora.c - an adapter beside a product: the sum it should be, for some rows of what was adapted too, and gradients against finite
 * differences in double. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "blocks/tape.h"
#include "support/learn.h"
#include "support/random.h"

enum { ROWS = 5, COLS = 24, OUT = 21, RANK = 3, FIRST = 7, HALF = OUT - FIRST };

/* One weight adapted whole, and its last rows as a weight of their own: of a fused projection. */
typedef struct lora_test {
    float x[ROWS * COLS], dx[ROWS * COLS], factors[ROWS * (OUT + HALF)], w[OUT * COLS];
    float values[RANK * COLS + OUT * RANK + 32], grads[RANK * COLS + OUT * RANK + 32];
    float whole[ROWS * OUT], part[ROWS * HALF];
    uint16_t bf16_w[OUT * COLS];
    trine_lora lora;
    trine_weight weight, view;
} lora_test;

enum { B_AT = (RANK * COLS + 15) / 16 * 16 };

static void body(trine_pass *p, void *user)
{
    lora_test *t = user;
    const trine_mat x = learn_input(p, t->x, ROWS, COLS, t->dx);
    trine_mat y[2];
    trine_linears(p, y, x, (const trine_weight *[]) { &t->weight, &t->view }, 2);
    learn_weigh(p, y[0], t->factors, t->whole);
    learn_weigh(p, y[1], t->factors + ROWS * OUT, t->part);
}

/* The loss in double; out [ROWS, OUT] of the whole weight (NULL: not wanted). */
static double loss(const lora_test *t, float *out)
{
    double sum = 0;
    for (int r = 0; r < ROWS; r++) {
        double h[RANK] = { 0 };
        for (int k = 0; k < RANK; k++)
            for (int c = 0; c < COLS; c++) h[k] += (double)t->values[k * COLS + c] * (double)t->x[r * COLS + c];
        for (int o = 0; o < OUT; o++) {
            double y = 0;
            for (int c = 0; c < COLS; c++) y += (double)t->w[o * COLS + c] * (double)t->x[r * COLS + c];
            for (int k = 0; k < RANK; k++) y += (double)t->lora.scale * (double)t->values[B_AT + o * RANK + k] * h[k];
            if (out) out[r * OUT + o] = (float)y;
            sum += y * (double)t->factors[r * OUT + o];
            if (o >= FIRST) sum += y * (double)t->factors[ROWS * OUT + r * HALF + o - FIRST];
        }
    }
    return sum;
}

static double slope(lora_test *t, float *at)
{
    const float kept = *at, step = 0.25f; /* the loss is of second degree in each: any step is exact */
    *at = kept + step;
    const double more = loss(t, NULL);
    *at = kept - step;
    const double less = loss(t, NULL);
    *at = kept;
    return (more - less) / (2 * (double)step);
}

static void near_to(double have, double want, double bound)
{
    if (fabs(have - want) > bound * (1 + fabs(want))) fail_msg("%g, expected %g", have, want);
}

static void check(lora_test *t, trine_cpu level, int n_threads, random_state *r, bool bf16)
{
    random_fill(r, t->x, ROWS * COLS, 1);
    random_fill(r, t->w, OUT * COLS, 1);
    random_fill(r, t->factors, ROWS * (OUT + HALF), 1);
    random_fill(r, t->values, sizeof t->values / sizeof(float), 1);
    for (int i = 0; bf16 && i < OUT * COLS; i++) {
        t->bf16_w[i] = trine_f32_to_bf16(t->w[i]);
        t->w[i] = trine_bf16_to_f32(t->bf16_w[i]);
    }
    t->lora = (trine_lora) { .a = { .data = t->values, .type = TRINE_F32, .rows = RANK, .cols = COLS },
                             .b = { .data = t->values + B_AT, .type = TRINE_F32, .rows = OUT, .cols = RANK },
                             .scale = 0.5f };
    t->weight = (trine_weight) { .data = bf16 ? (void *)t->bf16_w : (void *)t->w,
                                 .type = bf16 ? TRINE_BF16 : TRINE_F32,
                                 .rows = OUT,
                                 .cols = COLS,
                                 .lora = &t->lora };
    t->view = t->weight;
    t->view.data = bf16 ? (void *)(t->bf16_w + FIRST * COLS) : (void *)(t->w + FIRST * COLS);
    t->view.rows = HALF;
    t->view.lora_first = FIRST;
    learning l = {
        .level = level, .n_threads = n_threads, .values = t->values, .grads = t->grads, .n = sizeof t->values / sizeof(float)
    };
    learn(&l, &(trine_batch) { 0 }, body, t);
    float want[ROWS * OUT];
    loss(t, want);
    for (int i = 0; i < ROWS * OUT; i++) near_to((double)t->whole[i], (double)want[i], 1e-5);
    for (int i = 0; i < ROWS; i++)
        for (int o = 0; o < HALF; o++) near_to((double)t->part[i * HALF + o], (double)want[i * OUT + FIRST + o], 1e-5);
    for (int i = 0; i < RANK * COLS; i++) near_to((double)t->grads[i], slope(t, &t->values[i]), 1e-4);
    for (int i = 0; i < OUT * RANK; i++) near_to((double)t->grads[B_AT + i], slope(t, &t->values[B_AT + i]), 1e-4);
    for (int i = 0; i < ROWS * COLS; i++) near_to((double)t->dx[i], slope(t, &t->x[i]), 1e-4);
}

static void adapters_compute_and_learn(void **state)
{
    (void)state;
    random_state r = random_open("lora");
    static lora_test t;
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        check(&t, (trine_cpu)level, 1, &r, false);
        check(&t, (trine_cpu)level, 3, &r, false);
        check(&t, (trine_cpu)level, 1, &r, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(adapters_compute_and_learn) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
