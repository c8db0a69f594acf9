/* contrast_loss.h - texts that belong together against the others of their batch. */
#ifndef TRINE_TRAIN_CONTRAST_LOSS_H
#define TRINE_TRAIN_CONTRAST_LOSS_H

#include "blocks/tape.h"

/* In-batch negatives (Henderson et al. 2017, sec. 4.3; sentence-transformers' MultipleNegativesRankingLoss): the batch's texts are pairs, a
 * and b of pair i at 2i and 2i + 1. With vectors pooled from the states and scaled to length 1,
 *
 *     *loss = sum over i of  logsumexp_j(20 a_i . b_j) - 20 a_i . b_i
 *
 * and its gradient times `scale` is added to that of the states. */
void trine_contrast_loss(trine_pass *p, double *loss, trine_mat states, trine_pooling pooling, float scale);

#endif
