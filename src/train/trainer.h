/* trainer.h - the loop: micro-batches to gradients to steps, with what surrounds them: schedule, clipping, measuring, checkpoints,
 * metrics, and going on after a crash as if there had been none. */
#ifndef TRINE_TRAIN_TRAINER_H
#define TRINE_TRAIN_TRAINER_H

#include "base/many_ranks.h"
#include "train/feed.h"
#include "train/grad_watch.h"
#include "train/params.h"
#include "train/run_directory.h"
#include "train/schedule.h"

/* What computes: gradients of a micro-batch added to params->grads, or its loss alone. */
typedef struct trine_learner {
    void *self;
    /* Sums over the scored rows of weight x loss, and of weight; gradients times `scale`. `step` and `micro` seed dropout. */
    trine_status (*run)(double *loss, double *weight, void *self, const trine_train_batch *batch, uint64_t step, uint64_t micro,
                        float scale, trine_error *err);
    /* The same without dropout, label smoothing and gradients. */
    trine_status (*loss)(double *loss, double *weight, void *self, const trine_train_batch *batch, trine_error *err);
    /* During the next runs' backward, tells which gradients are final; `tell` NULL: no more. NULL: they are final when run returns. */
    trine_status (*watch)(void *self, trine_grads_final_fn *tell, void *user, trine_error *err);
} trine_learner;

/* A measure of the task's own on the weights as they are; called by all ranks, and the same value at each. */
typedef struct trine_measure {
    const char *name; /* "accuracy"; NULL: the validation loss alone decides what is best */
    void *self;
    trine_status (*run)(double *value, void *self, trine_error *err);
} trine_measure;

typedef struct trine_trainer {
    const trine_train_options *options; /* every default filled in */
    const char *kind;                   /* "train", "finetune": for the record */
    json_t *configuration;              /* all that decides the result: kept with checkpoints, and compared when one is resumed */
    trine_params *params;
    trine_model *model;
    trine_feed *feed, *valid; /* valid: or NULL */
    int64_t n_steps;          /* of all, by trine_trainer_plan */
    trine_feed_most most;     /* of any micro-batch, of either feed */
    int64_t n_batches;        /* of the training feed in all */
    trine_learner learner;
    trine_measure measure;
    trine_team *team;
    trine_run_directory directory;
    trine_save_options save;
    char *tokenizer; /* the folder that save.tokenizer names */
    char *source;    /* the directory of a model that came as GGUF, or NULL */
} trine_trainer;

/* Counts the steps and the most that a batch holds: what the learner's memory is planned by. */
trine_status trine_trainer_plan(trine_trainer *t, trine_error *err);
/* Runs to the end, from the last checkpoint with options->resume. */
trine_status trine_trainer_run(trine_train_result *out, trine_trainer *t, trine_error *err);

/* -------------------------------------------------------------------------------------------------- within the trainer */

/* Where a run stands, beside the flat arrays: trainer_state.c has it as JSON. */
typedef struct trine_trainer_state {
    int64_t step, n_tokens, n_batches; /* done */
    double seconds, loss;              /* loss: of the last step */
    bool has_best;
    double best, best_loss; /* the measure that decides, and the validation loss with it */
    int64_t best_step;
    int n_worse;        /* measurements since */
    int64_t record_run; /* 0: none */
    trine_feed_place place;
} trine_trainer_state;
/* Checksums of the validation data, and of the weights that adapters stand beside, into t->configuration. */
trine_status trine_trainer_add_checksums(trine_trainer *t, trine_error *err);
/* ERROR_ARGUMENT, at all ranks, names a rank and what it has otherwise than the first: a setting, the data, the first weights. */
trine_status trine_trainer_same_at_all(const trine_trainer *t, trine_error *err);
/* The first key whose values differ between two configurations, or NULL. */
const char *trine_trainer_differs(const json_t *a, const json_t *b);
/* The same, with both values as new text, or NULL. */
const char *trine_trainer_difference(char **a_text, char **b_text, const json_t *a, const json_t *b);
/* In new memory (json_decref). */
trine_status trine_trainer_state_write(json_t **out, const trine_trainer_state *s, const json_t *configuration, trine_error *err);
/* ERROR_ARGUMENT names the setting that is another one than the checkpoint's. */
trine_status trine_trainer_state_read(trine_trainer_state *out, const json_t *root, const json_t *configuration, const char *dir,
                                      trine_error *err);

#endif
