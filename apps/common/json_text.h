/* json_text.h - JSON written as text, value by value, to whatever takes bytes: standard output, an answer to a request.
 *
 * jansson reads what comes in; what goes out is written here, because a float must be printed with the fewest digits that
 * read back as the same float (jansson prints every real with one number of digits), a not-a-number must become null, and text
 * that is not UTF-8 must become U+FFFD rather than an error. */
#ifndef TRINE_APP_JSON_TEXT_H
#define TRINE_APP_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void json_put_fn(void *to, const char *bytes, size_t n);

typedef struct json_writer {
    json_put_fn *put;
    void *to;
    int depth;
    bool filled[16]; /* at each depth: something was written, a comma is due */
    bool after_key;
} json_writer;

json_writer jw_to(json_put_fn *put, void *to);

void jw_open(json_writer *j, char bracket);  /* '{' or '[' */
void jw_close(json_writer *j, char bracket); /* '}' or ']' */
void jw_key(json_writer *j, const char *key);
void jw_text(json_writer *j, const char *text); /* NULL: null */
void jw_text_n(json_writer *j, const char *text, size_t bytes);
void jw_int(json_writer *j, int64_t value);
void jw_unsigned(json_writer *j, uint64_t value);
void jw_float(json_writer *j, float value); /* fewest digits that give the same float */
void jw_real(json_writer *j, double value); /* the same for doubles */
void jw_bool(json_writer *j, bool value);
void jw_null(json_writer *j);

/* A key and its value. */
void jw_set_text(json_writer *j, const char *key, const char *text);
void jw_set_int(json_writer *j, const char *key, int64_t value);
void jw_set_real(json_writer *j, const char *key, double value);
void jw_set_float(json_writer *j, const char *key, float value);
void jw_set_bool(json_writer *j, const char *key, bool value);

#endif
