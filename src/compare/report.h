/* report.h - how an experiment tells what it found: a document of headings, texts, tables and plots, put together once and shown
 * three ways: drawn in a terminal (apps/trine/show_report.c), written as one HTML file (report_html.c), and as JSON.
 *
 * Failures are sticky: what is added to a report that ran out of memory is dropped, and trine_report_end tells. trine.h has what
 * readers use (trine_report_item and the rest); this is the writer's side. Everything given is copied. */
#ifndef TRINE_COMPARE_REPORT_H
#define TRINE_COMPARE_REPORT_H

#include <jansson.h>

#include "trine/reports.h"

/* An empty report; trine_report_close releases it. ERROR_MEMORY. */
trine_status trine_report_open(trine_report **out, const char *title, trine_error *err);

/* From here on items are of the HTML file alone (true), or of the terminal too (false, as it begins). */
void trine_report_set_detail(trine_report *r, bool detail);
void trine_report_heading(trine_report *r, const char *text);
void trine_report_text(trine_report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A table: headings and the cells of each row parted by '|', which no cell may hold. Columns of numbers are set to the right.
 *     trine_report_table(r, "What each costs", "paradigm|parameters|loss, nats");
 *     trine_report_row(r, "%s|%d|%.3f", name, n, loss);
 */
void trine_report_table(trine_report *r, const char *caption, const char *headings);
void trine_report_row(trine_report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A plot, and then its curves. Labels name the unit: "time to first token, ms". A scale that is logarithmic leaves out what is not
 * above 0. */
void trine_report_plot(trine_report *r, const char *title, const char *x_label, const char *y_label, bool log_x, bool log_y);
/* A curve of the last plot: [n] of x, and of y. `low` and `high`: the band of its uncertainty, or NULL. TRINE_MARK_RULE: a level
 * across the plot at y[0], x NULL. */
void trine_report_series(trine_report *r, const char *name, trine_mark mark, int n, const double *x, const double *y,
                         const double *low, const double *high);

/* The object that `--json` prints; the experiment fills it. Borrowed; NULL once memory ran out. */
json_t *trine_report_object(trine_report *r);
/* object[key] = value; null when it is not finite. An object that is NULL stays so. */
void trine_report_set_number(json_t *object, const char *key, double value);

/* The writer's own memory ran out: trine_report_end will tell. */
void trine_report_set_failed(trine_report *r);
/* Completes it. On failure (ERROR_MEMORY) the report is closed and *r NULL. */
trine_status trine_report_end(trine_report **r, trine_error *err);

#endif
