/* grad_kernels.h - the loops over one row that training needs beside those of inference: derivatives, and random numbers.
 *
 * As everywhere: any length, any alignment. Sums over a row are in double in the references; over rows they are the blocks'. */
#ifndef TRINE_KERNELS_GRAD_KERNELS_H
#define TRINE_KERNELS_GRAD_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One a map of kernels.h. */
#define TRINE_GRAD_MAPS 6

/* dx = dy f'(x). dx may be x or dy. ReLU's derivative at 0 is 0. */
typedef void trine_slope_fn(float *dx, const float *x, const float *dy, size_t n);
/* out = f(gate) up. out may be either. */
typedef void trine_gate_fn(float *out, const float *gate, const float *up, size_t n);
/* Its derivatives, where both are: up = dy f(gate), gate = dy up f'(gate). */
typedef void trine_gate_slope_fn(float *gate, float *up, const float *dy, size_t n);

/* One row of a norm's backward. With z the normed row ((x - mean) factor, or x factor) and g = dy weight:
 *
 *     dx  = factor (g - mean(g) - z mean(g z)), without mean(g) in RMS norm; added to dx's content when `add`
 *     dw += dy z,  db += dy        where they are not NULL
 *
 * dx may be dy when not added to. */
typedef struct trine_norm_slope {
    float *dx, *dw, *db;
    const float *dy, *x, *weight;
    float eps;
    bool add;
} trine_norm_slope;
typedef void trine_norm_slope_fn(const trine_norm_slope *row, size_t n);

/* Number i of a key, 32 bits: a multiplicative hash ("triple32", C. Wellons) with the key put in twice. The key of a row is 64 well mixed
 * bits: trine_random_at(trine_random_key(seed, stream), row). */
static inline uint32_t trine_drop_number(uint64_t key, uint32_t i)
{
    uint32_t x = i * 0x9E3779B9u + (uint32_t)key;
    x = (x ^ (x >> 17)) * 0xED5AD4BBu;
    x = (x ^ (x >> 11) ^ (uint32_t)(key >> 32)) * 0xAC4C1B51u;
    x = (x ^ (x >> 15)) * 0x31848BABu;
    return x ^ (x >> 14);
}
/* Of 2^24 equally likely cases, how many drop an element. */
static inline int32_t trine_drop_below(float rate) { return (int32_t)((double)rate * 0x1p24 + 0.5); }
/* x[i] = 0 where the upper 24 bits of number first + i are less than `below`, else x[i] factor (Srivastava et al. 2014, the form whose
 * mean stays: factor = 1 / (1 - rate)). */
typedef void trine_drop_fn(float *x, size_t n, uint64_t key, uint32_t first, int32_t below, float factor);

typedef struct trine_grad_kernels {
    trine_slope_fn *slope[TRINE_GRAD_MAPS];
    trine_gate_fn *gate[TRINE_GRAD_MAPS];
    trine_gate_slope_fn *gate_slope[TRINE_GRAD_MAPS];
    trine_norm_slope_fn *layer_norm, *rms_norm;
    trine_drop_fn *drop;
} trine_grad_kernels;

#endif
