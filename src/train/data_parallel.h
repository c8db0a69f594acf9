/* data_parallel.h - what ranks exchange in a step (Li et al. 2020, "PyTorch Distributed", sec. 3.2): gradients are summed in buckets,
 * from the end of the flat array downwards, each as soon as all of it is final, while the backward goes on. With a sharded optimiser
 * (Rajbhandari et al. 2020, "ZeRO", stages 1 and 2) a bucket is summed at the rank that owns it alone, which steps its own share; then
 * all get all values. Alone, nothing happens. */
#ifndef TRINE_TRAIN_DATA_PARALLEL_H
#define TRINE_TRAIN_DATA_PARALLEL_H

#include "base/many_ranks.h"
#include "train/params.h"

typedef struct trine_data_parallel {
    trine_ranks *ranks; /* NULL: alone */
    trine_params *params;
    bool sharded;
    size_t bucket;       /* floats */
    size_t begun;        /* sums of [begun, n) have begun */
    trine_status status; /* of beginning them */
    trine_error error;
    size_t *ends; /* [size] of the ranks' shares */
} trine_data_parallel;

/* ERROR_MEMORY. The moments of `params` are those of this rank's share exactly when `sharded`. */
trine_status trine_data_parallel_open(trine_data_parallel *d, trine_ranks *ranks, trine_params *params, bool sharded,
                                      trine_error *err);
void trine_data_parallel_close(trine_data_parallel *d);
/* A step's last gradients are about to be computed. */
void trine_data_parallel_begin(trine_data_parallel *d);
/* Gradients [from, n) are final (a trine_grads_final_fn). */
void trine_data_parallel_final(void *d, size_t from);
/* All are final: returns when this rank's share of them is the sum over all ranks; those of the others' shares are zero. */
trine_status trine_data_parallel_end(trine_data_parallel *d, trine_error *err);
/* The share [first, first + n) that this rank steps: its own, or all. */
void trine_data_parallel_share(size_t *first, size_t *n, const trine_data_parallel *d);
/* After each rank has stepped its share of x [params->n]: all have all of it. */
trine_status trine_data_parallel_gather(trine_data_parallel *d, float *x, trine_error *err);
/* This rank's sum over its share, made that over all of them. */
trine_status trine_data_parallel_total(trine_data_parallel *d, double *sum, trine_error *err);

#endif
