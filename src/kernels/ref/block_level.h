/* block_level.h - what a quantised block says of its weights, scalar: the definition that kernels on bytes are tested against. */
#ifndef TRINE_KERNELS_BLOCK_LEVEL_H
#define TRINE_KERNELS_BLOCK_LEVEL_H

#include <stddef.h>

#include "quant/quant.h"

enum { TRINE_BLOCK_RUN = 16 }; /* columns of which every format has one d and m: q6_k has them for no more */

/* A weight is d level + m, with a level from 0 up; where a format has no offset of its own, m is minus half of all levels times d. */
typedef struct trine_block_run {
    int level[TRINE_BLOCK_RUN];
    float d, m;
} trine_block_run;

/* Columns from `column` on, a multiple of TRINE_BLOCK_RUN, of a row of a quantised type. The layouts are those of quant/block_32.c and
 * block_256.c. */
trine_block_run trine_block_run_at(const unsigned char *row, size_t column, trine_dtype type);

/* How many levels there are: 16, 32, 64 or 256. */
int trine_block_levels(trine_dtype type);

#endif
