/* measure_text.h - a model that writes, measured while it learns: it answers the sources of the validation data, as it was taught to, and what
 * it writes is held against the targets. */
#ifndef TRINE_TRAIN_MEASURE_TEXT_H
#define TRINE_TRAIN_MEASURE_TEXT_H

#include "train/reading.h"

typedef struct trine_text_measure {
    const char *name; /* "bleu" (0 to 100, as sacrebleu counts) or "rougeL" (0 to 1, as rouge_score) */
    trine_model *model;
    trine_reading reading; /* lengths: a source's, and the most that is written */
    const trine_train_part *part;
    int limit; /* rows at most; 0: all */
    int n_threads;
    trine_ranks *ranks; /* each answers a part of the rows */
} trine_text_measure;

/* The measure that `name` ("bleu", "rouge") is called by, or NULL. */
const char *trine_text_measure_name(const char *name);
trine_status trine_text_measure_run(double *out, const trine_text_measure *m, trine_error *err);

#endif
