/* test_command_compare.c - trine compare: a small ladder in the terminal, as JSON and as a page; Control-C is kept and gone on with; what
 * cannot be is refused before the work. */
#include "run_trine.h"

#include "support/temp.h"

#define SMALL "--sizes", "12000,14000,17000", "--budgets", "4000,8000", "--recall-tokens", "0", "-t", "1"

static void a_ladder_is_shown(void **state)
{
    (void)state;
    process_result r =
        run_trine(NULL, "compare", "scaling", SMALL, "--record", temp_path("r.db"), "-q", "--report", temp_path("s.html"));
    assert_status(&r, 0);
    assert_contains(r.out, "18 models were trained");
    assert_contains(r.out, "floor (entropy)");
    assert_contains(r.out, "not identified by these runs: only 2 different numbers of tokens");
    assert_true(longest_line(r.out) <= 80);
    process_result_clear(&r);
    assert_int_equal(access(temp_path("s.html"), R_OK), 0);
    r = run_trine(NULL, "runs", "--record", temp_path("r.db"));
    assert_status(&r, 0);
    assert_contains(r.out, "done");
    process_result_clear(&r);
}

#define LITTLE "--quick", "--params", "30000", "--train-tokens", "6000", "--texts", "8", "-t", "1"

static void paradigms_are_compared(void **state)
{
    (void)state;
    process_result r = run_trine(NULL, "compare", LITTLE, "--record", temp_path("p.db"), "--report", temp_path("p.html"));
    assert_status(&r, 0);
    assert_contains(r.out, "fill a blank, %");
    assert_contains(r.out, "encoder-decoder");
    assert_lacks(r.out, "\033");
    assert_true(longest_line(r.out) <= 80);
    process_result_clear(&r);
    assert_int_equal(access(temp_path("p.html"), R_OK), 0);
    json_t *doc = only_document(run_trine(NULL, "compare", LITTLE, "--record", temp_path("p.db"), "--json"));
    assert_int_equal((int)number_of(doc, "models_from_record"), 3);
    assert_int_equal((int)json_array_size(array_of(doc, "paradigms")), 3);
    json_decref(doc);
    doc = only_document(run_trine(NULL, "compare", LITTLE, "--equal", "compute", "--no-record", "--json", "-q"));
    assert_string_equal(text_of(doc, "equal"), "compute");
    json_decref(doc);
    r = run_trine(NULL, "compare", "masks", LITTLE, "--no-record", "-q");
    assert_status(&r, 0);
    assert_contains(r.out, "bidirectional: everything");
    assert_true(longest_line(r.out) <= 80);
    process_result_clear(&r);
}

/* A record that cannot be read or written is refused before anything is trained, and left as it was. */
static void a_bad_record_is_refused(void **state)
{
    (void)state;
    static const char other[] = "this is no database, and must stay as it is";
    const char *path = temp_write("other.db", other, strlen(other));
    assert_error(run_trine(NULL, "compare", LITTLE, "-q", "--record", path), 3, "other.db");
    char back[sizeof other] = "";
    FILE *f = fopen(path, "rb");
    assert_int_equal(fread(back, 1, sizeof back, f), strlen(other));
    fclose(f);
    assert_string_equal(back, other);
    process_result r = run_trine(NULL, "compare", LITTLE, "-q", "--record", temp_path("no/such/folder.db"));
    assert_true(r.status != 0);
    assert_contains(r.err, "folder.db");
    process_result_clear(&r);
    assert_error(run_trine(NULL, "compare", LITTLE, "-q", "--no-record", "--report", temp_path("no/page.html")), 1,
                 "cannot be written");
    assert_error(run_trine(NULL, "compare", LITTLE, "-q", "--no-record", "--data", temp_path("none.txt")), 3, "none.txt");
}

static void long_documents_are_measured(void **state)
{
    (void)state;
    process_result r = run_trine(NULL, "compare", "long-document", "--lengths", "60,200", "--train-tokens", "2000", "-t", "1",
                                 "--no-record", "-q", "--report", temp_path("long.html"));
    assert_status(&r, 0);
    assert_contains(r.out, "Verdict, from these numbers");
    assert_contains(r.out, "Memory by part");
    assert_contains(r.out, "q4_0");
    assert_true(longest_line(r.out) <= 80);
    process_result_clear(&r);
    assert_int_equal(access(temp_path("long.html"), R_OK), 0);
    assert_error(run_trine(NULL, "compare", "long-document", "--no-record", "--lengths", "200,100"), 2, "each more than the last");
}

/* The only run of a record, as `trine runs` has it. */
static json_t *only_run(const char *record) { return only_document(run_trine(NULL, "runs", "--record", record, "--json")); }

#define LADDER                                                                                                                     \
    "scaling", "--sizes", "12000,14000,17000", "--budgets", "4000,40000", "--recall-tokens", "0", "--seed", "3", "-t", "1"

static void a_ladder_is_left_and_gone_on_with(void **state)
{
    (void)state;
    /* The bar is drawn ten times a second at most, so no single model is sure to be named; six are finished at the mark, and the
     * other twelve take longer than a signal. */
    const process_options interrupt = { .terminal = true, .interrupt_at = "on 40k tokens" };
    process_result r = run_trine(&interrupt, "compare", LADDER, "--record", temp_path("l.db"));
    assert_status(&r, 130);
    assert_contains(r.out, "of 18 models finished: they are kept in the record, and the same command goes on from here");
    process_result_clear(&r);
    json_t *run = only_run(temp_path("l.db"));
    assert_string_equal(text_of(run, "status"), "stopped");
    json_decref(run);
    json_t *doc = only_document(run_trine(NULL, "compare", LADDER, "--record", temp_path("l.db"), "--json", "-q"));
    const json_t *decoder = json_object_get(json_object_get(doc, "paradigms"), "decoder");
    assert_int_equal(json_array_size(array_of(decoder, "runs")), 6);
    json_decref(doc);
    run = only_run(temp_path("l.db")); /* the same run: what was finished was not trained again */
    assert_string_equal(text_of(run, "status"), "done");
    json_decref(run);
}

#define THREE "--quick", "--params", "30000", "--train-tokens", "200000", "--texts", "8", "--seed", "3", "-t", "1"

static void a_comparison_is_left_and_gone_on_with(void **state)
{
    (void)state;
    const process_options interrupt = { .terminal = true, .interrupt_at = "decoder-only, seed 1" };
    process_result r = run_trine(&interrupt, "compare", THREE, "--record", temp_path("t.db"));
    assert_status(&r, 130);
    assert_contains(r.out, "of 3 models finished: they are kept in the record, and the same command goes on from here");
    process_result_clear(&r);
    json_t *doc = only_document(run_trine(NULL, "compare", THREE, "--record", temp_path("t.db"), "--json", "-q"));
    assert_true(number_of(doc, "models_from_record") >= 1);
    json_decref(doc);
}

static void what_cannot_be_is_told_before_the_work(void **state)
{
    (void)state;
    assert_error(run_trine(NULL, "compare", "nothing"), 2, "no experiment is called 'nothing'");
    assert_error(run_trine(NULL, "compare", "scaling", SMALL, "--no-record", "--report", temp_path("no/a.html")), 1,
                 "cannot be written");
    temp_write("junk.db",
               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 100);
    assert_error(run_trine(NULL, "compare", "scaling", SMALL, "--record", temp_path("junk.db")), 3, "it was not changed");
    assert_error(run_trine(NULL, "compare", "scaling", "--sizes", "0"), 2, "--sizes");
    assert_error(run_trine(NULL, "compare", "scaling", "--no-record", "--sizes", "10", "--budgets", "1000"), 2, "can be made");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_ladder_is_shown, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(paradigms_are_compared, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_bad_record_is_refused, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(long_documents_are_measured, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_ladder_is_left_and_gone_on_with, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_comparison_is_left_and_gone_on_with, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_told_before_the_work, temp_set_up, temp_tear_down),
    };
    return cmocka_run_group_tests_name("command_compare", tests, NULL, NULL);
}
