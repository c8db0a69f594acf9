/* bf16 attention: packing to the bit, products and the running softmax against double, by vectors and by tiles where the machine
 * has them (vectors also where they are slower than f32, and so in no table). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/pair_kernels.h"
#include "quant/quant.h"
#include "support/random.h"

enum {
    ROWS = TRINE_PAIR_ROWS,
    GROUP = TRINE_PAIR_GROUP,
    STEP = TRINE_PAIR_STEP,
    COLS = TRINE_PAIR_COLS,
    DEEP = 8 * STEP,
    WIDE = 9 * COLS
};

/* The variants of this machine. */
static int variants(trine_pair_kernels out[2])
{
    int n = 0;
    if (trine_cpu_has(TRINE_CPU_AVX512_BF16) || trine_cpu_has(TRINE_CPU_AMX)) {
        trine_pair_kernels_avx512_bf16(&out[n++]);
        if (trine_cpu_has(TRINE_CPU_AMX)) {
            out[n] = out[0];
            trine_pair_kernels_amx(&out[n++]);
        }
    }
    return n;
}

static float rounded(float x) { return trine_bf16_to_f32(trine_f32_to_bf16(x)); }

static uint16_t at_left(const uint16_t *side, size_t group, size_t i, size_t k)
{
    return side[i / GROUP * group + k / STEP * STEP * GROUP + i % GROUP * STEP + k % STEP];
}

static uint16_t at_right(const uint16_t *side, size_t panel, size_t k, size_t j)
{
    return side[j / COLS * panel + k / 2 * 2 * COLS + j % COLS * 2 + k % 2];
}

static void products_agree(void **state)
{
    (void)state;
    static _Alignas(64) uint16_t left[ROWS * DEEP], right[WIDE * DEEP];
    static _Alignas(64) float y[ROWS * (WIDE + 16)], before[ROWS * (WIDE + 16)];
    static _Alignas(64) uint16_t other[WIDE * DEEP];
    static uint16_t bits[WIDE * DEEP];
    static float x[ROWS][DEEP], w[DEEP][WIDE], less[DEEP], turned[GROUP * DEEP];
    random_state r = random_open("pairs");
    trine_pair_kernels kernels[2];
    const int n = variants(kernels);
    for (int v = 0; v < n; v++)
        for (int round = 0; round < 200; round++) {
            const trine_pair_kernels *k = &kernels[v];
            const int rows = random_int(&r, 1, ROWS), depth = random_int(&r, 1, DEEP), cols = random_int(&r, 1, WIDE);
            const int n_steps = (depth + STEP - 1) / STEP, n_panels = (cols + COLS - 1) / COLS, all = n_steps * STEP;
            const size_t group = (size_t)all * GROUP, panel = (size_t)all * COLS,
                         stride = (size_t)n_panels * COLS + (round % 2 ? 16 : 0);
            const float factor = round % 3 ? 1 : 0.125f;
            random_fill(&r, x[0], ROWS * DEEP, 1);
            random_fill(&r, w[0], DEEP * WIDE, 1);
            random_fill(&r, less, DEEP, 1);
            random_fill(&r, y, sizeof y / sizeof *y, 1);
            memcpy(before, y, sizeof y);
            memset(left, 0, sizeof left);
            memset(right, 0xFF, sizeof right);
            for (int i = 0; i < rows; i++) k->left(left, group, i, x[i], factor, (size_t)depth);
            k->right(right, panel, w[0], WIDE, round % 4 ? NULL : less, depth, all, cols);
            for (int t = 0; round % 4 == 0 && t < depth; t++)
                for (int j = 0; j < cols; j++) w[t][j] -= less[t];
            for (size_t t = 0; t < (size_t)all; t++) {
                for (size_t i = 0; i < (size_t)rows; i++)
                    assert_int_equal(at_left(left, group, i, t), t < (size_t)depth ? trine_f32_to_bf16(x[i][t] * factor) : 0);
                for (size_t j = 0; j < (size_t)n_panels * COLS; j++)
                    assert_int_equal(at_right(right, panel, t, j),
                                     t < (size_t)depth && j < (size_t)cols ? trine_f32_to_bf16(w[t][j]) : 0);
            }
            /* The same sides from columns, and from what is rounded already, are the same to the bit. */
            for (int j = 0; j < rows; j += GROUP) {
                const int n_rows = rows - j < GROUP ? rows - j : GROUP;
                for (int t = 0; t < depth; t++)
                    for (int i = 0; i < n_rows; i++) turned[t * n_rows + i] = x[j + i][t] * factor;
                memset(other, 0xFF, group * sizeof *other);
                k->left_turned(other, turned, (size_t)n_rows, n_rows, (size_t)depth);
                for (size_t i = 0; i < GROUP; i++)
                    for (size_t t = 0; t < (size_t)all; t++)
                        assert_int_equal(at_left(other, group, i, t),
                                         i < (size_t)n_rows ? at_left(left + (size_t)(j / GROUP) * group, group, i, t) : 0);
            }
            for (int t = 0; t < depth; t++)
                for (int j = 0; j < cols; j++) bits[t * cols + j] = trine_f32_to_bf16(w[t][j]);
            memset(other, 0xFF, sizeof other);
            k->right_bf16(other, panel, bits, (size_t)cols, depth, all, cols);
            assert_memory_equal(other, right, panel * (size_t)n_panels * sizeof *other);
            const bool add = random_int(&r, 0, 1);
            k->begin();
            k->gemm(y, stride, left, group, rows, right, panel, n_panels, n_steps, add);
            k->end();
            const size_t written = ((size_t)rows + GROUP - 1) / GROUP * GROUP;
            for (size_t i = 0; i < (size_t)ROWS; i++)
                for (size_t j = 0; j < stride; j++) {
                    const size_t at = i * stride + j;
                    if (i >= written || j >= (size_t)n_panels * COLS) assert_true(y[at] == before[at]);
                    if (i >= (size_t)rows || j >= (size_t)cols) continue;
                    double sum = add ? (double)before[at] : 0, size = fabs(sum);
                    for (int t = 0; t < depth; t++) {
                        sum += (double)rounded(x[i][t] * factor) * (double)rounded(w[t][j]);
                        size += fabs((double)rounded(x[i][t] * factor) * (double)rounded(w[t][j]));
                    }
                    if (!(fabs((double)y[at] - sum) <= 1.2e-7 * (depth + 4) * size))
                        fail_msg("variant %d, %d x %d x %d: [%zu][%zu] is %g, expected %g", v, rows, cols, depth, i, j,
                                 (double)y[at], sum);
                }
        }
}

static void softmax_agrees(void **state)
{
    (void)state;
    enum { N = 5 * STEP };
    static _Alignas(64) uint16_t out[ROWS * N];
    static float scores[ROWS * N];
    random_state r = random_open("soften");
    trine_pair_kernels kernels[2];
    const int n_variants = variants(kernels);
    for (int v = 0; v < n_variants; v++)
        for (int round = 0; round < 300; round++) {
            const int rows = random_int(&r, 1, ROWS), n = random_int(&r, 1, N), all = (n + STEP - 1) / STEP * STEP;
            const size_t group = (size_t)all * GROUP;
            float max[ROWS], sum[ROWS], fade[ROWS], old_max[ROWS], old_sum[ROWS];
            random_fill(&r, scores, ROWS * N, round % 2 ? 20 : 1);
            for (int i = 0; i < rows; i++) {
                max[i] = old_max[i] = i % 3 ? random_normal(&r) * 10 : -INFINITY;
                sum[i] = old_sum[i] = i % 3 ? 1 + (float)random_unit(&r) : 0;
                for (int t = 0; t < n; t++)
                    if (i % 5 == 1 && (t % 3 || i % 2)) scores[i * N + t] = -INFINITY; /* masked, some rows whole */
            }
            if (rows > 6) max[6] = old_max[6] = -INFINITY, sum[6] = old_sum[6] = 0;
            for (int t = 0; rows > 6 && t < n; t++) scores[6 * N + t] = -INFINITY; /* sees nothing yet */
            memset(out, 0xFF, sizeof out);
            kernels[v].soften(out, group, scores, N, rows, n, max, sum, fade);
            for (int i = 0; i < rows; i++) {
                double total = (double)old_sum[i], most = -INFINITY;
                for (int t = 0; t < n; t++) most = fmax(most, (double)scores[i * N + t]);
                /* A max follows only what is far beyond it, and nothing is ever more than exp(8). */
                const bool follows = old_max[i] == -INFINITY || most > (double)old_max[i] + 8;
                assert_true((double)max[i] == (follows ? most : (double)old_max[i]));
                if (max[i] == -INFINITY) {
                    assert_true(fade[i] == 1 && sum[i] == 0);
                    for (int t = 0; t < all; t++) assert_int_equal(at_left(out, group, (size_t)i, (size_t)t), 0);
                    continue;
                }
                const bool fades = follows && old_max[i] != -INFINITY;
                const double expected_fade = fades ? exp((double)old_max[i] - most) : 1;
                assert_true(fabs((double)fade[i] - expected_fade) <=
                            expected_fade * (1e-6 + (fades ? 1.2e-7 * fabs((double)old_max[i] - most) : 0)) + 1e-38);
                total *= (double)fade[i];
                for (int t = 0; t < all; t++) {
                    const double got = (double)trine_bf16_to_f32(at_left(out, group, (size_t)i, (size_t)t));
                    const double e = t < n ? exp((double)scores[i * N + t] - (double)max[i]) : 0;
                    total += e;
                    /* Half a step, the polynomial, and the argument's own rounding; below 2^-126 zero will do. */
                    const double argument = t < n && e > 0 ? fabs((double)scores[i * N + t]) + fabs((double)max[i]) : 0;
                    if (!(fabs(got - e) <= e * (0x1p-8 + 0x1p-13 + 2e-7 * argument) + 0x1p-126))
                        fail_msg("row %d of %d, %d of %d: %g, expected %g", i, rows, t, n, got, e);
                }
                if (!(fabs((double)sum[i] - total) <= total * (0x1p-13 + 1e-5)))
                    fail_msg("sum %g, expected %g", (double)sum[i], total);
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(products_agree), cmocka_unit_test(softmax_agrees) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
