/* matmul.h - the products of a backward: C (+)= A B in f32, where either operand may lie turned, some of them at once.
 *
 *     y = x W^T          d x (+)= d y  W          sum over what W makes
 *                        d W  +=  d y^T x         sum over rows of x
 *
 * In bf16 compute (tape.h), where the processor multiplies bf16, operands are rounded to it as they are laid out; sums are in f32.
 *
 * A sum runs over slices of depth in order and inside a slice in order, so it does not depend on the number of threads. */
#ifndef TRINE_BLOCKS_MATMUL_H
#define TRINE_BLOCKS_MATMUL_H

#include "blocks/blocks.h"

/* A [m, k] or B [k, n] by its elements: lines of a matrix, or of its transpose where it lies `turned`. */
typedef struct trine_operand {
    const float *data;
    size_t stride; /* floats from line to line */
    bool turned;
    const uint16_t *rounded; /* the same in bf16, when it is there; or NULL */
} trine_operand;

typedef struct trine_matmul_term {
    trine_operand a, b;
    int k;
} trine_matmul_term;

#define TRINE_MATMUL_TERMS TRINE_LINEARS

/* c [m, n] = the sum of all terms, and of what it holds when `add`. */
typedef struct trine_matmul {
    float *c;
    size_t c_stride;
    int m, n, n_terms;
    bool add;
    trine_matmul_term terms[TRINE_MATMUL_TERMS];
    float *sums; /* [m] += sum over k of A, all terms; NULL: not wanted. A lies turned. */
} trine_matmul;

#define TRINE_MATMULS (1 + TRINE_LINEARS) /* most at once */

void trine_matmuls(trine_pass *p, const trine_matmul *products, int n);

#endif
