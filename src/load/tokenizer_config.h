/* tokenizer_config.h - a tokenizer as the two texts that Hugging Face lays beside a model. */
#ifndef TRINE_LOAD_TOKENIZER_CONFIG_H
#define TRINE_LOAD_TOKENIZER_CONFIG_H

#include "checkpoint/json_file.h"
#include "tokenizer/tokenizer.h"

/* What tokenizer_config.json says: class, special tokens, chat template, and the longest text when n_positions > 0. The caller ends
 * the builder; a want of memory sticks in it. */
trine_json_builder trine_tokenizer_config_make(const trine_tokenizer *tokenizer, int64_t n_positions);
/* Whether tokenizer.json cannot say this kind (ByT5): then the class is enough. */
bool trine_tokenizer_is_bytes(const trine_tokenizer *tokenizer);

#endif
