/* test_long.c - compare long-document: both ways of attention agree, both models are measured and told, what was measured is kept, and
 * what cannot be is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it */
#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "compare/compare_long.h"
#include "generate/session.h"
#include "support/temp.h"

static void tiles_and_plain_attention_agree(void **state)
{
    (void)state;
    static const int lengths[] = { 1, 63, 200 };
    for (int i = 0; i < 3; i++) {
        trine_attention_cost cost;
        trine_error err;
        if (trine_attention_measure(&cost, lengths[i], 2, 32, 2, "scalar", &err)) fail_msg("%s", err.text);
        assert_true(cost.largest_difference < 1e-5); /* sums of 200 products of f32, in another order */
        assert_true(cost.plain_bytes == 4.0 * lengths[i] * lengths[i]);
        assert_true(cost.tiled_bytes > 0);
    }
    trine_attention_cost cost;
    assert_int_equal(trine_attention_measure(&cost, 0, 2, 32, 1, NULL, NULL), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_attention_measure(&cost, 10, 2, 32, 1, "no such level", NULL), TRINE_ERROR_ARGUMENT);
}

static const int64_t lengths[] = { 60, 150 };

typedef struct watch {
    int n_calls, stop_at;
} watch;

static bool on_progress(void *user, const char *what, int done, int total)
{
    watch *w = user;
    assert_true(*what && done >= 0 && total > 0);
    return !strstr(what, "training") && ++w->n_calls == w->stop_at ? false : true;
}

static trine_long_options options_of(watch *w, trine_record *record)
{
    return (trine_long_options) { .lengths = lengths,
                                  .n_lengths = 2,
                                  .train_tokens = 3000,
                                  .n_threads = 1,
                                  .record = record,
                                  .on_progress = on_progress,
                                  .user = w };
}

static void both_are_measured_and_what_was_is_kept(void **state)
{
    (void)state;
    trine_record *record;
    trine_report *report;
    trine_error err = { 0 };
    watch stopped = { .stop_at = 4 }, whole = { 0 };
    if (trine_record_open(&record, temp_path("r.db"), false, &err)) fail_msg("%s", err.text);
    trine_long_options o = options_of(&stopped, record);
    assert_int_equal(trine_compare_long(&report, &o, &err), TRINE_ERROR_CANCELLED);
    assert_non_null(strstr(err.text, "the same command goes on"));
    trine_series kept;
    assert_int_equal(trine_record_series(&kept, record, 1, "first_ms", NULL), TRINE_OK);
    assert_int_equal(kept.n, 3);
    const double first = kept.values[0];
    trine_series_clear(&kept);

    o = options_of(&whole, record);
    if (trine_compare_long(&report, &o, &err)) fail_msg("%s", err.text);
    json_t *doc = json_loads(trine_report_json(report), 0, NULL);
    assert_non_null(doc);
    assert_int_equal(json_integer_value(json_object_get(doc, "run")), 1);
    const json_t *decoder = json_object_get(doc, "decoder"), *both = json_object_get(doc, "encoder-decoder");
    const double a = json_number_value(json_object_get(decoder, "parameters"));
    const double b = json_number_value(json_object_get(both, "parameters"));
    assert_true(a / b < 1.03 && b / a < 1.03);
    const json_t *d = json_array_get(json_object_get(decoder, "lengths"), 0),
                 *e = json_array_get(json_object_get(both, "lengths"), 1);
    assert_float_equal(json_number_value(json_object_get(d, "first_token_ms")) / first, 1, 1e-9); /* not measured again */
    assert_true(json_number_value(json_object_get(d, "cross_cache_bytes")) == 0);
    assert_true(json_number_value(json_object_get(e, "cross_cache_bytes")) > 0);
    const json_t *types = json_object_get(decoder, "cache_types");
    const double f32 = json_number_value(json_object_get(json_object_get(types, "f32"), "self_cache_bytes"));
    const double q4 = json_number_value(json_object_get(json_object_get(types, "q4_0"), "self_cache_bytes"));
    assert_true(q4 > 0 && q4 < f32 / 4);
    assert_int_equal(json_object_size(json_object_get(doc, "verdict")), 4);
    json_decref(doc);
    trine_report_close(report);
    trine_record_close(record);
}

/* The parts of memory are what the session took. */
static void parts_of_memory_are_those_of_the_session(void **state)
{
    (void)state;
    trine_grammar *world;
    assert_int_equal(trine_world_open(&world, NULL), TRINE_OK);
    for (int p = 0; p < 2; p++) {
        const trine_long_training training = { .n_parameters = 200000, .n_tokens = 500, .longest = 60, .n_threads = 1 };
        trine_contender *c;
        trine_long_cost cost;
        trine_session *s;
        trine_memory memory;
        trine_error err;
        if (trine_long_train(&c, world, p ? TRINE_ENCODER_DECODER : TRINE_DECODER, &training, &err)) fail_msg("%s", err.text);
        if (trine_long_measure(&cost, c, world, 300, 1, TRINE_F16, 1, &err)) fail_msg("%s", err.text);
        const int n = (int)cost.n_tokens;
        const trine_session_options o = { .n_threads = 1,
                                          .ctx = p ? 24 : n + TRINE_LONG_MORE + 24,
                                          .source_ctx = p ? n + TRINE_LONG_MORE : 0,
                                          .cache_type = TRINE_F16,
                                          .batch_tokens = p ? 0 : 512,
                                          .logit_rows = 1 };
        if (trine_session_open(&s, c->model, &o, &err)) fail_msg("%s", err.text);
        trine_session_memory(&memory, s);
        assert_true((double)memory.cache_bytes == cost.self_bytes + cost.cross_bytes);
        assert_true((double)memory.arena_bytes == cost.arena_bytes);
        trine_session_close(s);
        trine_contender_close(c);
    }
    trine_grammar_close(world);
}

static void impossible_lengths_are_refused(void **state)
{
    (void)state;
    static const int64_t bad[][2] = { { 10, 100 }, { 100, 100 }, { 100, 2000000 } };
    for (int i = 0; i < 3; i++) {
        trine_report *report;
        trine_error err = { 0 };
        const trine_long_options o = { .lengths = bad[i], .n_lengths = 2 };
        assert_int_equal(trine_compare_long(&report, &o, &err), TRINE_ERROR_ARGUMENT);
        assert_non_null(strstr(err.text, "expected 60 to 1000000"));
        assert_null(report);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_and_plain_attention_agree),
        cmocka_unit_test(both_are_measured_and_what_was_is_kept),
        cmocka_unit_test(parts_of_memory_are_those_of_the_session),
        cmocka_unit_test(impossible_lengths_are_refused),
    };
    temp_make();
    const int failed = cmocka_run_group_tests_name("long", tests, NULL, NULL);
    temp_remove();
    return failed;
}
