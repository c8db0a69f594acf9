/* test_encode.c - what one encode call leaves for the next: nothing that shows. And tokens behind bytes that have none. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/alloc.h"
#include "support/random.h"
#include "tokenizer/tokenizer.h"

static const char *const kinds[] = { "bert_uncased", "gpt2", "llama2", "llama2_first", "llama3", "qwen2", "roberta", "t5", "byt5" };
enum { N_KINDS = sizeof kinds / sizeof *kinds };

static trine_tokenizer *open_kind(const char *name)
{
    char path[512];
    trine_tokenizer *t;
    trine_error err;
    snprintf(path, sizeof path, "%s/tokenizer/%s", TRINE_FIXTURES, name);
    if (trine_tokenizer_open(&t, path, &err)) fail_msg("%s", err.text);
    return t;
}

static trine_encoding encode(const trine_tokenizer *t, const char *text, size_t n)
{
    trine_encoding e;
    trine_error err;
    if (trine_tokenizer_encode(&e, t, text, n, NULL, &err)) fail_msg("%s", err.text);
    return e;
}

static bool same(const trine_encoding *a, const trine_encoding *b)
{
    const size_t n = (size_t)a->n;
    return a->n == b->n && !memcmp(a->ids, b->ids, n * sizeof *a->ids) && !memcmp(a->spans, b->spans, n * sizeof *a->spans);
}

/* Words that come again, alone and in others, with spaces, marks and signs between. */
static size_t make_text(char *text, random_state *r, int n_words)
{
    static const char *const words[] = { "the",   "time",  "times",     "Timer",    "naïve", "über",
                                         "don't", "12345", "...",       "\n",       "  ",    "▁",
                                         "▁▁the", "世界",  "e\xCC\x81", "👍🏽", "\x01",  "internationalisation",
                                         "I'LL",  "\t",    "ﬁne",       "<s>",      "[MASK]" };
    size_t n = 0;
    for (int i = 0; i < n_words; i++) {
        n += (size_t)sprintf(text + n, "%s%s", random_int(r, 0, 3) ? " " : "",
                             words[random_int(r, 0, (int)(sizeof words / sizeof *words) - 1)]);
    }
    return n;
}

static void test_words_met_before(void **state)
{
    (void)state;
    random_state r = random_open("test_encode");
    char text[4096];
    for (int k = 0; k < N_KINDS; k++) {
        trine_tokenizer *used = open_kind(kinds[k]);
        for (int round = 0; round < 60; round++) {
            const size_t n = make_text(text, &r, random_int(&r, 1, 40));
            trine_tokenizer *fresh = open_kind(kinds[k]);
            trine_encoding a = encode(used, text, n), b = encode(fresh, text, n);
            if (!same(&a, &b)) fail_msg("%s: '%s' depends on what came before", kinds[k], text);
            trine_encoding_clear(&a);
            trine_encoding_clear(&b);
            trine_tokenizer_close(fresh);
        }
        trine_tokenizer_close(used);
    }
}

/* A text that makes the room large, one without memory, then again: the same tokens. */
static void test_after_failures(void **state)
{
    (void)state;
    random_state r = random_open("test_encode");
    enum { WORDS = 40000 };
    char *long_text = malloc(WORDS * 24), text[1024];
    for (int k = 0; k < N_KINDS; k++) {
        trine_tokenizer *t = open_kind(kinds[k]);
        const size_t n = make_text(text, &r, 20);
        trine_encoding before = encode(t, text, n), e = encode(t, long_text, make_text(long_text, &r, WORDS));
        trine_encoding_clear(&e);
        trine_error err;
        trine_status status = TRINE_ERROR_MEMORY;
        for (long at = 1; status; at++) {
            assert_true(at < 1000);
            alloc_fail_at(at);
            status = trine_tokenizer_encode(&e, t, text, n, NULL, &err);
            alloc_fail_at(0);
            assert_true(!status || status == TRINE_ERROR_MEMORY);
            if (!status) assert_true(same(&before, &e));
            trine_encoding_clear(&e);
        }
        e = encode(t, text, n);
        assert_true(same(&before, &e));
        trine_encoding_clear(&e);
        trine_encoding_clear(&before);
        trine_tokenizer_close(t);
    }
    free(long_text);
}

typedef struct job {
    const trine_tokenizer *t;
    const char *text;
    size_t n;
    const trine_encoding *want;
    bool fine;
} job;

static void *encode_often(void *arg)
{
    job *j = arg;
    j->fine = true;
    for (int i = 0; i < 200; i++) {
        trine_encoding e = { 0 };
        trine_error err;
        j->fine = !trine_tokenizer_encode(&e, j->t, j->text, j->n, NULL, &err) && same(&e, j->want) && j->fine;
        trine_encoding_clear(&e);
    }
    return NULL;
}

static void test_several_threads(void **state)
{
    (void)state;
    random_state r = random_open("test_encode");
    enum { THREADS = 4 };
    trine_tokenizer *t = open_kind("gpt2");
    char texts[THREADS][2048];
    trine_encoding want[THREADS];
    job jobs[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        const size_t n = make_text(texts[i], &r, 40);
        want[i] = encode(t, texts[i], n);
        jobs[i] = (job) { t, texts[i], n, &want[i], false };
    }
    for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, encode_often, &jobs[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(jobs[i].fine);
        trine_encoding_clear(&want[i]);
    }
    trine_tokenizer_close(t);
}

/* Places as `tokenizers` 0.23 gives them: a byte without a token moves what comes after it to the front, by its spelt length. */
static void test_bytes_without_tokens(void **state)
{
    (void)state;
    static const char json[] =
        "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2, \"é\": 3, \"Ġ\": 4, \"Ģ\": 5}, \"merges\": "
        "[\"a b\"]},"
        "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": false}}";
    static const struct {
        const char *text;
        int n;
        int32_t ids[3];
        size_t spans[6];
    } cases[] = {
        { "éab", 1, { 2 }, { 0, 2 } },
        { "zab", 1, { 2 }, { 0, 2 } },
        { "aéba", 2, { 2, 0 }, { 0, 3, 1, 3 } },
        { "abzzab€ab", 3, { 2, 2, 2 }, { 0, 2, 2, 4, 4, 6 } },
        { "\xF1\x81\xA2\x86"
          "ab",
          1,
          { 2 },
          { 0, 4 } },
        { "aĀb", 3, { 0, 5, 1 }, { 0, 1, 1, 3, 1, 3 } },
    };
    trine_tokenizer *t;
    trine_error err;
    if (trine_tokenizer_open_json(&t, json, strlen(json), NULL, 0, &err)) fail_msg("%s", err.text);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int again = 0; again < 2; again++) {
            trine_encoding e = encode(t, cases[i].text, 0);
            assert_int_equal(e.n, cases[i].n);
            for (int k = 0; k < e.n; k++) {
                assert_int_equal(e.ids[k], cases[i].ids[k]);
                if (e.spans[k].start != cases[i].spans[2 * k] || e.spans[k].end != cases[i].spans[2 * k + 1])
                    fail_msg("'%s': token %d is at [%zu, %zu)", cases[i].text, k, e.spans[k].start, e.spans[k].end);
            }
            trine_encoding_clear(&e);
        }
    }
    trine_tokenizer_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_words_met_before), cmocka_unit_test(test_after_failures),
                                        cmocka_unit_test(test_several_threads), cmocka_unit_test(test_bytes_without_tokens) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
