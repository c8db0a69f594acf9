/* test_session.c - the plan of a session: defaults, bytes that are counted exactly, contexts that fit, refusals that name what would. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "support/open_fixture.h"

static const char *const models[] = { "generate/gpt2", "generate/llama", "generate/t5", "generate/bert" };
enum { N_MODELS = 4 };

static void test_defaults(void **unused)
{
    (void)unused;
    trine_memory memory;
    trine_model *m = open_model("generate/llama");
    trine_session *s = open_session(m, (trine_session_options) { 0 });
    const trine_session_options *o = &s->options;
    trine_session_memory(&memory, s);
    assert_int_equal(memory.ctx, 128); /* the model's own limit */
    assert_int_equal(memory.n_threads, trine_cpu_cores());
    assert_int_equal(memory.cache_type, TRINE_F32); /* it costs little */
    assert_int_equal(o->batch_tokens, 128);
    assert_int_equal(o->n_sequences, 1);
    assert_int_equal(o->logit_rows, 1);
    assert_int_equal(o->source_ctx, 0);
    assert_int_equal(memory.weights_bytes, m->info.weights_bytes);
    trine_session_close(s);
    trine_model_close(m);

    m = open_model("generate/t5");
    s = open_session(m, (trine_session_options) { .n_sequences = 3 });
    assert_int_equal(s->options.ctx, 2048); /* it has no limit of its own */
    assert_int_equal(s->options.source_ctx, 2048);
    assert_int_equal(s->options.batch_tokens, 512);
    assert_int_equal(s->options.logit_rows, 3);
    trine_session_close(s);
    trine_model_close(m);

    m = open_model("generate/bert");
    s = open_session(m, (trine_session_options) { 0 });
    trine_session_memory(&memory, s);
    assert_int_equal(memory.ctx, 48);
    assert_int_equal(memory.cache_bytes, 0);
    assert_int_equal(s->options.batch_tokens, 48);
    assert_int_equal(s->options.logit_rows, 8); /* 15% of the tokens and a few */
    assert_null(s->self);
    trine_sequence *q;
    assert_int_equal(trine_sequence_open(&q, s, NULL), TRINE_ERROR_ARGUMENT);
    trine_session_close(s);
    trine_model_close(m);
    trine_session_close(NULL);
}

static void test_arguments(void **unused)
{
    (void)unused;
    const struct {
        const char *model;
        trine_session_options o;
        const char *says;
    } bad[] = {
        { "generate/gpt2", { .n_threads = -1 }, "n_threads" },
        { "generate/gpt2", { .ctx = -1 }, "ctx" },
        { "generate/gpt2", { .ctx = 97 }, "96" }, /* learned positions end */
        { "generate/bert", { .ctx = 49 }, "48" },
        { "generate/gpt2", { .n_sequences = -3 }, "n_sequences" },
        { "generate/gpt2", { .batch_tokens = -1 }, "batch_tokens" },
        { "generate/gpt2", { .logit_rows = -1 }, "logit_rows" },
        { "generate/gpt2", { .n_sequences = 8, .batch_tokens = 7 }, "n_sequences" },
        { "generate/gpt2", { .cache_type = TRINE_Q8_0 }, "heads" }, /* of 10 */
        { "generate/gpt2", { .cache_type = TRINE_Q4_K }, "q4_k" },
        { "generate/gpt2", { .cache_type = (trine_dtype)99 }, "cache_type" },
        { "generate/gpt2", { .mask = (trine_mask)7 }, "mask" },
        { "generate/gpt2", { .mask = TRINE_MASK_PREFIX }, "prefix" },
        { "generate/gpt2", { .mask = TRINE_MASK_PREFIX, .prefix = 20, .batch_tokens = 19 }, "batch_tokens" },
        { "generate/gpt2", { .ctx = 32, .mask = TRINE_MASK_PREFIX, .prefix = 33 }, "give a prefix of 1 to 32" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        trine_model *m = open_model(bad[i].model);
        trine_session *s = (trine_session *)m;
        trine_error err = { 0 };
        assert_int_equal(trine_session_open(&s, m, &bad[i].o, &err), TRINE_ERROR_ARGUMENT);
        assert_null(s);
        if (!strstr(err.text, bad[i].says)) fail_msg("%zu: %s", i, err.text);
        trine_model_close(m);
    }
    trine_session *s;
    assert_int_equal(trine_session_open(&s, NULL, NULL, NULL), TRINE_ERROR_ARGUMENT);
    /* Rotary positions go on. */
    trine_model *m = open_model("generate/llama");
    s = open_session(m, (trine_session_options) { .ctx = 200, .cache_type = TRINE_BF16 });
    trine_session_close(s);
    trine_model_close(m);
}

/* Nothing of n x n: a pass over twice the tokens takes twice the temporaries, cache and cross cache, never four times. The next test
 * shows that what is counted is what is used. */
static void test_memory_is_linear(void **unused)
{
    (void)unused;
    const char *const endless[] = { "generate/llama", "generate/t5" }; /* positions without an end */
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
        trine_model *m = open_model(endless[i]);
        size_t bytes[3];
        for (int k = 0; k < 3; k++) {
            const int n = 2048 << k;
            trine_session *s =
                open_session(m, (trine_session_options) { .ctx = n, .batch_tokens = n, .logit_rows = 1, .n_threads = 2 });
            trine_memory memory;
            trine_session_memory(&memory, s);
            bytes[k] = memory.arena_bytes + memory.cache_bytes;
            trine_session_close(s);
        }
        const size_t first = bytes[1] - bytes[0], second = bytes[2] - bytes[1];
        assert_true(first > 0);
        if (second > first * 2 + first / 50) fail_msg("%s: %zu, %zu, %zu bytes", endless[i], bytes[0], bytes[1], bytes[2]);
        assert_true(bytes[2] < (size_t)8192 * 8192); /* not one byte for a pair of tokens */
        trine_model_close(m);
    }
}

/* What was counted is what is used: the arena is full to its last byte in the worst pass, and never too small. */
static void use_all(trine_session *s)
{
    trine_model *m = s->model;
    const trine_session_options *o = &s->options;
    const int rows = s->rows_cap;
    int32_t *ids = malloc(sizeof *ids * (size_t)rows);
    const int32_t **texts = malloc(sizeof *texts * (size_t)rows);
    int *ones = malloc(sizeof *ones * (size_t)rows);
    int32_t *first_row = calloc((size_t)rows, sizeof *first_row);
    trine_error err;
    trine_mat out;
    make_ids(ids, rows, m, 1);
    for (int i = 0; i < rows; i++) {
        texts[i] = ids + i;
        ones[i] = 1;
    }
    const bool pair = m->info.paradigm == TRINE_ENCODER_DECODER;
    const int longest = pair ? o->source_ctx : s->memory.ctx, one_text = longest < rows ? longest : rows;
    for (int n = 1; n <= one_text; n = n < one_text && 3 * n > one_text ? one_text : 3 * n) {
        check_ok(trine_session_states(&out, s, &(trine_texts) { 1, texts, NULL, &n }, &err), &err);
        assert_int_equal(out.rows, n);
        assert_int_equal(out.cols, m->info.d_model);
    }
    check_ok(trine_session_states(&out, s, &(trine_texts) { rows, texts, NULL, ones }, &err), &err);
    if (m->info.paradigm == TRINE_ENCODER) {
        const int n = one_text;
        const bool mlm = m->info.head == TRINE_HEAD_MLM;
        check_ok(trine_session_head(&out, s, &(trine_texts) { 1, texts, NULL, &n }, mlm ? first_row : NULL, mlm ? o->logit_rows : 0,
                                    &err),
                 &err);
        check_ok(trine_session_head(&out, s, &(trine_texts) { rows, texts, NULL, ones }, mlm ? first_row : NULL,
                                    mlm ? o->logit_rows : 0, &err),
                 &err);
    } else {
        trine_sequence **q = malloc(sizeof(trine_sequence *) * (size_t)o->n_sequences);
        for (int i = 0; i < o->n_sequences; i++) {
            q[i] = open_sequence(s);
            if (pair) check_ok(trine_sequence_source(q[i], ids, o->source_ctx, &err), &err);
        }
        for (int done = 0, n; done < o->ctx; done += n) {
            n = done || o->ctx < rows ? 1 : rows; /* a full pass, then steps to the end of the context */
            check_ok(trine_sequence_feed(q[0], ids, n, &err), &err);
        }
        assert_int_equal(trine_sequence_length(q[0]), o->ctx);
        assert_int_equal(trine_sequence_truncate(q[0], 0, NULL), TRINE_OK);
        check_ok(trine_sequences_feed(q, texts, ones, o->n_sequences, &err), &err);
        for (int i = 0; i < o->n_sequences; i++) trine_sequence_truncate(q[i], 0, NULL);
        const int most = o->logit_rows < o->ctx ? o->logit_rows : o->ctx;
        check_ok(trine_sequence_feed_logits(&out, q[0], ids, most, &err), &err);
        for (int i = 0; i < o->n_sequences; i++) trine_sequence_close(q[i]);
        free(q);
    }
    free(ids);
    free(texts);
    free(ones);
    free(first_row);
}

static void test_arena_is_exact(void **unused)
{
    (void)unused;
    const trine_session_options options[] = {
        { .ctx = 40 },
        { .ctx = 40, .n_threads = 1 },
        { .ctx = 48, .batch_tokens = 5, .n_threads = 3 },
        { .ctx = 33, .batch_tokens = 17, .n_threads = 7, .n_sequences = 4 },
        { .ctx = 20, .batch_tokens = 64, .n_sequences = 9, .logit_rows = 20 },
        { .ctx = 1, .n_threads = 2 },
        { .ctx = 12, .batch_tokens = 12, .n_sequences = 12 },
    };
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(models[k]);
        for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
            trine_session *s = open_session(m, options[i]);
            trine_memory memory;
            use_all(s);
            trine_session_memory(&memory, s);
            if (memory.arena_peak > memory.arena_bytes || memory.arena_peak < memory.arena_bytes / 10 * 9)
                fail_msg("%s, options %zu: the arena has %zu bytes, %zu were used", models[k], i, memory.arena_bytes,
                         memory.arena_peak);
            trine_session_close(s);
        }
        trine_model_close(m);
    }
}

/* Under a limit the default context shrinks, and an explicit one is refused with the longest that would have fitted: which does. */
static void test_limits(void **unused)
{
    (void)unused;
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(models[k]);
        trine_memory memory;
        trine_error err;
        trine_session *s = open_session(m, (trine_session_options) { .n_threads = 1 });
        trine_session_memory(&memory, s);
        const int whole = memory.ctx;
        const size_t bytes = memory.cache_bytes + memory.arena_bytes;
        trine_session_close(s);
        if (whole <= 128) { /* too short to be cut to pages; T5's is not */
            trine_model_close(m);
            continue;
        }

        const size_t limit = bytes / 3;
        s = open_session(m, (trine_session_options) { .n_threads = 1, .memory = limit });
        trine_session_memory(&memory, s);
        assert_true(memory.ctx < whole && memory.ctx >= 64 && memory.ctx % 64 == 0);
        assert_true(memory.cache_bytes + memory.arena_bytes <= limit);
        trine_session_close(s);

        assert_int_equal(
            trine_session_open(&s, m, &(trine_session_options) { .n_threads = 1, .memory = limit, .ctx = whole }, &err),
            TRINE_ERROR_MEMORY);
        assert_null(s);
        const char *says = strstr(err.text, "longest context that fits is ");
        assert_non_null(says);
        const int longest = atoi(says + strlen("longest context that fits is "));
        assert_true(longest >= memory.ctx && longest < whole);
        s = open_session(m, (trine_session_options) { .n_threads = 1, .memory = limit, .ctx = longest });
        trine_session_close(s);
        assert_int_equal(
            trine_session_open(&s, m, &(trine_session_options) { .n_threads = 1, .memory = limit, .ctx = longest + 1 }, &err),
            TRINE_ERROR_MEMORY);
        trine_model_close(m);
    }
    trine_model *m = open_model("generate/gpt2");
    trine_session *s;
    trine_error err;
    assert_int_equal(trine_session_open(&s, m, &(trine_session_options) { .memory = 1000 }, &err), TRINE_ERROR_MEMORY);
    assert_non_null(strstr(err.text, "no context fits"));
    assert_int_equal(trine_session_open(&s, m, &(trine_session_options) { .memory = 1000, .ctx = 1 }, &err), TRINE_ERROR_MEMORY);
    trine_model_close(m);
}

/* A context far beyond the machine is refused by arithmetic, not by trying. */
static void test_huge(void **unused)
{
    (void)unused;
    trine_model *m = open_model("generate/llama");
    trine_session *s;
    trine_error err;
    const trine_session_options o = { .ctx = 1 << 26, .n_sequences = 1 << 16 };
    assert_int_equal(trine_session_open(&s, m, &o, &err), TRINE_ERROR_MEMORY);
    assert_int_equal(trine_session_open(&s, m, &(trine_session_options) { .ctx = 1 << 26, .n_sequences = 64 }, &err),
                     TRINE_ERROR_MEMORY);
    trine_model_close(m);
}

static void remember(void *user, const char *text) { snprintf(user, 256, "%s", text); }

static void test_announcement(void **unused)
{
    (void)unused;
    char said[256] = "";
    trine_model *m = open_model("generate/llama");
    m->log = remember;
    m->log_user = said;
    trine_session *s = open_session(m, (trine_session_options) { 0 });
    assert_non_null(strstr(said, "128 tokens"));
    assert_non_null(strstr(said, "f32"));
    assert_non_null(strstr(said, "the model's limit"));
    trine_session_close(s);
    *said = 0;
    s = open_session(m, (trine_session_options) { .ctx = 32 });
    assert_string_equal(said, ""); /* it was asked for */
    trine_session_close(s);
    trine_model_close(m);
}

static void test_allocation_failures(void **unused)
{
    (void)unused;
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(models[k]);
        const trine_session_options o = { .ctx = 40, .n_sequences = 2 };
        for (long i = 1;; i++) {
            trine_session *s;
            trine_error err;
            alloc_fail_at(i);
            const trine_status status = trine_session_open(&s, m, &o, &err);
            alloc_fail_at(0);
            if (!status) {
                trine_session_close(s);
                break;
            }
            assert_int_equal(status, TRINE_ERROR_MEMORY);
            assert_int_equal(err.code, TRINE_ERROR_MEMORY);
            assert_null(s);
            assert_true(i < 200);
        }
        trine_model_close(m);
    }
}

/* Texts of a batch do not see each other: each has the states it has alone. */
static void test_texts(void **unused)
{
    (void)unused;
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(models[k]);
        trine_session *s = open_session(m, (trine_session_options) { .ctx = 48, .batch_tokens = 80 });
        const int n[3] = { 31, 1, 48 }, d = m->info.d_model;
        int32_t ids[80], types[80] = { 0 };
        const int32_t *texts[3] = { ids, ids + 31, ids + 32 }, *kinds[3] = { types, NULL, NULL };
        float *together = malloc(sizeof *together * (size_t)(80 * d));
        trine_mat out;
        trine_error err;
        make_ids(ids, 80, m, 6);
        if (m->info.paradigm == TRINE_ENCODER) types[30] = 1;
        check_ok(trine_session_states(&out, s, &(trine_texts) { 3, texts, kinds, n }, &err), &err);
        assert_int_equal(out.rows, 80);
        memcpy(together, out.data, sizeof *together * (size_t)(80 * d));
        for (int i = 0, row = 0; i < 3; row += n[i++]) {
            check_ok(trine_session_states(&out, s, &(trine_texts) { 1, texts + i, kinds + i, n + i }, &err), &err);
            for (int j = 0; j < n[i] * d; j++)
                if (!(fabsf(out.data[j] - together[row * d + j]) <= 1e-4f)) fail_msg("%s: text %d, value %d", models[k], i, j);
        }
        free(together);
        const int none = 0, too_long = 49, over[3] = { 40, 40, 1 };
        assert_int_equal(trine_session_states(&out, s, &(trine_texts) { 0, texts, NULL, n }, &err), TRINE_ERROR_EMPTY);
        assert_int_equal(trine_session_states(&out, s, &(trine_texts) { 1, texts, NULL, &none }, &err), TRINE_ERROR_EMPTY);
        assert_int_equal(trine_session_states(&out, s, &(trine_texts) { 1, texts, NULL, &too_long }, &err), TRINE_ERROR_TOO_LONG);
        assert_non_null(strstr(err.text, "48"));
        assert_int_equal(trine_session_states(&out, s, &(trine_texts) { 3, texts, NULL, over }, &err), TRINE_ERROR_TOO_LONG);
        ids[0] = m->info.vocab;
        assert_int_equal(trine_session_states(&out, s, &(trine_texts) { 1, texts, NULL, n }, &err), TRINE_ERROR_ARGUMENT);
        trine_session_close(s);
        trine_model_close(m);
    }
}

/* A whole text's logits are those of its steps; rows of a head can be chosen; what was not opened for is refused. */
static void test_head(void **unused)
{
    (void)unused;
    trine_mat out;
    trine_error err;
    trine_model *m = open_model("generate/llama");
    trine_session *s = open_session(m, (trine_session_options) { .ctx = 40, .logit_rows = 20 });
    int32_t ids[21];
    float *all = malloc(sizeof *all * (size_t)(20 * m->info.vocab));
    make_ids(ids, 21, m, 12);
    check_ok(trine_session_logits(&out, s, ids, 20, &err), &err);
    assert_int_equal(out.rows, 20);
    assert_int_equal(out.cols, m->info.vocab);
    memcpy(all, out.data, sizeof *all * (size_t)(20 * m->info.vocab));
    trine_sequence *q = open_sequence(s);
    for (int i = 0; i < 20; i++) {
        check_ok(trine_sequence_feed(q, ids + i, 1, &err), &err);
        for (int t = 0; t < m->info.vocab; t++)
            assert_true(fabsf(trine_sequence_logits(q)[t] - all[i * m->info.vocab + t]) <= 1e-4f);
    }
    trine_sequence_close(q);
    free(all);
    assert_int_equal(trine_session_logits(&out, s, ids, 21, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "logit_rows"));
    trine_session_close(s);
    trine_model_close(m);

    m = open_model("generate/bert");
    s = open_session(m, (trine_session_options) { .logit_rows = 9 });
    const int32_t *text = ids, rows[2] = { 8, 3 }, beyond[1] = { 9 };
    const int n = 9;
    make_ids(ids, 9, m, 13);
    check_ok(trine_session_head(&out, s, &(trine_texts) { 1, &text, NULL, &n }, NULL, 0, &err), &err);
    assert_int_equal(out.rows, 9);
    assert_int_equal(out.cols, m->info.vocab);
    const float third = out.data[3 * m->info.vocab + 5], last = out.data[8 * m->info.vocab + 5];
    check_ok(trine_session_head(&out, s, &(trine_texts) { 1, &text, NULL, &n }, rows, 2, &err), &err);
    assert_int_equal(out.rows, 2);
    assert_true(fabsf(out.data[5] - last) <= 1e-5f && fabsf(out.data[m->info.vocab + 5] - third) <= 1e-5f);
    assert_int_equal(trine_session_head(&out, s, &(trine_texts) { 1, &text, NULL, &n }, beyond, 1, &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_session_logits(&out, s, ids, 2, &err), TRINE_ERROR_ARGUMENT);
    trine_session_close(s);
    trine_model_close(m);
}

/* Labels by whatever stands below them, in a session of small passes: those of transformers, to the rounding of x to bf16 on processors that
 * multiply it. */
static void test_labels(void **unused)
{
    static const char *const names[] = { "bert-classify", "gpt2-classify", "llama-classify", "t5-classify",
                                         "gpt2-tags",     "qwen3-tags",    "umt5-tags" };
    (void)unused;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        char path[512];
        trine_error err = { 0 };
        trine_checkpoint *expected;
        trine_mat out;
        snprintf(path, sizeof path, "models/%s", names[k]);
        trine_model *m = open_model(path);
        snprintf(path, sizeof path, TRINE_FIXTURES "/models/%s/expected.safetensors", names[k]);
        check_ok(trine_checkpoint_open(&expected, path, &err), &err);
        const bool pair = m->info.paradigm == TRINE_ENCODER_DECODER;
        trine_session *s = open_session(m, (trine_session_options) { .ctx = 48, .batch_tokens = pair ? 8 : 0, .n_threads = 1 });
        for (int i = 0; i < 3; i++) {
            char name[32];
            snprintf(name, sizeof name, "%d/tokens", i);
            const trine_tensor *tokens = trine_checkpoint_find(expected, name);
            snprintf(name, sizeof name, "%d/types", i);
            const trine_tensor *types = trine_checkpoint_find(expected, name);
            snprintf(name, sizeof name, "%d/logits", i);
            const trine_tensor *want = trine_checkpoint_find(expected, name);
            snprintf(name, sizeof name, "%d/rows", i);
            if (trine_checkpoint_find(expected, name)) continue; /* some of its rows alone were kept */
            const int32_t *ids = tokens->data, *kinds = types ? types->data : NULL;
            const int n = (int)tokens->shape[0];
            check_ok(trine_session_head(&out, s, &(trine_texts) { 1, &ids, kinds ? &kinds : NULL, &n }, NULL, 0, &err), &err);
            const bool whole = m->info.head == TRINE_HEAD_LABELS;
            assert_int_equal(out.rows, whole ? 1 : n);
            assert_int_equal(out.cols, m->info.n_labels);
            float most = 0;
            for (int j = 0; j < out.rows * out.cols; j++) most = fmaxf(most, fabsf(((const float *)want->data)[j]));
            for (int j = 0; j < out.rows * out.cols; j++)
                if (!(fabsf(out.data[j] - ((const float *)want->data)[j]) <= 0.05f * most))
                    fail_msg("%s, text %d: label %d is %g, expected %g", names[k], i, j, (double)out.data[j],
                             (double)((const float *)want->data)[j]);
        }
        trine_session_close(s);
        trine_checkpoint_close(expected);
        trine_model_close(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_memory_is_linear),
        cmocka_unit_test(test_arena_is_exact),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_huge),
        cmocka_unit_test(test_announcement),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_head),
        cmocka_unit_test(test_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
