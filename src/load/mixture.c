/* mixture.c - see mixture.h. The rules are those that llama.cpp publishes for the same names, so that a file has the size and the
 * types its name leads one to expect:
 *
 *   - the output layer (or the embedding that serves as one) is q6_k: its errors go straight into the logits;
 *   - q4_k_m and q5_k_m give q6_k to the attention's values and the feed-forward's second matrix in the first and last eighth of
 *     the layers and in every third between; q4_k_s gives q5_k to them in the first layers;
 *   - blocks of 256 that do not divide a row are replaced by blocks of 32 with at least as many bits.
 *
 * Vectors and tables are not asked about: they stay exact. */
#include "load/mixture.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ends.h"
#include "quant/quant.h"

/* clang-format off */
static const trine_mixture mixtures[] = {
    { .name = "f32",    .base = TRINE_F32,  .file_type = 0 },
    { .name = "f16",    .base = TRINE_F16,  .file_type = 1 },
    { .name = "bf16",   .base = TRINE_BF16, .file_type = 32 },
    { .name = "q8_0",   .base = TRINE_Q8_0, .file_type = 7 },
    { .name = "q4_0",   .base = TRINE_Q4_0, .file_type = 2 },
    { .name = "q4_1",   .base = TRINE_Q4_1, .file_type = 3 },
    { .name = "q5_0",   .base = TRINE_Q5_0, .file_type = 8 },
    { .name = "q5_1",   .base = TRINE_Q5_1, .file_type = 9 },
    { .name = "q4_k",   .base = TRINE_Q4_K, .file_type = 14 },
    { .name = "q4_k_s", .base = TRINE_Q4_K, .more = TRINE_Q5_K, .file_type = 14 },
    { .name = "q4_k_m", .base = TRINE_Q4_K, .more = TRINE_Q6_K, .qkv = TRINE_Q5_K, .spread = true, .file_type = 15 },
    { .name = "q5_k",   .base = TRINE_Q5_K, .file_type = 16 },
    { .name = "q5_k_s", .base = TRINE_Q5_K, .file_type = 16 },
    { .name = "q5_k_m", .base = TRINE_Q5_K, .more = TRINE_Q6_K, .qkv = TRINE_Q6_K, .spread = true, .file_type = 17 },
    { .name = "q6_k",   .base = TRINE_Q6_K, .file_type = 18 },
};
/* clang-format on */
enum { N_MIXTURES = sizeof mixtures / sizeof *mixtures };

const trine_mixture *trine_mixture_find(const char *name)
{
    for (int i = 0; name && i < N_MIXTURES; i++)
        if (!strcasecmp(name, mixtures[i].name)) return &mixtures[i];
    return NULL;
}

const char *trine_mixture_name(int i) { return i >= 0 && i < N_MIXTURES ? mixtures[i].name : NULL; }

trine_place trine_place_of(const char *name)
{
    /* The heads of masked language models have no names of their own in GGUF. */
    static const struct {
        const char *end;
        trine_role role;
    } roles[] = {
        { "token_embd.weight", TRINE_ROLE_EMBEDDING },
        { "position_embd.weight", TRINE_ROLE_TABLE },
        { "token_types.weight", TRINE_ROLE_TABLE },
        { "attn_rel_b.weight", TRINE_ROLE_TABLE },
        { "cls.output.weight", TRINE_ROLE_LABELS },
        { "score.weight", TRINE_ROLE_LABELS },
        { "classifier.weight", TRINE_ROLE_LABELS },
        { "attn_v.weight", TRINE_ROLE_VALUE },
        { "attn_qkv.weight", TRINE_ROLE_QKV },
        { "ffn_down.weight", TRINE_ROLE_DOWN },
        { "cls.predictions.decoder.weight", TRINE_ROLE_OUTPUT },
        { "lm_head.decoder.weight", TRINE_ROLE_OUTPUT },
        { "vocab_projector.weight", TRINE_ROLE_OUTPUT },
    };
    trine_place place = { .layer = -1 };
    const bool enc = !strncmp(name, "enc.", 4), dec = !strncmp(name, "dec.", 4);
    if (enc || dec) memcpy(place.stack, name, 4);
    const char *in_stack = name + strlen(place.stack);
    if (!strncmp(in_stack, "blk.", 4) && isdigit((unsigned char)in_stack[4]) && strlen(in_stack) < 64) {
        const long layer = strtol(in_stack + 4, NULL, 10);
        if (layer < 1 << 20) place.layer = (int)layer;
    }
    if (!strcmp(name, "output.weight")) place.role = TRINE_ROLE_OUTPUT;
    for (size_t i = 0; !place.role && i < sizeof roles / sizeof *roles; i++)
        if (trine_ends_with(name, roles[i].end)) place.role = roles[i].role;
    return place;
}

/* The first and the last eighth of the layers, and every third between. */
static bool is_among_spread(int layer, int n) { return layer < n / 8 || layer >= 7 * n / 8 || (layer - n / 8) % 3 == 2; }

trine_dtype trine_mixture_type(const trine_mixture *m, const trine_place *place, int n_layers, bool has_output)
{
    const bool output = place->role == TRINE_ROLE_OUTPUT || (place->role == TRINE_ROLE_EMBEDDING && !has_output);
    if (place->role == TRINE_ROLE_TABLE || place->role == TRINE_ROLE_LABELS) return TRINE_DTYPE_DEFAULT;
    if (output) return trine_dtype_get(m->base)->block > 1 && m->base != TRINE_Q8_0 ? TRINE_Q6_K : m->base;
    if (place->role == TRINE_ROLE_QKV && m->qkv) return m->qkv;
    if (!m->more || place->layer < 0 || (place->role != TRINE_ROLE_VALUE && place->role != TRINE_ROLE_DOWN)) return m->base;
    const int first = place->role == TRINE_ROLE_VALUE ? 4 : n_layers / 8;
    return (m->spread ? is_among_spread(place->layer, n_layers) : place->layer < first) ? m->more : m->base;
}

trine_dtype trine_type_for_row(trine_dtype type, int64_t n)
{
    const trine_dtype smaller[TRINE_DTYPE_COUNT] = {
        [TRINE_Q4_K] = TRINE_Q5_0, [TRINE_Q5_K] = TRINE_Q5_1, [TRINE_Q6_K] = TRINE_Q8_0
    };
    if (n % trine_dtype_get(type)->block && smaller[type]) type = smaller[type];
    return n % trine_dtype_get(type)->block ? TRINE_F16 : type;
}
