/* guarded_row.h - rows at every length, place and level, between guards: what tests of row kernels share. */
#ifndef TRINE_TESTS_GUARDED_ROW_H
#define TRINE_TESTS_GUARDED_ROW_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/kernels.h"
#include "support/random.h"

enum { GUARD = 16, MOST = 1100 };

/* Several arrays, each `shift` floats off and between guards. */
typedef struct row {
    float memory[MOST + 2 * GUARD + 4], *at;
    size_t n;
} row;

static const float GUARD_VALUE = -12345.0f;

static inline void prepare(row *x, size_t n, size_t shift)
{
    x->at = x->memory + GUARD + shift;
    x->n = n;
    for (size_t i = 0; i < GUARD; i++) x->at[-(ptrdiff_t)i - 1] = x->at[n + i] = GUARD_VALUE;
}

static inline void check_guards(const row *x)
{
    for (size_t i = 0; i < GUARD; i++) assert_true(x->at[-(ptrdiff_t)i - 1] == GUARD_VALUE && x->at[x->n + i] == GUARD_VALUE);
}

/* All lengths and levels. */
typedef void row_test(random_state *r, const trine_kernels *k, size_t n, size_t shift);

static inline void each_length(const char *name, row_test *test)
{
    random_state r = random_open(name);
    for (int level = 0; level < TRINE_CPU_COUNT; level = trine_cpu_next(level)) {
        trine_kernels k;
        trine_kernels_init(&k, (trine_cpu)level);
        for (size_t n = 0; n <= 67; n++) test(&r, &k, n, (size_t)random_int(&r, 0, 3));
        test(&r, &k, 576, 1);
        test(&r, &k, 1024, 0);
    }
}

/* A map of the kernels in double. */
static inline double exact_map(double x, int map)
{
    switch (map) {
    case TRINE_MAP_RELU: return x < 0 ? 0 : x;
    case TRINE_MAP_GELU: return 0.5 * x * (1 + erf(x / sqrt(2)));
    case TRINE_MAP_GELU_TANH: return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case TRINE_MAP_SILU: return x / (1 + exp(-x));
    case TRINE_MAP_TANH: return tanh(x);
    default: return x / (1 + exp(-1.702 * x));
    }
}

#endif
