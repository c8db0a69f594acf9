/* json_vocabulary.h - the two long members of tokenizer.json, vocabulary and merges, read without a tree of JSON values.
 *
 * Nine tenths of such a file are these lists; as JSON values each string of them would be allocated, hashed and freed once more.
 * Nothing is decided here: what is out of the ordinary in any way is left to the JSON library, which also says what is wrong. */
#ifndef TRINE_TOKENIZER_JSON_VOCABULARY_H
#define TRINE_TOKENIZER_JSON_VOCABULARY_H

#include "base/buffer.h"
#include "tokenizer/tokenizer_core.h"

/* Fills t->vocab, t->scores and t->merges from the text of a tokenizer.json. *taken: they are filled, and `rest` is the text with a
 * zero in their places. Else nothing has changed: the whole text is to be read in the long way. ERROR_MEMORY. */
trine_status trine_json_vocabulary(bool *taken, trine_buffer *rest, trine_tokenizer *t, const char *text, size_t n,
                                   trine_error *err);

#endif
