/* hf_directory.c - a model as Hugging Face lays it out: config.json with model.safetensors, or with shards and the index
 * that says which tensor lies in which. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "checkpoint/checkpoint_build.h"
#include "checkpoint/json_file.h"

static trine_status no_memory(trine_error *err, const char *path)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to open '%s'", path);
}

/* A shard's name must stay in the directory: no path, no way up. */
static bool is_plain_name(const char *name) { return *name && *name != '.' && !strchr(name, '/') && !strchr(name, '\\'); }

/* Opens shard `name` unless it is open already; `opened` is a set of names. */
static trine_status open_shard(trine_checkpoint *c, json_t *opened, const char *dir, const char *name, const char *index_path,
                               trine_error *err)
{
    if (!is_plain_name(name))
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' names the shard '%s', expected a file name without a path", index_path,
                          name);
    if (json_object_get(opened, name)) return TRINE_OK;
    char *path = trine_path_join(dir, name);
    if (!path || json_object_set_new(opened, name, json_true())) {
        free(path);
        return no_memory(err, dir);
    }
    const int before = c->n_tensors;
    trine_status status;
    if (!trine_file_exists(path))
        status = trine_fail(err, TRINE_ERROR_NOT_FOUND, "the shard '%s' is missing, though '%s' names it", path, index_path);
    else
        status = trine_safetensors_read(c, path, err);
    if (!status && json_object_set_new(opened, name, json_pack("[i,i]", before, c->n_tensors))) status = no_memory(err, dir);
    free(path);
    return status;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const trine_tensor *)a)->name, ((const trine_tensor *)b)->name);
}

/* Every tensor that the index names must be in the shard it names. What else a named shard holds is loaded with it, as transformers
 * does. */
static trine_status check_index(const trine_checkpoint *c, const json_t *map, const json_t *opened, const char *path,
                                trine_error *err)
{
    /* A copy sorted by name within each shard, so that the check is not quadratic. */
    trine_tensor *sorted = malloc(((size_t)c->n_tensors + 1) * sizeof *sorted);
    if (!sorted) return no_memory(err, path);
    if (c->n_tensors) memcpy(sorted, c->tensors, (size_t)c->n_tensors * sizeof *sorted);
    const char *name;
    json_t *value;
    void *it;
    for (it = json_object_iter((json_t *)(uintptr_t)opened); it; it = json_object_iter_next((json_t *)(uintptr_t)opened, it)) {
        const json_t *range = json_object_iter_value(it);
        const json_int_t first = json_integer_value(json_array_get(range, 0)), end = json_integer_value(json_array_get(range, 1));
        if (end > first) qsort(sorted + first, (size_t)(end - first), sizeof *sorted, by_name);
    }
    trine_status status = TRINE_OK;
    json_object_foreach((json_t *)(uintptr_t)map, name, value)
    {
        const json_t *range = json_object_get(opened, json_string_value(value));
        const json_int_t first = json_integer_value(json_array_get(range, 0)), end = json_integer_value(json_array_get(range, 1));
        const trine_tensor key = { .name = name };
        if (end > first && bsearch(&key, sorted + first, (size_t)(end - first), sizeof *sorted, by_name)) continue;
        status = trine_fail(err, TRINE_ERROR_FORMAT, "'%s' says that tensor '%s' is in '%s', but it is not", path, name,
                            json_string_value(value));
        break;
    }
    free(sorted);
    return status;
}

static trine_status read_shards(trine_checkpoint *c, const char *dir, const char *index_path, trine_error *err)
{
    json_t *index, *opened = NULL;
    trine_status status = trine_json_file_read(&index, index_path, err);
    if (status) return status;
    const json_t *map = json_object_get(index, "weight_map");
    if (!json_is_object(map) || !json_object_size(map)) {
        status = trine_fail(err, TRINE_ERROR_FORMAT, "'%s' has no \"weight_map\" of tensor names to files", index_path);
        goto done;
    }
    opened = json_object();
    if (!opened) {
        status = no_memory(err, index_path);
        goto done;
    }
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, name, value)
    {
        if (!json_is_string(value))
            status = trine_fail(err, TRINE_ERROR_FORMAT, "'%s': the shard of tensor '%s' is no text", index_path, name);
        else
            status = open_shard(c, opened, dir, json_string_value(value), index_path, err);
        if (status) goto done;
    }
    status = check_index(c, map, opened, index_path, err);
done:
    json_decref(opened);
    json_decref(index);
    return status;
}

static trine_status read_config(trine_checkpoint *c, const char *dir, trine_error *err)
{
    char *path = trine_path_join(dir, "config.json");
    if (!path) return no_memory(err, dir);
    trine_status status = trine_json_file_read(&c->config, path, err);
    if (status == TRINE_ERROR_NOT_FOUND)
        status = trine_fail(err, TRINE_ERROR_NOT_FOUND,
                            "'%s' has no config.json: expected a model's directory with config.json and model.safetensors", dir);
    free(path);
    return status;
}

trine_status trine_hf_directory_read(trine_checkpoint *c, const char *path, trine_error *err)
{
    c->container = "safetensors";
    c->directory = strdup(path);
    char *single = trine_path_join(path, "model.safetensors"), *index = trine_path_join(path, "model.safetensors.index.json");
    char *pickled = trine_path_join(path, "pytorch_model.bin"), *adapter = trine_path_join(path, "adapter_config.json");
    trine_status status;
    if (!c->directory || !single || !index || !pickled || !adapter)
        status = no_memory(err, path);
    else
        status = read_config(c, path, err);
    if (status) goto done;
    if (trine_file_exists(single))
        status = trine_safetensors_read(c, single, err);
    else if (trine_file_exists(index))
        status = read_shards(c, path, index, err);
    else if (trine_file_exists(adapter))
        status = trine_fail(
            err, TRINE_ERROR_NOT_FOUND,
            "'%s' is an adapter, without the weights that it belongs to: open these, and it beside them (--adapter)", path);
    else
        status = trine_fail(err, TRINE_ERROR_NOT_FOUND,
                            "'%s' has no weights: looked for model.safetensors and model.safetensors.index.json%s", path,
                            trine_file_exists(pickled) ? "; its pytorch_model.bin must be saved as safetensors first" : "");
done:
    free(single);
    free(index);
    free(pickled);
    free(adapter);
    return status;
}

trine_status trine_hf_file_read(trine_checkpoint *c, const char *path, trine_error *err)
{
    c->container = "safetensors";
    const char *slash = strrchr(path, '/');
    c->directory = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!c->directory) return no_memory(err, path);
    const trine_status status = read_config(c, c->directory, err);
    return status ? status : trine_safetensors_read(c, path, err);
}
