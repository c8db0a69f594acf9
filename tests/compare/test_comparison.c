/* test_comparison.c - the standard comparison and that of masks, small: what they tell, what is equal, that a run that was stopped goes on
 * from the record, the reader's own text, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it */
#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/comparison.h"
#include "support/temp.h"

static trine_comparison_options small(void)
{
    return (trine_comparison_options) {
        .quick = true, .n_parameters = 30000, .n_tokens = 6000, .n_texts = 8, .n_seeds = 2, .n_threads = 1, .seed = 5
    };
}

static json_t *numbers_of(const trine_report *r)
{
    json_t *root = json_loads(trine_report_json(r), 0, NULL);
    assert_non_null(root);
    return root;
}

static double number(const json_t *root, const char *key)
{
    const json_t *v = json_object_get(root, key);
    if (!json_is_number(v)) fail_msg("'%s' is no number", key);
    return json_number_value(v);
}

static trine_report *run_small(const trine_comparison_options *o)
{
    trine_report *r;
    trine_error err = { 0 };
    if (trine_compare_paradigms(&r, o, &err)) fail_msg("%s", err.text);
    return r;
}

static void three_paradigms_are_measured(void **state)
{
    (void)state;
    const trine_comparison_options o = small();
    trine_report *r = run_small(&o);
    json_t *root = numbers_of(r);
    const json_t *all = json_object_get(root, "paradigms"), *best = json_object_get(root, "best_possible");
    assert_int_equal(json_array_size(all), 3);
    assert_true(number(best, "fill.right") > 0.3 && number(best, "fill.right") <= 1);
    assert_true(number(best, "classify.right") > 0.5 && number(best, "classify.right") < 1);
    assert_true(fabs(number(root, "floor_nats_per_token") - 0.8) < 0.1);
    for (size_t i = 0; i < 3; i++) {
        const json_t *p = json_array_get(all, i), *tasks = json_object_get(p, "tasks"), *value;
        const char *key;
        assert_true(fabs(number(p, "parameters") / 30000 - 1) < 0.03);
        json_object_foreach((json_t *)(uintptr_t)tasks, key, value)
        {
            assert_true(number(value, "low") <= number(value, "value") + 1e-9);
            assert_true(number(value, "value") <= number(value, "high") + 1e-9);
        }
        /* Nobody is below what the grammar allows: the same tokens, exactly scored. */
        assert_true(number(json_object_get(tasks, "continue.nats"), "value") > number(best, "continue.nats"));
        assert_true(number(p, "training_flops") > 0 && number(p, "training_bytes") > 30000 * 16);
        assert_int_equal(json_array_size(json_object_get(p, "curves")), 2);
    }
    json_decref(root);
    trine_report_close(r);
}

static void operations_can_be_made_equal(void **state)
{
    (void)state;
    trine_comparison_options o = small();
    trine_comparison c;
    o.equal_compute = true;
    o.n_parameters = 200000;
    assert_int_equal(trine_comparison_open(&c, &o, NULL), 0);
    for (int p = 0; p < TRINE_PARADIGMS; p++)
        if (fabs(c.flops[p] / c.flops[1] - 1) > 0.03) fail_msg("%d: %g operations, the decoder %g", p, c.flops[p], c.flops[1]);
    assert_true(c.sizes[2].n_parameters > 1.5 * (double)c.sizes[1].n_parameters);
    trine_comparison_close(&c);
}

/* -------------------------------------------------------------------------------------------------------- the record */

typedef struct stopping {
    int n_calls, stop_at; /* permille; 0: never */
} stopping;
static bool on_progress(void *user, const char *what, int done, int total)
{
    stopping *s = user;
    assert_non_null(what);
    assert_true(done >= 0 && done <= total);
    s->n_calls++;
    return !s->stop_at || done < s->stop_at;
}

static int finished_runs(trine_record *record)
{
    trine_runs runs;
    int n = 0;
    assert_int_equal(trine_record_list(&runs, record, NULL), 0);
    for (int i = 0; i < runs.n; i++) n += !strcmp(runs.items[i].status, "done") && !strcmp(runs.items[i].kind, "compare");
    trine_runs_clear(&runs);
    return n;
}

/* Without what is timed. */
static char *abilities_of(const trine_report *r)
{
    json_t *root = numbers_of(r), *tasks = json_array();
    for (size_t i = 0; i < 3; i++)
        json_array_append(tasks, json_object_get(json_array_get(json_object_get(root, "paradigms"), i), "tasks"));
    char *text = json_dumps(tasks, JSON_SORT_KEYS);
    json_decref(tasks);
    json_decref(root);
    return text;
}

static void a_run_that_was_stopped_goes_on(void **state)
{
    (void)state;
    trine_comparison_options o = small();
    stopping s = { .stop_at = 600 };
    trine_error err;
    trine_report *r;
    assert_int_equal(trine_record_open(&o.record, temp_path("compare.db"), false, &err), 0);
    o.on_progress = on_progress;
    o.user = &s;
    assert_int_equal(trine_compare_paradigms(&r, &o, &err), TRINE_ERROR_CANCELLED);
    assert_null(r);
    const int kept = finished_runs(o.record);
    assert_true(kept >= 1 && kept < 6);
    s = (stopping) { 0 };
    r = run_small(&o);
    json_t *root = numbers_of(r);
    assert_int_equal((int)number(root, "models_from_record"), kept);
    assert_int_equal(finished_runs(o.record), 6);
    json_decref(root);
    /* The same numbers as one that was never stopped, and as one that is all in the record. */
    char *first = abilities_of(r);
    trine_report_close(r);
    r = run_small(&o);
    char *second = abilities_of(r);
    root = numbers_of(r);
    assert_int_equal((int)number(root, "models_from_record"), 6);
    json_decref(root);
    trine_report_close(r);
    trine_record_close(o.record);
    o.record = NULL;
    r = run_small(&o);
    char *third = abilities_of(r);
    trine_report_close(r);
    assert_string_equal(first, second);
    assert_string_equal(first, third);
    free(first);
    free(second);
    free(third);
}

/* ---------------------------------------------------------------------------------------------------------- own texts */

static void the_readers_own_text_has_no_floor(void **state)
{
    (void)state;
    trine_comparison_options o = small();
    char text[40000] = "";
    for (int i = 0; strlen(text) < sizeof text - 100; i++)
        sprintf(text + strlen(text), "The %d sailors of ship %d saw %s in the %s.\n", i % 7, i % 31, i % 2 ? "land" : "a whale",
                i % 3 ? "morning" : "night");
    o.data = temp_write("own.txt", text, strlen(text));
    o.n_seeds = 1;
    trine_report *r = run_small(&o);
    json_t *root = numbers_of(r);
    assert_true(json_is_null(json_object_get(root, "floor_nats_per_token")));
    assert_int_equal(json_object_size(json_object_get(root, "best_possible")), 0);
    const json_t *tasks = json_object_get(json_array_get(json_object_get(root, "paradigms"), 1), "tasks");
    assert_non_null(json_object_get(tasks, "fill.right"));
    assert_null(json_object_get(tasks, "translate.exact"));
    json_decref(root);
    trine_report_close(r);
}

/* --------------------------------------------------------------------------------------------------------------- masks */

static void masks_are_measured(void **state)
{
    (void)state;
    const trine_comparison_options o = small();
    trine_report *r;
    trine_error err = { 0 };
    if (trine_compare_masks(&r, &o, &err)) fail_msg("%s", err.text);
    json_t *root = numbers_of(r);
    const json_t *models = json_object_get(root, "models");
    assert_int_equal(json_array_size(models), 2);
    const json_t *causal = json_object_get(json_array_get(models, 0), "loss");
    /* A causal model asked where the text ends is asked the same as in the text. */
    assert_true(fabs(number(json_object_get(causal, "causal"), "value") - number(json_object_get(causal, "written"), "value")) <
                1e-4);
    assert_true(fabs(number(json_object_get(causal, "causal"), "value") -
                     number(json_object_get(causal, "bidirectional"), "value")) > 1e-6);
    json_decref(root);
    trine_report_close(r);
}

/* ------------------------------------------------------------------------------------------------------------- refusals */

static void what_cannot_be_done_is_refused(void **state)
{
    (void)state;
    trine_report *r;
    trine_error err;
    trine_comparison_options o = small();
    o.n_seeds = 1000;
    assert_int_equal(trine_compare_paradigms(&r, &o, &err), TRINE_ERROR_ARGUMENT);
    o = small();
    o.n_tokens = 10;
    assert_int_equal(trine_compare_paradigms(&r, &o, &err), TRINE_ERROR_ARGUMENT);
    o = small();
    o.n_parameters = 50;
    assert_int_equal(trine_compare_paradigms(&r, &o, &err), TRINE_ERROR_ARGUMENT);
    o = small();
    o.cpu = "abacus";
    assert_int_equal(trine_compare_paradigms(&r, &o, &err), TRINE_ERROR_ARGUMENT);
    o = small();
    o.data = "/nowhere/text.txt";
    assert_int_equal(trine_compare_paradigms(&r, &o, &err), TRINE_ERROR_NOT_FOUND);
    o.data = temp_write("short.txt", "too short", 9);
    assert_int_equal(trine_compare_paradigms(&r, &o, &err), TRINE_ERROR_EMPTY);
    assert_int_equal(trine_compare_masks(&r, &o, &err), TRINE_ERROR_ARGUMENT);
    assert_null(r);
    o = small();
    o.n_threads = -1;
    static const int64_t size = 100000, budget = 1000;
    const trine_long_options long_options = { .quick = true, .n_threads = -1 };
    const trine_ladder_options ladder = {
        .sizes = &size, .n_sizes = 1, .budgets = &budget, .n_budgets = 1, .recall_tokens = -1, .n_threads = -1
    };
    assert_int_equal(trine_compare_paradigms(&r, &o, &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_compare_masks(&r, &o, &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_compare_long(&r, &long_options, &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_compare_scaling(&r, &ladder, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "n_threads is -1, expected 0 (one a core) to 4096"));
}

static void intervals_hold_the_mean(void **state)
{
    (void)state;
    double a[50], b[50];
    for (int i = 0; i < 50; i++) {
        a[i] = i % 2;
        b[i] = i % 4 == 0;
    }
    const double *const lists[] = { a, b };
    const trine_interval one = trine_interval_of(lists, 1, 50, 1), two = trine_interval_of(lists, 2, 50, 1);
    assert_true(one.mean == 0.5 && one.low < 0.5 && one.low > 0.3 && one.high > 0.5 && one.high < 0.7);
    assert_true(two.low < 0.3 && two.high > 0.45); /* seeds differ, and are resampled too */
    assert_true(isnan(trine_interval_of(lists, 1, 0, 1).mean));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_paradigms_are_measured),
        cmocka_unit_test(operations_can_be_made_equal),
        cmocka_unit_test(a_run_that_was_stopped_goes_on),
        cmocka_unit_test(the_readers_own_text_has_no_floor),
        cmocka_unit_test(masks_are_measured),
        cmocka_unit_test(what_cannot_be_done_is_refused),
        cmocka_unit_test(intervals_hold_the_mean),
    };
    return cmocka_run_group_tests_name("comparison", tests, temp_set_up, temp_tear_down);
}
