/* sentence_transformers.h - how the sentence-transformers library says that a text becomes one vector. */
#ifndef TRINE_LOAD_SENTENCE_TRANSFORMERS_H
#define TRINE_LOAD_SENTENCE_TRANSFORMERS_H

#include "trine/inference.h"

/* Reads modules.json and the pooling module's configuration in `dir`; what they do not say stays as it is. ERROR_UNSUPPORTED for
 * a module or a pooling that this version does not compute: a wrong vector would look like a right one. */
trine_status trine_sentence_modules_read(trine_pooling *pooling, bool *normalize, const char *dir, trine_error *err);
/* The longest text, in tokens, that the vectors were trained on: the library cuts texts there. It is max_seq_length of
 * sentence_bert_config.json; from version 6 on, beside modules.json, model_max_length of tokenizer_config.json where that is below
 * `n_positions` (0: the model has no limit). 0 when no file says so. */
trine_status trine_sentence_length_read(int *out, const char *dir, int n_positions, trine_error *err);
/* Whether a directory says how its texts become vectors: whether it has modules.json. */
trine_status trine_sentence_declared(bool *out, const char *dir, trine_error *err);
/* What the library's encode() puts before every text (default_prompt_name of config_sentence_transformers.json), in new memory; NULL: nothing. */
trine_status trine_sentence_prompt_read(char **out, const char *dir, trine_error *err);
/* Writes them for a model that pools so: modules.json and 1_Pooling/config.json under `dir`, which exists. */
trine_status trine_sentence_modules_write(const char *dir, trine_pooling pooling, bool normalize, int d_model, trine_error *err);

#endif
