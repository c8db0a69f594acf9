/* json_file.c - see json_file.h. jansson limits the nesting to 2048 levels by itself. */
#include "checkpoint/json_file.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/status.h"

enum { MOST_BYTES = 64 << 20 }; /* an index of a very large model is a few MiB */

bool trine_json_no_memory(const json_error_t *why)
{
    if (json_error_code(why) == json_error_out_of_memory || json_error_code(why) == json_error_unknown) return true;
    /* jansson may take a failed allocation for an error of the text: ask whether there is any memory. */
    void *volatile probe = malloc(1 << 16); /* volatile: a compiler may leave an unused allocation out */
    free(probe);
    return !probe;
}

json_t *trine_json_copy(const json_t *json)
{
    json_t *copy = json_deep_copy(json);
    /* json_deep_copy leaves out what it has no memory for. */
    if (copy && json_equal(json, copy)) return copy;
    json_decref(copy);
    return NULL;
}

void trine_json_put(trine_json_builder *b, const char *key, json_t *value)
{
    if (json_object_set_new(b->object, key, value)) b->failed = true;
}

static trine_status read_json(json_t **out, const char *path, trine_error *err)
{
    char *text;
    size_t n;
    *out = NULL;
    const trine_status status = trine_file_read(&text, &n, path, MOST_BYTES, err);
    if (status) return status;
    json_error_t why;
    json_t *json = json_loadb(text, n, 0, &why);
    free(text);
    if (!json) {
        if (trine_json_no_memory(&why)) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to read '%s'", path);
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' is not valid JSON: line %d, column %d: %s", path, why.line, why.column,
                          why.text);
    }
    *out = json;
    return TRINE_OK;
}

trine_status trine_json_file_read(json_t **out, const char *path, trine_error *err)
{
    const trine_status status = read_json(out, path, err);
    if (status || json_is_object(*out)) return status;
    json_decref(*out);
    *out = NULL;
    return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' does not hold a JSON object", path);
}

trine_status trine_json_file_read_optional(json_t **out, const char *dir, const char *name, trine_error *err)
{
    *out = NULL;
    char *path = trine_path_join(dir, name);
    if (!path) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the path of '%s'", name);
    /* modules.json is an array: any JSON value may come from here. */
    const trine_status status = trine_file_exists(path) ? read_json(out, path, err) : TRINE_OK;
    free(path);
    return status;
}
