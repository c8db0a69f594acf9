/* long_measure.h - one model reads one long document: how long it takes, what it needs, what it remembers. */
#ifndef TRINE_COMPARE_LONG_MEASURE_H
#define TRINE_COMPARE_LONG_MEASURE_H

#include "compare/long_models.h"
#include "trine/inference.h"

enum { TRINE_LONG_FACTS = 3, TRINE_LONG_MORE = 256, TRINE_LONG_WORDS = 9 }; /* a fact has three words */

typedef struct trine_long_cost {
    double n_tokens;                             /* of the document */
    double first_ms, token_ms;                   /* to the first token; for each after it */
    double self_bytes, cross_bytes, arena_bytes; /* caches; temporaries of the largest pass */
    double more_ms;                              /* when TRINE_LONG_MORE tokens more have arrived: until it can answer again */
    double recall[TRINE_LONG_FACTS]; /* facts of the beginning, the middle, the end: share of their words that are right */
    double planted[TRINE_LONG_WORDS], said[TRINE_LONG_WORDS]; /* the facts of the first document and what was answered, as ids */
} trine_long_cost;

/* Documents of about n_tokens, `n_documents` of them (times: the least of them; recall: the mean). */
trine_status trine_long_measure(trine_long_cost *out, trine_contender *contender, const trine_grammar *world, int n_tokens,
                                int n_documents, trine_dtype cache_type, uint64_t seed, trine_error *err);

#endif
