/* test_task_batches.c - many texts in few passes are what each is alone: masks filled, labels, entities. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "trine.h"

static const char *const plain[] = { "Anna went to Oslo and Paris.", "A cat sat", "the old dog slept near the door", "Oslo",
                                     "Paris is the capital of France" };
static const char *const gapped[] = { "A [MASK] sat", "[MASK] is [MASK] of [MASK]", "the old dog slept near the [MASK]",
                                      "[MASK] [MASK] [MASK] [MASK]", "Oslo [MASK]" };
static const char *const pairs[] = { "A cat", NULL, "the dog", NULL, "Oslo" };
enum { N = 5 };

typedef struct opened {
    trine_model *model;
    trine_session *session;
} opened;

static opened open_model(const char *name, trine_session_options options)
{
    char path[512];
    opened o;
    trine_error err;
    snprintf(path, sizeof path, "%s/tasks/models/%s", TRINE_FIXTURES, name);
    if (trine_model_open(&o.model, path, NULL, &err) || trine_session_open(&o.session, o.model, &options, &err))
        fail_msg("%s: %s", name, err.text);
    return o;
}

static void close_model(opened o)
{
    trine_session_close(o.session);
    trine_model_close(o.model);
}

static void assert_near(float a, float b) { assert_true(fabsf(a - b) <= 1e-5f); }

/* All in one pass; few tokens and few rows of logits a pass. */
static const trine_session_options sessions[] = { { .batch_tokens = 200, .logit_rows = 40 },
                                                  { .ctx = 24, .batch_tokens = 24, .logit_rows = 2 },
                                                  { .ctx = 24, .batch_tokens = 40, .logit_rows = 5 } };
enum { N_SESSIONS = 3 };

static void fills(void **state)
{
    (void)state;
    const trine_task_options options = { .top_k = 3 };
    for (int k = 0; k < N_SESSIONS; k++) {
        opened o = open_model("bert-mlm", sessions[k]);
        trine_fill_result all[N], one;
        trine_error err;
        if (trine_fill_batch(all, o.session, gapped, N, &options, &err)) fail_msg("%s", err.text);
        for (int i = 0; i < N; i++) {
            if (trine_fill(&one, o.session, gapped[i], &options, &err)) fail_msg("%s", err.text);
            assert_int_equal(all[i].n_masks, one.n_masks);
            assert_string_equal(all[i].text, one.text);
            for (int c = 0; c < one.n_masks * one.n_choices; c++) {
                assert_int_equal(all[i].choices[c].id, one.choices[c].id);
                assert_near(all[i].choices[c].score, one.choices[c].score);
                assert_string_equal(all[i].choices[c].text, one.choices[c].text);
            }
            trine_fill_result_clear(&one);
            trine_fill_result_clear(&all[i]);
        }
        close_model(o);
    }
}

static void classifies(void **state)
{
    (void)state;
    for (int k = 0; k < N_SESSIONS; k++) {
        opened o = open_model("bert-classify", sessions[k]);
        for (int with_pairs = 0; with_pairs < 2; with_pairs++) {
            trine_labels all[N], one;
            trine_error err;
            if (trine_classify_batch(all, o.session, plain, with_pairs ? pairs : NULL, N, NULL, &err)) fail_msg("%s", err.text);
            for (int i = 0; i < N; i++) {
                const trine_task_options options = { .pair = with_pairs ? pairs[i] : NULL };
                if (trine_classify(&one, o.session, plain[i], &options, &err)) fail_msg("%s", err.text);
                assert_int_equal(all[i].n, one.n);
                for (int c = 0; c < one.n; c++) {
                    assert_string_equal(all[i].items[c].label, one.items[c].label);
                    assert_near(all[i].items[c].score, one.items[c].score);
                }
                trine_labels_clear(&one);
                trine_labels_clear(&all[i]);
            }
        }
        close_model(o);
    }
}

static void tags(void **state)
{
    (void)state;
    for (int k = 0; k < N_SESSIONS; k++) {
        opened o = open_model("bert-tags", sessions[k]);
        trine_entities all[N], one;
        trine_error err;
        if (trine_tag_batch(all, o.session, plain, N, NULL, &err)) fail_msg("%s", err.text);
        for (int i = 0; i < N; i++) {
            if (trine_tag(&one, o.session, plain[i], NULL, &err)) fail_msg("%s", err.text);
            assert_int_equal(all[i].n, one.n);
            for (int c = 0; c < one.n; c++) {
                assert_string_equal(all[i].items[c].group, one.items[c].group);
                assert_string_equal(all[i].items[c].text, one.items[c].text);
                assert_near(all[i].items[c].score, one.items[c].score);
            }
            trine_entities_clear(&one);
            trine_entities_clear(&all[i]);
        }
        close_model(o);
    }
}

/* One that is bad is named, and there are no results; nor are there where memory runs out. */
static void all_or_none(void **state)
{
    (void)state;
    opened mlm = open_model("bert-mlm", sessions[0]), tagger = open_model("bert-tags", sessions[0]),
           topics = open_model("bert-classify", sessions[0]);
    const char *const bad[] = { "A [MASK]", "", "[MASK]" }, *const no_gap[] = { "A [MASK]", "a cat" };
    const trine_task_options ids = { .ids = (const int32_t[]) { 1 }, .n_ids = 1 }, pair = { .pair = "a" };
    trine_fill_result fill[3];
    trine_labels labels[3];
    trine_entities entities[3];
    trine_error err;
    assert_int_equal(trine_fill_batch(fill, mlm.session, bad, 3, NULL, &err), TRINE_ERROR_EMPTY);
    assert_non_null(strstr(err.text, "text 2 of 3"));
    assert_int_equal(trine_fill_batch(fill, mlm.session, no_gap, 2, NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_classify_batch(labels, topics.session, bad, NULL, 3, NULL, &err), TRINE_ERROR_EMPTY);
    assert_int_equal(trine_tag_batch(entities, tagger.session, bad, 3, NULL, &err), TRINE_ERROR_EMPTY);
    for (int i = 0; i < 3; i++) assert_true(!fill[i].choices && !labels[i].items && !entities[i].items);
    assert_int_equal(trine_fill_batch(fill, mlm.session, bad, 3, &ids, &err), TRINE_ERROR_ARGUMENT);
    memset(labels, 0xAA, 3 * sizeof *labels); /* results are empty whatever it is that fails */
    assert_int_equal(trine_classify_batch(labels, topics.session, bad, NULL, 3, &pair, &err), TRINE_ERROR_ARGUMENT);
    for (int i = 0; i < 3; i++) trine_labels_clear(&labels[i]);
    memset(labels, 0xAA, sizeof *labels);
    assert_int_equal(trine_classify(labels, NULL, "a", NULL, &err), TRINE_ERROR_ARGUMENT);
    trine_labels_clear(labels);
    assert_int_equal(trine_tag_batch(NULL, tagger.session, bad, 3, NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_tag_batch(entities, tagger.session, NULL, 0, NULL, &err), TRINE_OK);
    for (int task = 0; task < 3; task++) {
        for (long k = 1;; k++) {
            trine_status status;
            alloc_fail_at(k);
            if (task == 0) status = trine_fill_batch(fill, mlm.session, gapped, 2, NULL, NULL);
            if (task == 1) status = trine_classify_batch(labels, topics.session, plain, NULL, 2, NULL, NULL);
            if (task == 2) status = trine_tag_batch(entities, tagger.session, plain, 2, NULL, NULL);
            alloc_fail_at(0);
            for (int i = 0; i < 2; i++) {
                const bool there = task == 0   ? fill[i].choices != NULL
                                   : task == 1 ? labels[i].items != NULL
                                               : entities[i].items != NULL;
                assert_int_equal(there, status == TRINE_OK);
                if (task == 0) trine_fill_result_clear(&fill[i]);
                if (task == 1) trine_labels_clear(&labels[i]);
                if (task == 2) trine_entities_clear(&entities[i]);
            }
            if (status == TRINE_OK) break;
            assert_int_equal(status, TRINE_ERROR_MEMORY);
        }
    }
    close_model(mlm);
    close_model(tagger);
    close_model(topics);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(fills), cmocka_unit_test(classifies), cmocka_unit_test(tags),
                                        cmocka_unit_test(all_or_none) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
