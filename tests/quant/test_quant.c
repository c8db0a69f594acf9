/* test_quant.c - every element type against values and blocks made by the `gguf` Python package (tools/make_quant_fixtures.py). */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "quant/quant.h"

/* x = d q + m in f32: the reference may round in another order, so one unit in the last place of the largest term. */
static void check_values(const char *name, const float *got, const float *expected, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fabsf(got[i] - expected[i]) > 4 * FLT_EPSILON * (fabsf(expected[i]) + 0.02f)) /* mins are up to 0.02 x 63 */
            fail_msg("%s: value %zu is %.9g, expected %.9g", name, i, (double)got[i], (double)expected[i]);
    }
}

static void check_type(trine_dtype type)
{
    const trine_dtype_info *info = trine_dtype_get(type);
    char path[512];
    snprintf(path, sizeof path, "%s/quant/%s.bin", TRINE_FIXTURES, info->name);
    char *file;
    size_t bytes;
    assert_int_equal(trine_file_read(&file, &bytes, path, 1 << 20, NULL), TRINE_OK);
    uint32_t head[3];
    memcpy(head, file, sizeof head);
    const size_t n = head[0], packed_bytes = head[1], at_packed = 12 + (head[2] ? 4 * n : 0);
    assert_int_equal(bytes, at_packed + packed_bytes + 4 * n);
    size_t expected_bytes;
    assert_true(trine_dtype_bytes(&expected_bytes, type, n));
    assert_int_equal(expected_bytes, packed_bytes);

    float *expected = malloc(4 * n), *got = malloc(4 * n);
    memcpy(expected, file + at_packed + packed_bytes, 4 * n);
    info->unpack(got, file + at_packed, n);
    check_values(info->name, got, expected, n);
    if (head[2]) {
        memcpy(got, file + 12, 4 * n);
        unsigned char *packed = malloc(packed_bytes);
        info->pack(packed, got, n);
        for (size_t i = 0; i < packed_bytes; i++) {
            if (packed[i] != (unsigned char)file[at_packed + i])
                fail_msg("%s: packed byte %zu is %d, expected %d", info->name, i, packed[i], (unsigned char)file[at_packed + i]);
        }
        free(packed);
    }
    free(expected);
    free(got);
    free(file);
}

static void test_fixtures(void **state)
{
    (void)state;
    static const trine_dtype all[] = { TRINE_F16,  TRINE_BF16, TRINE_Q8_0, TRINE_Q4_0, TRINE_Q4_1,
                                       TRINE_Q5_0, TRINE_Q5_1, TRINE_Q4_K, TRINE_Q5_K, TRINE_Q6_K };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) check_type(all[i]);
}

/* Every half goes to f32 and back unchanged, and every midpoint between two halves goes to the even one. */
static void test_half_exhaustive(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++) {
        const float f = trine_f16_to_f32((uint16_t)h);
        const uint16_t back = trine_f32_to_f16(f);
        if ((h & 0x7C00) == 0x7C00 && (h & 0x3FF)) {
            assert_true(isnan(f) && isnan(trine_f16_to_f32(back)));
            continue;
        }
        assert_int_equal(back, h);
        if ((h & 0x7FFF) >= 0x7BFF) continue;
        const float next = trine_f16_to_f32((uint16_t)(h + 1)), middle = (float)(((double)f + (double)next) / 2);
        assert_int_equal(trine_f32_to_f16(middle), h & 1 ? h + 1 : h);
        assert_int_equal(trine_f32_to_f16(nextafterf(middle, f)), h);
        assert_int_equal(trine_f32_to_f16(nextafterf(middle, next)), h + 1);
    }
    assert_int_equal(trine_f32_to_f16(65519.996f), 0x7BFF);
    assert_int_equal(trine_f32_to_f16(65520.0f), 0x7C00);
    assert_int_equal(trine_f32_to_f16(-INFINITY), 0xFC00);
    assert_int_equal(trine_f32_to_f16(FLT_MAX), 0x7C00);
    assert_int_equal(trine_f32_to_f16(1e-30f), 0);
    assert_int_equal(trine_f32_to_f16(-0.0f), 0x8000);
}

static void test_bf16(void **state)
{
    (void)state;
    assert_int_equal(trine_f32_to_bf16(1.0f), 0x3F80);
    assert_int_equal(trine_f32_to_bf16(1.00390625f), 0x3F80); /* a tie: to even */
    assert_int_equal(trine_f32_to_bf16(1.01171875f), 0x3F82); /* a tie: to even */
    assert_int_equal(trine_f32_to_bf16(FLT_MAX), 0x7F80);
    assert_int_equal(trine_f32_to_bf16(-INFINITY), 0xFF80);
    assert_true(isnan(trine_bf16_to_f32(trine_f32_to_bf16(NAN))));
    const union {
        uint32_t u;
        float f;
    } low_nan = { 0x7F800001 }; /* only low bits set: cutting would make infinity */
    assert_true(isnan(trine_bf16_to_f32(trine_f32_to_bf16(low_nan.f))));
}

/* Values that are not finite must not be undefined behaviour; blocks beside them are untouched. */
static void test_not_finite(void **state)
{
    (void)state;
    static const trine_dtype all[] = { TRINE_Q8_0, TRINE_Q4_0, TRINE_Q4_1, TRINE_Q5_0, TRINE_Q5_1 };
    static const float bad[] = { NAN, INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, FLT_TRUE_MIN };
    for (size_t t = 0; t < sizeof all / sizeof *all; t++) {
        for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
            float x[64], y[64];
            unsigned char packed[64 * 4];
            for (int i = 0; i < 64; i++) x[i] = (float)(i % 32 - 16);
            x[5] = bad[b];
            const trine_dtype_info *info = trine_dtype_get(all[t]);
            info->pack(packed, x, 64);
            info->unpack(y, packed, 64);
            for (int i = 32; i < 64; i++) assert_true(fabsf(y[i] - x[i]) <= 2.1f);
        }
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_null(trine_dtype_get(TRINE_DTYPE_DEFAULT));
    assert_null(trine_dtype_get(TRINE_DTYPE_COUNT));
    assert_null(trine_dtype_get((trine_dtype)-1));
    assert_null(trine_dtype_name((trine_dtype)99));
    for (int i = 1; i < TRINE_DTYPE_COUNT; i++) {
        const trine_dtype type = (trine_dtype)i;
        const trine_dtype_info *info = trine_dtype_get(type);
        assert_non_null(info);
        assert_int_equal(trine_dtype_from_name(info->name), type);
        if (info->safetensors) assert_int_equal(trine_dtype_from_safetensors(info->safetensors), type);
        if (info->gguf >= 0) assert_int_equal(trine_dtype_from_gguf(info->gguf), type);
        assert_int_equal(info->computes, info->unpack != NULL);
    }
    assert_int_equal(trine_dtype_from_name("Q4_K"), TRINE_Q4_K);
    assert_int_equal(trine_dtype_from_name("q3_k"), TRINE_DTYPE_DEFAULT);
    assert_int_equal(trine_dtype_from_name(NULL), TRINE_DTYPE_DEFAULT);
    assert_int_equal(trine_dtype_from_safetensors("F8_E4M3"), TRINE_DTYPE_DEFAULT);
    assert_int_equal(trine_dtype_from_gguf(10), TRINE_DTYPE_DEFAULT);
    assert_int_equal(trine_dtype_from_gguf(-1), TRINE_DTYPE_DEFAULT);
    size_t bytes;
    assert_false(trine_dtype_bytes(&bytes, TRINE_Q4_0, 33));
    assert_false(trine_dtype_bytes(&bytes, TRINE_F32, SIZE_MAX / 2));
    assert_false(trine_dtype_bytes(&bytes, TRINE_DTYPE_DEFAULT, 1));
    assert_true(trine_dtype_bytes(&bytes, TRINE_Q6_K, 512));
    assert_int_equal(bytes, 420);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fixtures),   cmocka_unit_test(test_half_exhaustive), cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_not_finite), cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
