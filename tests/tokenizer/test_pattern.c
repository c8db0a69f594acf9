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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_scanners_cut_as_pcre2_does),
                                        cmocka_unit_test(test_literals_are_found) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
