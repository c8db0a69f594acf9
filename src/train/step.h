/* step.h - a micro-batch to gradients: the model's forward with a tape, the loss of its head, and the walk backwards. */
#ifndef TRINE_TRAIN_STEP_H
#define TRINE_TRAIN_STEP_H

#include "train/batch.h"
#include "train/grad_watch.h"
#include "train/params.h"

typedef struct trine_step trine_step;

typedef struct trine_step_options {
    int n_threads; /* 0: one */
    bool bf16;     /* products in bf16: params->bf16 is there */
    bool recompute;
    bool contrast; /* the loss tells pairs of texts apart, of a model without a head (contrast_loss.h) */
    float dropout; /* of activations and of attention */
    float label_smoothing;
    uint64_t seed;
} trine_step_options;

/* Memory is taken when a batch needs it: a batch is measured before it is computed, and what was taken for a larger one stays. */
trine_status trine_step_open(trine_step **out, trine_model *model, trine_params *params, const trine_step_options *options,
                             trine_error *err);
void trine_step_close(trine_step *step);
/* Which random numbers the next run draws. */
void trine_step_set_step(trine_step *s, uint64_t step, uint64_t micro);
/* From now on each run tells, during its backward, which gradients are final (grad_watch.h); `tell` NULL: no more. ERROR_MEMORY. */
trine_status trine_step_watch(trine_step *s, trine_grads_final_fn *tell, void *user, trine_error *err);
/* Forward, loss and backward: gradients times `scale` are added to params->grads. Sums over the scored rows of weight times loss, in nats,
 * and of weight. */
trine_status trine_step_run(double *loss, double *weight, trine_step *s, const trine_train_batch *batch, float scale,
                            trine_error *err);
/* The loss alone: no dropout, no label smoothing, no gradients. */
trine_status trine_step_loss(double *loss, double *weight, trine_step *s, const trine_train_batch *batch, trine_error *err);
/* Bytes taken for activations and their gradients, and of these the most that were in use. */
size_t trine_step_bytes(const trine_step *s);
size_t trine_step_peak(const trine_step *s);
/* Bytes that a run of this batch takes for activations (with temporaries) and for their gradients. Nothing is computed or taken: parameters
 * may be hollow. */
trine_status trine_step_plan(size_t *activations, size_t *gradients, trine_step *s, const trine_train_batch *batch,
                             trine_error *err);

#endif
