/* sampler.h - one token chosen from the logits of one position. */
#ifndef TRINE_GENERATE_SAMPLER_H
#define TRINE_GENERATE_SAMPLER_H

#include "blocks/pass.h"
#include "trine/generation.h"

typedef struct trine_sampler trine_sampler;

/* What a sampler chose. */
typedef struct trine_choice {
    int32_t id;
    double log_prob; /* of the id under the model's own distribution: logits as they came, temperature 1 */
} trine_choice;

/* A sampler over `vocab` ids for texts of at most `ctx` tokens. Reads the sampling fields of `options`; ERROR_ARGUMENT names
 * the field that is out of range. All memory is taken here. */
trine_status trine_sampler_open(trine_sampler **out, const trine_generate_options *options, const trine_kernels *kernels, int vocab,
                                int ctx, trine_error *err);
void trine_sampler_close(trine_sampler *sampler);
/* A token of the text, in order: of the prompt, then each that was chosen. The penalties look back at these. */
void trine_sampler_accept(trine_sampler *sampler, int32_t id);
/* Chooses from logits [vocab]. ERROR_NUMERIC when one is NaN or infinite (minus infinity forbids a token), or when all are
 * forbidden. */
trine_status trine_sampler_pick(trine_choice *out, trine_sampler *sampler, const float *logits, trine_error *err);
/* The n likeliest of logits [vocab], best first, with the log probabilities that go with the choice made from them. */
void trine_sampler_top(trine_token_chance *out, int n, const trine_sampler *sampler, const trine_choice *choice,
                       const float *logits);

/* ln(sum exp(x_i)): what is subtracted from a logit to make it a log probability, to the rounding of f32; with `kernels` NULL to that of double.
 * ERROR_NUMERIC as above. */
trine_status trine_log_sum_exp(double *out, const trine_kernels *kernels, const float *x, int n, trine_error *err);

#endif
