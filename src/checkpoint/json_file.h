/* json_file.h - configuration files of a model: small JSON documents, read with a size limit. */
#ifndef TRINE_CHECKPOINT_JSON_FILE_H
#define TRINE_CHECKPOINT_JSON_FILE_H

#include <jansson.h>

#include "trine/basics.h"

/* The object in a file. ERROR_NOT_FOUND when there is no file, ERROR_FORMAT (with line and column) when it is no JSON object. */
trine_status trine_json_file_read(json_t **out, const char *path, trine_error *err);
/* Like it for "dir/name", but a file that does not exist gives TRINE_OK and NULL. */
trine_status trine_json_file_read_optional(json_t **out, const char *dir, const char *name, trine_error *err);

/* Whether a text could not be read for want of memory, rather than for what it says. */
bool trine_json_no_memory(const json_error_t *why);

/* A copy of all that `json` holds, or NULL when memory ran out. */
json_t *trine_json_copy(const json_t *json);

/* An object made field by field: a failure sticks, so that a chain of puts needs one test at its end. */
typedef struct trine_json_builder {
    json_t *object;
    bool failed; /* memory ran out: a field is missing */
} trine_json_builder;
/* Sets a field; takes the reference. NULL marks the builder failed. */
void trine_json_put(trine_json_builder *b, const char *key, json_t *value);

#endif
