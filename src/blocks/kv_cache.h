/* kv_cache.h - keys and values of past tokens, in pages that sequences with a common past share.
 *
 * A pool is allocated whole when a session opens and holds pages; a page holds TRINE_KV_PAGE tokens of all layers. A
 * sequence is a table of page numbers and a length. Fork copies the table and counts references; the first write to a shared
 * page copies it (copy on write). Nothing here allocates after open: tables have room for the whole context. */
#ifndef TRINE_BLOCKS_KV_CACHE_H
#define TRINE_BLOCKS_KV_CACHE_H

#include "blocks/pass.h"

typedef struct trine_kv_shape {
    int n_layers, n_kv_heads, d_head;
    trine_dtype type; /* f32, f16, bf16, q8_0, q4_0 (the last two need d_head % 32 == 0) */
} trine_kv_shape;

typedef struct trine_kv_pool trine_kv_pool;

/* Bytes a page takes, and of a pool for `n_sequences` of `ctx` tokens each. False on overflow. */
bool trine_kv_page_bytes(size_t *out, const trine_kv_shape *shape);
bool trine_kv_pool_bytes(size_t *out, const trine_kv_shape *shape, int ctx, int n_sequences);
trine_status trine_kv_pool_open(trine_kv_pool **out, const trine_kv_shape *shape, int ctx, int n_sequences, trine_error *err);
void trine_kv_pool_close(trine_kv_pool *pool);
/* Bytes that an open pool has taken. */
size_t trine_kv_pool_taken(const trine_kv_pool *pool);

trine_status trine_kv_open(trine_kv **out, trine_kv_pool *pool, trine_error *err); /* empty */
trine_status trine_kv_fork(trine_kv **out, const trine_kv *parent, trine_error *err);
/* kv takes the past of `source` (same pool): what beam search does each step, with no allocation. */
void trine_kv_assign(trine_kv *kv, const trine_kv *source);
void trine_kv_close(trine_kv *kv);
/* Makes room for n more tokens: takes pages, copies a shared last page. ERROR_TOO_LONG past the context. The length is as before. */
trine_status trine_kv_reserve(trine_kv *kv, int n, trine_error *err);
/* The tokens reserved and written become part of the past: called once when the whole pass has succeeded. */
void trine_kv_commit(trine_kv *kv, int n);
int trine_kv_length(const trine_kv *kv);
void trine_kv_truncate(trine_kv *kv, int n);

/* ---- for attention ---- */

const trine_kv_shape *trine_kv_get_shape(const trine_kv *kv);
/* Tokens there is room for without another reserve. */
int trine_kv_reserved(const trine_kv *kv);

/* The keys and values of one page, layer and head, as kernels/kv_kernels.h draws them. */
typedef struct trine_kv_tile {
    void *keys, *values;
} trine_kv_tile;
trine_kv_tile trine_kv_get_tile(const trine_kv *kv, int layer, int head, int page);
/* Stores n tokens from position pos on (reserved before) of one layer and head; k and v [n, d_head], their rows `stride`
 * floats apart; keys are turned already where the cache's type wants it (hadamard.h). scratch holds TRINE_KV_PAGE * d_head floats.
 * Heads may be written by different threads. */
void trine_kv_write(trine_kv *kv, const trine_kernels *kernels, int layer, int head, int pos, int n, const float *k, const float *v,
                    size_t stride, float *scratch);

#endif
