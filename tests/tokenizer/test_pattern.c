/* test_pattern.c - the patterns that are scanned by hand cut every text as PCRE2 does, and literal patterns are found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/random.h"
#include "tokenizer/pattern.h"
#include "tokenizer/pattern_scan.h"

#define WORDS "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define SIGNS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

static const char *const patterns[] = {
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
    WORDS "\\p{N}{1,3}" SIGNS,
    WORDS "\\p{N}" SIGNS,
};

/* What these patterns tell apart, and what looks like it. */
static const char *const bits[] = { " ",
                                    "  ",
                                    "\n",
                                    "\r\n",
                                    "\t",
                                    "\v",
                                    "'",
                                    "'s",
                                    "'S",
                                    "'ll",
                                    "'L",
                                    "'re",
                                    "'V",
                                    "e",
                                    "l",
                                    "a",
                                    "Zebra",
                                    "k",
                                    "7",
                                    "1234567",
                                    ".",
                                    "!?",
                                    "_",
                                    "\x1C",
                                    "\x7F",
                                    "\xC3\xA9",
                                    "\xC5\xBF",
                                    "\xC2\xA0",
                                    "\xE2\x80\xA8",
                                    "\xD9\xA3",
                                    "-",
                                    "'t",
                                    "m",
                                    "\xE4\xBD\xA0",
                                    "\xF0\x9F\x98\x80",
                                    "\xCC\x81",
                                    "\xC2\x85",
                                    "\xE3\x80\x80" };

static trine_pattern *open(const char *text)
{
    trine_pattern *pattern;
    trine_error err;
    if (trine_pattern_open(&pattern, text, strlen(text), false, &err)) fail_msg("%s", err.text);
    return pattern;
}

static void same_matches(const trine_pattern *one, const trine_pattern *other, const char *text, size_t n, size_t *n_known,
                         trine_scan *scan)
{
    trine_matches a, b;
    trine_span x = { 0, 0 }, y = { 0, 0 };
    trine_error err;
    trine_matches_open(&a, one);
    trine_matches_open(&b, other);
    trine_matches_begin(&a, text, n);
    trine_matches_begin(&b, text, n);
    int more;
    do {
        *n_known += y.end < n && scan(text, n, y.end) > 0;
        more = trine_matches_next(&y, &b, &err);
        if (trine_matches_next(&x, &a, &err) != more || (more > 0 && (x.start != y.start || x.end != y.end)))
            fail_msg("'%.*s': %zu to %zu, expected %zu to %zu", (int)n, text, x.start, x.end, y.start, y.end);
    } while (more > 0);
    assert_int_equal(more, 0);
    trine_matches_close(&a);
    trine_matches_close(&b);
}

static void test_scanners_cut_as_pcre2_does(void **state)
{
    (void)state;
    random_state r = random_open("test_pattern");
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
        char grouped[400]; /* the same pattern, which no scanner knows by this text */
        snprintf(grouped, sizeof grouped, "(?:%s)", patterns[p]);
        trine_scan *scan = trine_scan_find(patterns[p], strlen(patterns[p]));
        assert_true(scan && !trine_scan_find(grouped, strlen(grouped)));
        trine_pattern *one = open(patterns[p]), *other = open(grouped);
        size_t n_known = 0;

        for (int round = 0; round < 20000; round++) {
            char text[256];
            size_t n = 0;
            const size_t kinds = round % 2 ? sizeof bits / sizeof *bits : 25; /* every other text is ASCII */
            for (int k = (int)(random_u64(&r) % 12); k >= 0; k--) {
                const char *bit = bits[random_u64(&r) % kinds];
                memcpy(text + n, bit, strlen(bit));
                n += strlen(bit);
            }
            same_matches(one, other, text, n, &n_known, scan);
        }
        assert_true(n_known > 50000); /* the scanner had its say */
        trine_pattern_close(one);
        trine_pattern_close(other);
    }
}

static void test_literals_are_found(void **state)
{
    (void)state;
    static const char text[] = "aXbXXc\0X.";
    static const size_t ends[] = { 2, 4, 5, 8 };
    trine_pattern *pattern;
    trine_matches m;
    trine_span match;
    trine_error err;
    assert_int_equal(trine_pattern_open(&pattern, "X", 1, true, &err), TRINE_OK);
    trine_matches_open(&m, pattern);
    trine_matches_begin(&m, text, sizeof text - 1);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(trine_matches_next(&match, &m, &err), 1);
        assert_true(match.end == ends[i] && match.start == ends[i] - 1);
    }
    assert_int_equal(trine_matches_next(&match, &m, &err), 0);
    assert_int_equal(trine_matches_next(&match, &m, &err), 0);
    trine_matches_begin(&m, NULL, 0);
    assert_int_equal(trine_matches_next(&match, &m, &err), 0);
    trine_matches_close(&m);
    trine_pattern_close(pattern);
}

/* What tokenizers 0.23.3 makes of them, each match replaced by a hash: constructs that PCRE2 alone reads otherwise. */
static const struct {
    const char *pattern, *text, *replaced;
} read_alike[] = { { "a{2}?", "xaaa",
                     "#x#"
                     "a#" },
                   { "a{2,3}?", "xaaaaa",
                     "x##"
                     "a" },
                   { "a{2}+", "aaaaa",
                     "#"
                     "a" },
                   { "a{,3}", "xaaaax", "#x##x#" },
                   { "a{,}", "a{,}a",
                     "#"
                     "a" },
                   { "\\p{N}{1,3}+", "20241231 cats", "# cats" },
                   { "(ab){1,2}+c?", "abababc", "#" },
                   { "[ab]{1,2}+", "abab x", "# x" },
                   { "\\b", "x\xC2\xB2 caf\xC3\xA9",
                     "#x\xC2\xB2# #"
                     "caf\xC3\xA9#" },
                   { "\\b", "\xE0\xA4\xB9\xE0\xA4\xBF\xE0\xA4\xA8\xE0\xA5\x8D\xE0\xA4\xA6\xE0\xA5\x80 caf\xC3\xA9",
                     "#\xE0\xA4\xB9\xE0\xA4\xBF\xE0\xA4\xA8\xE0\xA5\x8D\xE0\xA4\xA6\xE0\xA5\x80# #"
                     "caf\xC3\xA9#" },
                   { "\\w+", "x\xC2\xB2 \xC2\xBD y", "# # #" },
                   { "\\W+", "x\xC2\xB2 \xC2\xBD y", "x\xC2\xB2#\xC2\xBD#y" },
                   { "[\\w]+", "x\xC2\xB2 \xC2\xBD y", "#\xC2\xB2 \xC2\xBD #" },
                   { "\\B", "a\xC2\xB2 b", "a#\xC2\xB2 b" },
                   { "\\bq", "q\xCC\xA3\xCC\x87 aq q", "#\xCC\xA3\xCC\x87 aq #" },
                   { "[[:alpha:]]+", "\xE0\xA4\xA8\xE0\xA4\xAE\xE0\xA4\xB8\xE0\xA5\x8D\xE0\xA4\xA4\xE0\xA5\x87", "#\xE0\xA5\x8D#" },
                   { "[[:punct:]]",
                     "a\xE2\x82\xAC"
                     "b\xE3\x8E\x8F$+",
                     "a#"
                     "b###" },
                   { "[[:alnum:]]+", "a1\xC2\xB2 \xC2\xBD\xC3\xA9", "#\xC2\xB2 \xC2\xBD#" },
                   { "[[:upper:]]+", "ABc\xE2\x85\xA0\xE2\x92\xB6",
                     "#"
                     "c#" },
                   { "[[:lower:]]+", "abC\xC2\xAA\xE2\x85\xB0",
                     "#"
                     "C#" },
                   { "[[:space:]]",
                     "a\xE1\xA0\x8E"
                     "b\xC2\xA0"
                     "c\x09",
                     "a\xE1\xA0\x8E"
                     "b#"
                     "c#" },
                   { "[[:blank:]]",
                     "a\xE1\xA0\x8E"
                     "b\xC2\xA0"
                     "c\x09"
                     "d\xE2\x80\x83"
                     "e\x0A",
                     "a\xE1\xA0\x8E"
                     "b#"
                     "c#"
                     "d#"
                     "e\x0A" },
                   { "[[:word:]]+",
                     "q\xCC\xA3\xCC\x87"
                     "a_1\xC2\xB2 x",
                     "#\xC2\xB2 #" },
                   { "[[:digit:]]+", "12\xD9\xA3", "#" },
                   { "[^[:punct:]]+",
                     "a\xE2\x82\xAC"
                     "b.",
                     "#\xE2\x82\xAC#." },
                   { "[[:^punct:]]+",
                     "a\xE2\x82\xAC"
                     "b.",
                     "#\xE2\x82\xAC#." },
                   { "(?m)a.b",
                     "a\x0A"
                     "b",
                     "#" },
                   { "(?m:a.b)|c",
                     "a\x0A"
                     "b c",
                     "# #" },
                   { "(?i-m:A)", "a", "#" },
                   { "a.b",
                     "a\x0A"
                     "b a\x0D"
                     "b",
                     "a\x0A"
                     "b #" },
                   { "\\v",
                     "a\xE2\x80\xA8"
                     "b\x0B"
                     "c",
                     "a\xE2\x80\xA8"
                     "b#"
                     "c" },
                   { "\\H+", "xyz abc",
                     "#"
                     "abc" },
                   { "\\h+", "xyz abc", "xyz #" },
                   { "[\\H]+", "xyz abc",
                     "#"
                     "abc" },
                   { "\\pL+", "ab pL", "ab #" },
                   { "\\PL", "PL ab", "# ab" },
                   { "\\p{Hangul}+", "\xEC\x95\x88\xEB\x85\x95\xE3\x80\x81\xED\x95\x98\xEC\x84\xB8\xEC\x9A\x94\xE3\x80\x82",
                     "#\xE3\x80\x81#\xE3\x80\x82" },
                   { "[\\p{Hiragana}\\p{Katakana}]+",
                     "\xE3\x83\xA9\xE3\x83\xBC\xE3\x83\xA1\xE3\x83\xB3\xE3\x83\xBC\xE3\x80\x81\xEF\xBE\x9E\xE3\x80\x82\xE3\x80\x8C"
                     "\xE3\x81\x82\xE3\x80\x8D",
                     "#\xE3\x83\xBC#\xE3\x83\xBC\xE3\x80\x81\xEF\xBE\x9E\xE3\x80\x82\xE3\x80\x8C#\xE3\x80\x8D" },
                   { "\\p{Arabic}+", "\xD8\xB3\xD9\x84\xD8\xA7\xD9\x85\xD8\x8C \xD8\xB9\xD9\x84\xD9\x8A", "#\xD8\x8C #" },
                   { "\\p{Devanagari}+", "\xE0\xA4\xB9\xE0\xA4\xBF\xE0\xA5\xA4\xE0\xA4\xA8", "#\xE0\xA5\xA4#" },
                   { "\\p{Han}+", "\xE6\xBC\xA2\xE5\xAD\x97\xE3\x80\x81\xE3\x80\x85", "#\xE3\x80\x81#" },
                   { "\\p{Latin}+",
                     "a\xC3\xA9"
                     "1",
                     "#"
                     "1" },
                   { "\\P{Hangul}+",
                     "\xEC\x95\x88"
                     "a\xE3\x80\x81\xED\x95\x98",
                     "\xEC\x95\x88#\xED\x95\x98" },
                   { "[^\\p{Hangul}]+",
                     "\xEC\x95\x88"
                     "a\xE3\x80\x81\xED\x95\x98",
                     "\xEC\x95\x88#\xED\x95\x98" },
                   { "\\p{^Hangul}+",
                     "\xEC\x95\x88"
                     "a\xE3\x80\x81\xED\x95\x98",
                     "\xEC\x95\x88#\xED\x95\x98" },
                   { "\\p{Emoji}",
                     "\xF0\x9F\x98\x80"
                     "1",
                     "##" },
                   { "\\p{Alphabetic}+",
                     "a\xE2\x85\xA0"
                     "1",
                     "#"
                     "1" },
                   { "\\p{greek}+",
                     "\xCE\xB1\xCE\xB2"
                     "a",
                     "#"
                     "a" } };

static void patterns_are_read_as_oniguruma_reads_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof read_alike / sizeof *read_alike; i++) {
        trine_pattern *p;
        trine_error err;
        trine_matches m;
        trine_span span;
        char got[200] = "";
        size_t at = 0, n = 0;
        const char *text = read_alike[i].text;
        if (trine_pattern_open(&p, read_alike[i].pattern, strlen(read_alike[i].pattern), false, &err))
            fail_msg("%s: %s", read_alike[i].pattern, err.text);
        trine_matches_open(&m, p);
        trine_matches_begin(&m, text, strlen(text));
        while (trine_matches_next(&span, &m, &err) == 1) {
            n += (size_t)snprintf(got + n, sizeof got - n, "%.*s#", (int)(span.start - at), text + at);
            at = span.end;
        }
        snprintf(got + n, sizeof got - n, "%s", text + at);
        if (strcmp(got, read_alike[i].replaced) != 0)
            fail_msg("%s in %s: got %s, expected %s", read_alike[i].pattern, text, got, read_alike[i].replaced);
        trine_matches_close(&m);
        trine_pattern_close(p);
    }
    static const char *const refused[] = { "[a[b]]", "[a&&b]", "[\\W_]", "[[:print:]]", "[a[:^alpha:]]", "\\p{Nothing}" };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        trine_pattern *p;
        assert_int_equal(trine_pattern_open(&p, refused[i], strlen(refused[i]), false, NULL), TRINE_ERROR_UNSUPPORTED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_scanners_cut_as_pcre2_does),
                                        cmocka_unit_test(test_literals_are_found),
                                        cmocka_unit_test(patterns_are_read_as_oniguruma_reads_them) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
