/* numbers.h - numbers as text with a decimal point, whatever locale the program around has set: files, templates, errors and pictures are
 * the same everywhere. What has a number with a fraction in it goes through these. */
#ifndef TRINE_BASE_NUMBERS_H
#define TRINE_BASE_NUMBERS_H

#include <stdarg.h>
#include <stddef.h>

/* snprintf, vsnprintf, strtod. */
int trine_print(char *out, size_t cap, const char *format, ...) __attribute__((format(printf, 3, 4)));
int trine_vprint(char *out, size_t cap, const char *format, va_list args) __attribute__((format(printf, 3, 0)));
double trine_to_double(const char *text, char **end);

#endif
