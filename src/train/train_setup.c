/* train_setup.c - defaults, checks, and the configuration of a run. */
#include "train/train_setup.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cpu.h"
#include "base/file.h"
#include "base/numbers.h"
#include "base/status.h"
#include "base/team.h"
#include "trine/converting.h"

void trine_train_log(const trine_train_options *o, const char *format, ...)
{
    if (!o->log) return;
    char text[400];
    va_list list;
    va_start(list, format);
    trine_vprint(text, sizeof text, format, list);
    va_end(list);
    o->log(o->log_user, text);
}

trine_status trine_train_level(trine_train_options *o, trine_error *err)
{
    trine_cpu own;
    double has[TRINE_CPU_COUNT] = { 0 };
    trine_status status = trine_cpu_choose(&own, o->cpu, err);
    for (int level = 0; !status && level <= (int)own; level = trine_cpu_next(level)) has[level] = 1;
    status = trine_ranks_agree(o->ranks, status, err);
    if (!status) status = trine_ranks_sum(o->ranks, has, TRINE_CPU_COUNT, err);
    if (status || trine_n_ranks(o->ranks) == 1) return status;
    int common = TRINE_CPU_COUNT - 1;
    while (common > 0 && has[common] < trine_n_ranks(o->ranks)) common--;
    if (common < (int)own) trine_train_log(o, "kernels of %s: what all ranks have", trine_cpu_name((trine_cpu)common));
    o->cpu = trine_cpu_name((trine_cpu)common);
    return TRINE_OK;
}

trine_status trine_train_find(const char *kind, const char *model, trine_error *err)
{
    if (trine_is_directory(model) || trine_file_exists(model)) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_NOT_FOUND, "%s: '%s': there is no such model", kind, model);
}

trine_status trine_train_source(const char **out, trine_trainer *t, const char *model, trine_error *err)
{
    const size_t n = strlen(model);
    *out = model;
    /* All ranks meet here whatever they have been told: one that was told otherwise is found by trine_trainer_same_at_all. */
    if (n < 6 || strcasecmp(model + n - 5, ".gguf") != 0) return trine_ranks_agree(t->options->ranks, TRINE_OK, err);
    const trine_convert_options options = { .container = "safetensors", .type = TRINE_F32, .overwrite = true };
    trine_convert_result r;
    if (!(t->source = trine_path_join(t->directory.training, "source")))
        return trine_fail(err, TRINE_ERROR_MEMORY, "%s: no memory", t->kind);
    *out = t->source;
    const trine_status status = trine_is_first(t->options->ranks) ? trine_convert(&r, t->source, model, &options, err) : TRINE_OK;
    return trine_ranks_agree(t->options->ranks, status, err);
}

trine_params_options trine_train_params(const trine_train_options *o)
{
    return (trine_params_options) { .seed = o->seed,
                                    .grads = true,
                                    .adam = true,
                                    .bf16 = o->bf16,
                                    .rank = trine_rank(o->ranks),
                                    .n_ranks = o->shard_optimizer ? trine_n_ranks(o->ranks) : 0,
                                    .n_threads = o->n_threads,
                                    .cpu = o->cpu,
                                    .log = o->log,
                                    .log_user = o->log_user };
}

/* A number that is `fallback` at 0 and 0 below it. */
static float or_default(float given, double fallback) { return given < 0 ? 0 : given > 0 ? given : (float)fallback; }

typedef struct range {
    const char *name;
    double value, low, high;
} range;

trine_status trine_train_check_optimizer(const char *task, trine_optimizer optimizer, int lora_rank, bool shard, trine_error *err)
{
    if (optimizer != TRINE_OPTIMIZER_MUON || (!lora_rank && !shard)) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_ARGUMENT, "%s: Muon steps whole matrices of layers: it cannot be with %s", task,
                      lora_rank ? "adapters (--lora)" : "a shared-out optimizer (--shard-optimizer)");
}

static trine_status check(const trine_train_options *o, trine_error *err)
{
    const range ranges[] = {
        { "the learning rate", o->learning_rate, 1e-12, 10 },
        { "the last learning rate", o->min_rate, 0, o->learning_rate },
        { "beta1", o->beta1, 0, 0.99999 },
        { "beta2", o->beta2, 0, 0.999999 },
        { "epsilon", o->epsilon, 1e-30, 1 },
        { "the weight decay", o->weight_decay, 0, 10 },
        { "dropout", o->dropout, -1, 0.99 },
        { "label smoothing", o->label_smoothing, 0, 0.99 },
        { "share of tokens asked for", o->noise, 0, 0.9 },
        { "the average's decay", o->ema, 0, 0.9999999 },
        { "the share held out", o->hold_out, 0, 0.9 },
        { "the epochs", o->epochs, 0, 1e9 },
        { "the steps", (double)o->steps, 0, 1e12 },
        { "the micro-batches a step", o->accumulate, 1, 1e6 },
        { "the texts of a batch", o->batch_texts, 0, 1e7 },
        { "the tokens of a batch", o->batch_tokens, 0, 1e9 },
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        const range *r = &ranges[i];
        /* As floats, which most of them are: 0.99 is above 0.99 otherwise. */
        if (!((float)r->value >= (float)r->low && (float)r->value <= (float)r->high))
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: %s is %g, expected %g to %g", r->name, r->value, r->low, r->high);
    }
    if (o->n_parts < 1 || !o->parts) return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: nothing to learn from: expected files");
    for (int i = 0; i < o->n_parts; i++)
        if (o->parts[i].n_paths < 1 || !o->parts[i].paths)
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: part %d has no files", i + 1);
    if (o->valid && o->valid->n_paths && !o->valid->paths)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: %d files to measure on that are not there", o->valid->n_paths);
    if (o->valid && o->valid->n_paths && o->hold_out > 0)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "train: there are files to measure on and a share held out: expected one of them");
    if (o->optimizer != TRINE_OPTIMIZER_ADAMW && o->optimizer != TRINE_OPTIMIZER_MUON)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: the optimizer is %d, expected AdamW or Muon", (int)o->optimizer);
    return trine_train_check_optimizer("train", o->optimizer, o->lora_rank, o->shard_optimizer, err);
}

trine_status trine_train_fill(trine_train_options *out, const trine_train_options *given, const trine_train_defaults *d,
                              trine_error *err)
{
    *out = *given;
    if (!out->steps && !(out->epochs > 0)) out->epochs = d->epochs;
    if (out->steps) out->epochs = 0;
    if (!out->accumulate) out->accumulate = 1;
    if (!out->batch_texts && !out->batch_tokens) {
        out->batch_texts = d->batch_texts;
        out->batch_tokens = d->batch_tokens;
    }
    if (!(out->learning_rate > 0)) out->learning_rate = (float)d->rate;
    if (out->decay == TRINE_DECAY_DEFAULT) out->decay = d->decay;
    out->min_rate = or_default(out->min_rate, d->min_share * (double)out->learning_rate);
    out->weight_decay = or_default(out->weight_decay, d->weight_decay);
    out->beta1 = or_default(out->beta1, 0.9);
    out->beta2 = or_default(out->beta2, d->beta2);
    out->epsilon = or_default(out->epsilon, 1e-8);
    out->clip = or_default(out->clip, 1);
    if (!out->keep) out->keep = 2;
    if (out->keep < 1) out->keep = 1;
    const trine_status status = check(out, err);
    return status ? status : trine_team_size(&out->n_threads, err);
}

void trine_train_fill_steps(trine_train_options *o, const trine_train_defaults *d, int64_t n_steps)
{
    const int64_t tenth = (n_steps + 9) / 10;
    if (!o->eval_every) o->eval_every = tenth;
    if (!o->save_every) o->save_every = tenth;
    if (!o->warmup) o->warmup = (int64_t)(d->warmup * (double)n_steps);
    if (o->warmup > n_steps) o->warmup = n_steps;
}

trine_status trine_train_length(int *out, const trine_train_options *o, const trine_model_info *info, trine_error *err)
{
    const int most = info->max_tokens;
    *out = o->seq_len ? o->seq_len : most && most < 512 ? most : 512;
    if (most && *out > most)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "train: sequences of %d tokens, and this model takes %d: expected --seq-len %d or less", *out, most,
                          most);
    if (*out < 4) return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: sequences of %d tokens, expected 4 or more", *out);
    return TRINE_OK;
}

const char *trine_train_whose(const trine_train_part *part, const trine_train_options *o)
{
    return part == o->valid ? "validation: " : "";
}

void trine_train_log_cut(const trine_reading *r, const trine_train_part *part, const trine_train_options *o)
{
    const char *whose = trine_train_whose(part, o);
    if (r->n_cut)
        trine_train_log(o, "%s%lld of %lld %s are longer than %d tokens and were cut", whose, (long long)r->n_cut,
                        (long long)r->n_read, r->n_targets ? "sources" : "texts", r->seq_len);
    if (r->n_cut_targets)
        trine_train_log(o, "%s%lld of %lld targets are longer than %d tokens and were cut", whose, (long long)r->n_cut_targets,
                        (long long)r->n_targets, r->target_len);
}

static json_t *part_json(const trine_train_part *p)
{
    json_t *paths = json_array();
    for (int i = 0; i < p->n_paths; i++) json_array_append_new(paths, json_string(p->paths[i]));
    return json_pack("{s:o*,s:i,s:f,s:s*,s:s*,s:s*,s:s*,s:s*}", "paths", paths, "objective", (int)p->objective, "weight",
                     p->weight > 0 ? p->weight : 1.0, "prefix", p->prefix, "text", p->text_column, "source", p->source_column,
                     "target", p->target_column, "chat_template", p->chat_template);
}

trine_status trine_train_configuration(json_t **out, const char *kind, const char *what, const trine_train_options *o,
                                       const json_t *model, trine_error *err)
{
    static const char *const decays[] = { "", "cosine", "linear", "inverse-root", "constant" };
    json_t *parts = json_array();
    for (int i = 0; i < o->n_parts; i++) json_array_append_new(parts, part_json(&o->parts[i]));
    json_t *c =
        json_pack("{s:s,s:s*,s:O,s:o,s:f,s:I,s:f,s:i,s:i,s:i,s:i,s:i,s:f,s:f,s:I,s:s,s:f,s:f,s:f,s:f,s:f}", "command", kind, "what",
                  what, "model", model, "data", parts, "hold_out", o->hold_out, "steps", (json_int_t)o->steps, "epochs", o->epochs,
                  "batch", o->batch_texts, "batch_tokens", o->batch_tokens, "accumulate", o->accumulate, "seq_len", o->seq_len,
                  "target_len", o->target_len, "lr", (double)o->learning_rate, "min_lr", (double)o->min_rate, "warmup",
                  (json_int_t)o->warmup, "decay", decays[o->decay], "weight_decay", (double)o->weight_decay, "beta1",
                  (double)o->beta1, "beta2", (double)o->beta2, "epsilon", (double)o->epsilon, "clip", (double)o->clip);
    bool fine = c && o->n_parts == (int)json_array_size(json_object_get(c, "data"));
    json_t *more = fine
                       ? json_pack("{s:f,s:f,s:f,s:b,s:b,s:I,s:I,s:i,s:b,s:b,s:s*,s:i,s:f}", "dropout", (double)o->dropout,
                                   "label_smoothing", (double)o->label_smoothing, "ema", (double)o->ema, "bf16", (int)o->bf16,
                                   "recompute", (int)o->recompute, "seed", (json_int_t)o->seed, "eval_every",
                                   (json_int_t)o->eval_every, "patience", o->patience, "separate", (int)o->separate, "whole_word",
                                   (int)o->whole_word, "split", o->split, "lora", o->lora_rank, "lora_alpha", (double)o->lora_alpha)
                       : NULL;
    fine = more && !json_object_update(c, more);
    json_decref(more);
    if (fine && o->valid && o->valid->n_paths) fine = !json_object_set_new(c, "valid", part_json(o->valid));
    if (fine && o->optimizer == TRINE_OPTIMIZER_MUON) fine = !json_object_set_new(c, "optimizer", json_string("muon"));
    if (fine && o->noise > 0) fine = !json_object_set_new(c, "noise", json_real((double)o->noise));
    if (fine && trine_n_ranks(o->ranks) > 1) fine = !json_object_set_new(c, "ranks", json_integer(o->ranks->size));
    if (fine && o->metric)
        fine = !json_object_set_new(c, "metric", json_string(o->metric)) &&
               !json_object_set_new(c, "metric_limit", json_integer(o->metric_limit));
    if (!fine) {
        json_decref(c);
        *out = NULL;
        return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory for the configuration");
    }
    *out = c;
    return TRINE_OK;
}

void trine_trainer_close(trine_trainer *t)
{
    trine_feed_close(t->feed);
    trine_feed_close(t->valid);
    trine_model_close(t->model);
    trine_params_close(t->params);
    json_decref(t->configuration);
    trine_team_close(t->team);
    trine_run_directory_close(&t->directory);
    free(t->tokenizer);
    free(t->source);
    *t = (trine_trainer) { .directory.lock = -1 };
}
