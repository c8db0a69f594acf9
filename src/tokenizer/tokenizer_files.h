/* tokenizer_files.h - the small JSON files that lie beside a vocabulary, and what they say. */
#ifndef TRINE_TOKENIZER_TOKENIZER_FILES_H
#define TRINE_TOKENIZER_TOKENIZER_FILES_H

#include "tokenizer/tokenizer_json.h"

typedef struct trine_neighbors {
    const char *dir;
    json_t *config; /* tokenizer_config.json, or NULL */
    json_t *map;    /* special_tokens_map.json */
    json_t *added;  /* added_tokens.json */
    char class[64]; /* tokenizer_class, else guessed from model_type of config.json; "" */
} trine_neighbors;

/* Reads what lies in `dir`; a file that is not there is no error. */
trine_status trine_neighbors_open(trine_neighbors *out, const char *dir, trine_error *err);
void trine_neighbors_close(trine_neighbors *n);
/* A role's token ("bos_token"): its text, or NULL when none is named; `fallback` where the files do not speak of it at all. */
const char *trine_neighbors_token(const trine_neighbors *n, const char *role, const char *fallback);
/* A setting of tokenizer_config.json, or `fallback` when absent or null. */
bool trine_neighbors_flag(const trine_neighbors *n, const char *key, bool fallback);
/* Adds to root.added_tokens what the files name and the list lacks. `defaults`: pairs of role and token for roles the files do not
 * speak of, ended by NULL; or NULL. *n_new: how many were added. */
trine_status trine_neighbors_extend(int *n_new, json_t *root, const trine_neighbors *n, const char *const *defaults,
                                    trine_error *err);
/* Sets the ids of the roles and the chat template of a filled tokenizer. */
trine_status trine_neighbors_finish(trine_tokenizer *t, const trine_neighbors *n, const char *const *defaults, trine_error *err);

/* From a sentencepiece model (spiece.model, tokenizer.model). */
trine_status trine_tokenizer_from_sentencepiece(trine_tokenizer *t, const char *path, const trine_neighbors *n, trine_error *err);

/* Gives a filled tokenizer a template like "[CLS] $A [SEP]": words are special tokens, "$A" and "$B" the texts, ":1" behind a word
 * is its type. Trims of offsets stay. */
trine_status trine_tokenizer_set_template(trine_tokenizer *t, const char *single, const char *pair, trine_error *err);

#endif
