/* toy_run.h - whole runs of the trainer over a learner of a few lines, whose gradients depend on the weights, the batch, the step and the
 * seed: what surrounds learning is tested without a model's passes. */
#ifndef TRINE_TESTS_TOY_RUN_H
#define TRINE_TESTS_TOY_RUN_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "support/random.h"
#include "support/temp.h"
#include "train/train_setup.h"

enum { STEPS = 60 };

typedef struct toy {
    trine_params *params;
    int64_t bad_step; /* whose loss is no number; -1: none */
    int64_t bad_gradient;
    bool bad_valid; /* the validation's loss is no number */
    int sleep_us;
} toy;

/* Each weight is drawn to a point that the batch, the step and the micro-batch give. */
static inline trine_status toy_run(double *loss, double *weight, void *self, const trine_train_batch *b, uint64_t step,
                                   uint64_t micro, float scale, trine_error *err)
{
    (void)err;
    const toy *t = self;
    uint64_t hash = step * 31 + micro;
    for (int i = 0; i < b->n_rows; i++) hash = hash * 1099511628211u + (uint64_t)b->ids[i];
    *weight = trine_batch_weight(b);
    *loss = 0;
    for (size_t i = 0; i < t->params->n; i++) {
        const float d = t->params->values[i] - (float)((hash + i * 2654435761u) % 1000) / 1000;
        if (t->params->values[i] == 0) continue; /* padding stays zero */
        t->params->grads[i] += d * scale * (float)*weight;
        *loss += 1e-3 * (double)d * d;
    }
    if (t->sleep_us) usleep((useconds_t)t->sleep_us);
    if ((int64_t)step == t->bad_step) *loss = NAN;
    if ((int64_t)step == t->bad_gradient) t->params->grads[t->params->tensors[2].offset] = INFINITY;
    return TRINE_OK;
}

static inline trine_status toy_loss(double *loss, double *weight, void *self, const trine_train_batch *b, trine_error *err)
{
    (void)err;
    const toy *t = self;
    *weight = trine_batch_weight(b);
    *loss = 0;
    for (size_t i = 0; i < t->params->n; i++) *loss += 1e-3 * fabs((double)t->params->values[i] - 0.3);
    if (t->bad_valid) *loss = NAN;
    return TRINE_OK;
}

static inline trine_feed *make_feed(int n, bool shuffle)
{
    trine_stored *s;
    trine_feed *f;
    random_state r = { 3 };
    assert_int_equal(trine_stored_open(&s, NULL), TRINE_OK);
    for (int i = 0; i < n; i++) {
        int32_t ids[8];
        const int rows = random_int(&r, 2, 8);
        for (int k = 0; k < rows; k++) ids[k] = random_int(&r, 5, 40);
        trine_batch_add_text(&s->all, ids, NULL, rows, 0);
        trine_batch_add_out(&s->all, 1, ids[1], 1);
    }
    const trine_train_options o = { .batch_texts = 4, .seed = 1 };
    assert_int_equal(trine_train_feed(&f, &s->base, &o, shuffle, NULL), TRINE_OK);
    return f;
}

static int n_valid = 9; /* examples that are measured on */

/* A whole run into `out`; *digest is told of its last weights. */
static inline trine_status run(trine_train_result *result, const char *out, trine_train_options o, toy t, trine_train_fn *on_step,
                               void *user, trine_error *err)
{
    trine_trainer tr = { .kind = "train", .directory.lock = -1 };
    const trine_train_part part = { .paths = (const char *const[]) { "x" }, .n_paths = 1 };
    const trine_train_defaults d = { .epochs = 1, .rate = 0.01, .beta2 = 0.99, .decay = TRINE_DECAY_COSINE, .batch_texts = 4 };
    char path[300];
    snprintf(path, sizeof path, "%s/command/bert-mlm", TRINE_FIXTURES);
    const trine_params_options p = { .checkpoint = path, .grads = true, .adam = true };
    trine_train_options filled;
    o.out = out;
    o.parts = &part;
    o.n_parts = 1;
    o.accumulate = 2;
    o.n_threads = 1;
    o.on_step = on_step;
    o.user = user;
    *result = (trine_train_result) { 0 };
    trine_status status = trine_train_fill(&filled, &o, &d, err);
    if (status) return status;
    tr.options = &filled;
    status = trine_run_directory_open(&tr.directory, &filled, err);
    if (!status) status = trine_params_open(&tr.params, &tr.model, &p, err);
    if (!status) {
        tr.feed = make_feed(50, true);
        tr.valid = make_feed(n_valid, false);
        status = trine_trainer_plan(&tr, err);
    }
    if (!status) {
        trine_train_fill_steps(&filled, &d, tr.n_steps);
        status = trine_train_configuration(&tr.configuration, "train", NULL, &filled, tr.params->config, err);
    }
    t.params = tr.params;
    tr.learner = (trine_learner) { .self = &t, .run = toy_run, .loss = toy_loss };
    tr.save.tokenizer = path;
    if (!status) status = trine_trainer_run(result, &tr, err);
    trine_trainer_close(&tr);
    return status;
}

static const trine_train_options usual = {
    .steps = STEPS, .seed = 1, .save_every = 7, .eval_every = 10, .ema = 0.9f, .clip = 0.5f
};
static const toy harmless = { .bad_step = -1, .bad_gradient = -1 };

static inline char *read_text(const char *path)
{
    char *text;
    size_t n;
    trine_error err = { 0 };
    if (trine_file_read(&text, &n, path, 1 << 26, &err)) fail_msg("%s", err.text);
    return text;
}

static const char *in_folder(const char *out, const char *name)
{
    static char paths[4][400];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, 400, "%s/%s", out, name);
    return path;
}

/* The same weights, best and last, and the same losses at every step. */
static inline void expect_same_run(const char *a, const char *b)
{
    static const char *const files[] = { "model.safetensors", "training/last/model.safetensors" };
    for (int i = 0; i < 2; i++) {
        char *x, *y;
        size_t n_x, n_y;
        const trine_status has_x = trine_file_read(&x, &n_x, in_folder(a, files[i]), 1 << 26, NULL);
        const trine_status has_y = trine_file_read(&y, &n_y, in_folder(b, files[i]), 1 << 26, NULL);
        assert_int_equal(has_x, has_y);
        if (has_x) continue;
        assert_int_equal(n_x, n_y);
        assert_memory_equal(x, y, n_x);
        free(x);
        free(y);
    }
    char *x = read_text(in_folder(a, "training/metrics.jsonl")), *y = read_text(in_folder(b, "training/metrics.jsonl"));
    const char *p = x, *q = y;
    int n = 0;
    for (; *p && *q; n++) {
        /* what follows "tokens" is of the clock, but for validation */
        const char *end_p = strstr(p, ",\"tokens_per_second\""), *end_q = strstr(q, ",\"tokens_per_second\"");
        assert_non_null(end_p);
        assert_non_null(end_q);
        assert_int_equal(end_p - p, end_q - q);
        assert_memory_equal(p, q, (size_t)(end_p - p));
        p = strchr(p, '\n') + 1;
        q = strchr(q, '\n') + 1;
    }
    assert_true(!*p && !*q);
    assert_int_equal(n, STEPS);
    free(x);
    free(y);
}

static inline void run_whole(const char *out)
{
    trine_train_result r;
    trine_error err = { 0 };
    if (run(&r, out, usual, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
    assert_int_equal(r.steps, STEPS);
    assert_true(trine_file_exists(in_folder(out, "config.json")));
}

/* As a user who presses Control-C then; *user is the last step that was told. */
static inline bool stop_at_33(void *user, const trine_train_event *e)
{
    *(int64_t *)user = e->step;
    return e->step != 33;
}

#endif
