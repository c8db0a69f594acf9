/* test_sampler.c - the sampler against a plain reference in double, and its draws against the distribution they should follow. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "generate/sampler.h"
#include "support/alloc.h"

static trine_kernels kernels; /* the best of this machine */

#define VOCAB 37

static uint64_t state = 12345;
static double noise(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (double)(state >> 11) * 0x1.0p-53;
}

static void make_logits(float *x, int n)
{
    for (int i = 0; i < n; i++) x[i] = (float)(noise() * 8 - 4);
}

/* The distribution that the options describe, by the book: sorts indices, walks down. */
static void reference(double *p, const float *logits, int n, const trine_generate_options *o, const int *seen)
{
    double l[VOCAB];
    int order[VOCAB];
    bool kept[VOCAB] = { false };
    for (int i = 0; i < n; i++) {
        float v = logits[i];
        const float rp = o->repeat_penalty > 0 ? o->repeat_penalty : 1;
        if (seen && seen[i]) {
            v = v > 0 ? v / rp : v * rp;
            v -= (float)seen[i] * o->frequency_penalty + o->presence_penalty;
        }
        l[i] = (double)v;
        order[i] = i;
    }
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++)
            if (l[order[j]] > l[order[i]] || (l[order[j]] == l[order[i]] && order[j] < order[i])) {
                const int t = order[i];
                order[i] = order[j];
                order[j] = t;
            }
    int k = o->top_k > 0 && o->top_k < n ? o->top_k : n;
    if (o->top_p > 0 && o->top_p < 1) {
        double total = 0, sum = 0;
        for (int i = 0; i < k; i++) total += exp(l[order[i]] - l[order[0]]);
        int m = 0;
        while (m < k && sum < (double)o->top_p * total) sum += exp(l[order[m++]] - l[order[0]]);
        k = m;
    }
    for (int i = 0; i < k; i++) kept[order[i]] = o->min_p <= 0 || exp(l[order[i]] - l[order[0]]) >= (double)o->min_p * (1 - 1e-12);
    double total = 0;
    for (int i = 0; i < n; i++) total += p[i] = kept[i] ? exp((l[i] - l[order[0]]) / (double)o->temperature) : 0;
    for (int i = 0; i < n; i++) p[i] /= total;
}

static trine_sampler *open_sampler(const trine_generate_options *o, int vocab)
{
    trine_sampler *s;
    trine_error err;
    if (trine_sampler_open(&s, o, &kernels, vocab, 4096, &err)) fail_msg("%s", err.text);
    return s;
}

static int32_t pick(trine_sampler *s, const float *logits)
{
    trine_choice c;
    trine_error err;
    if (trine_sampler_pick(&c, s, logits, &err)) fail_msg("%s", err.text);
    return c.id;
}

/* Draws many times: what has no probability never comes, and chi-squared of the rest is what chance would give. */
static void check_distribution(trine_generate_options o, bool penalise)
{
    enum { DRAWS = 40000 };
    static const int32_t past[] = { 3, 3, 3, 7, 9, 9, 36 };
    float logits[VOCAB];
    double p[VOCAB];
    int count[VOCAB] = { 0 }, seen[VOCAB] = { 0 };
    make_logits(logits, VOCAB);
    trine_sampler *s = open_sampler(&o, VOCAB);
    for (size_t i = 0; penalise && i < sizeof past / sizeof *past; i++) {
        trine_sampler_accept(s, past[i]);
        seen[past[i]]++;
    }
    reference(p, logits, VOCAB, &o, seen);
    for (int i = 0; i < DRAWS; i++) count[pick(s, logits)]++;
    double chi2 = 0, rest_p = 0;
    int cells = 0, rest = 0;
    for (int i = 0; i < VOCAB; i++) {
        if (p[i] == 0) assert_int_equal(count[i], 0);
        if (p[i] * DRAWS < 10) { /* cells too small for the test are one cell */
            rest_p += p[i];
            rest += count[i];
            continue;
        }
        chi2 += (count[i] - p[i] * DRAWS) * (count[i] - p[i] * DRAWS) / (p[i] * DRAWS);
        cells++;
    }
    if (rest_p * DRAWS >= 10) chi2 += (rest - rest_p * DRAWS) * (rest - rest_p * DRAWS) / (rest_p * DRAWS), cells++;
    /* Mean of chi-squared: cells - 1, standard deviation sqrt(2 (cells - 1)); five of them happen once in a million. The draws are
     * seeded, so this passes always or never. */
    const double freedom = cells > 1 ? cells - 1 : 1;
    if (chi2 > freedom + 5 * sqrt(2 * freedom) + 5) fail_msg("chi-squared %g with %d cells", chi2, cells);
    trine_sampler_close(s);
}

static void test_distributions(void **unused)
{
    (void)unused;
    check_distribution((trine_generate_options) { .temperature = 1, .seed = 1 }, false);
    check_distribution((trine_generate_options) { .temperature = 0.5f, .seed = 2 }, false);
    check_distribution((trine_generate_options) { .temperature = 2, .seed = 3, .top_k = 5 }, false);
    check_distribution((trine_generate_options) { .temperature = 1, .seed = 4, .top_p = 0.8f }, false);
    check_distribution((trine_generate_options) { .temperature = 3, .seed = 5, .top_p = 0.5f }, false);
    check_distribution((trine_generate_options) { .temperature = 1, .seed = 6, .min_p = 0.1f }, false);
    check_distribution((trine_generate_options) { .temperature = 1.5f, .seed = 7, .top_k = 12, .top_p = 0.9f, .min_p = 0.2f },
                       false);
    check_distribution((trine_generate_options) { .temperature = 1, .seed = 8, .top_k = 1 }, false);
    check_distribution((trine_generate_options) { .temperature = 1, .seed = 9, .repeat_penalty = 1.5f }, true);
    check_distribution(
        (trine_generate_options) { .temperature = 1, .seed = 10, .presence_penalty = 0.7f, .frequency_penalty = 0.4f }, true);
    check_distribution(
        (trine_generate_options) {
            .temperature = 0.8f, .seed = 11, .repeat_penalty = 1.2f, .top_k = 20, .top_p = 0.95f, .min_p = 0.05f },
        true);
}

/* For random options: exactly the tokens with probability can come, and they all do in the end. */
static void test_support(void **unused)
{
    (void)unused;
    for (int round = 0; round < 60; round++) {
        trine_generate_options o = { .temperature = 4, .seed = (uint64_t)round };
        float logits[VOCAB];
        double p[VOCAB];
        bool came[VOCAB] = { false };
        make_logits(logits, VOCAB);
        if (noise() < 0.5) o.top_k = 1 + (int)(noise() * 40);
        if (noise() < 0.5) o.top_p = (float)noise();
        if (noise() < 0.5) o.min_p = (float)(noise() * 0.3);
        reference(p, logits, VOCAB, &o, NULL);
        trine_sampler *s = open_sampler(&o, VOCAB);
        for (int i = 0; i < 6000; i++) came[pick(s, logits)] = true;
        for (int i = 0; i < VOCAB; i++) {
            if (came[i] && p[i] == 0) fail_msg("round %d: token %d came and must not", round, i);
            if (!came[i] && p[i] > 0.003) fail_msg("round %d: token %d of probability %g never came", round, i, p[i]);
        }
        trine_sampler_close(s);
    }
}

static void test_greedy(void **unused)
{
    (void)unused;
    const float logits[6] = { 1, 5, -2, 5, 4.9f, 0 };
    trine_sampler *s = open_sampler(&(trine_generate_options) { 0 }, 6);
    trine_choice c;
    assert_int_equal(trine_sampler_pick(&c, s, logits, NULL), TRINE_OK);
    assert_int_equal(c.id, 1); /* the lower of two equals */
    double sum = 0;
    for (int i = 0; i < 6; i++) sum += exp((double)logits[i]);
    assert_true(fabs(c.log_prob - (5 - log(sum))) < 1e-6); /* exponentials in f32 */
    trine_sampler_close(s);

    s = open_sampler(&(trine_generate_options) { .temperature = 1, .top_k = 1 }, 6);
    for (int i = 0; i < 100; i++) assert_int_equal(pick(s, logits), 1);
    trine_sampler_close(s);
    s = open_sampler(&(trine_generate_options) { .temperature = 1e-6f }, 6);
    for (int i = 0; i < 200; i++) {
        const int32_t id = pick(s, logits);
        assert_true(id == 1 || id == 3);
    }
    trine_sampler_close(s);
}

static void test_penalties(void **unused)
{
    (void)unused;
    const float logits[4] = { 2, 1.5f, -1, 1.4f };
    /* 2 / 1.6 = 1.25 < 1.5; then 1.5 / 1.6 < 1.4. */
    trine_sampler *s = open_sampler(&(trine_generate_options) { .repeat_penalty = 1.6f, .repeat_last_n = 2 }, 4);
    assert_int_equal(pick(s, logits), 0);
    trine_sampler_accept(s, 0);
    assert_int_equal(pick(s, logits), 1);
    trine_sampler_accept(s, 1);
    assert_int_equal(pick(s, logits), 3);
    trine_sampler_accept(s, 3); /* token 0 leaves the window of 2 */
    assert_int_equal(pick(s, logits), 0);
    trine_sampler_close(s);
    /* Without a window nothing is forgotten; a frequency penalty grows. */
    s = open_sampler(&(trine_generate_options) { .frequency_penalty = 0.2f, .repeat_last_n = -1 }, 4);
    for (int i = 0; i < 2; i++) trine_sampler_accept(s, 0);
    assert_int_equal(pick(s, logits), 0); /* 1.6 */
    trine_sampler_accept(s, 0);
    assert_int_equal(pick(s, logits), 1); /* 1.4 < 1.5 */
    trine_sampler_close(s);
    /* The default window is 64. */
    s = open_sampler(&(trine_generate_options) { .presence_penalty = 1 }, 4);
    trine_sampler_accept(s, 0);
    for (int i = 0; i < 63; i++) trine_sampler_accept(s, 2);
    assert_int_equal(pick(s, logits), 1);
    trine_sampler_accept(s, 2);
    assert_int_equal(pick(s, logits), 0);
    trine_sampler_close(s);
}

static void test_seed(void **unused)
{
    (void)unused;
    float logits[VOCAB];
    int32_t first[50];
    int same = 0;
    make_logits(logits, VOCAB);
    const trine_generate_options o = { .temperature = 1, .seed = 42 }, other = { .temperature = 1, .seed = 43 };
    trine_sampler *a = open_sampler(&o, VOCAB), *b = open_sampler(&o, VOCAB), *c = open_sampler(&other, VOCAB);
    for (int i = 0; i < 50; i++) first[i] = pick(a, logits);
    for (int i = 0; i < 50; i++) assert_int_equal(pick(b, logits), first[i]);
    for (int i = 0; i < 50; i++) same += pick(c, logits) == first[i];
    assert_true(same < 40);
    trine_sampler_close(a);
    trine_sampler_close(b);
    trine_sampler_close(c);
}

static void test_numeric(void **unused)
{
    (void)unused;
    const float bad[][3] = { { 1, NAN, 0 }, { 1, INFINITY, 0 }, { NAN, NAN, NAN }, { -INFINITY, -INFINITY, -INFINITY } };
    const float forbidden[3] = { -INFINITY, 1, -INFINITY };
    for (int sampling = 0; sampling < 2; sampling++) {
        trine_sampler *s =
            open_sampler(&(trine_generate_options) { .temperature = (float)sampling, .top_p = 0.9f, .min_p = 0.1f }, 3);
        trine_choice c;
        trine_error err;
        for (int i = 0; i < 4; i++) {
            assert_int_equal(trine_sampler_pick(&c, s, bad[i], &err), TRINE_ERROR_NUMERIC);
            assert_int_equal(err.code, TRINE_ERROR_NUMERIC);
        }
        for (int i = 0; i < 20; i++) assert_int_equal(pick(s, forbidden), 1);
        trine_sampler_close(s);
    }
}

static void test_options(void **unused)
{
    (void)unused;
    static const struct {
        trine_generate_options o;
        const char *field;
    } bad[] = {
        { { .temperature = -1 }, "temperature" },
        { { .temperature = NAN }, "temperature" },
        { { .temperature = INFINITY }, "temperature" },
        { { .top_k = -1 }, "top_k" },
        { { .top_p = 1.5f }, "top_p" },
        { { .top_p = -0.1f }, "top_p" },
        { { .min_p = 2 }, "min_p" },
        { { .min_p = NAN }, "min_p" },
        { { .repeat_penalty = -1 }, "repeat_penalty" },
        { { .repeat_last_n = -2 }, "repeat_last_n" },
        { { .presence_penalty = NAN }, "presence_penalty" },
        { { .frequency_penalty = INFINITY }, "frequency_penalty" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        trine_sampler *s = (trine_sampler *)&s;
        trine_error err;
        assert_int_equal(trine_sampler_open(&s, &bad[i].o, &kernels, 10, 100, &err), TRINE_ERROR_ARGUMENT);
        assert_null(s);
        assert_non_null(strstr(err.text, bad[i].field));
    }
}

/* Choosing allocates nothing, and a failing allocation at open is told. */
static void test_allocations(void **unused)
{
    (void)unused;
    const trine_generate_options o = {
        .temperature = 1, .top_k = 4, .top_p = 0.9f, .min_p = 0.01f, .repeat_penalty = 1.1f, .repeat_last_n = 8
    };
    float logits[VOCAB];
    make_logits(logits, VOCAB);
    trine_sampler *s = open_sampler(&o, VOCAB);
    alloc_fail_at(0);
    for (int i = 0; i < 100; i++) trine_sampler_accept(s, pick(s, logits));
    assert_int_equal(alloc_count(), 0);
    trine_sampler_close(s);
    for (long k = 1;; k++) {
        alloc_fail_at(k);
        const trine_status status = trine_sampler_open(&s, &o, &kernels, VOCAB, 100, NULL);
        alloc_fail_at(0);
        if (!status) break;
        assert_int_equal(status, TRINE_ERROR_MEMORY);
        assert_null(s);
        assert_true(k < 10);
    }
    trine_sampler_close(s);
}

/* At every level what double gives: a part of 1024 exponentials is summed in f32. What is not finite is found wherever it is. */
static void test_log_sum_exp(void **unused)
{
    (void)unused;
    enum { MOST = 5000 };
    static float x[MOST];
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int n = 1; n <= MOST; n = n * 5 / 4 + 1) {
            double exact, got;
            trine_error err;
            make_logits(x, n);
            for (int i = 0; i < n; i += 7) x[i] = i ? -INFINITY : 3;
            assert_int_equal(trine_log_sum_exp(&exact, NULL, x, n, &err), TRINE_OK);
            assert_int_equal(trine_log_sum_exp(&got, &k, x, n, &err), TRINE_OK);
            assert_true(fabs(got - exact) <= 1024 * 0x1p-24);
            const float bad[] = { NAN, INFINITY };
            for (int b = 0; b < 2; b++) {
                const int at = n * 2 / 3;
                const float held = x[at];
                x[at] = bad[b];
                assert_int_equal(trine_log_sum_exp(&got, &k, x, n, &err), TRINE_ERROR_NUMERIC);
                char says[32];
                snprintf(says, sizeof says, "token %d is", at);
                assert_non_null(strstr(err.text, says));
                x[at] = held;
            }
            for (int i = 0; i < n; i++) x[i] = -INFINITY;
            assert_int_equal(trine_log_sum_exp(&got, &k, x, n, &err), TRINE_ERROR_NUMERIC);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distributions), cmocka_unit_test(test_support),   cmocka_unit_test(test_log_sum_exp),
        cmocka_unit_test(test_greedy),        cmocka_unit_test(test_penalties), cmocka_unit_test(test_seed),
        cmocka_unit_test(test_numeric),       cmocka_unit_test(test_options),   cmocka_unit_test(test_allocations),
    };
    trine_kernels_init(&kernels, trine_cpu_detect());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
