/* blank_checkpoint.h - a checkpoint made of a configuration alone: what a model of it would hold, before there is any data.
 *
 * A family's load declares on it what it asks for: each tensor's name and shape, as transformers writes them for the configuration's
 * "architectures". A first load declares (data is NULL, and nothing may read through it); whoever wants to compute gives each
 * tensor its place and loads again. So training's parameters and a plan of memory are counted by the loader itself. */
#ifndef TRINE_CHECKPOINT_BLANK_CHECKPOINT_H
#define TRINE_CHECKPOINT_BLANK_CHECKPOINT_H

#include "checkpoint/checkpoint.h"

/* What a family says of a tensor when it declares it. */
typedef struct trine_declaration {
    int n_dims; /* 1 or 2 */
    int64_t shape[2];
    bool turned; /* placed data lies as the model uses it, [shape[1], shape[0]]: GPT-2's Conv1D */
    bool unused; /* transformers' class has it and what is computed here does not read it (a pooler below no head) */
} trine_declaration;

/* A checkpoint of container "blank" with a copy of `config` and no tensors yet. `directory`: where the tokenizer lies, or NULL. */
trine_status trine_checkpoint_blank(trine_checkpoint **out, const json_t *config, const char *directory, trine_error *err);
bool trine_checkpoint_is_blank(const trine_checkpoint *c);
/* The tensor `name` (f32), declared if it was not yet; NULL with err filled when memory ran out, or when it is there already in
 * another shape. Valid until the next declaration. */
const trine_tensor *trine_blank_declare(trine_checkpoint *c, const char *name, const trine_declaration *d, trine_error *err);
/* What tensor `i` was declared as. */
trine_declaration trine_blank_declaration(const trine_checkpoint *c, int i);
/* Gives tensor `i` its memory, which the caller keeps for as long as the checkpoint lives. A weight that is not trained may stay in
 * the type of the file it comes from. ERROR_FORMAT when the type cannot divide its rows. */
trine_status trine_blank_place(trine_checkpoint *c, int i, trine_dtype type, const void *data, trine_error *err);

#endif
