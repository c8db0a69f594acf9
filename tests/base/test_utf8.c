/* test_utf8.c - reading UTF-8 as Python's errors="replace" does (tools/make_utf8_fixtures.py), and cutting streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/utf8.h"

static void test_replacement(void **state)
{
    (void)state;
    char *file;
    size_t bytes, n_records = 0;
    assert_int_equal(trine_file_read(&file, &bytes, TRINE_FIXTURES "/base/utf8.bin", 1 << 20, NULL), TRINE_OK);
    for (size_t at = 0; at < bytes; n_records++) {
        uint16_t n, m;
        memcpy(&n, file + at, 2);
        memcpy(&m, file + at + 2, 2);
        char *in = malloc(n); /* of its own, so that a sanitizer sees a read past its end */
        memcpy(in, file + at + 4, n);
        trine_buffer b = { 0 };
        for (size_t i = 0, taken; i < n; i += taken) {
            trine_buffer_put_utf8(&b, trine_utf8_next(&taken, in + i, n - i));
            assert_in_range(taken, 1, 4);
        }
        assert_int_equal(b.n, m);
        assert_memory_equal(b.data, file + at + 4 + n, m);
        assert_int_equal(trine_utf8_valid(in, n), n == m && !memcmp(in, file + at + 4 + n, n));
        trine_buffer_clear(&b);
        free(in);
        at += 4u + n + m;
    }
    assert_in_range(n_records, 600, 10000);
    free(file);
}

static void test_every_code_point(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        char out[4];
        size_t taken;
        const int n = trine_utf8_put(out, c);
        const uint32_t expected = c >= 0xD800 && c <= 0xDFFF ? 0xFFFD : c;
        assert_int_equal(trine_utf8_next(&taken, out, (size_t)n), expected);
        assert_int_equal(taken, n);
    }
    char out[4];
    assert_int_equal(trine_utf8_put(out, 0x110000), 3);
    assert_memory_equal(out, "\xEF\xBF\xBD", 3);
}

/* Every prefix of a text: what may be printed is whole characters, and nothing that could be printed is held back. */
static void test_whole(void **state)
{
    (void)state;
    static const char text[] = "a\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80z";
    static const size_t whole[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11 };
    for (size_t n = 0; n < sizeof text; n++) assert_int_equal(trine_utf8_whole(text, n), whole[n]);
    /* What more bytes cannot mend is whole. */
    assert_int_equal(trine_utf8_whole("\x80", 1), 1);
    assert_int_equal(trine_utf8_whole("\xC0", 1), 1);
    assert_int_equal(trine_utf8_whole("\xFF", 1), 1);
    assert_int_equal(trine_utf8_whole("\xE0\x80", 2), 2);
    assert_int_equal(trine_utf8_whole("a\xF0\x9F\x41", 4), 4);
    assert_int_equal(trine_utf8_whole("\x80\x80\x80\x80", 4), 4);
    assert_int_equal(trine_utf8_whole("\xE2\x82", 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_replacement), cmocka_unit_test(test_every_code_point),
                                        cmocka_unit_test(test_whole) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
