/* long_models.h - a decoder and an encoder-decoder of one size that learnt to summarise documents to their key facts. */
#ifndef TRINE_COMPARE_LONG_MODELS_H
#define TRINE_COMPARE_LONG_MODELS_H

#include "compare/contender.h"
#include "compare/world_examples.h"

typedef struct trine_long_training {
    int64_t n_parameters, n_tokens; /* of each model; of the documents with their summaries */
    int longest;                    /* tokens of a document in training */
    uint64_t seed;
    int n_threads;
    const char *cpu;
    trine_contender_fn *on_step;
    void *user;
} trine_long_training;

/* A model of the paradigm, trained on documents of 40 tokens to the longest. Only the summary is scored, for both: what a document says
 * next is no part of the task. Four layers, or two in the encoder and two in the decoder, 64 wide; heads of 32, for the caches'
 * quantised types need a multiple of it. */
trine_status trine_long_train(trine_contender **out, const trine_grammar *world, trine_paradigm paradigm,
                              const trine_long_training *training, trine_error *err);
/* Filler sentences between two facts that make a document of about `n_tokens`. */
int trine_long_scale(int n_tokens);

#endif
