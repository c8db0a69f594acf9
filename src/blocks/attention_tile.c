/* attention_tile.c - one tile of queries against tiles of keys, with a running softmax.
 *
 * Milakov & Gimelshein 2018, algorithm 3, by tiles as in Dao et al. 2022: keep the largest score m so far, the sum l of
 * exp(score - m) and the values weighted by it; a larger m scales what was summed by exp(m_old - m_new). */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "blocks/attention.h"

enum { PAGE = TRINE_KV_PAGE };

trine_attention_keys trine_attention_keys_of(const trine_attention_job *job, const trine_segment *segment)
{
    trine_attention_keys keys = { .first_row = segment->first_row };
    if (job->cross && job->k.cols) {
        keys.first_row = segment->source_row;
        keys.n = segment->n_source;
        return keys;
    }
    if (job->cross) {
        keys.kv = segment->cross;
        keys.n = trine_kv_length(segment->cross);
        return keys;
    }
    keys.kv = segment->self;
    keys.base = segment->self ? 0 : segment->pos;
    keys.n = segment->pos + segment->n_rows - keys.base;
    trine_mask mask = job->batch->mask;
    if (mask == TRINE_MASK_DEFAULT) mask = job->spec->causal ? TRINE_MASK_CAUSAL : TRINE_MASK_BIDIRECTIONAL;
    keys.causal = mask != TRINE_MASK_BIDIRECTIONAL;
    if (keys.causal) keys.window = trine_max_int(0, mask == TRINE_MASK_WINDOW ? job->batch->window : job->spec->window);
    if (mask == TRINE_MASK_PREFIX) keys.prefix = trine_max_int(0, trine_min_int(segment->prefix - keys.base, keys.n));
    return keys;
}

void trine_attention_visible(int *low, int *high, const trine_attention_keys *keys, int t)
{
    *low = keys->causal && keys->window && t >= keys->window ? t - keys->window + 1 : 0;
    *high = keys->causal ? trine_min_int(t + 1, keys->n) : keys->n;
}

void trine_attention_tiles(int *begin, int *end, const trine_attention_keys *keys, int first, int n)
{
    int low, high, unused;
    trine_attention_visible(&low, &unused, keys, first);
    trine_attention_visible(&unused, &high, keys, first + n - 1);
    *begin = keys->prefix > 0 ? 0 : low / PAGE;
    *end = (trine_max_int(high, keys->prefix) + PAGE - 1) / PAGE;
}

/* ---- scratch ---- */

static size_t scratch_rows(const trine_attention_job *job) { return (size_t)job->deep_queries * (size_t)job->group; }

static size_t padded(size_t n) { return trine_round_up(n, 16); }

static size_t scores_size(size_t rows)
{
    const size_t few = (size_t)TRINE_FEW_ROWS * TRINE_FEW_TILES;
    return padded(rows > few ? rows * PAGE : few * PAGE);
}

static size_t queries_size(size_t d) { return TRINE_FEW_ROWS * trine_kv_query_bytes(d) / sizeof(float); }

size_t trine_attention_tile_size(const trine_attention_job *job)
{
    const size_t rows = scratch_rows(job), d = (size_t)job->spec->d_head;
    return 2 * padded(rows * d) + scores_size(rows) + 2 * padded(rows) + 2 * padded(d * PAGE) +
           padded((size_t)job->group * (size_t)(PAGE + job->deep_queries)) + queries_size(d);
}

trine_attention_scratch trine_attention_scratch_at(float *memory, const trine_attention_job *job)
{
    const size_t rows = scratch_rows(job), d = (size_t)job->spec->d_head;
    trine_attention_scratch s;
    s.q = memory;
    s.out = s.q + padded(rows * d);
    s.scores = s.out + padded(rows * d);
    s.max = s.scores + scores_size(rows);
    s.sum = s.max + padded(rows);
    s.keys = s.sum + padded(rows);
    s.values = s.keys + padded(d * PAGE);
    s.queries = s.values + padded(d * PAGE);
    s.bias = s.queries + queries_size(d);
    return s;
}

/* ---- loading ---- */

void trine_attention_load_queries(const trine_attention_job *job, const trine_attention_scratch *s, const trine_segment *segment,
                                  int kv_head, int first, int n)
{
    const size_t wide = (size_t)job->group * (size_t)job->spec->d_head, cols = (size_t)job->q.cols;
    for (int i = 0; i < n; i++) {
        const float *from = job->q.data + (size_t)(segment->first_row + first + i) * cols + (size_t)kv_head * wide;
        float *to = s->q + (size_t)i * wide;
        memcpy(to, from, wide * sizeof *to);
        if (job->spec->scale != 1.0f) job->kernels->scale(to, job->spec->scale, wide);
    }
}

const float *trine_attention_load_keys(const trine_attention_job *job, const trine_attention_scratch *s,
                                       const trine_attention_keys *keys, int kv_head, int tile, int n)
{
    const size_t d = (size_t)job->spec->d_head;
    if (!keys->kv) {
        const float *rows = job->k.data + (size_t)(keys->first_row + tile * PAGE) * (size_t)job->k.cols + (size_t)kv_head * d;
        job->kernels->transpose(s->keys, PAGE, rows, (size_t)job->k.cols, n, (int)d);
        return s->keys;
    }
    const trine_dtype type = trine_kv_get_shape(keys->kv)->type;
    const void *lies = trine_kv_get_tile(keys->kv, job->spec->layer, kv_head, tile).keys;
    if (type == TRINE_F32) return lies;
    job->kernels->kv[type].unpack_keys(s->keys, lies, d);
    return s->keys;
}

const float *trine_attention_load_values(size_t *stride, const trine_attention_job *job, const trine_attention_scratch *s,
                                         const trine_attention_keys *keys, int kv_head, int tile, int n)
{
    const size_t d = (size_t)job->spec->d_head;
    if (!keys->kv) {
        *stride = (size_t)job->v.cols;
        return job->v.data + (size_t)(keys->first_row + tile * PAGE) * *stride + (size_t)kv_head * d;
    }
    const trine_dtype type = trine_kv_get_shape(keys->kv)->type;
    const void *lies = trine_kv_get_tile(keys->kv, job->spec->layer, kv_head, tile).values;
    *stride = d;
    if (type == TRINE_F32) return lies;
    job->kernels->kv[type].unpack_values(s->values, lies, n, d);
    return s->values;
}

/* ---- scores ---- */

/* The bias of a tile depends on key - query only: one row of it a head, shifted by one from query to query. Element x of a
 * row is for distance (first key - last query) + x. */
void trine_attention_bias(float *out, size_t wide, const trine_attention_job *job, int kv_head, int64_t nearest, int n)
{
    const trine_relative_bias *bias = job->spec->bias;
    for (int x = 0; x < n; x++) {
        const size_t at = (size_t)trine_relative_bucket(job->bucket, bias, nearest + x) * (size_t)bias->n_heads +
                          (size_t)kv_head * (size_t)job->group;
        for (int g = 0; g < job->group; g++) out[(size_t)g * wide + (size_t)x] = bias->table[at + (size_t)g];
    }
}

int trine_attention_last_key(const trine_attention_keys *keys, int first, int last, int k0)
{
    int low, high, unused;
    trine_attention_visible(&low, &unused, keys, first);
    trine_attention_visible(&unused, &high, keys, last);
    high = high > keys->prefix ? high : keys->prefix;
    return k0 + PAGE * TRINE_MANY_PAGES <= low && k0 >= keys->prefix ? k0 : high;
}

bool trine_attention_mask(float *scores, const trine_attention_keys *keys, int t, int k0, int n)
{
    int low, high;
    trine_attention_visible(&low, &high, keys, t);
    if (low <= k0 && high >= k0 + n) return true;
    bool any = false;
    for (int j = 0; j < n; j++) {
        const int key = k0 + j;
        if (key < keys->prefix || (key >= low && key < high))
            any = true;
        else
            scores[j] = -INFINITY;
    }
    return any;
}

bool trine_attention_finish_scores(const trine_attention_job *job, const trine_attention_scratch *s,
                                   const trine_attention_keys *keys, int query_index, int kv_head, int n, int tile, float *scores,
                                   size_t stride)
{
    const int k0 = tile * PAGE, n_keys = trine_min_int(PAGE, keys->n - k0);
    if (job->bucket)
        trine_attention_bias(s->bias, (size_t)(PAGE + job->deep_queries), job, kv_head, (int64_t)k0 - (query_index + n - 1),
                             n_keys + n - 1);
    bool any = false;
    for (int i = 0; i < n; i++)
        for (int g = 0; g < job->group; g++, scores += stride) {
            if (job->bucket)
                job->kernels->add(scores, s->bias + (size_t)g * (size_t)(PAGE + job->deep_queries) + (size_t)(n - 1 - i),
                                  (size_t)n_keys);
            if (trine_attention_mask(scores, keys, query_index + i, k0, n_keys)) any = true;
        }
    return any;
}

int trine_attention_scores(const trine_attention_job *job, const trine_attention_scratch *s, const trine_attention_keys *keys,
                           int query_index, int kv_head, int n, int tile)
{
    const size_t d = (size_t)job->spec->d_head;
    const int n_keys = trine_min_int(PAGE, keys->n - tile * PAGE), width = job->kernels->panel_cols;
    const float *panel = trine_attention_load_keys(job, s, keys, kv_head, tile, n_keys);
    for (int j = 0; j < n_keys; j += width)
        job->kernels->gemm_panel(s->scores + j, PAGE, s->q, d, n * job->group, panel + j, PAGE, trine_min_int(width, n_keys - j), d,
                                 NULL, false);
    return trine_attention_finish_scores(job, s, keys, query_index, kv_head, n, tile, s->scores, PAGE) ? n_keys : 0;
}

void trine_attention_start(const trine_attention_scratch *s, int rows, size_t d)
{
    memset(s->out, 0, (size_t)rows * d * sizeof *s->out);
    for (int r = 0; r < rows; r++) {
        s->max[r] = -INFINITY;
        s->sum[r] = 0;
    }
}

void trine_attention_soften(const trine_kernels *kernels, const trine_attention_scratch *s, int rows, size_t d, size_t stride,
                            int n)
{
    for (int r = 0; r < rows; r++) {
        float *scores = s->scores + (size_t)r * stride;
        const float seen = kernels->max(scores, (size_t)n), max = seen > s->max[r] ? seen : s->max[r];
        if (max == -INFINITY) { /* this query sees nothing yet: -INFINITY - -INFINITY is not a number */
            memset(scores, 0, (size_t)n * sizeof *scores);
            continue;
        }
        const float sum = kernels->exp_sum(scores, max, (size_t)n);
        if (max != s->max[r]) {
            const float fade = expf(s->max[r] - max);
            s->sum[r] *= fade;
            if (fade != 0) kernels->scale(s->out + (size_t)r * d, fade, d);
            s->max[r] = max;
        }
        s->sum[r] += sum;
    }
}

/* Weights of a tile that are dropped become 0; the sums of exponentials have them. */
static void drop(const trine_attention_job *job, const trine_attention_scratch *s, const trine_segment *segment, int kv_head,
                 int first, int rows, int k0, int n)
{
    for (int r = 0; r < rows; r++) {
        float *weights = s->scores + (size_t)r * PAGE;
        const uint64_t key =
            trine_attention_drop_key(job, segment->first_row + first + r / job->group, kv_head * job->group + r % job->group);
        for (int j = 0; j < n; j += 4) {
            const uint64_t bits = trine_attention_drop_bits(key, k0 + j);
            for (int i = 0; i < trine_min_int(4, n - j); i++)
                if ((bits >> (16 * i) & 0xFFFF) < job->drops) weights[j + i] = 0;
        }
    }
}

void trine_attention_tile(const trine_attention_job *job, const trine_attention_scratch *s, const trine_segment *segment,
                          int kv_head, int first, int n, int begin, int end)
{
    const trine_kernels *kernels = job->kernels;
    const trine_attention_keys keys = trine_attention_keys_of(job, segment);
    const size_t d = (size_t)job->spec->d_head;
    const int rows = n * job->group, width = kernels->panel_cols;
    const int query_index = job->cross ? first : segment->pos - keys.base + first;

    trine_attention_load_queries(job, s, segment, kv_head, first, n);
    trine_attention_start(s, rows, d);
    for (int tile = begin; tile < end; tile++) {
        const int n_keys = trine_attention_scores(job, s, &keys, query_index, kv_head, n, tile);
        if (!n_keys) continue;
        trine_attention_soften(kernels, s, rows, d, PAGE, n_keys);
        if (job->drops) drop(job, s, segment, kv_head, first, rows, tile * PAGE, n_keys);
        size_t stride;
        const float *values = trine_attention_load_values(&stride, job, s, &keys, kv_head, tile, n_keys);
        for (int c = 0; c < (int)d; c += width)
            kernels->gemm_panel(s->out + c, d, s->scores, PAGE, rows, values + c, stride, trine_min_int(width, (int)d - c),
                                (size_t)n_keys, NULL, true);
    }
}
