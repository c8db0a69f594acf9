/* drawing.c - text, bars and numbers as they look in a terminal of 80 columns. */
#include "run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* One code point; a byte that starts none is U+FFFD and counts one. Enough for looking at text, not for checking it. */
static size_t next_code_point(const unsigned char *p, size_t left, uint32_t *out)
{
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xF0 && p[0] < 0xF5 ? 4
               : p[0] >= 0xE0 && p[0] < 0xF0 ? 3
               : p[0] >= 0xC2 && p[0] < 0xE0 ? 2
                                             : 0;
    uint32_t c = n == 1 ? p[0] : n ? p[0] & (0x7Fu >> n) : 0xFFFD;
    for (size_t i = 1; i < n; i++) {
        if (i >= left || (p[i] & 0xC0) != 0x80) {
            *out = 0xFFFD;
            return i;
        }
        c = c << 6 | (p[i] & 0x3Fu);
    }
    *out = (n == 3 && (c < 0x800 || (c >= 0xD800 && c < 0xE000))) || (n == 4 && (c < 0x10000 || c > 0x10FFFF)) ? 0xFFFD : c;
    return n ? n : 1;
}

static int code_point_columns(uint32_t c)
{
    int columns = wcwidth((wchar_t)c);
    return columns < 0 ? 1 : columns; /* the C locale knows no wide characters: count one */
}

int text_columns(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t left = strlen(text);
    int columns = 0;
    while (left) {
        uint32_t c;
        size_t n = next_code_point(p, left, &c);
        columns += code_point_columns(c);
        p += n;
        left -= n;
    }
    return columns;
}

char *text_shown(const run *r, const char *text, size_t bytes, int columns)
{
    (void)r;
    char *out = malloc(bytes * 4 + 8);
    if (!out) return NULL;
    size_t used = 0, fits = 0; /* fits: where to cut when "..." must follow */
    int at = 0;
    const unsigned char *p = (const unsigned char *)text;
    while (bytes) {
        uint32_t c;
        size_t n = next_code_point(p, bytes, &c);
        char piece[8];
        int wide;
        if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xA0)) {
            const char *named = c == '\n' ? "\\n" : c == '\t' ? "\\t" : c == '\r' ? "\\r" : NULL;
            snprintf(piece, sizeof piece, named ? "%.2s" : "\\x%.0s%02x", named ? named : "", (unsigned)c);
            wide = (int)strlen(piece);
        } else if (c == 0xFFFD) {
            memcpy(piece, "\xEF\xBF\xBD", 4);
            wide = 1;
        } else {
            memcpy(piece, p, n);
            piece[n] = 0;
            wide = code_point_columns(c);
        }
        if (columns && at + wide > columns) {
            memcpy(out + fits, "...", 4);
            return out;
        }
        size_t length = strlen(piece);
        memcpy(out + used, piece, length);
        used += length;
        at += wide;
        if (at <= columns - 3) fits = used;
        p += n;
        bytes -= n;
    }
    out[used] = 0;
    return out;
}

void print_padded(run *r, const char *text, int columns)
{
    puts_out(r, text);
    for (int n = text_columns(text); n < columns; n++) put(r, " ", 1);
}

void print_fitted(run *r, const char *text, size_t bytes, int most, int columns)
{
    char *shown = text_shown(r, text, bytes, most);
    print_padded(r, shown ? shown : "", columns);
    free(shown);
}

void print_bar(run *r, double share, int columns)
{
    static const char *const eighths[] = { "", "\u258F", "\u258E", "\u258D", "\u258C", "\u258B", "\u258A", "\u2589" };
    double s = !(share > 0) ? 0 : share < 1 ? share : 1;
    int units = (int)lround(s * columns * 8), drawn = units / 8;
    for (int i = 0; i < drawn; i++) puts_out(r, r->utf8 ? "\u2588" : "#");
    if (r->utf8 && units % 8) {
        puts_out(r, eighths[units % 8]);
        drawn++;
    }
    for (; drawn < columns; drawn++) put(r, " ", 1);
}

void print_style(run *r, style s)
{
    static const char *const codes[] = { "\033[0m",  "\033[1m",  "\033[2m",  "\033[31m", "\033[32m",
                                         "\033[33m", "\033[34m", "\033[35m", "\033[36m" };
    if (r->color) puts_out(r, codes[s]);
}

const char *show_count(char buffer[32], double n)
{
    const char *unit = n >= 1e9 ? " G" : n >= 1e6 ? " M" : n >= 1e4 ? " K" : "";
    double value = n >= 1e9 ? n / 1e9 : n >= 1e6 ? n / 1e6 : n >= 1e4 ? n / 1e3 : n;
    snprintf(buffer, 32, "%.*f%s", *unit && value < 100 ? 1 : 0, value, unit);
    return buffer;
}

const char *show_bytes(char buffer[32], double n)
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
    int unit = 0;
    for (; n >= 1024 && unit < 4; unit++) n /= 1024;
    snprintf(buffer, 32, "%.*f %s", unit && n < 100 ? 1 : 0, n, units[unit]);
    return buffer;
}

/* Whole numbers with commas: 131,072. */
const char *show_number(char out[32], int64_t n)
{
    char digits[32];
    const int length = snprintf(digits, sizeof digits, "%lld", (long long)n);
    int at = 0;
    for (int i = 0; i < length && at < 30; i++) {
        if (i && (length - i) % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
    return out;
}

/* Three digits: "4.52 GiB", "15.0 GiB", "131 MiB". */
const char *show_size(char out[32], size_t bytes)
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB" };
    double n = (double)bytes;
    int unit = 0;
    for (; n >= 1000 && unit < 5; unit++) n /= 1024;
    snprintf(out, 32, "%.*f %s", !unit || n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2, n, units[unit]);
    return out;
}
