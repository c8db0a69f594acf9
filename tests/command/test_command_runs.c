/* test_command_runs.c - trine runs: the list, the curves in 80 columns and as SVG, and what it says when there is nothing. */
#include "run_trine.h"

#include <math.h>
#include <sys/stat.h>
#include <trine.h>

#include "support/temp.h"
#include "trine/runs.h"

/* A record with two runs. */
static const char *make_record(void)
{
    const char *path = temp_path("r.db");
    trine_record *r;
    int64_t run;
    if (trine_record_open(&r, path, false, NULL)) fail_msg("cannot make a record");
    for (int k = 0; k < 2; k++) {
        if (trine_record_begin(&run, r, k ? "finetune" : "train", "{\"width\":8}", 3, NULL)) fail_msg("cannot begin a run");
        for (int step = 1; step <= 300; step++) {
            const trine_metric m[] = { { "loss", 2 + (5 - k) * exp(-step / 50.0) }, { "valid_loss", 2.5 } };
            if (trine_record_metrics(r, run, step, m, step % 100 ? 1 : 2, NULL)) fail_msg("cannot write metrics");
        }
        if (!k && trine_record_end(r, run, "done", NULL)) fail_msg("cannot end a run");
    }
    trine_record_close(r);
    return path;
}

static int set_up(void **state)
{
    temp_make();
    *state = (void *)(uintptr_t)make_record();
    return 0;
}

static void runs_are_listed(void **state)
{
    process_result r = run_trine(NULL, "runs", "--record", *state);
    assert_status(&r, 0);
    assert_contains(r.out, "train ");
    assert_contains(r.out, "running");
    assert_contains(r.out, "done");
    assert_contains(r.out, "2.5000");
    assert_true(longest_line(r.out) <= 80);
    process_result_clear(&r);
    r = run_trine(NULL, "runs", "--record", *state, "--json");
    assert_status(&r, 0);
    json_t *newest = document(&r, 0);
    assert_string_equal(text_of(newest, "kind"), "finetune");
    assert_true(number_of(newest, "last_step") == 300);
    assert_true(json_is_null(json_object_get(newest, "ended")));
    json_decref(newest);
    process_result_clear(&r);
}

static void curves_fit_a_terminal(void **state)
{
    const process_options plain = { .environment = { "LC_ALL=C" } }, braille = { .environment = { "LC_ALL=C.UTF-8" } };
    for (int k = 0; k < 2; k++) {
        process_result r = run_trine(k ? &braille : &plain, "runs", "1", "2", "--record", *state);
        assert_status(&r, 0);
        assert_contains(r.out, "\n  width                8\n");
        assert_contains(r.out, "loss of run 2: 2.0");
        assert_contains(r.out, " 300\n");
        assert_contains(r.out, " step\n");
        assert_true(longest_line(r.out) <= 80);
        process_result_clear(&r);
    }
    json_t *doc = only_document(run_trine(NULL, "runs", "1", "--record", *state, "--json"));
    assert_int_equal(json_array_size(array_of(json_object_get(doc, "metrics"), "loss")), 300);
    assert_int_equal(json_array_size(array_of(json_object_get(doc, "metrics"), "valid_loss")), 3);
    json_decref(doc);
}

static void curves_are_drawn_as_svg(void **state)
{
    process_result r = run_trine(NULL, "runs", "1", "--record", *state, "--svg", temp_path("a.svg"));
    assert_status(&r, 0);
    process_result_clear(&r);
    char text[16384] = "";
    FILE *f = fopen(temp_path("a.svg"), "r");
    assert_non_null(f);
    assert_true(fread(text, 1, sizeof text - 1, f) > 1000);
    fclose(f);
    assert_contains(text, "<svg xmlns");
    assert_contains(text, "class=\"line s1\"");
}

/* Metrics in files: of a folder of training, whose last line is half written, and of any. No record is needed. */
static void files_of_metrics_are_drawn(void **state)
{
    (void)state;
    static const char lines[] =
        "{\"step\":1,\"loss\":3.5}\n\n{\"step\":2,\"loss\":2.5,\"valid_loss\":2.75,\"note\":\"x\"}\n{\"step\":3,\"lo";
    const char *none = temp_path("none.db");
    mkdir(temp_path("out"), 0777);
    mkdir(temp_path("out/training"), 0777);
    temp_write("out/training/metrics.jsonl", lines, sizeof lines - 1);
    temp_write("other.jsonl", lines, sizeof lines - 1);
    process_result r = run_trine(NULL, "runs", temp_path("out"), temp_path("other.jsonl"), "--record", none);
    assert_status(&r, 0);
    assert_contains(r.out, "/other: 2.5 at the end");
    assert_contains(r.out, "valid_loss of ");
    assert_true(longest_line(r.out) <= 80);
    process_result_clear(&r);
    json_t *doc = only_document(run_trine(NULL, "runs", temp_path("other.jsonl"), "--json", "--record", none));
    const json_t *metrics = json_object_get(doc, "metrics");
    assert_string_equal(text_of(doc, "path"), temp_path("other.jsonl"));
    assert_int_equal(json_object_size(metrics), 2);
    assert_int_equal(json_array_size(array_of(metrics, "loss")), 2);
    assert_int_equal(json_integer_value(json_array_get(json_array_get(array_of(metrics, "valid_loss"), 0), 0)), 2);
    json_decref(doc);
    r = run_trine(NULL, "runs", temp_path("other.jsonl"), "--svg", temp_path("b.svg"), "--record", none);
    assert_status(&r, 0);
    process_result_clear(&r);

    temp_write("bad.jsonl", "{\"step\":1,\"loss\":3}\n[1]\n", 24);
    assert_error(run_trine(NULL, "runs", temp_path("bad.jsonl")), 3, "bad.jsonl:2: expected metrics as a JSON object with a");
    temp_write("gap.jsonl", "{\"step\":1}\n\n[1]\n", 16);
    assert_error(run_trine(NULL, "runs", temp_path("gap.jsonl")), 3, "gap.jsonl:3: expected metrics");
    temp_write("torn.jsonl", "{\"step\":1,\n", 11);
    assert_error(run_trine(NULL, "runs", temp_path("torn.jsonl")), 3, "torn.jsonl:1: expected metrics");
    temp_write("empty.jsonl", "", 0);
    assert_error(run_trine(NULL, "runs", temp_path("empty.jsonl")), 3, "no metrics yet");
    assert_error(run_trine(NULL, "runs", temp_path("out/training")), 3, "training/training/metrics.jsonl");
}

static void what_is_not_there_is_told(void **state)
{
    assert_error(run_trine(NULL, "runs", "9", "--record", *state), 3, "there is no run 9");
    assert_error(run_trine(NULL, "runs", "x", "--record", *state), 2, "'x' is no number of a run");
    assert_error(run_trine(NULL, "runs", "--svg", "a.svg", "--record", *state), 2, "expected their numbers");
    assert_error(run_trine(NULL, "runs", "--record", temp_path("none.db")), 3, "there is none yet");
    temp_write("junk.db",
               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 100);
    assert_error(run_trine(NULL, "runs", "--record", temp_path("junk.db")), 3, "it was not changed");
    assert_error(run_trine(NULL, "runs", "1", "--record", *state, "--metric", "nothing"), 3, "run 1 has no 'nothing'; it has: ");
    temp_write("nothing.db", "", 0);
    assert_error(run_trine(NULL, "runs", "--record", temp_path("nothing.db")), 3, "nothing in it yet");
}

/* A measurement is a run like others: what was measured on, the build and the machine, and its numbers. */
static void bench_keeps_its_numbers(void **state)
{
    (void)state;
    const char *record = temp_path("b.db");
    json_t *doc = only_document(run_trine(NULL, "bench", MLM, "--record", record, "--json", "--batch", "1,5", "--repeat", "1"));
    const double rate = number_of(json_array_get(array_of(doc, "results"), 1), "per_second");
    json_t *run = only_document(run_trine(NULL, "runs", "1", "--record", record, "--json"));
    assert_string_equal(text_of(run, "kind"), "bench");
    assert_string_equal(text_of(run, "status"), "done");
    json_t *version = only_document(run_trine(NULL, "version", "--json"));
    const char *commit = json_string_value(json_object_get(version, "commit")); /* of the command that ran */
    assert_contains(text_of(run, "version"), commit ? commit : trine_version());
    json_decref(version);
    const json_t *rates = array_of(json_object_get(run, "metrics"), "encode.per_second");
    assert_int_equal(json_array_size(rates), 2);
    assert_true(fabs(json_number_value(json_array_get(json_array_get(rates, 1), 1)) / rate - 1) < 1e-6);
    json_decref(run);
    json_decref(doc);
    const process_options homeless = { .environment = { "HOME=", "XDG_DATA_HOME=" } };
    process_result r = run_trine(&homeless, "bench", MLM, "--batch", "1", "--repeat", "1");
    assert_status(&r, 0);
    assert_contains(r.err, "this run is not recorded");
    process_result_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(runs_are_listed, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(curves_fit_a_terminal, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(curves_are_drawn_as_svg, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(files_of_metrics_are_drawn, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(bench_keeps_its_numbers, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_told, set_up, temp_tear_down),
    };
    return cmocka_run_group_tests_name("command_runs", tests, NULL, NULL);
}
