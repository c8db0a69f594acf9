/* quantised_types.h - the quantised types that are computed with: X(name, type, columns of a block, its bytes). */
#ifndef TRINE_KERNELS_QUANTISED_TYPES_H
#define TRINE_KERNELS_QUANTISED_TYPES_H

#define TRINE_QUANTISED_TYPES(X)                                                                                                   \
    X(q8_0, TRINE_Q8_0, 32, 34)                                                                                                    \
    X(q4_0, TRINE_Q4_0, 32, 18)                                                                                                    \
    X(q4_1, TRINE_Q4_1, 32, 20)                                                                                                    \
    X(q5_0, TRINE_Q5_0, 32, 22)                                                                                                    \
    X(q5_1, TRINE_Q5_1, 32, 24)                                                                                                    \
    X(q4_k, TRINE_Q4_K, 256, 144)                                                                                                  \
    X(q5_k, TRINE_Q5_K, 256, 176)                                                                                                  \
    X(q6_k, TRINE_Q6_K, 256, 210)

#endif
