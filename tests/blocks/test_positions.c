/* Rotary frequencies and relative buckets against what transformers' functions gave (tools/make_position_fixtures.py), and
 * the turning itself against complex numbers in double. */
#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "blocks/attention.h"
#include "support/alloc.h"
#include "support/random.h"
#include "support/run_pass.h"

static FILE *open_fixture(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/blocks/%s", TRINE_FIXTURES, name);
    FILE *f = fopen(path, "r");
    if (!f) fail_msg("%s is missing", path);
    return f;
}

static void rope_frequencies(void **state)
{
    (void)state;
    FILE *f = open_fixture("rope.txt");
    int n_cases = 0, kind, no_truncate;
    for (trine_rope_config c = { 0 };
         fscanf(f, "%d %f %d %d %f %f %f %d %f %f %d %f", &kind, &c.theta, &c.d_head, &c.n_rotated, &c.factor, &c.low_freq_factor,
                &c.high_freq_factor, &c.original_ctx, &c.beta_fast, &c.beta_slow, &no_truncate, &c.attention_factor) == 12;
         n_cases++) {
        trine_rope rope;
        trine_error err;
        float scale, expected;
        c.kind = (trine_rope_kind)kind;
        c.no_truncate = no_truncate;
        if (trine_rope_make(&rope, &c, &err)) fail_msg("%s", err.text);
        assert_int_equal(fscanf(f, "%f", &scale), 1);
        assert_true(fabsf(rope.scale - scale) <= 1e-6f * scale);
        assert_int_equal(rope.n_rotated, c.n_rotated);
        for (int i = 0; i < c.n_rotated / 2; i++) {
            assert_int_equal(fscanf(f, "%f", &expected), 1);
            /* Two units in the last place: torch's pow in f32 and libm's rounded from double differ by one at times. */
            if (fabsf(rope.inv_freq[i] - expected) > 2.4e-7f * expected)
                fail_msg("case %d frequency %d: %.9g, expected %.9g", n_cases, i, (double)rope.inv_freq[i], (double)expected);
        }
        trine_rope_clear(&rope);
    }
    assert_true(feof(f));
    assert_int_equal(n_cases, 14);
    fclose(f);
}

static void freq_factors_divide(void **state)
{
    (void)state;
    const float factors[4] = { 1, 2, 4, 8 };
    trine_rope plain, divided;
    trine_rope_config c = { .theta = 10000, .d_head = 8, .n_rotated = 8 };
    assert_int_equal(trine_rope_make(&plain, &c, NULL), TRINE_OK);
    c.freq_factors = factors;
    assert_int_equal(trine_rope_make(&divided, &c, NULL), TRINE_OK);
    for (int i = 0; i < 4; i++) assert_true(divided.inv_freq[i] == plain.inv_freq[i] / factors[i]);
    trine_rope_clear(&plain);
    trine_rope_clear(&divided);
    trine_rope_clear(NULL);
}

static void bad_configurations(void **state)
{
    (void)state;
    const trine_rope_config good = { TRINE_ROPE_LLAMA3, 10000, 8, 8, 2, 1, 4, 64, 0, 0, false, 0, false, NULL };
    trine_rope rope;
    trine_error err;
    assert_int_equal(trine_rope_make(&rope, &good, &err), TRINE_OK);
    trine_rope_clear(&rope);
    alloc_fail_at(1);
    assert_int_equal(trine_rope_make(&rope, &good, &err), TRINE_ERROR_MEMORY);
    alloc_fail_at(0);
    assert_null(rope.inv_freq);
#define BAD(field, value)                                                                                                          \
    {                                                                                                                              \
        trine_rope_config bad = good;                                                                                              \
        bad.field = value;                                                                                                         \
        assert_int_equal(trine_rope_make(&rope, &bad, &err), TRINE_ERROR_FORMAT);                                                  \
        assert_null(rope.inv_freq);                                                                                                \
        assert_true(strlen(err.text) > 10);                                                                                        \
    }
    BAD(n_rotated, 7)
    BAD(n_rotated, 10)
    BAD(n_rotated, 0)
    BAD(d_head, 0)
    BAD(theta, 0)
    BAD(theta, NAN)
    BAD(factor, 0)
    BAD(factor, INFINITY)
    BAD(original_ctx, 0)
    BAD(low_freq_factor, 0)
    BAD(high_freq_factor, 1)
#undef BAD
}

typedef struct turn {
    float *x, *out;
    int cols, d_head;
    const trine_rope *rope;
} turn;

static void turn_body(trine_pass *p, void *user)
{
    turn *t = user;
    trine_mat x = trine_mat_new(p, p->batch->n_rows, t->cols);
    const size_t bytes = (size_t)x.rows * (size_t)t->cols * sizeof(float);
    if (trine_pass_computes(p)) memcpy(x.data, t->x, bytes);
    x = trine_rope_turn(p, x, t->d_head, t->rope);
    if (trine_pass_computes(p)) memcpy(t->out, x.data, bytes);
}

static void rope_turns(void **state)
{
    (void)state;
    random_state r = random_open("rope turns");
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level))
        for (int round = 0; round < 60; round++) {
            const int n_heads = random_int(&r, 1, 3), d = random_int(&r, 2, 70), n_rotated = random_int(&r, 1, d / 2) * 2;
            const trine_rope_config c = { .theta = 10000, .d_head = d, .n_rotated = n_rotated, .interleaved = round % 2 };
            trine_rope rope;
            assert_int_equal(trine_rope_make(&rope, &c, NULL), TRINE_OK);
            rope.scale = round % 3 ? 1.0f : 1.125f;
            const trine_segment segments[2] = {
                { .first_row = 0, .n_rows = random_int(&r, 1, 40), .pos = random_int(&r, 0, 200000) },
                { .first_row = segments[0].n_rows, .n_rows = 2, .pos = 0 }
            };
            const trine_batch batch = { .n_rows = segments[0].n_rows + 2, .n_segments = 2, .segments = segments };
            const size_t n = (size_t)(batch.n_rows * n_heads * d);
            turn t = { malloc(n * sizeof(float)), malloc(n * sizeof(float)), n_heads * d, d, &rope };
            assert_non_null(t.x);
            assert_non_null(t.out);
            random_fill(&r, t.x, n, 1);
            run_pass(&batch, (trine_cpu)level, random_int(&r, 1, 3), NULL, turn_body, &t);
            for (int s = 0; s < 2; s++)
                for (int row = 0; row < segments[s].n_rows; row++)
                    for (int h = 0; h < n_heads; h++) {
                        const size_t at = (size_t)(segments[s].first_row + row) * (size_t)(n_heads * d) + (size_t)(h * d);
                        const float *x = t.x + at, *y = t.out + at;
                        for (int i = 0; i < n_rotated / 2; i++) {
                            const int a = c.interleaved ? 2 * i : i, b = c.interleaved ? 2 * i + 1 : i + n_rotated / 2;
                            const float angle = (float)(segments[s].pos + row) * rope.inv_freq[i];
                            const double complex z =
                                ((double)x[a] + (double)x[b] * I) * cexp((double)angle * I) * (double)rope.scale;
                            assert_true(fabs((double)y[a] - creal(z)) < 2e-6 && fabs((double)y[b] - cimag(z)) < 2e-6);
                        }
                        for (int i = n_rotated; i < d; i++) assert_true(y[i] == x[i]);
                    }
            free(t.x);
            free(t.out);
            trine_rope_clear(&rope);
        }
}

static void relative_buckets(void **state)
{
    (void)state;
    FILE *f = open_fixture("buckets.txt");
    int bidirectional, first, last, n_cases = 0;
    trine_relative_bias b = { 0 };
    for (; fscanf(f, "%d %d %d %d %d", &bidirectional, &b.n_buckets, &b.max_distance, &first, &last) == 5; n_cases++) {
        uint16_t bucket[1024];
        b.bidirectional = bidirectional;
        trine_relative_buckets(bucket, &b);
        for (int distance = first; distance <= last; distance++) {
            int expected;
            assert_int_equal(fscanf(f, "%d", &expected), 1);
            if (trine_relative_bucket(bucket, &b, distance) != expected)
                fail_msg("case %d distance %d: bucket %d, expected %d", n_cases, distance,
                         trine_relative_bucket(bucket, &b, distance), expected);
        }
    }
    assert_true(feof(f));
    assert_int_equal(n_cases, 18);
    fclose(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rope_frequencies), cmocka_unit_test(freq_factors_divide), cmocka_unit_test(bad_configurations),
        cmocka_unit_test(rope_turns),       cmocka_unit_test(relative_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
