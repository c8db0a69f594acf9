/* json_writer.c - JSON documents, one a line: see json_writer.h. */
#include "json_writer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_writer jw_begin(run *r) { return (json_writer) { .run = r }; }

void jw_end(json_writer *j)
{
    put(j->run, "\n", 1);
    flush_output(j->run);
}

/* What stands before a value: nothing after a key, a comma after a first value. */
static void separate(json_writer *j)
{
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    if (j->filled[j->depth]) put(j->run, ",", 1);
    j->filled[j->depth] = true;
}

void jw_open(json_writer *j, char bracket)
{
    separate(j);
    put(j->run, &bracket, 1);
    j->filled[++j->depth] = false;
}

void jw_close(json_writer *j, char bracket)
{
    j->depth--;
    put(j->run, &bracket, 1);
}

void jw_key(json_writer *j, const char *key)
{
    jw_text(j, key);
    put(j->run, ":", 1);
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
    put(j->run, "\"", 1);
    const unsigned char *p = (const unsigned char *)text, *end = p + bytes, *run_start = p;
    while (p < end) {
        size_t bad, length = utf8_length(p, (size_t)(end - p), &bad);
        if (length && *p >= 0x20 && *p != '"' && *p != '\\' && *p != 0x7f) {
            p += length;
            continue;
        }
        put(j->run, (const char *)run_start, (size_t)(p - run_start));
        char escape[8];
        const char *named = *p && length ? strchr("\"\"\\\\\bb\ff\nn\rr\tt", *p) : NULL;
        if (!length) {
            puts_out(j->run, "\xEF\xBF\xBD");
            p += bad;
        } else {
            if (named) {
                snprintf(escape, sizeof escape, "\\%c", *p == '"' || *p == '\\' ? *p : named[1]);
            } else {
                snprintf(escape, sizeof escape, "\\u%04x", *p);
            }
            puts_out(j->run, escape);
            p++;
        }
        run_start = p;
    }
    put(j->run, (const char *)run_start, (size_t)(p - run_start));
    put(j->run, "\"", 1);
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
    print(j->run, "%lld", (long long)value);
}

void jw_unsigned(json_writer *j, uint64_t value)
{
    separate(j);
    print(j->run, "%llu", (unsigned long long)value);
}

void jw_float(json_writer *j, float value)
{
    if (!isfinite(value)) {
        jw_null(j);
        return;
    }
    char digits[32];
    for (int precision = 6; precision <= 9; precision++) { /* 9 digits always give back a float */
        snprintf(digits, sizeof digits, "%.*g", precision, (double)value);
        if (strtof(digits, NULL) == value) break;
    }
    separate(j);
    puts_out(j->run, digits);
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
    puts_out(j->run, digits);
}

void jw_bool(json_writer *j, bool value)
{
    separate(j);
    puts_out(j->run, value ? "true" : "false");
}

void jw_null(json_writer *j)
{
    separate(j);
    puts_out(j->run, "null");
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
