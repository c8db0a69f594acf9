/* costs.h - what answering costs against the length of what is read: time to the first token, time for each further one, memory. */
#ifndef TRINE_COMPARE_COSTS_H
#define TRINE_COMPARE_COSTS_H

#include <jansson.h>

#include "compare/model_size.h"

typedef struct trine_cost {
    int n_input;
    double first_ms, token_ms;                    /* the least of some runs; token_ms: the mean of the next tokens */
    double cache_bytes, cross_bytes, arena_bytes; /* keys and values of what was read and written; of the source; temporaries */
} trine_cost;

/* Measures a model of this size, with new weights (what it says costs the same), on texts of `lengths`. An encoder that writes fills a
 * blank a pass: each further token costs as much as the first. */
trine_status trine_costs_measure(trine_cost *out, const trine_size *size, const int *lengths, int n, int n_threads, const char *cpu,
                                 trine_error *err);
/* A list of objects. NULL when memory ran out. */
json_t *trine_costs_to_json(const trine_cost *costs, int n);

#endif
