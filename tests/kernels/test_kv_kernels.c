/* The loops over a tile of the cache against the references, at every level of this machine: all types, head sizes with tails,
 * rows, part-filled tiles whose other slots hold what is not a number, and guards around what is written. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernels/kernels.h"
#include "support/random.h"

enum { P = TRINE_KV_PAGE, MAX_D = 256, MAX_ROWS = 13, GUARD = 16, TILE = 4 * P * MAX_D };
static const float EPS = 1.2e-7f, MARK = -12345.75f;

typedef struct tile {
    _Alignas(64) unsigned char bytes[TILE + TRINE_KV_SLACK];
} tile;

static bool has_levels(trine_dtype type) { return type == TRINE_Q8_0 || type == TRINE_Q4_0; }

static float scale_of(const tile *t, size_t b, size_t token, size_t d, trine_dtype type)
{
    uint16_t half;
    memcpy(&half, t->bytes + trine_kv_levels_bytes(type, d) + (b * P + token) * 2, sizeof half);
    return trine_f16_to_f32(half);
}

/* Tokens [0, n) are numbers; everything else is what could lie there. */
static void fill(tile *t, random_state *r, trine_dtype type, size_t d, bool keys, int n)
{
    memset(t->bytes, 0xFF, sizeof t->bytes); /* not a number in any plain type and in scales */
    if (has_levels(type)) {
        const size_t levels = trine_kv_levels_bytes(type, d);
        for (size_t i = 0; i < levels; i++) t->bytes[i] = (unsigned char)random_int(r, 0, 255);
        /* Levels of q8_0 are -127 .. 127, those of keys 128 more. */
        for (size_t i = 0; type == TRINE_Q8_0 && i < levels; i++)
            if (t->bytes[i] == (keys ? 0 : 128)) t->bytes[i] = 77;
        for (size_t b = 0; b < d / 32; b++)
            for (size_t token = 0; token < (size_t)n; token++) {
                const float scale = random_normal(r) * (token % 7 ? 0.01f : 1.0f);
                const uint16_t half = trine_f32_to_f16(type == TRINE_Q8_0 ? fabsf(scale) : scale);
                memcpy(t->bytes + levels + (b * P + token) * 2, &half, 2);
            }
        return;
    }
    for (size_t i = 0; i < d; i++)
        for (size_t token = 0; token < (size_t)n; token++) {
            const size_t at = keys ? i * P + token : token * d + i;
            const float x = random_normal(r);
            const uint16_t half = type == TRINE_F16 ? trine_f32_to_f16(x) : trine_f32_to_bf16(x);
            if (type == TRINE_F32)
                memcpy(t->bytes + 4 * at, &x, 4);
            else
                memcpy(t->bytes + 2 * at, &half, 2);
        }
}

static void guard(float *x, size_t n)
{
    for (size_t i = 0; i < GUARD; i++) x[i] = x[GUARD + n + i] = MARK;
}

static void check_guard(const float *x, size_t n)
{
    for (size_t i = 0; i < GUARD; i++) assert_true(x[i] == MARK && x[GUARD + n + i] == MARK);
}

static void scores_agree(random_state *r, const trine_kv_kernels *ref, const trine_kv_kernels *new, trine_dtype type, size_t d,
                         int rows, int n)
{
    static tile keys;
    static float q[MAX_ROWS * MAX_D], panel[P * MAX_D], want[MAX_ROWS * P], got[GUARD + MAX_ROWS * P + GUARD];
    static _Alignas(64) unsigned char plain[MAX_ROWS * MAX_D * 4], packed[MAX_ROWS * MAX_D * 4];
    const double half_step = 1.0 / (type == TRINE_Q8_0 ? 2 * 16319 : 2 * 127);
    fill(&keys, r, type, d, true, n);
    random_fill(r, q, (size_t)rows * d, 1);
    if (rows > 2) memset(q + d, 0, d * sizeof *q);
    for (size_t i = 0; i < (size_t)rows; i++) {
        ref->query(plain + i * trine_kv_query_bytes(d), q + i * d, d);
        new->query(packed + i * trine_kv_query_bytes(d), q + i * d, d);
    }
    const size_t written = (size_t)(rows - 1) * P + P;
    guard(got, written);
    ref->scores(want, P, plain, rows, keys.bytes, d, NULL);
    new->scores(got + GUARD, P, packed, rows, keys.bytes, d, keys.bytes);
    check_guard(got, written);
    ref->unpack_keys(panel, keys.bytes, d);
    for (size_t i = 0; i < (size_t)rows; i++)
        for (size_t t = 0; t < (size_t)n; t++) {
            double most = 0, size = 0;
            for (size_t b = 0; b < d; b += 32) {
                double largest = 0, sum = 0;
                for (size_t k = b; k < d && k < b + 32; k++) {
                    largest = fmax(largest, fabs((double)q[i * d + k]));
                    sum += fabs((double)panel[k * P + t]);
                    size += fabs((double)q[i * d + k] * (double)panel[k * P + t]);
                }
                if (has_levels(type)) most += largest * half_step * sum;
            }
            most = most * 1.0001 + (double)EPS * (double)(d + 4) * size + 1e-30;
            if (!(fabs((double)got[GUARD + i * P + t] - (double)want[i * P + t]) <= most))
                fail_msg("type %s d %zu rows %d keys %d: score %zu, %zu is %g, expected %g +- %g", trine_dtype_get(type)->name, d,
                         rows, n, i, t, (double)got[GUARD + i * P + t], (double)want[i * P + t], most);
        }
    static float again[P * MAX_D];
    new->unpack_keys(again, keys.bytes, d);
    for (size_t k = 0; k < d; k++) assert_memory_equal(panel + k * P, again + k * P, (size_t)n * sizeof(float));
}

static void values_agree(random_state *r, const trine_kv_kernels *ref, const trine_kv_kernels *new, trine_dtype type, size_t d,
                         int rows, int n)
{
    static tile values;
    static float weights[MAX_ROWS * P], plain[P * MAX_D], again[GUARD + P * MAX_D + GUARD], want[MAX_ROWS * (MAX_D + 3)],
        got[GUARD + MAX_ROWS * (MAX_D + 3) + GUARD];
    const double half_step = 1.0 / (2 * 16319), most_level = type == TRINE_Q8_0 ? 127 : 8;
    const size_t stride = d + 3, written = (size_t)(rows - 1) * stride + d;
    fill(&values, r, type, d, false, n);
    for (size_t i = 0; i < (size_t)rows * P; i++) weights[i] = (float)random_unit(r);
    if (rows > 2) memset(weights + P, 0, P * sizeof *weights);
    if (rows > 3) weights[3 * P] = 1e-38f;
    for (int i = 0; i < rows; i++) /* in slots that hold no token, too */
        for (int t = n; t < P; t++) weights[i * P + t] = NAN;
    random_fill(r, want, written, 1);
    memcpy(got + GUARD, want, written * sizeof *want);
    guard(got, written);
    ref->values(want, stride, weights, P, rows, values.bytes, n, d, NULL);
    new->values(got + GUARD, stride, weights, P, rows, values.bytes, n, d, values.bytes);
    check_guard(got, written);
    ref->unpack_values(plain, values.bytes, n, d);
    guard(again, (size_t)n * d);
    new->unpack_values(again + GUARD, values.bytes, n, d);
    check_guard(again, (size_t)n * d);
    assert_memory_equal(plain, again + GUARD, (size_t)n * d * sizeof(float));
    for (size_t i = 0; i < (size_t)rows; i++)
        for (size_t j = 0; j < d; j++) {
            double size = fabs((double)want[i * stride + j]), largest = 0;
            for (size_t t = 0; t < (size_t)n; t++) {
                size += fabs((double)weights[i * P + t] * (double)plain[t * d + j]);
                if (has_levels(type))
                    largest = fmax(largest, fabs((double)weights[i * P + t] * (double)scale_of(&values, j / 32, t, d, type)));
            }
            const double most = largest * half_step * n * most_level * 1.0001 + (double)EPS * (n + 4) * size + 1e-30;
            if (!(fabs((double)got[GUARD + i * stride + j] - (double)want[i * stride + j]) <= most))
                fail_msg("type %s d %zu rows %d keys %d: value %zu, %zu is %g, expected %g +- %g", trine_dtype_get(type)->name, d,
                         rows, n, i, j, (double)got[GUARD + i * stride + j], (double)want[i * stride + j], most);
        }
}

static void tiles_agree_with_references(void **state)
{
    (void)state;
    static const trine_dtype types[] = { TRINE_F32, TRINE_F16, TRINE_BF16, TRINE_Q8_0, TRINE_Q4_0 };
    static const size_t sizes[] = { 1, 2, 5, 8, 15, 16, 17, 31, 33, 64, 80, 96, 128, 256 }, blocks[] = { 32, 64, 96, 128, 256 };
    random_state r = random_open("tiles");
    trine_kernels ref, new;
    trine_kernels_init(&ref, TRINE_CPU_SCALAR);
    for (int level = trine_cpu_next(TRINE_CPU_SCALAR); level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels_init(&new, (trine_cpu)level);
        for (int i = 0; i < 5; i++) {
            const bool levels = has_levels(types[i]);
            const int n_sizes = levels ? 5 : 14;
            for (int j = 0; j < n_sizes; j++)
                for (int round = 0; round < 8; round++) {
                    const size_t d = levels ? blocks[j] : sizes[j];
                    const int rows = random_int(&r, 1, MAX_ROWS), n = round ? random_int(&r, 1, P) : P;
                    scores_agree(&r, &ref.kv[types[i]], &new.kv[types[i]], types[i], d, rows, n);
                    values_agree(&r, &ref.kv[types[i]], &new.kv[types[i]], types[i], d, rows, n);
                }
        }
    }
}

/* A row's result does not depend on the rows beside it. */
static void rows_are_alone(void **state)
{
    (void)state;
    enum { D = 64, ROWS = 9 };
    static const trine_dtype types[] = { TRINE_F32, TRINE_F16, TRINE_BF16, TRINE_Q8_0, TRINE_Q4_0 };
    random_state r = random_open("rows alone");
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level))
        for (int type = 0; type < 5; type++) {
            static tile keys, values;
            static float q[ROWS * D], weights[ROWS * P], all[ROWS * P], one[P], sums[ROWS * D], sum[D];
            static _Alignas(64) unsigned char queries[ROWS * D * 4];
            trine_kernels kernels;
            trine_kernels_init(&kernels, (trine_cpu)level);
            const trine_kv_kernels *k = &kernels.kv[types[type]];
            fill(&keys, &r, types[type], D, true, P);
            fill(&values, &r, types[type], D, false, P);
            random_fill(&r, q, ROWS * D, 1);
            for (int i = 0; i < ROWS * P; i++) weights[i] = (float)random_unit(&r);
            for (int i = 0; i < ROWS; i++) k->query(queries + i * (int)trine_kv_query_bytes(D), q + i * D, D);
            memset(sums, 0, sizeof sums);
            k->scores(all, P, queries, ROWS, keys.bytes, D, NULL);
            k->values(sums, D, weights, P, ROWS, values.bytes, P, D, NULL);
            for (int i = 0; i < ROWS; i++) {
                memset(sum, 0, sizeof sum);
                k->scores(one, P, queries + i * (int)trine_kv_query_bytes(D), 1, keys.bytes, D, NULL);
                k->values(sum, D, weights + i * P, P, 1, values.bytes, P, D, NULL);
                assert_memory_equal(one, all + i * P, sizeof one);
                assert_memory_equal(sum, sums + i * D, sizeof sum);
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(tiles_agree_with_references), cmocka_unit_test(rows_are_alone) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
