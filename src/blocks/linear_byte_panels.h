/* linear_byte_panels.h - products whose W becomes panels of bytes on the fly, and the two ways to make them.
 *
 *        DEPTH                        x bytes       panel        y
 *     +---------+   W rows          [ .......  ] x [ ....  ]  += [ .... ]
 *     |/////////|   block -> panels [ .......  ]   [ ....  ]     [ .... ]
 *     +---------+
 *
 * Nothing but the file is in memory; a block of rows of W stays in the second cache as panels while x passes over it. */
#ifndef TRINE_BLOCKS_LINEAR_BYTE_PANELS_H
#define TRINE_BLOCKS_LINEAR_BYTE_PANELS_H

#include "blocks/linear.h"

enum {
    TRINE_BYTE_DEPTH = 1024, /* columns of W a panel holds: a multiple of TRINE_INT8_GROUP and of every block of quant.h */
    TRINE_BYTE_COLS = 256,   /* most rows of W in a block of panels */
};

/* Columns [k0, k0 + depth) of x and W. */
typedef struct trine_byte_part {
    int k0, depth;
} trine_byte_part;

/* Where the part begins in a row of W. */
static inline const unsigned char *trine_byte_part_of_row(const trine_linear_job *job, int row, trine_byte_part part)
{
    const trine_dtype_info *type = trine_dtype_get(job->w->type);
    return trine_linear_weight_row(job, row) + (size_t)(part.k0 / type->block) * (size_t)type->block_bytes;
}

/* One way to make panels and to multiply by them. */
typedef struct trine_byte_panels {
    int width;                                           /* rows of W in a panel */
    size_t panel_floats;                                 /* room for one */
    size_t (*shared_bytes)(const trine_linear_job *job); /* as trine_linear_path has them */
    void (*prepare)(const trine_linear_job *job, int row, int n);
    /* Rows [first, first + n) of W into a panel. */
    void (*pack)(const trine_linear_job *job, float *panel, int first, int n, trine_byte_part part);
    /* y[row .. row + n_rows, first .. first + n) (+)= what the part adds to it; begins with the bias where k0 is 0. */
    void (*multiply)(const trine_linear_job *job, float *panel, int first, int n, int row, int n_rows, trine_byte_part part);
} trine_byte_panels;

trine_byte_panels trine_integer_panels(
    const trine_linear_job *job);                                  /* linear_integer.c: bytes with sign, for integer dot products */
trine_byte_panels trine_level_panels(const trine_linear_job *job); /* linear_levels.c: levels of W's blocks, where there are none */

#endif
