/* test_optimiser_kernels.c - AdamW's loop and the sum of squares: every level of this machine against the reference, n from 0 to 67 and
 * real sizes, shifted pointers, guards, and values that are not finite. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/optimiser_kernels.h"
#include "quant/quant.h"
#include "support/random.h"

enum { GUARD = 16, MOST = 1100, ARRAYS = 5 };

static const float GUARD_VALUE = -12345.0f;

typedef struct memory {
    float f[ARRAYS][MOST + 2 * GUARD + 4];
    uint16_t bf16[MOST + 2 * GUARD + 4];
} memory;

static void fill(memory *x, random_state *r, size_t n, size_t shift)
{
    for (int a = 0; a < ARRAYS; a++) {
        for (size_t i = 0; i < MOST + 2 * GUARD + 4; i++) x->f[a][i] = GUARD_VALUE;
        random_fill(r, x->f[a] + GUARD + shift, n, a == 1 ? 1e-2f : 1);
        /* Second moments are not negative. */
        for (size_t i = 0; a == 3 && i < n; i++) x->f[a][GUARD + shift + i] = 1e-4f * fabsf(x->f[a][GUARD + shift + i]);
    }
    for (size_t i = 0; i < MOST + 2 * GUARD + 4; i++) x->bf16[i] = 0x1234;
}

static trine_adamw_arrays arrays(memory *x, size_t shift, bool all)
{
    const size_t at = GUARD + shift;
    return (trine_adamw_arrays) { .p = x->f[0] + at,
                                  .g = x->f[1] + at,
                                  .m = x->f[2] + at,
                                  .v = x->f[3] + at,
                                  .bf16 = all ? x->bf16 + at : NULL,
                                  .average = all ? x->f[4] + at : NULL };
}

static void check_guards(const memory *x, size_t n, size_t shift, bool all)
{
    const size_t at = GUARD + shift;
    for (size_t i = 0; i < GUARD; i++) {
        for (int a = 0; a < ARRAYS; a++) {
            assert_true(x->f[a][at - 1 - i] == GUARD_VALUE);
            assert_true(x->f[a][at + n + i] == GUARD_VALUE);
        }
        assert_true(x->bf16[at - 1 - i] == 0x1234 && x->bf16[at + n + i] == 0x1234);
    }
    for (size_t i = 0; !all && i < n; i++) assert_true(x->bf16[at + i] == 0x1234);
}

/* Five roundings of f32 between the reference and a level, each of half a unit: of p, and of the step that is taken from it. */
static void check_near(const float *have, const float *want, const float *step, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double bound = 5 * FLT_EPSILON * (fabs((double)want[i]) + (step ? fabs((double)step[i]) : 0)) + FLT_MIN;
        if (fabs((double)have[i] - (double)want[i]) > bound) fail_msg("%g, expected %g", (double)have[i], (double)want[i]);
    }
}

static const trine_adamw_step numbers = { .grad_scale = 0.7f,
                                          .beta1 = 0.9f,
                                          .beta2 = 0.999f,
                                          .rest1 = 0.1f,
                                          .rest2 = 0.001f,
                                          .size = 2e-3f,
                                          .root = 3.2f,
                                          .eps = 1e-8f,
                                          .shrink = 0.9999f,
                                          .average_rate = 0.05f };

static void compare(random_state *r, const trine_optimiser_kernels *k, size_t n, size_t shift, bool all, bool clear)
{
    static memory a, b;
    trine_optimiser_kernels ref;
    trine_optimiser_kernels_ref(&ref);
    fill(&a, r, n, shift);
    b = a;
    float step[MOST] = { 0 }, old_p[MOST];
    trine_adamw_step s = numbers;
    s.clear = clear;
    const trine_adamw_arrays x = arrays(&a, shift, all), y = arrays(&b, shift, all);
    memcpy(old_p, x.p, n * sizeof *old_p);
    ref.adamw(&x, n, &s);
    k->adamw(&y, n, &s);
    for (size_t i = 0; i < n; i++) step[i] = x.p[i] - old_p[i];
    check_near(y.m, x.m, x.g, n);
    check_near(y.v, x.v, NULL, n);
    check_near(y.p, x.p, step, n);
    for (size_t i = 0; i < n; i++) assert_true(y.g[i] == x.g[i] && (!clear || y.g[i] == 0));
    for (size_t i = 0; all && i < n; i++) assert_int_equal(y.bf16[i], trine_f32_to_bf16(y.p[i]));
    if (all) check_near(y.average, x.average, y.p, n);
    check_guards(&b, n, shift, all);
}

static void adamw_is_the_reference(void **state)
{
    (void)state;
    random_state r = random_open("adamw");
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_optimiser_kernels k;
        trine_optimiser_kernels_init(&k, (trine_cpu)level);
        for (size_t n = 0; n <= 67; n++) compare(&r, &k, n, (size_t)random_int(&r, 0, 3), n % 2, n % 3 == 0);
        compare(&r, &k, 576, 1, true, true);
        compare(&r, &k, 1024, 0, true, false);
    }
}

/* Where a range is cut does not show: pieces are cut by tensors, and ranks have other pieces. */
static void cuts_do_not_show(void **state)
{
    (void)state;
    random_state r = random_open("cuts");
    static memory a, b;
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_optimiser_kernels k;
        trine_optimiser_kernels_init(&k, (trine_cpu)level);
        fill(&a, &r, 131, 0);
        b = a;
        trine_adamw_arrays x = arrays(&a, 0, true), y = arrays(&b, 0, true);
        k.adamw(&x, 131, &numbers);
        k.adamw(&y, 53, &numbers);
        y = (trine_adamw_arrays) { y.p + 53, y.g + 53, y.m + 53, y.v + 53, y.bf16 + 53, y.average + 53 };
        k.adamw(&y, 78, &numbers);
        assert_memory_equal(&a, &b, sizeof a);
    }
}

/* Nothing moves where nothing pulls, and zeros (padding) stay zeros. */
static void zeros_stay(void **state)
{
    (void)state;
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_optimiser_kernels k;
        trine_optimiser_kernels_init(&k, (trine_cpu)level);
        float p[40] = { 0 }, g[40] = { 0 }, m[40] = { 0 }, v[40] = { 0 };
        p[7] = 3;
        trine_adamw_step s = numbers;
        s.shrink = 1;
        k.adamw(&(trine_adamw_arrays) { p, g, m, v, NULL, NULL }, 40, &s);
        for (int i = 0; i < 40; i++) assert_true(p[i] == (i == 7 ? 3.0f : 0) && m[i] == 0 && v[i] == 0);
    }
}

static void squares_are_summed_in_double(void **state)
{
    (void)state;
    random_state r = random_open("squares");
    static float values[MOST + 8];
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_optimiser_kernels k;
        trine_optimiser_kernels_init(&k, (trine_cpu)level);
        for (size_t n = 0; n <= 1024; n += n < 68 ? 1 : 239) {
            float *x = values + n % 4;
            random_fill(&r, x, n, 3);
            double exact = 0;
            for (size_t i = 0; i < n; i++) exact += (double)x[i] * (double)x[i];
            assert_true(fabs(k.sum_squares(x, n) - exact) <= (double)n * DBL_EPSILON * exact);
            if (!n) continue;
            const size_t at = (size_t)random_int(&r, 0, (int)n - 1);
            const float kept = x[at];
            x[at] = FLT_MAX; /* its square is no float */
            assert_true(isfinite(k.sum_squares(x, n)));
            x[at] = INFINITY;
            assert_false(isfinite(k.sum_squares(x, n)));
            x[at] = NAN;
            assert_false(isfinite(k.sum_squares(x, n)));
            x[at] = kept;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adamw_is_the_reference),
        cmocka_unit_test(cuts_do_not_show),
        cmocka_unit_test(zeros_stay),
        cmocka_unit_test(squares_are_summed_in_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
