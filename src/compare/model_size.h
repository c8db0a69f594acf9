/* model_size.h - how large a model is: its shape by paradigm and number of parameters, and what it costs to compute. */
#ifndef TRINE_COMPARE_MODEL_SIZE_H
#define TRINE_COMPARE_MODEL_SIZE_H

#include <jansson.h>

#include "trine/basics.h"

typedef struct trine_size {
    trine_paradigm paradigm;
    int n_layers; /* of encoder and decoder each */
    int d_model, n_heads, d_ff, vocab, max_tokens;
    int64_t n_parameters; /* all */
    int64_t n_embedding;  /* of these, tables that are looked up: of words and of positions */
} trine_size;

/* The model of a paradigm with about `n_parameters` in all: BERT, Llama (two matrices of three in its feed-forward's place) or T5.
 * Depth and width follow from the number, and the feed-forward's width is chosen so that the number is met; within 1% for 20,000 and
 * more. `max_tokens`: positions that BERT has. ERROR_ARGUMENT when nothing so small can be made. */
trine_status trine_size_near(trine_size *out, trine_paradigm paradigm, int64_t n_parameters, int vocab, int max_tokens,
                             trine_error *err);
/* Chooses the feed-forward's width (a multiple of 4, at most 8 times d_model), all else given, so that the size has about `n_parameters`,
 * and counts them. */
trine_status trine_size_fit(trine_size *size, int64_t n_parameters, trine_error *err);
/* The same, of so many layers (of an encoder-decoder: on both sides together); 0: as the number gives. */
trine_status trine_size_of_layers(trine_size *out, trine_paradigm paradigm, int64_t n_parameters, int n_layers, int vocab,
                                  int max_tokens, trine_error *err);
/* config.json of it. In new memory (json_decref). `pad`... of its special tokens; -1: none. */
trine_status trine_size_config(json_t **out, const trine_size *size, int bos, int eos, int pad, trine_error *err);

/* What a batch is, as far as its cost goes. */
typedef struct trine_work {
    double rows, targets, outs;          /* of inputs, of an encoder-decoder's targets; scored rows */
    double pairs, target_pairs, crosses; /* query and key that meet: in inputs, in targets, between both */
} trine_work;
/* Floating-point operations of a forward, two for a multiplication and an addition: products of matrices and attention; what is done
 * element by element is left out (Kaplan et al. 2020, table 1). Training takes three times as many. */
double trine_size_flops(const trine_size *size, const trine_work *work);

#endif
