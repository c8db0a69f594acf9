/* muon.h - the optimiser of a layer's matrices: a step goes along the orthogonal matrix nearest to the momentum (Jordan et al. 2024,
 * "Muon: An optimizer for hidden layers in neural networks"), scaled so that AdamW's rate and decay serve (Liu et al. 2025, "Muon is
 * Scalable for LLM Training", sec. 2.2). Embeddings, heads, norms and biases stay with AdamW (adamw.h). As torch.optim.Muon with
 * adjust_lr_fn="match_rms_adamw", but for its rounding to bf16 and the queries of T5, whose steps are smaller (params.h).
 *
 * U [r, c] = Nesterov's momentum of the gradient becomes U (U^T U)^(-1/2), nearly: five steps of a polynomial in U^T U bring every
 * singular value near 1 (Newton and Schulz). All is computed with the tall one of U and U^T. */
#ifndef TRINE_TRAIN_MUON_H
#define TRINE_TRAIN_MUON_H

#include "train/adamw.h"

typedef struct trine_muon trine_muon;

/* Memory for the largest of the matrices that params' tensors call hidden. `bf16`: products in bf16, where params->bf16 is there and the
 * processor multiplies it. All is borrowed. ERROR_MEMORY. */
trine_status trine_muon_open(trine_muon **out, trine_params *params, const trine_kernels *kernels, bool bf16, int n_threads,
                             trine_team *team, trine_error *err);
void trine_muon_close(trine_muon *muon);
/* Bytes that it holds. */
size_t trine_muon_bytes(const trine_muon *muon);
/* Bytes that opening takes; parameters may be hollow. */
trine_status trine_muon_plan(size_t *bytes, trine_params *params, const trine_kernels *kernels, bool bf16, int n_threads,
                             trine_error *err);
/* One step of the hidden matrices, by options' rate, decay, grad_scale, clear and average; moments are params->m whole (no shards).
 * params->bf16 is stale afterwards. The same on any number of threads. */
void trine_muon_run(trine_muon *muon, const trine_adamw_options *options);

#endif
