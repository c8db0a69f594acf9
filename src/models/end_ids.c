/* end_ids.c - the tokens that end a text: chat models have several (Llama 3: end of text, end of turn).
 *
 * As transformers does: generation_config.json beside the weights decides where it names any, else config.json. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "models/model.h"

#define MAX_GENERATION_CONFIG ((size_t)1 << 20)

/* Appends an id, or each of a list; ids that no token of the model has are left out. */
static void append(int32_t *ids, int *n, const json_t *value, int vocab)
{
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            const json_t *item = json_array_get(value, i);
            if (json_is_integer(item)) append(ids, n, item, vocab);
        }
        return;
    }
    const json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
    if (id < 0 || id >= vocab || *n == TRINE_MAX_END_IDS) return;
    for (int i = 0; i < *n; i++)
        if (ids[i] == id) return;
    ids[(*n)++] = (int32_t)id;
}

/* The directory the model lies in; for a .gguf file NULL: it holds everything itself. */
static char *directory(const trine_model *m)
{
    if (strcmp(m->info.container, "safetensors") != 0) return NULL;
    if (trine_is_directory(m->info.path)) return strdup(m->info.path);
    const char *slash = strrchr(m->info.path, '/');
    return slash ? strndup(m->info.path, (size_t)(slash - m->info.path)) : strdup(".");
}

static trine_status read_generation_config(int32_t *ids, int *n, const trine_model *m, trine_error *err)
{
    trine_status status = TRINE_OK;
    char *dir = directory(m), *path = dir ? trine_path_join(dir, "generation_config.json") : NULL, *text = NULL;
    size_t bytes;
    if (path && trine_file_exists(path) && !(status = trine_file_read(&text, &bytes, path, MAX_GENERATION_CONFIG, err))) {
        json_error_t at;
        json_t *json = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &at);
        if (json)
            append(ids, n, json_object_get(json, "eos_token_id"), m->info.vocab);
        else
            status = trine_fail(err, TRINE_ERROR_FORMAT, "%s: line %d: %s", path, at.line, at.text);
        json_decref(json);
    }
    free(text);
    free(path);
    free(dir);
    return status;
}

trine_status trine_model_end_ids(int32_t ids[TRINE_MAX_END_IDS], int *n, const trine_model *m, trine_error *err)
{
    *n = 0;
    const trine_status status = read_generation_config(ids, n, m, err);
    if (status) return status;
    if (!*n && m->checkpoint)
        append(ids, n, json_object_get(trine_checkpoint_config(m->checkpoint), "eos_token_id"), m->info.vocab);
    if (!*n && m->info.eos >= 0) ids[(*n)++] = m->info.eos;
    return TRINE_OK;
}
