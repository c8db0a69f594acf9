/* test_step.c - what a step refuses, that it survives a lack of memory, and the contrast of pairs against differences. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/model.h"
#include "support/alloc.h"
#include "support/random.h"
#include "train/step.h"
#include "trine/understanding.h"

typedef struct trained {
    trine_params *params;
    trine_model *model;
    trine_step *step;
} trained;

static void begin(trained *t, const char *name, trine_step_options options)
{
    char path[512];
    trine_error err = { 0 };
    snprintf(path, sizeof path, "%s/models/%s", TRINE_FIXTURES, name);
    if (trine_params_open(&t->params, &t->model, &(trine_params_options) { .checkpoint = path, .grads = true }, &err))
        fail_msg("%s", err.text);
    if (trine_step_open(&t->step, t->model, t->params, &options, &err)) fail_msg("%s", err.text);
}

static void end(trained *t)
{
    trine_step_close(t->step);
    trine_model_close(t->model);
    trine_params_close(t->params);
}

static const int32_t ids[6] = { 3, 4, 5, 6, 7, 8 }, rows[6] = { 0, 1, 2, 3, 4, 5 };
static const trine_segment segments[2] = { { .n_rows = 2 }, { .first_row = 2, .n_rows = 4 } };
static const trine_train_batch two_texts = {
    .n_texts = 2, .n_rows = 6, .ids = ids, .segments = segments, .n_out = 6, .out_rows = rows, .labels = ids
};

static void refuses(trained *t, const trine_train_batch *b, trine_status status, const char *part)
{
    trine_error err = { 0 };
    double loss, weight;
    const trine_status got = trine_step_run(&loss, &weight, t->step, b, 1, &err);
    if (got != status || !strstr(err.text, part))
        fail_msg("status %d, \"%s\"; expected %d and \"%s\"", got, err.text, status, part);
    for (size_t i = 0; i < t->params->n; i++) assert_true(t->params->grads[i] == 0);
}

static void bad_batches_are_refused(void **state)
{
    (void)state;
    trained t;
    begin(&t, "bert-mlm", (trine_step_options) { .n_threads = 1 });
    trine_train_batch b = two_texts;
    b.ids = (const int32_t[]) { 3, 4, 1 << 20, 6, 7, 8 };
    refuses(&t, &b, TRINE_ERROR_ARGUMENT, "1048576");
    b = two_texts;
    b.types = (const int32_t[]) { 0, 0, 77, 0, 0, 0 };
    refuses(&t, &b, TRINE_ERROR_ARGUMENT, "type 77");
    b = two_texts;
    b.labels = (const int32_t[]) { 3, 4, 5, 6, 7, 1 << 20 };
    refuses(&t, &b, TRINE_ERROR_ARGUMENT, "label");
    b = two_texts;
    b.n_target_rows = 6;
    b.target_ids = ids;
    b.target_segments = segments;
    refuses(&t, &b, TRINE_ERROR_ARGUMENT, "targets");
    int32_t long_ids[300] = { 0 };
    b = two_texts;
    b.ids = long_ids;
    b.n_rows = 300;
    b.segments = (const trine_segment[]) { { .n_rows = 1 }, { .first_row = 1, .n_rows = 299 } };
    refuses(&t, &b, TRINE_ERROR_TOO_LONG, "299");
    /* And the next batch is computed. */
    double loss, weight;
    trine_error err;
    assert_int_equal(trine_step_run(&loss, &weight, t.step, &two_texts, 1, &err), TRINE_OK);
    assert_true(loss > 0 && weight == 6);
    end(&t);
    begin(&t, "t5-v1.0", (trine_step_options) { .n_threads = 1 });
    refuses(&t, &two_texts, TRINE_ERROR_ARGUMENT, "targets");
    end(&t);
}

/* Where every allocation fails in turn, the step says so; later it computes what it would have. */
static void memory_may_run_out(void **state)
{
    (void)state;
    trained t;
    trine_error err;
    double expected, loss, weight;
    begin(&t, "gpt2", (trine_step_options) { .n_threads = 1 });
    assert_int_equal(trine_step_loss(&expected, &weight, t.step, &two_texts, &err), TRINE_OK);
    trine_step_close(t.step);
    t.step = NULL;
    for (long k = 1;; k++) {
        alloc_fail_at(k);
        trine_status status = trine_step_open(&t.step, t.model, t.params, &(trine_step_options) { .n_threads = 2 }, &err);
        if (!status) status = trine_step_run(&loss, &weight, t.step, &two_texts, 1, &err);
        alloc_fail_at(0);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
        if (t.step) {
            assert_int_equal(trine_step_run(&loss, &weight, t.step, &two_texts, 1, &err), TRINE_OK);
            assert_float_equal(loss, expected, 1e-5 * expected);
        }
        trine_step_close(t.step);
        t.step = NULL;
    }
    end(&t);
}

/* The loss by the vectors that trine_embed gives. */
static double loss_of_vectors(const trained *t, const trine_train_batch *b, trine_pooling pooling)
{
    enum { MOST = 8, WIDTH = 64 };
    const int d = trine_model_get_info(t->model)->d_embedding, n = b->n_texts;
    trine_session *s;
    trine_error err;
    const int32_t *texts[MOST];
    int n_ids[MOST];
    float v[MOST * WIDTH];
    double loss = 0;
    assert_true(n <= MOST && d <= WIDTH);
    for (int i = 0; i < n; i++) {
        texts[i] = b->ids + b->segments[i].first_row;
        n_ids[i] = b->segments[i].n_rows;
    }
    if (trine_session_open(&s, t->model, &(trine_session_options) { .n_threads = 1 }, &err)) fail_msg("%s", err.text);
    if (trine_embed_ids(v, s, texts, n_ids, n, &(trine_task_options) { .pooling = pooling }, &err)) fail_msg("%s", err.text);
    trine_session_close(s);
    for (int i = 0; i < n; i += 2) {
        double sum = 0, own = 0;
        for (int j = 1; j < n; j += 2) {
            double ab = 0, aa = 0, bb = 0;
            for (int k = 0; k < d; k++) {
                const double x = (double)v[i * d + k], y = (double)v[j * d + k];
                ab += x * y;
                aa += x * x;
                bb += y * y;
            }
            const double score = 20 * ab / sqrt(aa * bb);
            sum += exp(score);
            if (j == i + 1) own = score;
        }
        loss += log(sum) - own;
    }
    return loss;
}

/* Pairs of a plain encoder. Differences of fourth order in f32: rounding of 1e-6 over a step of 0.01; a tenth of it where a step may
 * change which number is the largest. */
static void check_pairs(trine_pooling pooling)
{
    const double step = pooling == TRINE_POOL_MAX ? 0.001 : 0.01, slack = pooling == TRINE_POOL_MAX ? 2e-2 : 2e-3;
    trained t;
    trine_error err;
    double loss[5], weight;
    random_state r = random_open("pairs");
    begin(&t, "bert-plain", (trine_step_options) { .n_threads = 2, .contrast = true });
    t.model->info.pooling = pooling;
    int32_t text[19];
    trine_segment pairs[6];
    for (int i = 0; i < 19; i++) text[i] = random_int(&r, 3, 40);
    for (int i = 0, row = 0; i < 6; row += pairs[i++].n_rows) pairs[i] = (trine_segment) { .first_row = row, .n_rows = i % 5 + 1 };
    const trine_train_batch b = { .n_texts = 6, .n_rows = 16, .ids = text, .segments = pairs };
    assert_int_equal(trine_step_run(&loss[0], &weight, t.step, &b, 1, &err), TRINE_OK);
    const double expected = loss_of_vectors(&t, &b, pooling);
    if (!(fabs(loss[0] - expected) <= 1e-4 * expected)) fail_msg("pooling %d: %g, expected %g", (int)pooling, loss[0], expected);
    double most = 0;
    for (size_t i = 0; i < t.params->n; i++) most = fmax(most, fabs((double)t.params->grads[i]));
    for (int sample = 0; sample < 60; sample++) {
        const trine_param *tensor = &t.params->tensors[random_int(&r, 0, t.params->n_tensors - 1)];
        float *at = t.params->values + tensor->offset + (size_t)random_int(&r, 0, (int)tensor->n - 1), before = *at;
        for (int i = -2; i <= 2; i++) {
            *at = before + (float)(i * step);
            assert_int_equal(trine_step_loss(&loss[i + 2], &weight, t.step, &b, &err), TRINE_OK);
        }
        *at = before;
        const double slope = (8 * (loss[3] - loss[1]) - (loss[4] - loss[0])) / (12 * step),
                     got = (double)t.params->grads[at - t.params->values];
        if (!(fabs(slope - got) <= slack * most))
            fail_msg("pooling %d, %s: %g, expected %g, the largest %g", (int)pooling, tensor->name, got, slope, most);
    }
    end(&t);
}

static void pairs_are_told_apart(void **state)
{
    (void)state;
    for (trine_pooling p = TRINE_POOL_MEAN; p <= TRINE_POOL_LAST; p++) check_pairs(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_batches_are_refused),
        cmocka_unit_test(memory_may_run_out),
        cmocka_unit_test(pairs_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
