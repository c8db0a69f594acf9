/* task_tag.h - words with their labels: what tag joins into entities and eval compares with the gold tags. */
#ifndef TRINE_TASKS_TASK_TAG_H
#define TRINE_TASKS_TASK_TAG_H

#include "tasks/task_parts.h"

typedef struct trine_tag_word {
    trine_span span; /* bytes of the text */
    int label;
    float score; /* its probability */
} trine_tag_word;
typedef struct trine_tag_words {
    trine_tag_word *items;
    int n, cap;
} trine_tag_words;

/* The words of a text under a model with a tag head; clear `out`. */
trine_status trine_tag_read(trine_tag_words *out, trine_session *s, const char *text, const trine_task_options *o,
                            trine_error *err);
void trine_tag_words_clear(trine_tag_words *words);

#endif
