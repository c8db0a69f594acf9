/* test_limits.c - limits at every level of the machine: no figure is right or wrong, but each that the level has is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "limits/limits.h"

static void every_level_has_its_figures(void **state)
{
    (void)state;
    for (int i = 0; trine_cpu_level(i); i++) {
        trine_limits l;
        trine_error err;
        const char *level = trine_cpu_level(i);
        if (trine_limits_run(&l, level, 1 + i % 2, (size_t)64 << 20, 1e-4, &err)) fail_msg("%s: %s", level, err.text);
        assert_string_equal(l.cpu, level);
        assert_int_equal(l.n_threads, 1 + i % 2);
        assert_true(l.read_bytes > 0 && l.f32_ops > 0 && l.buffer_bytes > 0);
        assert_true((l.int8_ops > 0) == (strcmp(level, "scalar") != 0));
        const bool amx = strcmp(level, "amx") == 0, bf16 = amx || strcmp(level, "avx512-bf16") == 0;
        assert_true((l.bf16_ops > 0) == bf16);
        assert_true((l.tile_bf16_ops > 0) == amx && (l.tile_int8_ops > 0) == amx);
    }
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    trine_limits l;
    trine_error err;
    assert_int_equal(trine_limits_measure(&l, "abacus", 1, &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "abacus"));
    assert_int_equal(trine_limits_measure(&l, NULL, -1, &err), TRINE_ERROR_ARGUMENT);
    assert_true(l.read_bytes == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_level_has_its_figures),
                                        cmocka_unit_test(what_cannot_be_is_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
