/* config.c - fields of config.json, read so that a load function is a table: each reader gives the field's value, or notes on the
 * loader which field is wrong and what was expected. GGUF metadata arrives here as the same fields (checkpoint.h). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ends.h"
#include "base/status.h"
#include "models/model.h"

/* The field, or NULL when it is absent or null, or when loading has failed. */
static const json_t *field(const trine_loader *l, const char *key)
{
    if (l->status) return NULL;
    const json_t *value = json_object_get(l->config, key);
    return json_is_null(value) ? NULL : value;
}

bool trine_config_has(const trine_loader *l, const char *key) { return field(l, key) != NULL; }

static const char *kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "a list";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a fraction";
    case JSON_TRUE:
    case JSON_FALSE: return "true or false";
    default: return "null";
    }
}

int trine_read_int(trine_loader *l, const char *key, int fallback, int low, int high)
{
    const json_t *value = field(l, key);
    if (!value) {
        if (fallback != TRINE_REQUIRED) return fallback;
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json has no \"%s\", expected an integer from %d to %d", key, low, high);
        return 0;
    }
    /* Some writers give 512.0 for 512. */
    const double number = json_number_value(value);
    if (!json_is_number(value) || number != floor(number)) {
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json \"%s\" is %s, expected an integer", key, kind_of(value));
        return 0;
    }
    if (number < low || number > high) {
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json \"%s\" is %.0f, expected %d to %d", key, number, low, high);
        return 0;
    }
    return (int)number;
}

float trine_read_float(trine_loader *l, const char *key, float fallback, double low, double high)
{
    const json_t *value = field(l, key);
    if (!value) return fallback;
    if (!json_is_number(value)) {
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json \"%s\" is %s, expected a number", key, kind_of(value));
        return fallback;
    }
    const double number = json_number_value(value);
    if (!(number >= low && number <= high)) {
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json \"%s\" is %g, expected %g to %g", key, number, low, high);
        return fallback;
    }
    return (float)number;
}

bool trine_read_bool(trine_loader *l, const char *key, bool fallback)
{
    const json_t *value = field(l, key);
    if (!value) return fallback;
    if (!json_is_boolean(value)) {
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json \"%s\" is %s, expected true or false", key, kind_of(value));
        return fallback;
    }
    return json_is_true(value);
}

const char *trine_read_string(trine_loader *l, const char *key, const char *fallback)
{
    const json_t *value = field(l, key);
    if (!value) return fallback;
    if (!json_is_string(value)) {
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json \"%s\" is %s, expected a string", key, kind_of(value));
        return fallback;
    }
    return json_string_value(value);
}

int32_t trine_read_token(trine_loader *l, const char *key, int32_t absent)
{
    if (l->status) return -1;
    const json_t *value = json_object_get(l->config, key);
    if (!value) return absent;
    if (json_is_array(value)) value = json_array_get(value, 0); /* Llama 3 names several end tokens */
    if (!value || json_is_null(value)) return -1;
    if (!json_is_integer(value) || json_integer_value(value) < -1 || json_integer_value(value) > INT32_MAX) {
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json \"%s\" is not a token id: expected 0 to %d", key, INT32_MAX);
        return -1;
    }
    return (int32_t)json_integer_value(value);
}

void trine_read_tokens(trine_loader *l, int32_t bos, int32_t eos, int32_t pad)
{
    l->m->info.bos = trine_read_token(l, "bos_token_id", bos);
    l->m->info.eos = trine_read_token(l, "eos_token_id", eos);
    l->m->info.pad = trine_read_token(l, "pad_token_id", pad);
}

int trine_read_size(trine_loader *l, const char *key, int when_blank)
{
    return trine_read_int(l, key, trine_load_blank(l) ? when_blank : -1, 1, INT_MAX);
}

int trine_read_n_labels(trine_loader *l)
{
    if (!trine_load_blank(l)) return -1;
    const json_t *id2label = field(l, "id2label");
    const size_t n = json_object_size(id2label);
    if (n) return n < TRINE_MAX_WIDTH ? (int)n : TRINE_MAX_WIDTH;
    return trine_read_int(l, "num_labels", 2, 1, TRINE_MAX_WIDTH);
}

enum { MOST_LAYERS = 1 << 16 }; /* of a model that is not there yet: what a configuration asks for costs memory */

int trine_read_layers(trine_loader *l, const char *key, int fallback)
{
    if (trine_load_blank(l)) return trine_read_int(l, key, fallback, 1, MOST_LAYERS);
    const int n = trine_read_int(l, key, fallback, 1, INT_MAX), n_tensors = trine_checkpoint_n_tensors(l->m->checkpoint);
    if (l->status || n <= n_tensors) return l->status ? 0 : n;
    trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json \"%s\" is %d, but the checkpoint holds only %d tensors", key, n, n_tensors);
    return 0;
}

trine_activation trine_read_activation(trine_loader *l, const char *key, const char *fallback)
{
    trine_activation kind = TRINE_RELU;
    const char *name = trine_read_string(l, key, fallback);
    if (l->status) return kind;
    if (!trine_activation_from_name(&kind, name))
        trine_load_fail(
            l, TRINE_ERROR_UNSUPPORTED,
            "config.json \"%s\" is \"%s\"; supported activations: relu, gelu, gelu_new, gelu_pytorch_tanh, silu, swish, tanh", key,
            name);
    l->m->info.activation = name;
    return kind;
}

enum { NUMBER_MAX = 32 };

/* The name that id2label gives label i, or NULL. Keys are "0", "1"...: JSON has no integer keys. A whole number as a name is spelt in
 * `digits`; what is neither text nor number names nothing. */
static const char *label_name(char digits[NUMBER_MAX], const json_t *id2label, int i)
{
    snprintf(digits, NUMBER_MAX, "%d", i);
    const json_t *name = json_object_get(id2label, digits);
    if (!json_is_integer(name)) return json_string_value(name);
    snprintf(digits, NUMBER_MAX, "%lld", (long long)json_integer_value(name));
    return digits;
}

void trine_read_labels(trine_loader *l, int n_labels)
{
    const json_t *id2label = field(l, "id2label");
    if (id2label && !json_is_object(id2label))
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json \"id2label\" is not an object, expected {\"0\": \"name\", ...}");
    else if (id2label && json_object_size(id2label) != (size_t)n_labels)
        trine_load_fail(l, TRINE_ERROR_FORMAT, "config.json \"id2label\" names %zu labels, but the classifier has %d",
                        json_object_size(id2label), n_labels);
    char **labels = trine_load_alloc(l, (size_t)n_labels, sizeof *labels);
    for (int i = 0; labels && i < n_labels; i++) {
        char digits[NUMBER_MAX], unnamed[NUMBER_MAX];
        snprintf(unnamed, sizeof unnamed, "LABEL_%d", i); /* as transformers has it where there is no id2label */
        const char *name = id2label ? label_name(digits, id2label, i) : unnamed;
        if (!name) {
            trine_load_fail(
                l, TRINE_ERROR_FORMAT,
                "config.json \"id2label\" has no name for label %d: expected \"%d\": \"name\", a text or a whole number", i, i);
            return;
        }
        labels[i] = trine_load_alloc(l, strlen(name) + 1, 1);
        if (!labels[i]) return;
        strcpy(labels[i], name);
    }
    if (l->status) return;
    l->m->labels = labels;
    l->m->info.n_labels = n_labels;
}

trine_head trine_read_head(trine_loader *l, const trine_architecture *known, trine_head unnamed)
{
    const json_t *list = field(l, "architectures");
    const char *name = json_is_array(list) ? json_string_value(json_array_get(list, 0)) : NULL;
    l->m->info.architecture = name ? name : "";
    if (!name || l->status) return l->m->info.head = unnamed;
    for (const trine_architecture *a = known; a->suffix; a++)
        if (trine_ends_with(name, a->suffix)) return l->m->info.head = a->head;
    char supported[256] = "";
    for (const trine_architecture *a = known; a->suffix; a++) {
        const size_t used = strlen(supported);
        snprintf(supported + used, sizeof supported - used, "%s...%s", used ? ", " : "", a->suffix);
    }
    trine_load_fail(l, TRINE_ERROR_UNSUPPORTED, "config.json \"architectures\" names %s; supported classes: %s", name, supported);
    return TRINE_HEAD_NONE;
}

void trine_refuse_config(trine_loader *l)
{
    if (field(l, "quantization_config"))
        trine_load_fail(l, TRINE_ERROR_UNSUPPORTED,
                        "config.json has \"quantization_config\"; supported: unquantised safetensors (F32, F16, BF16) and GGUF");
    static const char *const experts[] = { "num_experts", "num_local_experts", "n_routed_experts", NULL };
    for (int i = 0; experts[i]; i++)
        if (trine_read_int(l, experts[i], 0, 0, INT_MAX) > 1)
            trine_load_fail(l, TRINE_ERROR_UNSUPPORTED,
                            "config.json has \"%s\": mixtures of experts are not supported, only dense models", experts[i]);
    static const char *const decoders[] = { "add_cross_attention", NULL };
    for (int i = 0; decoders[i]; i++)
        if (trine_read_bool(l, decoders[i], false))
            trine_load_fail(l, TRINE_ERROR_UNSUPPORTED, "config.json has \"%s\": true; cross-attention is supported in T5 only",
                            decoders[i]);
}
