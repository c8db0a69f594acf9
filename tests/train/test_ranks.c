/* test_ranks.c - training by many ranks, which are threads here: N ranks learn what one does with N times the micro-batches, with the
 * moments whole or shared out; a run that was stopped goes on bit for bit; what fails at one rank ends all, with its reason; and
 * gradients that are told to be final, so that their sums can begin, stay as they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "support/open_fixture.h"
#include "support/temp.h"
#include "support/thread_ranks.h"
#include "train/batch_room.h"
#include "train/step.h"

enum { STEPS = 12, RANKS_MOST = 4 };

static const struct {
    const char *arch, *tokenizer;
} families[] = { { "bert", "bert-mlm" }, { "gpt2", "llama-chat" }, { "t5", "t5" } };

/* One run, by one rank or more. */
typedef struct job {
    trine_new_model model;
    trine_train_options o;
    int64_t stop_at;                                               /* rank 1 asks all to stop after this step; 0: never */
    const char *cpu;                                               /* of rank 1; NULL: as the others */
    void (*other)(trine_train_options *o, trine_new_model *model); /* what rank 1 has otherwise; or NULL */
    double loss[STEPS + 1], valid[STEPS + 1], norm[STEPS + 1];
    trine_status status[RANKS_MOST];
    trine_error err[RANKS_MOST];
    trine_train_result result[RANKS_MOST];
    int n_sums[RANKS_MOST];
} job;

typedef struct watching {
    job *j;
    int rank;
} watching;

static bool on_step(void *user, const trine_train_event *e)
{
    const watching *w = user;
    if (w->rank == 0 && e->step <= STEPS) {
        w->j->loss[e->step] = e->loss;
        w->j->norm[e->step] = e->gradient_norm;
        if (e->validated) w->j->valid[e->step] = e->valid_loss;
    }
    return w->rank != 1 || e->step != w->j->stop_at;
}

static void train_one(trine_ranks *ranks, void *user)
{
    job *j = user;
    const int rank = ranks ? ranks->rank : 0;
    watching w = { j, rank };
    trine_train_options o = j->o;
    o.ranks = ranks;
    o.on_step = on_step;
    o.user = &w;
    if (rank == 1 && j->cpu) o.cpu = j->cpu;
    trine_new_model model = j->model;
    if (rank == 1 && j->other) j->other(&o, &model);
    j->status[rank] = trine_train(&j->result[rank], &model, &o, &j->err[rank]);
    if (ranks) j->n_sums[rank] = thread_ranks_begun(ranks);
}

static char text_path[400];
static const char *const text_paths[] = { text_path };
static const trine_train_part parts[] = { { .paths = text_paths, .n_paths = 1 },
                                          { .paths = text_paths, .n_paths = 1, .objective = TRINE_OBJECTIVE_PREFIX } };

static job job_of(int family, const char *out, int accumulate)
{
    static char tokenizer[400];
    snprintf(tokenizer, sizeof tokenizer, "%s/command/%s", TRINE_FIXTURES, families[family].tokenizer);
    return (job) { .model = { .arch = families[family].arch, .n_layers = 2, .d_model = 16, .n_heads = 2, .tokenizer = tokenizer },
                   .o = { .out = out,
                          .parts = &parts[family == 2], /* the tokenizer has no sentinels */
                          .n_parts = 1,
                          .hold_out = 0.2,
                          .steps = STEPS,
                          .batch_texts = 3,
                          .accumulate = accumulate,
                          .seq_len = 16,
                          .dropout = 0.1f,
                          .ema = 0.9f,
                          .learning_rate = 0.01f,
                          .eval_every = 4,
                          .save_every = 4,
                          .seed = 7,
                          .n_threads = 1 } };
}

static void run_alone(job *j)
{
    train_one(NULL, j);
    if (j->status[0]) fail_msg("%s", j->err[0].text);
}

static void run_by(int n, job *j)
{
    thread_ranks_run(n, train_one, j);
    for (int i = 0; i < n; i++)
        if (j->status[i]) fail_msg("rank %d: %s", i, j->err[i].text);
}

static char *read_model(size_t *n, const char *out)
{
    char path[500], *bytes;
    snprintf(path, sizeof path, "%s/model.safetensors", out);
    assert_int_equal(trine_file_read(&bytes, n, path, 1 << 26, NULL), TRINE_OK);
    return bytes;
}

static void expect_same_weights(const char *a, const char *b)
{
    size_t n, m;
    char *x = read_model(&n, a), *y = read_model(&m, b);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
}

/* Sums of floats run in another order: 1e-4 of the loss is some hundred roundings, grown over a dozen steps. */
static void expect_same_curve(const job *a, const job *b)
{
    for (int i = 1; i <= STEPS; i++) {
        if (!(fabs(a->loss[i] - b->loss[i]) <= 1e-4 * a->loss[i])) fail_msg("step %d: %.9g and %.9g", i, a->loss[i], b->loss[i]);
        if (!(fabs(a->valid[i] - b->valid[i]) <= 1e-4 * a->valid[i])) fail_msg("valid %d: %.9g, %.9g", i, a->valid[i], b->valid[i]);
    }
}

static void ranks_learn_what_one_does_with_their_batches(void **state)
{
    (void)state;
    for (int f = 0; f < 3; f++) {
        char out[5][32];
        for (int i = 0; i < 5; i++) snprintf(out[i], sizeof out[i], "%s%d", families[f].arch, i);
        job alone = job_of(f, temp_path(out[0]), 4), two = job_of(f, temp_path(out[1]), 2),
            shared = job_of(f, temp_path(out[2]), 2), four = job_of(f, temp_path(out[3]), 1),
            shared_by_four = job_of(f, temp_path(out[4]), 1);
        shared.o.shard_optimizer = shared_by_four.o.shard_optimizer = true;
        run_alone(&alone);
        run_by(2, &two);
        run_by(2, &shared);
        run_by(4, &four);
        run_by(4, &shared_by_four);
        expect_same_curve(&alone, &two);
        expect_same_curve(&alone, &four);
        assert_int_equal(two.result[0].n_tokens, alone.result[0].n_tokens);
        assert_int_equal(two.result[1].n_tokens, alone.result[0].n_tokens);
        /* Where the moments lie changes nothing. */
        assert_memory_equal(two.loss, shared.loss, sizeof two.loss);
        assert_memory_equal(two.valid, shared.valid, sizeof two.valid);
        assert_memory_equal(four.norm, shared_by_four.norm, sizeof four.norm);
        expect_same_weights(temp_path(out[1]), temp_path(out[2]));
        expect_same_weights(temp_path(out[3]), temp_path(out[4]));
        assert_true(two.n_sums[0] > STEPS); /* several buckets a step */
    }
}

static void the_last_step_may_have_less_than_a_batch_a_rank(void **state)
{
    (void)state;
    job j = job_of(1, temp_path("uneven"), 1), alone = job_of(1, temp_path("even"), 4);
    j.o.steps = alone.o.steps = 0;
    j.o.epochs = alone.o.epochs = 1;
    j.o.batch_texts = alone.o.batch_texts = 5;
    run_by(4, &j);
    run_alone(&alone);
    assert_int_equal(j.result[3].steps, alone.result[0].steps);
    expect_same_curve(&alone, &j);
}

static void stopped_by_any_rank_it_goes_on_bit_for_bit(void **state)
{
    (void)state;
    for (int sharded = 0; sharded < 2; sharded++) {
        const char *whole_path = temp_path(sharded ? "whole1" : "whole0"), *part_path = temp_path(sharded ? "part1" : "part0");
        job whole = job_of(1, whole_path, 1), stopped = job_of(1, part_path, 1);
        whole.o.shard_optimizer = stopped.o.shard_optimizer = sharded;
        run_by(2, &whole);
        stopped.stop_at = 6;
        thread_ranks_run(2, train_one, &stopped);
        assert_int_equal(stopped.status[0], TRINE_ERROR_CANCELLED);
        assert_int_equal(stopped.status[1], TRINE_ERROR_CANCELLED);
        assert_non_null(strstr(stopped.err[0].text, "stopped after step 6 of 12"));
        stopped.stop_at = 0;
        stopped.o.resume = true;
        run_by(2, &stopped);
        assert_memory_equal(whole.loss, stopped.loss, sizeof whole.loss);
        assert_memory_equal(whole.valid, stopped.valid, sizeof whole.valid);
        expect_same_weights(whole_path, part_path);
        /* Of other ranks it is another run. */
        thread_ranks_run(3, train_one, &stopped);
        for (int i = 0; i < 3; i++) assert_int_equal(stopped.status[i], TRINE_ERROR_ARGUMENT);
        assert_non_null(strstr(stopped.err[0].text, "the run had ranks = 2, and now it is 3"));
    }
}

static void what_fails_at_one_rank_ends_all(void **state)
{
    (void)state;
    job j = job_of(0, temp_path("fails"), 1);
    j.cpu = "steam";
    thread_ranks_run(3, train_one, &j);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(j.status[i], TRINE_ERROR_ARGUMENT);
        assert_non_null(strstr(j.err[i].text, "rank 1: "));
        assert_non_null(strstr(j.err[i].text, "steam"));
    }
    job again = job_of(0, temp_path("fails"), 1);
    again.o.learning_rate = 5;
    again.o.clip = -1;
    again.o.steps = 1000;
    again.o.beta2 = 0.1f;
    again.o.weight_decay = 10;
    again.o.decay = TRINE_DECAY_CONSTANT;
    again.o.hold_out = 0;
    thread_ranks_run(2, train_one, &again);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(again.status[i], TRINE_ERROR_NUMERIC);
        assert_non_null(strstr(again.err[i].text, "is not finite"));
    }
    job lost = job_of(0, temp_path("text.txt"), 1); /* a file: rank 0 alone looks */
    thread_ranks_run(2, train_one, &lost);
    assert_int_equal(lost.status[1], TRINE_ERROR_IO);
    assert_non_null(strstr(lost.err[1].text, "is a file"));
}

static void another_rate(trine_train_options *o, trine_new_model *model)
{
    (void)model;
    o->learning_rate = 0.5f;
}

static void sharded(trine_train_options *o, trine_new_model *model)
{
    (void)model;
    o->shard_optimizer = true;
}

static void saved_often(trine_train_options *o, trine_new_model *model)
{
    (void)model;
    o->save_every = 1;
}

static void resumed(trine_train_options *o, trine_new_model *model)
{
    (void)model;
    o->resume = true;
}

static void another_model(trine_train_options *o, trine_new_model *model)
{
    static char path[400];
    (void)o;
    snprintf(path, sizeof path, "%s/command/bert-mlm", TRINE_FIXTURES);
    *model = (trine_new_model) { .from = path };
}

/* Before the first step: else the sum of two runs would be learnt, or a rank would wait for ever. */
static void ranks_that_have_it_otherwise_are_named(void **state)
{
    (void)state;
    static const struct {
        void (*other)(trine_train_options *o, trine_new_model *model);
        const char *what;
    } cases[] = { { another_rate, "rank 1: lr = 0.5 here, and 0.00999" },
                  { sharded, "rank 1: shard_optimizer = true here, and false at rank 0" },
                  { saved_often, "rank 1: save_every = 1 here, and 4 at rank 0" },
                  { resumed, "rank 1: resume = true here, and false at rank 0" },
                  { another_model, "rank 1: what = " } };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        job j = job_of(1, temp_path("otherwise"), 1);
        j.other = cases[k].other;
        thread_ranks_run(3, train_one, &j);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(j.status[i], TRINE_ERROR_ARGUMENT);
            if (!strstr(j.err[i].text, cases[k].what)) fail_msg("'%s' is not in: %s", cases[k].what, j.err[i].text);
        }
        assert_true(j.loss[1] == 0);
    }
}

/* ------------------------------------------------------------------------------------------------- gradients that are final */

typedef struct finals {
    const trine_params *p;
    float *then;
    size_t told;
    int n;
} finals;

static void keep_final(void *user, size_t from)
{
    finals *f = user;
    assert_true(from < f->told);
    memcpy(f->then + from, f->p->grads + from, (f->told - from) * sizeof(float));
    f->told = from;
    f->n++;
}

static void what_is_told_to_be_final_stays(void **state)
{
    (void)state;
    static const char *const models[] = { "command/bert-mlm", "generate/gpt2", "command/llama-chat", "command/t5" };
    for (int i = 0; i < 12; i++) {
        char path[400];
        trine_error err = { 0 };
        trine_params *p;
        trine_model *m;
        trine_step *step;
        snprintf(path, sizeof path, "%s/%s", TRINE_FIXTURES, models[i / 3]);
        const trine_params_options options = { .checkpoint = path, .grads = true, .lora_rank = i % 3 == 2 ? 2 : 0 };
        const trine_step_options how = { .recompute = i % 3 == 1, .dropout = 0.1f };
        check_ok(trine_params_open(&p, &m, &options, &err), &err);
        check_ok(trine_step_open(&step, m, p, &how, &err), &err);
        finals f = { .p = p, .then = calloc(p->n, sizeof(float)), .told = p->n };
        trine_batch_room room = { 0 };
        trine_train_batch b;
        double loss, weight;
        const int32_t ids[] = { 5, 9, 7, 8, 11, 6 };
        for (int t = 0; t < 3; t++) {
            trine_batch_add_text(&room, ids, NULL, 6 - t, 0);
            if (m->info.paradigm == TRINE_ENCODER_DECODER) trine_batch_add_target(&room, 0, ids, 4);
            for (int k = 0; m->info.paradigm != TRINE_ENCODER_DECODER && k < 3; k++) trine_batch_add_out(&room, k, ids[k + 1], 1);
        }
        check_ok(trine_batch_end(&b, &room, &err), &err);
        check_ok(trine_step_watch(step, keep_final, &f, &err), &err);
        check_ok(trine_step_run(&loss, &weight, step, &b, 1, &err), &err);
        assert_true(f.n > 2);
        assert_int_equal(f.told, 0);
        assert_memory_equal(f.then, p->grads, p->n * sizeof(float));
        trine_batch_clear(&room);
        free(f.then);
        trine_step_close(step);
        trine_model_close(m);
        trine_params_close(p);
    }
}

static int set_up(void **state)
{
    (void)state;
    char b[8000];
    size_t n = 0;
    temp_make();
    for (int i = 0; i < 60; i++)
        n += (size_t)snprintf(b + n, sizeof b - n, "the cat sat on the mat and the dog ran %d times\n\n", i % 7);
    snprintf(text_path, sizeof text_path, "%s", temp_write("text.txt", b, n));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ranks_learn_what_one_does_with_their_batches, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(the_last_step_may_have_less_than_a_batch_a_rank, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(stopped_by_any_rank_it_goes_on_bit_for_bit, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(what_fails_at_one_rank_ends_all, set_up, temp_tear_down),
        cmocka_unit_test_setup_teardown(ranks_that_have_it_otherwise_are_named, set_up, temp_tear_down),
        cmocka_unit_test(what_is_told_to_be_final_stays),
    };
    return cmocka_run_group_tests_name("ranks", tests, NULL, NULL);
}
