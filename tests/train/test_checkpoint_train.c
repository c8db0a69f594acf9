/* test_checkpoint_train.c - nothing is lost: what is written is what is read, the last whole checkpoint is found whatever happened to
 * the one after it, and a full disk leaves all as it was. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/alloc.h"
#include "support/random.h"
#include "support/temp.h"
#include "train/checkpoint_train.h"

typedef struct run {
    trine_params *p;
    trine_model *model;
    float *average;
} run;

static run open_run(const char *name, uint64_t seed, bool adam)
{
    run r;
    char path[512];
    trine_error err;
    snprintf(path, sizeof path, "%s/models/%s", TRINE_FIXTURES, name);
    const trine_params_options o = { .checkpoint = path, .adam = adam, .bf16 = true };
    if (trine_params_open(&r.p, &r.model, &o, &err)) fail_msg("%s", err.text);
    r.average = calloc(r.p->n, sizeof(float));
    random_state random = { seed };
    for (int i = 0; seed && i < r.p->n_tensors; i++) {
        const trine_param *t = &r.p->tensors[i];
        random_fill(&random, r.p->values + t->offset, t->n, 1);
        if (adam) random_fill(&random, r.p->m + t->offset, t->n, 1);
        if (adam) random_fill(&random, r.p->v + t->offset, t->n, 1);
        random_fill(&random, r.average + t->offset, t->n, 1);
    }
    trine_params_round(r.p, NULL);
    return r;
}

static void close_run(run *r)
{
    trine_model_close(r->model);
    trine_params_close(r->p);
    free(r->average);
}

static void check_same(const run *a, const run *b)
{
    assert_memory_equal(a->p->values, b->p->values, a->p->n * sizeof(float));
    assert_memory_equal(a->p->m, b->p->m, a->p->n * sizeof(float));
    assert_memory_equal(a->p->v, b->p->v, a->p->n * sizeof(float));
    assert_memory_equal(a->average, b->average, a->p->n * sizeof(float));
    assert_memory_equal(a->p->bf16, b->p->bf16, a->p->n * sizeof(uint16_t));
}

static void save(const run *r, uint64_t step)
{
    trine_error err;
    json_t *state = json_pack("{s:I, s:s}", "step", (json_int_t)step, "data", "here");
    if (trine_training_save(temp_folder(), step, r->p, r->average, state, NULL, &err)) fail_msg("%s", err.text);
    json_decref(state);
}

static char lines[4000];

static void keep_line(void *user, const char *text)
{
    (void)user;
    assert_true(strlen(lines) + strlen(text) + 2 < sizeof lines);
    strcat(strcat(lines, text), "\n");
}

/* The newest whole step. */
static uint64_t load(run *r)
{
    uint64_t step;
    json_t *state;
    trine_error err;
    *lines = 0;
    if (trine_training_load(&step, &state, temp_folder(), r->p, r->average, keep_line, NULL, &err)) fail_msg("%s", err.text);
    if (step == TRINE_NO_STEP) {
        assert_null(state);
    } else {
        assert_int_equal(json_integer_value(json_object_get(state, "step")), step);
        assert_string_equal(json_string_value(json_object_get(state, "data")), "here");
    }
    json_decref(state);
    return step;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    run a = open_run("gpt2", 1, true), b = open_run("gpt2", 0, true);
    assert_true(load(&b) == TRINE_NO_STEP);
    save(&a, 1200);
    assert_int_equal(load(&b), 1200);
    check_same(&a, &b);
    assert_string_equal(lines, "");
    /* The same step again replaces it. */
    a.p->values[0] = 77;
    trine_params_round(a.p, NULL);
    save(&a, 1200);
    assert_int_equal(temp_count(temp_folder()), 1);
    assert_int_equal(load(&b), 1200);
    check_same(&a, &b);
    close_run(&a);
    close_run(&b);
}

static void old_ones_go_and_the_best_stays(void **state)
{
    (void)state;
    run a = open_run("bert-mlm", 1, true);
    for (uint64_t step = 100; step <= 700; step += 100) save(&a, step);
    temp_write("checkpoint-0000000800.safetensors.123-0.part", "x", 1);
    temp_write("metrics.jsonl", "x", 1);
    temp_write("checkpoint-5.safetensors", "x", 1); /* no name of ours */
    assert_int_equal(trine_training_prune(temp_folder(), 2, 300, NULL), TRINE_OK);
    assert_int_equal(temp_count(temp_folder()), 5);
    assert_true(trine_file_exists(temp_path("checkpoint-0000000700.safetensors")));
    assert_true(trine_file_exists(temp_path("checkpoint-0000000600.safetensors")));
    assert_true(trine_file_exists(temp_path("checkpoint-0000000300.safetensors")));
    assert_int_equal(trine_training_prune(temp_folder(), 1, TRINE_NO_STEP, NULL), TRINE_OK);
    assert_int_equal(temp_count(temp_folder()), 3);
    assert_int_equal(load(&a), 700);
    json_t *of_step;
    trine_error err;
    assert_int_equal(trine_training_load_step(&of_step, temp_folder(), 700, a.p, a.average, &err), TRINE_OK);
    json_decref(of_step);
    assert_int_equal(trine_training_load_step(&of_step, temp_folder(), 300, a.p, a.average, &err), TRINE_ERROR_NOT_FOUND);
    assert_null(of_step);
    close_run(&a);
}

static void damage(const char *name, long size, long at)
{
    const char *path = temp_path(name);
    if (size >= 0 && truncate(path, size)) fail();
    FILE *f = at >= 0 ? fopen(path, "r+b") : NULL;
    if (!f) return;
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    const int byte = fgetc(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    fputc(byte ^ 1, f);
    fclose(f);
}

/* Cut anywhere, or one bit turned anywhere: the one before is taken, and it is said why. */
static void a_damaged_one_is_passed_over(void **state)
{
    (void)state;
    run a = open_run("bert-mlm", 1, true), b = open_run("bert-mlm", 2, true), c = open_run("bert-mlm", 0, true);
    random_state r = random_open("damage");
    char *bytes;
    size_t n;
    save(&a, 10);
    save(&b, 20);
    const char *name = "checkpoint-0000000020.safetensors";
    assert_int_equal(trine_file_read(&bytes, &n, temp_path(name), 1 << 28, NULL), TRINE_OK);
    for (int i = 0; i < 60; i++) {
        const long at = i == 0 ? 0 : i == 1 ? (long)n - 1 : random_int(&r, 0, (int)n - 1);
        temp_write(name, bytes, n);
        damage(name, i % 2 ? -1 : at, i % 2 ? at : -1);
        assert_int_equal(load(&c), 10);
        check_same(&a, &c);
        assert_non_null(strstr(lines, "passed over: "));
        assert_non_null(strstr(lines, name));
    }
    temp_write(name, bytes, n);
    assert_int_equal(load(&c), 20);
    check_same(&b, &c);
    /* None that is whole. */
    damage(name, 100, -1);
    damage("checkpoint-0000000010.safetensors", 5000, -1);
    uint64_t step;
    json_t *json;
    trine_error err;
    assert_int_equal(trine_training_load(&step, &json, temp_folder(), c.p, c.average, NULL, NULL, &err), TRINE_ERROR_FORMAT);
    assert_null(json);
    free(bytes);
    close_run(&a);
    close_run(&b);
    close_run(&c);
}

static void expect_other(run *r, const float *average, const char *says)
{
    uint64_t step;
    json_t *json;
    trine_error err;
    const float kept = r->p->values[0];
    assert_int_equal(trine_training_load(&step, &json, temp_folder(), r->p, (float *)(uintptr_t)average, NULL, NULL, &err),
                     TRINE_ERROR_FORMAT);
    assert_true(r->p->values[0] == kept);
    if (!strstr(err.text, says)) fail_msg("says '%s', expected '%s'", err.text, says);
}

static void another_models_is_refused(void **state)
{
    (void)state;
    run a = open_run("bert-mlm", 1, true), b = open_run("bert-classify", 2, true), c = open_run("bert-mlm", 3, false),
        d = open_run("gpt2", 3, true), e = open_run("gpt2-variant", 3, true);
    save(&a, 1);
    expect_other(&b, b.average, "another model");
    expect_other(&c, c.average, "which this one has not");
    expect_other(&a, NULL, "average.");
    save(&c, 2);
    expect_other(&a, a.average, "has no 'm.");
    save(&d, 3);
    expect_other(&e, e.average, "has shape [");
    close_run(&a);
    close_run(&b);
    close_run(&c);
    close_run(&d);
    close_run(&e);
}

static void a_full_disk_loses_nothing(void **state)
{
    (void)state;
    run a = open_run("bert-mlm", 1, true), b = open_run("bert-mlm", 2, true);
    json_t *json = json_object();
    trine_error err;
    save(&a, 10);
    struct rlimit limit, small;
    getrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t bytes = 0; bytes < 100000; bytes += 33333) {
        small = limit;
        small.rlim_cur = bytes;
        setrlimit(RLIMIT_FSIZE, &small);
        assert_int_equal(trine_training_save(temp_folder(), 10, b.p, b.average, json, NULL, &err), TRINE_ERROR_IO);
        assert_int_equal(trine_training_save(temp_folder(), 20, b.p, b.average, json, NULL, &err), TRINE_ERROR_IO);
        setrlimit(RLIMIT_FSIZE, &limit);
        assert_int_equal(temp_count(temp_folder()), 1);
    }
    assert_int_equal(load(&b), 10);
    check_same(&a, &b);
    assert_int_equal(trine_training_save("no/such/place", 1, a.p, NULL, json, NULL, &err), TRINE_ERROR_IO);
    json_decref(json);
    close_run(&a);
    close_run(&b);
}

/* A process killed while it writes, at many instants: what is there is whole. */
static void a_killed_writer_leaves_the_last_whole_one(void **state)
{
    (void)state;
    run a = open_run("bert-mlm", 1, true), b = open_run("bert-mlm", 0, true);
    random_state r = random_open("kill");
    save(&a, 1);
    uint64_t before = 1;
    for (int i = 0; i < 12; i++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (!child) {
            json_t *json = NULL;
            for (uint64_t step = before + 1;; step++) {
                json = json_pack("{s:I, s:s}", "step", (json_int_t)step, "data", "here");
                if (trine_training_save(temp_folder(), step, a.p, a.average, json, NULL, NULL) ||
                    trine_training_prune(temp_folder(), 2, 1, NULL))
                    _exit(1);
                json_decref(json);
            }
        }
        usleep((useconds_t)random_int(&r, 1000, 30000));
        kill(child, SIGKILL);
        int how;
        waitpid(child, &how, 0);
        assert_true(WIFSIGNALED(how));
        const uint64_t now = load(&b);
        assert_true(now >= before);
        assert_string_equal(lines, "");
        check_same(&a, &b);
        before = now;
    }
    assert_int_equal(trine_training_prune(temp_folder(), 1, TRINE_NO_STEP, NULL), TRINE_OK);
    assert_int_equal(temp_count(temp_folder()), 1);
    close_run(&a);
    close_run(&b);
}

static void memory_may_run_out(void **state)
{
    (void)state;
    run a = open_run("bert-mlm", 1, true);
    json_t *json = json_pack("{s:I}", "step", (json_int_t)5);
    for (long k = 1;; k++) {
        alloc_fail_at(k);
        const trine_status status = trine_training_save(temp_folder(), 5, a.p, a.average, json, NULL, NULL);
        alloc_fail_at(0);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
        assert_int_equal(temp_count(temp_folder()), 0);
    }
    json_decref(json);
    for (long k = 1;; k++) {
        uint64_t step;
        alloc_fail_at(k);
        const trine_status status = trine_training_load(&step, &json, temp_folder(), a.p, a.average, NULL, NULL, NULL);
        alloc_fail_at(0);
        json_decref(json);
        if (!status && step == 5) break;
        /* opendir takes memory too, and says so as a failure to read. */
        assert_true(status == TRINE_ERROR_MEMORY || status == TRINE_ERROR_IO);
    }
    close_run(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(old_ones_go_and_the_best_stays, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_one_is_passed_over, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(another_models_is_refused, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_loses_nothing, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(a_killed_writer_leaves_the_last_whole_one, temp_set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(memory_may_run_out, temp_set_up, temp_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
