/* Metrics against the packages that define them (tools/make_metric_fixtures.py). Tolerance: the same counts and the same
 * formula in doubles, so only the order of a few operations may differ: 1e-9 of a score. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "tasks/metrics.h"

static json_t *fixtures;

static int open_fixtures(void **state)
{
    (void)state;
    json_error_t error;
    fixtures = json_load_file(TRINE_FIXTURES "/tasks/metrics.json", 0, &error);
    return fixtures ? 0 : -1;
}

static int close_fixtures(void **state)
{
    (void)state;
    json_decref(fixtures);
    return 0;
}

static void assert_close(double got, double expected, const char *what, size_t i)
{
    if (!(fabs(got - expected) <= 1e-9 * fmax(1, fabs(expected))))
        fail_msg("%s of case %zu: got %.12f, expected %.12f", what, i, got, expected);
}

static const char *text_at(const json_t *list, size_t i) { return json_string_value(json_array_get(list, i)); }

static void bleu_and_chrf(void **state)
{
    (void)state;
    size_t i, j;
    json_t *c, *h;
    assert_true(json_array_size(json_object_get(fixtures, "translation")) > 50);
    json_array_foreach(json_object_get(fixtures, "translation"), i, c)
    {
        trine_bleu bleu = { 0 };
        trine_chrf chrf = { 0 };
        const json_t *references = json_object_get(c, "references");
        json_array_foreach(json_object_get(c, "hypotheses"), j, h)
        {
            assert_int_equal(trine_bleu_add(&bleu, json_string_value(h), text_at(references, j), NULL), TRINE_OK);
            assert_int_equal(trine_chrf_add(&chrf, json_string_value(h), text_at(references, j), NULL), TRINE_OK);
        }
        assert_close(trine_bleu_score(&bleu), json_number_value(json_object_get(c, "bleu")), "BLEU", i);
        assert_close(trine_chrf_score(&chrf), json_number_value(json_object_get(c, "chrf")), "chrF", i);
    }
}

static void rouge(void **state)
{
    (void)state;
    size_t i, j;
    json_t *c, *r;
    json_array_foreach(json_object_get(fixtures, "summaries"), i, c)
    {
        const char *references[8];
        const json_t *scores = json_object_get(c, "scores");
        json_array_foreach(json_object_get(c, "references"), j, r) references[j] = json_string_value(r);
        trine_rouge got;
        assert_int_equal(trine_rouge_score(&got, json_string_value(json_object_get(c, "prediction")), references, (int)j, NULL),
                         TRINE_OK);
        assert_close(got.rouge1, json_number_value(json_array_get(scores, 0)), "ROUGE-1", i);
        assert_close(got.rouge2, json_number_value(json_array_get(scores, 1)), "ROUGE-2", i);
        assert_close(got.rougeL, json_number_value(json_array_get(scores, 2)), "ROUGE-L", i);
    }
}

static void entities(void **state)
{
    (void)state;
    size_t i, j;
    json_t *c, *sentence;
    json_array_foreach(json_object_get(fixtures, "tags"), i, c)
    {
        trine_entity_counts counts = { 0 };
        const json_t *scores = json_object_get(c, "scores");
        json_array_foreach(json_object_get(c, "gold"), j, sentence)
        {
            const char *gold[32], *guessed[32];
            const int n = (int)json_array_size(sentence);
            const json_t *other = json_array_get(json_object_get(c, "guessed"), j);
            for (int k = 0; k < n; k++) {
                gold[k] = text_at(sentence, (size_t)k);
                guessed[k] = text_at(other, (size_t)k);
            }
            trine_entity_counts_add(&counts, guessed, gold, n);
        }
        double p, r, f;
        trine_entity_counts_score(&counts, &p, &r, &f);
        assert_close(p, json_number_value(json_array_get(scores, 0)), "precision", i);
        assert_close(r, json_number_value(json_array_get(scores, 1)), "recall", i);
        assert_close(f, json_number_value(json_array_get(scores, 2)), "F1", i);
    }
}

static void labels(void **state)
{
    (void)state;
    size_t i, j;
    json_t *c, *g;
    json_array_foreach(json_object_get(fixtures, "labels"), i, c)
    {
        int64_t counts[64] = { 0 };
        const int n = (int)json_integer_value(json_object_get(c, "n"));
        json_array_foreach(json_object_get(c, "gold"), j, g)
            counts[json_integer_value(g) * n + json_integer_value(json_array_get(json_object_get(c, "guessed"), j))]++;
        double accuracy, f1;
        trine_label_scores(&accuracy, &f1, counts, n);
        assert_close(accuracy, json_number_value(json_object_get(c, "accuracy")), "accuracy", i);
        assert_close(f1, json_number_value(json_object_get(c, "f1")), "macro F1", i);
    }
}

static void memory_fails_at_each_call(void **state)
{
    (void)state;
    static const char *const reference[] = { "a cat sat on a mat, 3.5 times" };
    for (long k = 1;; k++) {
        trine_bleu bleu = { 0 };
        trine_chrf chrf = { 0 };
        trine_rouge rouge_one;
        alloc_fail_at(k);
        trine_status status = trine_bleu_add(&bleu, "the cat sat, 3.5", reference[0], NULL);
        if (!status) status = trine_chrf_add(&chrf, "the cat sat, 3.5", reference[0], NULL);
        if (!status) status = trine_rouge_score(&rouge_one, "the cat sat, 3.5", reference, 1, NULL);
        alloc_fail_at(0);
        if (status == TRINE_OK) {
            assert_true(k > 20);
            break;
        }
        assert_int_equal(status, TRINE_ERROR_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bleu_and_chrf),
        cmocka_unit_test(rouge),
        cmocka_unit_test(entities),
        cmocka_unit_test(labels),
        cmocka_unit_test(memory_fails_at_each_call),
    };
    return cmocka_run_group_tests(tests, open_fixtures, close_fixtures);
}
