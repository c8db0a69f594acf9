/* test_record.c - the record: what is written is read, two may write, and files that are no record are refused untouched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it */
#include <cmocka.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "support/alloc.h"
#include "support/temp.h"
#include "trine.h"

static trine_record *opened(const char *name)
{
    trine_record *r;
    trine_error err = { 0 };
    if (trine_record_open(&r, temp_path(name), false, &err)) fail_msg("%s", err.text);
    return r;
}

static void a_run_is_read_as_it_was_written(void **state)
{
    (void)state;
    trine_record *r = opened("a.db");
    int64_t first, second;
    assert_int_equal(trine_record_begin(&first, r, "train", "{\"width\":8}", UINT64_MAX, NULL), TRINE_OK);
    assert_int_equal(trine_record_begin(&second, r, "bench", NULL, 0, NULL), TRINE_OK);
    assert_true(second > first);
    for (int step = 1; step <= 5; step++) {
        const trine_metric m[] = { { "loss", 10.0 / step }, { "rate", step == 3 ? NAN : 1.0 * step } };
        assert_int_equal(trine_record_metrics(r, first, step, m, 2, NULL), TRINE_OK);
    }
    assert_int_equal(trine_record_end(r, first, "done", NULL), TRINE_OK);
    trine_record_close(r);

    assert_int_equal(trine_record_open(&r, temp_path("a.db"), true, NULL), TRINE_OK);
    trine_runs runs;
    assert_int_equal(trine_record_list(&runs, r, NULL), TRINE_OK);
    assert_int_equal(runs.n, 2);
    assert_int_equal(runs.items[0].id, second);
    assert_string_equal(runs.items[0].status, "running");
    assert_string_equal(runs.items[0].ended, "");
    assert_string_equal(runs.items[1].kind, "train");
    assert_string_equal(runs.items[1].configuration, "{\"width\":8}");
    assert_string_equal(runs.items[1].version, trine_build());
    assert_string_equal(runs.items[1].status, "done");
    assert_int_equal(strlen(runs.items[1].started), 20);
    assert_true(runs.items[1].seed == UINT64_MAX);
    assert_int_equal(runs.items[1].last_step, 5);
    trine_runs_clear(&runs);
    trine_names names;
    assert_int_equal(trine_record_metric_names(&names, r, first, NULL), TRINE_OK);
    assert_int_equal(names.n, 2);
    assert_string_equal(names.items[1], "rate");
    trine_names_clear(&names);
    trine_series s;
    assert_int_equal(trine_record_series(&s, r, first, "loss", NULL), TRINE_OK);
    assert_int_equal(s.n, 5);
    for (int i = 0; i < 5; i++) assert_true(s.steps[i] == i + 1 && s.values[i] == 10.0 / (i + 1));
    trine_series_clear(&s);
    assert_int_equal(trine_record_series(&s, r, first, "rate", NULL), TRINE_OK);
    assert_int_equal(s.n, 4);
    trine_series_clear(&s);
    trine_record_close(r);
}

static void a_run_goes_on_from_a_step(void **state)
{
    (void)state;
    trine_record *r = opened("a.db");
    int64_t run;
    assert_int_equal(trine_record_begin(&run, r, "train", "{}", 1, NULL), TRINE_OK);
    for (int step = 1; step <= 5; step++) {
        const trine_metric m = { "loss", step };
        assert_int_equal(trine_record_metrics(r, run, step, &m, 1, NULL), TRINE_OK);
    }
    assert_int_equal(trine_record_end(r, run, "stopped", NULL), TRINE_OK);
    assert_int_equal(trine_record_resume(r, run, 3, NULL), TRINE_OK);
    trine_series s;
    assert_int_equal(trine_record_series(&s, r, run, "loss", NULL), TRINE_OK);
    assert_int_equal(s.n, 3);
    trine_series_clear(&s);
    assert_int_equal(trine_record_resume(r, run + 1, 3, NULL), TRINE_ERROR_NOT_FOUND);
    trine_record_close(r);
}

static void two_write_at_a_time(void **state)
{
    (void)state;
    trine_record *a = opened("a.db"), *b = opened("a.db");
    int64_t runs[2];
    assert_int_equal(trine_record_begin(&runs[0], a, "train", "{}", 1, NULL), TRINE_OK);
    assert_int_equal(trine_record_begin(&runs[1], b, "train", "{}", 2, NULL), TRINE_OK);
    for (int step = 1; step <= 50; step++) {
        const trine_metric m = { "loss", step };
        assert_int_equal(trine_record_metrics(step & 1 ? a : b, runs[step & 1], step, &m, 1, NULL), TRINE_OK);
    }
    trine_series s;
    assert_int_equal(trine_record_series(&s, b, runs[1], "loss", NULL), TRINE_OK);
    assert_int_equal(s.n, 25);
    trine_series_clear(&s);
    trine_record_close(a);
    trine_record_close(b);
}

/* Opening fails with `says`, and the file is byte for byte what it was. */
static void refused(const char *name, trine_status status, const char *says)
{
    char *before, *after;
    size_t n_before, n_after;
    trine_record *r;
    trine_error err = { 0 };
    assert_int_equal(trine_file_read(&before, &n_before, temp_path(name), 1 << 24, NULL), TRINE_OK);
    assert_int_equal(trine_record_open(&r, temp_path(name), false, &err), status);
    assert_null(r);
    if (!strstr(err.text, says)) fail_msg("'%s' is not in '%s'", says, err.text);
    assert_int_equal(trine_file_read(&after, &n_after, temp_path(name), 1 << 24, NULL), TRINE_OK);
    assert_int_equal(n_before, n_after);
    assert_memory_equal(before, after, n_before);
    free(before);
    free(after);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    char junk[4096];
    memset(junk, 'x', sizeof junk);
    temp_write("junk", junk, sizeof junk);
    refused("junk", TRINE_ERROR_FORMAT, "it was not changed");
    sqlite3 *db;
    assert_int_equal(sqlite3_open(temp_path("theirs"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t(x)", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    refused("theirs", TRINE_ERROR_FORMAT, "another program");
    assert_int_equal(sqlite3_open(temp_path("later"), &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "CREATE TABLE t(x); PRAGMA application_id=1953655150; PRAGMA user_version=9", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    refused("later", TRINE_ERROR_UNSUPPORTED, "another version");
    trine_record *r;
    assert_int_equal(trine_record_open(&r, temp_path("none"), true, NULL), TRINE_ERROR_NOT_FOUND);
    assert_int_equal(trine_record_open(&r, temp_path("no/folder.db"), false, NULL), TRINE_ERROR_IO);
}

static void the_place_is_that_of_the_desktop(void **state)
{
    (void)state;
    const char *old = getenv("XDG_DATA_HOME");
    char *kept = old ? strdup(old) : NULL;
    setenv("XDG_DATA_HOME", temp_path("xdg/data"), 1);
    trine_record *r;
    trine_error err = { 0 };
    if (trine_record_open(&r, NULL, false, &err)) fail_msg("%s", err.text);
    trine_record_close(r);
    assert_true(trine_file_exists(temp_path("xdg/data/trine/record.db")));
    if (kept)
        setenv("XDG_DATA_HOME", kept, 1);
    else
        unsetenv("XDG_DATA_HOME");
    free(kept);
}

static void a_report_is_kept_whole(void **state)
{
    (void)state;
    trine_record *r = opened("a.db");
    trine_kept_reports list;
    trine_error err = { 0 };
    int64_t first, second;
    assert_int_equal(trine_record_list_reports(&list, r, NULL), TRINE_OK); /* as a record that was written before there were any */
    assert_int_equal(list.n, 0);
    assert_int_equal(trine_record_get_report(&list, r, 1, NULL), TRINE_ERROR_NOT_FOUND);
    assert_int_equal(trine_record_keep_report(&first, r, "scaling", "A title", 1.5, "<p>one</p>", NULL), TRINE_OK);
    assert_int_equal(trine_record_keep_report(&second, r, "masks", "Another", 2, "<p>two</p>", NULL), TRINE_OK);
    trine_record_close(r);

    assert_int_equal(trine_record_open(&r, temp_path("a.db"), true, NULL), TRINE_OK);
    assert_int_equal(trine_record_list_reports(&list, r, NULL), TRINE_OK);
    assert_int_equal(list.n, 2);
    assert_int_equal(list.items[0].id, second);
    assert_string_equal(list.items[1].experiment, "scaling");
    assert_string_equal(list.items[1].title, "A title");
    assert_string_equal(list.items[1].version, trine_build());
    assert_int_equal(strlen(list.items[1].ended), 20);
    assert_true(list.items[1].seconds == 1.5);
    assert_null(list.items[1].page);
    trine_kept_reports_clear(&list);
    assert_int_equal(trine_record_get_report(&list, r, first, NULL), TRINE_OK);
    assert_string_equal(list.items[0].page, "<p>one</p>");
    trine_kept_reports_clear(&list);
    assert_int_equal(trine_record_get_report(&list, r, 77, &err), TRINE_ERROR_NOT_FOUND);
    assert_non_null(strstr(err.text, "no report 77"));
    for (long k = 1;; k++) {
        alloc_fail_at(k);
        const trine_status status = trine_record_get_report(&list, r, first, NULL);
        alloc_fail_at(0);
        trine_kept_reports_clear(&list);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
    }
    trine_record_close(r);
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    trine_record *r = opened("a.db");
    int64_t run;
    const trine_metric m = { "loss", 1 };
    assert_int_equal(trine_record_begin(&run, r, "train", "{}", 1, NULL), TRINE_OK);
    assert_int_equal(trine_record_metrics(r, run, 1, &m, 1, NULL), TRINE_OK);
    for (long k = 1;; k++) {
        trine_runs runs;
        alloc_fail_at(k);
        const trine_status status = trine_record_list(&runs, r, NULL);
        alloc_fail_at(0);
        trine_runs_clear(&runs);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
    }
    for (long k = 1;; k++) {
        trine_series s;
        alloc_fail_at(k);
        const trine_status status = trine_record_series(&s, r, run, "loss", NULL);
        alloc_fail_at(0);
        trine_series_clear(&s);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
    }
    trine_record_close(r);
}

static void what_cannot_be_recorded_is_refused(void **state)
{
    (void)state;
    trine_record *r = opened("a.db"), *none;
    int64_t run = 7;
    static const char *const no_objects[] = { "not json", "[1]", "8", "", "{\"a\":1}}" };
    for (size_t i = 0; i < sizeof no_objects / sizeof *no_objects; i++)
        assert_int_equal(trine_record_begin(&run, r, "train", no_objects[i], 0, NULL), TRINE_ERROR_ARGUMENT);
    assert_int_equal(run, 0);
    assert_int_equal(trine_record_end(r, 999, "done", NULL), TRINE_ERROR_NOT_FOUND);
    assert_int_equal(trine_record_metrics(r, 1, 1, NULL, 1, NULL), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_record_open(&none, "", false, NULL), TRINE_ERROR_ARGUMENT);
    assert_null(none);
    trine_record_close(r);
    /* Without a record there are no results, and clearing these does no harm. */
    trine_runs runs = { .n = 5 };
    trine_names names = { .n = 5 };
    trine_series series = { .n = 5 };
    trine_kept_reports reports = { .n = 5 };
    assert_int_equal(trine_record_list(&runs, NULL, NULL), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_record_metric_names(&names, NULL, 1, NULL), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_record_series(&series, NULL, 1, "loss", NULL), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_record_list_reports(&reports, NULL, NULL), TRINE_ERROR_ARGUMENT);
    trine_runs_clear(&runs);
    trine_names_clear(&names);
    trine_series_clear(&series);
    trine_kept_reports_clear(&reports);
    trine_runs_clear(NULL);
    trine_names_clear(NULL);
    trine_series_clear(NULL);
    trine_kept_reports_clear(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_run_is_read_as_it_was_written, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_run_goes_on_from_a_step, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_recorded_is_refused, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(two_write_at_a_time, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(other_files_are_refused, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(the_place_is_that_of_the_desktop, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_report_is_kept_whole, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(memory_may_run_out_anywhere, temp_set_up, temp_tear_down),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
