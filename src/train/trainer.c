/* trainer.c - see trainer.h.
 *
 * A run is a function of its configuration: batches, masks and dropout are drawn by seed and place, sums run in a fixed order. So a
 * checkpoint needs the arrays and a few numbers, and what follows it is bit for bit what would have followed. */
#include "train/trainer.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cpu.h"
#include "base/status.h"
#include "generate/clock.h"
#include "record/record.h"
#include "train/adamw.h"
#include "train/checkpoint_train.h"
#include "train/data_parallel.h"
#include "train/muon.h"

/* Micro-batches of one step: those of this rank, and what all ranks' make together. */
typedef struct gathered {
    int n;
    double weight, n_tokens;
} gathered;

/* All of one run, while it runs. */
typedef struct running {
    trine_trainer *t;
    const trine_train_options *o;
    trine_trainer_state state;
    trine_batch_room *rooms; /* [accumulate] */
    trine_train_batch *batches;
    float *average; /* [params->n] or NULL */
    trine_schedule schedule;
    double started_ms, seconds_before; /* of earlier sittings */
    double rate;                       /* tokens a second, smoothed */
    int64_t saved;                     /* step of the last good checkpoint; -1: none */
    trine_optimiser_kernels kernels;
    trine_muon *muon; /* or NULL */
    trine_ranks *ranks;
    trine_record *record; /* while it can be written */
    bool recorded;        /* it has been told of this run, at the first rank */
    trine_data_parallel parallel;
    bool stop, asked_to_stop;
    trine_status failed; /* what this rank has not told the others yet */
    trine_error why;
} running;

/* -------------------------------------------------------------------------------------------------------------- plan */

static void most_of_both(trine_feed_most *a, const trine_feed_most *b)
{
    if (b->texts > a->texts) a->texts = b->texts;
    if (b->rows > a->rows) a->rows = b->rows;
    if (b->targets > a->targets) a->targets = b->targets;
    if (b->outs > a->outs) a->outs = b->outs;
}

trine_status trine_trainer_plan(trine_trainer *t, trine_error *err)
{
    const trine_train_options *o = t->options;
    t->n_batches = o->steps * o->accumulate * trine_n_ranks(o->ranks);
    trine_status status = trine_feed_survey(&t->n_batches, &t->most, t->feed, o->steps ? 0 : o->epochs, err);
    const int64_t a_step = (int64_t)o->accumulate * trine_n_ranks(o->ranks);
    t->n_steps = o->steps ? o->steps : (t->n_batches + a_step - 1) / a_step;
    if (!status && t->valid) {
        trine_feed_most most;
        int64_t n;
        status = trine_feed_survey(&n, &most, t->valid, 1, err);
        most_of_both(&t->most, &most);
    }
    return status;
}

/* ----------------------------------------------------------------------------------------------------- one step */

/* The micro-batches of a step that are this rank's: every `size`th of all. */
static trine_status gather(gathered *g, running *r, trine_error *err)
{
    const int n_ranks = trine_n_ranks(r->ranks), rank = trine_rank(r->ranks);
    *g = (gathered) { 0 };
    for (int i = 0; i < r->o->accumulate * n_ranks && r->state.n_batches < r->t->n_batches; i++, r->state.n_batches++) {
        const bool own = i % n_ranks == rank;
        trine_status status = trine_feed_next(own ? &r->rooms[g->n] : NULL, r->t->feed, err);
        if (!status && own) status = trine_batch_end(&r->batches[g->n], &r->rooms[g->n], err);
        if (status) return status;
        if (!own) continue;
        const trine_train_batch *b = &r->batches[g->n++];
        g->weight += trine_batch_weight(b);
        g->n_tokens += b->n_rows + b->n_target_rows;
    }
    return TRINE_OK;
}

/* What all ranks are about to do: the weight of the whole step, or to stop. */
static trine_status meet(gathered *g, bool *stops, running *r, trine_status status, trine_error *err)
{
    double told[] = { g->weight, g->n_tokens, r->asked_to_stop, status || r->failed };
    const trine_status met = trine_ranks_sum(r->ranks, told, 4, err);
    if (met) return met;
    if (told[3] > 0) {
        if (r->failed && err) *err = r->why;
        return trine_ranks_agree(r->ranks, r->failed ? r->failed : status, err);
    }
    g->weight = told[0];
    g->n_tokens = told[1];
    *stops = told[2] > 0;
    return *stops || g->weight > 0
               ? TRINE_OK
               : trine_fail(err, TRINE_ERROR_FORMAT, "train: step %" PRId64 ": no token of the batch is to be learnt",
                            r->state.step + 1);
}

/* Where the last good checkpoint is. */
static const char *checkpoint_name(char out[160], const running *r)
{
    if (r->saved < 0)
        snprintf(out, 160, "none yet");
    else
        snprintf(out, 160, "that of step %" PRId64 " in %.100s", r->saved, r->t->directory.checkpoints);
    return out;
}

static trine_status not_finite(const running *r, int micro, const char *what, trine_error *err)
{
    char name[160];
    const trine_feed_place *p = &r->state.place;
    return trine_fail(
        err, TRINE_ERROR_NUMERIC,
        "train: step %" PRId64 ", batch %d (after example %" PRIu64 " of the run, in epoch %" PRIu64
        "): %s is not finite. The last good checkpoint is %s. A lower learning rate (--lr) or a tighter --clip may help",
        r->state.step + 1, micro + 1, p->drawn, p->parts[0].epoch + 1, what, checkpoint_name(name, r));
}

/* What was measured on the weights after a step, the same at all ranks. */
static trine_status measured_not_finite(const running *r, const char *what, trine_error *err)
{
    char name[160];
    const trine_status status =
        trine_fail(err, TRINE_ERROR_NUMERIC,
                   "train: after step %" PRId64 ": the validation %.40s is not finite. The last good checkpoint is %s. A lower "
                   "learning rate (--lr) or a tighter --clip may help",
                   r->state.step, what, checkpoint_name(name, r));
    return trine_ranks_agree(r->ranks, status, err);
}

/* Gradients of this rank's micro-batches; during the last backward those that are final are on their way to the other ranks. */
static trine_status compute(double *loss, running *r, const gathered *g, trine_error *err)
{
    const trine_learner *l = &r->t->learner;
    const bool watched = trine_n_ranks(r->ranks) > 1 && l->watch;
    trine_status status = TRINE_OK;
    *loss = 0;
    for (int i = 0; i < g->n && !status; i++) {
        double part, part_weight;
        const uint64_t micro = (uint64_t)i * (uint64_t)trine_n_ranks(r->ranks) + (uint64_t)trine_rank(r->ranks);
        if (watched && i == g->n - 1) status = l->watch(l->self, trine_data_parallel_final, &r->parallel, err);
        if (!status)
            status =
                l->run(&part, &part_weight, l->self, &r->batches[i], (uint64_t)r->state.step, micro, (float)(1 / g->weight), err);
        if (!status && !isfinite(part)) status = not_finite(r, i, "the loss", err);
        if (!status) *loss += part;
    }
    if (watched) l->watch(l->self, NULL, NULL, NULL);
    return status;
}

/* Gradients summed over all ranks, and the loss. A rank that has failed takes part, so that all can tell. */
static trine_status exchange_gradients(double *loss, running *r, trine_status status, trine_error *err)
{
    trine_error why;
    const trine_status lost = trine_data_parallel_end(&r->parallel, &why);
    if (lost) {
        if (err && !status) *err = why;
        return status ? status : lost;
    }
    double told[] = { *loss, status != TRINE_OK };
    const trine_status met = trine_ranks_sum(r->ranks, told, 2, status ? NULL : err);
    if (met || told[1] > 0) return trine_ranks_agree(r->ranks, status ? status : met, err);
    *loss = told[0];
    return TRINE_OK;
}

/* Sum of the squares of all gradients: those of each rank's share, added in the order of ranks, whether each has its own alone or all. */
static trine_status squares_of(double *out, running *r, size_t first, size_t n, trine_error *err)
{
    const trine_data_parallel *d = &r->parallel;
    const bool all = d->ranks && !d->sharded;
    trine_status status = TRINE_OK;
    *out = 0;
    for (int i = 0; i < (all ? d->ranks->size : 1) && !status; i++) {
        const size_t from = all && i ? d->ends[i - 1] : first, end = all ? d->ends[i] : first + n;
        double part;
        status = trine_grad_squares(&part, r->t->params, from, end - from, &r->kernels, r->t->team, err);
        if (!status) *out += part;
    }
    return status;
}

/* The gradient's norm; ERROR_NUMERIC names the tensor that has none. */
static trine_status norm_of(double *norm, running *r, size_t first, size_t n, int micro, trine_error *err)
{
    trine_params *p = r->t->params;
    double squares;
    trine_status status = squares_of(&squares, r, first, n, err);
    status = trine_ranks_agree(r->ranks, status, err);
    if (!status) status = trine_data_parallel_total(&r->parallel, &squares, err);
    if (status) return status;
    *norm = sqrt(squares);
    if (isfinite(squares)) return TRINE_OK;
    const trine_param *bad = trine_grad_not_finite(p, first, n);
    char what[200];
    snprintf(what, sizeof what, "the gradient of %.160s", bad ? bad->name : "the weights");
    status = trine_ranks_agree(r->ranks, bad || !r->ranks ? not_finite(r, micro, what, err) : TRINE_OK, err);
    return status ? status : not_finite(r, micro, what, err);
}

static trine_status optimise(running *r, double norm, size_t first, size_t n, trine_error *err)
{
    const trine_train_options *o = r->o;
    trine_params *p = r->t->params;
    /* As torch.nn.utils.clip_grad_norm_: divided by the norm and 1e-6. */
    const double clip = o->clip > 0 && norm > o->clip ? o->clip / (norm + 1e-6) : 1;
    const trine_adamw_options adamw = {
        .rate = trine_schedule_rate(&r->schedule, r->state.step),
        .beta1 = o->beta1,
        .beta2 = o->beta2,
        .eps = o->epsilon,
        .decay = o->weight_decay,
        .grad_scale = clip,
        .step = (uint64_t)r->state.step + 1,
        .no_hidden = r->muon,
        .clear = true,
        .average = r->average,
        .average_rate = 1 - (double)o->ema,
    };
    trine_adamw_run(p, first, n, &adamw, &r->kernels, r->t->team);
    if (r->muon) trine_muon_run(r->muon, &adamw);
    const trine_status status = trine_data_parallel_gather(&r->parallel, p->values, err);
    if (!status && (r->parallel.sharded || r->muon)) trine_params_round(p, r->t->team);
    return status;
}

static trine_status step(double *norm, running *r, trine_error *err)
{
    gathered g;
    double loss = 0;
    size_t first, n;
    bool stops = false;
    const int64_t n_batches = r->state.n_batches;
    trine_feed_tell(&r->state.place, r->t->feed);
    trine_status status = gather(&g, r, err);
    status = meet(&g, &stops, r, status, err);
    if (status || stops) {
        r->state.n_batches = n_batches;
        r->stop = stops;
        return status;
    }
    trine_data_parallel_begin(&r->parallel);
    status = compute(&loss, r, &g, err);
    status = exchange_gradients(&loss, r, status, err);
    trine_data_parallel_share(&first, &n, &r->parallel);
    if (!status) status = norm_of(norm, r, first, n, g.n - 1, err);
    if (!status) status = optimise(r, *norm, first, n, err);
    if (status) return status;
    r->state.n_tokens += (int64_t)g.n_tokens;
    r->state.loss = loss / g.weight;
    r->state.step++;
    trine_feed_tell(&r->state.place, r->t->feed);
    return TRINE_OK;
}

/* --------------------------------------------------------------------------------------------------------- measuring */

/* Values and their average change places: sessions and the learner then compute with the average. */
static void exchange(running *r)
{
    if (!r->average) return;
    for (size_t i = 0; i < r->t->params->n; i++) {
        const float kept = r->t->params->values[i];
        r->t->params->values[i] = r->average[i];
        r->average[i] = kept;
    }
    if (r->t->params->bf16) trine_params_round(r->t->params, r->t->team);
}

static trine_status valid_loss(double *out, running *r, trine_error *err)
{
    static const trine_feed_place beginning;
    double told[3] = { 0 };
    trine_status status = trine_feed_seek(r->t->valid, &beginning, err);
    int i = 0;
    for (bool end = false; !end && !status; end = trine_feed_at_end(r->t->valid)) {
        trine_train_batch b;
        double part, part_weight;
        const bool own = i++ % trine_n_ranks(r->ranks) == trine_rank(r->ranks);
        status = trine_feed_next(own ? &r->rooms[0] : NULL, r->t->valid, err);
        if (!status && own) status = trine_batch_end(&b, &r->rooms[0], err);
        if (!status && (!own || !(trine_batch_weight(&b) > 0))) continue;
        if (!status) status = r->t->learner.loss(&part, &part_weight, r->t->learner.self, &b, err);
        if (status) break;
        told[0] += part;
        told[1] += part_weight;
    }
    told[2] = status != TRINE_OK;
    const trine_status met = trine_ranks_sum(r->ranks, told, 3, status ? NULL : err);
    if (met || told[2] > 0) return trine_ranks_agree(r->ranks, status ? status : met, err);
    if (!(told[1] > 0)) return trine_fail(err, TRINE_ERROR_EMPTY, "train: nothing of the validation text is scored");
    *out = told[0] / told[1];
    return TRINE_OK;
}

/* Rank 0 alone writes. */
static trine_status save_model(running *r, bool last, trine_error *err)
{
    trine_status status = TRINE_OK;
    if (trine_is_first(r->ranks))
        status = trine_run_directory_save(&r->t->directory, last, r->t->params, r->t->model, &r->t->save, err);
    return trine_ranks_agree(r->ranks, status, err);
}

/* Measures, and keeps the model when it is the best so far. */
static trine_status validate(trine_train_event *e, running *r, trine_error *err)
{
    trine_trainer_state *s = &r->state;
    trine_status status = r->average ? trine_data_parallel_gather(&r->parallel, r->average, err) : TRINE_OK;
    if (status) return status;
    exchange(r);
    status = valid_loss(&e->valid_loss, r, err);
    if (!status && !isfinite(e->valid_loss)) status = measured_not_finite(r, "loss", err);
    if (!status && r->t->measure.name) status = r->t->measure.run(&e->valid_metric, r->t->measure.self, err);
    if (!status && !isfinite(e->valid_metric)) status = measured_not_finite(r, r->t->measure.name, err);
    if (!status) {
        e->validated = true;
        e->metric = r->t->measure.name;
        const double value = e->metric ? e->valid_metric : -e->valid_loss;
        e->best = !s->has_best || value > s->best || (value == s->best && e->metric && e->valid_loss < s->best_loss);
        if (e->best) {
            s->best = value;
            s->best_loss = e->valid_loss;
            s->best_step = s->step;
            s->has_best = true;
            s->n_worse = 0;
            status = save_model(r, false, err);
        } else {
            s->n_worse++;
        }
    }
    exchange(r);
    return status;
}

/* ------------------------------------------------------------------------------------------------------- checkpoints */

static double seconds_of(const running *r) { return r->seconds_before + (trine_clock_ms() - r->started_ms) / 1000; }

static trine_status save_checkpoint(running *r, trine_error *err)
{
    json_t *state;
    const char *dir = r->t->directory.checkpoints;
    r->state.seconds = seconds_of(r);
    trine_status status = r->average ? trine_data_parallel_gather(&r->parallel, r->average, err) : TRINE_OK;
    if (status) return status;
    status = trine_trainer_state_write(&state, &r->state, r->t->configuration, err);
    status = trine_ranks_agree(r->ranks, status, err);
    if (!status) status = trine_training_save(dir, (uint64_t)r->state.step, r->t->params, r->average, state, r->ranks, err);
    json_decref(state);
    if (status) return status;
    r->saved = r->state.step;
    if (trine_is_first(r->ranks)) status = trine_training_prune(dir, r->o->keep, TRINE_NO_STEP, err);
    return trine_ranks_agree(r->ranks, status, err);
}

/* All ranks must have found the same. */
static trine_status same_checkpoint(uint64_t at, running *r, trine_error *err)
{
    double told[] = { at == TRINE_NO_STEP ? 0 : (double)at + 1, 0 };
    if (trine_is_first(r->ranks)) told[1] = told[0] * trine_n_ranks(r->ranks);
    const double own = told[0];
    const trine_status status = trine_ranks_sum(r->ranks, told, 2, err);
    if (status || trine_n_ranks(r->ranks) == 1) return status;
    const double first = told[1] / trine_n_ranks(r->ranks);
    return trine_ranks_agree(r->ranks,
                             own == first
                                 ? TRINE_OK
                                 : trine_fail(err, TRINE_ERROR_FORMAT,
                                              "'%s' has its last checkpoint at step %.0f here, and rank 0 at step %.0f: the "
                                              "directory must lie on a file system that all ranks share",
                                              r->t->directory.checkpoints, own - 1, first - 1),
                             err);
}

static trine_status resume(running *r, trine_error *err)
{
    uint64_t at;
    json_t *state;
    trine_params *p = r->t->params;
    const char *dir = r->t->directory.checkpoints;
    trine_log_fn *log = trine_is_first(r->ranks) ? r->o->log : NULL;
    trine_status status = trine_training_load(&at, &state, dir, p, r->average, log, r->o->log_user, err);
    status = trine_ranks_agree(r->ranks, status, err);
    if (!status) status = same_checkpoint(at, r, err);
    if (!status && at == TRINE_NO_STEP) {
        if (log) log(r->o->log_user, "there is no checkpoint yet: the run begins at its beginning");
        return TRINE_OK;
    }
    if (!status) status = trine_trainer_state_read(&r->state, state, r->t->configuration, dir, err);
    if (!status) status = trine_feed_seek(r->t->feed, &r->state.place, err);
    json_decref(state);
    r->seconds_before = r->state.seconds;
    r->saved = (int64_t)at;
    return trine_ranks_agree(r->ranks, status, err);
}

/* ----------------------------------------------------------------------------------------------------------- telling */

/* All that decides the result, and where it is written: by its lock is known whether a run still goes on. New text, or NULL. */
static char *recorded_configuration(const running *r)
{
    char *out = realpath(r->t->directory.out, NULL), *text = NULL;
    json_t *c = json_copy(r->t->configuration);
    json_t *path = out ? json_string(out) : NULL; /* NULL for what is not UTF-8 */
    if (c && (!path || !json_object_set(c, TRINE_RECORD_OUT, path))) text = json_dumps(c, JSON_COMPACT);
    json_decref(path);
    json_decref(c);
    free(out);
    return text;
}

/* Whether the record's run of that number is this one: it may be another file than the run began with, and the directory may have been
 * moved since. */
static bool is_this_run(const running *r, const trine_run_info *k)
{
    if (k->id != r->state.record_run || strcmp(k->kind, r->t->kind) != 0) return false;
    json_t *then = json_loads(k->configuration, 0, NULL);
    if (then) json_object_del(then, TRINE_RECORD_OUT);
    const bool same = then && !trine_trainer_differs(then, r->t->configuration);
    json_decref(then);
    return same;
}

static trine_status is_recorded(bool *out, const running *r, trine_error *err)
{
    trine_runs runs = { 0 };
    *out = false;
    if (!r->state.record_run) return TRINE_OK;
    const trine_status status = trine_record_list(&runs, r->o->record, err);
    for (int i = 0; i < runs.n && !*out; i++) *out = is_this_run(r, &runs.items[i]);
    trine_runs_clear(&runs);
    return status;
}

/* A record that cannot be written costs no training: the run goes on without it. */
static void give_up_record(running *r, const trine_error *why)
{
    char text[sizeof why->text + 100];
    r->record = NULL;
    if (!r->o->log) return;
    snprintf(text, sizeof text, "%s; after step %" PRId64 " this run is not recorded", why->text, r->state.step);
    r->o->log(r->o->log_user, text);
}

static trine_status open_record(running *r, trine_error *err)
{
    trine_record *record = r->record = r->o->record;
    trine_error why = { 0 };
    bool there;
    if (!record) return TRINE_OK;
    char *text = recorded_configuration(r);
    if (!text) return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory");
    trine_status status = is_recorded(&there, r, &why);
    if (!status && there) status = trine_record_set_configuration(record, r->state.record_run, text, &why);
    if (!status)
        status = there ? trine_record_resume(record, r->state.record_run, r->state.step, &why)
                       : trine_record_begin(&r->state.record_run, record, r->t->kind, text, r->o->seed, &why);
    r->recorded = !status;
    if (status) give_up_record(r, &why);
    free(text);
    return TRINE_OK;
}

/* How the run ended, as far as the record can still be told. */
static void end_record(running *r, trine_status status)
{
    const char *how = !status ? "done" : status == TRINE_ERROR_CANCELLED ? "stopped" : "failed";
    trine_error why = { 0 };
    if (!r->recorded) return;
    if (trine_record_end(r->o->record, r->state.record_run, how, &why) && r->record) give_up_record(r, &why);
}

static trine_status tell(running *r, const trine_train_event *e, trine_error *err)
{
    trine_buffer b = { 0 };
    trine_buffer_printf(
        &b,
        "{\"step\":%" PRId64 ",\"epoch\":%.6g,\"loss\":%.17g,\"learning_rate\":%.9g,\"gradient_norm\":%.9g,\"tokens\":%" PRId64
        ",\"tokens_per_second\":%.6g,\"seconds\":%.3f",
        e->step, e->epoch, e->loss, e->learning_rate, e->gradient_norm, e->n_tokens, e->tokens_per_second, e->seconds);
    if (e->validated) trine_buffer_printf(&b, ",\"valid_loss\":%.17g", e->valid_loss);
    if (e->validated && e->metric) trine_buffer_printf(&b, ",\"valid_%s\":%.9g", e->metric, e->valid_metric);
    trine_buffer_puts(&b, "}\n");
    trine_status status = b.failed ? trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory")
                                   : trine_run_directory_line(&r->t->directory, b.data, err);
    trine_buffer_clear(&b);
    if (status || !r->record) return status;
    char name[48];
    snprintf(name, sizeof name, "valid_%.40s", e->metric ? e->metric : "");
    const trine_metric metrics[] = {
        { "loss", e->loss },
        { "learning_rate", e->learning_rate },
        { "gradient_norm", e->gradient_norm },
        { "tokens_per_second", e->tokens_per_second },
        { "valid_loss", e->valid_loss },
        { name, e->valid_metric },
    };
    trine_error why = { 0 };
    if (trine_record_metrics(r->record, r->state.record_run, e->step, metrics, !e->validated ? 4 : e->metric ? 6 : 5, &why))
        give_up_record(r, &why);
    return TRINE_OK;
}

static void measure_rate(trine_train_event *e, running *r, int64_t tokens_before, double began_ms)
{
    const double seconds = (trine_clock_ms() - began_ms) / 1000;
    const double now = seconds > 0 ? (double)(r->state.n_tokens - tokens_before) / seconds : 0;
    r->rate = r->rate > 0 ? 0.9 * r->rate + 0.1 * now : now;
    e->tokens_per_second = r->rate;
    const double per_step = (double)r->state.n_tokens / (double)r->state.step;
    e->seconds_left = r->rate > 0 ? (double)(r->t->n_steps - r->state.step) * per_step / r->rate : 0;
    e->seconds = seconds_of(r);
}

/* Whether something that is done every `every` steps is due; the last step has everything. */
static bool due(const running *r, int64_t every)
{
    return r->state.step == r->t->n_steps || (every > 0 && r->state.step % every == 0);
}

/* A run that was asked to stop: its checkpoint is there. */
static trine_status stopped(running *r, trine_error *err)
{
    const trine_status status = r->saved == r->state.step ? TRINE_OK : save_checkpoint(r, err);
    if (status) return status;
    return trine_fail(err, TRINE_ERROR_CANCELLED,
                      "train: stopped after step %" PRId64 " of %" PRId64
                      "; a checkpoint in %s holds it: the same command with --resume "
                      "goes on",
                      r->state.step, r->t->n_steps, r->t->directory.checkpoints);
}

static trine_status advance(running *r, trine_error *err)
{
    const int64_t tokens = r->state.n_tokens;
    const double began_ms = trine_clock_ms();
    trine_train_event e = { .n_steps = r->t->n_steps, .learning_rate = trine_schedule_rate(&r->schedule, r->state.step) };
    trine_status status = step(&e.gradient_norm, r, err);
    if (status) return status;
    if (r->stop) return stopped(r, err);
    e.step = r->state.step;
    e.loss = r->state.loss;
    e.epoch = trine_feed_epochs(r->t->feed);
    e.n_epochs = r->o->epochs;
    e.n_tokens = r->state.n_tokens;
    measure_rate(&e, r, tokens, began_ms);
    if (r->t->valid && due(r, r->o->eval_every)) status = validate(&e, r, err);
    if (status) return status;
    /* A failure to tell is this rank's alone: the others hear of it when they meet next. */
    if (trine_is_first(r->ranks)) r->failed = tell(r, &e, &r->why);
    const bool patient = !r->o->patience || r->state.n_worse < r->o->patience;
    if (due(r, r->o->save_every) || !patient) {
        status = save_checkpoint(r, err);
        e.saved = true;
    }
    if (status) return status;
    r->stop = !patient;
    r->asked_to_stop = r->o->on_step && !r->o->on_step(r->o->user, &e);
    return TRINE_OK;
}

/* The last weights: into OUT when nothing was measured, else beside. */
static trine_status finish(running *r, trine_error *err)
{
    if (r->failed && err) *err = r->why;
    trine_status status = trine_ranks_agree(r->ranks, r->failed, err);
    if (status || (r->t->valid && r->state.best_step == r->state.step)) return status;
    if (r->average) status = trine_data_parallel_gather(&r->parallel, r->average, err);
    if (status) return status;
    exchange(r);
    status = save_model(r, r->t->valid != NULL, err);
    exchange(r);
    return status;
}

static trine_status begin(running *r, trine_error *err)
{
    const trine_train_options *o = r->o;
    r->schedule = (trine_schedule) { .decay = o->decay,
                                     .rate = o->learning_rate,
                                     .floor = o->min_rate,
                                     .warmup = o->warmup > 0 ? o->warmup : 0,
                                     .steps = r->t->n_steps };
    r->rooms = calloc((size_t)o->accumulate, sizeof *r->rooms);
    r->batches = calloc((size_t)o->accumulate, sizeof *r->batches);
    if (o->ema > 0 && (r->average = malloc(r->t->params->n * sizeof *r->average)))
        memcpy(r->average, r->t->params->values, r->t->params->n * sizeof *r->average);
    trine_status status = TRINE_OK;
    if (!r->rooms || !r->batches || (o->ema > 0 && !r->average)) status = trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory");
    if (!status) status = trine_data_parallel_open(&r->parallel, o->ranks, r->t->params, o->shard_optimizer, err);
    if (!status && o->optimizer == TRINE_OPTIMIZER_MUON)
        status = trine_muon_open(&r->muon, r->t->params, &r->t->model->kernels, o->bf16, o->n_threads, r->t->team, err);
    status = trine_ranks_agree(o->ranks, status, err);
    if (!status && o->resume) status = resume(r, err);
    if (!status && trine_is_first(o->ranks)) {
        status = trine_run_directory_metrics(&r->t->directory, o->metrics, r->state.step, !o->resume && !o->overwrite, err);
        if (!status) status = open_record(r, err);
    }
    r->started_ms = trine_clock_ms();
    return trine_ranks_agree(o->ranks, status, err);
}

trine_status trine_trainer_run(trine_train_result *out, trine_trainer *t, trine_error *err)
{
    trine_ranks *ranks = trine_n_ranks(t->options->ranks) > 1 ? t->options->ranks : NULL;
    running r = { .t = t, .o = t->options, .ranks = ranks, .saved = -1 };
    trine_cpu level;
    trine_status status = trine_cpu_choose(&level, t->options->cpu, err);
    if (!status) trine_optimiser_kernels_init(&r.kernels, level);
    if (!status) status = trine_trainer_add_checksums(t, err);
    status = trine_ranks_agree(ranks, status, err);
    if (!status) status = trine_trainer_same_at_all(t, err);
    if (!status) status = begin(&r, err);
    r.stop = t->options->patience && r.state.n_worse >= t->options->patience; /* it had stopped so */
    while (!status && !r.stop && r.state.step < t->n_steps) status = advance(&r, err);
    if (!status) status = finish(&r, err);
    int64_t n_trained = 0;
    for (int i = 0; i < t->params->n_tensors; i++) n_trained += (int64_t)t->params->tensors[i].n;
    *out = (trine_train_result) {
        .n_parameters = t->model->info.n_parameters,
        .n_trained = n_trained,
        .steps = r.state.step,
        .n_tokens = r.state.n_tokens,
        .best_step = r.state.has_best ? r.state.best_step : r.state.step,
        .loss = r.state.loss,
        .measured = r.state.has_best,
        .valid_loss = r.state.best_loss,
        .valid_metric = t->measure.name ? r.state.best : 0,
        .seconds = seconds_of(&r),
        .early = r.state.step < t->n_steps && r.stop,
    };
    if (t->measure.name) snprintf(out->metric, sizeof out->metric, "%s", t->measure.name);
    end_record(&r, status);
    for (int i = 0; r.rooms && i < t->options->accumulate; i++) trine_batch_clear(&r.rooms[i]);
    free(r.rooms);
    free(r.batches);
    free(r.average);
    trine_muon_close(r.muon);
    trine_data_parallel_close(&r.parallel);
    return status;
}
