/* buffer.h - growing bytes with a sticky failure: append many times, test `failed` once. Always zero-terminated. */
#ifndef TRINE_BASE_BUFFER_H
#define TRINE_BASE_BUFFER_H

#include "trine/basics.h"

typedef struct trine_buffer {
    char *data; /* NULL while empty; owned */
    size_t n, cap;
    bool failed; /* memory ran out: the content is not complete */
} trine_buffer;

void trine_buffer_append(trine_buffer *b, const void *bytes, size_t n);
void trine_buffer_puts(trine_buffer *b, const char *text);
void trine_buffer_putc(trine_buffer *b, char c);
/* Appends code point `c` as UTF-8. */
void trine_buffer_put_utf8(trine_buffer *b, uint32_t c);
void trine_buffer_printf(trine_buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void trine_buffer_clear(trine_buffer *b); /* frees */
/* Hands the zero-terminated content to the caller (trine_free) and empties the buffer; NULL when it failed. */
char *trine_buffer_take(trine_buffer *b);

#endif
