/* hollow_checkpoint.h - a checkpoint whose tensors have names, types, shapes and sizes, and no data: what a plan is made of.
 *
 * Each tensor has an address of its own at which nothing lies, beyond what a process can have on a machine of 64 bits: whoever reads
 * there is stopped at once. A family loads from it as from a file, counts what it would copy without copying, and its passes run
 * on a measuring arena. So nothing of a model's size is allocated or read, and a plan comes from the code that allocates. */
#ifndef TRINE_CHECKPOINT_HOLLOW_CHECKPOINT_H
#define TRINE_CHECKPOINT_HOLLOW_CHECKPOINT_H

#include "checkpoint/checkpoint.h"

/* As trine_checkpoint_open, by the container's head alone: data is not looked at, and may be missing from the file. */
trine_status trine_checkpoint_open_head(trine_checkpoint **out, const char *path, trine_error *err);
/* A blank checkpoint that a family has declared, as a file of it would be with all its tensors of `type`. ERROR_FORMAT when a tensor
 * is larger than can be. */
trine_status trine_checkpoint_hollow(trine_checkpoint *c, trine_dtype type, trine_error *err);
/* A hollow checkpoint of `container` (static), without tensors yet, and with a copy of `config`; trine_hollow_add fills it. */
trine_status trine_checkpoint_hollow_open(trine_checkpoint **out, const char *container, const json_t *config, trine_error *err);
/* Adds a tensor: name, type, n_dims and shape count, its bytes follow. ERROR_FORMAT for a name that is there already. */
trine_status trine_hollow_add(trine_checkpoint *c, const trine_tensor *tensor, trine_error *err);
bool trine_checkpoint_is_hollow(const trine_checkpoint *c);
/* From here on what a blank checkpoint is given are addresses at which nothing lies. */
void trine_checkpoint_set_hollow(trine_checkpoint *c);

/* The address of byte `at` of what is not there. */
void *trine_hollow_address(size_t at);

#endif
