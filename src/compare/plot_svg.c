/* plot_svg.c - plots as SVG. A curve is told by color and by the shape of its points, and named in the legend; colors are those of
 * Okabe and Ito, which the color-blind can tell apart, lightened on dark ground. */
#include "compare/plot_svg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/numbers.h"
#include "base/status.h"

enum { WIDTH = 720, LEFT = 66, RIGHT = 18, TOP = 34, HIGH = 300, BOTTOM = 52, LEGEND_ROW = 20, N_COLORS = 7, TICKS_MOST = 12 };

void trine_plot_style(trine_buffer *out)
{
    static const char *const light[N_COLORS] = { "#0072b2", "#c44e00", "#00795a", "#a8478a", "#8a6d00", "#3d6fd6", "#5b5b5b" };
    static const char *const dark[N_COLORS] = { "#56b4e9", "#ff8f3f", "#2fd0a0", "#e79ccc", "#f0c93c", "#8fb4ff", "#b8b8b8" };
    trine_buffer_puts(out, ".plot{--ground:#fff;--ink:#1f2328;--quiet:#59636e;--grid:#e3e6ea;");
    for (int i = 0; i < N_COLORS; i++) trine_buffer_printf(out, "--c%d:%s;", i, light[i]);
    trine_buffer_puts(out,
                      "font:13px system-ui,sans-serif}\n@media(prefers-color-scheme:dark){.plot{--ground:#16191d;--ink:#e6e8eb;"
                      "--quiet:#a3abb5;--grid:#2d3238;");
    for (int i = 0; i < N_COLORS; i++) trine_buffer_printf(out, "--c%d:%s;", i, dark[i]);
    trine_buffer_puts(out, "}}\n.plot text{fill:var(--ink)}.plot .tick{fill:var(--quiet)}.plot .grid{stroke:var(--grid);fill:none}"
                           ".plot .axis{stroke:var(--quiet);fill:none}.plot .ground{fill:var(--ground)}"
                           ".plot .line{fill:none;stroke-width:2;stroke-linejoin:round}.plot .band{opacity:.16;stroke:none}"
                           ".plot .dash{stroke-dasharray:7 4}.plot .rule{stroke-dasharray:2 3}\n");
    for (int i = 0; i < N_COLORS; i++)
        trine_buffer_printf(out, ".plot .s%d{stroke:var(--c%d)}.plot .f%d{fill:var(--c%d)}", i, i, i, i);
    trine_buffer_puts(out, "\n");
}

void trine_put_escaped(trine_buffer *out, const char *text)
{
    for (; *text; text++) {
        const char *entity = *text == '&'   ? "&amp;"
                             : *text == '<' ? "&lt;"
                             : *text == '>' ? "&gt;"
                             : *text == '"' ? "&quot;"
                                            : NULL;
        if (entity)
            trine_buffer_puts(out, entity);
        else
            trine_buffer_putc(out, *text);
    }
}

const char *trine_plot_number(char buffer[32], double value, int digits)
{
    static const struct {
        double least;
        const char *unit;
    } units[] = { { 1e12, "T" }, { 1e9, "G" }, { 1e6, "M" }, { 1e3, "k" } };
    const double size = fabs(value);
    if (size >= 9999.5 && size < 1e15) {
        int u = 0;
        while (size < units[u].least * 0.9999) u++;
        trine_print(buffer, 32, "%.*g%s", digits, value / units[u].least, units[u].unit);
        if (!strchr(buffer, 'e')) return buffer;
    }
    trine_print(buffer, 32, "%.*g", size >= 1000 && size < 1e4 && digits < 4 ? 4 : digits, value);
    char *e = strchr(buffer, 'e'); /* 1e+15: 1e15, 1e-05: 1e-5 */
    if (e) {
        char *from = e + 1 + (e[1] == '+'), *to = e + 1;
        if (*from == '-') *to++ = *from++;
        while (*from == '0' && from[1]) from++;
        memmove(to, from, strlen(from) + 1);
    }
    return buffer;
}

/* ---------------------------------------------------------------------------------------------------------------- axes */

/* One axis: values are seen through `log10` where it is logarithmic. */
typedef struct axis {
    bool log;
    double low, high; /* as seen */
    int n_ticks;
    double ticks[TICKS_MOST]; /* values, not as seen */
} axis;

static bool can_draw(const axis *a, double v) { return isfinite(v) && (!a->log || v > 0); }

static double seen(const axis *a, double v) { return a->log ? log10(v) : v; }

static void widen(axis *a, double v)
{
    if (!can_draw(a, v)) return;
    a->low = fmin(a->low, seen(a, v));
    a->high = fmax(a->high, seen(a, v));
}

static void add_tick(axis *a, double value)
{
    const double s = seen(a, value), slack = (a->high - a->low) * 1e-9;
    if (a->n_ticks < TICKS_MOST && s >= a->low - slack && s <= a->high + slack) a->ticks[a->n_ticks++] = value;
}

/* Ticks at 1, 2 or 5 times a power of ten; on a logarithmic axis at powers of ten, with 2 and 5 where there are few. */
static void set_ticks(axis *a, int most)
{
    const double range = a->high - a->low;
    if (a->log && range >= 0.7) {
        const int first = (int)floor(a->low), last = (int)ceil(a->high), every = 1 + (last - first) / most;
        const int per = range < 1.5 ? 3 : range < 3 && most >= 6 ? 2 : 1;
        static const double parts[3][3] = { { 1 }, { 1, 3 }, { 1, 2, 5 } };
        for (int e = first; e <= last; e++)
            for (int i = 0; i < per; i++)
                if ((e - first) % every == 0) add_tick(a, parts[per - 1][i] * pow(10, e));
        if (a->n_ticks > 1) return;
        a->n_ticks = 0;
    }
    const double low = a->log ? pow(10, a->low) : a->low, high = a->log ? pow(10, a->high) : a->high;
    const double raw = (high - low) / most, power = pow(10, floor(log10(raw))), m = raw / power;
    const double step = (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10) * power;
    for (int i = 0; i < TICKS_MOST; i++) add_tick(a, (ceil(low / step - 1e-9) + i) * step);
}

/* What is drawn lies between the axes' ends; false when there is nothing. */
static bool set_axes(axis *x, axis *y, const trine_plot *p)
{
    *x = (axis) { .log = p->log_x, .low = INFINITY, .high = -INFINITY };
    *y = (axis) { .log = p->log_y, .low = INFINITY, .high = -INFINITY };
    for (int s = 0; s < p->n_series; s++) {
        const trine_plot_series *k = &p->series[s];
        for (int i = 0; i < k->n; i++) {
            if (k->mark != TRINE_MARK_RULE && (!can_draw(x, k->x[i]) || !can_draw(y, k->y[i]))) continue;
            if (k->mark != TRINE_MARK_RULE) widen(x, k->x[i]);
            widen(y, k->y[i]);
            if (k->low) widen(y, k->low[i]);
            if (k->high) widen(y, k->high[i]);
        }
    }
    if (!(x->low <= x->high) || !(y->low <= y->high)) return false;
    if (x->low == x->high) {
        x->low -= 0.5;
        x->high += 0.5;
    }
    const double room = y->low == y->high ? fmax(fabs(y->low), 1) * 0.05 : (y->high - y->low) * 0.04;
    /* An axis that ends near 0 ends there: a bar of 2 beside one of 3 must look so. */
    y->low = !y->log && y->low >= 0 && y->low < 0.35 * y->high ? 0 : y->low - room;
    y->high += room;
    set_ticks(x, 8);
    set_ticks(y, 6);
    return true;
}

static double at_x(const axis *a, double v) { return LEFT + (seen(a, v) - a->low) / (a->high - a->low) * (WIDTH - LEFT - RIGHT); }

static double at_y(const axis *a, double v, int top) { return top + (a->high - seen(a, v)) / (a->high - a->low) * HIGH; }

/* -------------------------------------------------------------------------------------------------------------- curves */

/* The shape of a series' points: circle, square, triangle, diamond, cross, ring. */
static void put_point(trine_buffer *b, int shape, double x, double y)
{
    switch (shape % 6) {
    case 0: trine_buffer_printf(b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" class=\"f%d\"/>", x, y, shape % N_COLORS); break;
    case 1: trine_buffer_printf(b, "<path d=\"M%.1f %.1fh7v7h-7z\" class=\"f%d\"/>", x - 3.5, y - 3.5, shape % N_COLORS); break;
    case 2: trine_buffer_printf(b, "<path d=\"M%.1f %.1fl4.6 8h-9.2z\" class=\"f%d\"/>", x, y - 5, shape % N_COLORS); break;
    case 3: trine_buffer_printf(b, "<path d=\"M%.1f %.1fl5 5l-5 5l-5-5z\" class=\"f%d\"/>", x, y - 5, shape % N_COLORS); break;
    case 4:
        trine_buffer_printf(b, "<path d=\"M%.1f %.1fl7 7m0-7l-7 7\" class=\"line s%d\"/>", x - 3.5, y - 3.5, shape % N_COLORS);
        break;
    default:
        trine_buffer_printf(b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" class=\"line s%d\"/>", x, y, shape % N_COLORS);
        break;
    }
}

static void put_band(trine_buffer *b, const trine_plot_series *k, int color, const axis *x, const axis *y, int top)
{
    int n = 0;
    for (int side = 0; side < 2; side++)
        for (int j = 0; j < k->n; j++) {
            const int i = side ? k->n - 1 - j : j;
            if (!can_draw(x, k->x[i]) || !can_draw(y, k->low[i]) || !can_draw(y, k->high[i])) continue;
            trine_buffer_printf(b, "%s%.1f %.1f", n++ ? "L" : "<path d=\"M", at_x(x, k->x[i]),
                                at_y(y, side ? k->low[i] : k->high[i], top));
        }
    if (n) trine_buffer_printf(b, "z\" class=\"band f%d\"/>\n", color);
}

static void put_curve(trine_buffer *b, const trine_plot_series *k, int s, const axis *x, const axis *y, int top)
{
    const int color = s % N_COLORS;
    if (k->mark == TRINE_MARK_RULE) {
        if (k->n && can_draw(y, k->y[0]))
            trine_buffer_printf(b, "<path d=\"M%d %.1fH%d\" class=\"line rule s%d\"/>\n", LEFT, at_y(y, k->y[0], top),
                                WIDTH - RIGHT, color);
        return;
    }
    if (k->low && k->high) put_band(b, k, color, x, y, top);
    int n = 0;
    for (int i = 0; i < k->n && k->mark != TRINE_MARK_POINTS; i++)
        if (can_draw(x, k->x[i]) && can_draw(y, k->y[i]))
            trine_buffer_printf(b, "%s%.1f %.1f", n++ ? "L" : "<path d=\"M", at_x(x, k->x[i]), at_y(y, k->y[i], top));
    if (n) trine_buffer_printf(b, "\" class=\"line%s s%d\"/>\n", k->mark == TRINE_MARK_DASHED ? " dash" : "", color);
    /* A line has its shape at a few places, to be told without its color. */
    const int every = k->mark == TRINE_MARK_LINE ? 1 + (k->n - 1) / 6 : 1;
    for (int i = k->mark == TRINE_MARK_LINE ? every / 2 : 0; i < k->n && k->mark != TRINE_MARK_DASHED; i += every)
        if (can_draw(x, k->x[i]) && can_draw(y, k->y[i])) put_point(b, s, at_x(x, k->x[i]), at_y(y, k->y[i], top));
}

/* A letter of a name takes 7.5 units, roughly: enough to break the legend. Returns its rows. */
static int legend(trine_buffer *b, const trine_plot *p, int top)
{
    int x = LEFT, row = 0;
    for (int s = 0; s < p->n_series; s++) {
        const trine_plot_series *k = &p->series[s];
        const bool line = k->mark != TRINE_MARK_POINTS, points = k->mark != TRINE_MARK_DASHED && k->mark != TRINE_MARK_RULE;
        const int sign = line ? 26 : 9, wide = sign + 30 + 15 * (int)strlen(k->name) / 2;
        if (x > LEFT && x + wide - 24 > WIDTH) {
            x = LEFT;
            row++;
        }
        const int y = top + row * LEGEND_ROW;
        if (b && line)
            trine_buffer_printf(b, "<path d=\"M%d %dh26\" class=\"line%s s%d\"/>", x, y,
                                k->mark == TRINE_MARK_DASHED ? " dash"
                                : k->mark == TRINE_MARK_RULE ? " rule"
                                                             : "",
                                s % N_COLORS);
        if (b && points) put_point(b, s, x + sign / 2, y);
        if (b) {
            trine_buffer_printf(b, "<text x=\"%d\" y=\"%d\">", x + sign + 6, y + 4);
            trine_put_escaped(b, k->name);
            trine_buffer_puts(b, "</text>\n");
        }
        x += wide;
    }
    return row + 1;
}

static void put_axes(trine_buffer *b, const trine_plot *p, const axis *x, const axis *y, int top)
{
    char number[32];
    for (int i = 0; i < y->n_ticks; i++) {
        const double v = fabs(y->ticks[i]) < 1e-12 * fabs(y->high) ? 0 : y->ticks[i], at = at_y(y, y->ticks[i], top);
        trine_buffer_printf(
            b, "<path d=\"M%d %.1fH%d\" class=\"grid\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\" class=\"tick\">%s</text>\n",
            LEFT, at, WIDTH - RIGHT, LEFT - 8, at + 4, trine_plot_number(number, v, 4));
    }
    for (int i = 0; i < x->n_ticks; i++) {
        const double at = at_x(x, x->ticks[i]);
        trine_buffer_printf(
            b, "<path d=\"M%.1f %dv6\" class=\"axis\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" class=\"tick\">%s</text>\n",
            at, top + HIGH, at, top + HIGH + 21, trine_plot_number(number, x->ticks[i], 4));
    }
    trine_buffer_printf(b, "<path d=\"M%d %dV%dH%d\" class=\"axis\"/>\n<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", LEFT, top,
                        top + HIGH, WIDTH - RIGHT, (LEFT + WIDTH - RIGHT) / 2, top + HIGH + 44);
    trine_put_escaped(b, p->x_label);
    if (p->log_x) trine_buffer_puts(b, " (log scale)");
    trine_buffer_printf(b, "</text>\n<text x=\"%d\" y=\"%d\">", 6, top - 12);
    trine_put_escaped(b, p->y_label);
    if (p->log_y) trine_buffer_puts(b, " (log scale)");
    trine_buffer_puts(b, "</text>\n");
}

bool trine_plot_svg(trine_buffer *b, const trine_plot *p, int id)
{
    axis x, y;
    if (!set_axes(&x, &y, p)) return false;
    const int top = TOP + LEGEND_ROW * legend(NULL, p, 0), height = top + HIGH + BOTTOM;
    trine_buffer_printf(b,
                        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" viewBox=\"0 0 %d %d\" role=\"img\" "
                        "aria-labelledby=\"p%d-title p%d-text\">\n<title id=\"p%d-title\">",
                        WIDTH, height, id, id, id);
    trine_put_escaped(b, p->title);
    trine_buffer_printf(b, "</title>\n<desc id=\"p%d-text\">", id);
    trine_put_escaped(b, p->y_label);
    trine_buffer_puts(b, *p->y_label ? " against " : "by ");
    trine_put_escaped(b, p->x_label);
    for (int s = 0; s < p->n_series; s++) {
        trine_buffer_puts(b, s ? ", " : ": ");
        trine_put_escaped(b, p->series[s].name);
    }
    trine_buffer_puts(b, "</desc>\n<rect width=\"100%\" height=\"100%\" class=\"ground\"/>\n");
    legend(b, p, 14);
    put_axes(b, p, &x, &y, top);
    for (int s = 0; s < p->n_series; s++) put_curve(b, &p->series[s], s, &x, &y, top);
    trine_buffer_puts(b, "</svg>\n");
    return true;
}

static bool is_whole(const trine_plot *p)
{
    if (!p || !p->title || !p->x_label || !p->y_label || p->n_series < 0 || (p->n_series && !p->series)) return false;
    for (int s = 0; s < p->n_series; s++) {
        const trine_plot_series *k = &p->series[s];
        if (!k->name || k->n < 0 || (k->n && (!k->y || (!k->x && k->mark != TRINE_MARK_RULE)))) return false;
    }
    return true;
}

trine_status trine_plot_write_svg(const char *path, const trine_plot *plot, trine_error *err)
{
    if (!path || !is_whole(plot))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "plot: expected a path, a title, labels, and series with names and values");
    trine_buffer b = { 0 }, style = { 0 };
    trine_plot_style(&style);
    const bool drawn = trine_plot_svg(&b, plot, 0);
    trine_status status = TRINE_OK;
    if (!drawn) status = trine_fail(err, TRINE_ERROR_EMPTY, "%s: there are no values to draw", path);
    if (b.failed || style.failed) status = trine_fail(err, TRINE_ERROR_MEMORY, "%s: no memory for the drawing", path);
    trine_writer w;
    if (!status) status = trine_writer_open(&w, path, true, err);
    if (!status) {
        char *inside = strchr(b.data, '\n') + 1; /* the style goes inside the element */
        trine_writer_write(&w, b.data, (size_t)(inside - b.data));
        trine_writer_write(&w, "<style>", 7);
        trine_writer_write(&w, style.data, style.n);
        trine_writer_write(&w, "</style>\n", 9);
        trine_writer_write(&w, inside, b.n - (size_t)(inside - b.data));
        status = trine_writer_commit(&w, err);
    }
    trine_buffer_clear(&b);
    trine_buffer_clear(&style);
    return status;
}
