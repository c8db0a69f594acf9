/* curves.c - curves of metrics by step: in the terminal and as SVG. */
#include "curves.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "chart.h"

/* The curves as one plot; the memory behind it is `series`, and each one's x. */
static bool plot_of(trine_plot *plot, const curve *curves, int n)
{
    trine_plot_series *series = calloc((size_t)n + 1, sizeof *series);
    *plot = (trine_plot) { .title = "", .x_label = "step", .y_label = "", .n_series = n, .series = series };
    for (int c = 0; c < n && series; c++) {
        const trine_series *from = &curves[c].series;
        double *x = malloc(((size_t)from->n + 1) * sizeof *x);
        if (!x) return false;
        for (int i = 0; i < from->n; i++) x[i] = (double)from->steps[i];
        series[c] =
            (trine_plot_series) { .name = curves[c].name, .mark = TRINE_MARK_LINE, .n = from->n, .x = x, .y = from->values };
    }
    return series != NULL;
}

static void clear_plot(trine_plot *plot)
{
    for (int i = 0; plot->series && i < plot->n_series; i++) free((void *)(uintptr_t)plot->series[i].x);
    free((void *)(uintptr_t)plot->series);
}

int draw_curves(run *r, const curve *curves, int n)
{
    trine_plot plot;
    char(*texts)[64] = calloc((size_t)n + 1, sizeof *texts);
    const char **endings = calloc((size_t)n + 1, sizeof *endings);
    int code = 0;
    if (!plot_of(&plot, curves, n) || !texts || !endings) code = fail_memory(r);
    for (int i = 0; texts && endings && i < n && !code; i++) {
        const trine_series *s = &curves[i].series;
        if (s->n)
            snprintf(texts[i], sizeof texts[i], ": %.4g at the end, %.4g at best", s->values[s->n - 1], curve_best(&curves[i]));
        else
            snprintf(texts[i], sizeof texts[i], ": no values yet");
        endings[i] = texts[i];
    }
    if (!code) code = draw_chart(r, &plot, endings);
    clear_plot(&plot);
    free(texts);
    free(endings);
    return code;
}

double curve_best(const curve *c)
{
    double least = INFINITY, most = -INFINITY;
    for (int i = 0; i < c->series.n; i++) {
        least = fmin(least, c->series.values[i]);
        most = fmax(most, c->series.values[i]);
    }
    return c->higher_is_better ? most : least;
}

int write_svg(run *r, const char *path, const curve *curves, int n)
{
    trine_plot plot;
    trine_error err = { 0 };
    int code = plot_of(&plot, curves, n) ? 0 : fail_memory(r);
    plot.title = "metrics by step";
    if (!code) {
        const trine_status status = trine_plot_write_svg(path, &plot, &err);
        if (status == TRINE_ERROR_EMPTY)
            code = fail(r, EXIT_DATA, "there are no values to draw");
        else if (status)
            code = fail_status(r, status, &err);
    }
    clear_plot(&plot);
    return code;
}
