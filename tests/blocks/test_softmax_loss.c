/* test_softmax_loss.c - cross-entropy over a head's logits against sums in double: few labels and many, chunks of rows, smoothing,
 * weights, rows without a label, a scale, large logits; the same bits on any number of threads. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/size.h"
#include "blocks/blocks.h"
#include "support/learn.h"
#include "support/random.h"
#include "support/run_pass.h"

typedef struct loss_test {
    int rows, d, vocab;
    float *x, *dx, *weights;
    int32_t *labels;
    trine_weight w;
    float smoothing, scale, logit_scale;
    double loss;
} loss_test;

static void *zeros(size_t n, size_t size)
{
    void *memory = calloc(n ? n : 1, size);
    assert_non_null(memory);
    return memory;
}

static void body(trine_pass *p, void *user)
{
    loss_test *t = user;
    const trine_mat x = learn_input(p, t->x, t->rows, t->d, t->dx);
    trine_logits(p, x, &t->w, t->logit_scale);
    trine_softmax_loss(p, &t->loss, t->labels, t->weights, t->smoothing, t->scale);
}

static void close_to(const char *what, const loss_test *t, int level, double got, double expected, double size, double eps)
{
    if (!(fabs(got - expected) <= eps * size + 1e-30))
        fail_msg("level %d, %d x %d to %d, smoothing %g: %s is %g, expected %g (allowed %g)", level, t->rows, t->d, t->vocab,
                 (double)t->smoothing, what, got, expected, eps * size);
}

/* Logits are off by eps times the size of their sum; a probability by as much of itself. */
static void check(const loss_test *t, const learning *l, double eps)
{
    const size_t v = (size_t)t->vocab, d = (size_t)t->d;
    const float *w = t->w.data;
    double *z = zeros(2 * v, sizeof *z), *sizes = z + v, loss = 0, loss_size = 1;
    double *dw = zeros(4 * v * (d + 1), sizeof *dw), *dw_size = dw + v * (d + 1), *db = dw + 2 * v * (d + 1), *db_size = db + v;
    for (size_t i = 0; i < (size_t)t->rows; i++) {
        const double weight = t->weights ? (double)t->weights[i] : 1, smoothing = (double)t->smoothing;
        double max = -INFINITY, sum = 0, mean = 0, error = 0;
        for (size_t j = 0; j < v; j++) {
            z[j] = t->w.bias ? (double)t->w.bias[j] : 0;
            sizes[j] = fabs(z[j]);
            for (size_t k = 0; k < d; k++) {
                z[j] += (double)t->x[i * d + k] * (double)w[j * d + k];
                sizes[j] += fabs((double)t->x[i * d + k] * (double)w[j * d + k]);
            }
            z[j] *= (double)t->logit_scale;
            error = fmax(error, sizes[j] * fabs((double)t->logit_scale) * (eps + 0x1p-24 * (double)(d + 8)));
            max = fmax(max, z[j]);
            mean += z[j] / (double)v;
        }
        for (size_t j = 0; j < v; j++) sum += exp(z[j] - max);
        const int label = t->labels[i];
        if (label >= 0) loss += weight * (max + log(sum) - (1 - smoothing) * z[label] - smoothing * mean);
        if (label >= 0) loss_size += weight * (fabs(max) + error / 0x1p-22 + 10);
        for (size_t k = 0; k < d; k++) {
            double dx = 0, size = 0;
            for (size_t j = 0; j < v && label >= 0; j++) {
                const double p = exp(z[j] - max) / sum, factor = weight * (double)t->scale * (double)t->logit_scale;
                const double dz = factor * (p - (1 - smoothing) * ((int)j == label) - smoothing / (double)v);
                const double off =
                    fabs(factor) * (p * (2 * error + 1e-6) + (eps + 3e-7) * ((int)j == label ? 1.0 : p + smoothing / (double)v));
                dx += dz * (double)w[j * d + k];
                size += (off + fabs(dz) * (eps + 0x1p-22)) * fabs((double)w[j * d + k]) +
                        fabs(dz * (double)w[j * d + k]) * 0x1p-24 * (double)v;
                dw[j * d + k] += dz * (double)t->x[i * d + k];
                dw_size[j * d + k] += (off + fabs(dz) * (eps + 0x1p-22 + 0x1p-24 * t->rows)) * fabs((double)t->x[i * d + k]);
                if (k == 0) db[j] += dz;
                if (k == 0) db_size[j] += off + fabs(dz) * (0x1p-22 + 0x1p-24 * t->rows);
            }
            close_to("dx", t, l->level, (double)t->dx[i * d + k], dx, size, 1);
        }
    }
    close_to("loss", t, l->level, t->loss, loss, loss_size, 0x1p-22);
    for (size_t at = 0; at < v * d; at++) close_to("dW", t, l->level, (double)l->grads[at], dw[at], dw_size[at], 1);
    for (size_t j = 0; j < v && t->w.bias; j++) close_to("db", t, l->level, (double)l->grads[v * d + j], db[j], db_size[j], 1);
    free(z);
    free(dw);
}

static void run_one(random_state *r, trine_cpu level, int rows, int d, int vocab, bool bf16, float size)
{
    loss_test t = { .rows = rows, .d = d, .vocab = vocab, .scale = 0.25f, .logit_scale = random_int(r, 0, 1) ? 1 : 0.5f };
    const size_t n = (size_t)vocab * (size_t)d;
    learning l = { .level = level, .n = n + (size_t)vocab };
    l.values = zeros(l.n, sizeof *l.values);
    l.grads = zeros(l.n, sizeof *l.grads);
    if (bf16) l.bf16 = zeros(l.n, sizeof *l.bf16);
    random_fill(r, l.values, l.n, size / sqrtf((float)d));
    t.w = (trine_weight) {
        .data = l.values, .type = TRINE_F32, .rows = vocab, .cols = d, .bias = random_int(r, 0, 1) ? l.values + n : NULL
    };
    t.x = zeros((size_t)(rows * d), sizeof *t.x);
    t.dx = zeros((size_t)(rows * d), sizeof *t.dx);
    t.labels = zeros((size_t)rows, sizeof *t.labels);
    random_fill(r, t.x, (size_t)(rows * d), 1);
    if (random_int(r, 0, 1)) {
        t.weights = zeros((size_t)rows, sizeof *t.weights);
        for (int i = 0; i < rows; i++) t.weights[i] = (float)random_unit(r);
    }
    if (random_int(r, 0, 1)) t.smoothing = 0.1f;
    for (int i = 0; i < rows; i++) t.labels[i] = random_int(r, 0, 4) ? random_int(r, 0, vocab - 1) : -100;
    trine_segment segment;
    const trine_batch batch = one_segment(&segment, rows);
    l.n_threads = 1;
    learn(&l, &batch, body, &t);
    check(&t, &l, bf16 ? 0x1p-7 : 0);
    float *grads = zeros(l.n, sizeof *grads), *dx = zeros((size_t)(rows * d), sizeof *dx);
    const double loss = t.loss;
    memcpy(grads, l.grads, l.n * sizeof *grads);
    memcpy(dx, t.dx, (size_t)(rows * d) * sizeof *dx);
    l.n_threads = 3;
    learn(&l, &batch, body, &t);
    assert_true(loss == t.loss);
    assert_memory_equal(grads, l.grads, l.n * sizeof *grads);
    assert_memory_equal(dx, t.dx, (size_t)(rows * d) * sizeof *dx);
    free(grads);
    free(dx);
    free(l.values);
    free(l.grads);
    free(l.bf16);
    free(t.x);
    free(t.dx);
    free(t.labels);
    free(t.weights);
}

static void losses_agree(void **state)
{
    (void)state;
    random_state r = random_open("loss");
    for (int level = TRINE_CPU_SCALAR; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        for (int round = 0; round < 12; round++)
            run_one(&r, (trine_cpu)level, random_int(&r, 1, 60), random_int(&r, 1, 70), round % 3 ? random_int(&r, 2, 9) : 300,
                    round % 2, round % 4 ? 1.0f : 40.0f);
        run_one(&r, (trine_cpu)level, 700, 9, 33, false, 1); /* more rows than a chunk has */
    }
}

/* A label that the head does not have, and a loss without a head. */
static void wrong_body(trine_pass *p, void *user)
{
    loss_test *t = user;
    const trine_mat x = learn_input(p, t->x, t->rows, t->d, NULL);
    if (t->d == 1) trine_logits(p, x, &t->w, 1);
    trine_softmax_loss(p, &t->loss, t->labels, NULL, 0, 1);
}

static void wrong_labels_fail(void **state)
{
    (void)state;
    float x[2] = { 1, 2 }, values[3] = { 1, 2, 3 };
    int32_t labels[2] = { 0, 3 };
    for (int d = 1; d <= 2; d++) {
        loss_test t = { .rows = 2 / d, .d = d, .vocab = 3, .x = x, .labels = labels, .w = { values, TRINE_F32, 3, d, NULL } };
        trine_tape tape;
        trine_arena arena;
        trine_kernels kernels;
        trine_error err = { 0 };
        trine_kernels_init(&kernels, TRINE_CPU_SCALAR);
        assert_int_equal(trine_tape_open(&tape, 0, NULL), TRINE_OK);
        assert_int_equal(trine_arena_open(&arena, 1 << 20, NULL), TRINE_OK);
        trine_pass p = { .arena = &arena, .kernels = &kernels, .tape = &tape };
        wrong_body(&p, &t);
        assert_int_equal(trine_pass_status(&p, &err), d == 1 ? TRINE_ERROR_ARGUMENT : TRINE_ERROR_INTERNAL);
        assert_non_null(strstr(err.text, d == 1 ? "label 3 of row 1" : "no head"));
        trine_arena_close(&arena);
        trine_tape_close(&tape);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(losses_agree), cmocka_unit_test(wrong_labels_fail) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
