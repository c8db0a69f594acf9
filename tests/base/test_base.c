/* test_base.c - errors, arena, buffer, the processor and free memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/cpu.h"
#include "base/size.h"
#include "base/status.h"
#include "support/alloc.h"
#include "support/temp.h"

static void test_status(void **state)
{
    (void)state;
    assert_string_equal(trine_version(), "0.1.0");
    assert_string_equal(trine_status_name(TRINE_ERROR_MEMORY), "TRINE_ERROR_MEMORY");
    assert_string_equal(trine_status_name(TRINE_OK), "TRINE_OK");
    assert_string_equal(trine_status_name((trine_status)7), "unknown");
    assert_non_null(strstr(trine_status_text(TRINE_ERROR_FORMAT), "damaged"));
    assert_non_null(trine_status_text((trine_status)7));
    trine_free(NULL);
}

static void test_errors(void **state)
{
    (void)state;
    trine_error err;
    assert_int_equal(trine_fail(&err, TRINE_ERROR_IO, "file %d", 3), TRINE_ERROR_IO);
    assert_string_equal(err.text, "file 3");
    assert_int_equal(trine_fail_in(&err, TRINE_ERROR_FORMAT, "room %d", 1), TRINE_ERROR_IO);
    assert_string_equal(err.text, "room 1: file 3");
    assert_int_equal(trine_fail(NULL, TRINE_ERROR_IO, "x"), TRINE_ERROR_IO);
    assert_int_equal(trine_fail_in(NULL, TRINE_ERROR_FORMAT, "x"), TRINE_ERROR_FORMAT);
    /* Texts longer than an error holds are cut and ended. */
    char longer[2 * sizeof err.text];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    trine_fail(&err, TRINE_ERROR_IO, "%s", longer);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    trine_fail_in(&err, TRINE_ERROR_IO, "prefix");
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_memory_equal(err.text, "prefix: aaa", 11);
    trine_fail_in(&err, TRINE_ERROR_IO, "%s", longer);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void test_arena(void **state)
{
    (void)state;
    trine_arena a, m;
    assert_int_equal(trine_arena_open(&a, 1000, NULL), TRINE_OK);
    assert_int_equal(a.size, 1024);
    trine_arena_measure(&m);
    unsigned char *first = trine_arena_alloc(&a, 1), *second = trine_arena_alloc(&a, 64);
    assert_int_equal((uintptr_t)first % 64, 0);
    assert_ptr_equal(second, first + 64);
    memset(first, 1, 64);
    assert_null(trine_arena_alloc(&m, 1));
    assert_null(trine_arena_alloc(&m, 64));
    assert_int_equal(m.used, a.used);
    const size_t mark = trine_arena_mark(&a);
    assert_non_null(trine_arena_alloc(&a, 1024 - 128));
    assert_int_equal(a.peak, 1024);
    trine_arena_release(&a, mark);
    assert_false(a.full);
    assert_null(trine_arena_alloc(&a, 1024 - 127));
    assert_true(a.full);
    assert_null(trine_arena_alloc(&a, 1)); /* sticky */
    trine_arena_reset(&a);
    assert_ptr_equal(trine_arena_alloc(&a, 0), first);
    assert_int_equal(a.peak, 1024);
    assert_null(trine_arena_alloc(&a, SIZE_MAX)); /* no overflow */
    assert_null(trine_arena_alloc(&m, SIZE_MAX - 100));
    assert_true(m.full);
    trine_arena_close(&a);
    trine_arena_close(&a);
    trine_arena_close(&m);

    trine_error err;
    assert_int_equal(trine_arena_open(&a, SIZE_MAX, &err), TRINE_ERROR_MEMORY);
    alloc_fail_at(1);
    const trine_status status = trine_arena_open(&a, 1000, &err);
    alloc_fail_at(0);
    assert_int_equal(status, TRINE_ERROR_MEMORY);
    trine_arena_close(&a);
}

static void test_buffer(void **state)
{
    (void)state;
    trine_buffer b = { 0 };
    char *empty = trine_buffer_take(&b);
    assert_string_equal(empty, "");
    free(empty);
    for (int i = 0; i < 1000; i++) trine_buffer_printf(&b, "%d,", i);
    trine_buffer_put_utf8(&b, 0x1F600);
    trine_buffer_putc(&b, 'x');
    trine_buffer_append(&b, NULL, 0);
    assert_int_equal(b.n, 10 * 2 + 90 * 3 + 900 * 4 + 5);
    assert_int_equal(b.data[b.n], 0);
    char *text = trine_buffer_take(&b);
    assert_null(b.data);
    assert_string_equal(text + strlen(text) - 9, "999,\xF0\x9F\x98\x80x");
    trine_free(text);

    for (long k = 1; k <= 4; k++) { /* each growth fails in its turn; what follows is ignored */
        alloc_fail_at(k);
        for (int i = 0; i < 200; i++) trine_buffer_puts(&b, "0123456789");
        const bool failed = b.failed;
        text = trine_buffer_take(&b);
        alloc_fail_at(0);
        assert_true(failed);
        assert_null(text);
        assert_null(b.data);
    }
    trine_buffer_clear(&b);
}

static void test_size(void **state)
{
    (void)state;
    size_t n;
    assert_true(trine_mul_size(&n, SIZE_MAX / 2, 2));
    assert_false(trine_mul_size(&n, SIZE_MAX / 2 + 1, 2));
    assert_false(trine_add_size(&n, SIZE_MAX, 1));
    assert_int_equal(trine_round_up(65, 64), 128);
}

static void test_cpu(void **state)
{
    (void)state;
    const trine_cpu best = trine_cpu_detect();
    assert_string_equal(trine_cpu_level(0), "scalar");
    assert_null(trine_cpu_level(-1));
    assert_null(trine_cpu_name(TRINE_CPU_COUNT));
    assert_true(trine_cpu_has(TRINE_CPU_SCALAR) && trine_cpu_has((int)best));
    assert_false(trine_cpu_has(-1) || trine_cpu_has((int)best + 1) || trine_cpu_has(TRINE_CPU_COUNT));
    trine_cpu level;
    trine_error err;
    /* Levels of this machine by number, by the next one, and by name. */
    int n = 0, last = 0;
    for (int i = 0; i < TRINE_CPU_COUNT; i = trine_cpu_next(i), n++) {
        assert_true(trine_cpu_has(i));
        assert_string_equal(trine_cpu_level(n), trine_cpu_name((trine_cpu)i));
        assert_int_equal(trine_cpu_choose(&level, trine_cpu_level(n), &err), TRINE_OK);
        assert_int_equal(level, i);
        last = i;
    }
    assert_int_equal(last, best);
    assert_string_equal(trine_cpu_level(n - 1), trine_cpu_best());
    assert_null(trine_cpu_level(n));
    assert_int_equal(trine_cpu_choose(&level, NULL, &err), TRINE_OK);
    assert_int_equal(level, best);
    assert_int_equal(trine_cpu_choose(&level, "auto", &err), TRINE_OK);
    assert_int_equal(trine_cpu_choose(&level, "SCALAR", &err), TRINE_OK);
    assert_int_equal(level, TRINE_CPU_SCALAR);
    /* Along the line a level needs those below it. */
    assert_true(!trine_cpu_has(TRINE_CPU_AMX) || trine_cpu_has(TRINE_CPU_AVX512_BF16));
    assert_true(!trine_cpu_has(TRINE_CPU_AVX512_BF16) || trine_cpu_has(TRINE_CPU_AVX512_VNNI));
    assert_true(!trine_cpu_has(TRINE_CPU_AVX512_VNNI) || trine_cpu_has(TRINE_CPU_AVX512));
    assert_true(!trine_cpu_has(TRINE_CPU_AVX512) || trine_cpu_has(TRINE_CPU_AVX2));
    const bool bf16 = trine_cpu_has(TRINE_CPU_AVX512_BF16);
    assert_int_equal(trine_cpu_choose(&level, "avx512_bf16", &err), bf16 ? TRINE_OK : TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_cpu_choose(&level, "avx512-bf1", &err), TRINE_ERROR_ARGUMENT);
    assert_int_equal(trine_cpu_choose(&level, "mmx", &err), TRINE_ERROR_ARGUMENT);
    assert_non_null(strstr(err.text, "scalar"));
    for (int i = 0; i < TRINE_CPU_COUNT; i++) {
        if (trine_cpu_has(i)) continue;
        assert_int_equal(trine_cpu_choose(&level, trine_cpu_name((trine_cpu)i), &err), TRINE_ERROR_ARGUMENT);
        assert_int_equal(level, TRINE_CPU_SCALAR);
    }
    assert_in_range(trine_cpu_cores(), 1, 1 << 16);
}

static void put(const char *name, const char *text) { temp_write(name, text, strlen(text)); }

/* A machine of files: 8 GiB free, and groups that allow less. */
static void test_memory(void **state)
{
    (void)state;
    const char *root = temp_make();
    assert_int_equal(trine_memory_free_under(root), SIZE_MAX); /* nothing is known */
    static const char *const folders[] = { "proc",
                                           "proc/self",
                                           "sys",
                                           "sys/fs",
                                           "sys/fs/cgroup",
                                           "sys/fs/cgroup/a",
                                           "sys/fs/cgroup/a/b",
                                           "sys/fs/cgroup/memory",
                                           "sys/fs/cgroup/memory/job" };
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) mkdir(temp_path(folders[i]), 0777);
    put("proc/meminfo", "MemTotal:       16777216 kB\nMemFree:         1 kB\nMemAvailable:    8388608 kB\n");
    assert_int_equal(trine_memory_free_under(root), (size_t)8 << 30);
    put("proc/self/cgroup", "0::/a/b\n");
    assert_int_equal(trine_memory_free_under(root), (size_t)8 << 30);
    put("sys/fs/cgroup/a/b/memory.max", "max\n");
    put("sys/fs/cgroup/a/memory.max", "1000000\n");
    put("sys/fs/cgroup/a/memory.current", "700000\n");
    put("sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 200000\n");
    assert_int_equal(trine_memory_free_under(root), 500000);
    put("sys/fs/cgroup/a/b/memory.max", "400000\n");
    put("sys/fs/cgroup/a/b/memory.current", "500000\n");
    assert_int_equal(trine_memory_free_under(root), 0);
    put("proc/self/cgroup", "5:cpu:/x\n4:memory:/job\n"); /* version 1 */
    put("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "3000\n");
    put("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "1000\n");
    assert_int_equal(trine_memory_free_under(root), 2000);
    temp_remove();

    assert_in_range(trine_memory_free(), 1, SIZE_MAX - 1);
}

#ifndef __SANITIZE_ADDRESS__ /* which maps terabytes of its own */
static void test_memory_limit(void **state)
{
    (void)state;
    struct rlimit old, low;
    assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
    low = old;
    low.rlim_cur = (rlim_t)256 << 20;
    assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
    const size_t leaves = trine_memory_free();
    assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
    assert_in_range(leaves, 0, ((size_t)256 << 20) - 1);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),       cmocka_unit_test(test_errors), cmocka_unit_test(test_arena),
        cmocka_unit_test(test_buffer),       cmocka_unit_test(test_size),   cmocka_unit_test(test_cpu),
        cmocka_unit_test(test_memory),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(test_memory_limit),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
