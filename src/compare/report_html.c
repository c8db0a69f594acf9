/* report_html.c - a report as one HTML file: nothing that runs, no network, nothing beside it; its numbers in it as JSON, too. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/status.h"
#include "compare/plot_svg.h"
#include "compare/report.h"

static const char style[] =
    ":root{color-scheme:light dark;--ground:#fff;--ink:#1f2328;--quiet:#59636e;--line:#d1d9e0;--stripe:#f6f8fa}\n"
    "@media(prefers-color-scheme:dark){:root{--ground:#16191d;--ink:#e6e8eb;--quiet:#a3abb5;--line:#363c44;--stripe:#1e2227}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);font:17px/1.55 system-ui,sans-serif}\n"
    "main{max-width:54rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}p{max-width:42rem;margin:.7rem 0}\n"
    "h1{font-size:1.9rem;line-height:1.2;margin:0 0 .5rem}h2{font-size:1.35rem;line-height:1.3;margin:2.6rem 0 .6rem}\n"
    ".made{color:var(--quiet);font-size:.9rem}figure{margin:1.4rem 0}figcaption,caption{font-weight:600;text-align:left;"
    "padding:.2rem 0 .5rem}\n.plot{display:block;width:100%;height:auto}\n"
    ".wide{overflow-x:auto;margin:1.2rem 0}.wide>.plot{min-width:35rem}figure .wide{margin:.4rem "
    "0}table{border-collapse:collapse;font-size:.92rem;line-height:1.4}\n"
    "th,td{padding:.35rem .8rem .35rem 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}\n"
    "th{font-weight:600;color:var(--quiet)}th+th,td+td{padding-left:.8rem}\n"
    ".n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}\n"
    "details{margin:.4rem 0 0;font-size:.92rem}summary{cursor:pointer;color:var(--quiet)}\n"
    "@media(max-width:40rem){body{font-size:16px}}\n"
    "@media print{details{display:none}}\n";

static void put_table(trine_buffer *b, const trine_table *t)
{
    trine_buffer_puts(b, "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"");
    trine_put_escaped(b, t->caption);
    trine_buffer_puts(b, "\"><table><caption>");
    trine_put_escaped(b, t->caption);
    trine_buffer_puts(b, "</caption>\n<thead><tr>");
    for (int c = 0; c < t->n_columns; c++) {
        trine_buffer_printf(b, "<th scope=\"col\"%s>", t->numeric[c] ? " class=\"n\"" : "");
        trine_put_escaped(b, t->headings[c]);
        trine_buffer_puts(b, "</th>");
    }
    trine_buffer_puts(b, "</tr></thead>\n<tbody>\n");
    for (int r = 0; r < t->n_rows; r++) {
        trine_buffer_puts(b, "<tr>");
        for (int c = 0; c < t->n_columns; c++) {
            const bool names = c == 0 && !t->numeric[0]; /* the first column names the row */
            trine_buffer_puts(b, names ? "<th scope=\"row\">" : t->numeric[c] ? "<td class=\"n\">" : "<td>");
            trine_put_escaped(b, t->cells[r * t->n_columns + c]);
            trine_buffer_puts(b, names ? "</th>" : "</td>");
        }
        trine_buffer_puts(b, "</tr>\n");
    }
    trine_buffer_puts(b, "</tbody></table></div>\n");
}

/* The numbers behind a plot, a row for each point. */
static void put_points(trine_buffer *b, const trine_plot *p)
{
    bool bands = false;
    for (int s = 0; s < p->n_series; s++) bands |= p->series[s].low && p->series[s].high;
    trine_buffer_puts(b,
                      "<details><summary>The numbers</summary><div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">curve</th>"
                      "<th scope=\"col\" class=\"n\">");
    trine_put_escaped(b, p->x_label);
    trine_buffer_puts(b, "</th><th scope=\"col\" class=\"n\">");
    trine_put_escaped(b, p->y_label);
    trine_buffer_printf(b, "</th>%s</tr></thead>\n<tbody>\n",
                        bands ? "<th scope=\"col\" class=\"n\">from</th><th scope=\"col\" class=\"n\">to</th>" : "");
    for (int s = 0; s < p->n_series; s++) {
        const trine_plot_series *k = &p->series[s];
        for (int i = 0; i < (k->mark == TRINE_MARK_RULE && k->n ? 1 : k->n); i++) {
            char number[32];
            trine_buffer_puts(b, "<tr><th scope=\"row\">");
            trine_put_escaped(b, k->name);
            trine_buffer_printf(b, "</th><td class=\"n\">%s</td>", k->x ? trine_plot_number(number, k->x[i], 5) : "everywhere");
            trine_buffer_printf(b, "<td class=\"n\">%s</td>", trine_plot_number(number, k->y[i], 5));
            for (int side = 0; side < 2 && bands; side++) {
                const double *edge = side ? k->high : k->low;
                trine_buffer_printf(b, "<td class=\"n\">%s</td>", edge ? trine_plot_number(number, edge[i], 5) : "");
            }
            trine_buffer_puts(b, "</tr>\n");
        }
    }
    trine_buffer_puts(b, "</tbody></table></div></details>\n");
}

static void put_plot(trine_buffer *b, const trine_plot *p, int id)
{
    trine_buffer_puts(b, "<figure><figcaption>");
    trine_put_escaped(b, p->title);
    trine_buffer_puts(b, "</figcaption>\n<div class=\"wide\">");
    const bool drawn = trine_plot_svg(b, p, id);
    trine_buffer_puts(b, drawn ? "</div>\n" : "<p>There are no values to draw.</p></div>\n");
    if (drawn) put_points(b, p);
    trine_buffer_puts(b, "</figure>\n");
}

/* JSON where a page reads it: no '<' may end the element, and in JSON it can be written otherwise. */
static void put_numbers(trine_buffer *b, const char *json)
{
    trine_buffer_puts(b, "<script type=\"application/json\" id=\"numbers\">");
    for (size_t n; *json; json += n + (json[n] != 0)) {
        n = strcspn(json, "<");
        trine_buffer_printf(b, "%.*s%s", (int)n, json, json[n] ? "\\u003c" : "");
    }
    trine_buffer_puts(b, "</script>\n");
}

static void put_page(trine_buffer *b, const trine_report *r)
{
    char date[32] = "";
    const time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc)) strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", &utc);
    trine_buffer_puts(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                         "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>");
    trine_put_escaped(b, trine_report_title(r));
    trine_buffer_puts(b, "</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n");
    trine_buffer_puts(b, style);
    trine_plot_style(b);
    trine_buffer_puts(b, "</style>\n</head>\n<body>\n<main>\n<h1>");
    trine_put_escaped(b, trine_report_title(r));
    trine_buffer_printf(b, "</h1>\n<p class=\"made\">trine %s, %s</p>\n", trine_build(), date);
    trine_report_item item;
    for (int i = 0; trine_report_get_item(&item, r, i); i++) {
        if (item.kind == TRINE_REPORT_TABLE) put_table(b, item.table);
        if (item.kind == TRINE_REPORT_PLOT) put_plot(b, item.plot, i);
        if (item.kind == TRINE_REPORT_HEADING || item.kind == TRINE_REPORT_TEXT) {
            const char *element = item.kind == TRINE_REPORT_HEADING ? "h2" : "p";
            trine_buffer_printf(b, "<%s>", element);
            trine_put_escaped(b, item.text);
            trine_buffer_printf(b, "</%s>\n", element);
        }
    }
    trine_buffer_puts(b, "</main>\n");
    put_numbers(b, trine_report_json(r));
    trine_buffer_puts(b, "</body>\n</html>\n");
}

trine_status trine_report_page(char **out, const trine_report *r, trine_error *err)
{
    trine_buffer b = { 0 };
    put_page(&b, r);
    *out = trine_buffer_take(&b);
    return *out ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "report: no memory for its page");
}

trine_status trine_report_write(const trine_report *r, const char *path, trine_error *err)
{
    trine_buffer b = { 0 };
    trine_writer w;
    put_page(&b, r);
    trine_status status = TRINE_OK;
    if (b.failed) status = trine_fail(err, TRINE_ERROR_MEMORY, "%s: no memory for the report", path);
    if (!status) status = trine_writer_open(&w, path, true, err);
    if (!status) {
        trine_writer_write(&w, b.data, b.n);
        status = trine_writer_commit(&w, err);
    }
    trine_buffer_clear(&b);
    return status;
}
