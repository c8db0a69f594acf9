/* ladder.h - models of one experiment trained one after another, each kept in the record as soon as it is finished. */
#ifndef TRINE_COMPARE_LADDER_H
#define TRINE_COMPARE_LADDER_H

#include "compare/world_examples.h"
#include "trine/scaling.h"

/* How well a pair given in the context is recalled, after so much training. */
typedef struct trine_recall_point {
    double tokens, share;
} trine_recall_point;

enum { TRINE_RECALL_POINTS = 12 };

/* One model to be trained: what is asked, and once it is finished what came out. */
typedef struct trine_rung {
    trine_paradigm paradigm;
    int64_t n_parameters, n_tokens;
    bool watched; /* recall is measured while it learns */
    bool finished;
    trine_scaling_run run;
    double seconds;
    int n_recall;
    trine_recall_point recall[TRINE_RECALL_POINTS];
} trine_rung;

typedef struct trine_ladder {
    trine_ladder_options options; /* with every default filled in */
    const trine_grammar *world;
    int n;
    trine_rung *rungs;
    int64_t run; /* in the record */
} trine_ladder;

/* The rungs of the options, smallest first, none of them trained. */
trine_status trine_ladder_open(trine_ladder *out, const trine_grammar *world, const trine_ladder_options *options,
                               trine_error *err);
void trine_ladder_close(trine_ladder *ladder);
/* Trains those that the record does not have. */
trine_status trine_ladder_climb(trine_ladder *ladder, trine_error *err);

#endif
