/* counter_random.h - random numbers by place: number i of a stream is a function of the seed, the stream and i alone, so it is the same
 * whichever thread makes it, in whatever order, and again when a computation is repeated. splitmix64's finalizer over a keyed
 * counter (Steele et al. 2014; Salmon et al. 2011 for the idea). */
#ifndef TRINE_BASE_COUNTER_RANDOM_H
#define TRINE_BASE_COUNTER_RANDOM_H

#include <stdint.h>

static inline uint64_t trine_random_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* The key of a stream; streams of one seed are independent of each other. */
static inline uint64_t trine_random_key(uint64_t seed, uint64_t stream)
{
    return trine_random_mix(trine_random_mix(seed + 0x9E3779B97F4A7C15u) ^ (stream * 0xD1342543DE82EF95u + 0x632BE59BD9B4E019u));
}

/* Number i of the stream: 64 bits. */
static inline uint64_t trine_random_at(uint64_t key, uint64_t i)
{
    return trine_random_mix(trine_random_mix(key + i * 0x9E3779B97F4A7C15u) ^ key);
}

/* Number i in [0, 1). */
static inline double trine_random_unit(uint64_t key, uint64_t i) { return (double)(trine_random_at(key, i) >> 11) * 0x1p-53; }

#endif
