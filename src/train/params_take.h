/* params_take.h - where first values come from: a checkpoint on disk, by name, whatever its type. Only params.c includes it. */
#ifndef TRINE_TRAIN_PARAMS_TAKE_H
#define TRINE_TRAIN_PARAMS_TAKE_H

#include "train/params.h"

typedef struct trine_source {
    trine_checkpoint *checkpoint; /* NULL: nothing is taken */
    bool borrowed;
    trine_model_info info;  /* of the checkpoint; texts are borrowed from it */
    trine_adapter *adapter; /* to be merged, or NULL */
} trine_source;

/* Opens options->checkpoint when there is one. ERROR_UNSUPPORTED for GGUF: its rows may lie in another order. */
trine_status trine_source_open(trine_source *s, const trine_params_options *o, trine_error *err);
void trine_source_close(trine_source *s);
/* The configuration to train: options' or the source's, for the head that is asked for. */
trine_status trine_source_config(json_t **out, const trine_source *s, const trine_params_options *o, trine_error *err);
/* The source's tensor for the model's `name`, whatever prefix or older name it has there; NULL: it has none. */
const trine_tensor *trine_source_find(const trine_source *s, const char *name);
/* That it has t's shape and a type that can be a weight. */
trine_status trine_source_check(const trine_tensor *from, const trine_param *t, const char *path, trine_error *err);
/* Its values as f32, turned where t is. */
trine_status trine_source_copy(float *out, const trine_param *t, const trine_tensor *from, const char *path, trine_error *err);
/* Takes what the source has into p->values and marks the rest as new; without a source everything is new. */
trine_status trine_source_take(trine_params *p, const trine_source *s, const trine_checkpoint *blank, const trine_model_info *info,
                               const trine_params_options *o, trine_error *err);

#endif
