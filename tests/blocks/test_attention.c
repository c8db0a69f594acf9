/* Attention against a naive one in double that stores n x n: random shapes, masks, windows, grouped heads, biases, head sizes,
 * ragged batches, cache types, chunked prefill and decode, at every level of this machine. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/size.h"
#include "blocks/attention.h"
#include "blocks/hadamard.h"
#include "support/random.h"
#include "support/run_pass.h"

enum { MAX_SEGMENTS = 6 };

/* One sequence as the naive attention knows it: every key and value so far, as the cache gives them back. */
typedef struct history {
    float *k, *v;
    int n;
} history;

typedef struct scene {
    trine_attention_spec spec;
    trine_batch batch;
    trine_segment segments[MAX_SEGMENTS];
    history past[MAX_SEGMENTS];
    float *q, *k, *v, *out; /* of the pass */
    trine_dtype type;       /* of the cache; F32 without one */
    trine_cpu level;
} scene;

static float *floats(size_t n)
{
    float *x = malloc((n ? n : 1) * sizeof *x);
    assert_non_null(x);
    return x;
}

static trine_mat copied(trine_pass *p, const float *data, int rows, int cols)
{
    trine_mat m = trine_mat_new(p, rows, cols);
    if (trine_pass_computes(p)) memcpy(m.data, data, (size_t)rows * (size_t)cols * sizeof *data);
    return m;
}

static void self_body(trine_pass *p, void *user)
{
    scene *s = user;
    const int wide = s->spec.n_heads * s->spec.d_head, narrow = s->spec.n_kv_heads * s->spec.d_head, n = s->batch.n_rows;
    const trine_mat q = copied(p, s->q, n, wide), k = copied(p, s->k, n, narrow), v = copied(p, s->v, n, narrow);
    const trine_mat out = trine_self_attention(p, q, k, v, &s->spec);
    if (trine_pass_computes(p)) memcpy(s->out, out.data, (size_t)n * (size_t)wide * sizeof *s->out);
}

static void cross_body(trine_pass *p, void *user)
{
    scene *s = user;
    const int wide = s->spec.n_heads * s->spec.d_head;
    const trine_mat out = trine_cross_attention(p, copied(p, s->q, s->batch.n_rows, wide), &s->spec);
    if (trine_pass_computes(p)) memcpy(s->out, out.data, (size_t)s->batch.n_rows * (size_t)wide * sizeof *s->out);
}

static void cross_append_body(trine_pass *p, void *user)
{
    scene *s = user;
    const int narrow = s->spec.n_kv_heads * s->spec.d_head, n = s->batch.n_rows;
    trine_cross_append(p, s->spec.layer, copied(p, s->k, n, narrow), copied(p, s->v, n, narrow));
}

/* The bucket as transformers writes it, scalar. */
static int naive_bucket(int relative, const trine_relative_bias *b)
{
    int n = b->n_buckets, bucket = 0;
    if (b->bidirectional) {
        n /= 2;
        if (relative > 0) bucket += n;
        relative = abs(relative);
    } else {
        relative = relative > 0 ? 0 : -relative;
    }
    const int exact = n / 2;
    if (relative < exact) return bucket + relative;
    const int large =
        exact + (int)(logf((float)relative / (float)exact) / (float)log((double)b->max_distance / exact) * (float)(n - exact));
    return bucket + (large < n - 1 ? large : n - 1);
}

static bool naive_sees(const scene *s, const trine_segment *segment, int t, int key, bool cross)
{
    trine_mask mask = s->batch.mask;
    if (cross) return true;
    if (mask == TRINE_MASK_DEFAULT) mask = s->spec.causal ? TRINE_MASK_CAUSAL : TRINE_MASK_BIDIRECTIONAL;
    if (mask == TRINE_MASK_BIDIRECTIONAL) return true;
    if (mask == TRINE_MASK_PREFIX && key < segment->prefix) return true;
    return key <= t && (!s->spec.window || key > t - s->spec.window);
}

/* Weights [n_keys] and output [d_head] of one query and head. */
static void naive_row(double *weights, double *out, const scene *s, int index, int row, int head, bool cross)
{
    const trine_segment *segment = &s->segments[index];
    const history *past = &s->past[index];
    const int d = s->spec.d_head, kv_head = head / (s->spec.n_heads / s->spec.n_kv_heads), t = segment->pos + row;
    const size_t narrow = (size_t)(s->spec.n_kv_heads * d);
    const float *q = s->q + (size_t)(segment->first_row + row) * (size_t)(s->spec.n_heads * d) + (size_t)(head * d);
    double max = -INFINITY, sum = 0;
    for (int j = 0; j < past->n; j++) {
        double score = 0;
        for (int i = 0; i < d; i++) score += (double)q[i] * (double)past->k[(size_t)j * narrow + (size_t)(kv_head * d + i)];
        score *= (double)s->spec.scale;
        if (s->spec.bias && !cross)
            score += (double)s->spec.bias->table[naive_bucket(j - t, s->spec.bias) * s->spec.n_heads + head];
        weights[j] = naive_sees(s, segment, t, j, cross) ? score : -INFINITY;
        if (weights[j] > max) max = weights[j];
    }
    for (int j = 0; j < past->n; j++) sum += weights[j] = exp(weights[j] - max);
    for (int i = 0; i < d; i++) out[i] = 0;
    for (int j = 0; j < past->n; j++) {
        weights[j] /= sum;
        for (int i = 0; i < d; i++) out[i] += weights[j] * (double)past->v[(size_t)j * narrow + (size_t)(kv_head * d + i)];
    }
}

static float most_of(const float *x, int n)
{
    float most = 0;
    for (int i = 0; i < n; i++) most = fmaxf(most, fabsf(x[i]));
    return most;
}

/* How far a result may be off: values are of order 1, and scores, too, so that exp amplifies nothing, and 1e-5 is enough for f32.
 * Scores off by e change a weight by a factor of exp(+-2e).
 *
 * Over levels the kernels round a query, each 32 elements to P in [-L, L] times their largest / L, and so the scores by at most
 * e = scale sum over blocks of (largest |q| / 2L) (sum of |k|). And they round the weights of a page times their values' scales,
 * each by largest / 2L'. L is 4063 and 127 in q8_0 and q4_0, L' at least 16319 (kernels/kv_kernels.h).
 *
 * In bf16 queries, keys, weights and values are each off by half a step, 2^-8 of themselves, and weights by the exponential's
 * 2^-13.7 (kernels/x86/pair_avx512_bf16.c), as their sum is: e = scale sum of |q| (|k| + largest |k|) (2^-7 + 2^-16), for what keys have in common is taken off before they
 * are rounded, and that is no larger than the largest. */
static double tolerance(const scene *s, int index, int row, int head, const double *weights)
{
    const int d = s->spec.d_head, n = s->past[index].n, group = s->spec.n_heads / s->spec.n_kv_heads, kv_head = head / group;
    const size_t narrow = (size_t)(s->spec.n_kv_heads * d);
    const float *q = s->q + (size_t)(s->segments[index].first_row + row) * (size_t)(s->spec.n_heads * d) + (size_t)(head * d);
    double most_e = 0, most_v = 0, most_weight = 0, most_k = 0;
    trine_kernels kernels;
    trine_kernels_init(&kernels, s->level);
    const bool levels = s->type == TRINE_Q8_0 || s->type == TRINE_Q4_0;
    const bool bf16 =
        kernels.pair.gemm && (s->type != TRINE_F32 || s->spec.rounds) && s->segments[index].n_rows * group > TRINE_FEW_ROWS;
    for (int j = 0; j < n; j++)
        most_k = fmax(most_k, (double)most_of(s->past[index].k + (size_t)j * narrow + (size_t)(kv_head * d), d));
    for (int j = 0; j < n; j++) {
        double e = 0;
        const float *k = s->past[index].k + (size_t)j * narrow + (size_t)(kv_head * d);
        for (int b = 0; b < d; b += 32) {
            double sum = 0, products = 0;
            const int end = b + 32 < d ? b + 32 : d;
            for (int i = b; i < end; i++) {
                sum += fabs((double)k[i]);
                products += fabs((double)q[i]) * (fabs((double)k[i]) + most_k);
            }
            if (levels) e += (double)most_of(q + b, 32) / (s->type == TRINE_Q8_0 ? 2 * 4063 : 2 * 127) * sum;
            if (bf16) e += products * (0x1p-7 + 0x1p-16);
        }
        most_e = fmax(most_e, e * (double)s->spec.scale);
        most_v = fmax(most_v, (double)most_of(s->past[index].v + (size_t)j * narrow + (size_t)(kv_head * d), d));
        most_weight = fmax(most_weight, weights[j]);
    }
    return 1e-5 + most_v * (expm1(2 * most_e) + (bf16 ? 0x1p-7 + 0x1p-11 : 0)) +
           (levels ? (n + 63) * most_weight * most_v / (2 * 16319) : 0);
}

static void compare(const scene *s, bool cross)
{
    const int d = s->spec.d_head;
    double *weights = malloc(4096 * sizeof *weights), *out = malloc((size_t)d * sizeof *out);
    assert_non_null(weights);
    assert_non_null(out);
    for (int b = 0; b < s->batch.n_segments; b++) {
        assert_in_range(s->past[b].n, 1, 4096);
        for (int r = 0; r < s->segments[b].n_rows; r++)
            for (int h = 0; h < s->spec.n_heads; h++) {
                naive_row(weights, out, s, b, r, h, cross);
                const float *got =
                    s->out + (size_t)(s->segments[b].first_row + r) * (size_t)(s->spec.n_heads * d) + (size_t)(h * d);
                const double most = tolerance(s, b, r, h, weights);
                for (int i = 0; i < d; i++)
                    if (!(fabs((double)got[i] - out[i]) <= most))
                        fail_msg("segment %d row %d head %d element %d: %g, expected %g +- %g", b, r, h, i, (double)got[i], out[i],
                                 most);
            }
    }
    free(weights);
    free(out);
}

/* What the cache makes of a row: the naive attention works with the same rounded values. Those of q4_0 are rounded turned: here they are
 * turned back, and queries and results stay as they are. */
static void remember(history *h, const float *k, const float *v, size_t width, int d_head, int n, trine_dtype type)
{
    const trine_dtype_info *info = trine_dtype_get(type);
    unsigned char packed[4096];
    h->k = realloc(h->k, (size_t)(h->n + n) * width * sizeof(float));
    h->v = realloc(h->v, (size_t)(h->n + n) * width * sizeof(float));
    for (int r = 0; r < n; r++)
        for (size_t head = 0; head < width; head += (size_t)d_head) {
            const size_t from = (size_t)r * width + head, to = ((size_t)h->n + (size_t)r) * width + head;
            memcpy(h->k + to, k + from, (size_t)d_head * sizeof(float));
            if (type == TRINE_Q4_0) trine_hadamard(h->k + to, d_head);
            info->pack(packed, h->k + to, (size_t)d_head);
            info->unpack(h->k + to, packed, (size_t)d_head);
            if (type == TRINE_Q4_0) trine_hadamard(h->k + to, d_head);
            memcpy(h->v + to, v + from, (size_t)d_head * sizeof(float));
            if (type == TRINE_Q4_0) trine_hadamard(h->v + to, d_head);
            info->pack(packed, h->v + to, (size_t)d_head);
            info->unpack(h->v + to, packed, (size_t)d_head);
            if (type == TRINE_Q4_0) trine_hadamard(h->v + to, d_head);
        }
    h->n += n;
}

static void make_inputs(scene *s, random_state *r)
{
    const size_t wide = (size_t)(s->spec.n_heads * s->spec.d_head), narrow = (size_t)(s->spec.n_kv_heads * s->spec.d_head);
    const size_t n = (size_t)s->batch.n_rows;
    s->q = floats(n * wide);
    s->k = floats(n * narrow);
    s->v = floats(n * narrow);
    s->out = floats(n * wide);
    random_fill(r, s->q, n * wide, 1);
    random_fill(r, s->k, n * narrow, 1);
    random_fill(r, s->v, n * narrow, 1);
}

static void free_inputs(scene *s)
{
    free(s->q);
    free(s->k);
    free(s->v);
    free(s->out);
}

static void forget(scene *s)
{
    for (int b = 0; b < MAX_SEGMENTS; b++) {
        free(s->past[b].k);
        free(s->past[b].v);
        s->past[b] = (history) { 0 };
    }
}

/* Rows of the batch's segments: how many each has must be set; rows, ids and totals follow. */
static void lay_out(scene *s, int n_segments)
{
    int row = 0;
    for (int b = 0; b < n_segments; b++) {
        s->segments[b].first_row = row;
        row += s->segments[b].n_rows;
    }
    s->batch.n_rows = row;
    s->batch.n_segments = n_segments;
    s->batch.segments = s->segments;
}

static void random_spec(scene *s, random_state *r, trine_dtype type, float *table)
{
    static const int heads[][2] = { { 1, 1 }, { 4, 4 }, { 4, 2 }, { 6, 1 }, { 9, 3 }, { 3, 3 } };
    static const int sizes[] = { 1, 2, 5, 8, 12, 17, 32, 33, 64, 80 };
    static trine_relative_bias bias;
    const int h = random_int(r, 0, 5), block = trine_dtype_get(type)->block;
    memset(s, 0, sizeof *s);
    s->type = type;
    s->spec.n_heads = heads[h][0];
    s->spec.n_kv_heads = heads[h][1];
    s->spec.d_head = block > 1 ? 32 * random_int(r, 1, 2) : sizes[random_int(r, 0, 9)];
    s->spec.scale = 1 / sqrtf((float)s->spec.d_head);
    s->spec.causal = random_int(r, 0, 1);
    s->spec.rounds = random_int(r, 0, 1);
    s->spec.window = random_int(r, 0, 2) ? 0 : random_int(r, 1, 150);
    s->batch.mask = (trine_mask)random_int(r, TRINE_MASK_DEFAULT, TRINE_MASK_PREFIX);
    if (random_int(r, 0, 2) == 0) {
        bias = (trine_relative_bias) { table, random_int(r, 0, 1) ? 32 : 8, random_int(r, 0, 1) ? 128 : 20, s->spec.n_heads,
                                       random_int(r, 0, 1) };
        random_fill(r, table, 32 * 9, 1);
        s->spec.bias = &bias;
    }
}

/* Several passes over the same sequences, each appending some tokens: prefill in chunks, then steps. `deep`: so many tokens that tiles of
 * queries are large. */
static void run_cached(random_state *r, trine_cpu level, trine_dtype type, bool deep)
{
    static float table[32 * 9];
    scene s;
    trine_kv_pool *pool;
    trine_error err = { 0 };
    random_spec(&s, r, type, table);
    const int n_segments = deep ? 1 : random_int(r, 1, 4), n_layers = 2;
    const trine_kv_shape shape = { n_layers, s.spec.n_kv_heads, s.spec.d_head, type };
    s.spec.layer = random_int(r, 0, n_layers - 1);
    if (trine_kv_pool_open(&pool, &shape, deep ? 1800 : 900, n_segments, &err)) fail_msg("%s", err.text);
    for (int b = 0; b < n_segments; b++) {
        s.segments[b].prefix = random_int(r, 0, 200);
        assert_int_equal(trine_kv_open(&s.segments[b].self, pool, &err), TRINE_OK);
    }
    const int n_passes = deep ? 2 : random_int(r, 2, 3);
    const bool long_past = s.spec.n_heads * s.spec.d_head < 80 && random_int(r, 0, 1);
    for (int pass = 0; pass < n_passes; pass++) {
        for (int b = 0; b < n_segments; b++) {
            s.segments[b].pos = trine_kv_length(s.segments[b].self);
            s.segments[b].n_rows = random_int(r, 0, 1) ? random_int(r, 1, 4) : random_int(r, 1, 150);
            if (deep) s.segments[b].n_rows = pass ? random_int(r, 600, 700) : random_int(r, 450, 550);
            if (!deep && long_past && pass == 0)
                s.segments[b].n_rows = random_int(r, 500, 560); /* then steps cut their keys into chunks */
            assert_int_equal(trine_kv_reserve(s.segments[b].self, s.segments[b].n_rows, &err), TRINE_OK);
        }
        lay_out(&s, n_segments);
        make_inputs(&s, r);
        const size_t narrow = (size_t)(s.spec.n_kv_heads * s.spec.d_head);
        for (int b = 0; b < n_segments; b++)
            remember(&s.past[b], s.k + (size_t)s.segments[b].first_row * narrow, s.v + (size_t)s.segments[b].first_row * narrow,
                     narrow, s.spec.d_head, s.segments[b].n_rows, type);
        s.level = level;
        run_pass(&s.batch, level, deep ? 1 : random_int(r, 1, 3), NULL, self_body, &s);
        compare(&s, false);
        for (int b = 0; b < n_segments; b++) trine_kv_commit(s.segments[b].self, s.segments[b].n_rows);
        free_inputs(&s);
    }
    forget(&s);
    trine_kv_pool_close(pool);
}

static void run_uncached(random_state *r, trine_cpu level)
{
    static float table[32 * 9];
    scene s;
    random_spec(&s, r, TRINE_F32, table);
    const int n_segments = random_int(r, 1, MAX_SEGMENTS);
    for (int b = 0; b < n_segments; b++) {
        s.segments[b].n_rows = random_int(r, 1, random_int(r, 0, 1) ? 20 : 200);
        s.segments[b].prefix = random_int(r, 0, 100);
    }
    lay_out(&s, n_segments);
    make_inputs(&s, r);
    const size_t narrow = (size_t)(s.spec.n_kv_heads * s.spec.d_head);
    for (int b = 0; b < n_segments; b++)
        remember(&s.past[b], s.k + (size_t)s.segments[b].first_row * narrow, s.v + (size_t)s.segments[b].first_row * narrow, narrow,
                 s.spec.d_head, s.segments[b].n_rows, TRINE_F32);
    s.level = level;
    run_pass(&s.batch, level, random_int(r, 1, 3), NULL, self_body, &s);
    compare(&s, false);
    free_inputs(&s);
    forget(&s);
}

static void run_cross(random_state *r, trine_cpu level, trine_dtype type)
{
    static float table[32 * 9];
    scene s;
    trine_kv_pool *pool;
    trine_error err = { 0 };
    random_spec(&s, r, type, table);
    const int n_segments = random_int(r, 1, 3);
    const trine_kv_shape shape = { 1, s.spec.n_kv_heads, s.spec.d_head, type };
    if (trine_kv_pool_open(&pool, &shape, 600, n_segments, &err)) fail_msg("%s", err.text);
    for (int b = 0; b < n_segments; b++) {
        assert_int_equal(trine_kv_open(&s.segments[b].cross, pool, &err), TRINE_OK);
        s.segments[b].n_rows = random_int(r, 1, random_int(r, 0, 1) ? 30 : 600);
        assert_int_equal(trine_kv_reserve(s.segments[b].cross, s.segments[b].n_rows, &err), TRINE_OK);
    }
    lay_out(&s, n_segments);
    make_inputs(&s, r);
    const size_t narrow = (size_t)(s.spec.n_kv_heads * s.spec.d_head);
    s.level = level;
    run_pass(&s.batch, level, random_int(r, 1, 3), NULL, cross_append_body, &s);
    for (int b = 0; b < n_segments; b++) {
        remember(&s.past[b], s.k + (size_t)s.segments[b].first_row * narrow, s.v + (size_t)s.segments[b].first_row * narrow, narrow,
                 s.spec.d_head, s.segments[b].n_rows, type);
        trine_kv_commit(s.segments[b].cross, s.segments[b].n_rows);
    }
    free_inputs(&s);
    for (int b = 0; b < n_segments; b++) {
        s.segments[b].pos = random_int(r, 0, 9);
        s.segments[b].n_rows = random_int(r, 1, random_int(r, 0, 1) ? 3 : 80);
    }
    lay_out(&s, n_segments);
    make_inputs(&s, r);
    s.level = level;
    run_pass(&s.batch, level, random_int(r, 1, 3), NULL, cross_body, &s);
    compare(&s, true);
    free_inputs(&s);
    forget(&s);
    trine_kv_pool_close(pool);
}

static void attention_in_the_pass(void **state)
{
    (void)state;
    random_state r = random_open("attention in the pass");
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level))
        for (int i = 0; i < 25; i++) run_uncached(&r, (trine_cpu)level);
}

static void attention_over_a_cache(void **state)
{
    (void)state;
    static const trine_dtype types[] = { TRINE_F32, TRINE_F16, TRINE_BF16, TRINE_Q8_0, TRINE_Q4_0 };
    random_state r = random_open("attention over a cache");
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level))
        for (int t = 0; t < 5; t++)
            for (int i = 0; i < 5; i++) run_cached(&r, (trine_cpu)level, types[t], false);
    for (int t = 0; t < 5; t++) run_cached(&r, trine_cpu_detect(), types[t], true);
}

static void attention_to_a_source(void **state)
{
    (void)state;
    static const trine_dtype types[] = { TRINE_F32, TRINE_F16, TRINE_BF16, TRINE_Q8_0, TRINE_Q4_0 };
    random_state r = random_open("attention to a source");
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level))
        for (int t = 0; t < 5; t++)
            for (int i = 0; i < 3; i++) run_cross(&r, (trine_cpu)level, types[t]);
}

/* The bits do not depend on the number of threads: prefill, rows over many keys, of which a few threads have larger tiles, and a step whose
 * keys are cut into chunks. */
static void threads_change_nothing(void **state)
{
    (void)state;
    random_state r = random_open("threads change nothing");
    enum { STEPS = 3 };
    static const int steps[STEPS] = { 1000, 212, 1 }; /* whose last tiles have few rows in one cut and many in another */
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        float *first[STEPS] = { NULL };
        for (int n_threads = 1; n_threads <= 5; n_threads++) {
            random_state same = r;
            scene s = { .spec = { .n_heads = 6, .n_kv_heads = 2, .d_head = 40, .scale = 0.2f, .causal = true } };
            const trine_kv_shape shape = { 1, 2, 40, TRINE_F16 };
            trine_kv_pool *pool;
            assert_int_equal(trine_kv_pool_open(&pool, &shape, 1300, 1, NULL), TRINE_OK);
            assert_int_equal(trine_kv_open(&s.segments[0].self, pool, NULL), TRINE_OK);
            for (int i = 0; i < STEPS; i++) {
                s.segments[0].pos = trine_kv_length(s.segments[0].self);
                s.segments[0].n_rows = steps[i];
                lay_out(&s, 1);
                make_inputs(&s, &same);
                assert_int_equal(trine_kv_reserve(s.segments[0].self, steps[i], NULL), TRINE_OK);
                run_pass(&s.batch, (trine_cpu)level, n_threads, NULL, self_body, &s);
                trine_kv_commit(s.segments[0].self, steps[i]);
                const size_t bytes = (size_t)steps[i] * 240 * sizeof(float);
                if (!first[i]) {
                    first[i] = floats((size_t)steps[i] * 240);
                    memcpy(first[i], s.out, bytes);
                }
                assert_memory_equal(first[i], s.out, bytes);
                free_inputs(&s);
            }
            trine_kv_pool_close(pool);
        }
        for (int i = 0; i < STEPS; i++) free(first[i]);
    }
}

/* ---- the explicit weights ---- */

typedef struct picture {
    char name[64];
    int64_t shape[3];
    float *data;
    int calls;
} picture;

static trine_status keep_picture(void *user, const char *name, const float *data, int n_dims, const int64_t *shape)
{
    picture *kept = user;
    assert_int_equal(n_dims, 3);
    snprintf(kept->name, sizeof kept->name, "%s", name);
    memcpy(kept->shape, shape, sizeof kept->shape);
    const size_t n = (size_t)(shape[0] * shape[1] * shape[2]);
    free(kept->data);
    kept->data = floats(n);
    memcpy(kept->data, data, n * sizeof *data);
    kept->calls++;
    return TRINE_OK;
}

static void check_picture(const scene *s, const picture *kept, bool cross)
{
    const int n = s->past[0].n, rows = s->segments[0].n_rows;
    double *weights = malloc((size_t)n * sizeof *weights), *out = malloc((size_t)s->spec.d_head * sizeof *out);
    assert_int_equal(kept->shape[0], s->spec.n_heads);
    assert_int_equal(kept->shape[1], rows);
    assert_int_equal(kept->shape[2], n);
    for (int h = 0; h < s->spec.n_heads; h++)
        for (int i = 0; i < rows; i++) {
            naive_row(weights, out, s, 0, i, h, cross);
            for (int j = 0; j < n; j++)
                assert_true(fabs((double)kept->data[((size_t)h * (size_t)rows + (size_t)i) * (size_t)n + (size_t)j] - weights[j]) <
                            1e-5);
        }
    free(weights);
    free(out);
}

static void traced_weights(void **state)
{
    (void)state;
    random_state r = random_open("traced weights");
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level))
        for (int round = 0; round < 8; round++) {
            static float table[32 * 9];
            picture kept = { .calls = 0 };
            trine_tracer tracer = { .put = keep_picture, .user = &kept, .prefix = "encoder.", .attention = true };
            scene s;
            random_spec(&s, &r, TRINE_F32, table);
            s.spec.layer = 3;
            s.segments[0].n_rows = random_int(&r, 1, 150);
            s.segments[0].prefix = random_int(&r, 0, 40);
            lay_out(&s, 1);
            make_inputs(&s, &r);
            remember(&s.past[0], s.k, s.v, (size_t)(s.spec.n_kv_heads * s.spec.d_head), s.spec.d_head, s.segments[0].n_rows,
                     TRINE_F32);
            s.level = (trine_cpu)level;
            run_pass(&s.batch, s.level, 2, &tracer, self_body, &s);
            compare(&s, false);
            assert_int_equal(kept.calls, 1);
            assert_string_equal(kept.name, "encoder.attention.3");
            check_picture(&s, &kept, false);
            free(kept.data);
            free_inputs(&s);
            forget(&s);
        }
}

/* Against the matrix: entry (i, j) has the sign of the parity of the bits that i and j share. */
static void turned_heads(void **state)
{
    (void)state;
    random_state r = random_open("turned heads");
    for (int d = 1; d <= 192; d++) {
        float x[192], y[192];
        const int n = d & -d;
        random_fill(&r, x, (size_t)d, 1);
        memcpy(y, x, sizeof y);
        trine_hadamard(y, d);
        for (int i = 0; i < d; i++) {
            double sum = 0, size = 0;
            for (int j = 0; j < n; j++) {
                const double term = (double)x[i / n * n + j] / sqrt(n);
                sum += __builtin_parity((unsigned)(i % n & j)) ? -term : term;
                size += fabs(term);
            }
            /* A rounding each of at most 7 rounds, and of the scale and its product. */
            assert_true(fabs((double)y[i] - sum) <= 10 * 0x1p-24 * size);
        }
    }
}

/* ---- failures ---- */

static void failing_attention(void **state)
{
    (void)state;
    random_state r = random_open("failing attention");
    scene s = { .spec = { .n_heads = 2, .n_kv_heads = 2, .d_head = 8, .scale = 1, .causal = true } };
    const trine_kv_shape shape = { 1, 2, 8, TRINE_F32 }, other = { 1, 1, 8, TRINE_F32 };
    trine_kv_pool *pool, *wrong;
    s.segments[0].n_rows = 3;
    lay_out(&s, 1);
    make_inputs(&s, &r);
    assert_int_equal(trine_kv_pool_open(&pool, &shape, 64, 1, NULL), TRINE_OK);
    assert_int_equal(trine_kv_pool_open(&wrong, &other, 64, 1, NULL), TRINE_OK);
    assert_int_equal(trine_kv_open(&s.segments[0].self, pool, NULL), TRINE_OK);
    assert_int_equal(run_failing_pass(&s.batch, TRINE_CPU_SCALAR, 1, self_body, &s), TRINE_ERROR_INTERNAL); /* nothing reserved */
    assert_int_equal(trine_kv_open(&s.segments[0].self, wrong, NULL), TRINE_OK);
    assert_int_equal(trine_kv_reserve(s.segments[0].self, 3, NULL), TRINE_OK);
    assert_int_equal(run_failing_pass(&s.batch, TRINE_CPU_SCALAR, 1, self_body, &s), TRINE_ERROR_INTERNAL);  /* heads disagree */
    assert_int_equal(run_failing_pass(&s.batch, TRINE_CPU_SCALAR, 1, cross_body, &s), TRINE_ERROR_INTERNAL); /* no source */
    s.segments[0].self = NULL;
    const float table[64] = { 0 };
    trine_relative_bias bias = { table, 32, 8, 2, false }; /* the distance lies inside the exact buckets */
    s.spec.bias = &bias;
    assert_int_equal(run_failing_pass(&s.batch, TRINE_CPU_SCALAR, 1, self_body, &s), TRINE_ERROR_UNSUPPORTED);
    s.spec.bias = NULL;
    s.spec.n_heads = 1; /* two kv heads for one */
    assert_int_equal(run_failing_pass(&s.batch, TRINE_CPU_SCALAR, 1, self_body, &s), TRINE_ERROR_INTERNAL);
    trine_kv_pool_close(pool);
    trine_kv_pool_close(wrong);
    free_inputs(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_in_the_pass),  cmocka_unit_test(attention_over_a_cache), cmocka_unit_test(attention_to_a_source),
        cmocka_unit_test(threads_change_nothing), cmocka_unit_test(traced_weights),         cmocka_unit_test(failing_attention),
        cmocka_unit_test(turned_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
