/* test_attention_gradients.c - gradients of attention against finite differences of a reference in double: every mask, windows, grouped
 * heads, a relative bias, keys of a source, dropout, ragged batches over several tiles; at every level, and the same bits on any number
 * of threads. The memory of a long text grows with its length. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "blocks/attention.h"
#include "support/learn.h"
#include "support/random.h"

enum { SEGMENTS = 3 };

typedef struct attention_test {
    trine_attention_spec spec;
    trine_relative_bias bias;
    trine_batch batch;
    trine_segment segments[SEGMENTS];
    bool cross;
    int q_rows, k_rows;
    float *q, *k, *v, *dq, *dk, *dv, *factors, *out;
    float drop;
    uint64_t seed;
} attention_test;

static void *zeros(size_t n, size_t size)
{
    void *memory = calloc(n ? n : 1, size);
    assert_non_null(memory);
    return memory;
}

static int q_cols(const attention_test *t) { return t->spec.n_heads * t->spec.d_head; }
static int k_cols(const attention_test *t) { return t->spec.n_kv_heads * t->spec.d_head; }

static void body(trine_pass *p, void *user)
{
    attention_test *t = user;
    const trine_mat q = learn_input(p, t->q, t->q_rows, q_cols(t), t->dq), k = learn_input(p, t->k, t->k_rows, k_cols(t), t->dk),
                    v = learn_input(p, t->v, t->k_rows, k_cols(t), t->dv);
    trine_mat out;
    if (t->cross) {
        trine_cross_append(p, t->spec.layer, k, v);
        out = trine_cross_attention(p, q, &t->spec);
    } else {
        out = trine_self_attention(p, q, k, v, &t->spec);
    }
    learn_weigh(p, out, t->factors, t->out);
}

/* ---- the reference ---- */

static bool sees(const attention_test *t, const trine_segment *s, int query, int key)
{
    if (t->cross) return true;
    trine_mask mask = t->batch.mask;
    if (mask == TRINE_MASK_DEFAULT) mask = t->spec.causal ? TRINE_MASK_CAUSAL : TRINE_MASK_BIDIRECTIONAL;
    if (mask == TRINE_MASK_BIDIRECTIONAL) return true;
    if (mask == TRINE_MASK_PREFIX && key < s->prefix) return true;
    return key <= query && (!t->spec.window || query - key < t->spec.window);
}

/* Whether a weight stays, by the definition of attention.h. */
static double kept(const attention_test *t, int row, int head, int key)
{
    trine_attention_spec spec = t->spec;
    const trine_attention_job job = { .spec = &spec,
                                      .drops = (uint32_t)lrintf(t->drop * 65536),
                                      .drop_key = trine_random_key(t->seed, 0) };
    if (!job.drops) return 1;
    const uint64_t bits = trine_attention_drop_bits(trine_attention_drop_key(&job, row, head), key / 4 * 4);
    return (bits >> (16 * (key % 4)) & 0xFFFF) < job.drops ? 0 : (double)trine_attention_drop_scale(&job);
}

/* The sum of all results times their factors, of the segment that holds query row `row`, or source row (all when -1). */
static double loss_of(const attention_test *t, const double *q, const double *k, const double *v, const double *table,
                      const uint16_t *bucket, double *out, int segment)
{
    const int d = t->spec.d_head, group = t->spec.n_heads / t->spec.n_kv_heads;
    double loss = 0;
    for (int si = 0; si < t->batch.n_segments; si++) {
        if (segment >= 0 && si != segment) continue;
        const trine_segment *s = &t->segments[si];
        const int first_key = t->cross ? s->source_row : s->first_row, n_keys = t->cross ? s->n_source : s->n_rows;
        double *weights = zeros((size_t)n_keys, sizeof *weights);
        for (int i = 0; i < s->n_rows; i++)
            for (int h = 0; h < t->spec.n_heads; h++) {
                double max = -INFINITY, sum = 0;
                for (int j = 0; j < n_keys; j++) {
                    weights[j] = -INFINITY;
                    if (!sees(t, s, i, j)) continue;
                    weights[j] = 0;
                    for (int c = 0; c < d; c++)
                        weights[j] +=
                            q[(s->first_row + i) * q_cols(t) + h * d + c] * k[(first_key + j) * k_cols(t) + h / group * d + c];
                    weights[j] *= (double)t->spec.scale;
                    if (t->spec.bias && !t->cross)
                        weights[j] += table[trine_relative_bucket(bucket, &t->bias, j - i) * t->spec.n_heads + h];
                    max = fmax(max, weights[j]);
                }
                for (int j = 0; j < n_keys; j++) sum += weights[j] = exp(weights[j] - max);
                for (int c = 0; c < d; c++) {
                    double value = 0;
                    for (int j = 0; j < n_keys; j++)
                        if (weights[j] > 0)
                            value += weights[j] / sum * kept(t, s->first_row + i, h, j) *
                                     v[(first_key + j) * k_cols(t) + h / group * d + c];
                    const int at = (s->first_row + i) * q_cols(t) + h * d + c;
                    if (out) out[at] = value;
                    loss += value * (double)t->factors[at];
                }
            }
        free(weights);
    }
    return loss;
}

static double *doubles(const float *x, int n)
{
    double *y = zeros((size_t)n, sizeof *y);
    for (int i = 0; i < n; i++) y[i] = (double)x[i];
    return y;
}

static int segment_of(const attention_test *t, int row, bool of_key)
{
    for (int s = 0; s < t->batch.n_segments; s++) {
        const int first = of_key && t->cross ? t->segments[s].source_row : t->segments[s].first_row;
        const int n = of_key && t->cross ? t->segments[s].n_source : t->segments[s].n_rows;
        if (row >= first && row < first + n) return s;
    }
    return t->batch.n_segments; /* in none: no gradient */
}

/* Some elements of x (all when they are few) against central differences. The error of f32 is a part of the largest gradient, or of
 * the products that cancel in it. */
static void check_side(const attention_test *t, random_state *r, const char *what, int level, double *all[4], double *x,
                       const float *grad, int n, int cols, bool of_key, const uint16_t *bucket, double eps)
{
    double largest = 0;
    for (int i = 0; i < n; i++) largest = fmax(largest, fabs((double)grad[i]));
    const int tries = n < 24 ? n : 24;
    for (int c = 0; c < tries; c++) {
        const int at = n == tries ? c : random_int(r, 0, n - 1), segment = cols ? segment_of(t, at / cols, of_key) : -1;
        const double step = 1e-5, was = x[at];
        x[at] = was + step;
        const double up = loss_of(t, all[0], all[1], all[2], all[3], bucket, NULL, segment);
        x[at] = was - step;
        const double down = loss_of(t, all[0], all[1], all[2], all[3], bucket, NULL, segment);
        x[at] = was;
        const double expected = (up - down) / (2 * step);
        if (!(fabs((double)grad[at] - expected) <= eps * (largest + 1)))
            fail_msg("level %d, %d segments, %d/%d heads of %d%s%s, mask %d, window %d, drop %g: %s[%d][%d] is %g, expected %g",
                     level, t->batch.n_segments, t->spec.n_heads, t->spec.n_kv_heads, t->spec.d_head, t->cross ? ", cross" : "",
                     t->spec.bias ? ", bias" : "", t->batch.mask, t->spec.window, (double)t->drop, what, cols ? at / cols : at,
                     cols ? at % cols : 0, (double)grad[at], expected);
    }
}

static void check(const attention_test *t, const learning *l, random_state *r, double eps)
{
    const int nq = t->q_rows * q_cols(t), nk = t->k_rows * k_cols(t);
    double *all[4] = { doubles(t->q, nq), doubles(t->k, nk), doubles(t->v, nk), doubles(l->values, (int)l->n) };
    double *out = zeros((size_t)nq, sizeof *out);
    uint16_t *bucket = NULL;
    if (t->spec.bias) {
        bucket = zeros((size_t)t->bias.max_distance + 1, sizeof *bucket);
        trine_relative_buckets(bucket, &t->bias);
    }
    loss_of(t, all[0], all[1], all[2], all[3], bucket, out, -1);
    for (int i = 0; i < nq; i++)
        if (segment_of(t, i / q_cols(t), false) < t->batch.n_segments)
            assert_true(fabs(out[i] - (double)t->out[i]) <= eps * (1 + fabs(out[i])));
    check_side(t, r, "dq", l->level, all, all[0], t->dq, nq, q_cols(t), false, bucket, eps);
    check_side(t, r, "dk", l->level, all, all[1], t->dk, nk, k_cols(t), true, bucket, eps);
    check_side(t, r, "dv", l->level, all, all[2], t->dv, nk, k_cols(t), true, bucket, eps);
    if (t->spec.bias && !t->cross) check_side(t, r, "dbias", l->level, all, all[3], l->grads, (int)l->n, 0, false, bucket, eps);
    for (int i = 0; i < 4; i++) free(all[i]);
    free(out);
    free(bucket);
}

static void run_one(random_state *r, trine_cpu level, int longest)
{
    static const trine_mask MASKS[] = { TRINE_MASK_DEFAULT, TRINE_MASK_BIDIRECTIONAL, TRINE_MASK_CAUSAL, TRINE_MASK_PREFIX };
    attention_test t = { .cross = random_int(r, 0, 3) == 0, .seed = random_u64(r) };
    const bool large = longest > 64;
    const int n_kv_heads = random_int(r, 1, large ? 2 : 3), group = random_int(r, 0, 2) ? 1 : random_int(r, 2, large ? 3 : 5);
    const int d = !large && random_int(r, 1, 3) == 1 ? 64 : random_int(r, 1, 24);
    t.spec = (trine_attention_spec) { .layer = 1,
                                      .n_heads = n_kv_heads * group,
                                      .n_kv_heads = n_kv_heads,
                                      .d_head = d,
                                      .scale = random_int(r, 0, 1) ? 1 / sqrtf((float)d) : 1,
                                      .causal = random_int(r, 0, 1) };
    if (random_int(r, 0, 2) == 0) t.spec.window = random_int(r, 1, longest);
    if (random_int(r, 0, 1)) t.drop = 0.25f;
    t.batch =
        (trine_batch) { .n_segments = random_int(r, 1, SEGMENTS), .segments = t.segments, .mask = MASKS[random_int(r, 0, 3)] };
    for (int s = 0; s < t.batch.n_segments; s++) {
        trine_segment *segment = &t.segments[s];
        segment->first_row = t.q_rows;
        segment->n_rows = random_int(r, 1, longest);
        segment->prefix = random_int(r, 0, segment->n_rows);
        segment->source_row = t.k_rows + random_int(r, 0, 1); /* a row that is nobody's has no gradient */
        segment->n_source = random_int(r, 1, longest);
        t.q_rows += segment->n_rows;
        t.k_rows = segment->source_row + segment->n_source;
    }
    if (!t.cross) t.k_rows = t.q_rows;
    t.batch.n_rows = t.q_rows;
    learning l = { .level = level, .n_cross = 2, .dropout_attention = t.drop, .seed = t.seed };
    t.bias = (trine_relative_bias) {
        .n_buckets = 8, .max_distance = 20, .n_heads = t.spec.n_heads, .bidirectional = random_int(r, 0, 1)
    };
    l.n = (size_t)(t.bias.n_buckets * t.bias.n_heads);
    l.values = zeros(l.n, sizeof *l.values);
    l.grads = zeros(l.n, sizeof *l.grads);
    random_fill(r, l.values, l.n, 1);
    t.bias.table = l.values;
    if (random_int(r, 0, 2) == 0) t.spec.bias = &t.bias;
    const size_t nq = (size_t)t.q_rows * (size_t)q_cols(&t), nk = (size_t)t.k_rows * (size_t)k_cols(&t);
    float **sides[] = { &t.q, &t.dq, &t.factors, &t.out, &t.k, &t.dk, &t.v, &t.dv };
    for (int i = 0; i < 8; i++) {
        *sides[i] = zeros(i < 4 ? nq : nk, sizeof(float));
        random_fill(r, *sides[i], i < 4 ? nq : nk, 1);
    }
    l.n_threads = 1;
    learn(&l, &t.batch, body, &t);
    check(&t, &l, r, 3e-5);
    float *before[4] = { zeros(nq, sizeof(float)), zeros(nk, sizeof(float)), zeros(nk, sizeof(float)), zeros(l.n, sizeof(float)) };
    memcpy(before[0], t.dq, nq * sizeof(float));
    memcpy(before[1], t.dk, nk * sizeof(float));
    memcpy(before[2], t.dv, nk * sizeof(float));
    memcpy(before[3], l.grads, l.n * sizeof(float));
    l.n_threads = 3;
    learn(&l, &t.batch, body, &t);
    assert_memory_equal(before[0], t.dq, nq * sizeof(float));
    assert_memory_equal(before[1], t.dk, nk * sizeof(float));
    assert_memory_equal(before[2], t.dv, nk * sizeof(float));
    assert_memory_equal(before[3], l.grads, l.n * sizeof(float));
    for (int i = 0; i < 8; i++) free(*sides[i]);
    for (int i = 0; i < 4; i++) free(before[i]);
    free(l.values);
    free(l.grads);
}

static void gradients_agree(void **state)
{
    (void)state;
    random_state r = random_open("attention gradients");
    for (int level = TRINE_CPU_SCALAR; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        for (int round = 0; round < 30; round++) run_one(&r, (trine_cpu)level, 12);
        for (int round = 0; round < 4; round++) run_one(&r, (trine_cpu)level, 80); /* over tiles */
    }
}

/* ---- memory ---- */

static void measure_body(trine_pass *p, void *user)
{
    attention_test *t = user;
    trine_mat q = trine_mat_new(p, t->q_rows, q_cols(t));
    float grad = 0; /* its address says that a gradient is asked for; nothing is computed */
    q = learn_input(p, NULL, t->q_rows, q_cols(t), &grad);
    learn_weigh(p, trine_self_attention(p, q, q, q, &t->spec), NULL, NULL);
}

static void memory_grows_with_the_length(void **state)
{
    (void)state;
    size_t bytes[2];
    for (int i = 0; i < 2; i++) {
        attention_test t = { .q_rows = 4096 << i,
                             .spec = { .n_heads = 2, .n_kv_heads = 2, .d_head = 64, .scale = 1, .causal = true } };
        t.segments[0].n_rows = t.q_rows;
        t.batch = (trine_batch) { .n_rows = t.q_rows, .n_segments = 1, .segments = t.segments };
        trine_tape tape;
        trine_arena arena;
        trine_kernels kernels;
        trine_kernels_init(&kernels, TRINE_CPU_SCALAR);
        assert_int_equal(trine_tape_open(&tape, 0, NULL), TRINE_OK);
        trine_arena_measure(&arena);
        trine_pass p = { .arena = &arena, .kernels = &kernels, .batch = &t.batch, .tape = &tape };
        measure_body(&p, &t);
        trine_backward(&p);
        assert_int_equal(trine_pass_status(&p, NULL), TRINE_OK);
        bytes[i] = arena.peak + tape.pool.peak;
        trine_tape_close(&tape);
    }
    assert_true(bytes[1] < 2 * bytes[0]);
    assert_true(bytes[1] < (size_t)8192 * 128 * sizeof(float) * 8); /* a few matrices of its own size */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(gradients_agree), cmocka_unit_test(memory_grows_with_the_length) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
