/* reports.h - what an experiment found: headings, texts, tables and plots, for a terminal, a file and a program. Part of
 * trine.h, which has the rules. */
#ifndef TRINE_REPORTS_H
#define TRINE_REPORTS_H

#include "trine/basics.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum trine_mark {
    TRINE_MARK_LINE,   /* a line through the points */
    TRINE_MARK_POINTS, /* the points alone */
    TRINE_MARK_BOTH,   /* points, and a line through them */
    TRINE_MARK_DASHED, /* a dashed line: a fit, a bound */
    TRINE_MARK_RULE    /* a level across the whole plot, at y[0] */
} trine_mark;

/* One curve of a plot. */
typedef struct trine_plot_series {
    const char *name;
    trine_mark mark;
    int n;
    const double *x, *y;      /* [n] */
    const double *low, *high; /* [n] the band of its uncertainty, or NULL */
} trine_plot_series;

/* A plot of curves over one pair of axes. */
typedef struct trine_plot {
    const char *title, *x_label, *y_label; /* labels with their units */
    bool log_x, log_y;                     /* values that are not above 0 are left out */
    int n_series;
    const trine_plot_series *series;
} trine_plot;

/* Writes a plot as an SVG file that follows the reader's light or dark, whole or not at all. ERROR_EMPTY when no value can be
 * drawn, ERROR_ARGUMENT when a text or an array is NULL that is not said to be. */
TRINE_API trine_status trine_plot_write_svg(const char *path, const trine_plot *plot, trine_error *err);

/* A number as axes and tables show it, with `digits` digits: 1.5, 0.002, 10k, 3.2M, 1e15. Returns `buffer`. */
TRINE_API const char *trine_plot_number(char buffer[32], double value, int digits);

typedef struct trine_table {
    const char *caption;
    int n_columns, n_rows;
    const char *const *headings; /* [n_columns] */
    const char *const *cells;    /* [n_rows, n_columns] */
    const bool *numeric;         /* [n_columns] numbers, to be set to the right */
} trine_table;

/* What an experiment found, as headings, texts, tables and plots in their order. */
typedef struct trine_report trine_report;
typedef enum trine_report_kind { TRINE_REPORT_HEADING, TRINE_REPORT_TEXT, TRINE_REPORT_TABLE, TRINE_REPORT_PLOT } trine_report_kind;
/* One of them; what it points to lives as long as the report. */
typedef struct trine_report_item {
    trine_report_kind kind;
    bool detail;      /* more than a terminal has room for: of the HTML file */
    const char *text; /* heading, text */
    const trine_table *table;
    const trine_plot *plot;
} trine_report_item;
/* Item `i` of a report; false past the last. */
TRINE_API bool trine_report_get_item(trine_report_item *out, const trine_report *report, int i);
/* The title of a report; borrowed. */
TRINE_API const char *trine_report_title(const trine_report *report);
/* All numbers of a report as one JSON document on one line; borrowed. */
TRINE_API const char *trine_report_json(const trine_report *report);
/* A report as one HTML page, as trine_report_write writes it; the JSON document stands in it too, as
 * <script type="application/json" id="numbers">. Release with trine_free. ERROR_MEMORY. */
TRINE_API trine_status trine_report_page(char **out, const trine_report *report, trine_error *err);
/* Writes a report as one HTML file that needs no network: plots as SVG with the tables behind them, light and dark. Whole or not at
 * all; replaces a file of its name. */
TRINE_API trine_status trine_report_write(const trine_report *report, const char *path, trine_error *err);
TRINE_API void trine_report_close(trine_report *report);

#ifdef __cplusplus
}
#endif
#endif
