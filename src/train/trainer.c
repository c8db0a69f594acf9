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
#include "train/adamw.h"
#include "train/checkpoint_train.h"

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
    bool stop;
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
    t->n_batches = o->steps * o->accumulate;
    trine_status status = trine_feed_survey(&t->n_batches, &t->most, t->feed, o->steps ? 0 : o->epochs, err);
    t->n_steps = o->steps ? o->steps : (t->n_batches + o->accumulate - 1) / o->accumulate;
    if (!status && t->valid) {
        trine_feed_most most;
        int64_t n;
        status = trine_feed_survey(&n, &most, t->valid, 1, err);
        most_of_both(&t->most, &most);
    }
    return status;
}

/* ----------------------------------------------------------------------------------------------------- one step */

/* The micro-batches of a step, and the weight of all that they score. */
static trine_status gather(int *n, double *weight, running *r, trine_error *err)
{
    *n = 0;
    *weight = 0;
    while (*n < r->o->accumulate && r->state.n_batches < r->t->n_batches) {
        trine_status status = trine_feed_next(&r->rooms[*n], r->t->feed, err);
        if (!status) status = trine_batch_end(&r->batches[*n], &r->rooms[*n], err);
        if (status) return status;
        *weight += trine_batch_weight(&r->batches[*n]);
        r->state.n_tokens += r->batches[*n].n_rows + r->batches[*n].n_target_rows;
        r->state.n_batches++;
        (*n)++;
    }
    return *weight > 0 ? TRINE_OK
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

static trine_status step(double *norm, running *r, trine_error *err)
{
    const trine_train_options *o = r->o;
    trine_params *p = r->t->params;
    int n;
    double weight, loss = 0, squares;
    trine_feed_tell(&r->state.place, r->t->feed);
    trine_status status = gather(&n, &weight, r, err);
    for (int i = 0; i < n && !status; i++) {
        double part, part_weight;
        status = r->t->learner.run(&part, &part_weight, r->t->learner.self, &r->batches[i], (uint64_t)r->state.step, (uint64_t)i,
                                   (float)(1 / weight), err);
        if (!status && !isfinite(part)) return not_finite(r, i, "the loss", err);
        if (!status) loss += part;
    }
    if (!status) status = trine_grad_squares(&squares, p, 0, p->n, &r->kernels, r->t->team, err);
    if (status) return status;
    *norm = sqrt(squares);
    if (!isfinite(squares)) {
        const trine_param *bad = trine_grad_not_finite(p);
        char what[200];
        snprintf(what, sizeof what, "the gradient of %.160s", bad ? bad->name : "the weights");
        return not_finite(r, n - 1, what, err);
    }
    /* As torch.nn.utils.clip_grad_norm_: divided by the norm and 1e-6. */
    const double clip = o->clip > 0 && *norm > o->clip ? o->clip / (*norm + 1e-6) : 1;
    const trine_adamw_options adamw = {
        .rate = trine_schedule_rate(&r->schedule, r->state.step),
        .beta1 = o->beta1,
        .beta2 = o->beta2,
        .eps = o->epsilon,
        .decay = o->weight_decay,
        .grad_scale = clip,
        .step = (uint64_t)r->state.step + 1,
        .clear = true,
        .average = r->average,
        .average_rate = 1 - (double)o->ema,
    };
    trine_adamw_run(p, 0, p->n, &adamw, &r->kernels, r->t->team);
    r->state.loss = loss / weight;
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
    double loss = 0, weight = 0;
    trine_status status = trine_feed_seek(r->t->valid, &beginning, err);
    for (bool end = false; !end && !status; end = trine_feed_at_end(r->t->valid)) {
        trine_train_batch b;
        double part, part_weight;
        status = trine_feed_next(&r->rooms[0], r->t->valid, err);
        if (!status) status = trine_batch_end(&b, &r->rooms[0], err);
        if (!status && !(trine_batch_weight(&b) > 0)) continue;
        if (!status) status = r->t->learner.loss(&part, &part_weight, r->t->learner.self, &b, err);
        if (status) break;
        loss += part;
        weight += part_weight;
    }
    if (!status && !(weight > 0)) status = trine_fail(err, TRINE_ERROR_EMPTY, "train: nothing of the validation text is scored");
    *out = loss / weight;
    return status;
}

static trine_status save_model(running *r, bool last, trine_error *err)
{
    return trine_run_directory_save(&r->t->directory, last, r->t->params, r->t->model, &r->t->save, err);
}

/* Measures, and keeps the model when it is the best so far. */
static trine_status validate(trine_train_event *e, running *r, trine_error *err)
{
    trine_trainer_state *s = &r->state;
    exchange(r);
    trine_status status = valid_loss(&e->valid_loss, r, err);
    if (!status && r->t->measure.name) status = r->t->measure.run(&e->valid_metric, r->t->measure.self, err);
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
    trine_status status = trine_trainer_state_write(&state, &r->state, r->t->configuration, err);
    if (!status) status = trine_training_save(dir, (uint64_t)r->state.step, r->t->params, r->average, state, err);
    json_decref(state);
    if (status) return status;
    r->saved = r->state.step;
    return trine_training_prune(dir, r->o->keep, TRINE_NO_STEP, err);
}

static trine_status resume(running *r, trine_error *err)
{
    uint64_t at;
    json_t *state;
    trine_params *p = r->t->params;
    const char *dir = r->t->directory.checkpoints;
    trine_status status = trine_training_load(&at, &state, dir, p, r->average, r->o->log, r->o->log_user, err);
    if (status) return status;
    if (at == TRINE_NO_STEP) {
        if (r->o->log) r->o->log(r->o->log_user, "there is no checkpoint yet: the run begins at its beginning");
        return TRINE_OK;
    }
    status = trine_trainer_state_read(&r->state, state, r->t->configuration, dir, err);
    if (!status) status = trine_feed_seek(r->t->feed, &r->state.place, err);
    json_decref(state);
    r->seconds_before = r->state.seconds;
    r->saved = (int64_t)at;
    return status;
}

/* ----------------------------------------------------------------------------------------------------------- telling */

static trine_status open_record(running *r, trine_error *err)
{
    trine_record *record = r->o->record;
    if (!record) return TRINE_OK;
    trine_status status = TRINE_ERROR_NOT_FOUND;
    if (r->state.record_run) status = trine_record_resume(record, r->state.record_run, r->state.step, err);
    if (status != TRINE_ERROR_NOT_FOUND) return status;
    char *text = json_dumps(r->t->configuration, JSON_COMPACT);
    if (!text) return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory");
    status = trine_record_begin(&r->state.record_run, record, r->t->kind, text, r->o->seed, err);
    free(text);
    return status;
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
    if (status || !r->o->record) return status;
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
    return trine_record_metrics(r->o->record, r->state.record_run, e->step, metrics, !e->validated ? 4 : e->metric ? 6 : 5, err);
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

static trine_status advance(running *r, trine_error *err)
{
    const int64_t tokens = r->state.n_tokens;
    const double began_ms = trine_clock_ms();
    trine_train_event e = { .n_steps = r->t->n_steps, .learning_rate = trine_schedule_rate(&r->schedule, r->state.step) };
    trine_status status = step(&e.gradient_norm, r, err);
    if (status) return status;
    e.step = r->state.step;
    e.loss = r->state.loss;
    e.epoch = trine_feed_epochs(r->t->feed);
    e.n_epochs = r->o->epochs;
    e.n_tokens = r->state.n_tokens;
    measure_rate(&e, r, tokens, began_ms);
    if (r->t->valid && due(r, r->o->eval_every)) status = validate(&e, r, err);
    if (!status) status = tell(r, &e, err);
    const bool patient = !r->o->patience || r->state.n_worse < r->o->patience;
    if (!status && (due(r, r->o->save_every) || !patient)) {
        status = save_checkpoint(r, err);
        e.saved = true;
    }
    if (status) return status;
    r->stop = !patient;
    if (!r->o->on_step || r->o->on_step(r->o->user, &e)) return TRINE_OK;
    if (!e.saved && (status = save_checkpoint(r, err))) return status;
    return trine_fail(err, TRINE_ERROR_CANCELLED,
                      "train: stopped after step %" PRId64 " of %" PRId64
                      "; a checkpoint in %s holds it: the same command with --resume "
                      "goes on",
                      r->state.step, r->t->n_steps, r->t->directory.checkpoints);
}

/* The last weights: into OUT when nothing was measured, else beside. */
static trine_status finish(running *r, trine_error *err)
{
    if (r->t->valid && r->state.best_step == r->state.step) return TRINE_OK;
    exchange(r);
    const trine_status status = save_model(r, r->t->valid != NULL, err);
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
    if (!r->rooms || !r->batches || (o->ema > 0 && !r->average)) return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory");
    trine_status status = o->resume ? resume(r, err) : TRINE_OK;
    if (!status) status = trine_run_directory_metrics(&r->t->directory, o->metrics, r->state.step, err);
    if (!status) status = open_record(r, err);
    r->started_ms = trine_clock_ms();
    return status;
}

trine_status trine_trainer_run(trine_train_result *out, trine_trainer *t, trine_error *err)
{
    running r = { .t = t, .o = t->options, .saved = -1 };
    trine_cpu level;
    trine_status status = trine_cpu_choose(&level, t->options->cpu, err);
    if (!status) trine_optimiser_kernels_init(&r.kernels, level);
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
    if (t->options->record && r.state.record_run) {
        const char *how = !status ? "done" : status == TRINE_ERROR_CANCELLED ? "stopped" : "failed";
        const trine_status ended = trine_record_end(t->options->record, r.state.record_run, how, status ? NULL : err);
        if (!status) status = ended;
    }
    for (int i = 0; r.rooms && i < t->options->accumulate; i++) trine_batch_clear(&r.rooms[i]);
    free(r.rooms);
    free(r.batches);
    free(r.average);
    return status;
}
