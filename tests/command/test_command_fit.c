/* test_command_fit.c - trine fit: the table and the chart, the JSON, the page, and what it refuses. */
#include "run_trine.h"

#include <math.h>
#include <sys/stat.h>

#include "support/temp.h"

/* Runs of Hoffmann's law with a few thousandths of error. */
static const char *make_runs(void)
{
    char text[4096];
    size_t at = (size_t)snprintf(text, sizeof text, "loss,D,N\n");
    for (int i = 0; i < 6; i++)
        for (int k = 0; k < 4; k++) {
            const double n = 5e7 * pow(3, i), d = 1e9 * pow(6, k), error = (i * 7 + k * 5) % 11 / 2000.0;
            at += (size_t)snprintf(text + at, sizeof text - at, "%.5f,%.0f,%.0f\n",
                                   (1.69 + 406.4 * pow(n, -0.34) + 410.7 * pow(d, -0.28)) * (1 + error), d, n);
        }
    return temp_write("runs.csv", text, at);
}

static int set_up(void **state)
{
    temp_make();
    *state = (void *)(uintptr_t)make_runs();
    return 0;
}

static void the_law_is_shown(void **state)
{
    const process_options plain = { .environment = { "LC_ALL=C" } }, braille = { .environment = { "LC_ALL=C.UTF-8" } };
    for (int k = 0; k < 2; k++) {
        process_result r = run_trine(k ? &braille : &plain, "fit", *state, "--bootstrap", "50");
        assert_status(&r, 0);
        assert_contains(r.out, "E + A/N^alpha + B/D^beta");
        assert_contains(r.out, "24 runs of 6 sizes and 4 numbers of tokens");
        assert_contains(r.out, "compute of training, FLOPs");
        assert_contains(r.out, "best for the compute");
        assert_lacks(r.out, "\033");
        assert_true(longest_line(r.out) <= 80);
        process_result_clear(&r);
    }
}

static void numbers_are_printed_as_json(void **state)
{
    json_t *doc = only_document(run_trine(NULL, "fit", *state, "--json", "--bootstrap", "50"));
    assert_float_equal(number_of(json_object_get(doc, "alpha"), "value"), 0.34, 0.05);
    assert_float_equal(number_of(json_object_get(doc, "E"), "value"), 1.69, 0.1);
    assert_true(json_is_true(json_object_get(doc, "identified")));
    assert_true(json_array_size(array_of(doc, "frontier")) > 10);
    assert_int_equal(json_array_size(array_of(doc, "runs")), 24);
    json_decref(doc);
    doc = only_document(run_trine(NULL, "fit", *state, "--json", "--bootstrap", "0"));
    assert_true(json_is_null(json_object_get(json_object_get(doc, "E"), "low"))); /* an interval was not asked for */
    assert_string_equal(json_string_value(json_object_get(json_object_get(doc, "E"), "determined")), "not asked");
    json_decref(doc);
}

static char *read_whole(const char *path)
{
    static char text[1 << 18];
    FILE *f = fopen(path, "r");
    if (!f) fail_msg("%s is not there", path);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    return text;
}

static void a_page_needs_nothing_beside_it(void **state)
{
    process_result r = run_trine(NULL, "fit", *state, "--bootstrap", "20", "-q", "--report", temp_path("law.html"));
    assert_status(&r, 0);
    process_result_clear(&r);
    const char *page = read_whole(temp_path("law.html"));
    assert_contains(page, "<!DOCTYPE html>");
    assert_contains(page, "prefers-color-scheme:dark");
    assert_contains(page, "<svg xmlns");
    assert_contains(page, "<desc id=");
    assert_contains(page, "<details><summary>The numbers");
    assert_contains(page, "FLOPs (log scale)");
    /* Its numbers stand in it as data, which nothing runs. */
    const char *script = strstr(page, "<script");
    static const char data[] = "<script type=\"application/json\"";
    assert_true(script && !strncmp(script, data, sizeof data - 1) && !strstr(script + 1, "<script"));
    assert_lacks(page, "src=");
    assert_lacks(page, "url(");
    assert_lacks(page, "nan");
}

static void too_few_runs_are_no_law(void **state)
{
    (void)state;
    const char *few = "N,D,loss\n1e6,1e7,3\n2e6,1e7,2.9\n1e6,4e7,2.5\n";
    process_result r = run_trine(NULL, "fit", temp_write("few.csv", few, strlen(few)));
    assert_status(&r, 0);
    assert_contains(r.out, "not identified by these runs: 3 runs for 5 unknowns");
    assert_lacks(r.out, "best for the compute");
    process_result_clear(&r);
}

static void what_cannot_be_is_told(void **state)
{
    assert_error(run_trine(NULL, "fit", temp_path("none.csv")), 3, "none.csv");
    assert_error(run_trine(NULL, "fit"), 2, "FILE");
    const char *broken = "N,D,loss\n1,2,3\n1,2,nan\n";
    assert_error(run_trine(NULL, "fit", temp_write("broken.csv", broken, strlen(broken))), 3, "line 3: the loss is 'nan'");
    assert_error(run_trine(NULL, "fit", *state, "--report", temp_path("no/folder.html")), 1, "cannot be written");
    mkdir(temp_path("folder"), 0755);
    assert_error(run_trine(NULL, "fit", *state, "--report", temp_path("folder")), 1, "a directory");
    assert_error(run_trine(NULL, "fit", *state, "--bootstrap", "-1"), 2, "--bootstrap");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_law_is_shown, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(numbers_are_printed_as_json, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_page_needs_nothing_beside_it, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(too_few_runs_are_no_law, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_told, set_up, temp_tear_down),
    };
    return cmocka_run_group_tests_name("command_fit", tests, NULL, NULL);
}
