/* test_json_vocabulary.c - vocabulary and merges read without a tree of JSON values: the same as the JSON library reads them, however
 * the text is written, and left alone where anything is out of the ordinary. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "support/alloc.h"
#include "tokenizer/json_score.h"
#include "tokenizer/json_vocabulary.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_json.h"

static bool take(trine_tokenizer **t, trine_buffer *rest, const char *text)
{
    bool taken;
    trine_error err;
    *rest = (trine_buffer) { 0 };
    assert_int_equal(trine_tokenizer_new(t, &err), TRINE_OK);
    assert_int_equal(trine_json_vocabulary(&taken, rest, *t, text, strlen(text), &err), TRINE_OK);
    return taken;
}

static void same_token(const trine_tokenizer *t, const json_t *token, int32_t id)
{
    const trine_piece p = trine_vocab_piece(&t->vocab, id);
    assert_true(p.text && p.n == json_string_length(token) && !memcmp(p.text, json_string_value(token), p.n));
    assert_int_equal(trine_vocab_find(&t->vocab, p.text, p.n), id);
}

static void check(json_t *root, const char *text, const char *name)
{
    trine_tokenizer *t;
    trine_buffer rest;
    json_error_t why;
    if (!take(&t, &rest, text)) fail_msg("%s is not taken", name);
    json_t *short_root = json_loadb(rest.data, rest.n, 0, &why), *model = json_object_get(root, "model");
    if (!short_root) fail_msg("%s: %s", name, why.text);
    assert_true(json_is_integer(json_object_get(json_object_get(short_root, "model"), "vocab")));
    json_object_set(json_object_get(short_root, "model"), "vocab", json_object_get(model, "vocab"));
    json_t *merges = json_object_get(model, "merges"), *vocab = json_object_get(model, "vocab"), *value;
    if (merges) {
        assert_true(json_is_integer(json_object_get(json_object_get(short_root, "model"), "merges")));
        json_object_set(json_object_get(short_root, "model"), "merges", merges);
    }
    assert_true(json_equal(short_root, root)); /* nothing else is gone */
    size_t i;
    const char *key;
    json_array_foreach(vocab, i, value)
    {
        same_token(t, json_array_get(value, 0), (int32_t)i);
        const double score = trine_score_read(json_number_value(json_array_get(value, 1)));
        assert_memory_equal(&t->scores[i], &score, sizeof score);
    }
    json_object_foreach(vocab, key, value)
    {
        json_t *token = json_string(key);
        same_token(t, token, (int32_t)json_integer_value(value));
        json_decref(token);
    }
    assert_int_equal(t->vocab.n_present, json_is_array(vocab) ? json_array_size(vocab) : json_object_size(vocab));
    assert_int_equal(t->n_merges, json_array_size(merges));
    json_array_foreach(merges, i, value)
    {
        const trine_piece a = trine_vocab_piece(&t->vocab, t->merges[i].left), b = trine_vocab_piece(&t->vocab, t->merges[i].right);
        char both[400];
        snprintf(both, sizeof both, "%s %s", a.text, b.text);
        if (json_is_string(value)) {
            assert_string_equal(both, json_string_value(value));
        } else {
            assert_string_equal(a.text, json_string_value(json_array_get(value, 0)));
            assert_string_equal(b.text, json_string_value(json_array_get(value, 1)));
        }
    }
    json_decref(short_root);
    trine_buffer_clear(&rest);
    trine_tokenizer_close(t);
}

static const char *const fixtures[] = { "bert_uncased", "gpt2", "llama2", "llama3", "qwen2", "roberta", "t5" };

static json_t *read_fixture(const char *name)
{
    char path[512];
    json_error_t why;
    snprintf(path, sizeof path, "%s/tokenizer/%s/tokenizer.json", TRINE_FIXTURES, name);
    json_t *root = json_load_file(path, 0, &why);
    if (!root) fail_msg("%s: %s", path, why.text);
    /* Dumped below with 17 digits, which the reference reads as another number than the shortest spelling: see json_score.h. */
    size_t i;
    json_t *entry, *vocab = json_object_get(json_object_get(root, "model"), "vocab");
    json_array_foreach(vocab, i, entry)
        json_array_set_new(entry, 1, json_real(trine_score_write(trine_score_read(json_number_value(json_array_get(entry, 1))))));
    return root;
}

static void test_as_the_library_reads(void **state)
{
    (void)state;
    const size_t ways[] = { JSON_COMPACT, JSON_INDENT(2), JSON_ENSURE_ASCII,
                            JSON_ESCAPE_SLASH | JSON_ENSURE_ASCII | JSON_INDENT(1) };
    for (size_t f = 0; f < sizeof fixtures / sizeof *fixtures; f++) {
        json_t *root = read_fixture(fixtures[f]);
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
            char *text = json_dumps(root, ways[w]);
            check(root, text, fixtures[f]);
            free(text);
        }
        json_decref(root);
    }
}

static void test_surprises_are_left(void **state)
{
    (void)state;
#define BPE(vocab, merges) "{\"model\": {\"type\": \"BPE\", \"vocab\": " vocab ", \"merges\": " merges "}}"
#define UNIGRAM(vocab) "{\"model\": {\"type\": \"Unigram\", \"vocab\": " vocab "}}"
    static const struct {
        bool taken;
        const char *text;
    } cases[] = {
        { true, BPE("{\"a\": 0, \"b\" :1,\"ab\":2}", "[\"a b\"]") },
        { true, BPE("{\"a\": 0, \"\\uD83D\\uDE00\\n\\\"\": 1}", "[]") },
        { true, "{\"version\": \"1.0\", \"x\": [{\"vocab\": \"}]\\\"\"}, 1e5, null], \"model\": {\"vocab\": {\"a\": 7}, \"type\": "
                "\"WordLevel\"}}" },
        { true, UNIGRAM("[[\"a\", -1.5], [\"b\", 0], [\"c\", -12.25e-3], [\"a\", 2E2]]") },
        { false, BPE("{\"a\": 0, \"b\": 1, \"a\": 2}", "[\"a b\"]") },     /* a token twice */
        { false, BPE("{\"a\": 0, \"b\": 1}", "[\"a c\"]") },               /* a merge of what is not there */
        { false, BPE("{\"a\": 0, \"b\": 1}", "[\"a b c\"]") },             /* of three */
        { false, BPE("{\"a\": 0, \"b\": 1}", "[\"#version: 0.2\"]") },     /* a comment of old files */
        { false, BPE("{\"a\": 0, \"b\": 1}", "[[\"a\"]]") },               /* of one */
        { false, BPE("{\"a\": -1}", "[\"a a\"]") },                        /* an id below 0 */
        { false, BPE("{\"a\": 1.0}", "[\"a a\"]") },                       /* that is no whole number */
        { false, BPE("{\"a\": 01}", "[\"a a\"]") },                        /* that is no JSON */
        { false, BPE("{\"a\": 99999999}", "[\"a a\"]") },                  /* past the limit */
        { false, BPE("{\"a\": 18446744073709551616}", "[\"a a\"]") },      /* past 64 bits */
        { false, BPE("{\"a\\u0000\": 1}", "[]") },                         /* a zero in a token */
        { false, BPE("{\"\\uD83D\": 1}", "[]") },                          /* half of a pair */
        { false, BPE("{\"\\uDE00\": 1}", "[]") },                          /* the other half */
        { false, BPE("{\"\\x41\": 1}", "[]") },                            /* no escape of JSON */
        { false, BPE("{\"a\tb\": 1}", "[]") },                             /* a control character */
        { false, BPE("{\"a\xFF\": 1}", "[]") },                            /* no UTF-8 */
        { false, BPE("{\"a\": 1,}", "[]") },                               /* a comma too many */
        { false, BPE("{}", "[]") },                                        /* nothing there */
        { false, BPE("[[\"a\", 1]]", "[\"a a\"]") },                       /* the vocabulary of another kind */
        { false, UNIGRAM("{\"a\": 1}") },                                  /* likewise */
        { false, UNIGRAM("[[\"a\", 1, 2]]") },                             /* an entry of three */
        { false, UNIGRAM("[[\"a\", \"1\"]]") },                            /* a score that is no number */
        { false, UNIGRAM("[[\"a\", 1.]]") },                               /* that is no JSON */
        { false, UNIGRAM("[[\"a\", 1e-30]]") },                            /* beyond exact powers of ten */
        { false, UNIGRAM("[[\"a\", 0.123456789012345678901234567890]]") }, /* more digits than 64 bits hold */
        { false, "{\"model\": {\"vocab\": {\"a\": 0}}}" },                 /* no type */
        { false, "{\"model\": {\"type\": \"New\", \"vocab\": {\"a\": 0}}}" },
        { false, "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0}}}" },
        { false, "{\"model\": {\"type\": \"BPE\", \"merges\": [], \"vocab\": {\"a\": 0}}}" },
        { false, "{\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"a\": 0}, \"vocab\": {\"b\": 0}}}" },
        { false, "{\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"a\": 0}}, \"model\": {}}" },
        { false, "{\"mod\\u0065l\": {}, \"model\": {\"type\": \"WordLevel\", \"vocab\": {\"a\": 0}}}" },
        { false, "{\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"a\": 0}}" }, /* cut off */
        { false, "{\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"a" },
        { false, "[]" },
        { false, "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trine_tokenizer *t;
        trine_buffer rest;
        if (take(&t, &rest, cases[i].text) != cases[i].taken) fail_msg("%s", cases[i].text);
        if (!cases[i].taken) assert_true(!t->vocab.n && !t->scores && !t->merges && !t->n_merges);
        trine_buffer_clear(&rest);
        trine_tokenizer_close(t);
    }
}

static void test_without_memory(void **state)
{
    (void)state;
    json_t *root = read_fixture("t5");
    char *text = json_dumps(root, JSON_ENSURE_ASCII);
    bool taken = false;
    for (int k = 1; !taken; k++) {
        trine_tokenizer *t;
        trine_buffer rest = { 0 };
        trine_error err;
        assert_int_equal(trine_tokenizer_new(&t, &err), TRINE_OK);
        alloc_fail_at(k);
        const trine_status status = trine_json_vocabulary(&taken, &rest, t, text, strlen(text), &err);
        alloc_fail_at(0);
        assert_int_equal(status, taken ? TRINE_OK : TRINE_ERROR_MEMORY);
        assert_true(taken || !t->vocab.n);
        assert_true(k < 1000);
        trine_buffer_clear(&rest);
        trine_tokenizer_close(t);
    }
    free(text);
    json_decref(root);
}

/* A file of a hundred bytes must not make tables for millions of tokens. */
static void test_ids_far_apart(void **state)
{
    static const struct {
        const char *json;
        trine_status status;
    } cases[] = {
        { "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"a\",\"continuing_subword_prefix\":\"##\","
          "\"max_input_chars_per_word\":100,\"vocab\":{\"a\":0,\"b\":4000000}}}",
          TRINE_ERROR_FORMAT },
        { "{\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"a\",\"continuing_subword_prefix\":\"##\","
          "\"max_input_chars_per_word\":100,\"vocab\":{\"a\":0,\"b\":60000}}}",
          TRINE_OK },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        trine_tokenizer *t = NULL;
        trine_error err = { 0 };
        const trine_status status = trine_tokenizer_open_json(&t, cases[i].json, strlen(cases[i].json), NULL, 0, &err);
        assert_int_equal(status, cases[i].status);
        if (status) assert_non_null(strstr(err.text, "4000000"));
        assert_true((status == TRINE_OK) == (t != NULL));
        trine_tokenizer_close(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_ids_far_apart), cmocka_unit_test(test_as_the_library_reads),
                                        cmocka_unit_test(test_surprises_are_left), cmocka_unit_test(test_without_memory) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
