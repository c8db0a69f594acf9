/* draw.h - random numbers of training: each a function of what it is for (seed, epoch, place), never of what was drawn before, so
 * that a run that is taken up again, or shared out over ranks, draws the same. splitmix64 (Steele et al. 2014). */
#ifndef TRINE_TRAIN_DRAW_H
#define TRINE_TRAIN_DRAW_H

#include <stdint.h>

static inline uint64_t trine_draw_mix(uint64_t z)
{
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* A stream of numbers for one purpose. */
typedef struct trine_draws {
    uint64_t state;
} trine_draws;
static inline trine_draws trine_draws_for(uint64_t seed, uint64_t what, uint64_t epoch, uint64_t place)
{
    return (trine_draws) { trine_draw_mix(trine_draw_mix(trine_draw_mix(trine_draw_mix(seed) ^ what) ^ epoch) ^ place) };
}
static inline uint64_t trine_draw(trine_draws *d)
{
    d->state += 0x9E3779B97F4A7C15u;
    return trine_draw_mix(d->state);
}
/* 0 .. n - 1; n 1 or more. The bias is below n / 2^64. */
static inline uint64_t trine_draw_below(trine_draws *d, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)trine_draw(d) * n) >> 64);
}
/* [0, 1) */
static inline double trine_draw_unit(trine_draws *d) { return (double)(trine_draw(d) >> 11) * 0x1p-53; }

/* What streams are for. */
enum { TRINE_DRAW_ORDER = 1, TRINE_DRAW_SHIFT, TRINE_DRAW_NOISE, TRINE_DRAW_MIXTURE, TRINE_DRAW_HELD_OUT, TRINE_DRAW_WORLD };

#endif
