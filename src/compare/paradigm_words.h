/* paradigm_words.h - what the three paradigms are called in reports. */
#ifndef TRINE_COMPARE_PARADIGM_WORDS_H
#define TRINE_COMPARE_PARADIGM_WORDS_H

#include "trine/basics.h"

typedef struct trine_paradigm_words {
    const char *name;         /* "encoder": in tables and JSON */
    const char *text;         /* "encoder-only": in sentences and legends */
    const char *title;        /* "Encoder-only" */
    const char *architecture; /* that stands for it in experiments: "bert" */
} trine_paradigm_words;
const trine_paradigm_words *trine_words_of(trine_paradigm paradigm);

#endif
