/* adapter.c - see adapter.h. */
#include "models/adapter.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ends.h"
#include "base/file.h"
#include "base/size.h"
#include "base/status.h"
#include "checkpoint/json_file.h"
#include "quant/quant.h"

const char *const trine_name_prefixes[] = { "bert.", "roberta.", "distilbert.", "transformer.", "model.", NULL };

enum { NAME_BYTES = 256 };
static const char a_end[] = ".lora_A.weight", b_end[] = ".lora_B.weight";

static bool starts_with(const char *text, const char *start) { return !strncmp(text, start, strlen(start)); }

static const char *without_prefix(const char *name)
{
    for (int i = 0; trine_name_prefixes[i]; i++)
        if (starts_with(name, trine_name_prefixes[i])) return name + strlen(trine_name_prefixes[i]);
    return name;
}

trine_adapter_module *trine_adapter_find(const trine_adapter *adapter, const char *name)
{
    if (!trine_ends_with(name, ".weight")) return NULL;
    const char *plain = without_prefix(name);
    const size_t n = strlen(plain) - strlen(".weight");
    for (int i = 0; i < adapter->n_modules; i++) {
        const char *module = without_prefix(adapter->modules[i].name);
        if (strlen(module) == n && !strncmp(module, plain, n)) return &adapter->modules[i];
    }
    return NULL;
}

const trine_tensor *trine_adapter_tensor(const trine_adapter *adapter, const char *name)
{
    if (!adapter->file) return NULL;
    char whole[NAME_BYTES];
    const char *plain = without_prefix(name);
    snprintf(whole, sizeof whole, "%s%s", TRINE_ADAPTER_PREFIX, plain);
    const trine_tensor *t = trine_checkpoint_find(adapter->file, whole);
    for (int i = 0; !t && trine_name_prefixes[i]; i++) {
        snprintf(whole, sizeof whole, "%s%s%s", TRINE_ADAPTER_PREFIX, trine_name_prefixes[i], plain);
        t = trine_checkpoint_find(adapter->file, whole);
    }
    return t;
}

/* ------------------------------------------------------------------------------------------------------- configuration */

static trine_status refuse(const char *path, const char *key, const char *expected, trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "'%s': \"%s\" asks for what is not supported, expected %s", path, key,
                      expected);
}

/* What changes the sum and is not computed here. */
static trine_status check_config(const json_t *config, const char *path, trine_error *err)
{
    static const char *const kinds[] = { "use_dora", "lora_bias", "use_qalora", "use_bdlora" };
    const char *type = json_string_value(json_object_get(config, "peft_type")),
               *bias = json_string_value(json_object_get(config, "bias"));
    if (type && strcmp(type, "LORA") != 0) return refuse(path, "peft_type", "LORA", err);
    if (bias && strcmp(bias, "none") != 0) return refuse(path, "bias", "none", err);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (json_is_true(json_object_get(config, kinds[i]))) return refuse(path, kinds[i], "false", err);
    if (json_object_size(json_object_get(config, "alpha_pattern"))) return refuse(path, "alpha_pattern", "none", err);
    const json_t *alpha = json_object_get(config, "lora_alpha");
    if (!json_is_number(alpha) || !isfinite(json_number_value(alpha)))
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' has no \"lora_alpha\", expected a number", path);
    return TRINE_OK;
}

/* alpha / rank, by the rank that the matrices have. */
static float scale_of(const json_t *config, int rank)
{
    const double alpha = json_number_value(json_object_get(config, "lora_alpha"));
    return (float)(json_is_true(json_object_get(config, "use_rslora")) ? alpha / sqrt(rank) : alpha / rank);
}

/* ------------------------------------------------------------------------------------------------------------ matrices */

static trine_status check_pair(const trine_tensor *a, const trine_tensor *b, const char *path, trine_error *err)
{
    if (!b) return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' has '%s' without its lora_B", path, a->name);
    for (int i = 0; i < 2; i++) {
        const trine_tensor *t = i ? b : a;
        if (t->type != TRINE_F32 && t->type != TRINE_F16 && t->type != TRINE_BF16)
            return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "'%s': tensor '%s' has type %s, expected f32, f16 or bf16", path,
                              t->name, trine_dtype_name(t->type));
    }
    if (a->n_dims == 2 && b->n_dims == 2 && a->shape[0] == b->shape[1] && a->shape[0] > 0 && a->shape[1] > 0 && b->shape[0] > 0 &&
        a->shape[0] <= INT32_MAX && a->shape[1] <= INT32_MAX && b->shape[0] <= INT32_MAX)
        return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_FORMAT,
                      "'%s': '%s' is [%" PRId64 ",%" PRId64 "] and its lora_B [%" PRId64 ",%" PRId64
                      "], expected [r,in] and [out,r]",
                      path, a->name, a->shape[0], a->shape[1], b->shape[0], b->shape[1]);
}

static const trine_tensor *find_b(const trine_checkpoint *c, const trine_tensor *a)
{
    char name[NAME_BYTES];
    const size_t n = strlen(a->name) - strlen(a_end);
    if (n + sizeof b_end > sizeof name) return NULL;
    memcpy(name, a->name, n);
    strcpy(name + n, b_end);
    return trine_checkpoint_find(c, name);
}

/* As f32 at an aligned place; safetensors aligns nothing beyond bytes. */
static void unpack(float *out, const trine_tensor *t)
{
    const size_t n = (size_t)t->shape[0] * (size_t)t->shape[1];
    const unsigned char *from = t->data;
    if (t->type == TRINE_F32) {
        memcpy(out, from, n * sizeof *out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, from + 2 * i, sizeof h);
        out[i] = t->type == TRINE_F16 ? trine_f16_to_f32(h) : trine_bf16_to_f32(h);
    }
}

static size_t padded(const trine_tensor *t) { return trine_round_up((size_t)t->shape[0] * (size_t)t->shape[1], 16); }

/* Counts the pairs and their floats, and refuses what is neither of a pair nor a whole tensor. */
static trine_status count(trine_adapter *adapter, size_t *n_floats, const char *path, trine_error *err)
{
    const trine_checkpoint *c = adapter->file;
    for (int i = 0; i < trine_checkpoint_n_tensors(c); i++) {
        const trine_tensor *t = trine_checkpoint_tensor(c, i);
        if (trine_ends_with(t->name, a_end)) {
            const trine_tensor *b = find_b(c, t);
            const trine_status status = check_pair(t, b, path, err);
            if (status) return status;
            *n_floats += padded(t) + padded(b);
            adapter->n_modules++;
        } else if (!starts_with(t->name, TRINE_ADAPTER_PREFIX) || (strstr(t->name, ".lora_") && !trine_ends_with(t->name, b_end))) {
            return trine_fail(err, TRINE_ERROR_UNSUPPORTED,
                              "'%s': tensor '%s' is of no kind that is supported: lora_A, lora_B or whole", path, t->name);
        }
    }
    if (adapter->n_modules) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' holds no adapter: no tensor ends in %s", path, a_end);
}

static trine_status take(trine_adapter *adapter, const json_t *config, const char *path, trine_error *err)
{
    const trine_checkpoint *c = adapter->file;
    size_t n_floats = 0;
    const trine_status status = count(adapter, &n_floats, path, err);
    if (status) {
        adapter->n_modules = 0;
        return status;
    }
    void *memory = NULL;
    adapter->modules = calloc((size_t)adapter->n_modules, sizeof *adapter->modules);
    if (!adapter->modules || posix_memalign(&memory, 64, n_floats * sizeof(float))) {
        adapter->n_modules = 0;
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the adapter '%s'", path);
    }
    adapter->memory = memory;
    float *at = adapter->memory;
    for (int i = 0, n = 0; i < trine_checkpoint_n_tensors(c); i++) {
        const trine_tensor *a = trine_checkpoint_tensor(c, i);
        if (!trine_ends_with(a->name, a_end)) continue;
        const trine_tensor *b = find_b(c, a);
        const char *name = a->name + (starts_with(a->name, TRINE_ADAPTER_PREFIX) ? strlen(TRINE_ADAPTER_PREFIX) : 0);
        trine_adapter_module *m = &adapter->modules[n++];
        m->name = strndup(name, strlen(name) - strlen(a_end));
        if (!m->name) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the adapter '%s'", path);
        m->lora = (trine_lora) {
            .a = { .data = at, .type = TRINE_F32, .rows = (int)a->shape[0], .cols = (int)a->shape[1] },
            .b = { .data = at + padded(a), .type = TRINE_F32, .rows = (int)b->shape[0], .cols = (int)b->shape[1] },
            .scale = scale_of(config, (int)a->shape[0]),
        };
        unpack(at, a);
        unpack(at + padded(a), b);
        at += padded(a) + padded(b);
    }
    return TRINE_OK;
}

trine_status trine_adapter_open(trine_adapter **out, const char *dir, trine_error *err)
{
    *out = NULL;
    trine_adapter *adapter = calloc(1, sizeof *adapter);
    char *config_path = trine_path_join(dir, "adapter_config.json"), *path = trine_path_join(dir, "adapter_model.safetensors");
    json_t *config = NULL;
    trine_status status = TRINE_OK;
    if (!adapter || !config_path || !path)
        status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory to open the adapter '%s'", dir);
    else if (!trine_file_exists(config_path))
        status = trine_fail(err, TRINE_ERROR_NOT_FOUND, "'%s' is no adapter: it has no adapter_config.json", dir);
    if (!status) status = trine_json_file_read(&config, config_path, err);
    if (!status) status = check_config(config, config_path, err);
    if (!status) status = trine_safetensors_open(&adapter->file, path, err);
    if (!status) status = take(adapter, config, path, err);
    if (!status) status = trine_json_file_read_optional(&adapter->config, dir, "config.json", err);
    json_decref(config);
    free(config_path);
    free(path);
    if (status) {
        trine_adapter_close(adapter);
        return status;
    }
    *out = adapter;
    return TRINE_OK;
}

void trine_adapter_close(trine_adapter *adapter)
{
    if (!adapter) return;
    for (int i = 0; i < adapter->n_modules; i++) free(adapter->modules[i].name);
    free(adapter->modules);
    free(adapter->memory);
    trine_checkpoint_close(adapter->file);
    json_decref(adapter->config);
    free(adapter);
}
