/* generator.h - adding a text to a generator as tasks do. */
#ifndef TRINE_GENERATE_GENERATOR_H
#define TRINE_GENERATE_GENERATOR_H

#include "generate/session.h"
#include "trine/generation.h"

/* trine_generator_add, and the answer loses the blanks around it when `strip`. */
trine_status trine_generator_put(trine_generator *generator, int64_t id, const char *prompt, const trine_generate_options *options,
                                 bool strip, trine_error *err);
/* Takes away the blanks around a text, in place. */
void trine_strip_blanks(char *text);
trine_session *trine_generator_session(const trine_generator *generator);

#endif
