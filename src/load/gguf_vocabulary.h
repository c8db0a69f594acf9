/* gguf_vocabulary.h - tokenizer.ggml.* of a GGUF file as the plain values that the tokenizer room takes. */
#ifndef TRINE_LOAD_GGUF_VOCABULARY_H
#define TRINE_LOAD_GGUF_VOCABULARY_H

#include "checkpoint/gguf.h"
#include "tokenizer/tokenizer.h"

/* Opens the tokenizer of a GGUF file. TRINE_OK with *out NULL when the file has none. `path` is for messages. */
trine_status trine_tokenizer_open_gguf(trine_tokenizer **out, const trine_gguf *g, const char *path, trine_error *err);

#endif
