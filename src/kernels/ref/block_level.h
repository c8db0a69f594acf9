/* block_level.h - what a quantised block says of one of its weights, scalar: the definition that kernels on bytes are tested against. */
#ifndef TRINE_KERNELS_BLOCK_LEVEL_H
#define TRINE_KERNELS_BLOCK_LEVEL_H

#include <stddef.h>

#include "quant/quant.h"

/* The weight is d level + m, with a level from 0 up. d and m hold for a part of 32 columns, in q6_k of 16; where a format has no
 * offset of its own, m is minus half of all levels times d. */
typedef struct trine_block_level {
    int level;
    float d, m;
} trine_block_level;

/* Column `column` of a row of a quantised type. The layouts are those of quant/block_32.c and block_256.c. */
trine_block_level trine_block_level_at(const unsigned char *row, size_t column, trine_dtype type);

/* How many levels there are: 16, 32, 64 or 256. */
int trine_block_levels(trine_dtype type);

#endif
