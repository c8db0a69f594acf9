/* adapter.h - low-rank adapters of a model (Hu et al. 2022), in PEFT's layout: a directory with
 *
 *     adapter_config.json          r, lora_alpha, target_modules...
 *     adapter_model.safetensors    base_model.model.MODULE.lora_A.weight [r, in], base_model.model.MODULE.lora_B.weight [out, r];
 *                                  and whole tensors that take the place of the model's, base_model.model.classifier.weight
 *     config.json                  of the adapted model, where its head is another than the base's (written by trine; PEFT ignores it)
 *
 * MODULE is a weight's name in transformers without ".weight"; the prefix of the whole ("bert.") may be there or not. */
#ifndef TRINE_MODELS_ADAPTER_H
#define TRINE_MODELS_ADAPTER_H

#include "blocks/blocks.h"
#include "checkpoint/checkpoint.h"

#define TRINE_ADAPTER_PREFIX "base_model.model."

typedef struct trine_adapter_module {
    char *name; /* owned */
    trine_lora lora;
    bool used; /* a weight of the model has been adapted by it */
} trine_adapter_module;

typedef struct trine_adapter {
    trine_adapter_module *modules;
    int n_modules;
    trine_checkpoint *file; /* whole tensors lie in it; NULL: there are none */
    json_t *config;         /* config.json beside it, or NULL */
    float *memory;          /* of the modules' matrices, or NULL: they are somebody else's */
} trine_adapter;

/* Reads a directory. ERROR_UNSUPPORTED for adapters of another kind (DoRA, biases, prompts), and for tensors it has no use for. */
trine_status trine_adapter_open(trine_adapter **out, const char *dir, trine_error *err);
void trine_adapter_close(trine_adapter *adapter);
/* The adapter of the weight `name` ("bert...query.weight"), or NULL. */
trine_adapter_module *trine_adapter_find(const trine_adapter *adapter, const char *name);
/* The tensor in place of the model's `name`, or NULL. */
const trine_tensor *trine_adapter_tensor(const trine_adapter *adapter, const char *name);

/* Prefixes that a model's names may have or lack, NULL-ended: "bert.", "model."... */
extern const char *const trine_name_prefixes[];

#endif
