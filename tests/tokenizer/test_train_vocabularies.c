/* test_train_vocabularies.c - what training makes: the vocabularies of the reference trainers, on any number of threads, and the pieces
 * that unigram training begins with, against counting by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/random.h"
#include "support/temp.h"
#include "tokenizer/train.h"

#define FIXTURES TRINE_FIXTURES "/tokenizer_train/"

static char *read_text(const char *path, size_t *n)
{
    char *text;
    trine_error err;
    if (trine_file_read(&text, n, path, 1 << 24, &err)) fail_msg("%s", err.text);
    return text;
}

static json_t *read_json(const char *path)
{
    size_t n;
    char *text = read_text(path, &n);
    json_t *root = json_loadb(text, n, 0, NULL);
    assert_non_null(root);
    free(text);
    return root;
}

static int size_of(const char *which)
{
    json_t *sizes = read_json(FIXTURES "sizes.json");
    const int n = (int)json_integer_value(json_object_get(sizes, which));
    json_decref(sizes);
    return n;
}

/* Trains on the fixture's text; returns the model of tokenizer.json. */
static json_t *train(const trine_tokenizer_train_options *options, trine_tokenizer_train_result *result)
{
    static const char *const files[] = { FIXTURES "text.txt" };
    trine_error err;
    trine_tokenizer_train_options o = *options;
    o.overwrite = true;
    if (trine_tokenizer_train(result, temp_path("out"), files, 1, &o, &err)) fail_msg("%s", err.text);
    json_t *root = read_json(temp_path("out/tokenizer.json")), *model = json_incref(json_object_get(root, "model"));
    json_decref(root);
    return model;
}

static void test_merges_are_those_of_tokenizers(void **state)
{
    (void)state;
    trine_tokenizer_train_result result;
    const int vocab = size_of("gpt2");
    json_t *model = train(&(trine_tokenizer_train_options) { .type = "gpt2", .vocab = vocab }, &result);
    const json_t *merges = json_object_get(model, "merges");
    size_t n, at = 0;
    char *expected = read_text(FIXTURES "gpt2_merges.txt", &n);
    for (size_t i = 0; i < json_array_size(merges); i++) {
        const json_t *pair = json_array_get(merges, i);
        char line[256];
        const int length = snprintf(line, sizeof line, "%s %s\n", json_string_value(json_array_get(pair, 0)),
                                    json_string_value(json_array_get(pair, 1)));
        if (at + (size_t)length > n || memcmp(expected + at, line, (size_t)length)) fail_msg("merge %zu is %s", i, line);
        at += (size_t)length;
    }
    assert_int_equal(at, n);
    assert_int_equal(result.vocab, vocab);
    free(expected);
    json_decref(model);
}

static void test_wordpieces_are_those_of_tokenizers(void **state)
{
    (void)state;
    trine_tokenizer_train_result result;
    const int vocab = size_of("wordpiece");
    json_t *model = train(&(trine_tokenizer_train_options) { .type = "bert", .vocab = vocab }, &result);
    const json_t *tokens = json_object_get(model, "vocab");
    assert_int_equal(json_object_size(tokens), vocab);
    size_t n;
    char *expected = read_text(FIXTURES "wordpiece.txt", &n);
    for (char *line = strtok(expected, "\n"); line; line = strtok(NULL, "\n"))
        if (!json_object_get(tokens, line)) fail_msg("'%s' is not in the vocabulary", line);
    free(expected);
    json_decref(model);
}

/* Kudo's criterion asks for no certain pieces: what counts is that texts are as short. */
static void test_unigram_packs_as_well_as_sentencepiece(void **state)
{
    (void)state;
    trine_tokenizer_train_result result;
    json_t *model = train(
        &(trine_tokenizer_train_options) { .type = "t5", .vocab = size_of("t5"), .n_sentinels = -1, .coverage = 1, .lines = true },
        &result);
    assert_int_equal(json_array_size(json_object_get(model, "vocab")), size_of("t5"));
    assert_true(result.n_tokens * 100 <= (int64_t)size_of("t5_tokens") * 101);
    json_decref(model);
}

static void test_threads_change_nothing(void **state)
{
    (void)state;
    static const char *const types[] = { "bert", "gpt2", "llama", "t5" };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char *first = NULL;
        size_t n_first = 0;
        for (int threads = 1; threads <= 5; threads += 2) {
            const char *const files[] = { FIXTURES "text.txt", FIXTURES "wordpiece.txt", FIXTURES "gpt2_merges.txt" };
            trine_tokenizer_train_result result;
            trine_error err;
            const trine_tokenizer_train_options options = {
                .type = types[i], .vocab = 700, .overwrite = true, .n_threads = threads, .lines = true
            };
            if (trine_tokenizer_train(&result, temp_path("out"), files, 3, &options, &err)) fail_msg("%s", err.text);
            size_t n;
            char *text = read_text(temp_path("out/tokenizer.json"), &n);
            if (!first) {
                first = text;
                n_first = n;
                continue;
            }
            assert_int_equal(n, n_first);
            assert_memory_equal(text, first, n);
            free(text);
        }
        free(first);
    }
}

/* -- seeds */

enum { SEED_WORDS = 60 };

static int occurrences(const char *word, size_t n, const char *piece, size_t n_piece)
{
    int k = 0;
    for (size_t i = 0; i + n_piece <= n; i++) k += !memcmp(word + i, piece, n_piece);
    return k;
}

/* Words of few letters, so that they have much in common. Each piece must be counted right, and stand in the list of each of its
 * places; each string of two letters or more that words repeat must be a piece, or always be followed by one and the same letter. */
static void test_seeds_are_counted_right(void **state)
{
    (void)state;
    random_state r = random_open("test_train_vocabularies");
    for (int round = 0; round < 20; round++) {
        trine_word_counts words = { 0 };
        for (int i = 0; i < SEED_WORDS; i++) {
            char word[100];
            const int n = round == 0 ? 80 : random_int(&r, 1, 9); /* longer than a segment, too */
            for (int k = 0; k < n; k++) word[k] = (char)random_int(&r, 'a', round % 2 ? 'b' : 'd');
            const int32_t at = trine_table_put(&words.table, word, (size_t)n);
            words.table.items[at].count += random_int(&r, 1, 5);
        }
        const trine_training training = {
            .words = &words, .vocab = 1000, .coverage = 1, .max_piece = 6, .max_seeds = 100000, .n_threads = 1
        };
        trine_lattices l;
        trine_error err;
        if (trine_lattices_open(&l, &training, &err)) fail_msg("%s", err.text);
        for (int piece = 0; piece < l.n_pieces; piece++) {
            char text[8];
            const int length = l.lengths[piece];
            for (int k = 0; k < length; k++) text[k] = *l.characters[l.codes[l.places[piece] + (uint32_t)k]];
            if (round == 0) continue; /* cut words have other counts */
            int64_t count = 0;
            for (int i = 0; i < words.table.n; i++)
                count += words.table.items[i].count *
                         occurrences(words.table.items[i].text, words.table.items[i].n, text, (size_t)length);
            assert_int_equal(l.seen[piece], count);
        }
        size_t n_listed = 0, n_standing = 0;
        for (size_t place = 0; place < l.n_places; place++)
            for (size_t k = l.begins[place]; k < l.begins[place + 1]; k++, n_listed++) {
                const uint32_t entry = l.entries[k], piece = entry >> TRINE_PIECE_BITS, length = entry & TRINE_PIECE_MAX;
                assert_int_equal(length, l.lengths[piece]);
                assert_memory_equal(l.codes + place, l.codes + l.places[piece], length * sizeof *l.codes);
                assert_true(k == l.begins[place] || length > (l.entries[k - 1] & TRINE_PIECE_MAX));
            }
        for (int piece = 0; piece < l.n_pieces; piece++)
            for (size_t place = 0; place < l.n_places; place++)
                n_standing += place + l.lengths[piece] <= l.n_places && l.codes[place] &&
                              !memcmp(l.codes + place, l.codes + l.places[piece], l.lengths[piece] * sizeof *l.codes);
        assert_int_equal(n_listed, n_standing);
        bool *kept = calloc((size_t)l.n_pieces, sizeof *kept);
        for (int i = 0; i < l.n_pieces; i++) kept[i] = i < l.n_characters || i % 3 == 0;
        trine_lattices_prune(&l, kept);
        for (size_t place = 0; place < l.n_places; place++)
            for (size_t k = l.begins[place]; k < l.begins[place + 1]; k++) {
                const uint32_t piece = l.entries[k] >> TRINE_PIECE_BITS;
                assert_true((int)piece < l.n_pieces);
                assert_memory_equal(l.codes + place, l.codes + l.places[piece], l.lengths[piece] * sizeof *l.codes);
            }
        free(kept);
        trine_lattices_close(&l);
        trine_word_counts_clear(&words);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, temp_set_up, temp_tear_down)
    const struct CMUnitTest tests[] = { TEST(test_merges_are_those_of_tokenizers), TEST(test_wordpieces_are_those_of_tokenizers),
                                        TEST(test_unigram_packs_as_well_as_sentencepiece), TEST(test_threads_change_nothing),
                                        TEST(test_seeds_are_counted_right) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
