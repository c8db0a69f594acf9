/* recall.h - what a model can say of a pair that was given earlier in its context, and nowhere else: in-context recall. */
#ifndef TRINE_COMPARE_RECALL_H
#define TRINE_COMPARE_RECALL_H

#include "compare/world_examples.h"
#include "trine/inference.h"

/* The share of a set's questions ("recall : mara river ; tomas mill ; ... ask tomas =>") whose answer's first word is the model's
 * likeliest, asked as the paradigm is asked: a decoder reads the question and says the next token, an encoder-decoder reads it as
 * source, an encoder fills the first of the blanks behind it. */
trine_status trine_recall_accuracy(double *share, trine_model *model, const trine_world_set *set, int n_threads, trine_error *err);

#endif
