/* model_open.h - models that do not begin with a file. */
#ifndef TRINE_LOAD_MODEL_OPEN_H
#define TRINE_LOAD_MODEL_OPEN_H

#include "checkpoint/checkpoint.h"
#include "models/adapter.h"

/* trine_model_open for a checkpoint that is open already (one that was declared and placed, say). The model takes `c`, which is closed
 * on failure too, as `adapter` (or NULL); `path` is what messages call it. Its tokenizer is that of the checkpoint's directory, where it names one; a
 * hollow one has none. */
trine_status trine_model_open_checkpoint(trine_model **out, trine_checkpoint *c, trine_adapter *adapter, const char *path,
                                         const trine_model_options *options, trine_error *err);

/* trine_model_open without a tokenizer and what surrounds the weights: for measuring them. */
trine_status trine_model_open_bare(trine_model **out, const char *path, const trine_model_options *options, trine_error *err);

#endif
