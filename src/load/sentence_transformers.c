/* sentence_transformers.c - modules.json lists steps: the transformer, a pooling, perhaps a scaling to length 1. */
#include "load/sentence_transformers.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/status.h"
#include "checkpoint/json_file.h"
#include "tokenizer/tokenizer_json.h"

/* Keys of 1_Pooling/config.json, by trine_pooling. */
static const char *const pooling_keys[] = { [TRINE_POOL_MEAN] = "pooling_mode_mean_tokens",
                                            [TRINE_POOL_CLS] = "pooling_mode_cls_token",
                                            [TRINE_POOL_MAX] = "pooling_mode_max_tokens",
                                            [TRINE_POOL_LAST] = "pooling_mode_lasttoken" };
enum { N_POOLINGS = sizeof pooling_keys / sizeof *pooling_keys };

/* The part of a class name after its last dot: "Pooling". */
static const char *last_part(const char *type)
{
    const char *dot = strrchr(type, '.');
    return dot ? dot + 1 : type;
}

/* The same as newer files have it: "pooling_mode": "mean", or a list of such words. */
static const char *const pooling_words[] = {
    [TRINE_POOL_MEAN] = "mean", [TRINE_POOL_CLS] = "cls", [TRINE_POOL_MAX] = "max", [TRINE_POOL_LAST] = "lasttoken"
};

static trine_pooling find_pooling(const char *name, const char *const names[N_POOLINGS])
{
    for (int i = 1; i < N_POOLINGS; i++)
        if (!strcmp(name, names[i])) return (trine_pooling)i;
    return TRINE_POOL_DEFAULT;
}

/* How many poolings a configuration has, one of them in `name`; -1: pooling_mode is neither a word nor a list of words. As in
 * the library, the older keys count where there is no pooling_mode. */
static int count_poolings(const char **name, trine_pooling *found, const json_t *config)
{
    const json_t *mode = json_object_get(config, "pooling_mode"), *value;
    const char *key;
    int n = 0;
    if (!mode || json_is_null(mode)) {
        json_object_foreach((json_t *)(uintptr_t)config, key, value)
        {
            if (strncmp(key, "pooling_mode_", 13) || !json_is_true(value)) continue;
            n++;
            *found = find_pooling(*name = key, pooling_keys);
        }
        return n;
    }
    if (json_is_array(mode)) {
        n = (int)json_array_size(mode);
        mode = json_array_get(mode, 0);
    } else
        n = 1;
    if (!json_is_string(mode)) return -1;
    *found = find_pooling(*name = json_string_value(mode), pooling_words);
    return n;
}

static trine_status read_pooling(trine_pooling *out, const char *dir, const char *module, trine_error *err)
{
    if (!*module || strchr(module, '/') || *module == '.')
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s/modules.json' names the folder '%s', expected a name without a path", dir,
                          module);
    char *folder = trine_path_join(dir, module);
    if (!folder) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a path in '%s'", dir);
    json_t *config;
    trine_status status = trine_json_file_read_optional(&config, folder, "config.json", err);
    trine_pooling found = TRINE_POOL_DEFAULT;
    const char *name = NULL;
    const int n = count_poolings(&name, &found, config);
    if (!status && n < 0)
        status =
            trine_fail(err, TRINE_ERROR_FORMAT, "'%s/config.json': pooling_mode is neither a word nor a list of words", folder);
    else if (!status && n > 1)
        status = trine_fail(err, TRINE_ERROR_UNSUPPORTED, "'%s/config.json' joins %d poolings, supported is one", folder, n);
    else if (!status && n && !found)
        status = trine_fail(err, TRINE_ERROR_UNSUPPORTED,
                            "'%s/config.json' pools by \"%s\"; supported are mean, cls, max and lasttoken", folder, name);
    if (!status && found) *out = found;
    json_decref(config);
    free(folder);
    return status;
}

trine_status trine_sentence_modules_read(trine_pooling *pooling, bool *normalize, const char *dir, trine_error *err)
{
    json_t *modules, *module;
    size_t i;
    trine_status status = trine_json_file_read_optional(&modules, dir, "modules.json", err);
    if (status || !modules) return status;
    if (!json_is_array(modules)) status = trine_fail(err, TRINE_ERROR_FORMAT, "'%s/modules.json' is not a list of modules", dir);
    json_array_foreach(modules, i, module)
    {
        const char *type = json_string_value(json_object_get(module, "type")),
                   *path = json_string_value(json_object_get(module, "path"));
        const char *kind = type ? last_part(type) : "";
        if (!strcmp(kind, "Transformer")) continue;
        if (!strcmp(kind, "Normalize"))
            *normalize = true;
        else if (!strcmp(kind, "Pooling"))
            status = read_pooling(pooling, dir, path ? path : "", err);
        else
            status = trine_fail(err, TRINE_ERROR_UNSUPPORTED,
                                "'%s/modules.json' has a module '%s'; supported are Transformer, Pooling and Normalize", dir,
                                type ? type : "without a type");
        if (status) break;
    }
    json_decref(modules);
    return status;
}

trine_status trine_sentence_length_read(int *out, const char *dir, int n_positions, trine_error *err)
{
    json_t *config;
    *out = 0;
    trine_status status = trine_json_file_read_optional(&config, dir, "sentence_bert_config.json", err);
    const json_t *length = json_object_get(config, "max_seq_length");
    if (json_is_integer(length) && json_integer_value(length) > 0 && json_integer_value(length) < INT_MAX)
        *out = (int)json_integer_value(length);
    json_decref(config);
    bool declared = false;
    if (!status && !*out) status = trine_sentence_declared(&declared, dir, err);
    if (!declared) return status;
    /* By the tokenizer's reader: 10^30 stands there for no limit. */
    status = trine_json_read_beside(&config, dir, "tokenizer_config.json", err);
    const double n = status ? 0 : json_number_value(json_object_get(config, "model_max_length"));
    json_decref(config);
    if (n >= 1 && n < (n_positions > 0 ? n_positions : INT_MAX)) *out = (int)n;
    return status;
}

trine_status trine_sentence_declared(bool *out, const char *dir, trine_error *err)
{
    return trine_file_beside(out, dir, "modules.json", err);
}

trine_status trine_sentence_prompt_read(char **out, const char *dir, trine_error *err)
{
    json_t *config = NULL;
    bool declared;
    *out = NULL;
    trine_status status = trine_sentence_declared(&declared, dir, err);
    if (declared) status = trine_json_file_read_optional(&config, dir, "config_sentence_transformers.json", err);
    const char *name = json_string_value(json_object_get(config, "default_prompt_name")),
               *prompt = name ? json_string_value(json_object_get(json_object_get(config, "prompts"), name)) : NULL;
    if (prompt && *prompt && !(*out = strdup(prompt)))
        status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the prompt of '%s'", dir);
    json_decref(config);
    return status;
}

static trine_status write_json(const char *dir, const char *name, json_t *json, trine_error *err)
{
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    const trine_status status = trine_text_write(dir, name, text, false, err);
    free(text);
    return status;
}

trine_status trine_sentence_modules_write(const char *dir, trine_pooling pooling, bool normalize, int d_model, trine_error *err)
{
    json_t *modules = json_pack("[{s:i,s:s,s:s,s:s},{s:i,s:s,s:s,s:s}]", "idx", 0, "name", "0", "path", "", "type",
                                "sentence_transformers.models.Transformer", "idx", 1, "name", "1", "path", "1_Pooling", "type",
                                "sentence_transformers.models.Pooling");
    if (modules && normalize &&
        json_array_append_new(modules, json_pack("{s:i,s:s,s:s,s:s}", "idx", 2, "name", "2", "path", "2_Normalize", "type",
                                                 "sentence_transformers.models.Normalize"))) {
        json_decref(modules);
        modules = NULL;
    }
    trine_status status = write_json(dir, "modules.json", modules, err);
    if (status) return status;
    trine_json_builder config = { .object = json_object() };
    trine_json_put(&config, "word_embedding_dimension", json_integer(d_model));
    for (int i = 1; i < N_POOLINGS; i++) trine_json_put(&config, pooling_keys[i], json_boolean(i == (int)pooling));
    if (config.failed) {
        json_decref(config.object);
        config.object = NULL; /* told as a want of memory */
    }
    char *folder = trine_path_join(dir, "1_Pooling");
    if (!folder || mkdir(folder, 0777)) {
        status = trine_fail(err, folder ? TRINE_ERROR_IO : TRINE_ERROR_MEMORY, "cannot make the folder '1_Pooling' in '%s'", dir);
        json_decref(config.object);
    } else
        status = write_json(folder, "config.json", config.object, err);
    free(folder);
    return status;
}
