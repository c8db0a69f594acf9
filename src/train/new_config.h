/* new_config.h - the config.json of a new model, from a few numbers. */
#ifndef TRINE_TRAIN_NEW_CONFIG_H
#define TRINE_TRAIN_NEW_CONFIG_H

#include <jansson.h>

#include "trine/tokenizers.h"
#include "trine/training.h"

/* What transformers would write for such a model, with the tokenizer's vocabulary and special tokens; or the configuration that
 * model->config names, with these. In new memory (json_decref). `seq_len`: positions that a model with learned ones has. */
trine_status trine_new_config(json_t **out, const trine_new_model *model, const trine_tokenizer *tokenizer, int seq_len,
                              float dropout, trine_error *err);

/* The same without a tokenizer: `ids` says what would be asked of it. */
typedef struct trine_config_ids {
    int vocab;
    int bos, eos, pad; /* -1: none */
} trine_config_ids;
trine_status trine_new_config_for(json_t **out, const trine_new_model *model, const trine_config_ids *ids, int seq_len,
                                  float dropout, trine_error *err);

#endif
