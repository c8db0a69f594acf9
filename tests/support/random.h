/* random.h - reproducible numbers for tests: splitmix64. The seed is printed by whoever takes it, and TRINE_SEED gives it back. */
#ifndef TRINE_TESTS_RANDOM_H
#define TRINE_TESTS_RANDOM_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct random_state {
    uint64_t s;
} random_state;

static inline random_state random_open(const char *who)
{
    const char *given = getenv("TRINE_SEED");
    const random_state r = { given ? strtoull(given, NULL, 0) : 20260715u };
    fprintf(stderr, "%s: TRINE_SEED=%llu\n", who, (unsigned long long)r.s);
    return r;
}

static inline uint64_t random_u64(random_state *r)
{
    uint64_t z = (r->s += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* low .. high, both included */
static inline int random_int(random_state *r, int low, int high) { return low + (int)(random_u64(r) % (uint64_t)(high - low + 1)); }

static inline double random_unit(random_state *r) { return (double)(random_u64(r) >> 11) * 0x1p-53; }

static inline float random_normal(random_state *r)
{
    const double radius = sqrt(-2 * log(1 - random_unit(r)));
    return (float)(radius * cos(6.283185307179586 * random_unit(r)));
}

static inline void random_fill(random_state *r, float *x, size_t n, float scale)
{
    for (size_t i = 0; i < n; i++) x[i] = scale * random_normal(r);
}

#endif
