/* test_generation.c - generated ids, scores and endings against transformers (tools/make_generate_fixtures.py), and what callers may
 * do to a generation: stop it, limit it, go on with it, ask for what cannot be. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "support/open_fixture.h"
#include "trine/generation.h"

static const char *const models[] = { "generate/gpt2", "generate/llama", "generate/t5" };
enum { N_MODELS = 3 };

static trine_generation generate(trine_session *s, trine_generate_options o)
{
    trine_generation g;
    trine_error err;
    check_ok(trine_generate(&g, s, NULL, &o, &err), &err);
    return g;
}

static int read_ids(int32_t *out, const json_t *list)
{
    int n = 0;
    for (size_t i = 0; i < json_array_size(list); i++) out[n++] = (int32_t)json_integer_value(json_array_get(list, i));
    return n;
}

static json_t *read_cases(const char *fixture)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s/cases.json", TRINE_FIXTURES, fixture);
    json_t *cases = json_load_file(path, 0, NULL);
    assert_non_null(cases);
    assert_true(json_array_size(cases) > 30);
    return cases;
}

static void check_case(trine_session *s, const json_t *c, const char *where)
{
    int32_t prompt[128], want[128];
    const int n_prompt = read_ids(prompt, json_object_get(c, "prompt")), n_want = read_ids(want, json_object_get(c, "ids"));
    const int beams = (int)json_integer_value(json_object_get(c, "beams"));
    const bool ended = json_is_true(json_object_get(c, "ended"));
    const double score = json_real_value(json_object_get(c, "score"));
    trine_generation g = generate(s, (trine_generate_options) {
                                         .ids = prompt,
                                         .n_ids = n_prompt,
                                         .beam = beams,
                                         .max_tokens = (int)json_integer_value(json_object_get(c, "max_new")),
                                         .length_penalty = (float)json_number_value(json_object_get(c, "length_penalty")),
                                         .ignore_eos = json_is_true(json_object_get(c, "ignore_eos")),
                                     });
    if (g.n_tokens != n_want || memcmp(g.tokens, want, (size_t)n_want * sizeof *want)) {
        for (int i = 0; i < g.n_tokens || i < n_want; i++)
            print_message("%d: %d, expected %d\n", i, i < g.n_tokens ? g.tokens[i] : -1, i < n_want ? want[i] : -1);
        fail_msg("%s, %d beams", where, beams);
    }
    if (!(fabs(g.score - score) <= 1e-5 + 1e-5 * fabs(score))) fail_msg("%s: score %.8f, expected %.8f", where, g.score, score);
    assert_int_equal(g.finish, ended ? TRINE_FINISH_EOS : TRINE_FINISH_LENGTH);
    assert_int_equal(g.n_prompt, n_prompt);
    assert_int_equal(g.n_parts, 1);
    assert_null(g.text);
    assert_true(g.prompt_ms >= 0 && g.first_ms >= g.prompt_ms && g.decode_ms >= 0);
    trine_generation_clear(&g);
}

/* Greedy and beam search, with whole prompts and with prompts in parts, cache pages of one kind and another. */
static void test_reference(void **unused)
{
    (void)unused;
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(models[k]);
        json_t *cases = read_cases(models[k]);
        const int batches[] = { 0, 16 };
        for (int b = 0; b < 2; b++) {
            trine_session *s = open_session(m, (trine_session_options) { .n_sequences = 7, .batch_tokens = batches[b], .ctx = 96 });
            for (size_t i = 0; i < json_array_size(cases); i++) {
                char where[64];
                snprintf(where, sizeof where, "%s, case %zu, batch %d", models[k], i, batches[b]);
                check_case(s, json_array_get(cases, i), where);
                assert_int_equal(s->n_open, 0);
            }
            trine_session_close(s);
        }
        json_decref(cases);
        trine_model_close(m);
    }
}

/* Without a limit a text goes on to the end of the context; the last token is never fed, so there is one more. */
static void test_context_end(void **unused)
{
    (void)unused;
    const int32_t prompt[9] = { 11, 12, 13, 14, 15, 16, 17, 18, 19 };
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(models[k]);
        const bool pair = m->info.paradigm == TRINE_ENCODER_DECODER;
        for (int ctx = 1; ctx <= 80; ctx += 13) {
            trine_session *s =
                open_session(m, (trine_session_options) { .ctx = ctx, .source_ctx = pair ? 9 : 0, .n_sequences = 3 });
            const int n = ctx < 9 ? ctx : 9, begin = pair ? 1 : n;
            for (int beam = 1; beam <= 3; beam += 2) {
                trine_generation g =
                    generate(s, (trine_generate_options) { .ids = prompt, .n_ids = n, .ignore_eos = true, .beam = beam });
                assert_int_equal(g.n_tokens, ctx - begin + 1);
                assert_int_equal(g.finish, TRINE_FINISH_LENGTH);
                trine_generation_clear(&g);
            }
            if (ctx >= 9) {
                trine_session_close(s);
                continue;
            }
            trine_generation g;
            trine_error err;
            const trine_generate_options o = {
                .ids = prompt, .n_ids = pair ? 9 : ctx + 1, .decoder_ids = pair ? prompt : NULL, .n_decoder_ids = pair ? ctx + 1 : 0
            };
            assert_int_equal(trine_generate(&g, s, NULL, &o, &err), TRINE_ERROR_TOO_LONG);
            char number[16];
            snprintf(number, sizeof number, "%d", ctx + 1);
            assert_non_null(strstr(err.text, number));
            assert_null(g.tokens);
            trine_session_close(s);
        }
        trine_model_close(m);
    }
}

typedef struct watcher {
    int calls, stop_at, last, total;
} watcher;
static bool watch(void *user, int done, int total)
{
    watcher *w = user;
    w->calls++;
    assert_true(done >= w->last && done <= total);
    w->last = done;
    w->total = total;
    return w->calls != w->stop_at;
}

/* Progress comes after every part of the prompt; stopping anywhere gives back what there is. */
static void test_cancel(void **unused)
{
    (void)unused;
    int32_t prompt[70];
    for (int k = 0; k < 2; k++) {
        trine_model *m = open_model(models[k]);
        trine_session *s = open_session(m, (trine_session_options) { .ctx = 90, .batch_tokens = 16, .n_sequences = 3 });
        make_ids(prompt, 70, m, 5);
        for (int stop_at = 1; stop_at <= 9; stop_at++)
            for (int beam = 1; beam <= 3; beam += 2) {
                watcher w = { .stop_at = stop_at };
                trine_generation g = generate(s, (trine_generate_options) { .ids = prompt,
                                                                            .n_ids = 70,
                                                                            .max_tokens = 8,
                                                                            .ignore_eos = true,
                                                                            .on_progress = watch,
                                                                            .user = &w,
                                                                            .beam = beam });
                assert_int_equal(w.calls, stop_at); /* five parts of the prompt, then between the tokens */
                assert_int_equal(w.last, stop_at < 5 ? 16 * stop_at : 70);
                assert_int_equal(w.total, 70);
                assert_int_equal(g.finish, TRINE_FINISH_CANCELLED);
                assert_int_equal(g.n_tokens, stop_at <= 5 ? 0 : stop_at - 5);
                assert_int_equal(s->n_open, 0);
                trine_generation_clear(&g);
            }
        trine_session_close(s);
        trine_model_close(m);
    }
}

/* A sequence of the caller's keeps prompt and answer, and what it holds is not read again. */
static void test_going_on(void **unused)
{
    (void)unused;
    for (int k = 0; k < 2; k++) {
        trine_model *m = open_model(models[k]);
        trine_session *s = open_session(m, (trine_session_options) { .ctx = 96, .n_sequences = 2, .batch_tokens = 4 });
        trine_sequence *q = open_sequence(s);
        int32_t talk[96];
        int n = 10;
        make_ids(talk, 10, m, 3);
        for (int turn = 0; turn < 4; turn++) {
            watcher w = { 0 };
            trine_generate_options o = { .ids = talk, .n_ids = n, .max_tokens = 6, .ignore_eos = true };
            trine_generation alone = generate(s, o);
            o.sequence = q;
            o.on_progress = watch;
            o.user = &w;
            trine_generation g = generate(s, o);
            assert_int_equal(g.n_tokens, 6);
            assert_memory_equal(g.tokens, alone.tokens, 6 * sizeof(int32_t));
            assert_int_equal(trine_sequence_length(q), n + 6);
            assert_memory_equal(trine_sequence_ids(q), talk, (size_t)n * sizeof(int32_t));
            assert_memory_equal(trine_sequence_ids(q) + n, g.tokens, 6 * sizeof(int32_t));
            /* Parts of the prompt that were computed (10, then 4 new ones), and one call for each token. */
            assert_int_equal(w.calls, (turn ? 1 : 3) + 6);
            memcpy(talk + n, g.tokens, 6 * sizeof(int32_t));
            make_ids(talk + n + 6, 4, m, 40 + (unsigned)turn);
            n += 10;
            trine_generation_clear(&alone);
            trine_generation_clear(&g);
        }
        /* The same prompt again: cut back, the last token is read for its logits. Then a quite different one. */
        trine_generation g =
            generate(s, (trine_generate_options) { .ids = talk, .n_ids = 10, .max_tokens = 6, .ignore_eos = true, .sequence = q });
        assert_memory_equal(g.tokens, talk + 10, 6 * sizeof(int32_t));
        trine_generation_clear(&g);
        g = generate(s,
                     (trine_generate_options) { .ids = talk + 3, .n_ids = 5, .max_tokens = 2, .ignore_eos = true, .sequence = q });
        assert_int_equal(trine_sequence_length(q), 7);
        trine_generation_clear(&g);
        trine_error err;
        const trine_generate_options beams = { .ids = talk, .n_ids = 5, .beam = 2, .sequence = q };
        assert_int_equal(trine_generate(&g, s, NULL, &beams, &err), TRINE_ERROR_ARGUMENT);
        trine_sequence_close(q);
        trine_session_close(s);
        trine_model_close(m);
    }
}

/* The same seed, the same text: on any number of threads, in parts or whole; another seed, another text. */
static void test_seeds(void **unused)
{
    (void)unused;
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(models[k]);
        const int32_t prompt[5] = { 9, 8, 30, 40, 50 };
        int32_t first[30];
        for (int threads = 1; threads <= 4; threads++) {
            trine_session *s = open_session(m, (trine_session_options) { .ctx = 64, .n_threads = threads });
            trine_generate_options o = { .ids = prompt,
                                         .n_ids = 5,
                                         .max_tokens = 30,
                                         .ignore_eos = true,
                                         .temperature = 1.3f,
                                         .seed = 99,
                                         .top_p = 0.95f,
                                         .repeat_penalty = 1.1f };
            trine_generation g = generate(s, o);
            assert_int_equal(g.n_tokens, 30);
            if (threads == 1)
                memcpy(first, g.tokens, sizeof first);
            else
                assert_memory_equal(g.tokens, first, sizeof first);
            trine_generation_clear(&g);
            o.seed = 100;
            g = generate(s, o);
            assert_int_not_equal(memcmp(g.tokens, first, sizeof first), 0);
            trine_generation_clear(&g);
            trine_session_close(s);
        }
        trine_model_close(m);
    }
}

static void test_arguments(void **unused)
{
    (void)unused;
    const int32_t ids[3] = { 5, 6, 7 };
    static const char *const stop[] = { "x" };
    trine_model *m = open_model("generate/llama");
    trine_session *s = open_session(m, (trine_session_options) { .ctx = 16, .n_sequences = 3 });
    trine_sequence *q = open_sequence(s);
    const struct {
        trine_generate_options o;
        trine_status status;
        const char *says;
    } bad[] = {
        { { .ids = ids, .n_ids = 3, .beam = 3 }, TRINE_ERROR_ARGUMENT, "n_sequences" },
        { { .ids = ids, .n_ids = 3, .beam = -1 }, TRINE_ERROR_ARGUMENT, "beam" },
        { { .ids = ids, .n_ids = 3, .max_tokens = -1 }, TRINE_ERROR_ARGUMENT, "max_tokens" },
        { { .ids = ids, .n_ids = 3, .temperature = -2 }, TRINE_ERROR_ARGUMENT, "temperature" },
        { { .ids = ids, .n_ids = 3, .stop = stop, .n_stop = 1 }, TRINE_ERROR_ARGUMENT, "tokenizer" },
        { { .ids = ids, .n_ids = 3, .decoder_ids = ids, .n_decoder_ids = 1 }, TRINE_ERROR_ARGUMENT, "decoder_ids" },
        { { .ids = ids, .n_ids = 0 }, TRINE_ERROR_EMPTY, "no tokens" },
        { { .ids = (const int32_t[]) { 5, 67 }, .n_ids = 2 }, TRINE_ERROR_ARGUMENT, "67" },
        { { .max_tokens = 3 }, TRINE_ERROR_EMPTY, "empty" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        trine_generation g;
        trine_error err;
        assert_int_equal(trine_generate(&g, s, NULL, &bad[i].o, &err), bad[i].status);
        assert_non_null(strstr(err.text, bad[i].says));
        assert_null(g.tokens);
        assert_null(g.text);
        assert_int_equal(s->n_open, 1);
    }
    trine_generation g;
    assert_int_equal(trine_generate(&g, s, "text", NULL, NULL), TRINE_ERROR_NOT_FOUND);
    assert_int_equal(trine_generate(&g, s, "", NULL, NULL), TRINE_ERROR_EMPTY);
    assert_int_equal(trine_generate(&g, NULL, "", NULL, NULL), TRINE_ERROR_ARGUMENT);
    trine_generation_clear(&g);
    trine_generation_clear(NULL);
    assert_string_equal(trine_finish_name(TRINE_FINISH_STOP), "stop");
    assert_string_equal(trine_finish_name((trine_finish)9), "unknown");
    trine_sequence_close(q);
    trine_session_close(s);
    trine_model_close(m);
}

/* Every allocation of a generation may fail: the right code, nothing left open. */
static void test_allocation_failures(void **unused)
{
    (void)unused;
    const int32_t ids[3] = { 5, 6, 7 };
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(models[k]);
        trine_session *s = open_session(m, (trine_session_options) { .ctx = 64, .n_sequences = 3 });
        for (int beam = 1; beam <= 3; beam += 2) {
            const trine_generate_options o = {
                .ids = ids, .n_ids = 3, .max_tokens = 5, .beam = beam, .temperature = 1, .repeat_penalty = 1.1f
            };
            for (long i = 1;; i++) {
                trine_generation g;
                trine_error err;
                alloc_fail_at(i);
                const trine_status status = trine_generate(&g, s, NULL, &o, &err);
                alloc_fail_at(0);
                assert_int_equal(s->n_open, 0);
                trine_generation_clear(&g);
                if (!status) break;
                assert_int_equal(status, TRINE_ERROR_MEMORY);
                assert_true(i < 100);
            }
        }
        trine_session_close(s);
        trine_model_close(m);
    }
}

/* A model whose numbers are not finite is told, not drawn from. */
static void test_numeric(void **unused)
{
    (void)unused;
    trine_model *m = open_model("generate/gpt2");
    trine_session *s = open_session(m, (trine_session_options) { .ctx = 64, .n_sequences = 2 });
    trine_layer_norm_fn *const honest = m->kernels.layer_norm;
    extern trine_layer_norm_fn spoil;
    m->kernels.layer_norm = spoil;
    for (int beam = 1; beam <= 2; beam++) {
        const int32_t ids[2] = { 5, 6 };
        const trine_generate_options o = { .ids = ids, .n_ids = 2, .beam = beam };
        trine_generation g;
        assert_int_equal(trine_generate(&g, s, NULL, &o, NULL), TRINE_ERROR_NUMERIC);
        assert_int_equal(s->n_open, 0);
    }
    m->kernels.layer_norm = honest;
    trine_session_close(s);
    trine_model_close(m);
}
trine_layer_norm_fn spoil;
void spoil(float *out, const float *x, const float *weight, const float *bias, size_t n, float eps)
{
    (void)x;
    (void)weight;
    (void)bias;
    (void)eps;
    for (size_t i = 0; i < n; i++) out[i] = NAN;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference),
        cmocka_unit_test(test_context_end),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_going_on),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_numeric),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
