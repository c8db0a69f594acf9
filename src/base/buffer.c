/* buffer.c - growing bytes; a failure sticks, so that a chain of appends needs one test at its end. */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "base/size.h"
#include "base/utf8.h"

/* Room for n more bytes and the zero after them. */
static bool reserve(trine_buffer *b, size_t n)
{
    if (b->failed) return false;
    size_t need;
    if (!trine_add_size(&need, b->n, n) || !trine_add_size(&need, need, 1)) {
        b->failed = true;
        return false;
    }
    if (need <= b->cap) return true;
    size_t cap = b->cap < SIZE_MAX / 2 ? 2 * b->cap : need;
    if (cap < 64) cap = 64;
    if (cap < need) cap = need;
    char *grown = realloc(b->data, cap);
    if (!grown) {
        b->failed = true;
        return false;
    }
    b->data = grown;
    b->cap = cap;
    return true;
}

void trine_buffer_append(trine_buffer *b, const void *bytes, size_t n)
{
    if (!reserve(b, n)) return;
    if (n) memcpy(b->data + b->n, bytes, n);
    b->n += n;
    b->data[b->n] = 0;
}

void trine_buffer_puts(trine_buffer *b, const char *text) { trine_buffer_append(b, text, strlen(text)); }
void trine_buffer_putc(trine_buffer *b, char c) { trine_buffer_append(b, &c, 1); }

void trine_buffer_put_utf8(trine_buffer *b, uint32_t c)
{
    char bytes[4];
    trine_buffer_append(b, bytes, (size_t)trine_utf8_put(bytes, c));
}

void trine_buffer_printf(trine_buffer *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int n = trine_vprint(NULL, 0, format, args);
    if (n < 0)
        b->failed = true;
    else if (reserve(b, (size_t)n)) {
        trine_vprint(b->data + b->n, (size_t)n + 1, format, again);
        b->n += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

void trine_buffer_clear(trine_buffer *b)
{
    free(b->data);
    *b = (trine_buffer) { 0 };
}

char *trine_buffer_take(trine_buffer *b)
{
    trine_buffer_append(b, "", 0); /* an empty buffer gives an empty text, not NULL */
    if (b->failed) {
        trine_buffer_clear(b);
        return NULL;
    }
    char *text = b->data;
    *b = (trine_buffer) { 0 };
    return text;
}
