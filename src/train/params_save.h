/* params_save.h - trained parameters as a Hugging Face directory: config.json, model.safetensors, the tokenizer's files; adapters as
 * PEFT's, with adapter_config.json and adapter_model.safetensors in place of the weights. */
#ifndef TRINE_TRAIN_PARAMS_SAVE_H
#define TRINE_TRAIN_PARAMS_SAVE_H

#include "train/params.h"

typedef struct trine_save_options {
    trine_dtype type;      /* F32, F16 or BF16; 0: F32 */
    const float *values;   /* [params->n] in place of params->values (an average of them); NULL: those */
    const char *tokenizer; /* directory whose tokenizer files are copied; NULL: the model's checkpoint's, where it has one */
    bool overwrite;        /* replace a model's directory that is there */
} trine_save_options;

/* Whether the directory of a model says how its texts become vectors, as sentence-transformers does: of one without a head, whose vectors are
 * what it gives, and of one that writes text where its source said it; of labels never. */
trine_status trine_params_say_pooling(bool *out, const trine_model *model, trine_error *err);

/* Writes `dir` whole or not at all; `model` is the one over these parameters. ERROR_NUMERIC when a value is not finite. */
trine_status trine_params_save(const char *dir, const trine_params *params, const trine_model *model,
                               const trine_save_options *options, trine_error *err);

#endif
