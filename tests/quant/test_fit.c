/* test_fit.c - packing by search: never worse than rounding, near to what an exhaustive search finds, and safe with anything. What
 * the packed bytes mean is settled by test_quant.c, which holds the unpackers to another implementation. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "quant/fit.h"
#include "quant/quant.h"

enum { N = 16384 };

static const trine_dtype quantised[] = { TRINE_Q8_0, TRINE_Q4_0, TRINE_Q4_1, TRINE_Q5_0,
                                         TRINE_Q5_1, TRINE_Q4_K, TRINE_Q5_K, TRINE_Q6_K };
enum { N_TYPES = sizeof quantised / sizeof *quantised };

/* Near to a normal distribution: the sum of 12 even ones. */
static void fill(float *x, size_t n, float scale)
{
    uint32_t state = 1;
    for (size_t i = 0; i < n; i++) {
        float sum = -6;
        for (int k = 0; k < 12; k++) {
            state = state * 1664525u + 1013904223u;
            sum += (float)(state >> 8) * 0x1p-24f;
        }
        x[i] = scale * sum;
    }
}

static void round_trip(float *y, const float *x, size_t n, trine_dtype type, bool by_search)
{
    const trine_dtype_info *info = trine_dtype_get(type);
    size_t bytes;
    assert_true(trine_dtype_bytes(&bytes, type, n));
    unsigned char *packed = malloc(bytes + 1);
    packed[bytes] = 0xA5;
    (by_search ? info->fit : info->pack)(packed, x, n);
    assert_int_equal(packed[bytes], 0xA5);
    info->unpack(y, packed, n);
    free(packed);
}

/* The share of the squares that is lost. */
static double loss(const float *x, const float *y, size_t n)
{
    double error = 0, all = 0;
    for (size_t i = 0; i < n; i++) {
        error += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
        all += (double)x[i] * (double)x[i];
    }
    return error / all;
}

/* Of normal values: an even quantiser of b bits that spans 32 of them (about +-2.1 sigma) has steps of 4.2 / 2^b, and loses
 * step^2 / 12; a scale of its own costs one level at the ends. The K types pay for scales of 6 and 8 bits. */
static void test_loss(void **state)
{
    (void)state;
    static const double most[TRINE_DTYPE_COUNT] = {
        [TRINE_Q8_0] = 2.6e-5, [TRINE_Q4_0] = 7.0e-3, [TRINE_Q4_1] = 5.2e-3, [TRINE_Q5_0] = 1.7e-3,
        [TRINE_Q5_1] = 1.2e-3, [TRINE_Q4_K] = 5.3e-3, [TRINE_Q5_K] = 1.3e-3, [TRINE_Q6_K] = 3.0e-4
    };
    static float x[N], y[N];
    static const float scales[] = { 1, 0.02f, 300 };
    for (size_t s = 0; s < sizeof scales / sizeof *scales; s++) {
        fill(x, N, scales[s]);
        for (size_t t = 0; t < N_TYPES; t++) {
            round_trip(y, x, N, quantised[t], true);
            const double lost = loss(x, y, N);
            if (!(lost <= most[quantised[t]]))
                fail_msg("%s at scale %g loses %.3g of the squares, expected at most %.3g", trine_dtype_name(quantised[t]),
                         (double)scales[s], lost, most[quantised[t]]);
            const trine_dtype_info *info = trine_dtype_get(quantised[t]);
            if (info->fit == info->pack) continue;
            round_trip(y, x, N, quantised[t], false);
            assert_true(lost < 0.95 * loss(x, y, N));
        }
    }
}

/* No scale or line of a fine mesh costs noticeably less than the one found. */
static void test_search(void **state)
{
    (void)state;
    static float x[64 * 32];
    fill(x, sizeof x / sizeof *x, 0.25f);
    double found = 0, meshed = 0, found_line = 0, meshed_line = 0;
    for (int b = 0; b < 64; b++) {
        trine_fit_part p;
        trine_fit_part_set(&p, x + 32 * b, 32, 1, -8, 7);
        found += trine_fit_cost(&p, trine_fit_scale(&p, (trine_fit_range) { 6, 9, 0.25f }));
        double best = INFINITY;
        for (int k = -2000; k <= 2000; k++) best = fmin(best, trine_fit_cost(&p, (trine_line) { .scale = (float)k * 1e-4f }));
        meshed += best;
        trine_fit_part_set(&p, x + 32 * b, 32, 1, 0, 15);
        found_line += trine_fit_cost(&p, trine_fit_line(&p, (trine_fit_range) { 12, 16.5f, 0.25f }, false));
        best = INFINITY;
        for (int k = 60; k <= 160; k++)
            for (int m = 0; m <= 150; m++)
                best = fmin(best, trine_fit_cost(&p, (trine_line) { (float)k * 1e-3f, (float)m * -1e-2f }));
        meshed_line += best;
    }
    if (!(found <= 1.03 * meshed)) fail_msg("scales cost %g, on a mesh %g", found, meshed);
    if (!(found_line <= 1.05 * meshed_line)) fail_msg("lines cost %g, on a mesh %g", found_line, meshed_line);
}

/* Sums of levels agree with the plain formulas. */
static void test_sums(void **state)
{
    (void)state;
    float x[16];
    fill(x, 16, 0.2f);
    trine_fit_part p;
    trine_fit_part_set(&p, x, 16, 1, 0, 15);
    const trine_line line = { 0.06f, -0.4f };
    trine_fit_sums s;
    uint8_t q[16];
    trine_fit_sum(&s, &p, line);
    trine_fit_levels(q, &p, line);
    double w = 0, wx = 0, xx = 0, wq = 0, qq = 0, qx = 0, cost = 0;
    for (int i = 0; i < 16; i++) {
        const double wi = (double)p.w[i], xi = (double)x[i], e = xi - (double)line.base - (double)line.scale * q[i];
        assert_true(q[i] <= 15);
        w += wi;
        wx += wi * xi;
        xx += wi * xi * xi;
        wq += wi * q[i];
        qq += wi * q[i] * q[i];
        qx += wi * q[i] * xi;
        cost += wi * e * e;
    }
    assert_true(fabs(s.w - w) < 1e-5 && fabs(s.x - wx) < 1e-5 && fabs(s.xx - xx) < 1e-5);
    assert_true(fabs(s.q - wq) < 1e-4 && fabs(s.qq - qq) < 1e-3 && fabs(s.qx - qx) < 1e-5);
    assert_true(fabs(trine_fit_cost(&p, line) - cost) < 1e-6);
}

/* What the type can say exactly comes back exactly. */
static void test_exact(void **state)
{
    (void)state;
    float x[512], y[512];
    for (size_t t = 0; t < N_TYPES; t++) {
        memset(x, 0, sizeof x);
        round_trip(y, x, 512, quantised[t], true);
        for (int i = 0; i < 512; i++) assert_true(y[i] == 0);
        /* Whole numbers from -8 to 7 times a power of two: one step for every type. q6_k and q8_0 have more levels. */
        for (int i = 0; i < 512; i++) x[i] = 0.125f * (float)((i * 7 + i / 32) % 16 - 8);
        round_trip(y, x, 512, quantised[t], true);
        const bool coarse_scales = quantised[t] == TRINE_Q4_K || quantised[t] == TRINE_Q5_K; /* 63 parts of the largest */
        for (int i = 0; i < 512; i++) {
            const float room = coarse_scales ? 2e-3f : quantised[t] == TRINE_Q8_0 ? 4e-3f : 1e-3f;
            if (!(fabsf(x[i] - y[i]) <= room))
                fail_msg("%s: value %d is %g, expected %g", trine_dtype_name(quantised[t]), i, (double)y[i], (double)x[i]);
        }
    }
}

/* One value far above the others is kept; the others are lost at most to within a step. A block beside it is as if alone. */
static void test_outlier(void **state)
{
    (void)state;
    static const float steps[TRINE_DTYPE_COUNT] = { [TRINE_Q8_0] = 127, [TRINE_Q4_0] = 7,  [TRINE_Q4_1] = 14, [TRINE_Q5_0] = 15,
                                                    [TRINE_Q5_1] = 30,  [TRINE_Q4_K] = 14, [TRINE_Q5_K] = 30, [TRINE_Q6_K] = 31 };
    float x[512], y[512], alone[256];
    for (size_t t = 0; t < N_TYPES; t++) {
        for (int sign = -1; sign <= 1; sign += 2) {
            fill(x, 512, 0.05f);
            round_trip(alone, x + 256, 256, quantised[t], true);
            x[77] = (float)sign * 1000;
            round_trip(y, x, 512, quantised[t], true);
            assert_true(fabsf(y[77] - x[77]) <= 10);
            for (int i = 0; i < 256; i++) {
                if (!(fabsf(x[i] - y[i]) <= 1000 / steps[quantised[t]]))
                    fail_msg("%s: beside an outlier value %d is %g, expected %g", trine_dtype_name(quantised[t]), i, (double)y[i],
                             (double)x[i]);
            }
            assert_memory_equal(alone, y + 256, sizeof alone);
        }
    }
}

/* Whatever the values, no undefined behaviour, nothing but finite numbers from finite ones that fit, and no neighbour touched. */
static void test_extremes(void **state)
{
    (void)state;
    static const float bad[] = { NAN, INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, FLT_TRUE_MIN, -FLT_TRUE_MIN, FLT_MIN, 1e-20f, 65504 };
    float x[512], y[512], alone[256];
    for (size_t t = 0; t < N_TYPES; t++) {
        for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
            for (int whole = 0; whole < 2; whole++) {
                fill(x, 512, 1);
                round_trip(alone, x + 256, 256, quantised[t], true);
                for (int i = 0; i < (whole ? 256 : 1); i++) x[i] = bad[b];
                round_trip(y, x, 512, quantised[t], true);
                assert_memory_equal(alone, y + 256, sizeof alone);
                for (int i = 0; i < 256 && fabsf(bad[b]) <= 65504; i++) assert_true(isfinite(y[i]));
            }
        }
        /* Where every value is below half of the smallest scale, zeros; where scales are subnormal halves, within two of them. */
        for (int i = 0; i < 512; i++) x[i] = (i & 1 ? -1.0f : 1.0f) * FLT_MIN * (float)i;
        round_trip(y, x, 512, quantised[t], true);
        for (int i = 0; i < 512; i++) assert_true(y[i] == 0);
        fill(x, 512, 1e-6f);
        round_trip(y, x, 512, quantised[t], true);
        for (int i = 0; i < 512; i++) assert_true(fabsf(x[i] - y[i]) <= 1.0e-6f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loss),  cmocka_unit_test(test_search),  cmocka_unit_test(test_sums),
        cmocka_unit_test(test_exact), cmocka_unit_test(test_outlier), cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
