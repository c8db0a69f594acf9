/* gguf_write.h - the head of a GGUF file (version 3), gathered pair by pair and tensor by tensor; the data is streamed after it.
 * Failures of memory stick in the buffers and are told by trine_gguf_head_write. */
#ifndef TRINE_CHECKPOINT_GGUF_WRITE_H
#define TRINE_CHECKPOINT_GGUF_WRITE_H

#include "base/buffer.h"
#include "base/file.h"
#include "trine/basics.h"

enum { TRINE_GGUF_ALIGNMENT = 32 };

typedef struct trine_gguf_head {
    const char *architecture; /* takes the place of a key's leading '.': ".block_count" is "llama.block_count" */
    trine_buffer pairs, tensors;
    uint64_t n_pairs, n_tensors, data_bytes;
} trine_gguf_head;

void trine_gguf_put_string(trine_gguf_head *h, const char *key, const char *text);
void trine_gguf_put_u32(trine_gguf_head *h, const char *key, uint32_t value);
void trine_gguf_put_f32(trine_gguf_head *h, const char *key, float value);
void trine_gguf_put_bool(trine_gguf_head *h, const char *key, bool value);
void trine_gguf_put_strings(trine_gguf_head *h, const char *key, const char *const *texts, size_t n);
void trine_gguf_put_i32s(trine_gguf_head *h, const char *key, const int32_t *values, size_t n);
void trine_gguf_put_f32s(trine_gguf_head *h, const char *key, const float *values, size_t n);
void trine_gguf_put_bytes(trine_gguf_head *h, const char *key, const void *bytes, size_t n);
/* The next tensor: its data follows the data of those before it, each padded to TRINE_GGUF_ALIGNMENT. Shape outermost first. */
void trine_gguf_put_tensor(trine_gguf_head *h, const char *name, trine_dtype type, int n_dims, const int64_t *shape, size_t bytes);
/* Writes the head, padded: the first tensor's data comes next. ERROR_MEMORY when something was lost before. */
trine_status trine_gguf_head_write(trine_writer *w, const trine_gguf_head *h, trine_error *err);
void trine_gguf_head_clear(trine_gguf_head *h);

#endif
