/* grad_watch.h - which gradients are final while the backward still runs: the backward finishes parameters about in the reverse of the
 * order they lie in, so what is final is told as the end of the flat array, growing downwards.
 *
 * A batch is walked on the measuring arena first. There the watch notes the op that touches each tensor last; in the walk that computes
 * it tells when all tensors from some place on have seen theirs. */
#ifndef TRINE_TRAIN_GRAD_WATCH_H
#define TRINE_TRAIN_GRAD_WATCH_H

#include "blocks/tape.h"
#include "train/params.h"

/* Gradients [from, n) are final. Called from the thread that computes, between ops. */
typedef void trine_grads_final_fn(void *user, size_t from);

typedef struct trine_grad_watch {
    trine_tape_watch tape; /* its user is the watch */
    const trine_params *params;
    uint32_t *last;       /* [n_tensors + 1] the op that touches this tensor last, then this or any behind it */
    uint32_t now;         /* the op that is walked; 0 before the walk */
    bool measuring, late; /* late: a gradient was touched after it was told to be final */
    int next;             /* tensors [next, n_tensors) were told */
    trine_grads_final_fn *tell;
    void *user;
} trine_grad_watch;

/* ERROR_MEMORY. */
trine_status trine_grad_watch_open(trine_grad_watch *w, const trine_params *params, trine_error *err);
void trine_grad_watch_close(trine_grad_watch *w);
/* Before the pass that is measured, and before the one that computes. */
void trine_grad_watch_measure(trine_grad_watch *w);
void trine_grad_watch_begin(trine_grad_watch *w);

#endif
