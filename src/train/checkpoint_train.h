/* checkpoint_train.h - where a run of training stands, so that nothing is lost: weights, moments, average, and the caller's own state
 * (step, random numbers, place in the data, options, best) in one safetensors file a checkpoint.
 *
 *     DIR/checkpoint-0000001200.safetensors
 *         values.NAME, m.NAME, v.NAME, average.NAME   f32, each tensor as it lies in the flat arrays
 *         state                                       u8: the caller's JSON
 *         checksum                                    i64: of names, shapes and bytes before it
 *
 * It is written beside its name, flushed, renamed, and the directory flushed: killed at any instant, or out of space, a run finds its
 * last whole checkpoint as it was. One that was damaged later is known by its size or its checksum, and the one before is taken. */
#ifndef TRINE_TRAIN_CHECKPOINT_TRAIN_H
#define TRINE_TRAIN_CHECKPOINT_TRAIN_H

#include "base/many_ranks.h"
#include "train/params.h"

/* Writes the checkpoint of `step`, in place of one of the same step. average may be NULL. All ranks call (`ranks` NULL: alone); the
 * first writes, and gets the moments that the others hold, a tensor at a time. */
trine_status trine_training_save(const char *dir, uint64_t step, const trine_params *params, const float *average,
                                 const json_t *state, trine_ranks *ranks, trine_error *err);

#define TRINE_NO_STEP UINT64_MAX
/* Removes what a run does not need any more: checkpoints but the `keep` newest and that of step `best`, and what a killed process
 * left half written. The directory must be the caller's alone. */
trine_status trine_training_prune(const char *dir, int keep, uint64_t best, trine_error *err);

/* Takes the newest whole checkpoint of `dir` into params (values, the moments where there are some, bf16) and average; *state is the
 * caller's to release. No checkpoint at all is no failure: *step is TRINE_NO_STEP and *state NULL. What is passed over is logged.
 * ERROR_FORMAT when it is of another model, with the first tensor that differs, or when all are damaged; params are as they were. */
trine_status trine_training_load(uint64_t *step, json_t **state, const char *dir, trine_params *params, float *average,
                                 trine_log_fn *log, void *log_user, trine_error *err);
/* The same for the checkpoint of one step (the best, say): ERROR_NOT_FOUND when it is not there. */
trine_status trine_training_load_step(json_t **state, const char *dir, uint64_t step, trine_params *params, float *average,
                                      trine_error *err);

#endif
