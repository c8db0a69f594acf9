/* compare_long.h - what the experiment on long documents measured, and how it is told. */
#ifndef TRINE_COMPARE_COMPARE_LONG_H
#define TRINE_COMPARE_COMPARE_LONG_H

#include "compare/long_measure.h"
#include "compare/plain_attention.h"
#include "trine/long_texts.h"

enum { TRINE_LONG_TYPES = 5, TRINE_LONG_PLAIN = 4, TRINE_LONG_HEADS = 2, TRINE_LONG_HEAD = 32 };

/* Arrays of two: the decoder, the encoder-decoder. */
typedef struct trine_long_documents {
    trine_long_options options; /* with every default filled in */
    int64_t run, n_parameters[2];
    double train_seconds[2];
    int longest_trained;
    int n;
    trine_long_cost *costs[2]; /* [n] by length, with a cache in f32 */
    int64_t type_length;
    trine_dtype types[TRINE_LONG_TYPES];
    trine_long_cost by_type[2][TRINE_LONG_TYPES]; /* at that length */
    int plain_tokens[TRINE_LONG_PLAIN];
    trine_attention_cost plain[TRINE_LONG_PLAIN];
} trine_long_documents;

extern const trine_paradigm trine_long_paradigms[2];
trine_status trine_long_tell(trine_report **out, const trine_long_documents *l, const trine_grammar *world, trine_error *err);

#endif
