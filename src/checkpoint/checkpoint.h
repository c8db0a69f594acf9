/* checkpoint.h - a model on disk as "the tensor called X" and a configuration, whatever the container.
 *
 * Both containers answer in the names of Hugging Face: a GGUF file's `blk.0.attn_q.weight` is found as
 * `model.layers.0.self_attn.q_proj.weight`, and its metadata is given as the config.json that the same model would have.
 * So model files know one vocabulary of names. A tensor that GGUF has no name for (the head of a masked language model) keeps that
 * of Hugging Face in files that trine writes, and Llama 3's `rope_freqs.weight` keeps that of GGUF. RoBERTa's positions, which
 * GGUF stores from the first that a text uses, are given whole again (copied, the one tensor that is).
 *
 * What differs in content is said in the configuration of a GGUF file, by keys that no config.json has:
 *     "trine_rope_interleaved": true    q and k rows of a head are in pairs (2i, 2i + 1): Llama, Mistral
 *     "trine_conv1d_transposed": true   GPT-2's Conv1D matrices are [out, in], like every other matrix
 *     "trine_rope_llama3": {...}        the scaling of the original model; rope_freqs.weight has it, so "rope_scaling" and
 *                                       "rope_parameters" no longer say it. Only convert reads this key
 *     "trine_pooling": "mean"           "cls", "last": how one vector is made of a text
 *     "trine_normalize": true           and whether it is scaled to length 1
 *     "trine_embed_tokens": 256         and how many tokens of a text it is made of */
#ifndef TRINE_CHECKPOINT_CHECKPOINT_H
#define TRINE_CHECKPOINT_CHECKPOINT_H

#include <jansson.h>

#include "checkpoint/gguf.h"
#include "trine/basics.h"

typedef struct trine_checkpoint trine_checkpoint;

/* A tensor as it lies in the mapped file. Borrowed from the checkpoint. */
typedef struct trine_tensor {
    const char *name;      /* Hugging Face name */
    const char *file_name; /* as in the file (the same in safetensors) */
    trine_dtype type;
    int n_dims;
    int64_t shape[4]; /* outermost first; unused ones are 1 */
    const void *data; /* any alignment the file has: 8 bytes in safetensors, 32 in GGUF */
    size_t bytes;
} trine_tensor;

/* Opens a directory (config.json with model.safetensors or model.safetensors.index.json), a .safetensors file with its
 * config.json beside, or a .gguf file. Every count, offset and size is checked before use. */
trine_status trine_checkpoint_open(trine_checkpoint **out, const char *path, trine_error *err);
void trine_checkpoint_close(trine_checkpoint *c);
const char *trine_checkpoint_container(const trine_checkpoint *c); /* "safetensors", "gguf" or "blank" */
const json_t *trine_checkpoint_config(const trine_checkpoint *c);  /* borrowed */
/* Another configuration in place of its own: the same model with another head. Of GGUF, whose own says how its tensors lie, what tells of
 * the head alone. */
trine_status trine_checkpoint_configure(trine_checkpoint *c, const json_t *config, const char *path, trine_error *err);
/* NULL when there is no such tensor. */
const trine_tensor *trine_checkpoint_find(const trine_checkpoint *c, const char *name);
int trine_checkpoint_n_tensors(const trine_checkpoint *c);
const trine_tensor *trine_checkpoint_tensor(const trine_checkpoint *c, int i); /* in file order */
/* Where the model's other files lie (tokenizer, generation_config.json); NULL for GGUF. Borrowed. */
const char *trine_checkpoint_directory(const trine_checkpoint *c);
/* The container behind a GGUF checkpoint, or NULL. Borrowed. */
const trine_gguf *trine_checkpoint_gguf(const trine_checkpoint *c);
/* Whether n bytes at the data of two of its tensors are the same. */
bool trine_checkpoint_same(const trine_checkpoint *c, const void *a, const void *b, size_t n);
/* The mapped file that the data of a tensor lies in, borrowed, and where; false: in none. */
bool trine_checkpoint_place(const trine_checkpoint *c, const void *data, trine_mapping *file, size_t *offset);
/* A tensor's pages will not be read again (its content was copied). */
void trine_checkpoint_forget(const trine_checkpoint *c, const trine_tensor *t);

/* One .safetensors file as it is, without a configuration: its tensors and nothing else (trine_checkpoint_config gives NULL). */
trine_status trine_safetensors_open(trine_checkpoint **out, const char *path, trine_error *err);
/* Writes tensors as one safetensors file: whole or not at all. Data in host order, `type` must have a safetensors name. */
trine_status trine_safetensors_write(const char *path, const trine_tensor *tensors, int n_tensors, const char *metadata_json,
                                     bool overwrite, trine_error *err);
/* The bytes before the data of such a file, from names, types, shapes and sizes alone (data is not looked at): for writers that
 * stream. Release with free. */
trine_status trine_safetensors_header(char **out, size_t *n, const trine_tensor *tensors, int n_tensors, const char *metadata_json,
                                      trine_error *err);

#endif
