/* train_learn.c - the trainer over the model itself: a step is what computes its gradients. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/status.h"
#include "load/directory_files.h"
#include "train/step.h"
#include "train/train_setup.h"

static trine_status run(double *loss, double *weight, void *self, const trine_train_batch *batch, uint64_t step, uint64_t micro,
                        float scale, trine_error *err)
{
    trine_step_set_step(self, step, micro);
    return trine_step_run(loss, weight, self, batch, scale, err);
}

static trine_status loss_alone(double *loss, double *weight, void *self, const trine_train_batch *batch, trine_error *err)
{
    return trine_step_loss(loss, weight, self, batch, err);
}

static trine_status watch(void *self, trine_grads_final_fn *tell, void *user, trine_error *err)
{
    return trine_step_watch(self, tell, user, err);
}

/* The configuration's own dropout, by the names that families have for it. */
static float dropout_of(const json_t *config)
{
    static const char *const keys[] = { "hidden_dropout_prob", "resid_pdrop", "dropout_rate", "dropout", "attention_dropout" };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *v = json_object_get(config, keys[i]);
        if (json_is_number(v)) return (float)json_number_value(v);
    }
    return 0;
}

float trine_train_dropout(float asked, const json_t *config) { return asked > 0 ? asked : asked < 0 ? 0 : dropout_of(config); }

/* The model's name as people call it: the last part of its path. */
static const char *name_of(const trine_trainer *t)
{
    const char *path = json_string_value(json_object_get(t->configuration, "what")), *slash = path ? strrchr(path, '/') : NULL;
    return slash && slash[1] ? slash + 1 : path ? path : "the model";
}

/* Conversations that were written by another template than the model's: the tokenizer that is saved has it, from a folder of its own. */
static trine_status keep_template(trine_trainer *t, trine_error *err)
{
    const trine_train_options *o = t->options;
    const char *jinja = trine_feed_chat_template(t->feed), *given = o->parts[0].chat_template;
    if (given && !jinja)
        trine_train_log(o, "there is no conversation among the examples: the chat template that was given is not used");
    if (!jinja) return TRINE_OK;
    if (!given)
        trine_train_log(o,
                        "%s has no chat template: it was not trained for conversation. Using a plain one; --template gives another",
                        name_of(t));
    const char *from = trine_checkpoint_directory(t->model->checkpoint);
    char *folder = trine_path_join(t->directory.training, "tokenizer");
    if (!from || !folder) {
        free(folder);
        return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory");
    }
    t->save.tokenizer = t->tokenizer = folder;
    if (!trine_is_first(o->ranks)) return TRINE_OK;
    trine_new_directory d;
    trine_status status = trine_new_directory_open(&d, folder, true, err);
    if (status) return status;
    status = trine_directory_put_fellows_with(&d, from, jinja, err);
    if (!status) return trine_new_directory_commit(&d, err);
    trine_new_directory_abandon(&d);
    return status;
}

static void tell_bf16(const trine_trainer *t)
{
    const trine_cpu level = t->model->kernels.level;
    if (!t->options->bf16 || t->model->kernels.bf16_gemm) return;
    if (level == trine_cpu_detect())
        trine_train_log(t->options, "this processor does not multiply bf16%s: products are in f32",
                        level >= TRINE_CPU_AVX512_BF16 ? " faster than f32" : "");
    else
        trine_train_log(t->options, "kernels of %s do not multiply bf16: products are in f32", trine_cpu_name(level));
}

trine_status trine_train_learn(trine_train_result *out, trine_trainer *t, bool contrast, trine_error *err)
{
    const trine_train_options *o = t->options;
    trine_step *step;
    const trine_step_options options = { .n_threads = o->n_threads,
                                         .bf16 = o->bf16,
                                         .recompute = o->recompute,
                                         .contrast = contrast,
                                         .dropout = trine_train_dropout(o->dropout, t->params->config),
                                         .label_smoothing = o->label_smoothing,
                                         .seed = o->seed };
    char sum[20];
    snprintf(sum, sizeof sum, "%016llx", (unsigned long long)trine_feed_checksum(t->feed));
    trine_status status = trine_step_open(&step, t->model, t->params, &options, err);
    if (!status && json_object_set_new(t->configuration, "the data's checksum", json_string(sum)))
        status = trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory for the configuration");
    if (!status) tell_bf16(t);
    if (!status) status = keep_template(t, err);
    status = trine_ranks_agree(o->ranks, status, err);
    if (status) {
        trine_step_close(step);
        return status;
    }
    t->learner = (trine_learner) { step, run, loss_alone, watch };
    status = trine_trainer_run(out, t, err);
    trine_step_close(step);
    return status;
}
