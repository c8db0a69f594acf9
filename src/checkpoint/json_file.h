/* json_file.h - configuration files of a model: small JSON documents, read with a size limit. */
#ifndef TRINE_CHECKPOINT_JSON_FILE_H
#define TRINE_CHECKPOINT_JSON_FILE_H

#include <jansson.h>

#include "trine.h"

/* The object in a file. ERROR_NOT_FOUND when there is no file, ERROR_FORMAT (with line and column) when it is no JSON object. */
trine_status trine_json_file_read(json_t **out, const char *path, trine_error *err);
/* Like it for "dir/name", but a file that does not exist gives TRINE_OK and NULL. */
trine_status trine_json_file_read_optional(json_t **out, const char *dir, const char *name, trine_error *err);

#endif
