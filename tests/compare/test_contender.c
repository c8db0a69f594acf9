/* test_contender.c - contenders: sizes meet their number, examples are as large as they say, training is repeatable, learns, and stops
 * when it is asked to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it */
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/contender.h"
#include "compare/world_examples.h"
#include "support/alloc.h"

static const trine_paradigm paradigms[] = { TRINE_ENCODER, TRINE_DECODER, TRINE_ENCODER_DECODER };

static trine_grammar *open_world(void)
{
    trine_grammar *g;
    trine_error err;
    if (trine_world_open(&g, &err)) fail_msg("%s", err.text);
    return g;
}

static void sizes_meet_their_number(void **state)
{
    (void)state;
    static const int64_t numbers[] = { 20000, 50000, 150000, 1000000, 7000000, 30000000 };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        for (int p = 0; p < 3; p++) {
            trine_size s;
            trine_error err;
            if (trine_size_near(&s, paradigms[p], numbers[i], 218, 100, &err)) fail_msg("%s", err.text);
            assert_int_equal(s.d_model % s.n_heads, 0);
            const double off = fabs((double)s.n_parameters / (double)numbers[i] - 1);
            if (off > 0.01) fail_msg("%lld parameters, asked for %lld", (long long)s.n_parameters, (long long)numbers[i]);
        }
    }
    trine_size s;
    trine_error err;
    assert_int_equal(trine_size_near(&s, TRINE_DECODER, 100, 218, 100, &err), TRINE_ERROR_ARGUMENT);
}

/* The encoder-decoder's tokens pass half of its layers each. */
static void an_encoder_decoder_costs_half_a_decoder(void **state)
{
    (void)state;
    trine_size d, t;
    assert_int_equal(trine_size_near(&d, TRINE_DECODER, 10000000, 218, 100, NULL), 0);
    assert_int_equal(trine_size_near(&t, TRINE_ENCODER_DECODER, 10000000, 218, 100, NULL), 0);
    const trine_work one = { .rows = 1000 }, two = { .rows = 500, .targets = 500 };
    const double ratio = trine_size_flops(&t, &two) / trine_size_flops(&d, &one);
    assert_true(ratio > 0.4 && ratio < 0.6);
}

static void examples_are_as_large_as_they_say(void **state)
{
    (void)state;
    trine_grammar *g = open_world();
    trine_world_set set;
    assert_int_equal(trine_world_set_open(&set, g, "world", 4, 0, 300, 0, NULL), 0);
    for (int p = 0; p < 3; p++) {
        trine_examples *e;
        trine_batch_room room = { 0 };
        assert_int_equal(trine_world_examples(&e, &set, paradigms[p], 1, NULL), 0);
        for (int64_t i = 0; i < set.n; i++) {
            trine_train_batch b;
            const trine_example_size s = e->size(e, 2, i);
            trine_batch_begin(&room);
            e->make(&room, e, 2, i);
            assert_int_equal(trine_batch_end(&b, &room, NULL), 0);
            assert_int_equal(b.n_rows, s.rows);
            assert_int_equal(b.n_target_rows, s.targets);
            assert_int_equal(b.n_out, s.outs);
            assert_true(s.rows <= trine_world_max_tokens(g) && s.outs > 0);
            for (int k = 0; k < b.n_rows; k++) assert_in_range(b.ids[k], 0, trine_world_vocab(g) - 1);
        }
        trine_batch_clear(&room);
        trine_examples_close(e);
    }
    trine_world_set_close(&set);
    trine_grammar_close(g);
}

/* A small training of each paradigm; its last loss. */
static double train(const trine_grammar *g, trine_paradigm p, int n_threads, trine_contender_fn *on_step, trine_status expected)
{
    trine_world_set set, valid;
    trine_size size;
    trine_contender *c;
    trine_examples *e, *v;
    trine_error err = { 0 };
    const trine_contender_options options = {
        .seed = 3, .n_threads = n_threads, .batch_tokens = 512, .n_points = 3, .on_step = on_step
    };
    assert_int_equal(trine_world_set_open(&set, g, "review", 1, 0, 0, 12000, NULL), 0);
    assert_int_equal(trine_world_set_open(&valid, g, "review", 2, 0, 50, 0, NULL), 0);
    assert_int_equal(trine_size_near(&size, p, 30000, trine_world_vocab(g), trine_world_max_tokens(g), NULL), 0);
    assert_int_equal(trine_world_examples(&e, &set, p, 1, NULL), 0);
    assert_int_equal(trine_world_examples(&v, &valid, p, 1, NULL), 0);
    assert_int_equal(trine_contender_open(&c, &size, &options, NULL), 0);
    assert_int_equal(trine_contender_train(c, e, v, &err), expected);
    double loss = 0;
    if (!expected) {
        assert_int_equal(c->n_points, 3);
        assert_true(c->points[2].valid_loss < c->points[0].train_loss);
        assert_true(c->points[2].flops > c->points[0].flops && c->bytes > 0);
        loss = c->points[2].valid_loss;
    }
    trine_contender_close(c);
    trine_world_set_close(&set);
    trine_world_set_close(&valid);
    return loss;
}

/* What is asked of a text is like what it learns: words that are missing alone and in the middle, 15% of the tokens on average; and
 * for an encoder what follows a beginning. T5's own spans of so short a text would be few, long, and one always its end. */
static void what_is_cut_out_stands_anywhere(void **state)
{
    (void)state;
    trine_grammar *world;
    trine_world_set set;
    trine_examples *two, *one;
    trine_batch_room room = { 0 };
    double noise = 0, tokens = 0;
    int n_middle = 0, n_single = 0, n_beginnings = 0;
    assert_int_equal(trine_world_open(&world, NULL), 0);
    assert_int_equal(trine_world_set_open(&set, world, "story", 3, 0, 400, 0, NULL), 0);
    assert_int_equal(trine_world_examples(&two, &set, TRINE_ENCODER_DECODER, 1, NULL), 0);
    assert_int_equal(trine_world_examples(&one, &set, TRINE_ENCODER, 1, NULL), 0);
    for (int64_t i = 0; i < set.n; i++) {
        const int n = (int)(set.starts[i + 1] - set.starts[i]);
        trine_batch_begin(&room);
        two->make(&room, two, 0, i);
        assert_false(room.failed);
        int spans = 0, last = -1;
        for (int k = 0; k < room.n_rows; k++)
            if (room.ids[k] >= TRINE_WORLD_SENTINEL && room.ids[k] < TRINE_WORLD_WORD) {
                assert_int_equal(room.ids[k], TRINE_WORLD_SENTINEL + spans++); /* in their order */
                last = k;
            }
        if (spans) {
            const int cut = n - (room.n_rows - 1 - spans);
            assert_int_equal(room.n_target_rows, cut + spans + 1);
            noise += cut;
            tokens += n;
            n_middle += last < room.n_rows - 2;
            n_single += spans == 1 && cut == 1;
        }
        trine_batch_begin(&room);
        one->make(&room, one, 0, i);
        n_beginnings += room.n_out > n / 5 + 1;
    }
    assert_true(fabs(noise / tokens - 0.15) < 0.025);
    assert_true(n_middle > 100 && n_single > 5 && n_beginnings > 60);
    trine_batch_clear(&room);
    trine_examples_close(two);
    trine_examples_close(one);
    trine_world_set_close(&set);
    trine_grammar_close(world);
}

static void training_learns_and_is_repeatable(void **state)
{
    (void)state;
    trine_grammar *g = open_world();
    for (int p = 0; p < 3; p++) {
        const double once = train(g, paradigms[p], 1, NULL, TRINE_OK), again = train(g, paradigms[p], 2, NULL, TRINE_OK);
        assert_true(once == again); /* to the bit, on any number of threads */
    }
    trine_grammar_close(g);
}

static bool stop_at_five(void *user, const trine_contender_progress *p)
{
    (void)user;
    assert_true(p->n_steps > 5 && isfinite(p->loss));
    return p->step < 5;
}

static void training_stops_when_asked(void **state)
{
    (void)state;
    trine_grammar *g = open_world();
    train(g, TRINE_DECODER, 1, stop_at_five, TRINE_ERROR_CANCELLED);
    trine_grammar_close(g);
}

/* Before it is asked for: a system that gives memory it does not have would end somebody. */
static void what_no_memory_holds_is_refused(void **state)
{
    (void)state;
    trine_size size;
    trine_contender *c;
    trine_error err = { 0 };
    assert_int_equal(trine_size_near(&size, TRINE_DECODER, 30000, 218, 100, NULL), 0);
    size.n_parameters = (int64_t)1 << 50;
    assert_int_equal(trine_contender_open(&c, &size, &(trine_contender_options) { 0 }, &err), TRINE_ERROR_MEMORY);
    assert_null(c);
    assert_non_null(strstr(err.text, "are free"));
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    trine_grammar *g = open_world();
    trine_size size;
    assert_int_equal(trine_size_near(&size, TRINE_ENCODER_DECODER, 20000, trine_world_vocab(g), 100, NULL), 0);
    for (long k = 1;; k += 1 + k / 10) {
        trine_world_set set = { 0 };
        trine_examples *e;
        trine_contender *c = NULL;
        const trine_contender_options options = { .n_threads = 1 };
        alloc_fail_at(k);
        trine_status status = trine_world_set_open(&set, g, "recall", 1, 0, 20, 0, NULL);
        if (!status) status = trine_world_examples(&e, &set, size.paradigm, 1, NULL);
        if (!status && (status = trine_contender_open(&c, &size, &options, NULL))) trine_examples_close(e);
        if (!status) status = trine_contender_train(c, e, NULL, NULL);
        alloc_fail_at(0);
        trine_contender_close(c);
        trine_world_set_close(&set);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
    }
    trine_grammar_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_meet_their_number),           cmocka_unit_test(an_encoder_decoder_costs_half_a_decoder),
        cmocka_unit_test(examples_are_as_large_as_they_say), cmocka_unit_test(what_is_cut_out_stands_anywhere),
        cmocka_unit_test(training_learns_and_is_repeatable), cmocka_unit_test(training_stops_when_asked),
        cmocka_unit_test(memory_may_run_out_anywhere),       cmocka_unit_test(what_no_memory_holds_is_refused),
    };
    return cmocka_run_group_tests_name("contender", tests, NULL, NULL);
}
