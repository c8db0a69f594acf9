/* contender.h - one model of an experiment: made of a size, trained in memory on a feed, its losses kept.
 *
 *     trine_size_near(&size, TRINE_DECODER, 200000, vocab, max_tokens, err);
 *     trine_world_set_open(&set, world, "world", seed, 0, 0, n_tokens, err);           the data budget
 *     trine_world_examples(&examples, &set, size.paradigm, seed, err);
 *     trine_contender_open(&c, &size, &options, err);
 *     trine_contender_train(c, examples, valid_examples, err);                         one epoch; c->points has the losses
 *
 * A run is a function of size, options and examples: one that was stopped is begun anew and comes out the same. */
#ifndef TRINE_COMPARE_CONTENDER_H
#define TRINE_COMPARE_CONTENDER_H

#include "compare/model_size.h"
#include "train/examples.h"
#include "train/params.h"

/* What was measured in training, from time to time and at its end. */
typedef struct trine_contender_point {
    int64_t step, n_tokens; /* done; tokens of inputs and targets */
    double flops;           /* of training so far, as trine_size_flops counts */
    double seconds;         /* of training, without measuring */
    double train_loss;      /* mean of the steps since the point before, in nats a scored token */
    double valid_loss;      /* NAN: nothing to measure on */
} trine_contender_point;

typedef struct trine_contender_progress {
    int64_t step, n_steps;
    double seconds, seconds_left; /* of this training */
    double loss;                  /* of the last step */
} trine_contender_progress;
/* After each step; return false to stop (ERROR_CANCELLED). */
typedef bool trine_contender_fn(void *user, const trine_contender_progress *progress);

typedef struct trine_contender_options {
    uint64_t seed;        /* of the first weights and the order of examples */
    int n_threads;        /* 0: one a core */
    const char *cpu;      /* kernel level; NULL: the best */
    double learning_rate; /* highest; 0: by width, 0.003 sqrt(64 / d_model) */
    int batch_tokens;     /* of a step, inputs and targets; 0: 1024 */
    double epochs;        /* of the examples; 0: 1 */
    trine_mask mask;      /* in place of the model's own, in training and measuring; DEFAULT: that, or as the examples say */
    int n_points;         /* how often losses are measured on `valid`, the end included; 0: 1 */
    trine_contender_fn *on_step;
    /* Called after each point: what can be measured on the model as it is by then; or NULL. */
    trine_status (*on_point)(void *user, trine_model *model, const trine_contender_point *point, trine_error *err);
    void *user;
} trine_contender_options;

typedef struct trine_contender {
    trine_size size;
    trine_contender_options options; /* with every default filled in */
    trine_params *params;
    trine_model *model; /* over them: sessions compute with the weights as they are */
    int n_points;
    trine_contender_point *points; /* [n_points] */
    size_t bytes;                  /* that training took: weights, gradients, moments, activations */
} trine_contender;

/* The highest learning rate for models of this width that learn from millions of tokens. (A ladder's short runs keep to the default.) */
double trine_contender_rate(const trine_size *size);
/* A model with new weights. */
trine_status trine_contender_open(trine_contender **out, const trine_size *size, const trine_contender_options *options,
                                  trine_error *err);
void trine_contender_close(trine_contender *contender);
/* Trains for options.epochs: AdamW (0.9, 0.98; decay 0.1), clipped at 1, 5% of warm-up and then a cosine down to a tenth. Both examples
 * are taken over, also when it fails; `valid` may be NULL. */
trine_status trine_contender_train(trine_contender *contender, trine_examples *examples, trine_examples *valid, trine_error *err);
/* The mean loss of a model on examples, in nats a scored token; *n_scored of them. The examples are taken over. */
trine_status trine_contender_loss(double *loss, double *n_scored, trine_contender *contender, trine_examples *examples,
                                  trine_error *err);

#endif
