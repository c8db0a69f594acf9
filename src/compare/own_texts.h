/* own_texts.h - the reader's own files in the place of the built-in corpus: a vocabulary trained on them whose special tokens are the
 * world's, and pieces of equal length that ask nothing. */
#ifndef TRINE_COMPARE_OWN_TEXTS_H
#define TRINE_COMPARE_OWN_TEXTS_H

#include "compare/world_examples.h"

enum { TRINE_OWN_LENGTH = 64, TRINE_OWN_VOCAB = 1024 };

/* Pieces of `path` (a file or a folder): the last tenth of them into `held`, the others into `set` until there are `n_tokens`. The
 * tokenizer is made in a temporary folder, and gone afterwards. ERROR_EMPTY when the text is too short to be parted. */
trine_status trine_own_texts_open(trine_world_set *set, trine_world_set *held, const char *path, int64_t n_tokens, int n_threads,
                                  trine_error *err);

#endif
