/* test_sequence.c - texts that grow: in whatever parts and company tokens are fed, the same logits come out; what fails leaves
 * nothing behind; a step allocates nothing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "support/open_fixture.h"

static const char *const decoders[] = { "generate/gpt2", "generate/llama", "generate/t5" };
enum { N_MODELS = 3, MOST = 96 };

static void feed(trine_sequence *q, const int32_t *ids, int n)
{
    trine_error err;
    check_ok(trine_sequence_feed(q, ids, n, &err), &err);
}

/* Opens a sequence ready to be fed: an encoder-decoder has read a source, made from `seed`. */
static trine_sequence *ready(trine_session *s, unsigned seed)
{
    trine_sequence *q = open_sequence(s);
    if (s->cross) {
        int32_t source[23];
        trine_error err;
        make_ids(source, 23, s->model, seed + 1000);
        check_ok(trine_sequence_source(q, source, 23, &err), &err);
    }
    return q;
}

static void copy_logits(float *out, const trine_sequence *q)
{
    const float *logits = trine_sequence_logits(q);
    assert_non_null(logits);
    memcpy(out, logits, (size_t)q->session->model->info.vocab * sizeof *out);
}

/* Passes of other shapes add in another order: equal to rounding, not to the bit. */
static void check_close(const float *a, const float *b, int n)
{
    float most = 0;
    for (int i = 0; i < n; i++) most = fmaxf(most, fabsf(b[i]));
    for (int i = 0; i < n; i++)
        if (!(fabsf(a[i] - b[i]) <= 2e-5f * most)) fail_msg("logit %d is %g, expected %g", i, (double)a[i], (double)b[i]);
}

/* Logits after each prefix of the text, each computed alone in one pass: the reference of this file. */
static void make_reference(float *out, trine_model *m, const int32_t *ids, int n, unsigned seed)
{
    trine_session *s = open_session(m, (trine_session_options) { .ctx = MOST, .n_threads = 1 });
    for (int i = 0; i < n; i++) {
        trine_sequence *q = ready(s, seed);
        feed(q, ids, i + 1);
        copy_logits(out + (size_t)i * (size_t)m->info.vocab, q);
        trine_sequence_close(q);
    }
    trine_session_close(s);
}

static void test_parts(void **unused)
{
    (void)unused;
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(decoders[k]);
        const int vocab = m->info.vocab, n = 80;
        int32_t ids[80];
        float *want = malloc(sizeof *want * (size_t)(n * vocab));
        make_ids(ids, n, m, 5);
        make_reference(want, m, ids, n, 5);
        /* Passes of 7 tokens; feeds of 1, 7, 8, 30 and the rest. */
        trine_session *s = open_session(m, (trine_session_options) { .ctx = n, .batch_tokens = 7, .n_threads = 2 });
        trine_sequence *q = ready(s, 5);
        const int parts[] = { 1, 7, 8, 30, 34 };
        int done = 0;
        assert_null(trine_sequence_logits(q));
        for (int i = 0; i < 5; i++) {
            feed(q, ids + done, parts[i]);
            done += parts[i];
            assert_int_equal(trine_sequence_length(q), done);
            check_close(trine_sequence_logits(q), want + (size_t)(done - 1) * (size_t)vocab, vocab);
        }
        assert_memory_equal(trine_sequence_ids(q), ids, sizeof ids);
        trine_sequence_close(q);
        trine_session_close(s);

        /* All rows of each part at once. */
        s = open_session(m, (trine_session_options) { .ctx = n, .batch_tokens = 33, .logit_rows = 33 });
        q = ready(s, 5);
        for (done = 0; done < n; done += 33) {
            trine_mat all;
            trine_error err;
            const int part = n - done < 33 ? n - done : 33;
            check_ok(trine_sequence_feed_logits(&all, q, ids + done, part, &err), &err);
            assert_int_equal(all.rows, part);
            check_close(all.data, want + (size_t)done * (size_t)vocab, part * vocab);
            assert_ptr_equal(trine_sequence_logits(q), all.data + (size_t)(part - 1) * (size_t)vocab);
        }
        trine_mat all;
        assert_int_equal(trine_sequence_truncate(q, 0, NULL), TRINE_OK);
        assert_int_equal(trine_sequence_feed_logits(&all, q, ids, 34, NULL), TRINE_ERROR_TOO_LONG);
        trine_sequence_close(q);
        trine_session_close(s);
        free(want);
        trine_model_close(m);
    }
}

/* Several texts of different lengths in one feed, in passes smaller than they are together. */
static void test_company(void **unused)
{
    (void)unused;
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(decoders[k]);
        const int vocab = m->info.vocab;
        enum { TEXTS = 4 };
        const int lengths[TEXTS] = { 40, 1, 17, 3 }, more[TEXTS] = { 1, 1, 1, 1 };
        for (int batch = TEXTS; batch <= 64; batch += 15) {
            trine_session *s = open_session(
                m, (trine_session_options) { .ctx = MOST, .n_sequences = TEXTS, .batch_tokens = batch, .n_threads = 2 });
            trine_sequence *q[TEXTS];
            int32_t text[TEXTS][41];
            const int32_t *ids[TEXTS], *next[TEXTS];
            trine_error err;
            for (int i = 0; i < TEXTS; i++) {
                q[i] = ready(s, (unsigned)i);
                make_ids(text[i], 41, m, 50 + (unsigned)i);
                ids[i] = text[i];
                next[i] = text[i] + lengths[i];
            }
            check_ok(trine_sequences_feed(q, ids, lengths, TEXTS, &err), &err);
            check_ok(trine_sequences_feed(q, next, more, TEXTS, &err), &err);
            for (int i = 0; i < TEXTS; i++) {
                float *got = malloc(sizeof *got * (size_t)vocab);
                float *want = malloc(sizeof *want * (size_t)((lengths[i] + 1) * vocab));
                copy_logits(got, q[i]);
                make_reference(want, m, text[i], lengths[i] + 1, (unsigned)i);
                check_close(got, want + (size_t)lengths[i] * (size_t)vocab, vocab);
                free(got);
                free(want);
            }
            for (int i = 0; i < TEXTS; i++) trine_sequence_close(q[i]);
            trine_session_close(s);
        }
        trine_model_close(m);
    }
}

/* The same bits on any number of threads. */
static void test_threads(void **unused)
{
    (void)unused;
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(decoders[k]);
        const int vocab = m->info.vocab;
        int32_t ids[70];
        float *first = malloc(sizeof *first * (size_t)vocab);
        make_ids(ids, 70, m, 9);
        for (int threads = 1; threads <= 5; threads++) {
            trine_session *s = open_session(m, (trine_session_options) { .ctx = 70, .n_threads = threads, .batch_tokens = 32 });
            trine_sequence *q = ready(s, 9);
            feed(q, ids, 69);
            feed(q, ids + 69, 1);
            if (threads == 1)
                copy_logits(first, q);
            else
                assert_memory_equal(first, trine_sequence_logits(q), (size_t)vocab * sizeof *first);
            trine_sequence_close(q);
            trine_session_close(s);
        }
        free(first);
        trine_model_close(m);
    }
}

/* What is refused changes nothing; what fails in the middle leaves the sequence as it was. */
static void test_failures(void **unused)
{
    (void)unused;
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(decoders[k]);
        const int vocab = m->info.vocab;
        int32_t ids[80];
        float *want = malloc(sizeof *want * (size_t)(31 * vocab));
        trine_error err;
        make_ids(ids, 80, m, 3);
        make_reference(want, m, ids, 31, 3);
        trine_session *s = open_session(m, (trine_session_options) { .ctx = 40, .batch_tokens = 8, .n_sequences = 2 });
        trine_sequence *q = ready(s, 3);
        feed(q, ids, 30);
        assert_int_equal(trine_sequence_feed(q, ids, 11, &err), TRINE_ERROR_TOO_LONG);
        assert_non_null(strstr(err.text, "40"));
        assert_int_equal(trine_sequence_feed(q, ids, 0, &err), TRINE_ERROR_EMPTY);
        assert_int_equal(trine_sequence_feed(q, (const int32_t[]) { vocab }, 1, &err), TRINE_ERROR_ARGUMENT);
        assert_int_equal(trine_sequence_feed(q, (const int32_t[]) { 1, -1 }, 2, &err), TRINE_ERROR_ARGUMENT);
        assert_int_equal(trine_sequence_truncate(q, 31, &err), TRINE_ERROR_ARGUMENT);
        assert_int_equal(trine_sequence_truncate(q, -1, &err), TRINE_ERROR_ARGUMENT);
        check_close(trine_sequence_logits(q), want + (size_t)29 * (size_t)vocab, vocab); /* refused before any pass */

        /* One of two is refused: neither moves. */
        trine_sequence *other = ready(s, 4), *both[2] = { q, other }, *twice[2] = { q, q };
        const int32_t *two[2] = { ids + 30, ids };
        assert_int_equal(trine_sequences_feed(both, two, (const int[]) { 5, 41 }, 2, &err), TRINE_ERROR_TOO_LONG);
        assert_int_equal(trine_sequences_feed(twice, two, (const int[]) { 1, 1 }, 2, &err), TRINE_ERROR_ARGUMENT);
        assert_int_equal(trine_sequence_length(q), 30);
        assert_int_equal(trine_sequence_length(other), 0);

        /* The arena is taken away: the first pass fails. Then it fails at the second of three, by an arena too small for 8 rows. */
        const size_t size = s->arena.size;
        s->arena.size = 64;
        assert_int_not_equal(trine_sequence_feed(q, ids + 30, 3, &err), TRINE_OK);
        s->arena.size = size;
        assert_int_equal(trine_sequence_length(q), 30);
        assert_null(trine_sequence_logits(q));
        feed(q, ids + 30, 1);
        check_close(trine_sequence_logits(q), want + (size_t)30 * (size_t)vocab, vocab);
        trine_sequence_close(other);

        /* A session of one sequence too many. */
        other = open_sequence(s);
        trine_sequence *third = other;
        assert_int_equal(trine_sequence_open(&third, s, &err), TRINE_ERROR_ARGUMENT);
        assert_null(third);
        assert_non_null(strstr(err.text, "n_sequences"));
        assert_int_equal(trine_sequence_fork(&third, q, &err), TRINE_ERROR_ARGUMENT);
        if (s->cross) {
            assert_int_equal(trine_sequence_feed(other, ids, 1, &err), TRINE_ERROR_ARGUMENT);
            assert_non_null(strstr(err.text, "source"));
            assert_int_equal(trine_sequence_source(other, ids, 41, &err), TRINE_ERROR_TOO_LONG);
        } else {
            assert_int_equal(trine_sequence_source(other, ids, 3, &err), TRINE_ERROR_ARGUMENT);
        }
        /* A count without arrays. */
        assert_int_equal(trine_sequences_feed(NULL, two, (const int[]) { 1, 1 }, 2, &err), TRINE_ERROR_ARGUMENT);
        assert_int_equal(trine_sequences_feed(both, NULL, (const int[]) { 1, 1 }, 2, &err), TRINE_ERROR_ARGUMENT);
        assert_int_equal(trine_sequences_feed(both, two, NULL, 2, &err), TRINE_ERROR_ARGUMENT);

        /* The session goes first, as where finalisers have no order: sequences can still be closed, no more. */
        trine_session_close(s);
        assert_int_equal(trine_sequence_feed(q, ids, 1, &err), TRINE_ERROR_ARGUMENT);
        assert_int_equal(trine_sequence_source(q, ids, 1, &err), TRINE_ERROR_ARGUMENT);
        assert_int_equal(trine_sequence_fork(&third, q, &err), TRINE_ERROR_ARGUMENT);
        assert_non_null(strstr(err.text, "closed"));
        trine_sequence_close(other);
        trine_sequence_close(q);
        free(want);
        trine_model_close(m);
    }
}

/* A later pass that fails takes back what the earlier ones committed. The tracer is what fails: after so many passes. */
typedef struct bomb {
    int left;
} bomb;
static trine_status count_down(void *user, const char *name, const float *data, int n_dims, const int64_t *shape)
{
    bomb *b = user;
    (void)data;
    (void)n_dims;
    (void)shape;
    return !strcmp(name, "hidden.0") && b->left-- <= 0 ? TRINE_ERROR_CANCELLED : TRINE_OK;
}

static void test_take_back(void **unused)
{
    (void)unused;
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(decoders[k]);
        int32_t ids[60];
        float *want = malloc(sizeof *want * (size_t)(60 * m->info.vocab));
        make_ids(ids, 60, m, 31);
        make_reference(want, m, ids, 60, 31);
        trine_session *s = open_session(m, (trine_session_options) { .ctx = 64, .batch_tokens = 10, .n_sequences = 2 });
        trine_sequence *q[2] = { ready(s, 31), ready(s, 31) };
        const int32_t *rest[2] = { ids + 5, ids };
        feed(q[0], ids, 5);
        for (int passes = 0; passes < 8; passes++) {
            bomb b = { passes };
            trine_tracer tracer = { .put = count_down, .user = &b, .prefix = "", .hidden = true };
            s->tracer = &tracer;
            assert_int_equal(trine_sequences_feed(q, rest, (const int[]) { 55, 30 }, 2, NULL), TRINE_ERROR_CANCELLED);
            s->tracer = NULL;
            assert_int_equal(trine_sequence_length(q[0]), 5);
            assert_int_equal(trine_sequence_length(q[1]), 0);
        }
        trine_error err;
        check_ok(trine_sequences_feed(q, rest, (const int[]) { 55, 30 }, 2, &err), &err);
        check_close(trine_sequence_logits(q[0]), want + (size_t)(59 * m->info.vocab), m->info.vocab);
        check_close(trine_sequence_logits(q[1]), want + (size_t)(29 * m->info.vocab), m->info.vocab);
        trine_sequence_close(q[0]);
        trine_sequence_close(q[1]);
        trine_session_close(s);
        free(want);
        trine_model_close(m);
    }
}

/* A family of forks that grow, are cut and are replaced at random: each always agrees with its own text. */
static void test_fork_storm(void **unused)
{
    (void)unused;
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(decoders[k]);
        enum { FAMILY = 5 };
        trine_session *s = open_session(m, (trine_session_options) { .ctx = 90, .n_sequences = FAMILY, .batch_tokens = 40 });
        trine_session *alone = open_session(m, (trine_session_options) { .ctx = 90 });
        trine_sequence *q[FAMILY];
        int32_t text[FAMILY][90];
        int n[FAMILY] = { 0 };
        uint32_t state = 77;
        for (int i = 0; i < FAMILY; i++) q[i] = ready(s, 8);
        for (int step = 0; step < 120; step++) {
            state = state * 1664525u + 1013904223u;
            const int i = (int)(state >> 10) % FAMILY, action = (int)(state >> 20) % 4, j = (int)(state >> 5) % FAMILY;
            if (action == 0 && i != j) { /* i becomes a fork of j */
                trine_error err;
                trine_sequence_close(q[i]);
                check_ok(trine_sequence_fork(&q[i], q[j], &err), &err);
                memcpy(text[i], text[j], sizeof text[i]);
                n[i] = n[j];
            } else if (action == 1) {
                n[i] = n[i] ? (int)(state >> 12) % (n[i] + 1) : 0;
                assert_int_equal(trine_sequence_truncate(q[i], n[i], NULL), TRINE_OK);
            } else {
                int more = 1 + (int)(state >> 14) % 30;
                if (more > 90 - n[i]) more = 90 - n[i];
                if (!more) continue;
                make_ids(text[i] + n[i], more, m, state);
                feed(q[i], text[i] + n[i], more);
                n[i] += more;
                trine_sequence *r = ready(alone, 8);
                feed(r, text[i], n[i]);
                check_close(trine_sequence_logits(q[i]), trine_sequence_logits(r), m->info.vocab);
                trine_sequence_close(r);
            }
            assert_int_equal(trine_sequence_length(q[i]), n[i]);
            assert_memory_equal(trine_sequence_ids(q[i]), text[i], (size_t)n[i] * sizeof(int32_t));
        }
        for (int i = 0; i < FAMILY; i++) trine_sequence_close(q[i]);
        /* Nothing was lost: all sequences can fill the whole context again. */
        for (int i = 0; i < FAMILY; i++) {
            int32_t ids[90];
            make_ids(ids, 90, m, (unsigned)i);
            q[i] = ready(s, 1);
            feed(q[i], ids, 90);
        }
        for (int i = 0; i < FAMILY; i++) trine_sequence_close(q[i]);
        assert_int_equal(s->n_open, 0);
        trine_session_close(alone);
        trine_session_close(s);
        trine_model_close(m);
    }
}

static void test_fork_shares_logits(void **unused)
{
    (void)unused;
    trine_model *m = open_model("generate/llama");
    trine_session *s = open_session(m, (trine_session_options) { .ctx = 64, .n_sequences = 2 });
    trine_sequence *q = open_sequence(s), *f;
    feed(q, (const int32_t[]) { 4, 5 }, 2);
    assert_int_equal(trine_sequence_fork(&f, q, NULL), TRINE_OK);
    assert_ptr_equal(trine_sequence_logits(f), trine_sequence_logits(q));
    feed(f, (const int32_t[]) { 6 }, 1);
    assert_null(trine_sequence_logits(q)); /* overwritten: not to be read */
    assert_int_equal(trine_sequence_length(q), 2);
    trine_sequence_close(q);
    trine_sequence_close(f);
    trine_session_close(s);
    trine_model_close(m);
}

static void test_steps_allocate_nothing(void **unused)
{
    (void)unused;
    for (int k = 0; k < N_MODELS; k++) {
        trine_model *m = open_model(decoders[k]);
        trine_session *s = open_session(m, (trine_session_options) { .ctx = 96, .n_sequences = 3 });
        trine_sequence *q[3];
        const int32_t token = 5, *ids[3] = { &token, &token, &token };
        for (int i = 0; i < 3; i++) q[i] = ready(s, 2);
        alloc_fail_at(0);
        for (int step = 0; step < 80; step++) {
            assert_int_equal(trine_sequence_feed(q[0], &token, 1, NULL), TRINE_OK);
            assert_int_equal(trine_sequences_feed(q + 1, ids, (const int[]) { 1, 1 }, 2, NULL), TRINE_OK);
        }
        assert_int_equal(alloc_count(), 0);
        for (int i = 0; i < 3; i++) trine_sequence_close(q[i]);
        trine_session_close(s);
        trine_model_close(m);
    }
}

static void test_allocation_failures(void **unused)
{
    (void)unused;
    trine_model *m = open_model("generate/t5");
    trine_session *s = open_session(m, (trine_session_options) { .ctx = 64, .n_sequences = 2 });
    trine_sequence *q, *f;
    for (long k = 1;; k++) {
        alloc_fail_at(k);
        const trine_status status = trine_sequence_open(&q, s, NULL);
        alloc_fail_at(0);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
        assert_null(q);
        assert_int_equal(s->n_open, 0);
    }
    for (long k = 1;; k++) {
        alloc_fail_at(k);
        const trine_status status = trine_sequence_fork(&f, q, NULL);
        alloc_fail_at(0);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
        assert_null(f);
        assert_int_equal(s->n_open, 1);
    }
    trine_sequence_close(f);
    trine_sequence_close(q);
    trine_session_close(s);
    trine_model_close(m);
}

/* A prefix mask: tokens of the prefix see each other, so a change of the last one changes what the first gives. */
static void test_masks(void **unused)
{
    (void)unused;
    trine_model *m = open_model("generate/gpt2");
    const trine_mask masks[] = { TRINE_MASK_CAUSAL, TRINE_MASK_PREFIX, TRINE_MASK_BIDIRECTIONAL };
    for (int k = 0; k < 3; k++) {
        trine_session *s = open_session(m, (trine_session_options) { .ctx = 32,
                                                                     .mask = masks[k],
                                                                     .prefix = masks[k] == TRINE_MASK_PREFIX ? 4 : 0,
                                                                     .batch_tokens = 16,
                                                                     .logit_rows = 8 });
        float first[2][67], fifth[2][67];
        for (int change = 0; change < 2; change++) {
            trine_sequence *q = open_sequence(s);
            int32_t ids[8] = { 4, 5, 6, 7, 8, 9, 10, 11 };
            trine_mat logits;
            trine_error err;
            ids[3] += change; /* the prefix's last */
            check_ok(trine_sequence_feed_logits(&logits, q, ids, 8, &err), &err);
            memcpy(first[change], logits.data, sizeof first[0]);
            ids[3] = 7;
            ids[7] += change; /* the text's last */
            assert_int_equal(trine_sequence_truncate(q, 0, NULL), TRINE_OK);
            check_ok(trine_sequence_feed_logits(&logits, q, ids, 8, &err), &err);
            memcpy(fifth[change], logits.data + 4 * logits.cols, sizeof fifth[0]);
            trine_sequence_close(q);
        }
        assert_int_equal(memcmp(first[0], first[1], sizeof first[0]) == 0, masks[k] == TRINE_MASK_CAUSAL);
        assert_int_equal(memcmp(fifth[0], fifth[1], sizeof fifth[0]) == 0, masks[k] != TRINE_MASK_BIDIRECTIONAL);
        trine_sequence *q = open_sequence(s);
        int32_t ids[17];
        make_ids(ids, 17, m, 1);
        assert_int_equal(trine_sequence_feed(q, ids, 17, NULL),
                         masks[k] == TRINE_MASK_BIDIRECTIONAL ? TRINE_ERROR_TOO_LONG : TRINE_OK);
        trine_sequence_close(q);
        trine_session_close(s);
    }
    trine_model_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_company),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_take_back),
        cmocka_unit_test(test_fork_storm),
        cmocka_unit_test(test_fork_shares_logits),
        cmocka_unit_test(test_steps_allocate_nothing),
        cmocka_unit_test(test_allocation_failures),
        cmocka_unit_test(test_masks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
