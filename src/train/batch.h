/* batch.h - what one micro-batch of training is: texts as rows, one after another, and what is to be said at which of them. The
 * objectives fill it, the step computes it; neither sees the other. */
#ifndef TRINE_TRAIN_BATCH_H
#define TRINE_TRAIN_BATCH_H

#include "blocks/pass.h"

typedef struct trine_train_batch {
    int n_texts, n_rows;
    const int32_t *ids, *types;           /* [n_rows]; types NULL: all 0 */
    const trine_segment *segments;        /* [n_texts]: first_row, n_rows, prefix (prefix language models) */
    trine_mask mask;                      /* DEFAULT, or PREFIX */
    int n_target_rows;                    /* encoder-decoder: rows of the decoder's input, shifted right; else 0 */
    const int32_t *target_ids;            /* [n_target_rows] */
    const trine_segment *target_segments; /* [n_texts] */
    int n_out;                            /* scored rows: of the input, or of the target where there is one; with one label a text
                                            * n_texts, and out_rows is NULL */
    const int32_t *out_rows, *labels;     /* [n_out]; a label below 0 is not scored */
    const float *weights;                 /* [n_out] of each row's loss, or NULL: all 1 */
} trine_train_batch;

#endif
