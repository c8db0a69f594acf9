/* optimiser_kernels.h - one step of AdamW over flat arrays, and the sum of squares that clipping needs: what a training step does once
 * for every parameter, limited by memory alone. By level, as kernels.h. */
#ifndef TRINE_KERNELS_OPTIMISER_KERNELS_H
#define TRINE_KERNELS_OPTIMISER_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

/* Numbers of one step, the same for every element. */
typedef struct trine_adamw_step {
    float grad_scale;   /* the gradient is read times this: clipping */
    float beta1, beta2; /* of the moments; rest1 and rest2 are 1 - beta, each rounded by itself as PyTorch has them */
    float rest1, rest2;
    float size; /* rate / (1 - beta1^t) */
    float root; /* 1 / sqrt(1 - beta2^t) */
    float eps;
    float shrink;       /* 1 - rate decay; 1 where nothing decays */
    float average_rate; /* average += average_rate (p - average) */
    bool clear;         /* the gradient is zero afterwards */
} trine_adamw_step;

/* The arrays at one place; bf16 and average may be NULL. */
typedef struct trine_adamw_arrays {
    float *p, *g, *m, *v;
    uint16_t *bf16;
    float *average;
} trine_adamw_arrays;

/* AdamW (Loshchilov & Hutter 2019, algorithm 2, in the order of PyTorch's): for each i < n, with g = grad_scale grad,
 *     p = shrink p;  m = beta1 m + rest1 g;  v = beta2 v + rest2 g g;  p = p - size m / (sqrt(v) root + eps)
 * and p rounded to nearest even into bf16. Each element alone: no order to depend on. */
typedef void trine_adamw_fn(const trine_adamw_arrays *a, size_t n, const trine_adamw_step *s);
/* Sum of x[i]^2 in double; not finite exactly when an x is not. */
typedef double trine_sum_squares_fn(const float *x, size_t n);

typedef struct trine_optimiser_kernels {
    trine_adamw_fn *adamw;
    trine_sum_squares_fn *sum_squares;
} trine_optimiser_kernels;

void trine_optimiser_kernels_init(trine_optimiser_kernels *k, trine_cpu level);
/* Its steps. */
void trine_optimiser_kernels_ref(trine_optimiser_kernels *k);
void trine_optimiser_kernels_avx2(trine_optimiser_kernels *k);
void trine_optimiser_kernels_avx512(trine_optimiser_kernels *k);

#endif
