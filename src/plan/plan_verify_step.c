/* plan_verify_step.c - a training step beside its plan: the arrays are taken, a batch goes forward and back, the optimiser steps. */
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/status.h"
#include "plan/plan_step.h"
#include "plan/planner.h"
#include "train/muon.h"

/* The optimiser over all that learns; without moments none has been planned. */
static void step_values(trine_params *params, trine_muon *muon, float *average, trine_cpu level, trine_team *team)
{
    trine_optimiser_kernels kernels;
    const trine_adamw_options adamw = { .rate = 1e-4,
                                        .beta1 = 0.9,
                                        .beta2 = 0.95,
                                        .eps = 1e-8,
                                        .grad_scale = 1,
                                        .step = 1,
                                        .clear = true,
                                        .no_hidden = muon,
                                        .average = average,
                                        .average_rate = 0.001 };
    if (!params->m) return;
    trine_optimiser_kernels_init(&kernels, level);
    trine_adamw_run(params, params->state_first, params->state_n, &adamw, &kernels, team);
    if (muon) trine_muon_run(muon, &adamw);
}

static trine_status run(trine_verification *out, const trine_training_options *o, trine_model *model, trine_params *params,
                        trine_error *err)
{
    trine_cpu level;
    trine_team *team = NULL;
    trine_step *step = NULL;
    trine_batch_room room = { 0 };
    trine_train_batch batch;
    double loss, weight;
    float *average = NULL;
    size_t now = 0;
    trine_muon *muon = NULL;
    trine_status status = trine_cpu_choose(&level, o->cpu, err);
    if (!status) status = trine_team_open(&team, o->n_threads, err);
    if (!status) status = trine_plan_batch(&room, &batch, &model->info, o->n_texts, o->seq_len, err);
    if (!status) status = trine_plan_step_open(&step, o, model, params, err);
    if (!status && o->bf16) trine_params_round(params, team);
    if (!status && o->optimizer == TRINE_OPTIMIZER_MUON)
        status = trine_muon_open(&muon, params, &model->kernels, o->bf16, o->n_threads, team, err);
    if (!status && o->average && !(average = malloc(params->n * sizeof *average)))
        status = trine_fail(err, TRINE_ERROR_MEMORY, "plan: no memory for the average of the weights");
    if (average) memcpy(average, params->values, params->n * sizeof *average);
    if (!status) status = trine_step_run(&loss, &weight, step, &batch, 1, err);
    if (!status) step_values(params, muon, average, level, team);
    if (!status) status = trine_plan_resident(&now, err);
    if (!status) {
        out->allocated_bytes = params->bytes.values + params->bytes.grads + params->bytes.moments + params->bytes.bf16 +
                               (average ? params->bytes.values : 0) + trine_plan_frozen(params, model) + trine_step_bytes(step) +
                               (muon ? trine_muon_bytes(muon) : 0);
        out->arena_peak = trine_step_peak(step);
        out->resident_bytes = now > out->resident_bytes ? now - out->resident_bytes : 0;
    }
    trine_muon_close(muon);
    trine_step_close(step);
    trine_batch_clear(&room);
    trine_team_close(team);
    free(average);
    return status;
}

trine_status trine_verify_training(trine_verification *out, const char *model, const trine_training_options *options,
                                   const trine_verify_options *verify, trine_error *err)
{
    const trine_verify_options none = { 0 };
    const trine_verify_options *o = verify ? verify : &none;
    trine_planner *planner = NULL;
    trine_training_bytes planned = { 0 };
    trine_params *params = NULL;
    trine_model *m = NULL;
    json_t *config = NULL;
    *out = (trine_verification) { 0 };
    trine_status status = trine_planner_open(&planner, model, &(trine_planner_options) { .cpu = o->cpu }, err);
    if (!status && strcmp(planner->source, "file") != 0)
        status = trine_fail(err, TRINE_ERROR_ARGUMENT,
                            "plan: '%s' has no weights to train: verifying needs a model's file or directory", model);
    if (!status && trine_checkpoint_gguf(planner->model->checkpoint))
        status = trine_fail(
            err, TRINE_ERROR_UNSUPPORTED,
            "plan: '%s' is a GGUF file: to verify training, make a directory of it first (trine convert --type f32)", model);
    if (!status) status = trine_planner_training(&planned, planner, options, err);
    out->planned_bytes = planned.total_bytes;
    if (!status && planned.total_bytes > trine_memory_available())
        status = trine_fail(err, TRINE_ERROR_MEMORY, "plan: a step takes %zu MiB, and %zu MiB are free", planned.total_bytes >> 20,
                            trine_memory_available() >> 20);
    if (!status) status = trine_plan_training_config(&config, planner, err);
    trine_params_options take = trine_plan_params_options(&planned.options, config);
    take.checkpoint = model;
    take.n_threads = planned.options.n_threads;
    if (!status) status = trine_plan_resident(&out->resident_bytes, err);
    if (!status) status = trine_params_open(&params, &m, &take, err);
    size_t now;
    if (!status) status = trine_plan_resident(&now, err); /* gives back what reading the weights took */
    if (!status) status = run(out, &planned.options, m, params, err);
    trine_model_close(m);
    trine_params_close(params);
    json_decref(config);
    trine_planner_close(planner);
    return status;
}
