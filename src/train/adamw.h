/* adamw.h - the optimiser over flat parameters: AdamW (Loshchilov & Hutter 2019), with the gradient's norm for clipping. */
#ifndef TRINE_TRAIN_ADAMW_H
#define TRINE_TRAIN_ADAMW_H

#include "kernels/optimiser_kernels.h"
#include "train/params.h"

typedef struct trine_adamw_options {
    double rate;         /* of this step */
    double beta1, beta2; /* 0: 0.9 and 0.999 */
    double eps;          /* 0: 1e-8 */
    double decay;        /* decoupled: p shrinks by rate x decay, where tensors decay; 0: none */
    double grad_scale;   /* the gradient is read times this; 0: 1 */
    uint64_t step;       /* from 1: corrects the moments' bias */
    bool no_hidden;      /* hidden matrices are left as they are: muon.h steps them */
    bool clear;          /* gradients are zero afterwards */
    float *average;      /* [params->n] a moving average of the values, or NULL */
    double average_rate; /* average += average_rate (value - average) */
} trine_adamw_options;

/* One step of elements [first, first + n) of the flat arrays (a rank's shard; multiples of 16): values, moments, and bf16 and the average
 * where there are some. The same on any number of threads. */
void trine_adamw_run(trine_params *params, size_t first, size_t n, const trine_adamw_options *options,
                     const trine_optimiser_kernels *kernels, trine_team *team);

/* Sum of the squares of gradients [first, first + n), into *out: over fixed pieces, added in their order, so the same on any number of
 * threads. Not finite exactly when a gradient is not. ERROR_MEMORY. */
trine_status trine_grad_squares(double *out, const trine_params *params, size_t first, size_t n,
                                const trine_optimiser_kernels *kernels, trine_team *team, trine_error *err);
/* The tensor of the first of these gradients that is not finite, or NULL: for the message of a run that diverged. */
const trine_param *trine_grad_not_finite(const trine_params *params, size_t first, size_t n);

#endif
