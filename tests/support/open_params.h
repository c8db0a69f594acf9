/* open_params.h - parameters of fixtures, and what their models compute, for tests of training: failing is a failure of the test. */
#ifndef TRINE_TESTS_OPEN_PARAMS_H
#define TRINE_TESTS_OPEN_PARAMS_H

#include "support/runner.h"
#include "train/params.h"

trine_params *open_params(trine_model **model, const trine_params_options *options);
/* Parameters without a model: tensors of these shapes one after another, with gradients and moments, all zero, and bf16 if it is asked for.
 * Of `tensors` [n] shape, n_dims, decays, hidden and step (0: 1) are read. */
trine_params *bare_params(const trine_param *tensors, int n, bool bf16);
/* What the head gives for seven ids (and three of the decoder), always the same; free(data). */
runner_output run_seven(const trine_model *model);

#endif
