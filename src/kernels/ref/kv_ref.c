/* kv_ref.c - the loops over a tile of the cache, element by element, in double. */
#include <string.h>

#include "kernels/kv_kernels.h"

enum { PAGE = TRINE_KV_PAGE };

static float plain_at(const unsigned char *tile, size_t i, trine_dtype type)
{
    uint16_t half;
    float whole;
    if (type == TRINE_F32) {
        memcpy(&whole, tile + 4 * i, sizeof whole);
        return whole;
    }
    memcpy(&half, tile + 2 * i, sizeof half);
    return type == TRINE_F16 ? trine_f16_to_f32(half) : trine_bf16_to_f32(half);
}

/* Element `along` of the direction that is summed over, `across` of the other, which is `wide`. */
static int level_at(const unsigned char *tile, size_t along, size_t across, size_t wide, trine_dtype type)
{
    if (type == TRINE_Q8_0) return (int)tile[(along / 4 * wide + across) * 4 + along % 4] - 128; /* of keys */
    const int byte = tile[(along / 8 * wide + across) * 4 + along % 4];
    return (along % 8 < 4 ? byte & 15 : byte >> 4) - 8;
}

static float scale_at(const unsigned char *tile, size_t token, size_t i, size_t d, trine_dtype type)
{
    uint16_t half;
    memcpy(&half, tile + trine_kv_levels_bytes(type, d) + (i / 32 * PAGE + token) * sizeof half, sizeof half);
    return trine_f16_to_f32(half);
}

static bool has_levels(trine_dtype type) { return type == TRINE_Q8_0 || type == TRINE_Q4_0; }

static float key_at(const unsigned char *keys, size_t token, size_t i, size_t d, trine_dtype type)
{
    if (!has_levels(type)) return plain_at(keys, i * PAGE + token, type);
    return (float)level_at(keys, i, token, PAGE, type) * scale_at(keys, token, i, d, type);
}

static float value_at(const unsigned char *values, size_t token, size_t i, size_t d, trine_dtype type)
{
    if (!has_levels(type)) return plain_at(values, token * d + i, type);
    const int level = level_at(values, token, i, d, type); /* in q8_0 with its sign, not 128 more */
    return (float)(type == TRINE_Q8_0 ? (signed char)(level + 128) : level) * scale_at(values, token, i, d, type);
}

static void query(void *out, const float *q, size_t d) { memcpy(out, q, d * sizeof *q); }

static void scores_of(float *scores, size_t stride, const void *queries, int n, const void *keys, size_t d, trine_dtype type)
{
    for (int i = 0; i < n; i++) {
        const float *q = (const float *)(const void *)((const unsigned char *)queries + (size_t)i * trine_kv_query_bytes(d));
        for (size_t t = 0; t < PAGE; t++) {
            double sum = 0;
            for (size_t k = 0; k < d; k++) sum += (double)q[k] * (double)key_at(keys, t, k, d, type);
            scores[(size_t)i * stride + t] = (float)sum;
        }
    }
}

static void values_of(float *out, size_t out_stride, const float *weights, size_t stride, int n, const void *values, int n_keys,
                      size_t d, trine_dtype type)
{
    for (int i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++) {
            double sum = 0;
            for (size_t t = 0; t < (size_t)n_keys; t++)
                sum += (double)weights[(size_t)i * stride + t] * (double)value_at(values, t, j, d, type);
            out[(size_t)i * out_stride + j] += (float)sum;
        }
}

#define TRINE_KV_REF(name, type)                                                                                                   \
    static void scores_##name(float *scores, size_t stride, const void *queries, int n, const void *keys, size_t d,                \
                              const void *ahead)                                                                                   \
    {                                                                                                                              \
        (void)ahead;                                                                                                               \
        scores_of(scores, stride, queries, n, keys, d, type);                                                                      \
    }                                                                                                                              \
    static void values_##name(float *out, size_t out_stride, const float *weights, size_t stride, int n, const void *values,       \
                              int n_keys, size_t d, const void *ahead)                                                             \
    {                                                                                                                              \
        (void)ahead;                                                                                                               \
        values_of(out, out_stride, weights, stride, n, values, n_keys, d, type);                                                   \
    }                                                                                                                              \
    static void unpack_keys_##name(float *out, const void *keys, size_t d)                                                         \
    {                                                                                                                              \
        for (size_t i = 0; i < d; i++)                                                                                             \
            for (size_t t = 0; t < PAGE; t++) out[i * PAGE + t] = key_at(keys, t, i, d, type);                                     \
    }                                                                                                                              \
    static void unpack_values_##name(float *out, const void *values, int n, size_t d)                                              \
    {                                                                                                                              \
        for (size_t t = 0; t < (size_t)n; t++)                                                                                     \
            for (size_t i = 0; i < d; i++) out[t * d + i] = value_at(values, t, i, d, type);                                       \
    }
#define TRINE_KV_TYPES(X)                                                                                                          \
    X(f32, TRINE_F32)                                                                                                              \
    X(f16, TRINE_F16)                                                                                                              \
    X(bf16, TRINE_BF16)                                                                                                            \
    X(q8_0, TRINE_Q8_0)                                                                                                            \
    X(q4_0, TRINE_Q4_0)
TRINE_KV_TYPES(TRINE_KV_REF)

void trine_kv_kernels_ref(trine_kv_kernels *k)
{
#define ENTRY(name, type)                                                                                                          \
    k[type] = (trine_kv_kernels) { query, scores_##name, values_##name, unpack_keys_##name, unpack_values_##name };
    TRINE_KV_TYPES(ENTRY)
#undef ENTRY
}
