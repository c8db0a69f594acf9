/* beam.h - the most probable continuation that a search over a few at a time finds. */
#ifndef TRINE_GENERATE_BEAM_H
#define TRINE_GENERATE_BEAM_H

#include "generate/sequence.h"

typedef struct trine_beam_options {
    int n_beams;
    int max_new;          /* tokens at most, 1 or more; they must fit the context */
    float length_penalty; /* a score is the sum of log probabilities divided by length^length_penalty */
    const int32_t *end;   /* [n_end] ids that end a text */
    int n_end;
    trine_progress_fn *on_step; /* called before each step but the first with `prompt` of `prompt`; false stops. Or NULL */
    void *user;
    int prompt;
} trine_beam_options;

typedef struct trine_beam_result {
    int32_t *tokens; /* [n] new tokens, without the end token; the caller's array of max_new */
    int n;
    double score;    /* of all its tokens, the end token included */
    bool ended;      /* by an end token */
    bool cancelled;  /* by on_step: the best so far */
    double first_ms; /* when the first tokens were chosen, on trine_clock_ms's clock */
} trine_beam_result;

/* Searches on from `first`, whose prompt has been fed (its logits are there). The other beams are its forks. */
trine_status trine_beam_search(trine_beam_result *out, trine_sequence *first, const trine_beam_options *options, trine_error *err);

#endif
