/* params_lora.h - parameters when adapters are trained in place of the weights: which tensors learn whole, which are adapted, and which
 * stay in the file. Only params.c and params_save.c include it. */
#ifndef TRINE_TRAIN_PARAMS_LORA_H
#define TRINE_TRAIN_PARAMS_LORA_H

#include "checkpoint/blank_checkpoint.h"
#include "checkpoint/json_file.h"
#include "train/params.h"
#include "train/params_take.h"

typedef enum trine_role {
    TRINE_ROLE_LEARNS,  /* lies in the flat arrays */
    TRINE_ROLE_ADAPTED, /* stays as it is, with a pair of matrices that learn */
    TRINE_ROLE_FROZEN,
    TRINE_ROLE_ABSENT, /* nobody reads it */
} trine_role;

/* Whether `name` is the weight of a linear layer of attention or feed-forward. */
bool trine_params_is_linear(const char *family, const char *name);
/* What becomes of a tensor of the model; `from` is the source's, or NULL. */
trine_role trine_lora_role(const trine_params *p, const char *name, const trine_declaration *d, const trine_tensor *from,
                           trine_head head);
/* Settles rank, alpha and targets from the options. ERROR_ARGUMENT. */
trine_status trine_lora_settle(trine_params *p, const trine_params_options *o, const trine_model_info *info, trine_error *err);
/* Gives every tensor of `blank` its place, in the flat arrays or where the source has it, and makes the adapter that the model takes. */
trine_status trine_lora_place(trine_adapter **out, trine_params *p, trine_checkpoint *blank, const trine_source *s, trine_head head,
                              const char *path, trine_error *err);
/* adapter_config.json of these parameters, as PEFT writes it. */
trine_json_builder trine_lora_config(const trine_params *p, const trine_model *model);

#endif
