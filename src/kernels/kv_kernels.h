/* kv_kernels.h - the loops of attention over one tile of the cache: TRINE_KV_PAGE tokens of one layer and head, as they lie.
 *
 * The layouts serve a step of decoding, which reads every byte once and should do little else. Keys lie with 64 tokens
 * side by side, so that no sum across lanes is needed; values by rows, so that a weight meets a row at once. Levels of
 * quantised types lie by four along the direction of the sum, as byte products want them (vpdpbusd: one side unsigned).
 * With P = 64 tokens and d = d_head (a multiple of 32 when quantised):
 *
 *     f32 f16 bf16   keys   [d][P]                                     values [P][d]
 *     q8_0           keys   level + 128 [d/4][P][4], then scales       values level       [P/4][d][4], then scales
 *     q4_0           keys   level + 8   [d/8][P][4], then scales       values level + 8   [P/8][d][4], then scales
 *                           a byte: elements i (low half) and i + 4 of eight along d, or along P
 *     scales         f16 [d/32][P] of both: element i of token t has scale [i/32][t]; those of q8_0 are not negative
 *
 * Bytes and rounding are those of the type. */
#ifndef TRINE_KERNELS_KV_KERNELS_H
#define TRINE_KERNELS_KV_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "quant/quant.h"

#define TRINE_KV_PAGE 64  /* tokens of a tile */
#define TRINE_KV_SLACK 64 /* bytes after a tile that may be read, never used */

/* Bytes of a query as the loop over keys of a type wants it: d floats; or, for levels, planes of bytes with a scale each 32. */
static inline size_t trine_kv_query_bytes(size_t d) { return (4 * d + 63) / 64 * 64; }
typedef void trine_kv_query_fn(void *out, const float *q, size_t d);
/* scores[i * stride + t] = query i . key t for all TRINE_KV_PAGE slots, i < n; queries trine_kv_query_bytes apart. What lies in
 * slots that hold no token comes out as anything. `ahead`: a tile that will be read soon, or NULL. */
typedef void trine_kv_scores_fn(float *scores, size_t stride, const void *queries, int n, const void *keys, size_t d,
                                const void *ahead);
/* out[i * out_stride + j] += sum over t < n_keys of weights[i * stride + t] * value t [j], i < n. Weights are not negative. */
typedef void trine_kv_values_fn(float *out, size_t out_stride, const float *weights, size_t stride, int n, const void *values,
                                int n_keys, size_t d, const void *ahead);
/* Keys as [d][TRINE_KV_PAGE], and the first n values as [n][d]. */
typedef void trine_kv_unpack_keys_fn(float *out, const void *keys, size_t d);
typedef void trine_kv_unpack_values_fn(float *out, const void *values, int n, size_t d);

/* The entries of one cache type. References are exact but for f32; loops over levels round the other factor, too: a query to
 * 14 bits (8 for q4_0), the weights of a tile times their scales to 14. */
typedef struct trine_kv_kernels {
    trine_kv_query_fn *query;
    trine_kv_scores_fn *scores;
    trine_kv_values_fn *values;
    trine_kv_unpack_keys_fn *unpack_keys;
    trine_kv_unpack_values_fn *unpack_values;
} trine_kv_kernels;

/* Bytes of levels before the scales. */
static inline size_t trine_kv_levels_bytes(trine_dtype type, size_t d) { return TRINE_KV_PAGE * d / (type == TRINE_Q4_0 ? 2 : 1); }

/* Fills [TRINE_DTYPE_COUNT] entries for a level; those of types that no cache has stay empty. Then its steps. */
void trine_kv_kernels_init(trine_kv_kernels *k, trine_cpu level);
void trine_kv_kernels_ref(trine_kv_kernels *k);
void trine_kv_kernels_avx2(trine_kv_kernels *k);
void trine_kv_kernels_avx_vnni(trine_kv_kernels *k);
void trine_kv_kernels_avx512(trine_kv_kernels *k);
void trine_kv_kernels_avx512_vnni(trine_kv_kernels *k);

#endif
