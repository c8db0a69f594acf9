/* test_report.c - reports: items and numbers come back as they were put in, pages are whole and escaped, memory may run out anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it */
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare/report.h"
#include "support/alloc.h"
#include "support/temp.h"

static trine_status make_report(trine_report **out)
{
    static const double x[] = { 1, 10, 100, 1000 }, y[] = { 4, 3, NAN, 2 }, low[] = { 3, 2, 1, 1 }, high[] = { 5, 4, 3, 3 };
    static const double level = 1.5;
    trine_report *r;
    const trine_status status = trine_report_open(&r, "A <title> & more", NULL);
    *out = NULL;
    if (status) return status;
    trine_report_heading(r, "Heading");
    trine_report_text(r, "%d is less than %s", 3, "\"<b>\"");
    trine_report_table(r, "A table", "name|count|note");
    trine_report_row(r, "%s|%d|%s", "one", 1, "x");
    trine_report_row(r, "two|-2.5");                /* fewer cells: the others are empty */
    trine_report_row(r, "three|3|y|more|and more"); /* more: left out */
    trine_report_set_detail(r, true);
    trine_report_plot(r, "A plot", "tokens", "time, ms", true, false);
    trine_report_series(r, "first", TRINE_MARK_BOTH, 4, x, y, low, high);
    trine_report_series(r, "level", TRINE_MARK_RULE, 1, NULL, &level, NULL, NULL);
    trine_report_series(r, "none", TRINE_MARK_LINE, 0, x, y, NULL, NULL);
    trine_report_plot(r, "An empty plot", "x", "y", true, true);
    json_t *object = trine_report_object(r);
    trine_report_set_number(object, "number", 2.5);
    trine_report_set_number(object, "nothing", NAN);
    json_object_set_new(object, "text", json_string("</script>"));
    *out = r;
    return trine_report_end(out, NULL);
}

static void items_come_back(void **state)
{
    (void)state;
    trine_report *r;
    trine_report_item item;
    assert_int_equal(make_report(&r), TRINE_OK);
    assert_true(trine_report_get_item(&item, r, 0) && item.kind == TRINE_REPORT_HEADING && !item.detail);
    assert_true(trine_report_get_item(&item, r, 1) && item.kind == TRINE_REPORT_TEXT);
    assert_string_equal(item.text, "3 is less than \"<b>\"");
    assert_true(trine_report_get_item(&item, r, 2) && item.kind == TRINE_REPORT_TABLE);
    assert_int_equal(item.table->n_columns, 3);
    assert_int_equal(item.table->n_rows, 3);
    assert_string_equal(item.table->cells[0], "one");
    assert_string_equal(item.table->cells[4], "-2.5");
    assert_string_equal(item.table->cells[5], "");
    assert_string_equal(item.table->cells[8], "y");
    assert_true(!item.table->numeric[0] && item.table->numeric[1] && !item.table->numeric[2]);
    assert_true(trine_report_get_item(&item, r, 3) && item.kind == TRINE_REPORT_PLOT && item.detail);
    assert_int_equal(item.plot->n_series, 3);
    assert_true(item.plot->series[0].x[3] == 1000 && item.plot->series[0].high[0] == 5 && !item.plot->series[1].x);
    assert_true(trine_report_get_item(&item, r, 4));
    assert_false(trine_report_get_item(&item, r, 5));
    assert_false(trine_report_get_item(&item, r, -1));
    assert_string_equal(trine_report_json(r), "{\"number\":2.5,\"nothing\":null,\"text\":\"</script>\"}");
    trine_report_close(r);
}

static char *read_whole(const char *path)
{
    static char text[1 << 16];
    FILE *f = fopen(path, "r");
    if (!f) fail_msg("%s is not there", path);
    text[fread(text, 1, sizeof text - 1, f)] = 0;
    fclose(f);
    return text;
}

static void the_page_is_whole_and_escaped(void **state)
{
    (void)state;
    trine_report *r;
    trine_error err;
    assert_int_equal(make_report(&r), TRINE_OK);
    assert_int_equal(trine_report_write(r, temp_path("a.html"), &err), TRINE_OK);
    const char *page = read_whole(temp_path("a.html"));
    assert_non_null(strstr(page, "<title>A &lt;title&gt; &amp; more</title>"));
    assert_non_null(strstr(page, "3 is less than &quot;&lt;b&gt;&quot;"));
    assert_non_null(strstr(page, "tokens (log scale)"));
    assert_non_null(strstr(page, "There are no values to draw."));
    assert_non_null(strstr(page, "</html>"));
    assert_null(strstr(page, "<b>"));
    const char *numbers = strstr(page, "id=\"numbers\">"), *end = strstr(page, "</script>");
    assert_true(numbers && end);
    json_t *doc = json_loadb(numbers + 13, (size_t)(end - numbers - 13), 0, NULL),
           *same = json_loads(trine_report_json(r), 0, NULL);
    assert_true(doc && json_equal(doc, same));
    json_decref(doc);
    json_decref(same);
    assert_int_equal(trine_report_write(r, temp_path("no/a.html"), &err), TRINE_ERROR_IO);
    assert_non_null(strstr(err.text, "no/a.html"));
    trine_report_close(r);
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    for (long k = 1;; k++) {
        trine_report *r;
        alloc_fail_at(k);
        trine_status status = make_report(&r);
        if (!status) status = trine_report_write(r, temp_path("b.html"), NULL);
        alloc_fail_at(0);
        trine_report_close(r);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
    }
}

static void numbers_are_short(void **state)
{
    (void)state;
    char b[32];
    assert_string_equal(trine_plot_number(b, 0, 4), "0");
    assert_string_equal(trine_plot_number(b, 1.5, 4), "1.5");
    assert_string_equal(trine_plot_number(b, 1024, 3), "1024");
    assert_string_equal(trine_plot_number(b, 10000, 3), "10k");
    assert_string_equal(trine_plot_number(b, 999999, 3), "1M");
    assert_string_equal(trine_plot_number(b, 3.2e6, 3), "3.2M");
    assert_string_equal(trine_plot_number(b, 1e15, 3), "1e15");
    assert_string_equal(trine_plot_number(b, 2.4e23, 3), "2.4e23");
    assert_string_equal(trine_plot_number(b, 1e-5, 3), "1e-5");
    assert_string_equal(trine_plot_number(b, -25000, 3), "-25k");
}

static void a_plot_alone_is_a_file(void **state)
{
    (void)state;
    static const double x[] = { 0, 0 }, y[] = { 3, 3 };
    const trine_plot_series series = { .name = "same", .mark = TRINE_MARK_LINE, .n = 2, .x = x, .y = y };
    trine_plot plot = { .title = "t", .x_label = "x", .y_label = "y", .n_series = 1, .series = &series };
    trine_error err;
    assert_int_equal(trine_plot_write_svg(temp_path("a.svg"), &plot, &err), TRINE_OK);
    assert_non_null(strstr(read_whole(temp_path("a.svg")), "<style>"));
    plot.log_x = true; /* 0 has no logarithm */
    assert_int_equal(trine_plot_write_svg(temp_path("a.svg"), &plot, &err), TRINE_ERROR_EMPTY);
}

static void a_plot_without_its_parts_is_refused(void **state)
{
    (void)state;
    static const double x[] = { 0, 1 };
    trine_error err;
    trine_plot_series series = { .name = "n", .mark = TRINE_MARK_LINE, .n = 2, .x = x };
    trine_plot plot = { .title = "t", .x_label = "x", .y_label = "y", .n_series = 1, .series = &series };
    assert_int_equal(trine_plot_write_svg(temp_path("b.svg"), &plot, &err), TRINE_ERROR_ARGUMENT);
    series.y = x;
    series.name = NULL;
    assert_int_equal(trine_plot_write_svg(temp_path("b.svg"), &plot, &err), TRINE_ERROR_ARGUMENT);
    plot.series = NULL;
    assert_int_equal(trine_plot_write_svg(temp_path("b.svg"), &plot, &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_plot_write_svg(temp_path("b.svg"), NULL, &err), TRINE_ERROR_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_back),        cmocka_unit_test(the_page_is_whole_and_escaped),
        cmocka_unit_test(numbers_are_short),      cmocka_unit_test(memory_may_run_out_anywhere),
        cmocka_unit_test(a_plot_alone_is_a_file), cmocka_unit_test(a_plot_without_its_parts_is_refused),
    };
    temp_make();
    const int failed = cmocka_run_group_tests_name("report", tests, NULL, NULL);
    temp_remove();
    return failed;
}
