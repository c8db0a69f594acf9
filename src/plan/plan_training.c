/* plan_training.c - a training step's bytes by part: the arrays that parameters take, and what the step itself measures for a batch.
 *
 * The batch is made by the objective, from text that is all one token: how many rows, targets and scored rows it has decides its
 * memory, and not what they say. */
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "base/team.h"
#include "checkpoint/json_file.h"
#include "plan/plan_step.h"
#include "plan/planner.h"
#include "train/examples.h"
#include "train/muon.h"
#include "train/train_setup.h"

enum { SENTINELS = 100, MOST_ROWS = 1 << 24, MOST_RANKS = 1 << 20 };

/* ------------------------------------------------------------------------------------------------------------- batch */

static trine_objective objective_of(const trine_model_info *info)
{
    switch (info->paradigm) {
    case TRINE_ENCODER: return TRINE_OBJECTIVE_MASKED;
    case TRINE_DECODER: return TRINE_OBJECTIVE_CAUSAL;
    default: return TRINE_OBJECTIVE_SPAN;
    }
}

/* Texts for a head that gives labels, one of each text or one of each token. */
static void add_labelled(trine_batch_room *room, const trine_model_info *info, const int32_t *ids, int n_texts, int seq_len)
{
    room->label_a_text = info->head == TRINE_HEAD_LABELS;
    for (int i = 0; i < n_texts; i++) {
        trine_batch_add_text(room, ids, NULL, seq_len, 0);
        if (info->paradigm == TRINE_ENCODER_DECODER) trine_batch_add_shifted(room, 0, ids, seq_len);
        for (int k = 0; k < (room->label_a_text ? 1 : seq_len); k++) trine_batch_add_out(room, k, 0, 1);
    }
}

/* Texts as the objective makes them. */
static trine_status add_examples(trine_batch_room *room, const trine_model_info *info, trine_corpus *corpus, int n_texts,
                                 int seq_len, trine_error *err)
{
    static const int32_t sentinels[SENTINELS];
    const trine_objective_options options = { .kind = objective_of(info),
                                              .tokens = { .vocab = info->vocab, .sentinels = sentinels, .n_sentinels = SENTINELS },
                                              .seq_len = seq_len,
                                              .has_encoder = info->paradigm != TRINE_DECODER,
                                              .has_decoder = info->paradigm != TRINE_ENCODER };
    trine_examples *e;
    const trine_status status = trine_objective_open(&e, corpus, &options, err);
    if (status) return status;
    room->prefix = e->prefix;
    for (int i = 0; i < n_texts; i++) e->make(room, e, 0, i);
    trine_examples_close(e);
    return TRINE_OK;
}

trine_status trine_plan_batch(trine_batch_room *room, trine_train_batch *batch, const trine_model_info *info, int n_texts,
                              int seq_len, trine_error *err)
{
    /* Two windows more than there are texts: where they begin is drawn. Span corruption reads more than it keeps. */
    const size_t n = ((size_t)n_texts + 2) * ((size_t)seq_len * 2 + 2);
    trine_corpus corpus = { .ids = calloc(n, sizeof(int32_t)), .n = n, .cap = n };
    trine_batch_begin(room);
    if (!corpus.ids) return trine_fail(err, TRINE_ERROR_MEMORY, "plan: no memory for a batch of %d texts", n_texts);
    trine_status status = TRINE_OK;
    corpus.ends = malloc(sizeof *corpus.ends);
    if (!corpus.ends) {
        status = trine_fail(err, TRINE_ERROR_MEMORY, "plan: no memory for a batch of %d texts", n_texts);
    } else {
        corpus.ends[0] = n;
        corpus.n_documents = corpus.documents_cap = 1;
    }
    if (!status && trine_gives_labels(info->head))
        add_labelled(room, info, corpus.ids, n_texts, seq_len);
    else if (!status)
        status = add_examples(room, info, &corpus, n_texts, seq_len, err);
    trine_corpus_close(&corpus);
    return status ? status : trine_batch_end(batch, room, err);
}

/* ------------------------------------------------------------------------------------------------------------ options */

static trine_status check_range(const char *what, int64_t value, int64_t low, int64_t high, trine_error *err)
{
    if (value >= low && value <= high) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_ARGUMENT, "plan: %s is %lld, expected %lld to %lld", what, (long long)value, (long long)low,
                      (long long)high);
}

static trine_status fill(trine_training_options *o, const trine_model_info *info, const trine_training_options *asked,
                         trine_error *err)
{
    *o = asked ? *asked : (trine_training_options) { 0 };
    const trine_train_options length = { .seq_len = o->seq_len };
    trine_status status = check_range("the length of a text", o->seq_len, 0, MOST_ROWS, err);
    if (!status) status = trine_train_length(&o->seq_len, &length, info, err);
    if (!status) status = check_range("the texts of a batch", o->n_texts, 0, MOST_ROWS, err);
    if (!o->n_texts) o->n_texts = trine_max_int(4096 / o->seq_len, 1); /* as train's batches of 4,096 tokens */
    if (!status) status = check_range("the tokens of a batch", (int64_t)o->n_texts * o->seq_len, 1, MOST_ROWS, err);
    if (!status) status = check_range("the number of ranks", o->n_ranks, 0, MOST_RANKS, err);
    if (!status) status = check_range("the rank of adapters", o->lora_rank, 0, 4096, err);
    if (!status) status = trine_team_size(&o->n_threads, err);
    if (!o->n_ranks) o->n_ranks = 1;
    if (!status) status = trine_train_check_optimizer("plan", o->optimizer, o->lora_rank, o->shard_optimizer, err);
    if (!status && !(o->dropout > -2 && o->dropout < 1))
        status = trine_fail(err, TRINE_ERROR_ARGUMENT, "plan: dropout is %g, expected below 1", (double)o->dropout);
    return status;
}

/* A configuration to train: a model without a head gets that of its objective, and what a file shows is said. */
trine_status trine_plan_training_config(json_t **out, const trine_planner *p, trine_error *err)
{
    const trine_model_info *info = &p->model->info;
    const json_t *config = trine_checkpoint_config(p->model->checkpoint);
    *out = NULL;
    if (info->head != TRINE_HEAD_NONE) {
        if (!(*out = trine_json_copy(config))) return trine_fail(err, TRINE_ERROR_MEMORY, "plan: no memory");
    } else {
        const trine_head head = info->paradigm == TRINE_ENCODER ? TRINE_HEAD_MLM : TRINE_HEAD_LM;
        const trine_status status = trine_params_config(out, config, head, NULL, 0, err);
        if (status) return status;
    }
    trine_json_builder made = { .object = *out };
    if (info->head == TRINE_HEAD_LM) trine_json_put(&made, "tie_word_embeddings", json_boolean(info->tied));
    json_object_del(*out, "trine_conv1d_transposed"); /* how GGUF lays rows, which training has transformers' way */
    json_object_del(*out, "trine_rope_interleaved");
    if (!made.failed) return TRINE_OK;
    json_decref(*out);
    *out = NULL;
    return trine_fail(err, TRINE_ERROR_MEMORY, "plan: no memory");
}

/* --------------------------------------------------------------------------------------------------------------- all */

trine_params_options trine_plan_params_options(const trine_training_options *o, const json_t *config)
{
    return (trine_params_options) { .config = config,
                                    .grads = true,
                                    .adam = o->optimizer != TRINE_OPTIMIZER_SGD,
                                    .bf16 = o->bf16,
                                    .lora_rank = o->lora_rank,
                                    .n_ranks = o->shard_optimizer ? o->n_ranks : 1,
                                    .cpu = o->cpu };
}

trine_status trine_plan_step_open(trine_step **out, const trine_training_options *o, trine_model *model, trine_params *params,
                                  trine_error *err)
{
    const trine_step_options options = { .n_threads = o->n_threads,
                                         .bf16 = o->bf16,
                                         .recompute = o->recompute,
                                         .dropout = trine_train_dropout(o->dropout, params->config) };
    return trine_step_open(out, model, params, &options, err);
}

static int64_t learning(const trine_params *p)
{
    int64_t n = 0;
    for (int i = 0; i < p->n_tensors; i++) n += (int64_t)p->tensors[i].n;
    return n;
}

size_t trine_plan_frozen(const trine_params *params, const trine_model *model)
{
    return params->lora_rank ? params->bytes.frozen + model->info.copied_bytes : 0;
}

/* The parts of a step over parameters that are addresses alone. */
static trine_status count(trine_training_bytes *out, trine_model *model, trine_params *params, trine_error *err)
{
    const trine_training_options *o = &out->options;
    trine_batch_room room = { 0 };
    trine_train_batch batch = { 0 };
    trine_step *step = NULL;
    trine_status status = trine_plan_batch(&room, &batch, &model->info, o->n_texts, o->seq_len, err);
    if (!status) status = trine_plan_step_open(&step, o, model, params, err);
    if (!status) status = trine_step_plan(&out->arena_bytes, &out->pool_bytes, step, &batch, err);
    out->n_rows = batch.n_rows;
    out->n_target_rows = batch.n_target_rows;
    out->n_scored = batch.n_out;
    trine_step_close(step);
    trine_batch_clear(&room);
    if (!status && o->optimizer == TRINE_OPTIMIZER_MUON)
        status = trine_muon_plan(&out->muon_bytes, params, &model->kernels, o->bf16, o->n_threads, err);
    return status;
}

static trine_status add_up(trine_training_bytes *b, trine_error *err)
{
    const size_t parts[] = { b->weights_bytes, b->gradient_bytes, b->moment_bytes, b->muon_bytes,  b->bf16_bytes,
                             b->average_bytes, b->arena_bytes,    b->pool_bytes,   b->frozen_bytes };
    b->total_bytes = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!trine_add_size(&b->total_bytes, b->total_bytes, parts[i]))
            return trine_fail(err, TRINE_ERROR_MEMORY, "plan: a training step is more than an address holds");
    return TRINE_OK;
}

trine_status trine_planner_training(trine_training_bytes *out, const trine_planner *p, const trine_training_options *asked,
                                    trine_error *err)
{
    trine_training_options o;
    json_t *config = NULL;
    trine_checkpoint *stored = NULL;
    trine_params *params = NULL;
    trine_model *model = NULL;
    *out = (trine_training_bytes) { 0 };
    trine_status status = fill(&o, &p->model->info, asked, err);
    if (!status) status = trine_plan_training_config(&config, p, err);
    const bool unpacked = o.lora_rank && trine_checkpoint_gguf(p->model->checkpoint); /* before adapters learn beside it */
    if (!status && unpacked) status = trine_plan_stored(&stored, config, TRINE_F32, err);
    trine_params_options options = trine_plan_params_options(&o, config);
    options.hollow = true;
    if (o.lora_rank) options.stored = unpacked ? stored : p->model->checkpoint;
    if (!status) status = trine_params_open(&params, &model, &options, err);
    if (!status) {
        out->options = o;
        out->n_parameters = model->info.n_parameters;
        if (o.lora_rank) out->n_parameters = learning(params);
        out->frozen_bytes = trine_plan_frozen(params, model);
        out->weights_bytes = params->bytes.values;
        out->gradient_bytes = params->bytes.grads;
        out->moment_bytes = params->bytes.moments;
        out->bf16_bytes = params->bytes.bf16;
        out->average_bytes = o.average ? params->bytes.values : 0;
        status = count(out, model, params, err);
    }
    if (!status) status = add_up(out, err);
    trine_model_close(model);
    trine_params_close(params);
    trine_checkpoint_close(stored);
    json_decref(config);
    if (status) *out = (trine_training_bytes) { 0 };
    return status;
}
