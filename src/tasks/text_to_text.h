/* text_to_text.h - asking a model to turn one text into another: by a prefix (T5), by a chat turn, or by a prompt that a text
 * completer goes on with. What translate, summarize and eval share. */
#ifndef TRINE_TASKS_TEXT_TO_TEXT_H
#define TRINE_TASKS_TEXT_TO_TEXT_H

#include "base/buffer.h"
#include "generate/generator.h"

/* How a task is put to a model. */
typedef struct trine_request {
    const char *prefix;         /* encoder-decoder: put before the text */
    const char *instruction;    /* decoder with a chat template: the user's words before the text */
    const char *before, *after; /* decoder without one: put around the text */
    const char *stop;           /* decoder without a template: ends the answer */
} trine_request;

/* The model's input for a text (free); *no_special says whether it has its special tokens already. */
trine_status trine_request_render(char **out, bool *no_special, const trine_session *s, const trine_request *r, const char *text,
                                  trine_error *err);
/* Renders and generates. A decoder's answer loses the blanks around it. */
trine_status trine_request_run(trine_generation *out, trine_session *s, const trine_request *r, const char *text,
                               const trine_generate_options *o, trine_error *err);
/* The same as one of the texts of a generator. */
trine_status trine_request_put(trine_generator *generator, int64_t id, const trine_request *r, const char *text,
                               const trine_generate_options *o, trine_error *err);
/* ERROR_ARGUMENT for a model that writes no text. */
trine_status trine_request_check(const trine_session *s, const char *task, trine_error *err);
/* The prefix that the model's own config.json names for a task ("summarization", "translation_en_to_de"), or NULL. */
const char *trine_config_prefix(const trine_session *s, const char *task);

/* translate: the request for these languages; texts are written into `room`. */
typedef struct trine_translate_room {
    char prefix[128], instruction[200], before[80], after[80];
} trine_translate_room;
trine_status trine_translate_request(trine_request *out, trine_translate_room *room, const trine_session *s,
                                     const trine_text_options *o, trine_error *err);

/* Where to cut `text` so that the first piece is [0, at) with at <= limit: at the end of a paragraph, else of a sentence, else of
 * a word, looked for in the last two thirds of what fits; else at a character. Never 0 for limit > 3. */
size_t trine_cut_text(const char *text, size_t n, size_t limit);

#endif
