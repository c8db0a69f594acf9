/* test_compare.c - two models on the same tokens: the divergence by its formula, a model against itself, against its quantised copy,
 * and what cannot be compared. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "support/temp.h"
#include "tasks/eval.h"
#include "trine/converting.h"

typedef struct opened {
    trine_model *model;
    trine_session *session;
} opened;

static int set_up(void **state) { return *state = (void *)(uintptr_t)temp_make(), 0; }
static int tear_down(void **state)
{
    (void)state;
    temp_remove();
    return 0;
}

static const char *fixture(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/tasks/models/%s", TRINE_FIXTURES, name);
    return path;
}

static opened open_path(const char *path, const trine_session_options *options)
{
    opened o;
    trine_error err;
    if (trine_model_open(&o.model, path, NULL, &err) || trine_session_open(&o.session, o.model, options, &err))
        fail_msg("%s: %s", path, err.text);
    return o;
}

static void close_model(opened o)
{
    trine_session_close(o.session);
    trine_model_close(o.model);
}

/* A model with all matrices in bf16: near, and not the same. */
static const char *rounded(const char *name)
{
    static char out[512];
    trine_error err;
    snprintf(out, sizeof out, "%s", temp_path("rounded.gguf"));
    const trine_quantize_options o = { .type = "bf16", .overwrite = true };
    if (trine_quantize(NULL, out, fixture(name), &o, &err)) fail_msg("%s", err.text);
    return out;
}

static void divergence(void **state)
{
    (void)state;
    static const float p[4] = { 1, 2, -INFINITY, 0.5f }, q[4] = { 0.25f, 3, -1, 0 };
    double sum_p = 0, sum_q = 0, kl = 0;
    for (int i = 0; i < 4; i++) {
        sum_p += exp((double)p[i]);
        sum_q += exp((double)q[i]);
    }
    for (int i = 0; i < 4; i++) {
        const double a = exp((double)p[i]) / sum_p, b = exp((double)q[i]) / sum_q;
        if (a > 0) kl += a * log(a / b);
    }
    trine_beside b = { 0 };
    assert_int_equal(trine_beside_add(&b, p, q, 4, 0, NULL), TRINE_OK);
    assert_true(fabs(b.kl - kl) < 1e-12);
    assert_true(fabs(b.loss - (log(sum_q) - 0.25)) < 1e-12);
    assert_true(b.n == 1 && b.same == 1 && b.right == 0);
    assert_int_equal(trine_beside_add(&b, q, p, 4, 1, NULL), TRINE_OK); /* something where the other has nothing */
    assert_true(isinf(b.kl) && b.right == 1);
    const float bad[2] = { 0, NAN }, fine[2] = { 0, 1 };
    assert_int_equal(trine_beside_add(&b, bad, fine, 2, 0, NULL), TRINE_ERROR_NUMERIC);
    assert_int_equal(trine_beside_add(&b, fine, bad, 2, 0, NULL), TRINE_ERROR_NUMERIC);
}

typedef struct sample {
    const char *model;
    trine_eval_task task;
    const char *text;
} sample;
static const sample samples[] = {
    { "llama-chat", TRINE_EVAL_LM, "A cat sat on the mat. The cat sat on a rug, and a dog sat by the cat on the mat." },
    { "bert-mlm", TRINE_EVAL_MLM, "the cat sat on the mat .\na dog sat by the cat .\nthe mat is a rug ." },
    { "t5-text", TRINE_EVAL_TRANSLATE, "a cat sat\tthe cat\nthe dog\ta dog sat on the mat\n" },
    { "t5-text", TRINE_EVAL_SUMMARIZE, "document\tsummary\na cat sat\tthe cat\nthe dog\ta dog sat on the mat\n" },
};
enum { N_SAMPLES = sizeof samples / sizeof *samples };

static const trine_eval_options *options_of(const sample *s)
{
    static const trine_eval_options translate = { .from = "en", .to = "de", .generate = { .max_tokens = 6 } };
    static const trine_eval_options plain = { .generate = { .max_tokens = 6 } };
    return s->task == TRINE_EVAL_TRANSLATE ? &translate : &plain;
}

static void expect_scores(const trine_eval_result *got, opened o, const sample *s, const char *path)
{
    trine_eval_result want;
    trine_error err;
    if (trine_eval(&want, o.session, s->task, path, options_of(s), &err)) fail_msg("%s: %s", s->model, err.text);
    assert_true(fabs(got->perplexity - want.perplexity) <= 1e-9 * want.perplexity);
    assert_true(fabs(got->bits_per_byte - want.bits_per_byte) <= 1e-9);
    assert_true(fabs(got->accuracy - want.accuracy) <= 1e-12);
    assert_true(fabs(got->bleu - want.bleu) <= 1e-9 && fabs(got->chrf - want.chrf) <= 1e-9);
    assert_true(fabs(got->rouge1 - want.rouge1) <= 1e-9);
    assert_int_equal(got->n_examples, want.n_examples);
}

static void against_itself_and_its_copy(void **state)
{
    (void)state;
    for (int i = 0; i < N_SAMPLES; i++) {
        const sample *s = &samples[i];
        const trine_session_options many = { .ctx = 32, .logit_rows = 24 },
                                    few = { .ctx = 32, .batch_tokens = 32, .logit_rows = 3 };
        char path[256];
        snprintf(path, sizeof path, "%s", temp_write("text.tsv", s->text, strlen(s->text)));
        opened a = open_path(fixture(s->model), &many), b = open_path(fixture(s->model), &many),
               c = open_path(rounded(s->model), &few);
        trine_compare_result r;
        trine_error err;
        if (trine_compare(&r, a.session, b.session, s->task, path, options_of(s), &err)) fail_msg("%s: %s", s->model, err.text);
        assert_true(r.kl == 0 && r.same_top == 1 && r.n_tokens > 0);
        assert_true(r.original.loss > 0 && r.other.loss == r.original.loss);
        expect_scores(&r.original, a, s, path);
        expect_scores(&r.other, b, s, path);
        if (trine_compare(&r, a.session, c.session, s->task, path, options_of(s), &err)) fail_msg("%s: %s", s->model, err.text);
        if (!(r.kl > 0 && r.kl < 0.01)) fail_msg("%s: a divergence of %g from the copy in bf16", s->model, r.kl);
        assert_true(r.same_top > 0.5 && r.same_top <= 1);
        expect_scores(&r.other, c, s, path);
        close_model(a);
        close_model(b);
        close_model(c);
    }
}

static bool stop(void *user, int done, int total)
{
    (void)user;
    (void)done;
    (void)total;
    return false;
}

static void refused(void **state)
{
    (void)state;
    const trine_session_options options = { .ctx = 32 };
    opened lm = open_path(fixture("llama-chat"), &options), lm2 = open_path(fixture("llama-chat"), &options),
           mlm = open_path(fixture("bert-mlm"), &options), roberta = open_path(fixture("roberta-mlm"), &options);
    trine_compare_result r;
    trine_error err = { 0 };
    char path[256];
    snprintf(path, sizeof path, "%s", temp_write("text", samples[0].text, strlen(samples[0].text)));
#define EXPECT(status, says, ...)                                                                                                  \
    do {                                                                                                                           \
        assert_int_equal(trine_compare(__VA_ARGS__, &err), status);                                                                \
        if (!strstr(err.text, says)) fail_msg("says '%s', expected '%s'", err.text, says);                                         \
    } while (0)
    EXPECT(TRINE_ERROR_ARGUMENT, "no result", NULL, lm.session, lm2.session, TRINE_EVAL_LM, path, NULL);
    EXPECT(TRINE_ERROR_ARGUMENT, "no session", &r, lm.session, NULL, TRINE_EVAL_LM, path, NULL);
    EXPECT(TRINE_ERROR_ARGUMENT, "no file", &r, lm.session, lm2.session, TRINE_EVAL_LM, NULL, NULL);
    EXPECT(TRINE_ERROR_ARGUMENT, "not the same model", &r, lm.session, mlm.session, TRINE_EVAL_LM, path, NULL);
    EXPECT(TRINE_ERROR_ARGUMENT, "not the same model", &r, mlm.session, roberta.session, TRINE_EVAL_MLM, path, NULL);
    EXPECT(TRINE_ERROR_ARGUMENT, "compared on lm", &r, lm.session, lm2.session, TRINE_EVAL_TAG, path, NULL);
    EXPECT(TRINE_ERROR_ARGUMENT, "no task 99", &r, lm.session, lm2.session, (trine_eval_task)99, path, NULL);
    EXPECT(TRINE_ERROR_ARGUMENT, "encoder-decoder's", &r, lm.session, lm2.session, TRINE_EVAL_TRANSLATE, path, NULL);
    EXPECT(TRINE_ERROR_ARGUMENT, "limit", &r, lm.session, lm2.session, TRINE_EVAL_LM, path, &(trine_eval_options) { .limit = -1 });
    EXPECT(TRINE_ERROR_NOT_FOUND, "none", &r, lm.session, lm2.session, TRINE_EVAL_LM, temp_path("none"), NULL);
    EXPECT(TRINE_ERROR_CANCELLED, "stopped", &r, lm.session, lm2.session, TRINE_EVAL_LM, path,
           &(trine_eval_options) { .on_progress = stop });
    for (long k = 1;; k++) {
        alloc_fail_at(k);
        const trine_status status = trine_compare(&r, lm.session, lm2.session, TRINE_EVAL_LM, path, NULL, &err);
        alloc_fail_at(0);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
    }
    close_model(lm);
    close_model(lm2);
    close_model(mlm);
    close_model(roberta);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(divergence),
        cmocka_unit_test_setup_teardown(against_itself_and_its_copy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
