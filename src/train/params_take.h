/* params_take.h - where first values come from: a checkpoint on disk, by name, whatever its type. Only params.c includes it. */
#ifndef TRINE_TRAIN_PARAMS_TAKE_H
#define TRINE_TRAIN_PARAMS_TAKE_H

#include "train/params.h"

typedef struct trine_source {
    trine_checkpoint *checkpoint; /* NULL: nothing is taken */
    trine_model_info info;        /* of the checkpoint; texts are borrowed from it */
} trine_source;

/* Opens options->checkpoint when there is one. ERROR_UNSUPPORTED for GGUF: its rows may lie in another order. */
trine_status trine_source_open(trine_source *s, const trine_params_options *o, trine_error *err);
void trine_source_close(trine_source *s);
/* The configuration to train: options' or the source's, for the head that is asked for. */
trine_status trine_source_config(json_t **out, const trine_source *s, const trine_params_options *o, trine_error *err);
/* Takes what the source has into p->values and marks the rest as new; without a source everything is new. */
trine_status trine_source_take(trine_params *p, const trine_source *s, const trine_model_info *info, const trine_params_options *o,
                               trine_error *err);

#endif
