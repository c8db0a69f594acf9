/* planner.h - a model without data, and what plans are made of. Only files of this room include it. */
#ifndef TRINE_PLAN_PLANNER_H
#define TRINE_PLAN_PLANNER_H

#include "checkpoint/checkpoint.h"
#include "models/model.h"
#include "trine/planning.h"

struct trine_planner {
    trine_model *model; /* hollow: checkpoint/hollow_checkpoint.h */
    const char *source;
};

/* planner.c: what a model of `config` would be stored as, hollow, in one type. */
trine_status trine_plan_stored(trine_checkpoint **out, const json_t *config, trine_dtype type, trine_error *err);

/* plan_weights.c: takes `c`, hollow, and gives it back with every tensor of the type that trine_quantize would give it; on failure it is
 * closed and *c is NULL. `name` is what messages call the model. */
trine_status trine_plan_retype(trine_checkpoint **c, const char *type, const char *name, trine_error *err);

/* plan_uses.c: when a matrix is read, by its name in the file. */
trine_weight_use trine_plan_use_of(const char *name, const trine_model_info *m);

/* plan_verify.c: bytes of this process that are resident now. */
trine_status trine_plan_resident(size_t *out, trine_error *err);

#endif
