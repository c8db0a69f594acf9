/* test_eval_ranks.c - trine_eval by several ranks, which are threads here: each task's figures are those of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "support/temp.h"
#include "support/thread_ranks.h"

typedef struct job {
    const char *model, *path;
    trine_eval_task task;
    trine_eval_options options;
    trine_status status[4];
    trine_error err[4];
    trine_eval_result result[4];
} job;

static void measure(trine_ranks *ranks, void *user)
{
    job *j = user;
    const int rank = ranks ? ranks->rank : 0;
    char path[400];
    trine_model *m;
    trine_session *s = NULL;
    trine_error *err = &j->err[rank];
    const trine_session_options options = { .n_threads = 1, .ctx = 48, .source_ctx = 64, .batch_tokens = 64 };
    trine_eval_options o = j->options;
    o.ranks = ranks;
    snprintf(path, sizeof path, "%s/tasks/models/%s", TRINE_FIXTURES, j->model);
    j->status[rank] = trine_model_open(&m, path, NULL, err);
    if (!j->status[rank]) j->status[rank] = trine_session_open(&s, m, &options, err);
    if (!j->status[rank]) j->status[rank] = trine_eval(&j->result[rank], s, j->task, j->path, &o, err);
    trine_session_close(s);
    trine_model_close(m);
}

/* Batches differ, so floats are rounded otherwise; counts are the same. */
static void near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-5 * fabs(a))) fail_msg("%.9g by one, %.9g by many", a, b);
}

static void expect_same(job j)
{
    job alone = j;
    measure(NULL, &alone);
    if (alone.status[0]) fail_msg("%s", alone.err[0].text);
    for (int n = 2; n <= 3; n++) {
        thread_ranks_run(n, measure, &j);
        for (int i = 0; i < n; i++) {
            const trine_eval_result *a = &alone.result[0], *b = &j.result[i];
            if (j.status[i]) fail_msg("%d ranks, rank %d: %s", n, i, j.err[i].text);
            assert_int_equal(a->n_tokens, b->n_tokens);
            assert_int_equal(a->n_examples, b->n_examples);
            near(a->perplexity, b->perplexity);
            near(a->bits_per_byte, b->bits_per_byte);
            near(a->accuracy, b->accuracy);
            near(a->loss, b->loss);
            near(a->precision, b->precision);
            near(a->recall, b->recall);
            near(a->f1, b->f1);
            near(a->bleu, b->bleu);
            near(a->chrf, b->chrf);
            near(a->rouge1, b->rouge1);
            near(a->rougeL, b->rougeL);
        }
    }
}

static const char *repeated(const char *name, const char *head, const char *one, const char *other, int n)
{
    char text[20000];
    size_t at = (size_t)snprintf(text, sizeof text, "%s", head);
    for (int i = 0; i < n; i++) at += (size_t)snprintf(text + at, sizeof text - at, "%s", i % 3 ? one : other);
    return temp_write(name, text, at);
}

static void figures_are_those_of_one(void **state)
{
    (void)state;
    temp_make();
    expect_same((job) { .model = "llama-chat",
                        .task = TRINE_EVAL_LM,
                        .options.window = 16,
                        .path = repeated("lm.txt", "", "the cat sat on the mat. ", "a dog ran far. ", 40) });
    expect_same((job) { .model = "bert-mlm",
                        .task = TRINE_EVAL_MLM,
                        .path = repeated("mlm.txt", "", "the cat sat on the mat\n", "a dog ran\n", 150) });
    expect_same((job) { .model = "bert-classify",
                        .task = TRINE_EVAL_CLASSIFY,
                        .path = repeated("c.tsv", "label\ttext\n", "0\tthe cat sat\n", "1\ta dog ran\n", 150) });
    expect_same((job) { .model = "bert-tags",
                        .task = TRINE_EVAL_TAG,
                        .path = repeated("t.conll", "", "the\tO\ncat\tI-PER\nsat\tO\n\n", "a\tO\ndog\tI-LOC\n\n", 40) });
    job text = { .model = "t5-text",
                 .task = TRINE_EVAL_TRANSLATE,
                 .path = repeated("p.tsv", "source\ttarget\n", "the cat\tthe cat sat\n", "a dog\ta dog ran\n", 9) };
    text.options.prefix = "";
    text.options.generate.max_tokens = 6;
    expect_same(text);
    text.task = TRINE_EVAL_SUMMARIZE;
    expect_same(text);
    temp_remove();
}

static void what_is_wrong_is_told_to_all(void **state)
{
    (void)state;
    temp_make();
    job j = { .model = "bert-classify",
              .task = TRINE_EVAL_CLASSIFY,
              .path = temp_write("bad.tsv", "label\ttext\n0\ta\nweird\tb\n0\tc\n", 27) };
    thread_ranks_run(3, measure, &j);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(j.status[i], TRINE_ERROR_FORMAT);
        assert_non_null(strstr(j.err[i].text, "rank 1: "));
        assert_non_null(strstr(j.err[i].text, "line 3: the label 'weird'"));
    }
    temp_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_those_of_one),
        cmocka_unit_test(what_is_wrong_is_told_to_all),
    };
    return cmocka_run_group_tests_name("eval_ranks", tests, NULL, NULL);
}
