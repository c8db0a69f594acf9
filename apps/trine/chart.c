/* chart.c - plots in the terminal, by dots of an eighth of a character (Braille) or by plain characters. */
#include "chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 15, LABEL_COLUMNS = 9, X_TICKS = 5 };

static const style styles[] = { STYLE_CYAN, STYLE_YELLOW, STYLE_GREEN, STYLE_MAGENTA, STYLE_RED, STYLE_BLUE };
enum { N_STYLES = sizeof styles / sizeof *styles };

typedef struct frame {
    double x0, x1, y0, y1; /* logarithms where the axis is one of them */
    bool log_x, log_y;
} frame;

static bool can_draw(bool log, double v) { return isfinite(v) && (!log || v > 0); }

static double seen(bool log, double v) { return log ? log10(v) : v; }

static bool has_point(const frame *f, const trine_plot_series *s, int i)
{
    return (s->mark == TRINE_MARK_RULE || can_draw(f->log_x, s->x[i])) && can_draw(f->log_y, s->y[i]);
}

/* What all curves lie in; false when there is nothing. */
static bool frame_of(frame *f, const trine_plot *p)
{
    *f = (frame) { INFINITY, -INFINITY, INFINITY, -INFINITY, p->log_x, p->log_y };
    for (int c = 0; c < p->n_series; c++) {
        const trine_plot_series *s = &p->series[c];
        for (int i = 0; i < s->n; i++) {
            if (!has_point(f, s, i)) continue;
            if (s->mark != TRINE_MARK_RULE) {
                f->x0 = fmin(f->x0, seen(f->log_x, s->x[i]));
                f->x1 = fmax(f->x1, seen(f->log_x, s->x[i]));
            }
            f->y0 = fmin(f->y0, seen(f->log_y, s->y[i]));
            f->y1 = fmax(f->y1, seen(f->log_y, s->y[i]));
        }
    }
    if (!(f->x0 <= f->x1) || !(f->y0 <= f->y1)) return false;
    if (f->x0 == f->x1) f->x1 = f->x0 + 1;
    if (f->y0 == f->y1) {
        const double room = f->log_y ? 0.5 : fmax(fabs(f->y0), 1) * 0.05;
        f->y0 -= room;
        f->y1 += room;
    }
    return true;
}

/* Dots of a character: 2 by 4 in Braille, 1 by 1 in plain ASCII. */
typedef struct canvas {
    int columns, rows, wide, high;
    unsigned char *dots; /* [rows, columns] */
    signed char *owner;  /* [rows, columns] the last curve there */
    char *letters;       /* [rows, columns] a curve's letter, or 0 */
} canvas;

static void set_dot(canvas *c, int x, int y, int owner)
{
    static const unsigned char bits[4][2] = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } };
    if (x < 0 || y < 0 || x >= c->columns * c->wide || y >= c->rows * c->high) return;
    const int at = y / c->high * c->columns + x / c->wide;
    c->dots[at] |= c->high == 4 ? bits[y % 4][x % 2] : 1;
    c->owner[at] = (signed char)owner;
}

static void set_letter(canvas *c, double x, double y, int owner)
{
    const int at = (int)lround(y) / c->high * c->columns + (int)lround(x) / c->wide;
    c->letters[at] = (char)('a' + owner % 26);
    c->owner[at] = (signed char)owner;
}

static void draw_line(canvas *c, double x0, double y0, double x1, double y1, int owner, bool dashed)
{
    const int n = (int)fmax(fabs(x1 - x0), fabs(y1 - y0)) + 1;
    for (int i = 0; i <= n; i++) {
        const double t = (double)i / n, x = x0 + t * (x1 - x0);
        if (!dashed || (int)lround(x) / c->wide % 2 == 0) set_dot(c, (int)lround(x), (int)lround(y0 + t * (y1 - y0)), owner);
    }
}

static void draw_series(canvas *c, const frame *f, const trine_plot_series *s, int owner)
{
    const double w = c->columns * c->wide - 1, h = c->rows * c->high - 1;
    double px = 0, py = 0;
    bool begun = false;
    for (int i = 0; i < s->n; i++) {
        if (!has_point(f, s, i)) continue;
        const bool rule = s->mark == TRINE_MARK_RULE;
        const double x = rule ? w : (seen(f->log_x, s->x[i]) - f->x0) / (f->x1 - f->x0) * w;
        const double y = (f->y1 - seen(f->log_y, s->y[i])) / (f->y1 - f->y0) * h;
        if (rule)
            draw_line(c, 0, y, w, y, owner, true);
        else if (s->mark != TRINE_MARK_POINTS)
            draw_line(c, begun ? px : x, begun ? py : y, x, y, owner, s->mark == TRINE_MARK_DASHED);
        if (s->mark == TRINE_MARK_POINTS || s->mark == TRINE_MARK_BOTH) set_letter(c, x, y, owner);
        px = x;
        py = y;
        begun = true;
        if (rule) break;
    }
    if (begun) set_letter(c, px, py, owner); /* its end carries its name */
}

static const char *number_at(char buffer[32], bool log, double low, double high, double share)
{
    const double v = low + (high - low) * share;
    /* As many digits as tell neighbours apart. */
    const double range = fabs(high - low), whole = fmax(fabs(low), fabs(high));
    const int digits = !log && range < whole / 1000 ? 6 : !log && range < whole / 25 ? 5 : 3;
    return trine_plot_number(buffer, log ? pow(10, v) : fabs(v) < 1e-9 * range ? 0 : v, digits);
}

static void print_axis(run *r, const canvas *c, const frame *f, const trine_plot *p)
{
    print(r, "%*s%s", LABEL_COLUMNS - 1, "", r->utf8 ? "\u2514" : "+");
    for (int i = 0; i < c->columns; i++) puts_out(r, r->utf8 ? "\u2500" : "-");
    char line[128], number[32];
    memset(line, ' ', sizeof line);
    for (int i = 0; i < X_TICKS; i++) {
        const char *text = number_at(number, f->log_x, f->x0, f->x1, (double)i / (X_TICKS - 1));
        const int n = (int)strlen(text), at = (c->columns - n) * i / (X_TICKS - 1);
        memcpy(line + at, text, (size_t)n);
    }
    print(r, "\n%*s%.*s\n%*s%s%s\n", LABEL_COLUMNS, "", c->columns, line, LABEL_COLUMNS, "", p->x_label,
          p->log_x ? " (log scale)" : "");
}

static void print_cell(run *r, const canvas *c, int at)
{
    if (c->letters[at]) {
        put(r, &c->letters[at], 1);
    } else if (!c->dots[at]) {
        put(r, " ", 1);
    } else if (c->high == 4) {
        const unsigned code = 0x2800u + c->dots[at];
        const char utf8[3] = { (char)(0xE0 | code >> 12), (char)(0x80 | (code >> 6 & 0x3F)), (char)(0x80 | (code & 0x3F)) };
        put(r, utf8, 3);
    } else {
        put(r, &"*+o#x@"[c->owner[at] % N_STYLES], 1);
    }
}

static void print_canvas(run *r, const canvas *c, const frame *f)
{
    for (int row = 0; row < c->rows; row++) {
        char number[32];
        if (row % 4 == 0 || row == c->rows - 1)
            print(r, "%*s %s", LABEL_COLUMNS - 2, number_at(number, f->log_y, f->y1, f->y0, (double)row / (c->rows - 1)),
                  r->utf8 ? "\u2524" : "|");
        else
            print(r, "%*s%s", LABEL_COLUMNS - 1, "", r->utf8 ? "\u2502" : "|");
        int shown = -1;
        for (int i = 0; i < c->columns; i++) {
            const int at = row * c->columns + i, owner = c->dots[at] || c->letters[at] ? c->owner[at] : -1;
            if (owner != shown) print_style(r, owner < 0 ? STYLE_NONE : styles[owner % N_STYLES]);
            shown = owner;
            print_cell(r, c, at);
        }
        if (shown >= 0) print_style(r, STYLE_NONE);
        put(r, "\n", 1);
    }
}

/* Two curves a line where their names are short. */
static void print_legend(run *r, const trine_plot *p, const char *const *endings)
{
    enum { HALF = 35 };
    bool halves = !endings && p->n_series > 3;
    for (int i = 0; i < p->n_series; i++) halves &= text_columns(p->series[i].name) <= HALF - 5;
    for (int i = 0; i < p->n_series; i++) {
        const char letter = (char)('a' + i % 26);
        const bool line = p->series[i].mark != TRINE_MARK_POINTS, last = !halves || i % 2 || i + 1 == p->n_series;
        if (!halves || i % 2 == 0) print(r, "%*s", LABEL_COLUMNS, "");
        print_style(r, styles[i % N_STYLES]);
        put(r, &letter, 1);
        if (line) puts_out(r, r->utf8 ? "\u2501" : (const char *[]) { "*", "+", "o", "#", "x", "@" }[i % N_STYLES]);
        print_style(r, STYLE_NONE);
        print(r, " %.60s%s", p->series[i].name, endings ? endings[i] : "");
        if (last)
            put(r, "\n", 1);
        else
            print(r, "%*s", HALF - 2 - line - text_columns(p->series[i].name), "");
    }
}

int draw_chart(run *r, const trine_plot *p, const char *const *endings)
{
    frame f;
    if (p->title && *p->title) {
        print_style(r, STYLE_BOLD);
        print(r, "%.79s\n", p->title);
        print_style(r, STYLE_NONE);
    }
    if (!frame_of(&f, p)) {
        puts_out(r, "(no values yet)\n");
        return 0;
    }
    if (*p->y_label) print(r, "%.70s%s\n", p->y_label, p->log_y ? " (log)" : "");
    canvas c = {
        .columns = (r->width < 80 ? r->width : 80) - LABEL_COLUMNS, .rows = ROWS, .wide = r->utf8 ? 2 : 1, .high = r->utf8 ? 4 : 1
    };
    const size_t cells = (size_t)c.columns * ROWS;
    c.dots = calloc(cells, 1);
    c.owner = calloc(cells, 1);
    c.letters = calloc(cells, 1);
    const bool there = c.dots && c.owner && c.letters;
    for (int i = 0; i < p->n_series && there; i++) draw_series(&c, &f, &p->series[i], i);
    if (there) {
        print_canvas(r, &c, &f);
        print_axis(r, &c, &f, p);
        print_legend(r, p, endings);
    }
    free(c.dots);
    free(c.owner);
    free(c.letters);
    return there ? 0 : fail_memory(r);
}
