/* report.c - a report is put together here: every item is copied, and a failure of memory is kept until the end. */
#include "compare/report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

/* An item with the memory behind it, which readers see as const. */
typedef struct item {
    trine_report_kind kind;
    bool detail;
    char *text;
    trine_table table;
    trine_plot plot;
} item;

struct trine_report {
    char *title;
    item *items;
    int n, cap;
    bool detail, failed;
    json_t *object;
    char *json;
};

/* ------------------------------------------------------------------------------------------------------------ memory */

static char *copy_text(trine_report *r, const char *text)
{
    char *copy = r->failed ? NULL : strdup(text ? text : "");
    if (!copy) r->failed = true;
    return copy;
}

static double *copy_values(trine_report *r, const double *values, int n)
{
    double *copy = !values || r->failed ? NULL : malloc(((size_t)n + 1) * sizeof *copy);
    if (values && !copy) r->failed = true;
    if (copy) memcpy(copy, values, (size_t)n * sizeof *copy);
    return copy;
}

/* One more element of an array that has `n`; NULL when memory ran out. Grows by doubling at powers of two. */
static void *grow(trine_report *r, const void *array, int n, size_t size)
{
    if (r->failed) return NULL;
    if (n && n & (n - 1)) return (void *)(uintptr_t)array;
    void *grown = realloc((void *)(uintptr_t)array, (n ? 2 * (size_t)n : 1) * size);
    if (!grown) r->failed = true;
    return grown;
}

static item *add_item(trine_report *r, trine_report_kind kind)
{
    item *items = grow(r, r->items, r->n, sizeof *items);
    if (!items) return NULL;
    r->items = items;
    r->items[r->n] = (item) { .kind = kind, .detail = r->detail };
    return &r->items[r->n++];
}

static item *last_item(trine_report *r, trine_report_kind kind)
{
    return r->n && !r->failed && r->items[r->n - 1].kind == kind ? &r->items[r->n - 1] : NULL;
}

/* What readers see as const belongs to the report. */
static void release(const void *memory) { free((void *)(uintptr_t)memory); }

static void clear_item(item *i)
{
    free(i->text);
    release(i->table.caption);
    for (int c = 0; i->table.headings && c < i->table.n_columns; c++) release(i->table.headings[c]);
    for (int c = 0; i->table.cells && c < i->table.n_rows * i->table.n_columns; c++) release(i->table.cells[c]);
    release(i->table.headings);
    release(i->table.cells);
    release(i->table.numeric);
    for (int s = 0; s < i->plot.n_series; s++) {
        const trine_plot_series *k = &i->plot.series[s];
        release(k->name);
        release(k->x);
        release(k->y);
        release(k->low);
        release(k->high);
    }
    release(i->plot.series);
    release(i->plot.title);
    release(i->plot.x_label);
    release(i->plot.y_label);
}

trine_status trine_report_open(trine_report **out, const char *title, trine_error *err)
{
    trine_report *r = *out = calloc(1, sizeof *r);
    if (r) {
        r->title = copy_text(r, title);
        r->object = json_object();
    }
    if (r && r->title && r->object) return TRINE_OK;
    trine_report_close(r);
    *out = NULL;
    return trine_fail(err, TRINE_ERROR_MEMORY, "report: no memory");
}

void trine_report_close(trine_report *r)
{
    if (!r) return;
    for (int i = 0; i < r->n; i++) clear_item(&r->items[i]);
    json_decref(r->object);
    free(r->items);
    free(r->title);
    free(r->json);
    free(r);
}

/* ------------------------------------------------------------------------------------------------------------- items */

void trine_report_set_detail(trine_report *r, bool detail) { r->detail = detail; }

void trine_report_heading(trine_report *r, const char *text)
{
    item *i = add_item(r, TRINE_REPORT_HEADING);
    if (i) i->text = copy_text(r, text);
}

void trine_report_text(trine_report *r, const char *format, ...)
{
    item *i = add_item(r, TRINE_REPORT_TEXT);
    va_list list;
    va_start(list, format);
    if (i && vasprintf(&i->text, format, list) < 0) {
        i->text = NULL;
        r->failed = true;
    }
    va_end(list);
}

/* The parts of "a|b|c" appended to an array of texts that has *n. */
static void add_cells(trine_report *r, const char *const **array, int *n, const char *text)
{
    for (;;) {
        const size_t length = strcspn(text, "|");
        const char **grown = grow(r, *array, *n, sizeof *grown);
        if (!grown) return;
        *array = grown;
        if (!(grown[*n] = strndup(text, length))) {
            r->failed = true;
            return;
        }
        ++*n;
        if (!text[length]) return;
        text += length + 1;
    }
}

void trine_report_table(trine_report *r, const char *caption, const char *headings)
{
    item *i = add_item(r, TRINE_REPORT_TABLE);
    if (!i) return;
    i->table.caption = copy_text(r, caption);
    add_cells(r, &i->table.headings, &i->table.n_columns, headings);
}

void trine_report_row(trine_report *r, const char *format, ...)
{
    item *i = last_item(r, TRINE_REPORT_TABLE);
    char *text = NULL;
    va_list list;
    va_start(list, format);
    if (i && vasprintf(&text, format, list) < 0) {
        text = NULL;
        r->failed = true;
    }
    va_end(list);
    if (!text) return;
    trine_table *t = &i->table;
    int n = t->n_rows * t->n_columns;
    const int begin = n;
    add_cells(r, &t->cells, &n, text);
    while (!r->failed && n < begin + t->n_columns) add_cells(r, &t->cells, &n, "");
    for (; n > begin + t->n_columns; n--) release(t->cells[n - 1]);
    if (n == begin + t->n_columns) {
        t->n_rows++;
    } else { /* memory ran out in the middle of the row */
        while (n > begin) release(t->cells[--n]);
    }
    free(text);
}

/* A cell of a number, or of none; a number with its interval is a text. */
static bool looks_numeric(const char *cell)
{
    if (strchr(cell, '(')) return false;
    return !*cell || !strcmp(cell, "-") || cell[strspn(cell, "-+~<>= ")] == '.' ||
           strspn(cell + strspn(cell, "-+~<>= "), "0123456789");
}

static void find_numeric(trine_report *r, trine_table *t)
{
    bool *numeric = r->failed ? NULL : calloc((size_t)t->n_columns + 1, sizeof *numeric);
    if (!numeric) {
        r->failed = true;
        return;
    }
    for (int c = 0; c < t->n_columns; c++) {
        numeric[c] = t->n_rows > 0;
        for (int row = 0; row < t->n_rows; row++) numeric[c] &= looks_numeric(t->cells[row * t->n_columns + c]);
    }
    t->numeric = numeric;
}

void trine_report_plot(trine_report *r, const char *title, const char *x_label, const char *y_label, bool log_x, bool log_y)
{
    item *i = add_item(r, TRINE_REPORT_PLOT);
    if (!i) return;
    i->plot = (trine_plot) { .log_x = log_x, .log_y = log_y };
    i->plot.title = copy_text(r, title);
    i->plot.x_label = copy_text(r, x_label);
    i->plot.y_label = copy_text(r, y_label);
}

void trine_report_series(trine_report *r, const char *name, trine_mark mark, int n, const double *x, const double *y,
                         const double *low, const double *high)
{
    item *i = last_item(r, TRINE_REPORT_PLOT);
    if (!i) return;
    trine_plot_series *all = grow(r, i->plot.series, i->plot.n_series, sizeof *all);
    if (!all) return;
    i->plot.series = all;
    trine_plot_series *s = &all[i->plot.n_series++];
    *s = (trine_plot_series) { .mark = mark, .n = n };
    s->name = copy_text(r, name);
    s->x = copy_values(r, x, n);
    s->y = copy_values(r, y, n);
    s->low = copy_values(r, low, n);
    s->high = copy_values(r, high, n);
}

void trine_report_set_failed(trine_report *r) { r->failed = true; }

json_t *trine_report_object(trine_report *r) { return r->failed ? NULL : r->object; }

void trine_report_set_number(json_t *object, const char *key, double value)
{
    json_object_set_new(object, key, isfinite(value) ? json_real(value) : json_null());
}

trine_status trine_report_end(trine_report **out, trine_error *err)
{
    trine_report *r = *out;
    for (int i = 0; i < r->n; i++)
        if (r->items[i].kind == TRINE_REPORT_TABLE) find_numeric(r, &r->items[i].table);
    /* 12 digits hold what is measured; jansson would print 17 of each. */
    if (!r->failed) r->json = json_dumps(r->object, JSON_COMPACT | JSON_REAL_PRECISION(12));
    if (!r->failed && r->json) return TRINE_OK;
    trine_report_close(r);
    *out = NULL;
    return trine_fail(err, TRINE_ERROR_MEMORY, "report: no memory");
}

/* ----------------------------------------------------------------------------------------------------------- readers */

bool trine_report_get_item(trine_report_item *out, const trine_report *r, int i)
{
    if (i < 0 || i >= r->n) return false;
    const item *k = &r->items[i];
    *out = (trine_report_item) { .kind = k->kind, .detail = k->detail, .text = k->text };
    if (k->kind == TRINE_REPORT_TABLE) out->table = &k->table;
    if (k->kind == TRINE_REPORT_PLOT) out->plot = &k->plot;
    return true;
}

const char *trine_report_title(const trine_report *r) { return r->title; }

const char *trine_report_json(const trine_report *r) { return r->json; }
