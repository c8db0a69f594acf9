/* test_trainer.c - the loop: a run that is killed at any instant, or finds the disk full, goes on as if nothing had been; one directory
 * has one run; what is not finite stops it. */
#include <jansson.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "support/toy_run.h"

/* In another process, that is killed after `us` microseconds; true when it had ended well before. */
static bool run_killed(const char *out, unsigned us)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        trine_train_options o = usual;
        trine_train_result r;
        toy t = harmless;
        t.sleep_us = 500;
        o.resume = true;
        const trine_status status = run(&r, out, o, t, NULL, NULL, NULL);
        _exit(status ? 1 : 0);
    }
    usleep(us);
    kill(child, SIGKILL);
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    if (WIFEXITED(how)) assert_int_equal(WEXITSTATUS(how), 0);
    return WIFEXITED(how);
}

static void killed_anywhere_it_goes_on_bit_for_bit(void **state)
{
    (void)state;
    random_state r = random_open("killed");
    run_whole(temp_path("whole"));
    bool ended = false;
    int kills = 0;
    for (; kills < 20; kills++) ended |= run_killed(temp_path("killed"), (unsigned)random_int(&r, 1000, 120000));
    for (int i = 0; i < 100 && !ended; i++) ended = run_killed(temp_path("killed"), 20000000);
    assert_true(ended);
    expect_same_run(temp_path("whole"), temp_path("killed"));
}

static void stopped_by_the_caller_it_is_resumed(void **state)
{
    (void)state;
    trine_train_result r;
    trine_error err = { 0 };
    int64_t last = 0;
    run_whole(temp_path("whole"));
    trine_train_options o = usual;
    assert_int_equal(run(&r, temp_path("stopped"), o, harmless, stop_at_33, &last, &err), TRINE_ERROR_CANCELLED);
    assert_int_equal(last, 33);
    assert_non_null(strstr(err.text, "--resume"));
    /* without resume or overwrite it is not touched; with another setting it is refused by its name */
    assert_int_equal(run(&r, temp_path("stopped"), o, harmless, NULL, NULL, &err), TRINE_ERROR_IO);
    assert_non_null(strstr(err.text, "--resume"));
    o.resume = true;
    o.learning_rate = 0.5f;
    assert_int_equal(run(&r, temp_path("stopped"), o, harmless, NULL, NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "lr = "));
    o.learning_rate = 0;
    if (run(&r, temp_path("stopped"), o, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
    expect_same_run(temp_path("whole"), temp_path("stopped"));
    /* resuming what is done changes nothing */
    if (run(&r, temp_path("stopped"), o, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
    expect_same_run(temp_path("whole"), temp_path("stopped"));
    o = usual;
    o.overwrite = true;
    if (run(&r, temp_path("stopped"), o, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
    expect_same_run(temp_path("whole"), temp_path("stopped"));
}

/* What an earlier run has left is not taken for the new one's, also when that is killed before its first checkpoint is as far. */
static void begun_anew_nothing_of_before_is_left(void **state)
{
    (void)state;
    trine_train_result r;
    trine_error err = { 0 };
    int64_t last = 0;
    trine_train_options o = usual;
    o.seed = 2;
    if (run(&r, temp_path("whole"), o, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
    if (run(&r, temp_path("anew"), usual, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
    temp_write("anew/training/metrics.jsonl.1-0.part", "x", 1);
    assert_int_equal(mkdir(temp_path("anew/training/new.1-0.part"), 0777), 0);
    temp_write("anew/training/new.1-0.part/model.safetensors", "x", 1);
    o.overwrite = true;
    o.keep = 1;
    assert_int_equal(run(&r, temp_path("anew"), o, harmless, stop_at_33, &last, &err), TRINE_ERROR_CANCELLED);
    assert_int_equal(temp_count(temp_path("anew/training/checkpoints")), 1);
    assert_false(trine_file_exists(temp_path("anew/training/metrics.jsonl.1-0.part")));
    assert_false(trine_is_directory(temp_path("anew/training/new.1-0.part")));
    o.overwrite = false;
    o.resume = true;
    if (run(&r, temp_path("anew"), o, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
    expect_same_run(temp_path("whole"), temp_path("anew"));
}

/* A file of other lines is not written over, nor without being asked to one of metrics. */
static void metrics_go_where_nothing_is_lost(void **state)
{
    (void)state;
    trine_train_result r;
    trine_error err = { 0 };
    trine_train_options o = usual;
    char *text;
    size_t n;
    o.metrics = temp_write("data.tsv", "a\tb\n", 4);
    assert_int_equal(run(&r, temp_path("a"), o, harmless, NULL, NULL, &err), TRINE_ERROR_IO);
    assert_non_null(strstr(err.text, "--metrics"));
    o.overwrite = true;
    assert_int_equal(run(&r, temp_path("a"), o, harmless, NULL, NULL, &err), TRINE_ERROR_IO);
    assert_non_null(strstr(err.text, "other lines"));
    assert_int_equal(trine_file_read(&text, &n, o.metrics, 100, NULL), TRINE_OK);
    assert_int_equal(n, 4);
    free(text);
    o.metrics = temp_write("metrics.jsonl", "{\"step\":1}\n", 11);
    if (run(&r, temp_path("a"), o, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
}

static void muon_is_resumed_too(void **state)
{
    (void)state;
    trine_train_result r;
    trine_error err = { 0 };
    int64_t last = 0;
    trine_train_options o = usual;
    o.optimizer = TRINE_OPTIMIZER_MUON;
    if (run(&r, temp_path("whole"), o, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
    assert_int_equal(run(&r, temp_path("stopped"), o, harmless, stop_at_33, &last, &err), TRINE_ERROR_CANCELLED);
    o.resume = true;
    o.optimizer = TRINE_OPTIMIZER_ADAMW;
    assert_int_equal(run(&r, temp_path("stopped"), o, harmless, NULL, NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "optimizer"));
    o.optimizer = TRINE_OPTIMIZER_MUON;
    if (run(&r, temp_path("stopped"), o, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
    expect_same_run(temp_path("whole"), temp_path("stopped"));
}

static void a_full_disk_loses_nothing(void **state)
{
    (void)state;
    run_whole(temp_path("whole"));
    int fulls = 0;
    for (size_t limit = 20000; fulls < 40; limit += 15000, fulls++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (!child) { /* files may grow to `limit` and no further, as on a disk that is full */
            const struct rlimit l = { limit, limit };
            trine_train_options o = usual;
            trine_train_result r;
            trine_error err = { 0 };
            signal(SIGXFSZ, SIG_IGN);
            setrlimit(RLIMIT_FSIZE, &l);
            o.resume = true;
            const trine_status status = run(&r, temp_path("full"), o, harmless, NULL, NULL, &err);
            _exit(status == TRINE_ERROR_IO ? 2 : status ? 1 : 0);
        }
        int how;
        waitpid(child, &how, 0);
        assert_true(WIFEXITED(how));
        assert_int_not_equal(WEXITSTATUS(how), 1);
        if (!WEXITSTATUS(how)) break;
    }
    assert_true(fulls > 0);
    trine_train_options o = usual;
    trine_train_result r;
    trine_error err = { 0 };
    o.resume = true;
    if (run(&r, temp_path("full"), o, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
    expect_same_run(temp_path("whole"), temp_path("full"));
}

static void what_is_not_finite_stops(void **state)
{
    (void)state;
    trine_train_result r;
    trine_error err = { 0 };
    toy t = harmless;
    t.bad_step = 3;
    assert_int_equal(run(&r, temp_path("early"), usual, t, NULL, NULL, &err), TRINE_ERROR_NUMERIC);
    assert_non_null(strstr(err.text, "step 4, batch 1"));
    assert_non_null(strstr(err.text, "none yet"));
    t.bad_step = 23;
    assert_int_equal(run(&r, temp_path("bad"), usual, t, NULL, NULL, &err), TRINE_ERROR_NUMERIC);
    assert_non_null(strstr(err.text, "step 24, batch 1"));
    assert_non_null(strstr(err.text, "that of step 21"));
    t = harmless;
    t.bad_gradient = 40;
    trine_train_options o = usual;
    o.resume = true;
    assert_int_equal(run(&r, temp_path("bad"), o, t, NULL, NULL, &err), TRINE_ERROR_NUMERIC);
    assert_non_null(strstr(err.text, "step 41"));
    assert_non_null(strstr(err.text, "the gradient of "));
    /* and goes on from the last good one */
    if (run(&r, temp_path("bad"), o, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
    run_whole(temp_path("whole"));
    expect_same_run(temp_path("whole"), temp_path("bad"));
}

/* Neither the best model nor a line of the metrics comes of it. */
static void a_validation_that_is_not_finite_stops(void **state)
{
    (void)state;
    trine_train_result r;
    trine_error err = { 0 };
    toy t = harmless;
    t.bad_valid = true;
    trine_train_options o = usual;
    assert_int_equal(run(&r, temp_path("v"), o, t, NULL, NULL, &err), TRINE_ERROR_NUMERIC);
    assert_non_null(strstr(err.text, "after step 10: the validation loss is not finite"));
    assert_non_null(strstr(err.text, "that of step 7"));
    assert_false(r.measured);
    assert_false(trine_file_exists(in_folder(temp_path("v"), "model.safetensors")));
    char *text = read_text(in_folder(temp_path("v"), "training/metrics.jsonl"));
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "\"step\":10,"));
    free(text);
    o.resume = true;
    if (run(&r, temp_path("v"), o, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
    run_whole(temp_path("whole"));
    expect_same_run(temp_path("whole"), temp_path("v"));
}

static bool count_steps(void *user, const trine_train_event *e)
{
    trine_train_result r;
    trine_error err = { 0 };
    (void)e;
    if (++*(int *)user != 5) return true;
    trine_train_options o = usual;
    o.resume = true;
    assert_int_equal(run(&r, temp_path("shared"), o, harmless, NULL, NULL, &err), TRINE_ERROR_IO);
    assert_non_null(strstr(err.text, "another run"));
    o = usual;
    o.overwrite = true;
    assert_int_equal(run(&r, temp_path("shared"), o, harmless, NULL, NULL, &err), TRINE_ERROR_IO);
    assert_non_null(strstr(err.text, "another run"));
    return true;
}

static void one_directory_has_one_run(void **state)
{
    (void)state;
    trine_train_result r;
    trine_error err = { 0 };
    int n = 0;
    if (run(&r, temp_path("shared"), usual, harmless, count_steps, &n, &err)) fail_msg("%s", err.text);
    run_whole(temp_path("whole"));
    expect_same_run(temp_path("whole"), temp_path("shared"));
    /* nor is something else overwritten */
    assert_int_equal(mkdir(temp_path("other"), 0777), 0);
    temp_write("other/thesis.txt", "x", 1);
    assert_int_equal(run(&r, temp_path("other"), usual, harmless, NULL, NULL, &err), TRINE_ERROR_IO);
    assert_non_null(strstr(err.text, "not empty"));
    temp_write("file", "x", 1);
    assert_int_equal(run(&r, temp_path("file"), usual, harmless, NULL, NULL, &err), TRINE_ERROR_IO);
}

static void patience_ends_a_run(void **state)
{
    (void)state;
    trine_train_result r;
    trine_error err = { 0 };
    trine_train_options o = usual;
    o.eval_every = 1;
    o.patience = 3;
    o.ema = 0;
    o.learning_rate = 1; /* leaps: the loss does not fall */
    if (run(&r, temp_path("p"), o, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
    assert_true(r.early && r.steps == r.best_step + 3 && r.steps < STEPS);
}

static void epochs_are_counted_in_steps(void **state)
{
    (void)state;
    trine_train_result r;
    trine_error err = { 0 };
    trine_train_options o = usual;
    o.steps = 0;
    o.epochs = 2;
    if (run(&r, temp_path("e"), o, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
    assert_int_equal(r.steps, 13); /* 50 examples by 4: 13 batches an epoch, 2 a step */
}

/* Of the adapted model `from`, with the last byte of its weights changed where `changed`. */
static json_t *adapted(const char *from, bool changed)
{
    trine_trainer tr = { .directory.lock = -1, .configuration = json_object() };
    trine_error err = { 0 };
    char *bytes;
    size_t n;
    assert_int_equal(trine_file_read(&bytes, &n, in_folder(from, "model.safetensors"), 1 << 26, NULL), TRINE_OK);
    bytes[n - 1] ^= changed;
    temp_write("base/model.safetensors", bytes, n);
    free(bytes);
    const trine_params_options p = { .checkpoint = temp_path("base"), .lora_rank = 2 };
    if (trine_params_open(&tr.params, &tr.model, &p, &err)) fail_msg("%s", err.text);
    assert_int_equal(trine_trainer_add_checksums(&tr, NULL), TRINE_OK);
    json_t *out = json_incref(tr.configuration);
    trine_trainer_close(&tr);
    return out;
}

/* Other data to measure on, or another model under an adapter, is another run. */
static void what_is_measured_on_and_adapted_is_of_the_run(void **state)
{
    (void)state;
    trine_train_result r;
    trine_error err = { 0 };
    trine_train_options o = usual;
    int64_t last = 0;
    assert_int_equal(run(&r, temp_path("out"), o, harmless, stop_at_33, &last, &err), TRINE_ERROR_CANCELLED);
    o.resume = true;
    n_valid = 8;
    const trine_status status = run(&r, temp_path("out"), o, harmless, NULL, NULL, &err);
    n_valid = 9;
    assert_int_equal(status, TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "the run had the validation data's checksum = "));
    if (run(&r, temp_path("out"), o, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
    char from[300], *text;
    size_t n;
    snprintf(from, sizeof from, "%s/command/bert-mlm", TRINE_FIXTURES);
    assert_int_equal(mkdir(temp_path("base"), 0777), 0);
    assert_int_equal(trine_file_read(&text, &n, in_folder(from, "config.json"), 1 << 20, NULL), TRINE_OK);
    temp_write("base/config.json", text, n);
    free(text);
    json_t *a = adapted(from, false), *b = adapted(from, false), *c = adapted(from, true), *none = json_object();
    assert_null(trine_trainer_differs(a, b));
    assert_string_equal(trine_trainer_differs(a, c), "the frozen weights' checksum");
    assert_null(trine_trainer_differs(a, none)); /* a checkpoint from before there were any */
    json_decref(a);
    json_decref(b);
    json_decref(c);
    json_decref(none);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    trine_train_result r;
    trine_error err = { 0 };
    trine_train_options o = usual;
    o.learning_rate = 100;
    assert_int_equal(run(&r, temp_path("x"), o, harmless, NULL, NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "the learning rate is 100"));
    o = usual;
    o.ema = 1.5f;
    assert_int_equal(run(&r, temp_path("x"), o, harmless, NULL, NULL, &err), TRINE_ERROR_ARGUMENT);
    o = usual;
    o.optimizer = TRINE_OPTIMIZER_MUON;
    o.shard_optimizer = true;
    assert_int_equal(run(&r, temp_path("x"), o, harmless, NULL, NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "--shard-optimizer"));
    o.shard_optimizer = false;
    o.lora_rank = 4;
    assert_int_equal(run(&r, temp_path("x"), o, harmless, NULL, NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "--lora"));
    o.lora_rank = 0;
    const trine_train_part nowhere = { .n_paths = 2 };
    o.valid = &nowhere;
    assert_int_equal(run(&r, temp_path("x"), o, harmless, NULL, NULL, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "2 files to measure on that are not there"));
    assert_int_equal(temp_count(temp_path("x")), -1); /* before anything is made */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_anywhere_it_goes_on_bit_for_bit, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(stopped_by_the_caller_it_is_resumed, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(begun_anew_nothing_of_before_is_left, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(metrics_go_where_nothing_is_lost, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(muon_is_resumed_too, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_loses_nothing, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_finite_stops, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_validation_that_is_not_finite_stops, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(one_directory_has_one_run, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(patience_ends_a_run, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(epochs_are_counted_in_steps, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(what_is_measured_on_and_adapted_is_of_the_run, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(options_out_of_range_are_refused, temp_set_up, temp_tear_down),
    };
    return cmocka_run_group_tests_name("trainer", tests, NULL, NULL);
}
