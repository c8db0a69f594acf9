/* test_generator.c - texts written as one batch are what each is alone, whenever they come, end, fail or are cancelled. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "support/open_fixture.h"
#include "trine/generation.h"

static const char *const models[] = { "generate/gpt2", "generate/llama", "generate/t5" };
enum { N_MODELS = 3, TEXTS = 12, MOST = 40 };

typedef struct text {
    int32_t ids[MOST];
    trine_generate_options o;
    trine_generation alone;
} text;

static void make_texts(text *texts, const trine_model *m, trine_session *s)
{
    for (int i = 0; i < TEXTS; i++) {
        text *t = &texts[i];
        make_ids(t->ids, MOST, m, 70 + (unsigned)i);
        t->o = (trine_generate_options) { .ids = t->ids,
                                          .n_ids = 1 + i * 17 % (MOST - 2),
                                          .max_tokens = 1 + i * 5 % 19,
                                          .ignore_eos = i % 2,
                                          .temperature = i % 3 ? 0 : 0.9f,
                                          .seed = (uint64_t)i,
                                          .repeat_penalty = i % 4 ? 0 : 1.2f };
        trine_error err;
        check_ok(trine_generate(&t->alone, s, NULL, &t->o, &err), &err);
    }
}

static void check_same(const trine_generation *g, const trine_generation *alone)
{
    assert_int_equal(g->n_tokens, alone->n_tokens);
    assert_memory_equal(g->tokens, alone->tokens, (size_t)g->n_tokens * sizeof *g->tokens);
    assert_int_equal(g->finish, alone->finish);
    assert_int_equal(g->n_prompt, alone->n_prompt);
    assert_int_equal(g->n_parts, 1);
    assert_true(fabs(g->score - alone->score) <= 1e-4 + 1e-4 * fabs(alone->score));
    assert_true(g->prompt_ms >= 0 && g->first_ms >= g->prompt_ms && g->decode_ms >= 0);
}

/* All texts through a generator, as they find room; the ids and stop texts of a caller are gone once added. */
static void write_all(trine_session *s, const text *texts)
{
    trine_generator *g;
    trine_error err = { 0 };
    bool taken[TEXTS] = { false };
    int n_taken = 0, next = 0, most = 0;
    check_ok(trine_generator_open(&g, s, &err), &err);
    while (n_taken < TEXTS) {
        for (; next < TEXTS && trine_generator_room(g); next++) {
            int32_t ids[MOST];
            trine_generate_options o = texts[next].o;
            memcpy(ids, o.ids, sizeof ids);
            o.ids = ids;
            check_ok(trine_generator_add(g, next, NULL, &o, &err), &err);
            memset(ids, 0x7f, sizeof ids);
        }
        most = trine_generator_held(g) > most ? trine_generator_held(g) : most;
        check_ok(trine_generator_step(g, &err), &err);
        trine_generation out;
        for (int64_t id;; trine_generation_clear(&out)) {
            check_ok(trine_generator_take(&out, &id, g, &err), &err);
            if (id < 0) break;
            assert_true(id < TEXTS && !taken[id]);
            taken[id] = true;
            n_taken++;
            check_same(&out, &texts[id].alone);
        }
    }
    assert_int_equal(most, s->options.n_sequences < TEXTS ? s->options.n_sequences : TEXTS);
    assert_int_equal(trine_generator_held(g), 0);
    assert_int_equal(s->n_open, 0);
    check_ok(trine_generator_step(g, &err), &err); /* nothing to do */
    trine_generator_close(g);
}

static void test_as_each_alone(void **unused)
{
    (void)unused;
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(models[k]);
        const trine_session_options sessions[] = {
            { .ctx = 64, .n_sequences = 1, .n_threads = 1 },
            { .ctx = 64, .n_sequences = 3, .batch_tokens = 7, .n_threads = 2 },
            { .ctx = 64, .n_sequences = 5, .n_threads = 3 },
            { .ctx = 64, .source_ctx = 48, .n_sequences = 20, .n_threads = 2 },
        };
        for (size_t i = 0; i < sizeof sessions / sizeof *sessions; i++) {
            text texts[TEXTS];
            trine_session *s = open_session(m, sessions[i]);
            make_texts(texts, m, s);
            write_all(s, texts);
            for (int t = 0; t < TEXTS; t++) trine_generation_clear(&texts[t].alone);
            trine_session_close(s);
        }
        trine_model_close(m);
    }
}

/* Tokens that see each other are one pass, whatever waits beside them. */
static void test_masks(void **unused)
{
    (void)unused;
    trine_model *m = open_model("generate/llama");
    const trine_session_options sessions[] = { { .ctx = 64, .n_sequences = 4, .mask = TRINE_MASK_PREFIX, .prefix = 5 },
                                               { .ctx = 64, .n_sequences = 4, .mask = TRINE_MASK_BIDIRECTIONAL } };
    for (size_t i = 0; i < 2; i++) {
        text texts[TEXTS];
        trine_session *s = open_session(m, sessions[i]);
        make_texts(texts, m, s);
        write_all(s, texts);
        for (int t = 0; t < TEXTS; t++) trine_generation_clear(&texts[t].alone);
        trine_session_close(s);
    }
    trine_model_close(m);
}

typedef struct watch {
    int calls, stop_at;
} watch;

static bool watched(void *user, int done, int total)
{
    watch *w = user;
    (void)done, (void)total;
    return ++w->calls != w->stop_at;
}

/* One is ended by its callback, one by the caller, one cannot be added; the fourth is not touched by any of it. */
static void test_one_ends_alone(void **unused)
{
    (void)unused;
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(models[k]);
        text texts[TEXTS];
        trine_session *s = open_session(m, (trine_session_options) { .ctx = 64, .n_sequences = 4 });
        make_texts(texts, m, s);
        trine_generator *g;
        trine_error err = { 0 };
        watch w = { .stop_at = 4 };
        const trine_generate_options endless = { .ids = texts[5].ids, .n_ids = 9, .max_tokens = 50, .ignore_eos = true };
        trine_generate_options stopped = endless, bad = endless;
        stopped.on_progress = watched;
        stopped.user = &w;
        bad.ids = (const int32_t[]) { 3, 1 << 20 };
        bad.n_ids = 2;
        check_ok(trine_generator_open(&g, s, &err), &err);
        check_ok(trine_generator_add(g, 8, NULL, &texts[7].o, &err), &err);
        check_ok(trine_generator_add(g, 20, NULL, &stopped, &err), &err);
        check_ok(trine_generator_add(g, 30, NULL, &endless, &err), &err);
        assert_int_equal(trine_generator_add(g, 40, NULL, &bad, &err), TRINE_ERROR_ARGUMENT);
        bad = endless;
        bad.beam = 2;
        assert_int_equal(trine_generator_add(g, 41, NULL, &bad, &err), TRINE_ERROR_ARGUMENT);
        assert_int_equal(trine_generator_add(g, -1, NULL, &endless, &err), TRINE_ERROR_ARGUMENT);
        assert_int_equal(trine_generator_held(g), 3);
        for (int i = 0; i < 6; i++) check_ok(trine_generator_step(g, &err), &err);
        trine_generator_cancel(g, 30);
        trine_generator_cancel(g, 31); /* nobody */
        for (int i = 0; i < 20; i++) check_ok(trine_generator_step(g, &err), &err);
        bool seen[4] = { false };
        trine_generation out;
        for (int64_t id;; trine_generation_clear(&out)) {
            check_ok(trine_generator_take(&out, &id, g, &err), &err);
            if (id < 0) break;
            seen[id / 10] = true;
            if (id == 8) check_same(&out, &texts[7].alone);
            if (id != 8) assert_int_equal(out.finish, TRINE_FINISH_CANCELLED);
            if (id == 20) assert_int_equal(out.n_tokens, 3); /* after the prompt it is asked once a token */
            if (id == 30) assert_int_equal(out.n_tokens, 6);
        }
        assert_true(seen[0] && seen[2] && seen[3]);
        for (int i = 0; i < 4; i++) check_ok(trine_generator_add(g, i, NULL, &endless, &err), &err);
        assert_int_equal(trine_generator_add(g, 9, NULL, &endless, &err), TRINE_ERROR_ARGUMENT);
        check_ok(trine_generator_step(g, &err), &err);
        trine_generator_close(g); /* in the middle of it */
        assert_int_equal(s->n_open, 0);
        for (int t = 0; t < TEXTS; t++) trine_generation_clear(&texts[t].alone);
        trine_session_close(s);
        trine_model_close(m);
    }
}

/* A text that is held back keeps its place while the others go on, and then becomes what it would have been. */
static void test_held_back(void **unused)
{
    (void)unused;
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(models[k]);
        text texts[TEXTS];
        trine_session *s = open_session(m, (trine_session_options) { .ctx = 64, .n_sequences = 2 });
        make_texts(texts, m, s);
        trine_generator *g;
        trine_error err = { 0 };
        trine_generation out;
        int64_t id;
        check_ok(trine_generator_open(&g, s, &err), &err);
        check_ok(trine_generator_add(g, 3, NULL, &texts[3].o, &err), &err);
        check_ok(trine_generator_add(g, 7, NULL, &texts[7].o, &err), &err);
        check_ok(trine_generator_step(g, &err), &err);
        trine_generator_hold(g, 3, true);
        trine_generator_hold(g, 99, true); /* nobody */
        for (int i = 0; i < 70; i++) check_ok(trine_generator_step(g, &err), &err);
        check_ok(trine_generator_take(&out, &id, g, &err), &err);
        assert_int_equal(id, 7);
        check_same(&out, &texts[7].alone);
        trine_generation_clear(&out);
        check_ok(trine_generator_take(&out, &id, g, &err), &err);
        assert_int_equal(id, -1);
        assert_int_equal(trine_generator_held(g), 1);
        trine_generator_hold(g, 3, false);
        for (int i = 0; i < 70; i++) check_ok(trine_generator_step(g, &err), &err);
        check_ok(trine_generator_take(&out, &id, g, &err), &err);
        assert_int_equal(id, 3);
        check_same(&out, &texts[3].alone);
        trine_generation_clear(&out);
        trine_generator_close(g);
        for (int t = 0; t < TEXTS; t++) trine_generation_clear(&texts[t].alone);
        trine_session_close(s);
        trine_model_close(m);
    }
}

typedef struct told {
    int32_t ids[MOST];
    double sum;
    int n;
} told;

static void take_token(void *user, const trine_chosen_token *token)
{
    told *t = user;
    double total = 0;
    assert_true(t->n < MOST);
    t->ids[t->n++] = token->id;
    t->sum += (double)token->log_prob;
    assert_int_equal(token->n_top, 4);
    for (int i = 0; i < token->n_top; i++) {
        total += exp((double)token->top[i].log_prob);
        if (i) assert_true(token->top[i - 1].log_prob >= token->top[i].log_prob);
    }
    assert_true(total <= 1 + 1e-6);
    assert_int_equal(token->id, token->top[0].id); /* greedy */
    assert_true(fabs((double)token->log_prob - (double)token->top[0].log_prob) < 1e-6);
}

/* Every token is told with its probability and its rivals: all of them make the score. */
static void test_tokens_are_told(void **unused)
{
    (void)unused;
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(models[k]);
        trine_session *s = open_session(m, (trine_session_options) { .ctx = 64 });
        int32_t ids[9];
        told t = { .n = 0 };
        make_ids(ids, 9, m, 5);
        trine_generate_options o = {
            .ids = ids, .n_ids = 9, .max_tokens = 12, .ignore_eos = true, .on_token = take_token, .n_top = 4, .user = &t
        };
        trine_generation out;
        trine_error err;
        check_ok(trine_generate(&out, s, NULL, &o, &err), &err);
        assert_int_equal(out.n_tokens, t.n);
        assert_memory_equal(out.tokens, t.ids, (size_t)t.n * sizeof *t.ids);
        assert_true(fabs(out.score - t.sum) < 1e-4);
        trine_generation_clear(&out);
        o.n_top = m->info.vocab + 1;
        assert_int_equal(trine_generate(&out, s, NULL, &o, &err), TRINE_ERROR_ARGUMENT);
        o.n_top = -1;
        assert_int_equal(trine_generate(&out, s, NULL, &o, &err), TRINE_ERROR_ARGUMENT);
        trine_session_close(s);
        trine_model_close(m);
    }
}

/* A step allocates nothing (there is no text here, only tokens); adding fails whole. */
static void test_allocation(void **unused)
{
    (void)unused;
    const int32_t ids[3] = { 5, 6, 7 };
    const trine_generate_options o = {
        .ids = ids, .n_ids = 3, .max_tokens = 20, .ignore_eos = true, .temperature = 1, .repeat_penalty = 1.1f
    };
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(models[k]);
        trine_session *s = open_session(m, (trine_session_options) { .ctx = 64, .n_sequences = 2 });
        trine_generator *g = NULL;
        trine_error err;
        for (long i = 1; !g; i++) {
            alloc_fail_at(i);
            const trine_status status = trine_generator_open(&g, s, &err);
            alloc_fail_at(0);
            assert_int_equal(status, g ? TRINE_OK : TRINE_ERROR_MEMORY);
        }
        for (long i = 1; !trine_generator_held(g); i++) {
            alloc_fail_at(i);
            const trine_status status = trine_generator_add(g, 1, NULL, &o, &err);
            alloc_fail_at(0);
            assert_int_equal(status, trine_generator_held(g) ? TRINE_OK : TRINE_ERROR_MEMORY);
        }
        check_ok(trine_generator_add(g, 2, NULL, &o, &err), &err);
        const long before = alloc_count();
        for (int i = 0; i < 10; i++) check_ok(trine_generator_step(g, &err), &err);
        assert_int_equal(alloc_count(), before);
        trine_generator_close(g);
        trine_session_close(s);
        trine_model_close(m);
    }
}

/* A sequence that the caller holds takes its place among the session's, and the loop of generation.h loses no text. */
static void test_room_of_held_sequences(void **state)
{
    (void)state;
    trine_model *m = open_model(models[0]);
    trine_session *s = open_session(m, (trine_session_options) { .n_sequences = 2 });
    trine_generator *g;
    trine_error err;
    int32_t ids[3];
    make_ids(ids, 3, m, 1);
    const trine_generate_options o = { .ids = ids, .n_ids = 3, .max_tokens = 2 };
    check_ok(trine_generator_open(&g, s, &err), &err);
    assert_int_equal(trine_generator_room(g), 2);
    trine_sequence *held = open_sequence(s);
    assert_int_equal(trine_generator_room(g), 1);
    check_ok(trine_generator_add(g, 1, NULL, &o, &err), &err);
    assert_int_equal(trine_generator_room(g), 0);
    trine_sequence_close(held);
    assert_int_equal(trine_generator_room(g), 1);
    assert_int_equal(trine_generator_add(g, 1, NULL, &o, &err), TRINE_ERROR_ARGUMENT); /* a name it has already */
    assert_non_null(strstr(err.text, "it holds a text 1"));
    trine_generator_close(g);
    trine_session_close(s);
    trine_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_each_alone),          cmocka_unit_test(test_masks),
        cmocka_unit_test(test_one_ends_alone),         cmocka_unit_test(test_held_back),
        cmocka_unit_test(test_tokens_are_told),        cmocka_unit_test(test_allocation),
        cmocka_unit_test(test_room_of_held_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
