/* train_setup.h - what train and finetune have in common before the loop: defaults, running text as feeds, the configuration as it is
 * recorded. */
#ifndef TRINE_TRAIN_TRAIN_SETUP_H
#define TRINE_TRAIN_TRAIN_SETUP_H

#include "train/reading.h"
#include "train/trainer.h"

/* What differs between tasks. */
typedef struct trine_train_defaults {
    double epochs, rate, weight_decay, beta2;
    double min_share; /* of the rate, where the decay ends */
    double warmup;    /* share of all steps */
    trine_decay decay;
    int batch_texts, batch_tokens;
} trine_train_defaults;

/* `out` with every default filled in but those that need the number of steps. ERROR_ARGUMENT for values out of range. */
trine_status trine_train_fill(trine_train_options *out, const trine_train_options *given, const trine_train_defaults *d,
                              trine_error *err);
/* What Muon cannot be with is refused; `task` begins the text. */
trine_status trine_train_check_optimizer(const char *task, trine_optimizer optimizer, int lora_rank, bool shard, trine_error *err);
/* The rest, once the steps are known. */
void trine_train_fill_steps(trine_train_options *o, const trine_train_defaults *d, int64_t n_steps);
/* ERROR_NOT_FOUND when there is no model of that path. */
trine_status trine_train_find(const char *kind, const char *model, trine_error *err);
/* What the trainer takes `model` from: its own path, or t->source, the directory in OUT/training that a GGUF file becomes, for rows of its
 * matrices may lie in another order than transformers writes. */
trine_status trine_train_source(const char **out, trine_trainer *t, const char *model, trine_error *err);
/* The longest text: asked for, or the model's, 512 at most. ERROR_ARGUMENT when it is more than the model takes. */
trine_status trine_train_length(int *out, const trine_train_options *o, const trine_model_info *info, trine_error *err);

/* All that decides the result, for the record and for resuming. New memory. */
trine_status trine_train_configuration(json_t **out, const char *kind, const char *what, const trine_train_options *o,
                                       const json_t *model, trine_error *err);

/* The best kernel level that all ranks run, into o->cpu: each steps the weights by itself, and they must stay the same bits. ERROR_ARGUMENT
 * when o->cpu is none of this machine's. */
trine_status trine_train_level(trine_train_options *o, trine_error *err);
/* What every task asks of parameters that are to be trained. */
trine_params_options trine_train_params(const trine_train_options *o);

/* Running text (and pairs, for SEQ2SEQ parts) as examples for this model. `held`: NULL, or what is held out of it. */
trine_status trine_train_read_part(trine_examples **out, trine_examples **held, const trine_train_part *part,
                                   const trine_model *model, const trine_train_options *o, trine_team *team, trine_error *err);
/* The feeds of all parts and of what is measured. */
trine_status trine_train_open_feeds(trine_trainer *t, const trine_train_options *o, trine_error *err);
/* One feed of `examples`, for training or (not shuffled) for measuring. Takes the examples over. */
trine_status trine_train_feed(trine_feed **out, trine_examples *examples, const trine_train_options *o, bool shuffle,
                              trine_error *err);
/* What stands before a line of the log about `part`: "validation: ", or nothing. */
const char *trine_train_whose(const trine_train_part *part, const trine_train_options *o);
/* Logs how many texts, or sources and targets, were cut. */
void trine_train_log_cut(const trine_reading *r, const trine_train_part *part, const trine_train_options *o);
void trine_train_log(const trine_train_options *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Runs the trainer over a step of its own: t->params, model, feeds, configuration, options and measure are set. `contrast`: the loss
 * tells pairs of texts apart. */
trine_status trine_train_learn(trine_train_result *out, trine_trainer *t, bool contrast, trine_error *err);

/* The share of activations that is dropped: as asked, none when that is below 0, the configuration's own at 0. */
float trine_train_dropout(float asked, const json_t *config);

/* Releases what a trainer holds. */
void trine_trainer_close(trine_trainer *t);

#endif
