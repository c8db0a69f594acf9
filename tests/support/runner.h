/* runner.h - runs a model's functions without a session: a checkpoint, a batch of texts, an arena that was measured first. For
 * tests of what lies below the session, and of what a session must agree with. */
#ifndef TRINE_TESTS_RUNNER_H
#define TRINE_TESTS_RUNNER_H

#include "models/model.h"

/* Opens a checkpoint and loads its family's weights for a CPU level (NULL: the best); no tokenizer. */
trine_status runner_open(trine_model *m, const char *path, const char *cpu, trine_error *err);
void runner_close(trine_model *m);

typedef struct runner_text {
    const int32_t *ids, *types; /* types may be NULL */
    int n;
    const int32_t *decoder_ids; /* encoder-decoders */
    int n_decoder;
    const int32_t *rows; /* rows whose logits are wanted, counted in this text; NULL: all. Only with step 0 */
    int n_rows;
} runner_text;

typedef struct runner_options {
    int n_threads;          /* 0: 1 */
    int step;               /* decoders: tokens of each text a pass takes; 0: all at once */
    trine_dtype cache_type; /* 0: f32 */
    trine_mask mask;
    trine_tracer *tracer;
    size_t measured, peak; /* out: bytes the arena was measured to need, and that the passes used, of the largest pass */
} runner_options;

/* What the head gives for each text, one after another: out[i] is owned by the caller (free). */
typedef struct runner_output {
    float *data;
    int rows, cols;
} runner_output;
trine_status runner_run(runner_output *out, const trine_model *m, const runner_text *texts, int n_texts, runner_options *options,
                        trine_error *err);

#endif
