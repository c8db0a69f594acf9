/* initialise.c - weights before any training: the rules of transformers' _init_weights, family by family.
 *
 * Number i of a tensor is a function of the seed, the tensor's name and i (base/counter_random.h), so a model's first weights are the
 * same on any number of threads, and a tensor keeps its own whatever other head stands on the model. */
#include <math.h>
#include <string.h>

#include "base/counter_random.h"
#include "base/ends.h"
#include "train/params.h"

static double number(const json_t *config, const char *key, double fallback)
{
    const json_t *value = json_object_get(config, key);
    return json_is_number(value) ? json_number_value(value) : fallback;
}

/* T5 (Raffel et al. 2020, as in Mesh TensorFlow): scales are those of the fan in, and q's has 1 / sqrt(d_kv) in it, because scores are
 * not divided by it. Embeddings and an output layer of their own are of scale 1. */
static double t5_scale(const char *name, const json_t *config)
{
    const double factor = number(config, "initializer_factor", 1), d_model = number(config, "d_model", 512),
                 d_kv = number(config, "d_kv", 64), d_ff = number(config, "d_ff", 2048), n_heads = number(config, "num_heads", 8);
    if (trine_ends_with(name, "Attention.q.weight")) return factor / sqrt(d_model * d_kv);
    if (trine_ends_with(name, "Attention.o.weight")) return factor / sqrt(n_heads * d_kv);
    if (trine_ends_with(name, "DenseReluDense.wo.weight")) return factor / sqrt(d_ff);
    if (trine_ends_with(name, "shared.weight") || !strcmp(name, "lm_head.weight") || !strcmp(name, "classifier.weight"))
        return factor;
    return factor / sqrt(d_model); /* k, v, wi, wi_0, wi_1, the table of relative positions */
}

static bool is_t5(const json_t *config)
{
    const char *type = json_string_value(json_object_get(config, "model_type"));
    return type && (!strcmp(type, "t5") || !strcmp(type, "mt5") || !strcmp(type, "umt5"));
}

/* Standard deviation of a matrix's values. */
static double scale_of(const char *name, const json_t *config)
{
    if (is_t5(config)) return t5_scale(name, config);
    double range = number(config, "initializer_range", 0.02);
    if (range == 0) range = 0.02;
    /* GPT-2 (Radford et al. 2019, sec. 2.3): what is added to the residual stream is scaled by the number of such additions. */
    const char *type = json_string_value(json_object_get(config, "model_type"));
    if (type && !strcmp(type, "gpt2") && trine_ends_with(name, ".c_proj.weight"))
        return range / sqrt(2 * number(config, "n_layer", 12));
    return range;
}

/* The row of an embedding that stands for padding begins as zero; -1: none does. RoBERTa's position of padding is such a row too. */
static int64_t padding_row(const char *name, const json_t *config)
{
    const char *type = json_string_value(json_object_get(config, "model_type"));
    const bool roberta = type && (!strcmp(type, "roberta") || !strcmp(type, "xlm-roberta") || !strcmp(type, "camembert"));
    const bool words = trine_ends_with(name, "word_embeddings.weight");
    if (!words && !(trine_ends_with(name, "embed_tokens.weight") && !is_t5(config)) &&
        !(roberta && trine_ends_with(name, "position_embeddings.weight")))
        return -1;
    const json_t *pad = json_object_get(config, "pad_token_id");
    if (json_is_integer(pad)) return json_integer_value(pad);
    return pad || !words ? -1 : roberta ? 1 : 0;
}

static uint64_t stream_of(const char *name)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 1099511628211u;
    return h;
}

/* Normal numbers by pairs (Box & Muller 1958). */
static void fill_normal(float *x, size_t n, double scale, uint64_t key)
{
    for (size_t i = 0; i < n; i += 2) {
        const double radius = scale * sqrt(-2 * log(1 - trine_random_unit(key, i))),
                     angle = 6.283185307179586 * trine_random_unit(key, i + 1);
        x[i] = (float)(radius * cos(angle));
        if (i + 1 < n) x[i + 1] = (float)(radius * sin(angle));
    }
}

void trine_initialise(float *values, const trine_param *t, const json_t *config, uint64_t seed)
{
    if (t->n_dims == 1) { /* a bias, or a norm's scale */
        const float one = is_t5(config) ? (float)number(config, "initializer_factor", 1) : 1;
        const float fill = trine_ends_with(t->name, ".bias") ? 0 : one;
        for (size_t i = 0; i < t->n; i++) values[i] = fill;
        return;
    }
    if (strstr(t->name, ".lora_")) { /* as PEFT: A uniform by its fan in, B zero, so that an adapter begins as nothing */
        const double bound = trine_ends_with(t->name, ".lora_A.weight") ? 1 / sqrt((double)t->shape[1]) : 0;
        const uint64_t key = trine_random_key(seed, stream_of(t->name));
        for (size_t i = 0; i < t->n; i++) values[i] = (float)(bound * (2 * trine_random_unit(key, i) - 1));
        return;
    }
    fill_normal(values, t->n, scale_of(t->name, config), trine_random_key(seed, stream_of(t->name)));
    const int64_t pad = padding_row(t->name, config);
    if (pad >= 0 && pad < t->shape[0]) memset(values + pad * t->shape[1], 0, (size_t)t->shape[1] * sizeof *values);
    const char *how = json_string_value(json_object_get(config, "initializer"));
    if (how && !strcmp(how, "neighbours")) trine_initialise_neighbours(values, t, config);
}
