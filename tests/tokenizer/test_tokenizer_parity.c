/* test_tokenizer_parity.c - every kind of tokenizer against what the reference made of hostile lines: ids, offsets, types, which
 * tokens were added, decoded text (tools/make_tokenizer_fixtures.py). The same must hold after a way through GGUF's vocabulary and
 * through tokenizer.json. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "support/temp.h"
#include "tokenizer/tokenizer.h"

static json_t *lines;

static json_t *read_json(const char *name)
{
    char path[512];
    json_error_t why;
    snprintf(path, sizeof path, "%s/tokenizer/%s", TRINE_FIXTURES, name);
    json_t *out = json_load_file(path, JSON_ALLOW_NUL, &why);
    if (!out) fail_msg("%s: %s", path, why.text);
    return out;
}

static int set_up(void **state)
{
    (void)state;
    temp_make();
    lines = read_json("lines.json");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(lines);
    temp_remove();
    return 0;
}

static trine_tokenizer *open_fixture(const char *name)
{
    char path[512];
    trine_tokenizer *t;
    trine_error err;
    snprintf(path, sizeof path, "%s/tokenizer/%s", TRINE_FIXTURES, name);
    if (trine_tokenizer_open(&t, path, &err)) fail_msg("%s", err.text);
    return t;
}

static long number(const json_t *list, size_t i) { return (long)json_integer_value(json_array_get(list, i)); }

/* A case in words, for a message. */
static const char *tell(const char *who, const json_t *c)
{
    static char text[4000];
    char *what = json_dumps(c, JSON_COMPACT | JSON_ENSURE_ASCII);
    snprintf(text, sizeof text, "%s: %.3500s", who, what);
    free(what);
    return text;
}

static void check_decoded(const trine_tokenizer *t, const trine_encoding *e, bool skip, const char *want, const char *who,
                          const json_t *c)
{
    char *text;
    trine_error err;
    if (trine_tokenizer_decode(&text, t, e->ids, e->n, skip, &err)) fail_msg("%s: %s", tell(who, c), err.text);
    if (strcmp(text, want)) fail_msg("%s: decoded '%s', expected '%s'", tell(who, c), text, want);
    trine_free(text);
}

static void check_case(const trine_tokenizer *t, const json_t *c, const char *who)
{
    const json_t *text = json_array_get(lines, (size_t)json_integer_value(json_object_get(c, "text"))),
                 *pair = json_object_get(c, "pair"), *spans = json_object_get(c, "spans"), *ids = json_object_get(c, "ids"),
                 *types = json_object_get(c, "types"), *added = json_object_get(c, "added");
    if (pair) pair = json_array_get(lines, (size_t)json_integer_value(pair));
    const trine_encode_options options = { .pair = json_string_value(pair),
                                           .pair_bytes = json_string_length(pair),
                                           .no_special = json_is_true(json_object_get(c, "no_special")),
                                           .no_parse_special = json_is_true(json_object_get(c, "no_parse_special")),
                                           .max_tokens = (int)json_integer_value(json_object_get(c, "max_tokens")) };
    trine_encoding e;
    trine_error err;
    if (trine_tokenizer_encode(&e, t, json_string_value(text), json_string_length(text), &options, &err))
        fail_msg("%s: %s", tell(who, c), err.text);
    if ((size_t)e.n != json_array_size(ids)) fail_msg("%s: %d tokens", tell(who, c), e.n);
    size_t n_added = 0;
    for (int i = 0; i < e.n; i++) {
        const size_t k = (size_t)i;
        if (e.ids[i] != number(ids, k)) fail_msg("%s: id %d is %d", tell(who, c), i, e.ids[i]);
        if (spans && ((long)e.spans[i].start != number(spans, 2 * k) || (long)e.spans[i].end != number(spans, 2 * k + 1)))
            fail_msg("%s: token %d is at [%zu, %zu)", tell(who, c), i, e.spans[i].start, e.spans[i].end);
        if (spans && e.types[i] != (types ? number(types, k) : 0))
            fail_msg("%s: token %d is of type %d", tell(who, c), i, e.types[i]);
        if (e.special[i] != (e.sequence[i] < 0)) fail_msg("%s: token %d is added and of a text", tell(who, c), i);
        if (e.special[i] && added && (n_added >= json_array_size(added) || number(added, n_added) != i))
            fail_msg("%s: token %d was added", tell(who, c), i);
        n_added += e.special[i];
    }
    if (added) assert_int_equal(n_added, json_array_size(added));
    const char *decoded = json_string_value(json_object_get(c, "decoded")),
               *plain = json_string_value(json_object_get(c, "decoded_text"));
    if (decoded) {
        check_decoded(t, &e, false, decoded, who, c);
        check_decoded(t, &e, true, plain ? plain : decoded, who, c);
    }
    trine_encoding_clear(&e);
}

static void check_all(const trine_tokenizer *t, const char *expected, const char *who)
{
    json_t *cases = read_json(expected);
    assert_true(json_array_size(cases) >= 250);
    for (size_t i = 0; i < json_array_size(cases); i++) check_case(t, json_array_get(cases, i), who);
    json_decref(cases);
}

/* The tokenizer written as tokenizer.json and read again. */
static void check_through_json(const trine_tokenizer *t, const char *expected, const char *who)
{
    char *json, label[128];
    trine_error err;
    trine_tokenizer *again;
    if (trine_tokenizer_to_json(&json, t, &err)) fail_msg("%s: %s", who, err.text);
    if (trine_tokenizer_open(&again, temp_write("tokenizer.json", json, strlen(json)), &err)) fail_msg("%s: %s", who, err.text);
    snprintf(label, sizeof label, "%s, through tokenizer.json", who);
    check_all(again, expected, label);
    trine_tokenizer_close(again);
    trine_free(json);
}

/* The tokenizer as a GGUF file holds it, and back. */
static void check_through_vocabulary(trine_tokenizer *t, const char *expected, const char *who)
{
    trine_vocabulary v;
    trine_tokenizer *again;
    trine_error err;
    char label[128];
    if (trine_tokenizer_to_vocabulary(&v, t, &err)) fail_msg("%s: %s", who, err.text);
    assert_int_equal(v.n_tokens, trine_tokenizer_vocab_size(t));
    if (trine_tokenizer_open_vocabulary(&again, &v, &err)) fail_msg("%s: %s", who, err.text);
    snprintf(label, sizeof label, "%s, through GGUF's vocabulary", who);
    check_all(again, expected, label);
    check_through_json(again, expected, label);
    trine_tokenizer_close(again);
}

static void check(const char *source, const char *expected)
{
    trine_tokenizer *t = open_fixture(source);
    check_all(t, expected, source);
    check_through_json(t, expected, source);
    check_through_vocabulary(t, expected, source);
    trine_tokenizer_close(t);
}

static void test_wordpiece(void **state)
{
    (void)state;
    check("bert_uncased/tokenizer.json", "bert_uncased/expected.json");
    check("bert_uncased/vocab.txt", "bert_uncased/expected.json");
    check("bert_cased/tokenizer.json", "bert_cased/expected.json");
    check("bert_cased/vocab.txt", "bert_cased/expected.json");
}

static void test_byte_level(void **state)
{
    (void)state;
    check("gpt2/tokenizer.json", "gpt2/expected.json");
    check("gpt2/vocab.json", "gpt2/expected.json");
    check("gpt2/merges.txt", "gpt2/expected.json");
    check("llama3", "llama3/expected.json");
    check("qwen2/tokenizer.json", "qwen2/expected.json");
    check("qwen2/vocab.json", "qwen2/expected.json");
    check("roberta", "roberta/expected.json");
}

static void test_sentencepiece_bpe(void **state)
{
    (void)state;
    check("llama2/tokenizer.json", "llama2/expected.json");
    check("llama2/tokenizer.model", "llama2/expected.json");
    check("llama2_first", "llama2_first/expected.json");
}

static void test_unigram(void **state)
{
    (void)state;
    check("t5/tokenizer.json", "t5/expected.json");
    check("t5/spiece.model", "t5/expected.json");
}

/* ByT5's class in Python strips with str.strip, to which the separators U+001C to U+001F are spaces; `tokenizers` keeps them. */
static void test_separators(void **state)
{
    (void)state;
    static const int32_t stripped[] = { 100, 0, 101, 1 };
    trine_tokenizer *t = open_fixture("byt5");
    trine_encoding e;
    trine_error err;
    assert_int_equal(trine_tokenizer_encode(&e, t,
                                            "a\x1c \x1f<pad>\x1e\x1d"
                                            "b",
                                            0, NULL, &err),
                     TRINE_OK);
    assert_int_equal(e.n, 4);
    assert_memory_equal(e.ids, stripped, sizeof stripped);
    trine_encoding_clear(&e);
    trine_tokenizer_close(t);
}

static void test_bytes(void **state)
{
    (void)state;
    trine_tokenizer *t = open_fixture("byt5");
    trine_vocabulary v;
    trine_error err;
    char *json;
    check_all(t, "byt5/expected.json", "byt5");
    assert_int_equal(trine_tokenizer_to_vocabulary(&v, t, &err), TRINE_ERROR_UNSUPPORTED);
    assert_int_equal(trine_tokenizer_to_json(&json, t, &err), TRINE_ERROR_UNSUPPORTED);
    assert_null(json);
    trine_tokenizer_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wordpiece), cmocka_unit_test(test_byte_level), cmocka_unit_test(test_sentencepiece_bpe),
        cmocka_unit_test(test_unigram),   cmocka_unit_test(test_bytes),      cmocka_unit_test(test_separators)
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
