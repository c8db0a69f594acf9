/* attention_few.c - few queries over a long cache: a step of decoding. All the work is reading the cache once.
 *
 * Keys and values meet the queries as they lie in their tiles, all query heads of a kv head at a time, and while one tile is
 * computed with the next is asked for. Several tiles of scores are softened together, because a largest score, a fade and a
 * sum cost the same for 64 keys as for 512. */
#include "base/size.h"
#include "blocks/attention.h"

enum { PAGE = TRINE_KV_PAGE };

void trine_attention_few(const trine_attention_job *job, const trine_attention_scratch *s, const trine_segment *segment,
                         const trine_attention_keys *keys, int kv_head, int first, int n, int begin, int end)
{
    const trine_kv_kernels *kernels = &job->kernels->kv[trine_kv_get_shape(keys->kv)->type];
    const size_t d = (size_t)job->spec->d_head, stride = (size_t)TRINE_FEW_TILES * PAGE;
    const int rows = n * job->group, query_index = job->cross ? first : segment->pos - keys->base + first;

    trine_attention_load_queries(job, s, segment, kv_head, first, n);
    for (int r = 0; r < rows; r++)
        kernels->query((unsigned char *)s->queries + (size_t)r * trine_kv_query_bytes(d), s->q + (size_t)r * d, d);
    trine_attention_start(s, rows, d);
    for (int block = begin; block < end; block += TRINE_FEW_TILES) {
        const int stop = trine_min_int(end, block + TRINE_FEW_TILES), n_keys = trine_min_int(stop * PAGE, keys->n) - block * PAGE;
        const void *values[TRINE_FEW_TILES + 1];
        trine_kv_tile tile = trine_kv_get_tile(keys->kv, job->spec->layer, kv_head, block);
        for (int t = block; t < stop; t++) {
            const trine_kv_tile next =
                t + 1 < end ? trine_kv_get_tile(keys->kv, job->spec->layer, kv_head, t + 1) : (trine_kv_tile) { NULL, NULL };
            float *scores = s->scores + (size_t)(t - block) * PAGE;
            values[t - block] = tile.values;
            kernels->scores(scores, stride, s->queries, rows, tile.keys, d, t + 1 < stop ? next.keys : values[0]);
            trine_attention_finish_scores(job, s, keys, query_index, kv_head, n, t, scores, stride);
            tile = next;
        }
        values[stop - block] = tile.keys; /* after these, the keys of the next block */
        trine_attention_soften(job->kernels, s, rows, d, stride, n_keys);
        for (int t = block; t < stop; t++)
            kernels->values(s->out, d, s->scores + (size_t)(t - block) * PAGE, stride, rows, values[t - block],
                            trine_min_int(PAGE, keys->n - t * PAGE), d, values[t - block + 1]);
    }
}
