/* show_report.c - a report in the terminal: headings, texts broken at 80 columns, tables, charts. */
#include "show_report.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "chart.h"

enum { COLUMNS_MOST = 16 };

static void print_wrapped(run *r, const char *text, int indent)
{
    const int width = (r->width < 80 ? r->width : 80) - indent;
    while (*text) {
        int columns = 0;
        size_t n = 0, cut = 0; /* bytes; cut: at the last space that fits */
        for (; text[n] && text[n] != '\n'; n++) {
            columns += ((unsigned char)text[n] & 0xC0) != 0x80;
            if (columns > width && cut) break;
            if (text[n] == ' ') cut = n;
        }
        if (!text[n] || text[n] == '\n') cut = n;
        print(r, "%*s", indent, "");
        put(r, text, cut);
        put(r, "\n", 1);
        text += cut + (text[cut] != 0);
    }
}

/* The columns that fit in 80, as wide as their widest cell; what is left over is the last's. */
static void show_table(run *r, const trine_table *t)
{
    int wide[COLUMNS_MOST];
    const int n = t->n_columns < COLUMNS_MOST ? t->n_columns : COLUMNS_MOST;
    for (int c = 0; c < n; c++) {
        wide[c] = text_columns(t->headings[c]);
        for (int row = 0; row < t->n_rows; row++) {
            const int w = text_columns(t->cells[row * t->n_columns + c]);
            if (w > wide[c]) wide[c] = w;
        }
    }
    print_style(r, STYLE_BOLD);
    print_wrapped(r, t->caption, 0);
    print_style(r, STYLE_NONE);
    for (int row = -1; row < t->n_rows; row++) {
        const char *const *cells = row < 0 ? t->headings : &t->cells[row * t->n_columns];
        int at = 0;
        if (row < 0) print_style(r, STYLE_DIM);
        for (int c = 0; c < n; c++) {
            const int columns = text_columns(cells[c]), pad = wide[c] - columns;
            if (at && at + 2 + wide[c] > 80) { /* goes on below, under the second column */
                print(r, "\n%*s", wide[0], "");
                at = wide[0];
            }
            if (at) puts_out(r, "  ");
            if (t->numeric[c]) print(r, "%*s", pad, "");
            puts_out(r, cells[c]);
            if (!t->numeric[c] && c < n - 1) print(r, "%*s", pad, "");
            at += wide[c] + (at ? 2 : 0);
        }
        if (row < 0) print_style(r, STYLE_NONE);
        put(r, "\n", 1);
    }
}

static int show_item(run *r, const trine_report_item *item)
{
    switch (item->kind) {
    case TRINE_REPORT_HEADING:
        put(r, "\n", 1);
        print_style(r, STYLE_BOLD);
        print_wrapped(r, item->text, 0);
        print_style(r, STYLE_NONE);
        return 0;
    case TRINE_REPORT_TEXT: print_wrapped(r, item->text, 0); return 0;
    case TRINE_REPORT_TABLE:
        put(r, "\n", 1);
        show_table(r, item->table);
        return 0;
    case TRINE_REPORT_PLOT: put(r, "\n", 1); return draw_chart(r, item->plot, NULL);
    }
    return 0;
}

int check_report(run *r)
{
    struct stat s;
    if (!r->args.report) return 0;
    if (!stat(r->args.report, &s) && S_ISDIR(s.st_mode))
        return fail(r, EXIT_FAILED, "%s: a directory, expected the name of a file for the report", r->args.report);
    return check_folder_of(r, r->args.report);
}

int show_report(run *r, const trine_report *report)
{
    trine_error err = { 0 };
    int code = 0;
    if (r->args.json) {
        print(r, "%s\n", trine_report_json(report));
    } else {
        print_style(r, STYLE_BOLD);
        print(r, "%s\n", trine_report_title(report));
        print_style(r, STYLE_NONE);
        trine_report_item item;
        for (int i = 0; trine_report_get_item(&item, report, i) && !code; i++)
            if (!item.detail) code = show_item(r, &item);
    }
    flush_output(r);
    if (code || !r->args.report) return code;
    const trine_status status = trine_report_write(report, r->args.report, &err);
    if (status) return fail_status(r, status, &err);
    note(r, "%s: the report", r->args.report);
    return 0;
}
