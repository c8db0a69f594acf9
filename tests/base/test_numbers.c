/* test_numbers.c - numbers have a decimal point where the program around speaks a language with a comma: texts, files and errors. The locale
 * is made here by localedef (of libc's own programs), so that none has to be installed. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/numbers.h"
#include "base/status.h"
#include "support/temp.h"
#include "trine.h"

/* A locale whose decimal point is a comma, over an alphabet of ASCII. */
static int speak_with_commas(void **state)
{
    char command[2048], map[8192] = "<code_set_name> ASCII\n<mb_cur_min> 1\n<mb_cur_max> 1\n<escape_char> /\n"
                                    "<comment_char> %\nCHARMAP\n";
    temp_set_up(state);
    for (int c = 0; c < 128; c++)
        snprintf(map + strlen(map), sizeof map - strlen(map), "<U%04X> /x%02x\n", (unsigned)c, (unsigned)c);
    strcat(map, "END CHARMAP\n");
    temp_write("map", map, strlen(map));
    static const char source[] = "LC_NUMERIC\ndecimal_point \"<U002C>\"\nthousands_sep \"\"\ngrouping -1\nEND LC_NUMERIC\n";
    temp_write("source", source, strlen(source));
    snprintf(command, sizeof command, "cd '%s' && localedef --no-archive -c -i ./source -f ./map ./commas >log 2>&1",
             temp_folder());
    return system(command) < 0 || setenv("LOCPATH", temp_folder(), 1);
}

static void has_commas(void)
{
    char text[32];
    if (!setlocale(LC_NUMERIC, "commas")) fail_msg("localedef made no locale: see log in the temporary folder");
    snprintf(text, sizeof text, "%.1f", 1.5);
    assert_string_equal(text, "1,5"); /* else nothing is tested */
}

static void texts(void **state)
{
    (void)state;
    has_commas();
    char text[32], *end;
    assert_int_equal(trine_print(text, sizeof text, "%g", 0.25), 4);
    assert_string_equal(text, "0.25");
    assert_true(trine_to_double("3.25 x", &end) == 3.25 && !strcmp(end, " x"));
    trine_buffer b = { 0 };
    trine_buffer_printf(&b, "%.3f", 2.0);
    assert_string_equal(b.data, "2.000");
    trine_buffer_clear(&b);
    trine_error err;
    trine_fail(&err, TRINE_ERROR_ARGUMENT, "%g is too much", 1.5);
    assert_string_equal(err.text, "1.5 is too much");
    assert_string_equal(trine_plot_number(text, 1.5, 3), "1.5");
    snprintf(text, sizeof text, "%.1f", 1.5);
    assert_string_equal(text, "1,5"); /* the program's own locale is as it was */
}

static void files(void **state)
{
    (void)state;
    has_commas();
    trine_error err = { 0 };
    char *chat = NULL;
    assert_int_equal(trine_chat_render(&chat, NULL, "{% if 0.5 < 0.7 %}{{ 1.5 }}{% endif %}", NULL, 0, false, &err), TRINE_OK);
    assert_string_equal(chat, "1.5");
    trine_free(chat);
    const double x[] = { 1, 2.5 }, y[] = { 0.5, 0.25 };
    const trine_plot_series series = { .name = "s", .n = 2, .x = x, .y = y };
    const trine_plot plot = { .title = "t", .x_label = "x", .y_label = "y", .n_series = 1, .series = &series };
    assert_int_equal(trine_plot_write_svg(temp_path("a.svg"), &plot, &err), TRINE_OK);
    FILE *f = fopen(temp_path("a.svg"), "r");
    char line[1024];
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        for (const char *p = line; *p; p++)
            if (p > line && *p == ',' && p[-1] >= '0' && p[-1] <= '9' && p[1] >= '0' && p[1] <= '9' && strchr(line, 'H'))
                fail_msg("a comma between digits: %s", line);
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(texts), cmocka_unit_test(files) };
    return cmocka_run_group_tests(tests, speak_with_commas, temp_tear_down);
}
