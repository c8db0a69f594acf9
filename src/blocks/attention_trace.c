/* attention_trace.c - the weights themselves, for who wants to look at them: the same scores, stored whole. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "blocks/attention.h"

/* Scores of one tile of queries over all tiles of keys into rows of `weights`, then softmax of each row. */
static void trace_tile(float *weights, const trine_attention_job *job, const trine_attention_scratch *s,
                       const trine_attention_keys *keys, const trine_segment *segment, int kv_head, int first, int n)
{
    const int query_index = job->cross ? first : segment->pos - keys->base + first;
    trine_attention_load_queries(job, s, segment, kv_head, first, n);
    for (int tile = 0; tile * TRINE_KV_PAGE < keys->n; tile++) {
        const int all = trine_min_int(TRINE_KV_PAGE, keys->n - tile * TRINE_KV_PAGE);
        trine_attention_scores(job, s, keys, query_index, kv_head, n, tile);
        for (int i = 0; i < n; i++)
            for (int g = 0; g < job->group; g++) {
                const size_t row = (size_t)(kv_head * job->group + g) * (size_t)segment->n_rows + (size_t)(first + i);
                memcpy(weights + row * (size_t)keys->n + (size_t)tile * TRINE_KV_PAGE,
                       s->scores + (size_t)(i * job->group + g) * TRINE_KV_PAGE, (size_t)all * sizeof(float));
            }
    }
    for (int i = 0; i < n; i++)
        for (int g = 0; g < job->group; g++) {
            float *row =
                weights + ((size_t)(kv_head * job->group + g) * (size_t)segment->n_rows + (size_t)(first + i)) * (size_t)keys->n;
            const float sum = job->kernels->exp_sum(row, job->kernels->max(row, (size_t)keys->n), (size_t)keys->n);
            job->kernels->scale(row, 1.0f / sum, (size_t)keys->n);
        }
}

void trine_attention_trace(trine_pass *p, const trine_attention_job *job, float *scratch, const char *name)
{
    const trine_segment *segment = &p->batch->segments[0];
    const trine_attention_keys keys = trine_attention_keys_of(job, segment);
    const trine_attention_scratch s = trine_attention_scratch_at(scratch, job);
    const int64_t shape[3] = { job->spec->n_heads, segment->n_rows, keys.n };
    size_t elements = 0, bytes = 0;
    float *weights = NULL;
    if (trine_mul_size(&elements, (size_t)shape[0] * (size_t)shape[1], (size_t)shape[2]) &&
        trine_mul_size(&bytes, elements, sizeof(float)))
        weights = malloc(bytes);
    if (!weights) {
        trine_pass_fail(p, TRINE_ERROR_MEMORY,
                        "trace: no memory for attention weights of %d heads, %d x %d tokens; trace a shorter text",
                        job->spec->n_heads, segment->n_rows, keys.n);
        return;
    }
    for (int h = 0; h < job->spec->n_kv_heads; h++)
        for (int first = 0; first < segment->n_rows; first += job->tile_queries)
            trace_tile(weights, job, &s, &keys, segment, h, first, trine_min_int(job->tile_queries, segment->n_rows - first));
    trine_pass_put(p, name, job->spec->layer, weights, 3, shape);
    free(weights);
}
