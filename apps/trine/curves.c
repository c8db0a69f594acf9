/* curves.c - curves of metrics by step: in the terminal, by dots of a quarter or an eighth of a character, and as SVG. */
#include "curves.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 16, LABEL_COLUMNS = 9, TICKS = 5 };

static const style styles[] = { STYLE_CYAN, STYLE_YELLOW, STYLE_GREEN, STYLE_MAGENTA, STYLE_RED, STYLE_BLUE };
static const char *const colors[] = { "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9" }; /* Okabe and Ito's */
enum { N_STYLES = sizeof styles / sizeof *styles };

typedef struct frame {
    double x0, x1, y0, y1;
} frame;

/* What all curves lie in; false when there is nothing. */
static bool frame_of(frame *f, const curve *curves, int n)
{
    *f = (frame) { INFINITY, -INFINITY, INFINITY, -INFINITY };
    for (int c = 0; c < n; c++)
        for (int i = 0; i < curves[c].series.n; i++) {
            const double x = (double)curves[c].series.steps[i], y = curves[c].series.values[i];
            f->x0 = fmin(f->x0, x);
            f->x1 = fmax(f->x1, x);
            f->y0 = fmin(f->y0, y);
            f->y1 = fmax(f->y1, y);
        }
    if (!(f->x0 <= f->x1)) return false;
    if (f->x0 == f->x1) f->x1 = f->x0 + 1;
    if (f->y0 == f->y1) {
        f->y0 -= 0.5;
        f->y1 += 0.5;
    }
    return true;
}

/* ---------------------------------------------------------------------------------------------------------- terminal */

/* Dots of a character: 2 by 4 in Braille, 1 by 1 in plain ASCII. */
typedef struct canvas {
    int columns, rows, wide, high;
    unsigned char *dots; /* [rows, columns] */
    signed char *owner;  /* [rows, columns] the last curve there; -1: none */
} canvas;

static void set_dot(canvas *c, int x, int y, int owner)
{
    static const unsigned char bits[4][2] = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } };
    if (x < 0 || y < 0 || x >= c->columns * c->wide || y >= c->rows * c->high) return;
    const int at = y / c->high * c->columns + x / c->wide;
    c->dots[at] |= c->high == 4 ? bits[y % 4][x % 2] : 1;
    c->owner[at] = (signed char)owner;
}

static void draw_line(canvas *c, double x0, double y0, double x1, double y1, int owner)
{
    const int n = (int)fmax(fabs(x1 - x0), fabs(y1 - y0)) + 1;
    for (int i = 0; i <= n; i++) {
        const double t = (double)i / n;
        set_dot(c, (int)lround(x0 + t * (x1 - x0)), (int)lround(y0 + t * (y1 - y0)), owner);
    }
}

static void draw_curve(canvas *c, const frame *f, const curve *k, int owner)
{
    const double w = c->columns * c->wide - 1, h = c->rows * c->high - 1;
    double px = 0, py = 0;
    for (int i = 0; i < k->series.n; i++) {
        const double x = ((double)k->series.steps[i] - f->x0) / (f->x1 - f->x0) * w;
        const double y = (f->y1 - k->series.values[i]) / (f->y1 - f->y0) * h;
        draw_line(c, i ? px : x, i ? py : y, x, y, owner);
        px = x;
        py = y;
    }
}

static void print_canvas(run *r, const canvas *c, const frame *f)
{
    for (int row = 0; row < c->rows; row++) {
        const bool labelled = row % 5 == 0 || row == c->rows - 1;
        const double value = f->y1 - (f->y1 - f->y0) * row / (c->rows - 1);
        if (labelled)
            print(r, "%*.*g %s", LABEL_COLUMNS - 2, 4, value, r->utf8 ? "\u2524" : "|");
        else
            print(r, "%*s%s", LABEL_COLUMNS - 1, "", r->utf8 ? "\u2502" : "|");
        int shown = -1;
        for (int i = 0; i < c->columns; i++) {
            const int at = row * c->columns + i, owner = c->dots[at] ? c->owner[at] : -1;
            if (owner != shown) print_style(r, owner < 0 ? STYLE_NONE : styles[owner % N_STYLES]);
            shown = owner;
            if (!c->dots[at]) {
                put(r, " ", 1);
            } else if (c->high == 4) {
                const unsigned code = 0x2800u + c->dots[at];
                const char utf8[3] = { (char)(0xE0 | code >> 12), (char)(0x80 | (code >> 6 & 0x3F)), (char)(0x80 | (code & 0x3F)) };
                put(r, utf8, 3);
            } else {
                put(r, &"*+o#x@"[owner % N_STYLES], 1);
            }
        }
        if (shown >= 0) print_style(r, STYLE_NONE);
        put(r, "\n", 1);
    }
    print(r, "%*s%s", LABEL_COLUMNS - 1, "", r->utf8 ? "\u2514" : "+");
    for (int i = 0; i < c->columns; i++) puts_out(r, r->utf8 ? "\u2500" : "-");
    char right[32];
    const int n = snprintf(right, sizeof right, "step %.0f", f->x1);
    print(r, "\n%*s%-*.0f%s\n", LABEL_COLUMNS, "", c->columns - n, f->x0, right);
}

int draw_curves(run *r, const curve *curves, int n)
{
    frame f;
    if (!frame_of(&f, curves, n)) {
        puts_out(r, "(no values yet)\n");
        return 0;
    }
    canvas c = {
        .columns = (r->width < 80 ? r->width : 80) - LABEL_COLUMNS, .rows = ROWS, .wide = r->utf8 ? 2 : 1, .high = r->utf8 ? 4 : 1
    };
    const size_t cells = (size_t)c.columns * ROWS;
    c.dots = calloc(cells, 1);
    c.owner = calloc(cells, 1);
    if (!c.dots || !c.owner) {
        free(c.dots);
        free(c.owner);
        return fail_memory(r);
    }
    for (int i = 0; i < n; i++) draw_curve(&c, &f, &curves[i], i);
    print_canvas(r, &c, &f);
    for (int i = 0; i < n; i++) {
        const trine_series *s = &curves[i].series;
        print_style(r, styles[i % N_STYLES]);
        print(r, "%*s%s ", LABEL_COLUMNS, "",
              r->utf8 ? "\u2501\u2501" : (const char *[]) { "*", "+", "o", "#", "x", "@" }[i % N_STYLES]);
        print_style(r, STYLE_NONE);
        if (s->n)
            print(r, "%s: %.4g at the end, %.4g at best\n", curves[i].name, s->values[s->n - 1], curve_best(&curves[i]));
        else
            print(r, "%s: no values yet\n", curves[i].name);
    }
    free(c.dots);
    free(c.owner);
    return 0;
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

/* --------------------------------------------------------------------------------------------------------------- svg */

static void svg_text(FILE *f, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", f);
        else if (*text == '&')
            fputs("&amp;", f);
        else
            fputc(*text, f);
    }
}

/* A step between ticks: 1, 2 or 5 times a power of ten. */
static double tick_of(double range)
{
    const double raw = range / TICKS, power = pow(10, floor(log10(raw))), m = raw / power;
    return (m < 1.5 ? 1 : m < 3.5 ? 2 : m < 7.5 ? 5 : 10) * power;
}

int write_svg(run *r, const char *path, const curve *curves, int n)
{
    enum { WIDTH = 800, HEIGHT = 480, LEFT = 70, RIGHT = 20, TOP = 20, BOTTOM = 50 };
    frame f;
    if (!frame_of(&f, curves, n)) return fail(r, EXIT_DATA, "there are no values to draw");
    FILE *out = fopen(path, "w");
    if (!out) return fail(r, EXIT_FAILED, "%s: cannot be written", path);
    const double w = WIDTH - LEFT - RIGHT, h = HEIGHT - TOP - BOTTOM;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            WIDTH, HEIGHT);
    const double tx = tick_of(f.x1 - f.x0), ty = tick_of(f.y1 - f.y0);
    const int y_ticks = (int)floor(f.y1 / ty + 1e-9), x_ticks = (int)floor(f.x1 / tx + 1e-9);
    for (int i = (int)ceil(f.y0 / ty); i <= y_ticks; i++) {
        const double y = i * ty, at = TOP + (f.y1 - y) / (f.y1 - f.y0) * h;
        fprintf(out, "<path d=\"M%d %.1fH%d\" stroke=\"#ddd\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.6g</text>\n", LEFT,
                at, WIDTH - RIGHT, LEFT - 8, at + 4, y);
    }
    for (int i = (int)ceil(f.x0 / tx); i <= x_ticks; i++)
        fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.6g</text>\n", LEFT + (i * tx - f.x0) / (f.x1 - f.x0) * w,
                HEIGHT - BOTTOM + 18, i * tx);
    fprintf(out,
            "<path d=\"M%d %dV%dH%d\" fill=\"none\" stroke=\"#333\"/><text x=\"%d\" y=\"%d\" text-anchor=\"middle\">step</text>\n",
            LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT, LEFT + (int)w / 2, HEIGHT - 10);
    for (int c = 0; c < n; c++) {
        const char *color = colors[c % N_STYLES];
        fprintf(out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"", color);
        for (int i = 0; i < curves[c].series.n; i++)
            fprintf(out, "%.2f,%.2f ", LEFT + ((double)curves[c].series.steps[i] - f.x0) / (f.x1 - f.x0) * w,
                    TOP + (f.y1 - curves[c].series.values[i]) / (f.y1 - f.y0) * h);
        fprintf(out, "\"/>\n<path d=\"M%d %dh20\" stroke=\"%s\" stroke-width=\"2\"/><text x=\"%d\" y=\"%d\">", WIDTH - 240,
                TOP + 16 + 18 * c, color, WIDTH - 212, TOP + 20 + 18 * c);
        svg_text(out, curves[c].name);
        fputs("</text>\n", out);
    }
    fputs("</svg>\n", out);
    const bool failed = ferror(out) != 0;
    if (fclose(out) || failed) return fail(r, EXIT_FAILED, "%s: cannot be written whole", path);
    return 0;
}
