/* finetune.c - trine_finetune: a model that is there, trained on for a task. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "tasks/eval.h"
#include "train/measure_text.h"
#include "train/train_setup.h"

static const char *const task_names[] = { "classify", "tag", "seq2seq", "lm", "embed" };

/* Rates for small models; those of the BERT paper (Devlin et al. 2019, app. A.3) are for ones five times the width. */
static const trine_train_defaults defaults[] = {
    [TRINE_FINETUNE_CLASSIFY] = { .epochs = 3,
                                  .rate = 5e-5,
                                  .weight_decay = 0.01,
                                  .beta2 = 0.999,
                                  .warmup = 0.06,
                                  .decay = TRINE_DECAY_LINEAR,
                                  .batch_texts = 32 },
    [TRINE_FINETUNE_TAG] = { .epochs = 8,
                             .rate = 2e-4,
                             .weight_decay = 0.01,
                             .beta2 = 0.999,
                             .warmup = 0.06,
                             .decay = TRINE_DECAY_LINEAR,
                             .batch_texts = 16 },
    [TRINE_FINETUNE_SEQ2SEQ] = { .epochs = 3,
                                 .rate = 3e-4,
                                 .weight_decay = 0.01,
                                 .beta2 = 0.999,
                                 .warmup = 0.06,
                                 .decay = TRINE_DECAY_LINEAR,
                                 .batch_texts = 32 },
    [TRINE_FINETUNE_LM] = { .epochs = 3,
                            .rate = 5e-5,
                            .weight_decay = 0.01,
                            .beta2 = 0.999,
                            .warmup = 0.06,
                            .decay = TRINE_DECAY_LINEAR,
                            .batch_texts = 8,
                            .batch_tokens = 4096 },
    [TRINE_FINETUNE_EMBED] = { .epochs = 1,
                               .rate = 5e-5,
                               .weight_decay = 0.01,
                               .beta2 = 0.999,
                               .warmup = 0.1,
                               .decay = TRINE_DECAY_LINEAR,
                               .batch_texts = 64 },
};

/* Adapters begin at nothing and take ten times the rate (Hu et al. 2022, app. D). */
enum { ADAPTER_RATE = 10 };

typedef struct tuning {
    trine_trainer t;
    trine_finetune_task task;
    trine_train_options o;
    trine_names labels;
    int seq_len;
    trine_text_measure text;
} tuning;

/* ------------------------------------------------------------------------------------------------------------ measures */

static trine_eval_options eval_options(const tuning *u)
{
    const trine_train_part *v = u->o.valid;
    return (trine_eval_options) {
        .text_column = v->text_column,
        .label_column = v->target_column,
        .pair_column = v->source_column,
        .too_long = TRINE_LONG_TRUNCATE,
        .ranks = u->o.ranks,
    };
}

/* The file to measure on, with the weights as they are. Of trine_eval the measurement alone: that all ranks have the same file and model they
 * have compared before the first step. */
static trine_status measure(double *out, void *self, trine_error *err)
{
    tuning *u = self;
    trine_session *s = NULL;
    const trine_session_options options = { .n_threads = u->o.n_threads };
    const trine_eval_options eval = eval_options(u);
    trine_eval_result r = { 0 };
    trine_status status = trine_ranks_agree(u->o.ranks, trine_session_open(&s, u->t.model, &options, err), err);
    trine_eval_fn *const run = u->task == TRINE_FINETUNE_TAG ? trine_eval_tag : trine_eval_classify;
    if (!status) status = trine_ranks_agree(u->o.ranks, run(&r, s, u->o.valid->paths[0], &eval, err), err);
    *out = u->task == TRINE_FINETUNE_TAG ? r.f1 : r.accuracy;
    trine_session_close(s);
    return status;
}

/* What the model writes for the validation's sources. */
static trine_status measure_text(double *out, void *self, trine_error *err)
{
    const tuning *u = self;
    return trine_text_measure_run(out, &u->text, err);
}

static trine_reading reading_of(const tuning *u)
{
    return (trine_reading) { .tokenizer = u->t.model->tokenizer,
                             .info = &u->t.model->info,
                             .seq_len = u->seq_len,
                             .target_len = u->o.target_len ? u->o.target_len : u->seq_len };
}

static void choose_measure(tuning *u)
{
    if (u->o.metric) {
        u->text = (trine_text_measure) { .name = trine_text_measure_name(u->o.metric),
                                         .model = u->t.model,
                                         .reading = reading_of(u),
                                         .part = u->o.valid,
                                         .limit = u->o.metric_limit,
                                         .n_threads = u->o.n_threads,
                                         .ranks = u->o.ranks };
        u->t.measure = (trine_measure) { .name = u->text.name, .self = u, .run = measure_text };
        return;
    }
    const bool labels = u->task == TRINE_FINETUNE_CLASSIFY || u->task == TRINE_FINETUNE_TAG;
    const trine_train_part *v = u->o.valid;
    const char *name = u->task == TRINE_FINETUNE_TAG ? "f1" : "accuracy";
    if (!labels) return;
    if (v && v->n_paths == 1 && !trine_is_directory(v->paths[0]))
        u->t.measure = (trine_measure) { .name = name, .self = u, .run = measure };
    else if (u->o.hold_out > 0 || (v && v->n_paths))
        trine_train_log(&u->o, "%s is measured on one file (--valid FILE): here the loss alone decides what is best", name);
}

/* --------------------------------------------------------------------------------------------------------------- model */

static trine_status read_labels(tuning *u, trine_error *err)
{
    if (u->task == TRINE_FINETUNE_CLASSIFY) return trine_read_label_names(&u->labels, &u->o.parts[0], err);
    if (u->task == TRINE_FINETUNE_TAG) return trine_read_tag_names(&u->labels, &u->o.parts[0], err);
    return TRINE_OK;
}

static trine_status open_model(tuning *u, const char *model, const char *source, trine_error *err)
{
    static const trine_head heads[] = { TRINE_HEAD_LABELS, TRINE_HEAD_TAGS, TRINE_HEAD_LM, TRINE_HEAD_LM, TRINE_HEAD_NONE };
    const trine_train_options *o = &u->o;
    const bool other_head = u->task == TRINE_FINETUNE_CLASSIFY || u->task == TRINE_FINETUNE_TAG || u->task == TRINE_FINETUNE_EMBED;
    trine_params_options options = trine_train_params(o);
    options.checkpoint = source;
    options.change_head = other_head;
    options.head = heads[u->task];
    options.labels = (const char *const *)u->labels.items;
    options.n_labels = u->labels.n;
    options.lora_rank = o->lora_rank;
    options.lora_alpha = o->lora_alpha;
    trine_status status = trine_params_open(&u->t.params, &u->t.model, &options, err);
    if (status) return status;
    const trine_model_info *info = &u->t.model->info;
    if (!u->t.model->tokenizer) return trine_fail(err, TRINE_ERROR_ARGUMENT, "finetune: '%s' has no tokenizer", model);
    if ((u->task == TRINE_FINETUNE_SEQ2SEQ || u->task == TRINE_FINETUNE_LM) &&
        (info->paradigm == TRINE_ENCODER || info->head != TRINE_HEAD_LM))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "finetune: %s is for models that write text, and '%s' is an encoder",
                          task_names[u->task], model);
    if (u->task == TRINE_FINETUNE_SEQ2SEQ && info->eos < 0)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "finetune: '%s' has no end token, by which it would end a target", model);
    if (u->task == TRINE_FINETUNE_LM && info->paradigm != TRINE_DECODER)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "finetune: lm is for decoders: an encoder-decoder learns by seq2seq");
    return trine_train_length(&u->seq_len, o, info, err);
}

/* ---------------------------------------------------------------------------------------------------------------- data */

static trine_status read_examples(trine_stored **out, tuning *u, const trine_train_part *part, trine_error *err)
{
    const trine_train_options *o = &u->o;
    trine_reading r = reading_of(u);
    trine_status status = trine_stored_open(out, err);
    if (status) return status;
    switch (u->task) {
    case TRINE_FINETUNE_CLASSIFY: status = trine_read_labelled(*out, &r, part, &u->labels, err); break;
    case TRINE_FINETUNE_TAG: status = trine_read_tagged(*out, &r, part, &u->labels, err); break;
    case TRINE_FINETUNE_SEQ2SEQ: status = trine_read_pairs(*out, &r, part, err); break;
    case TRINE_FINETUNE_LM: status = trine_read_chats(*out, &r, part, err); break;
    case TRINE_FINETUNE_EMBED: status = trine_read_matches(*out, &r, part, err); break;
    }
    if (!status) {
        const int n = (*out)->pairs ? (*out)->all.n_texts / 2 : (*out)->all.n_texts;
        trine_train_log(o, "%s%d %s%s, %d tokens", trine_train_whose(part, o), n, (*out)->pairs ? "pair" : "example",
                        n == 1 ? "" : "s", (*out)->all.n_rows + (*out)->all.n_target_rows);
        trine_train_log_cut(&r, part, o);
        return TRINE_OK;
    }
    trine_examples_close(&(*out)->base);
    *out = NULL;
    return status;
}

static trine_status open_feeds(tuning *u, trine_error *err)
{
    const trine_train_options *o = &u->o;
    trine_stored *examples, *held = NULL;
    trine_status status = read_examples(&examples, u, &o->parts[0], err);
    if (status) return status;
    if (o->valid && o->valid->n_paths)
        status = read_examples(&held, u, o->valid, err);
    else if (o->hold_out > 0)
        status = trine_stored_hold_out(&held, examples, o->hold_out, o->seed, err);
    if (status) {
        trine_examples_close(&examples->base);
        return status;
    }
    status = trine_train_feed(&u->t.feed, &examples->base, o, true, err);
    if (status)
        trine_examples_close(held ? &held->base : NULL);
    else if (held)
        status = trine_train_feed(&u->t.valid, &held->base, o, false, err);
    return status;
}

static trine_status check(const tuning *u, const char *model, trine_error *err)
{
    if (u->o.n_parts != 1)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "finetune: %d sources of examples, expected one", u->o.n_parts);
    if (u->o.metric && (u->task != TRINE_FINETUNE_SEQ2SEQ || !trine_text_measure_name(u->o.metric)))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "finetune: the metric '%s' of %s: expected bleu or rouge, of seq2seq",
                          u->o.metric, task_names[u->task]);
    if (u->o.metric && !(u->o.valid && u->o.valid->n_paths))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "finetune: %s needs files to measure on (--valid)", u->o.metric);
    if (u->o.lora_rank && u->o.out && trine_same_place(model, u->o.out))
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "finetune: '%s' is the model that the adapter is to stand beside: write it to another directory (--out)",
                          u->o.out);
    return trine_train_find("finetune", model, err);
}

trine_status trine_finetune(trine_train_result *out, trine_finetune_task task, const char *model,
                            const trine_train_options *options, trine_error *err)
{
    *out = (trine_train_result) { 0 };
    if (!model || !options || (unsigned)task > TRINE_FINETUNE_EMBED)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "finetune: no %s", !model ? "model" : !options ? "options" : "such task");
    tuning u = { .task = task, .t = { .kind = "finetune", .options = &u.o, .directory.lock = -1 } };
    trine_train_defaults d = defaults[task];
    const char *source;
    if (options->lora_rank) d.rate *= ADAPTER_RATE;
    trine_status status = trine_train_fill(&u.o, options, &d, err);
    if (!status) status = check(&u, model, err);
    if (!status) status = read_labels(&u, err);
    status = trine_ranks_agree(options->ranks, status, err);
    if (!status) status = trine_train_level(&u.o, err);
    if (!status) status = trine_run_directory_open(&u.t.directory, &u.o, err);
    if (!status) status = trine_team_open(&u.t.team, u.o.n_threads, err);
    if (!status) status = trine_train_source(&source, &u.t, model, err);
    if (!status) status = open_model(&u, model, source, err);
    if (!status) status = open_feeds(&u, err);
    if (!status) status = trine_trainer_plan(&u.t, err);
    if (!status) {
        trine_train_fill_steps(&u.o, &d, u.t.n_steps);
        choose_measure(&u);
        status = trine_train_configuration(&u.t.configuration, task_names[task], model, &u.o, u.t.params->config, err);
    }
    status = trine_ranks_agree(options->ranks, status, err);
    if (!status) status = trine_train_learn(out, &u.t, task == TRINE_FINETUNE_EMBED, err);
    trine_trainer_close(&u.t);
    trine_names_clear(&u.labels);
    return status;
}
