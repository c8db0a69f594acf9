/* What is done to one row: every level of this machine against libm in double, n from 0 to 67 and real sizes, shifted pointers,
 * guards, and the edges: infinities of masks, what is not a number, denormals, all equal. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/kernels.h"
#include "support/guarded_row.h"

static void map_test(random_state *r, const trine_kernels *k, size_t n, size_t shift)
{
    row x;
    for (int map = 0; map < TRINE_MAP_COUNT; map++) {
        float before[MOST];
        prepare(&x, n, shift);
        for (size_t i = 0; i < n; i++) before[i] = x.at[i] = random_normal(r) * powf(10, (float)random_int(r, -9, 2));
        k->map[map](x.at, n);
        check_guards(&x);
        for (size_t i = 0; i < n; i++) {
            const double exact = exact_map((double)before[i], map);
            /* tanh and relu by their own size; GELU's 1 + erf and the sigmoids cancel or underflow where x is negative, so by x. */
            const double scale = map == TRINE_MAP_TANH || map == TRINE_MAP_RELU ? fabs(exact) : fabs((double)before[i]);
            if (!(fabs((double)x.at[i] - exact) <= 4 * 0x1p-23 * scale + 1e-37))
                fail_msg("map %d at %s of %.9g: %.9g, expected %.9g", map, trine_cpu_name(k->level), (double)before[i],
                         (double)x.at[i], exact);
        }
    }
}

static void maps(void **state) { (void)state, each_length("maps", map_test); }

static void map_edges(void **state)
{
    (void)state;
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int map = 0; map < TRINE_MAP_COUNT; map++)
            for (size_t n = 1; n <= 33; n += 16) {
                float x[64];
#define AT(value, condition)                                                                                                       \
    {                                                                                                                              \
        for (size_t i = 0; i < n; i++) x[i] = value;                                                                               \
        k.map[map](x, n);                                                                                                          \
        for (size_t i = 0; i < n; i++)                                                                                             \
            if (!(condition)) fail_msg("map %d at %s of %s: %g", map, trine_cpu_name(k.level), #value, (double)x[i]);              \
    }
                AT(NAN, isnan(x[i]))
                AT(INFINITY, map == TRINE_MAP_TANH ? x[i] == 1 : x[i] == INFINITY)
                AT(0.0f, x[i] == 0)
                AT(100.0f, map == TRINE_MAP_TANH ? x[i] == 1 : x[i] == 100)
                AT(-100.0f, map == TRINE_MAP_TANH ? x[i] == -1 : fabsf(x[i]) < 1e-37f)
                AT(-1e30f, map == TRINE_MAP_TANH ? x[i] == -1 : x[i] == 0 || fabsf(x[i]) < 1e-7f)
                AT(1e-40f, x[i] >= 0 && x[i] <= 1e-40f)
                AT(FLT_MAX, map == TRINE_MAP_TANH ? x[i] == 1 : x[i] == FLT_MAX || (map == TRINE_MAP_GELU_TANH && x[i] == FLT_MAX))
#undef AT
            }
    }
}

static void exp_sum_test(random_state *r, const trine_kernels *k, size_t n, size_t shift)
{
    row x;
    float before[MOST];
    prepare(&x, n, shift);
    for (size_t i = 0; i < n; i++)
        before[i] = x.at[i] = random_int(r, 0, 4) ? 10 * random_normal(r) : random_int(r, 0, 1) ? -INFINITY : -1e30f;
    const float max = k->max(x.at, n);
    float most = -INFINITY;
    for (size_t i = 0; i < n; i++) most = fmaxf(most, before[i]);
    assert_true(max == most);
    const float against = max == -INFINITY ? 0 : max;
    const double sum = (double)k->exp_sum(x.at, against, n);
    check_guards(&x);
    double exact_sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double exact = exp((double)before[i] - (double)against);
        exact_sum += exact;
        if (before[i] == -INFINITY) {
            assert_true(x.at[i] == 0);
            continue;
        }
        /* The argument is rounded to f32 before it is used: an error of its last place is one of |x| eps in the result. */
        assert_true(fabs((double)x.at[i] - exact) <= (4 + fabs((double)before[i] - (double)against)) * 0x1p-23 * exact + 1e-37);
    }
    assert_true(fabs(sum - exact_sum) <= (double)(n + 40) * 0x1p-23 * exact_sum + 1e-37);
}

static void softmax_pieces(void **state) { (void)state, each_length("softmax pieces", exp_sum_test); }

/* exp over its whole range, finely. */
static void exponential(void **state)
{
    (void)state;
    enum { N = 1000 };
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        double worst = 0;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int step = 0; step < 175; step++) {
            float x[N], before[N];
            for (int i = 0; i < N; i++) before[i] = x[i] = -86.5f + (float)step + (float)i / N;
            k.exp_sum(x, 0, N);
            for (int i = 0; i < N; i++) {
                const double exact = exp((double)before[i]);
                if (exact < (double)FLT_MAX) worst = fmax(worst, fabs((double)x[i] / exact - 1));
            }
        }
        assert_true(worst < 2 * 0x1p-23);
        float edge[5] = { 89.0f, -86.7f, -200.0f, NAN, -INFINITY };
        k.exp_sum(edge, 0, 5);
        assert_true(edge[0] == INFINITY && edge[1] < 3e-38f && edge[2] == 0 && isnan(edge[3]) && edge[4] == 0);
    }
}

static void error_function(void **state)
{
    (void)state;
    /* Through GELU: erf(x) = 2 gelu(sqrt(2) x) / (sqrt(2) x) - 1. */
    enum { N = 500 };
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int step = -50; step < 50; step++) {
            float x[N], before[N];
            for (int i = 0; i < N; i++) before[i] = x[i] = (float)step / 8 + (float)i / (8 * N);
            k.map[TRINE_MAP_GELU](x, N);
            for (int i = 0; i < N; i++)
                assert_true(fabs((double)x[i] - exact_map((double)before[i], TRINE_MAP_GELU)) <=
                            2 * 0x1p-23 * fabs((double)before[i]));
        }
    }
}

static void norm_test(random_state *r, const trine_kernels *k, size_t n, size_t shift)
{
    static row x, weight, bias, out;
    if (!n) return;
    prepare(&x, n, shift);
    prepare(&weight, n, (shift + 1) % 4);
    prepare(&bias, n, (shift + 2) % 4);
    prepare(&out, n, (shift + 3) % 4);
    random_fill(r, x.at, n, 2);
    random_fill(r, weight.at, n, 1);
    random_fill(r, bias.at, n, 1);
    const float offset = random_int(r, 0, 1) ? 0.0f : 50.0f, eps = 1e-5f;
    for (size_t i = 0; i < n; i++) x.at[i] += offset;
    double mean = 0, variance = 0, square = 0;
    for (size_t i = 0; i < n; i++) mean += (double)x.at[i] / (double)n;
    for (size_t i = 0; i < n; i++) variance += ((double)x.at[i] - mean) * ((double)x.at[i] - mean) / (double)n;
    for (size_t i = 0; i < n; i++) square += (double)x.at[i] * (double)x.at[i] / (double)n;
    for (int with_bias = 0; with_bias < 2; with_bias++) {
        k->layer_norm(out.at, x.at, weight.at, with_bias ? bias.at : NULL, n, eps);
        check_guards(&out);
        for (size_t i = 0; i < n; i++) {
            const double normal = ((double)x.at[i] - mean) / sqrt(variance + (double)eps), b = with_bias ? (double)bias.at[i] : 0;
            const double exact = normal * (double)weight.at[i] + b;
            assert_true(fabs((double)out.at[i] - exact) <= 4 * 0x1p-24 * (fabs(normal * (double)weight.at[i]) + fabs(b)) + 1e-12);
        }
    }
    k->rms_norm(out.at, x.at, weight.at, n, eps);
    check_guards(&out);
    for (size_t i = 0; i < n; i++) {
        const double exact = (double)x.at[i] / sqrt(square + (double)eps) * (double)weight.at[i];
        assert_true(fabs((double)out.at[i] - exact) <= 4 * 0x1p-24 * fabs(exact) + 1e-30);
    }
    memcpy(bias.at, out.at, n * sizeof(float)); /* in place gives the same */
    k->rms_norm(x.at, x.at, weight.at, n, eps);
    assert_memory_equal(x.at, bias.at, n * sizeof(float));
}

static void norms(void **state) { (void)state, each_length("norms", norm_test); }

static void combine_test(random_state *r, const trine_kernels *k, size_t n, size_t shift)
{
    static row x, y;
    static float before[MOST];
    for (int what = 0; what < 3; what++) {
        prepare(&x, n, shift);
        prepare(&y, n, (shift + 1) % 4);
        random_fill(r, x.at, n, 1);
        random_fill(r, y.at, n, 1);
        memcpy(before, x.at, n * sizeof *before);
        if (what == 0) k->add(x.at, y.at, n);
        if (what == 1) k->multiply(x.at, y.at, n);
        if (what == 2) k->scale(x.at, 0.3f, n);
        check_guards(&x);
        check_guards(&y);
        for (size_t i = 0; i < n; i++)
            assert_true(x.at[i] == (what == 0 ? before[i] + y.at[i] : before[i] * (what == 1 ? y.at[i] : 0.3f)));
    }
}

static void sums_and_products(void **state) { (void)state, each_length("sums and products", combine_test); }

static void rope_test(random_state *r, const trine_kernels *k, size_t n, size_t shift)
{
    static row cosine, sine, x;
    static float inv_freq[MOST], before[MOST];
    if (n > 500) n = 500; /* two values a pair */
    prepare(&cosine, n, shift);
    prepare(&sine, n, (shift + 1) % 4);
    for (size_t i = 0; i < n; i++) inv_freq[i] = powf(10000, -(float)random_unit(r));
    const float pos = (float)random_int(r, 0, random_int(r, 0, 1) ? 100 : 1000000);
    k->rope_angles(cosine.at, sine.at, inv_freq, pos, 1.25f, n);
    check_guards(&cosine);
    check_guards(&sine);
    for (size_t i = 0; i < n; i++) {
        const double angle = (double)(pos * inv_freq[i]);
        assert_true(fabs((double)cosine.at[i] - 1.25 * cos(angle)) < 1e-7 && fabs((double)sine.at[i] - 1.25 * sin(angle)) < 1e-7);
    }
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        prepare(&x, 2 * n, shift);
        random_fill(r, x.at, 2 * n, 1);
        memcpy(before, x.at, 2 * n * sizeof *before);
        (interleaved ? k->rope_interleaved : k->rope_half)(x.at, cosine.at, sine.at, n);
        check_guards(&x);
        for (size_t i = 0; i < n; i++) {
            const size_t ia = interleaved ? 2 * i : i, ib = interleaved ? 2 * i + 1 : n + i;
            const double a = (double)before[ia], b = (double)before[ib], c = (double)cosine.at[i], s = (double)sine.at[i];
            assert_true(fabs((double)x.at[ia] - (a * c - b * s)) <= 2 * 0x1p-24 * (fabs(a * c) + fabs(b * s)));
            assert_true(fabs((double)x.at[ib] - (b * c + a * s)) <= 2 * 0x1p-24 * (fabs(b * c) + fabs(a * s)));
        }
    }
}

static void rotary(void **state) { (void)state, each_length("rotary", rope_test); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps),
        cmocka_unit_test(map_edges),
        cmocka_unit_test(softmax_pieces),
        cmocka_unit_test(exponential),
        cmocka_unit_test(error_function),
        cmocka_unit_test(norms),
        cmocka_unit_test(sums_and_products),
        cmocka_unit_test(rotary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
