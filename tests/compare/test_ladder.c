/* test_ladder.c - compare scaling: a small ladder learns and is told; stopped, it is kept in the record and gone on with; what cannot
 * be is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare/ladder.h"
#include "support/temp.h"

static const int64_t sizes[] = { 12000, 15000 }, budgets[] = { 3000, 6000 };

typedef struct watch {
    int stop_at; /* rung that is not begun; 0: none */
    int n_calls, first, last, most;
} watch;

static bool on_progress(void *user, const char *what, int done, int total)
{
    watch *w = user;
    int rung = 0, of = 0;
    assert_int_equal(sscanf(what, "%d of %d", &rung, &of), 2);
    assert_int_equal(of, 15); /* two sizes, two budgets, three paradigms, and three that are watched */
    assert_true(done >= w->last && done <= total);
    if (!w->n_calls++) w->first = rung;
    w->last = done;
    w->most = rung;
    return !w->stop_at || rung < w->stop_at;
}

static trine_ladder_options options_of(watch *w, trine_record *record)
{
    return (trine_ladder_options) { .sizes = sizes,
                                    .budgets = budgets,
                                    .n_sizes = 2,
                                    .n_budgets = 2,
                                    .recall_tokens = 9000,
                                    .n_threads = 1,
                                    .record = record,
                                    .on_progress = on_progress,
                                    .user = w };
}

static trine_record *open_record(void)
{
    trine_record *record;
    trine_error err;
    if (trine_record_open(&record, temp_path("r.db"), false, &err)) fail_msg("%s", err.text);
    return record;
}

static void a_ladder_is_climbed_and_told(void **state)
{
    (void)state;
    watch w = { 0 };
    trine_ladder_options o = options_of(&w, NULL);
    trine_report *report;
    trine_error err = { 0 };
    if (trine_compare_scaling(&report, &o, &err)) fail_msg("%s", err.text);
    assert_int_equal(w.most, 15);
    json_error_t bad;
    json_t *doc = json_loads(trine_report_json(report), 0, &bad);
    assert_non_null(doc);
    const json_t *decoder = json_object_get(json_object_get(doc, "paradigms"), "decoder");
    assert_int_equal(json_array_size(json_object_get(decoder, "runs")), 5);
    assert_int_equal(json_array_size(json_object_get(decoder, "recall")), TRINE_RECALL_POINTS);
    assert_true(json_is_false(json_object_get(decoder, "identified"))); /* two sizes are no law */
    const double floor = json_number_value(json_object_get(decoder, "floor"));
    assert_true(floor > 0.5 && floor < 2);
    const json_t *run;
    size_t i;
    json_array_foreach(json_object_get(decoder, "runs"), i, run)
    {
        const double loss = json_number_value(json_object_get(run, "loss"));
        assert_true(loss > floor && loss < log(300)); /* above what is possible, below what knows nothing */
    }
    assert_true(json_is_null(json_object_get(json_object_get(json_object_get(doc, "paradigms"), "encoder"), "floor")));
    json_decref(doc);
    trine_report_close(report);
}

/* Stopped after four models, climbed again: the four are not trained anew, and all is as if it had never been stopped. */
static void a_stopped_ladder_goes_on(void **state)
{
    (void)state;
    watch whole = { 0 }, first = { .stop_at = 5 }, second = { 0 }, third = { 0 };
    trine_ladder_options o = options_of(&whole, NULL);
    trine_report *expected, *report;
    trine_error err = { 0 };
    assert_int_equal(trine_compare_scaling(&expected, &o, NULL), TRINE_OK);
    trine_record *record = open_record();
    o = options_of(&first, record);
    assert_int_equal(trine_compare_scaling(&report, &o, &err), TRINE_ERROR_CANCELLED);
    assert_null(report);
    if (!strstr(err.text, "4 of 15 models finished")) fail_msg("%s", err.text);
    trine_runs runs;
    assert_int_equal(trine_record_list(&runs, record, NULL), TRINE_OK);
    assert_int_equal(runs.n, 1);
    assert_string_equal(runs.items[0].status, "stopped");
    const int64_t run = runs.items[0].id;
    trine_runs_clear(&runs);

    o = options_of(&second, record);
    if (trine_compare_scaling(&report, &o, &err)) fail_msg("%s", err.text);
    assert_int_equal(second.first, 5);
    json_t *a = json_loads(trine_report_json(expected), 0, NULL), *b = json_loads(trine_report_json(report), 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(b, "run")), run);
    static const char *const names[] = { "encoder", "decoder", "encoder-decoder" };
    for (int i = 0; i < 3; i++) {
        json_t *x = json_object_get(json_object_get(a, "paradigms"), names[i]);
        json_t *y = json_object_get(json_object_get(b, "paradigms"), names[i]);
        json_object_del(x, "train_seconds");
        json_object_del(y, "train_seconds");
        assert_true(json_equal(x, y));
    }
    json_decref(a);
    json_decref(b);
    trine_report_close(expected);
    trine_report_close(report);

    o = options_of(&third, record); /* done: the next is a run of its own */
    third.stop_at = 2;
    assert_int_equal(trine_compare_scaling(&report, &o, &err), TRINE_ERROR_CANCELLED);
    assert_int_equal(third.first, 1);
    assert_int_equal(trine_record_list(&runs, record, NULL), TRINE_OK);
    assert_int_equal(runs.n, 2);
    trine_runs_clear(&runs);
    trine_record_close(record);
}

static void impossible_ladders_are_refused(void **state)
{
    (void)state;
    static const int64_t none[] = { 0 }, tiny[] = { 10 };
    trine_report *report;
    trine_error err = { 0 };
    trine_ladder_options o = { .sizes = none, .n_sizes = 1, .budgets = budgets, .n_budgets = 1, .recall_tokens = -1 };
    assert_int_equal(trine_compare_scaling(&report, &o, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "expected numbers above 0"));
    o.sizes = tiny;
    assert_int_equal(trine_compare_scaling(&report, &o, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "of 10 parameters can be made"));
    assert_null(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ladder_is_climbed_and_told),
        cmocka_unit_test(a_stopped_ladder_goes_on),
        cmocka_unit_test(impossible_ladders_are_refused),
    };
    temp_make();
    const int failed = cmocka_run_group_tests_name("ladder", tests, NULL, NULL);
    temp_remove();
    return failed;
}
