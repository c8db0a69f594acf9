/* attention.h - attention from the inside: one tile of queries against one tile of keys.
 *
 * A tile of queries is up to TRINE_QUERY_ROWS rows (or TRINE_DEEP_ROWS): some tokens times the query heads that share one kv head, so that
 * grouped heads load their keys once. A tile of keys is a page. Nothing larger than a tile of scores is ever stored. */
#ifndef TRINE_BLOCKS_ATTENTION_H
#define TRINE_BLOCKS_ATTENTION_H

#include "base/counter_random.h"
#include "blocks/blocks.h"
#include "blocks/kv_cache.h"

#define TRINE_QUERY_ROWS 64
#define TRINE_DEEP_ROWS 192 /* where each tile unpacks many keys anew: sums of the rows are the same, by whatever tile */
#define TRINE_FEW_ROWS 16   /* most rows of a step over a cache: keys and values are then read as they lie */
#define TRINE_FEW_TILES 8   /* and as many tiles of them are softened at once */
#define TRINE_MANY_ROWS 384 /* most rows of a tile in bf16 */
#define TRINE_MANY_PAGES 4  /* of keys at a time there */

/* One call of attention, the same for all its segments. */
typedef struct trine_attention_job {
    const trine_kernels *kernels;
    const trine_attention_spec *spec;
    trine_attention_spec unscaled; /* what a tracer may want in its place */
    const trine_batch *batch;
    trine_mat q, k, v; /* k, v: of the pass; empty in cross attention without a tape */
    bool cross;
    int group;              /* query heads a kv head */
    bool in_bf16;           /* where there are many rows */
    int tile_queries;       /* tokens a tile of queries, in f32 */
    int deep_queries;       /* the same over many keys that are unpacked, no fewer */
    int many_queries;       /* and in bf16 */
    const uint16_t *bucket; /* [max_distance + 1] of the relative bias, by distance; or NULL */
    /* With a tape: the logarithm of each row's and head's sum of exponentials [n_rows, n_heads], and weights that are dropped. */
    trine_mat lse;
    uint32_t drops; /* of 2^16 */
    uint64_t drop_key;
} trine_attention_job;

/* Attention's own dropout: weights of a query row and head that are dropped, 16 bits of a number each. Which, follows from the key, the
 * row of the batch, the head and the key's index alone; the same ones are dropped on the way back. */
static inline uint64_t trine_attention_drop_key(const trine_attention_job *job, int row, int head)
{
    return trine_random_key(job->drop_key, (uint64_t)row * (uint64_t)job->spec->n_heads + (uint64_t)head);
}
/* Four weights from that of key k0 (a multiple of four) on: those whose 16 bits are below job->drops are dropped. */
static inline uint64_t trine_attention_drop_bits(uint64_t key, int k0) { return trine_random_at(key, (uint64_t)k0 / 4); }
/* What the weights that stay are multiplied by. */
static inline float trine_attention_drop_scale(const trine_attention_job *job) { return 65536.0f / (float)(65536 - job->drops); }

/* The keys one segment sees, by index: key j has position base + j. */
typedef struct trine_attention_keys {
    const trine_kv *kv; /* where they are, or NULL: in the pass, from row `first_row` on */
    int first_row;
    int n, base;
    /* A query at index t sees keys [0, prefix), and those up to t when causal (of these the last `window`, 0: all), else all n. */
    int prefix, window;
    bool causal;
} trine_attention_keys;

trine_attention_keys trine_attention_keys_of(const trine_attention_job *job, const trine_segment *segment);
/* Keys [*low, *high) that a query at index t sees beside the prefix. */
void trine_attention_visible(int *low, int *high, const trine_attention_keys *keys, int t);

/* Tiles of keys that some query of [first, first + n) sees: [*begin, *end). */
void trine_attention_tiles(int *begin, int *end, const trine_attention_keys *keys, int first, int n);

/* What a thread works with. */
typedef struct trine_attention_scratch {
    float *q, *scores, *out; /* [rows, d_head], [rows, keys at a time], [rows, d_head] */
    float *max, *sum;        /* [rows] running softmax */
    float *keys, *values;    /* [d_head, TRINE_KV_PAGE] and [TRINE_KV_PAGE, d_head]: a tile unpacked */
    float *queries;          /* [TRINE_FEW_ROWS] queries as the kernels of the cache's type want them */
    float *bias;             /* [group, TRINE_KV_PAGE + deep_queries]: by distance */
} trine_attention_scratch;
/* Floats of it, and of what trine_attention_many needs. */
size_t trine_attention_tile_size(const trine_attention_job *job);
size_t trine_attention_many_size(const trine_attention_job *job);
trine_attention_scratch trine_attention_scratch_at(float *memory, const trine_attention_job *job);

/* Queries [first, first + n) of a segment, all heads of one kv head, times scale, into s->q. */
void trine_attention_load_queries(const trine_attention_job *job, const trine_attention_scratch *s, const trine_segment *segment,
                                  int kv_head, int first, int n);
/* Keys of a tile, n of them, as a panel [d_head][TRINE_KV_PAGE]; its values, rows *stride floats apart. */
const float *trine_attention_load_keys(const trine_attention_job *job, const trine_attention_scratch *s,
                                       const trine_attention_keys *keys, int kv_head, int tile, int n);
const float *trine_attention_load_values(size_t *stride, const trine_attention_job *job, const trine_attention_scratch *s,
                                         const trine_attention_keys *keys, int kv_head, int tile, int n);
/* Their scores with one tile of keys into s->scores: bias added, keys that are not to be seen -INFINITY. Returns the number of
 * keys, 0 when no query sees any. */
int trine_attention_scores(const trine_attention_job *job, const trine_attention_scratch *s, const trine_attention_keys *keys,
                           int query_index, int kv_head, int n, int tile);
/* The bias and the mask of a tile's scores, `stride` floats a row. False when no query sees any of its keys. */
bool trine_attention_finish_scores(const trine_attention_job *job, const trine_attention_scratch *s,
                                   const trine_attention_keys *keys, int query_index, int kv_head, int n, int tile, float *scores,
                                   size_t stride);
/* Scores of keys [k0, k0 + n) that a query at index t must not see become -INFINITY. Returns whether any is left. */
bool trine_attention_mask(float *scores, const trine_attention_keys *keys, int t, int k0, int n);
/* The end of the keys that some query of [first, last] sees, of a block of TRINE_MANY_PAGES from k0 on; at most k0 when none. */
int trine_attention_last_key(const trine_attention_keys *keys, int first, int last, int k0);
/* The bias of a block of keys depends on key - query only: a row of it a head, shifted by one from query to query. Element x of
 * out [group][wide], x < n, is for a distance of nearest + x: nearest is the first key less the last query. */
void trine_attention_bias(float *out, size_t wide, const trine_attention_job *job, int kv_head, int64_t nearest, int n);
/* The running softmax: starts rows of d values; takes n scores more of each row, which become exp(score - max). */
void trine_attention_start(const trine_attention_scratch *s, int rows, size_t d);
void trine_attention_soften(const trine_kernels *kernels, const trine_attention_scratch *s, int rows, size_t d, size_t stride,
                            int n);
/* softmax(scores) V over tiles [begin, end): s->out not yet divided by s->sum. */
void trine_attention_tile(const trine_attention_job *job, const trine_attention_scratch *s, const trine_segment *segment,
                          int kv_head, int first, int n, int begin, int end);

/* The same for at most TRINE_FEW_ROWS rows over a cache, none of whose elements is unpacked to memory. */
void trine_attention_few(const trine_attention_job *job, const trine_attention_scratch *s, const trine_segment *segment,
                         const trine_attention_keys *keys, int kv_head, int first, int n, int begin, int end);

/* The same for many rows, in bf16, and divided: rows of `out`. */
void trine_attention_many(trine_mat out, const trine_attention_job *job, float *scratch, const trine_segment *segment,
                          const trine_attention_keys *keys, int kv_head, int first, int n, int begin, int end);

/* Gives the tracer the weights of the batch's only segment as "<name>.<layer>" [n_heads, n_queries, n_keys]. The one place
 * where something n x n exists: memory of its own, not the arena's, because no plan should count on it. */
void trine_attention_trace(trine_pass *p, const trine_attention_job *job, float *scratch, const char *name);

/* And what attention is made of, by heads: queries, keys, values, scores before the mask, and `out`, what it gave. */
void trine_attention_trace_parts(trine_pass *p, const trine_attention_job *job, float *scratch, trine_mat out);

/* Notes the call whose result is `out`: attention_backward.c. */
void trine_attention_note(trine_pass *p, const trine_attention_job *job, trine_mat *out);

/* bucket[i] for a distance of i, 0 .. max_distance; beyond it the last holds. The side of the key is not in it. */
void trine_relative_buckets(uint16_t *bucket, const trine_relative_bias *bias);
/* The bucket of a key `distance` after the query (before it when negative). */
static inline int trine_relative_bucket(const uint16_t *bucket, const trine_relative_bias *bias, int64_t distance)
{
    const int64_t away = distance < 0 ? -distance : bias->bidirectional ? distance : 0;
    const int side = bias->bidirectional && distance > 0 ? bias->n_buckets / 2 : 0;
    return side + bucket[away < bias->max_distance ? away : bias->max_distance];
}

#endif
