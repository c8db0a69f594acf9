/* hadamard.h - heads turned so that no element of them stands out, before they are rounded to few bits.
 *
 * Keys of trained models have a few channels that are many times as large as the others, in all tokens (Ashkboos et al. 2024, QuaRot):
 * in a block of 32 they decide the scale, and the others lose their bits. The Hadamard matrix over its root of n is orthogonal: it
 * spreads each channel over all, and queries turned by it have the same products with keys turned by it. It is its own inverse. */
#ifndef TRINE_BLOCKS_HADAMARD_H
#define TRINE_BLOCKS_HADAMARD_H

#include "blocks/blocks.h"

/* One head of d elements, in runs of the largest power of two that divides d. */
void trine_hadamard(float *x, int d);

/* Whether keys in this cache are turned: those of q4_0 are. NULL: no. */
bool trine_keys_turned(const trine_kv *kv);
/* Turns all heads of the rows whose keys are turned: those of segments with such a cache, `cross` says which of theirs. In place. */
void trine_turn_heads(trine_pass *p, trine_mat x, int d_head, bool cross);

#endif
