/* attention_many.c - many queries in bf16: the arithmetic that the type of the cache allows, or that of the weights around.
 *
 * A tile of queries is large, because keys and values are made ready for it (rounded to bf16 and paired) once for all its
 * rows. Then rows go by 32, a block of keys at a time: scores, the softmax in the first cache, and what it weighs. Rows of a causal
 * tile stop at the last key that one of them sees. */
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "blocks/attention.h"

enum {
    PAGE = TRINE_KV_PAGE,
    KEYS = TRINE_MANY_PAGES * PAGE,
    ROWS = TRINE_PAIR_ROWS,
    STEP = TRINE_PAIR_STEP,
    COLS = TRINE_PAIR_COLS
};

/* Where things are in the memory of a thread, and how wide. */
typedef struct many {
    uint16_t *q, *weights, *keys,
        *values;                    /* left sides: [rows][deep] and [ROWS][KEYS]; right sides: [deep][KEYS] and [KEYS][wide] */
    float *scores, *out, *unpacked; /* [ROWS][KEYS], [rows][wide], a tile */
    float *middle;                  /* [d_head] of the keys: see find_middle */
    float *max, *sum, *fade, *bias; /* [rows], [rows], [ROWS], [group][KEYS + tile_queries] */
    size_t deep, wide;              /* d_head to whole steps, and to whole panels */
} many;

static size_t all_rows(const trine_attention_job *job)
{
    return trine_round_up((size_t)job->many_queries * (size_t)job->group, ROWS);
}

static many many_at(float *memory, size_t *size, const trine_attention_job *job)
{
    const size_t rows = all_rows(job), d = (size_t)job->spec->d_head;
    many m = { .deep = trine_round_up(d, STEP), .wide = trine_round_up(d, COLS) };
    size_t at = 0;
#define TAKE(field, type, n)                                                                                                       \
    m.field = memory ? (type *)(void *)(memory + at) : NULL;                                                                       \
    at += trine_round_up((n) * sizeof(type), 64) / sizeof(float)
    TAKE(q, uint16_t, rows * m.deep);
    TAKE(weights, uint16_t, (size_t)ROWS * KEYS);
    TAKE(keys, uint16_t, m.deep * KEYS);
    TAKE(values, uint16_t, m.wide * KEYS);
    TAKE(scores, float, (size_t)ROWS *KEYS);
    TAKE(out, float, rows *m.wide);
    TAKE(unpacked, float, d *PAGE);
    TAKE(middle, float, d);
    TAKE(max, float, rows);
    TAKE(sum, float, rows);
    TAKE(fade, float, ROWS);
    TAKE(bias, float, (size_t)job->group *(size_t)(KEYS + job->many_queries));
#undef TAKE
    *size = at;
    return m;
}

size_t trine_attention_many_size(const trine_attention_job *job)
{
    size_t size;
    many_at(NULL, &size, job);
    return size;
}

/* n keys of a page as [d_head][PAGE]: where they lie, or in m->unpacked. */
static const float *page_keys(const many *m, const trine_attention_job *job, const trine_attention_keys *keys, int kv_head,
                              int page, int n)
{
    const size_t d = (size_t)job->spec->d_head;
    if (!keys->kv) {
        const float *rows = job->k.data + (size_t)(keys->first_row + page * PAGE) * (size_t)job->k.cols + (size_t)kv_head * d;
        job->kernels->transpose(m->unpacked, PAGE, rows, (size_t)job->k.cols, n, (int)d);
        return m->unpacked;
    }
    const trine_dtype type = trine_kv_get_shape(keys->kv)->type;
    const void *lies = trine_kv_get_tile(keys->kv, job->spec->layer, kv_head, page).keys;
    if (type == TRINE_F32) return lies;
    job->kernels->kv[type].unpack_keys(m->unpacked, lies, d);
    return m->unpacked;
}

/* The same of values, rows *stride floats apart. */
static const float *page_values(size_t *stride, const many *m, const trine_attention_job *job, const trine_attention_keys *keys,
                                int kv_head, int page, int n)
{
    const size_t d = (size_t)job->spec->d_head;
    if (!keys->kv) {
        *stride = (size_t)job->v.cols;
        return job->v.data + (size_t)(keys->first_row + page * PAGE) * *stride + (size_t)kv_head * d;
    }
    const trine_dtype type = trine_kv_get_shape(keys->kv)->type;
    const void *lies = trine_kv_get_tile(keys->kv, job->spec->layer, kv_head, page).values;
    *stride = d;
    if (type == TRINE_F32) return lies;
    job->kernels->kv[type].unpack_values(m->unpacked, lies, n, d);
    return m->unpacked;
}

/* What keys have in common, from the first page that is seen. It is taken off all keys before they are rounded: every score of a
 * query is then less by the same number, which the softmax does not see, and rounding errors, which are parts of the numbers
 * rounded, shrink to those of the differences (Zhang et al. 2024, SageAttention, sec. 3.2). */
static void find_middle(const many *m, const trine_attention_job *job, const trine_attention_keys *keys, int kv_head, int page)
{
    const int n = trine_min_int(PAGE, keys->n - page * PAGE);
    const float *k = page_keys(m, job, keys, kv_head, page, n);
    for (size_t i = 0; i < (size_t)job->spec->d_head; i++) {
        float sum = 0;
        for (int t = 0; t < n; t++) sum += k[i * PAGE + (size_t)t];
        m->middle[i] = sum / (float)n;
    }
}

/* Pages [page, page + n) of keys and values as right sides of KEYS columns, and of KEYS rows. */
static void make_ready(const many *m, const trine_attention_job *job, const trine_attention_keys *keys, int kv_head, int page,
                       int n)
{
    const trine_pair_kernels *pair = &job->kernels->pair;
    const int d = job->spec->d_head;
    for (int i = 0; i < n; i++) {
        const int n_keys = trine_min_int(PAGE, keys->n - (page + i) * PAGE);
        size_t stride;
        pair->right(m->keys + (size_t)(i * PAGE / COLS) * m->deep * COLS, m->deep * COLS,
                    page_keys(m, job, keys, kv_head, page + i, n_keys), PAGE, m->middle, d, (int)m->deep, n_keys);
        const float *values = page_values(&stride, m, job, keys, kv_head, page + i, n_keys);
        pair->right(m->values + (size_t)(i * PAGE) * COLS, (size_t)KEYS * COLS, values, stride, NULL, n_keys, PAGE, d);
    }
}

/* Bias and mask of rows [row, row + n) of the tile, for keys [k0, k0 + n_keys). */
static void finish_scores(const many *m, const trine_attention_job *job, const trine_attention_keys *keys, int query_index, int row,
                          int n, int n_queries, int k0, int n_keys)
{
    for (int r = row; r < row + n; r++) {
        float *scores = m->scores + (size_t)(r - row) * KEYS;
        const int query = r / job->group;
        if (job->bucket)
            job->kernels->add(
                scores, m->bias + (size_t)(r % job->group) * (size_t)(KEYS + job->many_queries) + (size_t)(n_queries - 1 - query),
                (size_t)n_keys);
        trine_attention_mask(scores, keys, query_index + query, k0, n_keys);
    }
}

__attribute__((nonnull)) void trine_attention_many(trine_mat out, const trine_attention_job *job, float *scratch,
                                                   const trine_segment *segment, const trine_attention_keys *keys, int kv_head,
                                                   int first, int n, int begin, int end)
{
    const trine_pair_kernels *pair = &job->kernels->pair;
    const int group = job->group, rows = n * group, query_index = job->cross ? first : segment->pos - keys->base + first;
    const size_t d = (size_t)job->spec->d_head;
    size_t size;
    const many m = many_at(scratch, &size, job);

    for (int r = 0; r < rows; r++) {
        const float *from = job->q.data + (size_t)(segment->first_row + first + r / group) * (size_t)job->q.cols +
                            (size_t)(kv_head * group + r % group) * d;
        pair->left(m.q, TRINE_PAIR_GROUP * m.deep, r, from, job->spec->scale, d);
        m.max[r] = -INFINITY;
        m.sum[r] = 0;
    }
    if (begin < end) find_middle(&m, job, keys, kv_head, begin);
    pair->begin();
    memset(m.out, 0, all_rows(job) * m.wide * sizeof *m.out);
    for (int page = begin; page < end; page += TRINE_MANY_PAGES) {
        const int n_pages = trine_min_int(TRINE_MANY_PAGES, end - page), k0 = page * PAGE;
        make_ready(&m, job, keys, kv_head, page, n_pages);
        const int all = trine_min_int(n_pages * PAGE, keys->n - k0);
        if (job->bucket)
            trine_attention_bias(m.bias, (size_t)(KEYS + job->many_queries), job, kv_head, k0 - (query_index + n - 1), all + n - 1);
        for (int row = 0; row < rows; row += ROWS) {
            const int n_rows = trine_min_int(ROWS, rows - row);
            const int n_keys = trine_min_int(
                all, trine_attention_last_key(keys, query_index + row / group, query_index + (row + n_rows - 1) / group, k0) - k0);
            if (n_keys <= 0) continue;
            const int n_steps = (n_keys + STEP - 1) / STEP;
            pair->gemm(m.scores, KEYS, m.q + (size_t)row * m.deep, TRINE_PAIR_GROUP * m.deep, n_rows, m.keys, m.deep * COLS,
                       (n_keys + COLS - 1) / COLS, (int)m.deep / STEP, false);
            finish_scores(&m, job, keys, query_index, row, n_rows, n, k0, n_keys);
            pair->soften(m.weights, (size_t)TRINE_PAIR_GROUP * KEYS, m.scores, KEYS, n_rows, n_keys, m.max + row, m.sum + row,
                         m.fade);
            for (int r = 0; r < n_rows; r++)
                if (m.fade[r] != 1) job->kernels->scale(m.out + (size_t)(row + r) * m.wide, m.fade[r], m.wide);
            pair->gemm(m.out + (size_t)row * m.wide, m.wide, m.weights, (size_t)TRINE_PAIR_GROUP * KEYS, n_rows, m.values,
                       (size_t)KEYS * COLS, (int)(m.wide / COLS), n_steps, true);
        }
    }
    pair->end();
    for (int r = 0; r < rows; r++) {
        float *to = out.data + (size_t)(segment->first_row + first + r / group) * (size_t)out.cols +
                    (size_t)(kv_head * group + r % group) * d;
        memcpy(to, m.out + (size_t)r * m.wide, d * sizeof *to);
        job->kernels->scale(to, 1.0f / m.sum[r], d);
    }
}
