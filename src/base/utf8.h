/* utf8.h - reading UTF-8, valid or not. */
#ifndef TRINE_BASE_UTF8_H
#define TRINE_BASE_UTF8_H

#include "trine/basics.h"

/* Reads one code point at s (n >= 1 bytes left), stores how many bytes it took. A maximal invalid part gives U+FFFD
 * (Unicode 15, section 3.9, "substitution of maximal subparts"), which is also what Python's errors="replace" does. */
uint32_t trine_utf8_next(size_t *taken, const char *s, size_t n);
bool trine_utf8_valid(const char *s, size_t n);
/* Length of the longest prefix that does not end inside a character: what a stream may print now. */
size_t trine_utf8_whole(const char *s, size_t n);
/* Writes c as UTF-8 into out[4], returns its length. */
int trine_utf8_put(char out[4], uint32_t c);

#endif
