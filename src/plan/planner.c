/* planner.c - opening a model by its head: a file, a configuration, or the name of a published one. */
#include "plan/planner.h"

#include <stdlib.h>
#include <string.h>

#include "base/ends.h"
#include "base/file.h"
#include "base/status.h"
#include "checkpoint/blank_checkpoint.h"
#include "checkpoint/hollow_checkpoint.h"
#include "checkpoint/json_file.h"
#include "load/model_open.h"
#include "plan/presets.h"

/* The type that a configuration says its weights are stored in; f32, as PyTorch, when it says none. */
static trine_dtype type_of(const json_t *config)
{
    const char *name = json_string_value(json_object_get(config, "dtype"));
    if (!name) name = json_string_value(json_object_get(config, "torch_dtype"));
    if (name && !strncmp(name, "torch.", 6)) name += 6;
    if (name && !strcmp(name, "float16")) return TRINE_F16;
    return name && !strcmp(name, "bfloat16") ? TRINE_BF16 : TRINE_F32;
}

trine_status trine_plan_stored(trine_checkpoint **out, const json_t *config, trine_dtype type, trine_error *err)
{
    trine_model_info info;
    trine_checkpoint *c;
    *out = NULL;
    trine_status status = trine_checkpoint_blank(&c, config, NULL, err);
    if (!status) status = trine_family_declare(&info, c, err);
    if (!status) status = trine_checkpoint_hollow(c, type, err);
    if (status)
        trine_checkpoint_close(c);
    else
        *out = c;
    return status;
}

static trine_status open_config(trine_checkpoint **out, const json_t *config, const char *name, trine_error *err)
{
    const trine_status status = trine_plan_stored(out, config, type_of(config), err);
    return status ? trine_fail_in(err, status, "'%s'", name) : TRINE_OK;
}

static trine_status open_config_file(trine_checkpoint **out, const char *path, trine_error *err)
{
    json_t *config;
    trine_status status = trine_json_file_read(&config, path, err);
    if (!status) status = open_config(out, config, path, err);
    json_decref(config);
    return status;
}

/* A directory with weights, or with a config.json alone. */
static trine_status open_directory(trine_checkpoint **out, const char **source, const char *path, trine_error *err)
{
    static const char *const weights[] = { "model.safetensors", "model.safetensors.index.json" };
    bool there = false;
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
        char *name = trine_path_join(path, weights[i]);
        if (!name) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to open '%s'", path);
        there |= trine_file_exists(name);
        free(name);
    }
    *source = "file";
    trine_status status = there ? trine_checkpoint_open_head(out, path, err) : TRINE_ERROR_NOT_FOUND;
    if (status != TRINE_ERROR_NOT_FOUND) return status;
    *source = "config"; /* there are no weights, or a shard of them is missing */
    char *config = trine_path_join(path, "config.json");
    if (!config) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to open '%s'", path);
    status = open_config_file(out, config, err);
    free(config);
    return status;
}

static trine_status open_preset(trine_checkpoint **out, const char *name, trine_error *err)
{
    const int i = trine_preset_find(name);
    const char *near = i < 0 ? trine_preset_near(name) : NULL;
    if (i < 0)
        return trine_fail(err, TRINE_ERROR_NOT_FOUND,
                          "there is no file or directory '%s', and no published model of that name is known%s%s%s: expected a "
                          "model's directory, a config.json, a .gguf or .safetensors file, or a name such as llama-3-8b",
                          name, near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    json_t *config = trine_preset_config(i);
    if (!config) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a model's configuration");
    const trine_status status = open_config(out, config, name, err);
    json_decref(config);
    return status;
}

static trine_status open_head(trine_checkpoint **out, const char **source, const char *model, trine_error *err)
{
    *source = "file";
    if (trine_is_directory(model)) return open_directory(out, source, model, err);
    if (trine_file_exists(model) && !trine_ends_with(model, ".json")) return trine_checkpoint_open_head(out, model, err);
    *source = trine_ends_with(model, ".json") ? "config" : "preset";
    return trine_ends_with(model, ".json") ? open_config_file(out, model, err) : open_preset(out, model, err);
}

trine_status trine_planner_open(trine_planner **out, const char *model, const trine_planner_options *options, trine_error *err)
{
    const trine_planner_options none = { 0 };
    *out = NULL;
    if (!options) options = &none;
    if (!model || !*model) return trine_fail(err, TRINE_ERROR_ARGUMENT, "plan: no model was named");
    trine_planner *p = calloc(1, sizeof *p);
    if (!p) return trine_fail(err, TRINE_ERROR_MEMORY, "plan: no memory");
    trine_checkpoint *c = NULL;
    trine_status status = open_head(&c, &p->source, model, err);
    if (!status && options->weights) status = trine_plan_retype(&c, options->weights, model, err);
    const trine_model_options open = { .cpu = options->cpu };
    if (!status) status = trine_model_open_checkpoint(&p->model, c, NULL, model, &open, err);
    if (status) {
        free(p);
        return status;
    }
    *out = p;
    return TRINE_OK;
}

void trine_planner_close(trine_planner *p)
{
    if (!p) return;
    trine_model_close(p->model);
    free(p);
}

const trine_model_info *trine_planner_info(const trine_planner *p) { return &p->model->info; }
const char *trine_planner_source(const trine_planner *p) { return p->source; }
const char *trine_preset(int i) { return trine_preset_name(i); }
