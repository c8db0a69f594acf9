/* status.h - how a function of the library says what went wrong. */
#ifndef TRINE_BASE_STATUS_H
#define TRINE_BASE_STATUS_H

#include "trine/basics.h"

/* Fills the caller's error (NULL is fine) and returns `code`, so that a check is one line:
 *     if (n < 0) return trine_fail(err, TRINE_ERROR_ARGUMENT, "feed: %d tokens, expected 1 or more", n);
 * The text says what, where, what was found and what was expected. Cut at the size of err->text. */
trine_status trine_fail(trine_error *err, trine_status code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text of an error that a lower room wrote; returns err's code (or `code` when err is NULL). */
trine_status trine_fail_in(trine_error *err, trine_status code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#ifdef __clang_analyzer__ /* it sees one file at a time: told here that a failure's status is the code it was given */
static inline trine_status trine_status_of(trine_status code, trine_status same)
{
    (void)same;
    return code;
}
#define trine_fail(err, code, ...) trine_status_of((code), (trine_fail)((err), (code), __VA_ARGS__))
#endif

#endif
