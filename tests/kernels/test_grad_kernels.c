/* Derivatives of row functions: every level of this machine against formulas in double, n from 0 to 67 and real sizes, shifted
 * pointers, guards; and random numbers, which are the same bits at every level. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/counter_random.h"
#include "kernels/kernels.h"
#include "support/guarded_row.h"

/* By a central difference of high order in double: good to 1e-10 where f is smooth. */
static double slope_of(double x, int map)
{
    if (map == TRINE_MAP_RELU) return x > 0;
    const double h = 1e-3 * fmax(1, fabs(x) * 1e-3);
    return (8 * (exact_map(x + h, map) - exact_map(x - h, map)) - (exact_map(x + 2 * h, map) - exact_map(x - 2 * h, map))) /
           (12 * h);
}

/* What the difference leaves, and rounding of a few operations of f32 on numbers of size about 1 (a slope is at most 1.13). */
static const double SLOPE_ERROR = 1e-6;

static void slope_test(random_state *r, const trine_kernels *k, size_t n, size_t shift)
{
    static row x, dy, dx;
    static float gate[MOST], up[MOST];
    for (int map = 0; map < TRINE_MAP_COUNT; map++) {
        prepare(&x, n, shift);
        prepare(&dy, n, (shift + 1) % 4);
        prepare(&dx, n, (shift + 2) % 4);
        random_fill(r, dy.at, n, 1);
        for (size_t i = 0; i < n; i++) gate[i] = x.at[i] = random_normal(r) * powf(10, (float)random_int(r, -3, 1));
        k->grad.slope[map](dx.at, x.at, dy.at, n);
        check_guards(&dx);
        for (size_t i = 0; i < n; i++) {
            const double exact = (double)dy.at[i] * slope_of((double)x.at[i], map);
            if (!(fabs((double)dx.at[i] - exact) <= SLOPE_ERROR * fabs((double)dy.at[i]) + 1e-37))
                fail_msg("slope %d at %s of %.9g: %.9g, expected %.9g", map, trine_cpu_name(k->level), (double)x.at[i],
                         (double)dx.at[i], exact);
        }
        k->grad.slope[map](x.at, x.at, dy.at, n); /* in place gives the same */
        check_guards(&x);
        assert_memory_equal(x.at, dx.at, n * sizeof(float));

        random_fill(r, dx.at, n, 1);
        memcpy(up, dx.at, n * sizeof *up);
        memcpy(x.at, gate, n * sizeof *gate);
        k->grad.gate_slope[map](x.at, dx.at, dy.at, n);
        check_guards(&x);
        check_guards(&dx);
        for (size_t i = 0; i < n; i++) {
            const double d = (double)dy.at[i], u = (double)up[i], g = (double)gate[i];
            assert_true(fabs((double)x.at[i] - d * u * slope_of(g, map)) <= SLOPE_ERROR * fabs(d * u) + 1e-37);
            assert_true(fabs((double)dx.at[i] - d * exact_map(g, map)) <= SLOPE_ERROR * fabs(d * g) + 1e-37);
        }
        /* The gate itself is what inference computes, to the bit. */
        memcpy(x.at, gate, n * sizeof *gate);
        k->map[map](x.at, n);
        k->multiply(x.at, up, n);
        k->grad.gate[map](dx.at, gate, up, n);
        check_guards(&dx);
        assert_memory_equal(dx.at, x.at, n * sizeof(float));
    }
}

static void slopes(void **state) { (void)state, each_length("slopes", slope_test); }

static void slope_edges(void **state)
{
    (void)state;
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (int map = 0; map < TRINE_MAP_COUNT; map++)
            for (size_t n = 1; n <= 33; n += 16) {
                float x[64], one[64];
                for (size_t i = 0; i < n; i++) one[i] = 1;
#define AT(value, condition)                                                                                                       \
    {                                                                                                                              \
        for (size_t i = 0; i < n; i++) x[i] = value;                                                                               \
        k.grad.slope[map](x, x, one, n);                                                                                           \
        for (size_t i = 0; i < n; i++)                                                                                             \
            if (!(condition)) fail_msg("slope %d at %s of %s: %g", map, trine_cpu_name(k.level), #value, (double)x[i]);            \
    }
                AT(NAN, isnan(x[i]))
                AT(0.0f, map == TRINE_MAP_RELU ? x[i] == 0 : map == TRINE_MAP_TANH ? x[i] == 1 : x[i] == 0.5f)
                AT(100.0f, map == TRINE_MAP_TANH ? x[i] == 0 : x[i] == 1)
                AT(-100.0f, fabsf(x[i]) < 1e-35f)
                AT(1e30f, map == TRINE_MAP_TANH ? x[i] == 0 : x[i] == 1)
                AT(-1e30f, fabsf(x[i]) < 1e-7f)
#undef AT
            }
    }
}

static void norm_test(random_state *r, const trine_kernels *k, size_t n, size_t shift)
{
    static row x, dy, weight, dx, dw, db;
    static float dx_before[MOST], dw_before[MOST], db_before[MOST];
    if (!n) return;
    row *all[] = { &x, &dy, &weight, &dx, &dw, &db };
    for (int what = 0; what < 8; what++) {
        const bool center = what & 1, add = what & 2, sums = what & 4;
        for (size_t a = 0; a < 6; a++) {
            prepare(all[a], n, (shift + a) % 4);
            random_fill(r, all[a]->at, n, 1);
        }
        for (size_t i = 0; i < n && random_int(r, 0, 1); i++) x.at[i] += 20.0f;
        memcpy(dx_before, dx.at, n * sizeof *dx_before);
        memcpy(dw_before, dw.at, n * sizeof *dw_before);
        memcpy(db_before, db.at, n * sizeof *db_before);
        const trine_norm_slope job = { dx.at, sums ? dw.at : NULL, sums ? db.at : NULL, dy.at, x.at, weight.at, 1e-5f, add };
        (center ? k->grad.layer_norm : k->grad.rms_norm)(&job, n);
        for (size_t a = 0; a < 6; a++) check_guards(all[a]);

        double mean = 0, variance = 0, g_mean = 0, gz_mean = 0, size = 0;
        for (size_t i = 0; i < n && center; i++) mean += (double)x.at[i] / (double)n;
        for (size_t i = 0; i < n; i++) variance += ((double)x.at[i] - mean) * ((double)x.at[i] - mean) / (double)n;
        const double factor = 1 / sqrt(variance + (double)1e-5f);
        for (size_t i = 0; i < n; i++) {
            const double g = (double)dy.at[i] * (double)weight.at[i], z = ((double)x.at[i] - mean) * factor;
            g_mean += center ? g / (double)n : 0;
            gz_mean += g * z / (double)n;
            size += (fabs(g) + fabs(g * z)) / (double)n;
        }
        for (size_t i = 0; i < n; i++) {
            const double g = (double)dy.at[i] * (double)weight.at[i], z = ((double)x.at[i] - mean) * factor;
            const double exact = factor * (g - g_mean - z * gz_mean) + (add ? (double)dx_before[i] : 0);
            /* Sums of n products in f32 by lanes: a few units in the last place of the sum of their sizes. */
            const double bound = 8 * 0x1p-23 * (factor * (fabs(g) + size * (1 + fabs(z))) + fabs((double)dx_before[i]));
            assert_true(fabs((double)dx.at[i] - exact) <= bound);
            const double w = (double)dw_before[i] + (sums ? (double)dy.at[i] * z : 0);
            const double b = (double)db_before[i] + (sums ? (double)dy.at[i] : 0);
            assert_true(fabs((double)dw.at[i] - w) <= 4 * 0x1p-23 * (fabs((double)dw_before[i]) + fabs((double)dy.at[i] * z)));
            assert_true(fabs((double)db.at[i] - b) <= 0x1p-23 * (fabs((double)db_before[i]) + fabs((double)dy.at[i])));
        }
    }
}

static void norms(void **state) { (void)state, each_length("norm slopes", norm_test); }

static void drop_test(random_state *r, const trine_kernels *k, size_t n, size_t shift)
{
    static row x;
    static float before[MOST];
    prepare(&x, n, shift);
    random_fill(r, x.at, n, 1);
    memcpy(before, x.at, n * sizeof *before);
    const uint64_t key = random_u64(r);
    const uint32_t first = (uint32_t)random_u64(r);
    const int32_t below = trine_drop_below((float)random_unit(r));
    k->grad.drop(x.at, n, key, first, below, 1.5f);
    check_guards(&x);
    for (size_t i = 0; i < n; i++) {
        const bool dropped = (int32_t)(trine_drop_number(key, first + (uint32_t)i) >> 8) < below;
        assert_true(x.at[i] == (dropped ? 0 : before[i] * 1.5f));
    }
}

static void dropping(void **state) { (void)state, each_length("dropping", drop_test); }

/* Means, and correlations between neighbours, rows, streams and seeds, of a million numbers: within five standard deviations. */
static void numbers_are_even(void **state)
{
    (void)state;
    enum { ROWS = 1000, COLS = 1000 };
    double sum = 0, next = 0, below = 0, same[3] = { 0 };
    int bits[32] = { 0 };
    for (uint64_t at = 0; at < ROWS; at++) {
        const uint64_t key = trine_random_at(trine_random_key(7, 3), at),
                       others[3] = { trine_random_at(trine_random_key(7, 3), at + 1), trine_random_at(trine_random_key(7, 4), at),
                                     trine_random_at(trine_random_key(8, 3), at) };
        for (uint32_t i = 0; i < COLS; i++) {
            const uint32_t draw = trine_drop_number(key, i);
            const double u = draw * 0x1p-32 - 0.5;
            sum += u;
            next += u * (trine_drop_number(key, i + 1) * 0x1p-32 - 0.5);
            below += (int32_t)(draw >> 8) < trine_drop_below(0.1f);
            for (int o = 0; o < 3; o++) same[o] += u * (trine_drop_number(others[o], i) * 0x1p-32 - 0.5);
            for (int b = 0; b < 32; b++) bits[b] += draw >> b & 1;
        }
    }
    const double n = ROWS * COLS;
    assert_true(fabs(sum) < 5 * sqrt(n / 12));
    assert_true(fabs(next) < 5 * sqrt(n) / 12);
    for (int o = 0; o < 3; o++) assert_true(fabs(same[o]) < 5 * sqrt(n) / 12);
    for (int b = 0; b < 32; b++) assert_true(fabs(bits[b] - n / 2) < 5 * sqrt(n) / 2);
    assert_true(fabs(below - 0.1 * n) < 5 * sqrt(n * 0.09));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slopes),   cmocka_unit_test(slope_edges),      cmocka_unit_test(norms),
        cmocka_unit_test(dropping), cmocka_unit_test(numbers_are_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
