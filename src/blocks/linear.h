/* linear.h - the product into a matrix that is there already: what a block uses so that its temporaries can be given back. */
#ifndef TRINE_BLOCKS_LINEAR_H
#define TRINE_BLOCKS_LINEAR_H

#include "blocks/blocks.h"

#define TRINE_LINEAR_X_ROWS 48 /* rows of x that pass over all panels of a block before the next do */

void trine_linear_into(trine_pass *p, trine_mat y, trine_mat x, const trine_weight *w);

#endif
