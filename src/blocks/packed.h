/* packed.h - W in f32 as the panels that rows of x meet (linear_panels.c), laid out once and kept from pass to pass.
 *
 * For weights that every pass multiplies by many rows of x, an encoder's. Laying out costs as much as 30 to 60 rows of x do, so that a text
 * alone does without it; before the second pass all are laid out. Sums are the same, bit for bit. The file's pages leave memory
 * as W is done, so a model takes what it took before. */
#ifndef TRINE_BLOCKS_PACKED_H
#define TRINE_BLOCKS_PACKED_H

#include <stdatomic.h>

#include "base/file.h"
#include "blocks/blocks.h"

/* Of one W, [rows, cols]. */
typedef struct trine_packed {
    const float *data;
    int rows, cols;
    trine_mapping file; /* where W lies; data NULL: not in a file */
    size_t offset;
    _Atomic(float *) panels; /* NULL: not yet, or there was no memory for them */
    struct trine_packed *next;
} trine_packed;

/* Of a model. Several sessions may compute with it. */
typedef struct trine_packing {
    trine_packed *first;
    _Atomic int passes; /* counted to 2 */
} trine_packing;

static inline const float *trine_packed_panels(const trine_packed *packed)
{
    return atomic_load_explicit(&packed->panels, memory_order_acquire);
}

/* Before a pass over n_rows rows. The second of many rows lays all weights out, for these kernels; other sessions multiply by them as they
 * lie meanwhile. team NULL: the caller alone. */
void trine_packing_pass(trine_packing *all, const trine_kernels *kernels, trine_team *team, int n_rows);
void trine_packing_free(trine_packing *all); /* the panels; the structs are the caller's */

#endif
