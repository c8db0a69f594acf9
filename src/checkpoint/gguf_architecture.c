/* gguf_architecture.c - using the tables: look-up, and names in both directions. */
#include "checkpoint/gguf_architecture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "base/size.h"

const trine_gguf_architecture *const trine_gguf_architectures[] = {
    &trine_gguf_llama, &trine_gguf_mistral, &trine_gguf_qwen2,       &trine_gguf_qwen3,      &trine_gguf_gpt2,
    &trine_gguf_bert,  &trine_gguf_roberta, &trine_gguf_xlm_roberta, &trine_gguf_camembert,  &trine_gguf_distilbert,
    &trine_gguf_t5,    &trine_gguf_mt5,     &trine_gguf_umt5,        &trine_gguf_t5_encoder, NULL,
};

const trine_gguf_architecture *trine_gguf_architecture_find(const char *gguf, const char *model_type)
{
    const trine_gguf_architecture *first = NULL;
    for (int i = 0; trine_gguf_architectures[i]; i++) {
        const trine_gguf_architecture *a = trine_gguf_architectures[i];
        if (strcmp(a->gguf, gguf)) continue;
        if (!first) first = a;
        if (model_type && !strcmp(a->model_type, model_type)) return a;
    }
    return first;
}

const trine_gguf_architecture *trine_gguf_architecture_of(const json_t *config)
{
    const char *type = json_string_value(json_object_get(config, "model_type"));
    const char *class_name = json_string_value(json_array_get(json_object_get(config, "architectures"), 0));
    if (!type) return NULL;
    if (!strcmp(type, "t5") && class_name && !strcmp(class_name, "T5EncoderModel")) return &trine_gguf_t5_encoder;
    for (int i = 0; trine_gguf_architectures[i]; i++) {
        if (!strcmp(trine_gguf_architectures[i]->model_type, type)) return trine_gguf_architectures[i];
    }
    return NULL;
}

/* Whether `name` is `pattern` with a number where '*' is; the number is [*number, *number + *digits). */
static bool match(const char *name, size_t n, const char *pattern, const char **number, size_t *digits)
{
    const char *star = strchr(pattern, '*'), *end = name + n;
    *number = NULL;
    *digits = 0;
    if (!star) return strlen(pattern) == n && !memcmp(name, pattern, n);
    const size_t before = (size_t)(star - pattern), after = strlen(star + 1);
    if (n < before + 1 + after || memcmp(name, pattern, before) || memcmp(end - after, star + 1, after)) return false;
    *number = name + before;
    *digits = n - before - after;
    return strspn(*number, "0123456789") >= *digits;
}

static void append_filled(trine_buffer *out, const char *pattern, const char *number, size_t digits)
{
    const char *star = strchr(pattern, '*');
    if (!star) {
        trine_buffer_puts(out, pattern);
        return;
    }
    trine_buffer_append(out, pattern, (size_t)(star - pattern));
    trine_buffer_append(out, number, digits);
    trine_buffer_puts(out, star + 1);
}

/* Length of the name without ".weight" or ".bias". */
static size_t base_length(const char *name)
{
    const size_t n = strlen(name);
    if (n > 7 && !strcmp(name + n - 7, ".weight")) return n - 7;
    if (n > 5 && !strcmp(name + n - 5, ".bias")) return n - 5;
    return n;
}

/* `skip`: rows that do not hold for this file. */
static bool translate(trine_buffer *out, const trine_gguf_architecture *a, const char *name, bool to_hf, trine_gguf_when skip)
{
    const size_t n = base_length(name);
    for (const trine_gguf_name *row = a->names; row->gguf; row++) {
        const char *number;
        size_t digits;
        if (skip && row->when == skip) continue;
        if (!match(name, n, to_hf ? row->gguf : row->hf, &number, &digits)) continue;
        append_filled(out, to_hf ? row->hf : row->gguf, number, digits);
        trine_buffer_puts(out, name + n);
        return true;
    }
    return false;
}

void trine_gguf_name_to_hf(trine_buffer *out, const trine_gguf_architecture *a, const char *name, bool gated)
{
    if (!translate(out, a, name, true, gated ? TRINE_WITHOUT_GATE : TRINE_WITH_GATE)) trine_buffer_puts(out, name);
}

void trine_gguf_name_from_hf(trine_buffer *out, const trine_gguf_architecture *a, const char *name)
{
    if (translate(out, a, name, false, TRINE_ALWAYS)) return;
    trine_buffer with_prefix = { 0 };
    trine_buffer_puts(&with_prefix, a->prefix);
    trine_buffer_puts(&with_prefix, name);
    if (with_prefix.failed)
        out->failed = true;
    else if (!translate(out, a, with_prefix.data, false, TRINE_ALWAYS))
        trine_buffer_puts(out, name);
    trine_buffer_clear(&with_prefix);
}

/* "llama" and ".block_count" make "llama.block_count"; other keys are whole. */
static void whole_key(char out[128], const char *architecture, const char *key)
{
    out[0] = 0;
    if (*key == '.') strncat(out, architecture, 40);
    strncat(out, key, 80);
}

bool trine_gguf_field_int(int64_t *out, const trine_gguf *g, const char *architecture, const char *key)
{
    char whole[128];
    size_t n;
    whole_key(whole, architecture, key);
    if (trine_gguf_get_int(out, g, whole)) return true;
    /* Some keys may be given for each layer; that is the same as one number when all agree. */
    if (!trine_gguf_get_array(&n, g, whole) || !n || !trine_gguf_array_int(out, g, whole, 0)) return false;
    for (size_t i = 1; i < n; i++) {
        int64_t other;
        if (!trine_gguf_array_int(&other, g, whole, i) || other != *out) return false;
    }
    return true;
}

bool trine_gguf_field_float(double *out, const trine_gguf *g, const char *architecture, const char *key)
{
    char whole[128], text[32];
    double value;
    whole_key(whole, architecture, key);
    if (!trine_gguf_get_float(&value, g, whole) || !isfinite(value)) return false;
    /* 1e-5 was rounded to f32 when it was stored: give the shortest decimal that rounds to the same. */
    for (int digits = 1; digits <= 9; digits++) {
        trine_print(text, sizeof text, "%.*g", digits, value);
        if ((float)trine_to_double(text, NULL) == (float)value) break;
    }
    *out = trine_to_double(text, NULL);
    return true;
}

bool trine_gguf_has_tensor(const trine_gguf *g, const char *name)
{
    for (int i = 0; i < trine_gguf_n_tensors(g); i++) {
        if (!strcmp(trine_gguf_tensor_at(g, i)->name, name)) return true;
    }
    return false;
}

const json_t *trine_config_value(const json_t *config, const char *outer, const char *key)
{
    const json_t *value = json_object_get(outer ? json_object_get(config, outer) : config, key);
    return json_is_null(value) ? NULL : value;
}

int64_t trine_config_whole(const json_t *config, const char *key, int64_t fallback)
{
    const json_t *value = json_object_get(config, key);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : fallback;
}
