/* model_words.h - what the command and the server say of a model in the same way: its paradigm, and what a session of it takes. */
#ifndef TRINE_APP_MODEL_WORDS_H
#define TRINE_APP_MODEL_WORDS_H

#include <trine.h>

#include "json_text.h"

const char *paradigm_name(trine_paradigm p);
/* The planned bytes, each by its name, into an open object. */
void jw_set_session_bytes(json_writer *j, const trine_session_bytes *b);

#endif
