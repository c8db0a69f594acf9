/* learn.h - runs blocks forward and backward as training does: measured first, then in memory of exactly that size. */
#ifndef TRINE_TESTS_LEARN_H
#define TRINE_TESTS_LEARN_H

#include "blocks/tape.h"

/* What learns and how. Gradients of the parameters are zeroed before a run and kept after it. */
typedef struct learning {
    trine_cpu level;
    int n_threads;
    float *values, *grads; /* [n] */
    uint16_t *bf16;        /* [n] or NULL: filled here, and products are in bf16 */
    size_t n;
    float dropout, dropout_attention;
    uint64_t seed;
    int n_cross;
    bool recompute;
    size_t arena, pool; /* bytes that a run took */
} learning;

/* Blocks that begin with learn_input and end with learn_weigh, or a loss. Called twice. */
typedef void learn_fn(trine_pass *p, void *user);
void learn(learning *l, const trine_batch *batch, learn_fn *forward, void *user);

/* A matrix of data [rows, cols]; its gradient is copied to `grad` when it is known, or is not asked for when that is NULL. */
trine_mat learn_input(trine_pass *p, const float *data, int rows, int cols, float *grad);
/* Ends a forward: the loss is the sum of y's elements times `factors`; y is copied to `out` (NULL: not wanted). */
void learn_weigh(trine_pass *p, trine_mat y, const float *factors, float *out);

#endif
