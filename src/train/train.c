/* train.c - trine_train: a new model from nothing, or one that is there on other text. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "train/new_config.h"
#include "train/train_setup.h"

/* GPT-3's second beta and decay (Brown et al. 2020, app. B) and a rate for models of some millions of parameters. */
static const trine_train_defaults defaults = { .epochs = 1,
                                               .rate = 1e-3,
                                               .weight_decay = 0.1,
                                               .beta2 = 0.95,
                                               .min_share = 0.1,
                                               .warmup = 0.02,
                                               .decay = TRINE_DECAY_COSINE,
                                               .batch_tokens = 4096 };

/* The folder of a tokenizer that is named by one of its files. */
static char *folder_of(const char *path)
{
    if (trine_is_directory(path)) return strdup(path);
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
}

/* A tokenizer trained on the texts themselves, in OUT/training; kept for a run that is resumed. */
static trine_status train_tokenizer(trine_trainer *t, const trine_new_model *model, const trine_train_options *o, trine_error *err)
{
    char *folder = trine_path_join(t->directory.training, "tokenizer"),
         *file = folder ? trine_path_join(folder, "tokenizer.json") : NULL;
    t->tokenizer = folder;
    if (!file) return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory");
    const bool there = o->resume && trine_file_exists(file);
    free(file);
    if (there) return TRINE_OK;
    if (!model->arch)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: no tokenizer for the configuration: expected a directory with one");
    const trine_tokenizer_train_options options = {
        .type = model->arch, .vocab = model->vocab, .column = o->parts[0].text_column, .overwrite = true, .n_threads = o->n_threads
    };
    trine_tokenizer_train_result r;
    trine_names files = { 0 };
    trine_status status = TRINE_OK;
    for (int i = 0; i < o->n_parts && !status; i++) {
        trine_names some;
        status = trine_files_list(&some, o->parts[i].paths, o->parts[i].n_paths, err);
        for (int k = 0; k < some.n && !status; k++) status = trine_reading_add_name(&files, some.items[k], err);
        trine_names_clear(&some);
    }
    if (!status) status = trine_tokenizer_train(&r, folder, (const char *const *)files.items, files.n, &options, err);
    if (!status) trine_train_log(o, "a tokenizer of %d tokens (%s) was trained in %.1f s", r.vocab, r.algorithm, r.seconds);
    trine_names_clear(&files);
    return status;
}

/* The configuration says how the first weights are made (initialise_neighbours.c). */
static trine_status look_at_neighbours(json_t *config, trine_error *err)
{
    const char *type = json_string_value(json_object_get(config, "model_type"));
    if (!type || strcmp(type, "bert") != 0)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: a %s whose heads look at neighbours (--neighbours): expected bert",
                          type ? type : "model");
    const json_int_t heads = json_integer_value(json_object_get(config, "num_attention_heads")),
                     width = json_integer_value(json_object_get(config, "hidden_size"));
    if (heads < 1 || width < heads || width % heads || width / heads % 2)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "train: %lld heads of a width of %lld: --neighbours expects heads of an even width", (long long)heads,
                          (long long)width);
    return json_object_set_new(config, "initializer", json_string("neighbours"))
               ? trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory")
               : TRINE_OK;
}

/* The tokenizer and the configuration of a model from nothing. */
static trine_status make_config(trine_trainer *t, json_t **config, const trine_new_model *model, const trine_train_options *o,
                                trine_error *err)
{
    trine_tokenizer *tokenizer;
    trine_status status = TRINE_OK;
    if (!model->tokenizer) {
        if (trine_is_first(o->ranks))
            status = train_tokenizer(t, model, o, err);
        else if (!(t->tokenizer = trine_path_join(t->directory.training, "tokenizer")))
            status = trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory");
    } else if (!(t->tokenizer = folder_of(model->tokenizer)))
        status = trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory");
    status = trine_ranks_agree(o->ranks, status, err); /* as trine_train_source: ranks meet here whatever they have been told */
    if (!status) status = trine_tokenizer_open(&tokenizer, model->tokenizer ? model->tokenizer : t->tokenizer, err);
    if (status) return status;
    status = trine_new_config(config, model, tokenizer, o->seq_len ? o->seq_len : 512, o->dropout, err);
    if (!status && model->neighbours) status = look_at_neighbours(*config, err);
    trine_tokenizer_close(tokenizer);
    t->save.tokenizer = t->tokenizer;
    return status;
}

/* Text without labels asks for the language model's head. An encoder that has none, or another, gets one. */
static trine_status settle_head(trine_params_options *options, const char *model, trine_error *err)
{
    trine_checkpoint *c;
    trine_model_info info;
    trine_status status = trine_checkpoint_open(&c, options->checkpoint, err);
    if (status) return status;
    status = trine_family_declare(&info, c, err);
    if (status)
        status = trine_fail_in(err, status, "'%s'", model);
    else if (info.paradigm == TRINE_ENCODER && info.head != TRINE_HEAD_MLM) {
        options->change_head = true;
        options->head = TRINE_HEAD_MLM;
    } else if (info.paradigm != TRINE_ENCODER && info.head != TRINE_HEAD_LM)
        status =
            trine_fail(err, TRINE_ERROR_ARGUMENT, "train: '%s' has no output layer for text: expected a language model", model);
    trine_checkpoint_close(c);
    return status;
}

static trine_status open_model(trine_trainer *t, json_t **config, const trine_new_model *model, const trine_train_options *o,
                               trine_error *err)
{
    trine_params_options options = trine_train_params(o);
    trine_status status = TRINE_OK;
    if (model->from) {
        status = trine_train_source(&options.checkpoint, t, model->from, err);
        if (!status) status = settle_head(&options, model->from, err);
    } else {
        status = make_config(t, config, model, o, err);
        options.config = *config;
        options.tokenizer = t->tokenizer;
    }
    if (!status) status = trine_params_open(&t->params, &t->model, &options, err);
    if (!status && !t->model->tokenizer)
        status = trine_fail(err, TRINE_ERROR_ARGUMENT, "train: no tokenizer in '%s'", model->from ? model->from : t->tokenizer);
    return status;
}

trine_status trine_train(trine_train_result *out, const trine_new_model *model, const trine_train_options *options,
                         trine_error *err)
{
    trine_train_options o;
    trine_trainer t = { .kind = "train", .directory.lock = -1 };
    json_t *config = NULL;
    *out = (trine_train_result) { 0 };
    if (!model || !options) return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: no model or no options");
    trine_status status = trine_train_fill(&o, options, &defaults, err);
    if (!status && model->from) status = trine_train_find("train", model->from, err);
    status = trine_ranks_agree(options->ranks, status, err);
    if (!status) status = trine_train_level(&o, err);
    if (status) return status;
    t.options = &o;
    status = trine_run_directory_open(&t.directory, &o, err);
    if (!status) status = trine_team_open(&t.team, o.n_threads, err);
    if (!status) status = open_model(&t, &config, model, &o, err);
    if (!status) status = trine_train_open_feeds(&t, &o, err);
    if (!status) status = trine_trainer_plan(&t, err);
    if (!status) {
        trine_train_fill_steps(&o, &defaults, t.n_steps);
        status = trine_train_configuration(&t.configuration, "train", model->from, &o, t.params->config, err);
    }
    status = trine_ranks_agree(o.ranks, status, err);
    if (!status) status = trine_train_learn(out, &t, false, err);
    json_decref(config);
    trine_trainer_close(&t);
    return status;
}
