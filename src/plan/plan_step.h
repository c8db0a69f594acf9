/* plan_step.h - what a planned training step and a verified one share. Only files of this room include it. */
#ifndef TRINE_PLAN_PLAN_STEP_H
#define TRINE_PLAN_PLAN_STEP_H

#include "train/batch_room.h"
#include "train/step.h"
#include "trine/planning.h"

/* A batch of n_texts of seq_len tokens, as the model's objective makes it from a text that is all one token. Borrowed from `room`. */
trine_status trine_plan_batch(trine_batch_room *room, trine_train_batch *batch, const trine_model_info *info, int n_texts,
                              int seq_len, trine_error *err);
/* The configuration that is trained: a model without a head gets that of its objective. In new memory. */
trine_status trine_plan_training_config(json_t **out, const trine_planner *p, trine_error *err);
/* The arrays of filled options. */
trine_params_options trine_plan_params_options(const trine_training_options *o, const json_t *config);
/* Weights that do not learn: as they are stored, and copies that loading makes of some. */
size_t trine_plan_frozen(const trine_params *params, const trine_model *model);
trine_status trine_plan_step_open(trine_step **out, const trine_training_options *o, trine_model *model, trine_params *params,
                                  trine_error *err);

#endif
