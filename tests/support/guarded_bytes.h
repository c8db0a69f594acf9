/* guarded_bytes.h - memory of a test, and bytes that nobody writes before and behind what is written. */
#ifndef TRINE_TESTS_GUARDED_BYTES_H
#define TRINE_TESTS_GUARDED_BYTES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { GUARD = 64, GUARD_BYTE = 0xA5 };

static inline void *take(size_t n)
{
    void *memory = malloc(n ? n : 1);
    assert_non_null(memory);
    return memory;
}

/* n bytes between guards, `shift` off alignment; memory is freed. */
typedef struct guarded {
    unsigned char *memory, *at;
    size_t n;
} guarded;

static inline guarded guard(size_t n, size_t shift)
{
    guarded g = { take(n + 2 * GUARD + shift), NULL, n };
    g.at = g.memory + GUARD + shift;
    memset(g.memory, GUARD_BYTE, n + 2 * GUARD + shift);
    return g;
}

static inline void check_guards(const guarded *g)
{
    for (size_t i = 0; i < GUARD; i++) assert_true(g->at[-(ptrdiff_t)i - 1] == GUARD_BYTE && g->at[g->n + i] == GUARD_BYTE);
}

#endif
