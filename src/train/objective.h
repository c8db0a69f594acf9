/* objective.h - what the objectives over running text share; examples.h has how they are opened. */
#ifndef TRINE_TRAIN_OBJECTIVE_H
#define TRINE_TRAIN_OBJECTIVE_H

#include "train/examples.h"

typedef struct trine_text_objective {
    trine_examples base;
    trine_objective_options o; /* with every default filled in */
    trine_corpus corpus;       /* owned */
    trine_windows windows;
    int32_t *sentinels; /* [o.tokens.n_sentinels] */
    uint8_t *continues, *special;
} trine_text_objective;

/* objective_span.c */
trine_example_size trine_span_example_size(const trine_examples *e, uint64_t epoch, int64_t i);
void trine_span_example_make(trine_batch_room *room, const trine_examples *e, uint64_t epoch, int64_t i);

#endif
