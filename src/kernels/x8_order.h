/* x8_order.h - how a row of x in 8 bits lies in memory for the vector kernels, after what pack_x8 wrote of it.
 *
 * Rows of W are met one after another, and nothing of a row of x should be computed anew for each: its levels lie in the order in
 * which W's come out of their blocks, scales are spread over the lanes that they multiply, and where levels of W are unsigned (their
 * zero at z), sums of products start at what z brings, less.
 *
 *     blocks of 32   for each 128   levels 0..15 of 4 blocks | 16..31 of 4 blocks
 *                                   start int32[16]: -z * sum of the 4 and 4 levels that meet in a lane
 *                                       (a type with mins: a block's sum float[16], in the first of its 4 lanes)
 *                                   scale float[16]: each 4 times
 *     q4_k, q5_k     for each 256   levels of parts 0 2 | 1 3 | 4 6 | 5 7 (32 each)
 *                                   scale[0..3] sum[0..3] scale[4..7] sum[4..7]
 *     q6_k           for each 256   levels | start int32[64]: -32 * sum of 4 levels | scale[16]: each twice */
#ifndef TRINE_KERNELS_X8_ORDER_H
#define TRINE_KERNELS_X8_ORDER_H

#include "kernels/kernels.h"

enum { TRINE_X8_ORDERED_32 = 256, TRINE_X8_ORDERED_4_K = 320, TRINE_X8_ORDERED_6_K = 576 }; /* bytes for each 128, or 256 */

/* Fills order_x8 of the types in blocks. */
void trine_order_x8(trine_kernels *k);

#endif
