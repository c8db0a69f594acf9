/* dot_x8_types.h - template: a product of each quantised type, and their places in the table. Include it after dot_x8.h, formats Q8_0 to
 * Q5_1, and dot_32 and dot_256 of them. */
#ifndef TRINE_KERNELS_DOT_X8_TYPES_H
#define TRINE_KERNELS_DOT_X8_TYPES_H

#include "kernels/quantised_types.h"

#define DOT_TRINE_Q8_0(...) dot_32(__VA_ARGS__, &Q8_0)
#define DOT_TRINE_Q4_0(...) dot_32(__VA_ARGS__, &Q4_0)
#define DOT_TRINE_Q4_1(...) dot_32(__VA_ARGS__, &Q4_1)
#define DOT_TRINE_Q5_0(...) dot_32(__VA_ARGS__, &Q5_0)
#define DOT_TRINE_Q5_1(...) dot_32(__VA_ARGS__, &Q5_1)
#define DOT_TRINE_Q4_K(...) dot_256(__VA_ARGS__, TRINE_Q4_K)
#define DOT_TRINE_Q5_K(...) dot_256(__VA_ARGS__, TRINE_Q5_K)
#define DOT_TRINE_Q6_K(...) dot_256(__VA_ARGS__, TRINE_Q6_K)
#define DOT_TYPE(name, type, block, bytes) TRINE_DOT_X8(name, DOT_##type)
TRINE_QUANTISED_TYPES(DOT_TYPE)
#undef DOT_TYPE

static void register_dot_x8(trine_kernels *k)
{
    trine_order_x8(k);
    k->dot_x8_streams = W_ONE > 1;
#define DOT_TYPE(name, type, block, bytes) k->dot_x8[type] = dot_x8_##name;
    TRINE_QUANTISED_TYPES(DOT_TYPE)
#undef DOT_TYPE
}

#endif
