/* attention_parts.c - what attention is made of, for who wants to look: Q, K, V, the scores before the mask, and the result,
 * each by heads, as the formula of Vaswani et al. 2017 (sec. 3.2.1, eq. 1) has them. */
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "blocks/attention.h"

/* Hands on [heads, n, width], given to it by rows of all heads. */
static bool put_heads(trine_pass *p, const char *name, int layer, float *room, const float *rows, int n, int heads, int width)
{
    const int64_t shape[3] = { heads, n, width };
    for (int h = 0; h < heads; h++)
        for (int i = 0; i < n; i++)
            memcpy(room + ((size_t)h * (size_t)n + (size_t)i) * (size_t)width,
                   rows + ((size_t)i * (size_t)heads + (size_t)h) * (size_t)width, (size_t)width * sizeof *room);
    trine_pass_put(p, name, layer, room, 3, shape);
    return !p->failed;
}

/* Keys and values as attention meets them: those of a cache come out of its type. */
static void take_keys(float *k, float *v, const trine_attention_job *job, const trine_attention_scratch *s,
                      const trine_attention_keys *keys)
{
    const int d = job->spec->d_head;
    for (int h = 0; h < job->spec->n_kv_heads; h++)
        for (int tile = 0; tile * TRINE_KV_PAGE < keys->n; tile++) {
            const int n = trine_min_int(TRINE_KV_PAGE, keys->n - tile * TRINE_KV_PAGE);
            const size_t first = ((size_t)h * (size_t)keys->n + (size_t)tile * TRINE_KV_PAGE) * (size_t)d;
            const float *panel = trine_attention_load_keys(job, s, keys, h, tile, n);
            for (int i = 0; i < n; i++)
                for (int c = 0; c < d; c++) k[first + (size_t)i * (size_t)d + (size_t)c] = panel[c * TRINE_KV_PAGE + i];
            size_t stride = 0;
            const float *rows = trine_attention_load_values(&stride, job, s, keys, h, tile, n);
            for (int i = 0; i < n; i++) memcpy(v + first + (size_t)i * (size_t)d, rows + (size_t)i * stride, (size_t)d * sizeof *v);
        }
}

/* Scores of every pair into [heads, n, m]. */
static void take_scores(float *scores, const trine_attention_job *job, const trine_attention_scratch *s,
                        const trine_attention_keys *keys, const trine_segment *segment)
{
    for (int h = 0; h < job->spec->n_kv_heads; h++)
        for (int first = 0; first < segment->n_rows; first += job->tile_queries) {
            const int n = trine_min_int(job->tile_queries, segment->n_rows - first);
            trine_attention_load_queries(job, s, segment, h, first, n);
            for (int tile = 0; tile * TRINE_KV_PAGE < keys->n; tile++) {
                const int wide = trine_min_int(TRINE_KV_PAGE, keys->n - tile * TRINE_KV_PAGE);
                trine_attention_scores(job, s, keys, job->cross ? first : segment->pos - keys->base + first, h, n, tile);
                for (int i = 0; i < n * job->group; i++) {
                    const size_t head = (size_t)(h * job->group + i % job->group), row = (size_t)(first + i / job->group);
                    memcpy(scores + (head * (size_t)segment->n_rows + row) * (size_t)keys->n + (size_t)tile * TRINE_KV_PAGE,
                           s->scores + (size_t)i * TRINE_KV_PAGE, (size_t)wide * sizeof *scores);
                }
            }
        }
}

void trine_attention_trace_parts(trine_pass *p, const trine_attention_job *job, float *scratch, trine_mat out)
{
    const trine_attention_spec *spec = job->spec;
    const trine_segment *segment = &p->batch->segments[0];
    const trine_attention_scratch s = trine_attention_scratch_at(scratch, job);
    trine_attention_keys keys = trine_attention_keys_of(job, segment);
    const int n = segment->n_rows, d = spec->d_head, layer = spec->layer;
    const size_t of_queries = (size_t)n * (size_t)out.cols, of_keys = (size_t)keys.n * (size_t)spec->n_kv_heads * (size_t)d;
    const size_t of_scores = (size_t)spec->n_heads * (size_t)n * (size_t)keys.n;
    float *rows = malloc((of_queries + 2 * of_keys + of_scores) * sizeof *rows);
    if (!rows) {
        trine_pass_fail(p, TRINE_ERROR_MEMORY, "trace: no memory for the parts of attention of %d heads, %d x %d tokens",
                        spec->n_heads, n, keys.n);
        return;
    }
    float *k = rows + of_queries, *v = k + of_keys, *scores = v + of_keys;
    const int64_t key_shape[3] = { spec->n_kv_heads, keys.n, d }, score_shape[3] = { spec->n_heads, n, keys.n };
    const bool cross = job->cross;
    /* Every pair has a score; the mask comes after. */
    keys.causal = false;
    keys.prefix = keys.window = 0;
    take_keys(k, v, job, &s, &keys);
    take_scores(scores, job, &s, &keys, segment);
    if (put_heads(p, cross ? "cross.query" : "query", layer, rows, job->q.data, n, spec->n_heads, d)) {
        trine_pass_put(p, cross ? "cross.key" : "key", layer, k, 3, key_shape);
        if (!p->failed) trine_pass_put(p, cross ? "cross.value" : "value", layer, v, 3, key_shape);
        if (!p->failed) trine_pass_put(p, cross ? "cross.scores" : "scores", layer, scores, 3, score_shape);
        if (!p->failed) put_heads(p, cross ? "cross.mixed" : "mixed", layer, rows, out.data, n, spec->n_heads, d);
    }
    free(rows);
}
