/* test_stream.c - the text of a stream is the text of all tokens at once, in whole characters, up to a stop text of which nothing is
 * ever shown. With two kinds of decoder: bytes as letters (GPT-2), and pieces with bytes beside them (Llama 2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "generate/stream.h"
#include "support/alloc.h"
#include "support/open_fixture.h"
#include "support/temp.h"

/* ------------------------------------------------------------------------------------------------------- tokenizers */

static trine_tokenizer *open_json(trine_buffer *json)
{
    trine_tokenizer *t;
    trine_error err;
    assert_false(json->failed);
    check_ok(trine_tokenizer_open(&t, temp_write("tokenizer.json", json->data, json->n), &err), &err);
    trine_buffer_clear(json);
    return t;
}

/* GPT-2's letters for bytes: printable ones are themselves, the others come after 255 in order. */
static trine_tokenizer *open_bytes_as_letters(void)
{
    trine_buffer b = { 0 };
    uint32_t next = 256;
    trine_buffer_puts(&b, "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":256,\"content\":\"<|end|>\",\"special\":true}],"
                          "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true},"
                          "\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{");
    for (uint32_t c = 0; c < 256; c++) {
        const bool printable = (c >= '!' && c <= '~') || (c >= 0xA1 && c <= 0xAC) || c >= 0xAE;
        trine_buffer_puts(&b, c == '"' || c == '\\' ? "\"\\" : "\"");
        trine_buffer_put_utf8(&b, printable ? c : next++);
        trine_buffer_printf(&b, "\":%d,", (int)c);
    }
    trine_buffer_puts(&b, "\"<|end|>\":256}}}");
    return open_json(&b);
}

/* Llama 2's: pieces with a space's mark, <0x00> to <0xFF> at ids 3 to 258. */
static const char *const pieces[] = { "\u2581",       "a",      "b",  "c",   "d", "\u2581the", "ing", "\u2581a", "\u00e9",
                                      "\u2581\u4f60", "\u597d", "\n", "END", ".", "\u2581." };
enum { N_PIECES = sizeof pieces / sizeof *pieces, FIRST_PIECE = 259 };
static trine_tokenizer *open_pieces(void)
{
    trine_buffer b = { 0 };
    trine_buffer_puts(
        &b,
        "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":0,\"content\":\"<unk>\",\"special\":true},{\"id\":1,\"content\":\"<s>\","
        "\"special\":true},{\"id\":2,\"content\":\"</s>\",\"special\":true}],"
        "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"\u2581\"},"
        "{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":\"\u2581\"}]},"
        "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"\u2581\"},\"content\":\" "
        "\"},"
        "{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]},"
        "\"model\":{\"type\":\"BPE\",\"byte_fallback\":true,\"unk_token\":\"<unk>\",\"fuse_unk\":true,\"merges\":[],\"vocab\":{"
        "\"<unk>\":0,\"<s>\":1,\"</s>\":2");
    for (int i = 0; i < 256; i++) trine_buffer_printf(&b, ",\"<0x%02X>\":%d", (unsigned)i, 3 + i);
    for (int i = 0; i < N_PIECES; i++)
        trine_buffer_printf(&b, ",\"%s\":%d", !strcmp(pieces[i], "\n") ? "\\n" : pieces[i], FIRST_PIECE + i);
    trine_buffer_puts(&b, "}}}");
    return open_json(&b);
}

/* ----------------------------------------------------------------------------------------------------------- running */

typedef struct listener {
    trine_buffer heard;
    int n_calls, stop_at;
} listener;

static bool listen(void *user, const char *text, size_t bytes)
{
    listener *l = user;
    l->n_calls++;
    assert_true(bytes > 0);
    assert_true(trine_utf8_valid(text, bytes)); /* whole characters, each time */
    trine_buffer_append(&l->heard, text, bytes);
    return l->n_calls != l->stop_at;
}

/* Streams ids; *text is the stream's own and what was heard is the same. Returns the number of tokens taken before it stopped. */
static int stream(char **text, listener *l, const trine_tokenizer *t, const int32_t *ids, int n, const char *const *stop,
                  int n_stop)
{
    const trine_generate_options o = { .stop = stop, .n_stop = n_stop, .on_text = listen, .user = l };
    trine_stream s;
    trine_error err;
    int taken = 0;
    check_ok(trine_stream_open(&s, t, &o, &err), &err);
    while (taken < n && !s.stopped && !s.cancelled) check_ok(trine_stream_push(&s, ids[taken++], &err), &err);
    check_ok(trine_stream_end(&s, &err), &err);
    *text = trine_stream_take(&s);
    assert_non_null(*text);
    trine_stream_close(&s);
    return taken;
}

static uint32_t state = 1;
static int below(int n)
{
    state = state * 1664525u + 1013904223u;
    return (int)((state >> 8) % (uint32_t)n);
}

/* Any ids at all: mostly no valid characters, some that are, some special tokens, some that the tokenizer does not have. */
static void make_stream(int32_t *ids, int n, const trine_tokenizer *t, int kind)
{
    static const char *const text = "na\u00efve \u4f60\u597d \U0001F600\U0001F468\u200D\U0001F469 the a\u0301b. END";
    for (int i = 0; i < n;) {
        if (kind == 0 || below(4) == 0) {
            ids[i++] = below(trine_tokenizer_vocab_size(t));
        } else if (kind == 1 || below(3)) { /* bytes of a valid text, from any place on */
            const size_t from = (size_t)below((int)strlen(text)), most = (size_t)below(12) + 1;
            for (size_t k = from; k < from + most && text[k] && i < n; k++)
                ids[i++] = (unsigned char)text[k] + (trine_tokenizer_id(t, "<0x00>") >= 0 ? 3 : 0);
        } else {
            ids[i++] = trine_tokenizer_vocab_size(t) - 1 - below(N_PIECES);
        }
    }
}

static void check_equal(const trine_tokenizer *t, const int32_t *ids, int n)
{
    listener l = { 0 };
    char *text, *whole;
    trine_error err;
    assert_int_equal(stream(&text, &l, t, ids, n, NULL, 0), n);
    check_ok(trine_tokenizer_decode(&whole, t, ids, n, true, &err), &err);
    assert_string_equal(text, whole);
    trine_buffer_append(&l.heard, "", 0);
    assert_string_equal(l.heard.data, whole);
    trine_buffer_clear(&l.heard);
    trine_free(text);
    trine_free(whole);
}

static void test_equal_to_all_at_once(void **unused)
{
    (void)unused;
    temp_make();
    trine_tokenizer *tokenizers[] = { open_bytes_as_letters(), open_pieces() };
    int32_t ids[700];
    for (int k = 0; k < 2; k++) {
        for (int round = 0; round < 600; round++) {
            const int n = round % 10 ? 1 + below(40) : 300 + below(400); /* long ones move the anchor */
            make_stream(ids, n, tokenizers[k], round % 3);
            check_equal(tokenizers[k], ids, n);
        }
        trine_tokenizer_close(tokenizers[k]);
    }
    temp_remove();
}

/* What follows a prompt is the rest of the document: prompt and text together are all tokens at once, a space between them too. */
static void test_follows(void **unused)
{
    (void)unused;
    temp_make();
    trine_tokenizer *tokenizers[] = { open_bytes_as_letters(), open_pieces() };
    const trine_generate_options o = { 0 };
    trine_error err;
    for (int round = 0; round < 600; round++) {
        const trine_tokenizer *t = tokenizers[round % 2];
        int32_t ids[60];
        const int n = 2 + below(58), n_prompt = 1 + below(n - 1);
        if (round % 2)
            for (int i = 0; i < n; i++) ids[i] = FIRST_PIECE + below(N_PIECES);
        else
            make_stream(ids, n, t, 1);
        char *prompt, *whole;
        check_ok(trine_tokenizer_decode(&prompt, t, ids, n_prompt, true, &err), &err);
        check_ok(trine_tokenizer_decode(&whole, t, ids, n, true, &err), &err);
        size_t sure = strlen(prompt); /* a character that the prompt has not ended is the text's */
        while (sure >= 3 && !memcmp(prompt + sure - 3, "\xEF\xBF\xBD", 3)) sure -= 3;
        trine_stream s;
        check_ok(trine_stream_open(&s, t, &o, &err), &err);
        check_ok(trine_stream_follow(&s, ids, n_prompt, &err), &err);
        for (int i = n_prompt; i < n; i++) check_ok(trine_stream_push(&s, ids[i], &err), &err);
        check_ok(trine_stream_end(&s, &err), &err);
        char *text = trine_stream_take(&s);
        if (*prompt) assert_string_equal(text, whole + sure);
        trine_free(text);
        trine_free(prompt);
        trine_free(whole);
        trine_stream_close(&s);
    }
    /* After special tokens alone a text begins, and has no space before it. */
    const int32_t begin = 1, word = trine_tokenizer_id(tokenizers[1], "\u2581the");
    trine_stream s;
    check_ok(trine_stream_open(&s, tokenizers[1], &o, &err), &err);
    check_ok(trine_stream_follow(&s, &begin, 1, &err), &err);
    check_ok(trine_stream_push(&s, word, &err), &err);
    char *text = trine_stream_take(&s);
    assert_string_equal(text, "the");
    trine_free(text);
    trine_stream_close(&s);
    for (int k = 0; k < 2; k++) trine_tokenizer_close(tokenizers[k]);
    temp_remove();
}

/* Parts of a character are told as the bytes that they are. */
static void test_token_bytes(void **unused)
{
    (void)unused;
    temp_make();
    trine_tokenizer *letters = open_bytes_as_letters(), *with_bytes = open_pieces();
    for (int b = 0; b < 256; b++)
        for (int k = 0; k < 2; k++) {
            size_t n;
            char *bytes = trine_tokenizer_token_bytes(&n, k ? with_bytes : letters, k ? b + 3 : b);
            assert_true(bytes && n == 1 && (unsigned char)bytes[0] == b && !bytes[1]);
            trine_free(bytes);
        }
    size_t n = 9;
    assert_null(trine_tokenizer_token_bytes(&n, with_bytes, trine_tokenizer_id(with_bytes, "\u4f60")));
    assert_null(trine_tokenizer_token_bytes(&n, with_bytes, trine_tokenizer_id(with_bytes, "\u2581the")));
    assert_int_equal(n, 0);
    assert_null(trine_tokenizer_token_bytes(&n, letters, -1));
    trine_tokenizer_close(letters);
    trine_tokenizer_close(with_bytes);
    temp_remove();
}

/* A character in four tokens appears when its last has come, an unfinished one as U+FFFD at the end, and not before. */
static void test_characters(void **unused)
{
    (void)unused;
    temp_make();
    trine_tokenizer *t = open_bytes_as_letters();
    const int32_t ids[] = { 'a', 0xF0, 0x9F, 0x98, 0x80, 'b', 256, 0xE4, 0xBD };
    const trine_generate_options o = { 0 };
    const size_t known[] = { 1, 1, 1, 1, 5, 6, 6, 6, 6 };
    trine_stream s;
    trine_error err;
    check_ok(trine_stream_open(&s, t, &o, &err), &err);
    for (int i = 0; i < 9; i++) {
        check_ok(trine_stream_push(&s, ids[i], &err), &err);
        assert_int_equal(s.text.n, known[i]);
    }
    check_ok(trine_stream_push(&s, 9999, &err), &err); /* not the tokenizer's: no text */
    check_ok(trine_stream_end(&s, &err), &err);
    char *text = trine_stream_take(&s);
    assert_string_equal(text, "a\U0001F600b\uFFFD");
    trine_free(text);
    trine_stream_close(&s);
    /* No tokens, no text; no tokenizer, nothing. */
    check_ok(trine_stream_open(&s, t, &o, &err), &err);
    check_ok(trine_stream_end(&s, &err), &err);
    text = trine_stream_take(&s);
    assert_string_equal(text, "");
    trine_free(text);
    check_ok(trine_stream_open(&s, NULL, &o, &err), &err);
    check_ok(trine_stream_push(&s, 5, &err), &err);
    check_ok(trine_stream_end(&s, &err), &err);
    assert_int_equal(s.text.n, 0);
    trine_stream_close(&s);
    trine_tokenizer_close(t);
    temp_remove();
}

/* Random texts of three letters and a stop text that often nearly comes. */
static void test_stop(void **unused)
{
    (void)unused;
    temp_make();
    trine_tokenizer *tokenizers[] = { open_bytes_as_letters(), open_pieces() };
    const int32_t letters[2][4] = { { 'a', 'b', 'c', '.' },
                                    { FIRST_PIECE + 1, FIRST_PIECE + 2, FIRST_PIECE + 3, FIRST_PIECE + 13 } };
    int n_stopped = 0;
    for (int round = 0; round < 3000; round++) {
        const int k = round % 2, n = 1 + below(30);
        trine_tokenizer *t = tokenizers[k];
        int32_t ids[30];
        char stop[6];
        const int stop_n = 1 + below(5);
        for (int i = 0; i < n; i++) ids[i] = letters[k][below(below(2) ? 2 : 4)];
        for (int i = 0; i < stop_n; i++) stop[i] = "abc."[below(below(2) ? 2 : 4)];
        stop[stop_n] = 0;
        char *whole, *text;
        trine_error err;
        listener l = { 0 };
        check_ok(trine_tokenizer_decode(&whole, t, ids, n, true, &err), &err);
        char *hit = strstr(whole, stop);
        const int taken = stream(&text, &l, t, ids, n, (const char *const[]) { stop }, 1);
        if (hit) {
            assert_int_equal(taken, hit - whole + stop_n); /* one letter a token: stopped as soon as it was there */
            *hit = 0;
            n_stopped++;
        } else {
            assert_int_equal(taken, n);
        }
        trine_buffer_append(&l.heard, "", 0);
        assert_string_equal(text, whole);
        assert_string_equal(l.heard.data, whole); /* nothing of the stop text was ever shown */
        trine_buffer_clear(&l.heard);
        trine_free(text);
        trine_free(whole);
    }
    assert_true(n_stopped > 300);
    for (int k = 0; k < 2; k++) trine_tokenizer_close(tokenizers[k]);
    temp_remove();
}

static void test_stop_cases(void **unused)
{
    (void)unused;
    temp_make();
    trine_tokenizer *t = open_pieces();
    const int32_t the = FIRST_PIECE + 5, ing = FIRST_PIECE + 6, a = FIRST_PIECE + 1, end = FIRST_PIECE + 12, dot = FIRST_PIECE + 13;
    const struct {
        int32_t ids[6];
        int n, taken;
        const char *stop[2];
        const char *text;
    } cases[] = {
        { { the, ing, a }, 3, 1, { "the", NULL }, "" },                   /* at once */
        { { a, the, ing, dot }, 4, 3, { "hei", NULL }, "a t" },           /* across two tokens, inside both */
        { { a, end, a }, 3, 2, { "\n", "N" }, "aE" },                     /* inside one */
        { { a, end, dot, a }, 4, 2, { "D.", "ND" }, "aE" },               /* the one that is whole first */
        { { a, the, dot }, 3, 3, { "thex", NULL }, "a the." },            /* nearly, then not */
        { { a, the }, 2, 2, { "the end", NULL }, "a the" },               /* held back, then shown at the end */
        { { a, 3 + 0xC3, 3 + 0xA9, a }, 4, 4, { "\u00e9a", NULL }, "a" }, /* byte tokens */
        { { a, 3 + 0xC3, 3 + 0xA9 }, 3, 3, { "\u00e9", NULL }, "a" },     /* found only at the end */
        { { a, 3 + 0xC3 }, 2, 2, { "\uFFFD", NULL }, "a" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        listener l = { 0 };
        char *text;
        const int taken = stream(&text, &l, t, cases[i].ids, cases[i].n, cases[i].stop, cases[i].stop[1] ? 2 : 1);
        if (strcmp(text, cases[i].text) || taken != cases[i].taken) fail_msg("case %zu: '%s' after %d", i, text, taken);
        trine_buffer_append(&l.heard, "", 0);
        assert_string_equal(l.heard.data, cases[i].text);
        trine_buffer_clear(&l.heard);
        trine_free(text);
    }
    trine_stream s;
    trine_error err;
    const char *const bad[] = { "", "\x80", "\xC3", NULL };
    for (int i = 0; i < 4; i++) {
        const trine_generate_options o = { .stop = bad + i, .n_stop = 1 };
        assert_int_equal(trine_stream_open(&s, t, &o, &err), TRINE_ERROR_ARGUMENT);
    }
    assert_int_equal(trine_stream_open(&s, t, &(trine_generate_options) { .n_stop = 2 }, &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_stream_open(&s, t, &(trine_generate_options) { .n_stop = -1 }, &err), TRINE_ERROR_ARGUMENT);
    trine_tokenizer_close(t);
    temp_remove();
}

/* ------------------------------------------------------------------------------------------- with a model behind it */

/* The tiny Llama with a tokenizer of 67 tokens beside it: special ones, then letters. */
static trine_model *open_talking(void)
{
    static const char *const files[] = { "config.json", "model.safetensors", "generation_config.json" };
    trine_buffer b = { 0 };
    trine_buffer_puts(
        &b, "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":1,\"content\":\"<s>\",\"special\":true},{\"id\":7,\"content\":\"</s>\","
            "\"special\":true}],\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\","
            "\"type_id\":0}},"
            "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
            "{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[1],\"tokens\":[\"<s>"
            "\"]}}},"
            "\"decoder\":{\"type\":\"Fuse\"},\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{\"<s>\":1,\"</s>\":7");
    for (int i = 0; i < 67; i++)
        if (i != 1 && i != 7) {
            trine_buffer_puts(&b, ",\"");
            trine_buffer_put_utf8(&b, i < 30 ? (uint32_t)('A' + i % 26 + (i >= 26 ? 32 : 0)) : 0x4E00 + (uint32_t)i);
            trine_buffer_printf(&b, "\":%d", i);
        }
    trine_buffer_puts(&b, "}}}");
    temp_write("tokenizer.json", b.data, b.n);
    trine_buffer_clear(&b);
    for (int i = 0; i < 3; i++) {
        char from[1024];
        snprintf(from, sizeof from, "%s/generate/llama/%s", TRINE_FIXTURES, files[i]);
        assert_int_equal(symlink(from, temp_path(files[i])), 0);
    }
    trine_model *m;
    trine_error err;
    check_ok(trine_model_open(&m, temp_path("."), NULL, &err), &err);
    return m;
}

static void test_generation(void **unused)
{
    (void)unused;
    temp_make();
    trine_model *m = open_talking();
    const trine_tokenizer *t = m->tokenizer;
    trine_session *s = open_session(m, (trine_session_options) { .n_sequences = 3, .ctx = 64 });
    trine_error err;
    for (int beam = 1; beam <= 3; beam += 2)
        for (int special = 0; special < 2; special++) {
            listener l = { 0 };
            trine_generation g;
            trine_generate_options o = {
                .max_tokens = 20, .ignore_eos = true, .beam = beam, .on_text = listen, .user = &l, .no_special = special
            };
            check_ok(trine_generate(&g, s, "KELP", &o, &err), &err);
            assert_int_equal(g.n_prompt, special ? 4 : 5);
            assert_int_equal(g.n_tokens, 20);
            char *whole;
            check_ok(trine_tokenizer_decode(&whole, t, g.tokens, g.n_tokens, true, &err), &err);
            assert_string_equal(g.text, whole);
            trine_buffer_append(&l.heard, "", 0);
            assert_string_equal(l.heard.data, whole);
            /* Stop at each character of it in turn; without one, cancel there. */
            for (size_t at = 0, bytes; at < strlen(whole); at += bytes) {
                char stop[5] = { 0 };
                trine_utf8_next(&bytes, whole + at, strlen(whole) - at);
                memcpy(stop, whole + at, bytes);
                const size_t first = (size_t)(strstr(whole, stop) - whole);
                const char *const stops[] = { stop };
                listener again = { 0 };
                o.stop = stops;
                o.n_stop = 1;
                o.user = &again;
                trine_generation cut;
                check_ok(trine_generate(&cut, s, "KELP", &o, &err), &err);
                assert_int_equal(cut.finish, TRINE_FINISH_STOP);
                assert_int_equal(strlen(cut.text), first);
                assert_memory_equal(cut.text, whole, first);
                trine_generation_clear(&cut);
                trine_buffer_clear(&again.heard);
            }
            if (beam == 1)
                for (int stop_at = 1; stop_at <= l.n_calls; stop_at++) {
                    listener again = { .stop_at = stop_at };
                    trine_generation cut;
                    o.n_stop = 0;
                    o.user = &again;
                    check_ok(trine_generate(&cut, s, "KELP", &o, &err), &err);
                    assert_int_equal(cut.finish, TRINE_FINISH_CANCELLED);
                    assert_int_equal(again.n_calls, stop_at);
                    assert_string_equal(cut.text, again.heard.data);
                    trine_generation_clear(&cut);
                    trine_buffer_clear(&again.heard);
                }
            trine_generation_clear(&g);
            trine_buffer_clear(&l.heard);
            trine_free(whole);
        }
    trine_generation g;
    assert_int_equal(trine_generate(&g, s, "", NULL, &err), TRINE_ERROR_EMPTY);
    /* Too long for the context, with numbers. */
    char longer[100];
    memset(longer, 'K', 99);
    longer[99] = 0;
    assert_int_equal(trine_generate(&g, s, longer, NULL, &err), TRINE_ERROR_TOO_LONG);
    assert_non_null(strstr(err.text, "100"));
    assert_non_null(strstr(err.text, "64"));
    for (long k = 1;; k++) {
        const trine_generate_options o = { .max_tokens = 4, .ignore_eos = true };
        alloc_fail_at(k);
        const trine_status status = trine_generate(&g, s, "KELP", &o, &err);
        alloc_fail_at(0);
        trine_generation_clear(&g);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
        assert_int_equal(s->n_open, 0);
    }
    trine_session_close(s);
    trine_model_close(m);
    temp_remove();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal_to_all_at_once), cmocka_unit_test(test_characters), cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_cases),           cmocka_unit_test(test_generation), cmocka_unit_test(test_follows),
        cmocka_unit_test(test_token_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
