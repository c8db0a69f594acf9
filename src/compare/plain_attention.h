/* plain_attention.h - what tiles save: attention with all scores stored, beside the one that the models run. */
#ifndef TRINE_COMPARE_PLAIN_ATTENTION_H
#define TRINE_COMPARE_PLAIN_ATTENTION_H

#include "trine/basics.h"

typedef struct trine_attention_cost {
    double tiled_ms, plain_ms;
    double tiled_bytes, plain_bytes; /* beside queries, keys, values and result; plain: the scores of one head at a time */
    double largest_difference;       /* between both results */
} trine_attention_cost;

/* Attention of one layer over n tokens, every token seeing all, both ways on the same random q, k and v: the plain one is softmax(Q K^T)
 * V by products of whole matrices, a head after the other. ERROR_MEMORY when n x n floats are not to be had. */
trine_status trine_attention_measure(trine_attention_cost *out, int n, int n_heads, int d_head, int n_threads, const char *cpu,
                                     trine_error *err);

#endif
