/* json_text.c - JSON values as text: see json_text.h. */
#include "json_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_writer jw_to(json_put_fn *put, void *to) { return (json_writer) { .put = put, .to = to }; }

static void put_n(json_writer *j, const char *bytes, size_t n)
{
    if (n) j->put(j->to, bytes, n);
}

static void put_text(json_writer *j, const char *text) { put_n(j, text, strlen(text)); }

/* What stands before a value: nothing after a key, a comma after a first value. */
static void separate(json_writer *j)
{
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    if (j->filled[j->depth]) put_n(j, ",", 1);
    j->filled[j->depth] = true;
}

void jw_open(json_writer *j, char bracket)
{
    separate(j);
    put_n(j, &bracket, 1);
    j->filled[++j->depth] = false;
}

void jw_close(json_writer *j, char bracket)
{
    j->depth--;
    put_n(j, &bracket, 1);
}

void jw_key(json_writer *j, const char *key)
{
    jw_text(j, key);
    put_n(j, ":", 1);
    j->after_key = true;
}

/* Length of the valid UTF-8 character at p, or 0; *bad is then the length of the maximal invalid part (Unicode 15, 3.9). */
static size_t utf8_length(const unsigned char *p, size_t left, size_t *bad)
{
    unsigned char lead = p[0], low = 0x80, high = 0xBF;
    size_t length = lead < 0x80                    ? 1
                    : lead >= 0xC2 && lead <= 0xDF ? 2
                    : lead >= 0xE0 && lead <= 0xEF ? 3
                    : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                   : 0;
    *bad = 1;
    if (length == 0) return 0;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
    for (size_t i = 1; i < length; i++, *bad = i, low = 0x80, high = 0xBF)
        if (i >= left || p[i] < low || p[i] > high) return 0;
    return length;
}

void jw_text_n(json_writer *j, const char *text, size_t bytes)
{
    separate(j);
    put_n(j, "\"", 1);
    const unsigned char *p = (const unsigned char *)text, *end = p + bytes, *run_start = p;
    while (p < end) {
        size_t bad, length = utf8_length(p, (size_t)(end - p), &bad);
        if (length && *p >= 0x20 && *p != '"' && *p != '\\' && *p != 0x7f) {
            p += length;
            continue;
        }
        put_n(j, (const char *)run_start, (size_t)(p - run_start));
        char escape[8];
        const char *named = *p && length ? strchr("\"\"\\\\\bb\ff\nn\rr\tt", *p) : NULL;
        if (!length) {
            put_text(j, "\xEF\xBF\xBD");
            p += bad;
        } else {
            if (named) {
                snprintf(escape, sizeof escape, "\\%c", *p == '"' || *p == '\\' ? *p : named[1]);
            } else {
                snprintf(escape, sizeof escape, "\\u%04x", *p);
            }
            put_text(j, escape);
            p++;
        }
        run_start = p;
    }
    put_n(j, (const char *)run_start, (size_t)(p - run_start));
    put_n(j, "\"", 1);
}

void jw_text(json_writer *j, const char *text)
{
    if (!text) {
        jw_null(j);
        return;
    }
    jw_text_n(j, text, strlen(text));
}

void jw_int(json_writer *j, int64_t value)
{
    separate(j);
    char digits[24];
    put_n(j, digits, (size_t)snprintf(digits, sizeof digits, "%lld", (long long)value));
}

void jw_unsigned(json_writer *j, uint64_t value)
{
    separate(j);
    char digits[24];
    put_n(j, digits, (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)value));
}

/* The shortest digits, 6 to 9 of them, that give `value` back, as a whole number times ten to some power; false where double
 * arithmetic cannot be trusted to say so. A vector has hundreds of numbers: printf and strtof took longer than tokenising it. */
static bool short_digits(uint32_t *digits, int *exponent, float value)
{
    static const double tens[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13 };
    const double x = fabs((double)value);
    if (!(x >= 1e-4 && x < 1e9)) return false; /* smaller ones are written with an exponent */
    int lead = (int)floor(log10(x));           /* one off next to a power of ten, which costs a digit or rounds up to it */
    /* Within half of the way to both neighbours it reads back as `value`; the sliver left out is the errors of this arithmetic. */
    const double above = (double)nextafterf((float)x, INFINITY) - x, below = x - (double)nextafterf((float)x, 0);
    const double near = 0.499999 * (above < below ? above : below);
    for (int n = 6; n <= 9; n++) {
        const int shift = n - 1 - lead;
        if (shift < 0) return false;
        const double scaled = nearbyint(x * tens[shift]), back = scaled / tens[shift];
        if (scaled >= 1e9 || fabs(back - x) > near) continue;
        *digits = (uint32_t)scaled;
        *exponent = -shift;
        return true;
    }
    return false;
}

static size_t write_digits(char *out, bool minus, uint32_t digits, int exponent)
{
    char reversed[12];
    int n = 0;
    size_t at = 0;
    while (exponent < 0 && digits && digits % 10 == 0) digits /= 10, exponent++;
    do reversed[n++] = (char)('0' + digits % 10);
    while (digits /= 10);
    if (minus) out[at++] = '-';
    const int point = n + exponent; /* digits before the point */
    if (point <= 0) {
        out[at++] = '0';
        out[at++] = '.';
        for (int i = point; i < 0; i++) out[at++] = '0';
    }
    for (int i = n - 1; i >= 0; i--) {
        if (n - 1 - i == point && point > 0) out[at++] = '.';
        out[at++] = reversed[i];
    }
    return at;
}

void jw_float(json_writer *j, float value)
{
    char text[40];
    uint32_t digits;
    int exponent;
    if (!isfinite(value)) {
        jw_null(j);
        return;
    }
    separate(j);
    if (short_digits(&digits, &exponent, value)) {
        put_n(j, text, write_digits(text, value < 0, digits, exponent));
        return;
    }
    for (int precision = 6; precision <= 9; precision++) { /* 9 digits always give back a float */
        snprintf(text, sizeof text, "%.*g", precision, (double)value);
        if (strtof(text, NULL) == value) break;
    }
    put_text(j, text);
}

void jw_real(json_writer *j, double value)
{
    if (!isfinite(value)) {
        jw_null(j);
        return;
    }
    char digits[40];
    for (int precision = 15; precision <= 17; precision++) { /* 17 digits always give back a double */
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value) break;
    }
    separate(j);
    put_text(j, digits);
}

void jw_bool(json_writer *j, bool value)
{
    separate(j);
    put_text(j, value ? "true" : "false");
}

void jw_null(json_writer *j)
{
    separate(j);
    put_text(j, "null");
}

void jw_set_text(json_writer *j, const char *key, const char *text)
{
    jw_key(j, key);
    jw_text(j, text);
}

void jw_set_int(json_writer *j, const char *key, int64_t value)
{
    jw_key(j, key);
    jw_int(j, value);
}

void jw_set_real(json_writer *j, const char *key, double value)
{
    jw_key(j, key);
    jw_real(j, value);
}

void jw_set_float(json_writer *j, const char *key, float value)
{
    jw_key(j, key);
    jw_float(j, value);
}

void jw_set_bool(json_writer *j, const char *key, bool value)
{
    jw_key(j, key);
    jw_bool(j, value);
}
