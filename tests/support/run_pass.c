#include "support/run_pass.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/alloc.h"

static trine_status run(trine_arena *arena, const trine_batch *batch, trine_cpu level, int n_threads, trine_tracer *tracer,
                        run_pass_fn *body, void *user, trine_error *err)
{
    trine_kernels kernels;
    trine_kernels_init(&kernels, level);
    trine_pass p = { .arena = arena, .kernels = &kernels, .n_threads = n_threads, .batch = batch, .tracer = tracer };
    assert_int_equal(trine_team_open(&p.team, n_threads, err), TRINE_OK);
    const long before = alloc_count();
    body(&p, user);
    if (!tracer) assert_int_equal(alloc_count(), before); /* a pass allocates nothing */
    trine_team_close(p.team);
    return trine_pass_status(&p, err);
}

static size_t measure(const trine_batch *batch, trine_cpu level, int n_threads, run_pass_fn *body, void *user)
{
    trine_arena arena;
    trine_error err = { 0 };
    trine_arena_measure(&arena);
    const trine_status status = run(&arena, batch, level, n_threads, NULL, body, user, &err);
    if (status) fail_msg("measuring failed: %s", err.text);
    const size_t peak = arena.peak;
    trine_arena_close(&arena);
    return peak;
}

void run_pass(const trine_batch *batch, trine_cpu level, int n_threads, trine_tracer *tracer, run_pass_fn *body, void *user)
{
    trine_arena arena;
    trine_error err = { 0 };
    const size_t peak = measure(batch, level, n_threads, body, user);
    assert_int_equal(trine_arena_open(&arena, peak, &err), TRINE_OK);
    if (run(&arena, batch, level, n_threads, tracer, body, user, &err)) fail_msg("the pass failed: %s", err.text);
    assert_int_equal(arena.peak, peak);
    trine_arena_close(&arena);
    if (peak <= 64) return;
    assert_int_equal(trine_arena_open(&arena, peak - 64, &err), TRINE_OK);
    assert_int_equal(run(&arena, batch, level, n_threads, NULL, body, user, &err), TRINE_ERROR_MEMORY);
    trine_arena_close(&arena);
}

trine_status run_failing_pass(const trine_batch *batch, trine_cpu level, int n_threads, run_pass_fn *body, void *user)
{
    trine_arena arena;
    trine_error err = { 0 };
    assert_int_equal(trine_arena_open(&arena, (size_t)64 << 20, &err), TRINE_OK);
    const trine_status status = run(&arena, batch, level, n_threads, NULL, body, user, &err);
    if (status) assert_true(err.text[0] != 0);
    trine_arena_close(&arena);
    return status;
}

trine_batch one_segment(trine_segment *segment, int n_rows)
{
    *segment = (trine_segment) { .n_rows = n_rows };
    return (trine_batch) { .n_rows = n_rows, .n_segments = 1, .segments = segment };
}
