/* tokenizer_json.h - how the parts of tokenizer.json (version 1.0 of Hugging Face's format) become a tokenizer.
 *
 * Every other source (vocab.txt, merges.txt, sentencepiece models, GGUF) describes itself in the same JSON, without the vocabulary,
 * and goes the same way: there is one place where each component is understood. */
#ifndef TRINE_TOKENIZER_TOKENIZER_JSON_H
#define TRINE_TOKENIZER_TOKENIZER_JSON_H

#include <jansson.h>

#include "tokenizer/tokenizer_core.h"

/* A tokenizer with nothing in it; ERROR_MEMORY. */
trine_status trine_tokenizer_new(trine_tokenizer **out, trine_error *err);
/* Reads JSON text, with a limit on its nesting; ERROR_FORMAT says where it breaks. */
trine_status trine_json_read(json_t **out, const char *text, size_t n, const char *what, trine_error *err);
/* The object in dir/name so read, or NULL when there is no such file. */
trine_status trine_json_read_beside(json_t **out, const char *dir, const char *name, trine_error *err);
/* Fills a new tokenizer from `root`. The vocabulary is taken from root.model and removed there, unless t->vocab (with scores or
 * merges) is already set. `root` stays the caller's. */
trine_status trine_tokenizer_fill(trine_tokenizer *t, json_t *root, trine_error *err);

/* The parts of it. `value` may be NULL or null: none. */
trine_status trine_json_normalizers(trine_tokenizer *t, const json_t *value, trine_error *err);
trine_status trine_json_pretokenizers(trine_tokenizer *t, const json_t *value, trine_error *err);
trine_status trine_json_decoders(trine_tokenizer *t, const json_t *value, trine_error *err);
trine_status trine_json_post_processor(trine_tokenizer *t, const json_t *value, trine_error *err);

/* Fields of an object. Each gives ERROR_FORMAT with `where` and the key when the value is of another kind, or absent without a
 * default. */
trine_status trine_json_bool(bool *out, const json_t *object, const char *where, const char *key, const bool *absent,
                             trine_error *err);
trine_status trine_json_text(const char **out, size_t *n, const json_t *object, const char *where, const char *key, bool optional,
                             trine_error *err);
trine_status trine_json_int(json_int_t *out, const json_t *object, const char *where, const char *key, json_int_t low,
                            json_int_t high, trine_error *err);
/* A copy in new memory; NULL when memory ran out. */
char *trine_copy_text(const char *text, size_t n);

/* GPT-2's pattern, which ByteLevel splits by. */
extern const char trine_gpt2_pattern[];

#endif
