/* contender.c - see contender.h. */
#include "compare/contender.h"

#include <math.h>
#include <stdlib.h>

#include "base/cpu.h"
#include "base/status.h"
#include "base/team.h"
#include "compare/world.h"
#include "generate/clock.h"
#include "train/adamw.h"
#include "train/feed.h"
#include "train/schedule.h"
#include "train/step.h"

#define CLIP 1.0
#define MIN_SHARE 0.1 /* of the highest rate, at the end */

/* At a width of 64, times sqrt(64 / width): of those tried at 300,000 parameters on 3 million tokens (each twice as high as the one before)
 * the lowest loss. BERT's norms after the sum bear least: with 0.003 it never learnt to translate. T5 with 0.003 did not learn to
 * summarise in 24 million tokens of documents. */
double trine_contender_rate(const trine_size *size)
{
    static const double rates[] = { [TRINE_ENCODER] = 0.001, [TRINE_DECODER] = 0.004, [TRINE_ENCODER_DECODER] = 0.002 };
    return rates[size->paradigm] * sqrt(64.0 / size->d_model);
}

/* Weights, gradients and two moments in f32, before they are taken: a system that gives memory it does not have ends whoever uses it. */
static trine_status check_memory(const trine_size *size, trine_error *err)
{
    const double need = 16.0 * (double)size->n_parameters, there = (double)trine_memory_free();
    if (!(need > there)) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_MEMORY, "compare: a model of %lld parameters takes %.1f GiB to train, and %.1f GiB are free",
                      (long long)size->n_parameters, need / (1 << 30), there / (1 << 30));
}

trine_status trine_contender_open(trine_contender **out, const trine_size *size, const trine_contender_options *options,
                                  trine_error *err)
{
    *out = NULL;
    trine_status status = check_memory(size, err);
    if (status) return status;
    trine_contender *c = *out = calloc(1, sizeof *c);
    json_t *config = NULL;
    if (!c) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    c->size = *size;
    c->options = *options;
    trine_contender_options *o = &c->options;
    if (!(o->learning_rate > 0)) o->learning_rate = 0.003 * sqrt(64.0 / size->d_model);
    if (!o->batch_tokens) o->batch_tokens = 1024;
    if (!(o->epochs > 0)) o->epochs = 1;
    if (!o->n_points) o->n_points = 1;
    status = trine_team_size(&o->n_threads, err);
    if (!status) status = trine_size_config(&config, size, TRINE_WORLD_BOS, TRINE_WORLD_EOS, TRINE_WORLD_PAD, err);
    const trine_params_options params = {
        .config = config, .seed = o->seed, .grads = true, .adam = true, .n_threads = o->n_threads, .cpu = o->cpu
    };
    if (!status) status = trine_params_open(&c->params, &c->model, &params, err);
    json_decref(config);
    if (!status) return TRINE_OK;
    trine_contender_close(c);
    *out = NULL;
    return status;
}

void trine_contender_close(trine_contender *c)
{
    if (!c) return;
    trine_model_close(c->model);
    trine_params_close(c->params);
    free(c->points);
    free(c);
}

/* ------------------------------------------------------------------------------------------------------------ training */

typedef struct training {
    trine_contender *c;
    trine_step *step;
    trine_team *team;
    trine_optimiser_kernels kernels;
    trine_schedule schedule;
    trine_feed *feed, *valid;
    trine_batch_room room;
    int64_t n_steps, done, n_tokens;
    double flops, seconds;
    double loss, weight; /* since the last point */
} training;

static trine_status open_feed(trine_feed **out, trine_examples *examples, const trine_contender *c, bool shuffle, trine_error *err)
{
    const trine_feed_part part = { examples, 1 };
    const trine_feed_options options = { .batch_tokens = c->options.batch_tokens, .shuffle = shuffle, .seed = c->options.seed };
    return trine_feed_open(out, &part, 1, &options, err);
}

static void add_work(training *t, const trine_train_batch *b)
{
    trine_work w = { .rows = b->n_rows, .targets = b->n_target_rows, .outs = b->n_out };
    const bool causal = t->c->size.paradigm == TRINE_DECODER;
    for (int i = 0; i < b->n_texts; i++) {
        const double rows = b->segments[i].n_rows, targets = b->n_target_rows ? b->target_segments[i].n_rows : 0;
        w.pairs += causal ? rows * (rows + 1) / 2 : rows * rows;
        w.target_pairs += targets * (targets + 1) / 2;
        w.crosses += rows * targets;
    }
    t->flops += 3 * trine_size_flops(&t->c->size, &w);
    t->n_tokens += b->n_rows + b->n_target_rows;
}

static trine_status one_step(double *loss, training *t, trine_error *err)
{
    trine_params *p = t->c->params;
    trine_train_batch b;
    double sum, weight, squares;
    trine_status status = trine_feed_next(&t->room, t->feed, err);
    if (!status) status = trine_batch_end(&b, &t->room, err);
    if (status) return status;
    if (t->c->options.mask) b.mask = t->c->options.mask;
    weight = trine_batch_weight(&b);
    if (!(weight > 0)) return trine_fail(err, TRINE_ERROR_EMPTY, "compare: a batch in which nothing is asked");
    trine_step_set_step(t->step, (uint64_t)t->done, 0);
    status = trine_step_run(&sum, &weight, t->step, &b, (float)(1 / weight), err);
    if (!status) status = trine_grad_squares(&squares, p, 0, p->n, &t->kernels, t->team, err);
    if (status) return status;
    if (!isfinite(sum) || !isfinite(squares))
        return trine_fail(err, TRINE_ERROR_NUMERIC, "compare: the loss of step %lld is not finite: a lower learning rate may help",
                          (long long)t->done + 1);
    const double norm = sqrt(squares);
    const trine_adamw_options adamw = { .rate = trine_schedule_rate(&t->schedule, t->done),
                                        .beta1 = 0.9,
                                        .beta2 = 0.98,
                                        .decay = 0.1,
                                        .grad_scale = norm > CLIP ? CLIP / (norm + 1e-6) : 1,
                                        .step = (uint64_t)t->done + 1,
                                        .clear = true };
    trine_adamw_run(p, 0, p->n, &adamw, &t->kernels, t->team);
    add_work(t, &b);
    t->loss += sum;
    t->weight += weight;
    t->done++;
    *loss = sum / weight;
    return TRINE_OK;
}

static trine_status mean_loss(double *loss, double *n_scored, trine_step *step, trine_feed *feed, trine_batch_room *room,
                              trine_mask mask, trine_error *err)
{
    static const trine_feed_place beginning;
    double sum = 0, weight = 0;
    trine_status status = trine_feed_seek(feed, &beginning, err);
    for (bool end = false; !end && !status; end = trine_feed_at_end(feed)) {
        trine_train_batch b;
        double part, part_weight;
        status = trine_feed_next(room, feed, err);
        if (!status) status = trine_batch_end(&b, room, err);
        if (!status && mask) b.mask = mask;
        if (!status) status = trine_step_loss(&part, &part_weight, step, &b, err);
        if (status) break;
        sum += part;
        weight += part_weight;
    }
    *loss = sum / weight;
    *n_scored = weight;
    return status;
}

static trine_status add_point(training *t, trine_error *err)
{
    trine_contender *c = t->c;
    double n_scored;
    trine_contender_point *points = realloc(c->points, ((size_t)c->n_points + 1) * sizeof *points);
    if (!points) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    c->points = points;
    trine_contender_point *p = &points[c->n_points];
    *p = (trine_contender_point) { .step = t->done,
                                   .n_tokens = t->n_tokens,
                                   .flops = t->flops,
                                   .seconds = t->seconds,
                                   .train_loss = t->loss / t->weight,
                                   .valid_loss = (double)NAN };
    t->loss = t->weight = 0;
    trine_status status =
        t->valid ? mean_loss(&p->valid_loss, &n_scored, t->step, t->valid, &t->room, c->options.mask, err) : TRINE_OK;
    if (status) return status;
    c->n_points++;
    return c->options.on_point ? c->options.on_point(c->options.user, c->model, p, err) : TRINE_OK;
}

static trine_status learn(training *t, trine_error *err)
{
    const trine_contender_options *o = &t->c->options;
    trine_status status = TRINE_OK;
    int points = 0;
    while (!status && t->done < t->n_steps) {
        const double began = trine_clock_ms();
        double loss = 0;
        if ((status = one_step(&loss, t, err))) break;
        t->seconds += (trine_clock_ms() - began) / 1000;
        if (t->done * o->n_points >= (points + 1) * t->n_steps) {
            status = add_point(t, err);
            points = (int)(t->done * o->n_points / t->n_steps);
        }
        const trine_contender_progress now = { .step = t->done,
                                               .n_steps = t->n_steps,
                                               .seconds = t->seconds,
                                               .seconds_left = t->seconds * (double)(t->n_steps - t->done) / (double)t->done,
                                               .loss = loss };
        if (!status && o->on_step && !o->on_step(o->user, &now))
            status = trine_fail(err, TRINE_ERROR_CANCELLED, "compare: stopped after step %lld of %lld", (long long)t->done,
                                (long long)t->n_steps);
    }
    return status;
}

static trine_status begin(training *t, trine_error *err)
{
    const trine_contender_options *o = &t->c->options;
    const trine_step_options step = { .n_threads = o->n_threads, .seed = o->seed };
    trine_cpu level;
    trine_feed_most most;
    trine_status status = trine_feed_survey(&t->n_steps, &most, t->feed, o->epochs, err);
    if (!status) status = trine_cpu_choose(&level, o->cpu, err);
    if (!status) trine_optimiser_kernels_init(&t->kernels, level);
    if (!status) status = trine_team_open(&t->team, o->n_threads, err);
    if (!status) status = trine_step_open(&t->step, t->c->model, t->c->params, &step, err);
    t->schedule = (trine_schedule) { .decay = TRINE_DECAY_COSINE,
                                     .rate = o->learning_rate,
                                     .floor = MIN_SHARE * o->learning_rate,
                                     .warmup = t->n_steps / 20,
                                     .steps = t->n_steps };
    return status;
}

trine_status trine_contender_train(trine_contender *c, trine_examples *examples, trine_examples *valid, trine_error *err)
{
    training t = { .c = c };
    trine_status status = open_feed(&t.feed, examples, c, true, err);
    if (status)
        trine_examples_close(valid);
    else if (valid)
        status = open_feed(&t.valid, valid, c, false, err);
    if (!status) status = begin(&t, err);
    if (!status) status = learn(&t, err);
    if (t.step) c->bytes = 4 * c->params->n * sizeof(float) + trine_step_bytes(t.step);
    trine_step_close(t.step);
    trine_team_close(t.team);
    trine_feed_close(t.feed);
    trine_feed_close(t.valid);
    trine_batch_clear(&t.room);
    return status;
}

trine_status trine_contender_loss(double *loss, double *n_scored, trine_contender *c, trine_examples *examples, trine_error *err)
{
    trine_feed *feed;
    trine_step *step = NULL;
    trine_batch_room room = { 0 };
    const trine_step_options options = { .n_threads = c->options.n_threads };
    trine_status status = open_feed(&feed, examples, c, false, err);
    if (!status) status = trine_step_open(&step, c->model, c->params, &options, err);
    if (!status) status = mean_loss(loss, n_scored, step, feed, &room, c->options.mask, err);
    trine_step_close(step);
    trine_feed_close(feed);
    trine_batch_clear(&room);
    return status;
}
