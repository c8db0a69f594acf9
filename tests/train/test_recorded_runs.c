/* test_recorded_runs.c - what the record is told of a run: it goes on as the same one, is not said to go on when it was killed, and costs
 * nothing but a note where the record cannot be written. */
#include <signal.h>
#include <sys/wait.h>

#include "record/record.h"
#include "support/toy_run.h"

static void runs_are_recorded(void **state)
{
    (void)state;
    trine_train_result r;
    trine_error err = { 0 };
    trine_train_options o = usual;
    int64_t last = 0;
    trine_runs runs;
    trine_series s;
    assert_int_equal(trine_record_open(&o.record, temp_path("r.db"), false, NULL), TRINE_OK);
    assert_int_equal(run(&r, temp_path("out"), o, harmless, stop_at_33, &last, &err), TRINE_ERROR_CANCELLED);
    assert_int_equal(trine_record_list(&runs, o.record, NULL), TRINE_OK);
    assert_string_equal(runs.items[0].status, "stopped");
    trine_runs_clear(&runs);
    o.resume = true;
    if (run(&r, temp_path("out"), o, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
    assert_int_equal(trine_record_list(&runs, o.record, NULL), TRINE_OK);
    assert_int_equal(runs.n, 1); /* the same run, gone on with */
    assert_string_equal(runs.items[0].status, "done");
    assert_int_equal(trine_record_series(&s, o.record, runs.items[0].id, "loss", NULL), TRINE_OK);
    assert_int_equal(s.n, STEPS);
    trine_series_clear(&s);
    trine_runs_clear(&runs);
    trine_record_close(o.record);
}

typedef struct locking {
    sqlite3 *db;
    int n_notes;
    char note[600];
} locking;

static void keep_note(void *user, const char *text)
{
    locking *l = user;
    if (!strstr(text, "record")) return;
    l->n_notes++;
    snprintf(l->note, sizeof l->note, "%s", text);
}

static bool lock_at_20(void *user, const trine_train_event *e)
{
    locking *l = user;
    if (e->step == 20) assert_int_equal(sqlite3_exec(l->db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    if (e->step == 21) assert_int_equal(sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    return true;
}

/* A record that is locked for long costs a run nothing but a note. */
static void a_record_that_fails_costs_nothing(void **state)
{
    (void)state;
    trine_train_result r;
    trine_error err = { 0 };
    trine_train_options o = usual;
    locking l = { 0 };
    trine_runs runs;
    trine_series s;
    assert_int_equal(trine_record_open(&o.record, temp_path("r.db"), false, NULL), TRINE_OK);
    assert_int_equal(sqlite3_open(temp_path("r.db"), &l.db), SQLITE_OK);
    o.log = keep_note;
    o.log_user = &l;
    sqlite3_busy_timeout(o.record->db, 10);
    if (run(&r, temp_path("out"), o, harmless, lock_at_20, &l, &err)) fail_msg("%s", err.text);
    run_whole(temp_path("whole"));
    expect_same_run(temp_path("whole"), temp_path("out"));
    assert_int_equal(l.n_notes, 1);
    assert_non_null(strstr(l.note, "has it locked"));
    assert_non_null(strstr(l.note, "after step 21 this run is not recorded"));
    assert_int_equal(trine_record_list(&runs, o.record, NULL), TRINE_OK);
    assert_string_equal(runs.items[0].status, "done");
    assert_int_equal(trine_record_series(&s, o.record, runs.items[0].id, "loss", NULL), TRINE_OK);
    assert_int_equal(s.n, 20);
    trine_series_clear(&s);
    trine_runs_clear(&runs);
    /* Nor where it is locked when the run begins. */
    int64_t last = 0;
    assert_int_equal(sqlite3_exec(l.db, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(run(&r, temp_path("later"), o, harmless, stop_at_33, &last, &err), TRINE_ERROR_CANCELLED);
    assert_int_equal(l.n_notes, 2);
    assert_non_null(strstr(l.note, "after step 0 this run is not recorded"));
    sqlite3_close(l.db);
    trine_record_close(o.record);
}

static void expect_runs(const char *path, int n, const char *newest, const char *oldest)
{
    trine_record *record;
    trine_runs runs;
    assert_int_equal(trine_record_open(&record, path, true, NULL), TRINE_OK);
    assert_int_equal(trine_record_list(&runs, record, NULL), TRINE_OK);
    assert_int_equal(runs.n, n);
    assert_string_equal(runs.items[0].status, newest);
    assert_string_equal(runs.items[n - 1].status, oldest);
    trine_runs_clear(&runs);
    trine_record_close(record);
}

static bool pause_at_33(void *user, const trine_train_event *e)
{
    (void)user;
    while (e->step == 33) pause();
    return true;
}

static void a_killed_run_is_not_said_to_go_on(void **state)
{
    (void)state;
    trine_train_options o = usual;
    trine_train_result r;
    trine_error err = { 0 };
    int how;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        if (trine_record_open(&o.record, temp_path("r.db"), false, NULL)) _exit(1);
        run(&r, temp_path("out"), o, harmless, pause_at_33, NULL, NULL);
        _exit(1);
    }
    for (int i = 0;
         i < 600 && !trine_file_exists(in_folder(temp_path("out"), "training/checkpoints/checkpoint-0000000028.safetensors")); i++)
        usleep(20000);
    expect_runs(temp_path("r.db"), 1, "running", "running");
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &how, 0), child);
    expect_runs(temp_path("r.db"), 1, "killed", "killed");
    /* It goes on as the same run where the directory was moved, and is over for good where another has begun in its place. */
    assert_int_equal(rename(temp_path("out"), temp_path("moved")), 0);
    expect_runs(temp_path("r.db"), 1, "running", "running"); /* nobody can tell */
    int64_t last = 0;
    o.resume = true;
    assert_int_equal(trine_record_open(&o.record, temp_path("r.db"), false, NULL), TRINE_OK);
    if (run(&r, temp_path("moved"), o, harmless, NULL, NULL, &err)) fail_msg("%s", err.text);
    expect_runs(temp_path("r.db"), 1, "done", "done");
    assert_int_equal(trine_record_resume(o.record, 1, 60, NULL), TRINE_OK);
    expect_runs(temp_path("r.db"), 1, "killed", "killed");
    o.resume = false;
    o.overwrite = true;
    assert_int_equal(run(&r, temp_path("moved"), o, harmless, stop_at_33, &last, &err), TRINE_ERROR_CANCELLED);
    expect_runs(temp_path("r.db"), 2, "stopped", "killed");
    trine_record_close(o.record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(runs_are_recorded, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_record_that_fails_costs_nothing, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_killed_run_is_not_said_to_go_on, temp_set_up, temp_tear_down),
    };
    return cmocka_run_group_tests_name("recorded_runs", tests, NULL, NULL);
}
