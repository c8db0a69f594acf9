/* step.c - see step.h. */
#include "train/step.h"

#include <stdlib.h>

#include "base/status.h"
#include "blocks/tape.h"
#include "generate/session.h"
#include "train/batch_room.h"
#include "train/contrast_loss.h"
#include "train/draw.h"

struct trine_step {
    trine_model *model;
    trine_params *params;
    trine_step_options o;
    trine_tape tape;
    trine_grad_watch watch;
    trine_arena arena;
    trine_team *team;
    trine_segment *targets; /* [targets_cap] a batch's target segments, which say where their sources are */
    int targets_cap;
    uint64_t seed; /* of the next run */
};

trine_status trine_step_open(trine_step **out, trine_model *model, trine_params *params, const trine_step_options *options,
                             trine_error *err)
{
    trine_step *s = *out = calloc(1, sizeof *s);
    if (!s) return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory");
    s->model = model;
    s->params = params;
    s->o = *options;
    if (s->o.n_threads < 1) s->o.n_threads = 1;
    trine_status status = trine_tape_open(&s->tape, model->info.n_decoder_layers, err);
    if (!status) status = trine_team_open(&s->team, s->o.n_threads, err);
    s->tape.values = params->values;
    s->tape.values_bf16 = s->o.bf16 ? params->bf16 : NULL;
    s->tape.grads = params->grads;
    s->tape.n_values = params->n;
    s->tape.recompute = s->o.recompute;
    if (!status) return TRINE_OK;
    trine_step_close(s);
    *out = NULL;
    return status;
}

void trine_step_close(trine_step *s)
{
    if (!s) return;
    trine_tape_close(&s->tape);
    trine_grad_watch_close(&s->watch);
    trine_arena_close(&s->arena);
    trine_team_close(s->team);
    free(s->targets);
    free(s);
}

void trine_step_set_step(trine_step *s, uint64_t step, uint64_t micro)
{
    s->seed = trine_draw_mix(trine_draw_mix(trine_draw_mix(s->o.seed) ^ step) ^ micro);
}

trine_status trine_step_watch(trine_step *s, trine_grads_final_fn *tell, void *user, trine_error *err)
{
    if (tell && !s->watch.last) {
        const trine_status status = trine_grad_watch_open(&s->watch, s->params, err);
        if (status) return status;
    }
    s->watch.tell = tell;
    s->watch.user = user;
    s->tape.watch = tell ? &s->watch.tape : NULL;
    return TRINE_OK;
}

size_t trine_step_bytes(const trine_step *s) { return s->arena.size + s->tape.pool.size; }
size_t trine_step_peak(const trine_step *s) { return s->arena.peak + s->tape.pool.peak; }

/* ------------------------------------------------------------------------------------------------------------ checks */

static trine_status check(const trine_step *s, const trine_train_batch *b, trine_error *err)
{
    const trine_model_info *info = &s->model->info;
    const int n_classes = trine_gives_labels(info->head) ? info->n_labels : info->vocab;
    trine_status status = trine_check_ids(s->model, b->ids, b->n_rows, "train", err);
    if (!status && b->types) status = trine_check_types(s->model, b->types, b->n_rows, err);
    if (!status && b->n_target_rows) status = trine_check_ids(s->model, b->target_ids, b->n_target_rows, "train: target", err);
    if (!status && (info->paradigm == TRINE_ENCODER_DECODER) != (b->n_target_rows > 0))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: a batch %s targets for a model %s a decoder of its own",
                          b->n_target_rows ? "with" : "without", b->n_target_rows ? "without" : "with");
    for (int i = 0; i < b->n_out && !status && !s->o.contrast; i++)
        if (b->labels[i] >= n_classes)
            status = trine_fail(err, TRINE_ERROR_ARGUMENT, "train: a label is %d, expected below %d", (int)b->labels[i], n_classes);
    for (int i = 0; i < b->n_texts && !status; i++)
        if (info->max_tokens && b->segments[i].n_rows > info->max_tokens)
            status = trine_fail(err, TRINE_ERROR_TOO_LONG, "train: a text of %d tokens, and the model takes %d",
                                b->segments[i].n_rows, info->max_tokens);
    return status;
}

/* The decoder's segments know the rows of their sources. */
static trine_status place_targets(trine_step *s, const trine_train_batch *b, trine_error *err)
{
    if (!b->n_target_rows) return TRINE_OK;
    if (b->n_texts > s->targets_cap) {
        trine_segment *grown = realloc(s->targets, (size_t)b->n_texts * sizeof *grown);
        if (!grown) return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory for a batch of %d texts", b->n_texts);
        s->targets = grown;
        s->targets_cap = b->n_texts;
    }
    for (int i = 0; i < b->n_texts; i++) {
        s->targets[i] = b->target_segments[i];
        s->targets[i].source_row = b->segments[i].first_row;
        s->targets[i].n_source = b->segments[i].n_rows;
    }
    return TRINE_OK;
}

/* -------------------------------------------------------------------------------------------------------------- pass */

/* One forward, loss and backward in `arena`. The batches live until the walk is over: ops read them again. */
static trine_status pass(double *loss, trine_step *s, const trine_train_batch *b, trine_arena *arena, float scale, bool learns,
                         trine_error *err)
{
    const trine_family *f = s->model->family;
    const trine_batch input = { .n_rows = b->n_rows,
                                .n_segments = b->n_texts,
                                .segments = b->segments,
                                .ids = b->ids,
                                .types = b->types,
                                .out_rows = b->n_target_rows || s->o.contrast ? NULL : b->out_rows,
                                .n_out = b->n_target_rows || s->o.contrast ? b->n_rows : b->n_out,
                                .mask = b->mask };
    const trine_batch target = { .n_rows = b->n_target_rows,
                                 .n_segments = b->n_texts,
                                 .segments = s->targets,
                                 .ids = b->target_ids,
                                 .out_rows = b->out_rows,
                                 .n_out = b->n_out };
    trine_pass p = { .arena = arena,
                     .kernels = &s->model->kernels,
                     .n_threads = s->o.n_threads,
                     .team = s->team,
                     .batch = &input,
                     .tape = &s->tape };
    trine_tape_reset(&s->tape);
    s->tape.seed = s->seed;
    s->tape.dropout = s->tape.dropout_attention = learns ? s->o.dropout : 0;
    trine_mat x;
    *loss = 0;
    switch (s->model->info.paradigm) {
    case TRINE_ENCODER: x = f->encode(s->model, &p); break;
    case TRINE_DECODER: x = f->decode(s->model, &p); break;
    default:
        x = f->encode(s->model, &p);
        f->cross(s->model, &p, x);
        p.batch = &target;
        x = f->decode(s->model, &p);
        break;
    }
    if (s->o.contrast) {
        trine_contrast_loss(&p, loss, x, s->model->info.pooling, scale);
    } else {
        f->head(s->model, &p, x);
        trine_softmax_loss(&p, loss, b->labels, b->weights, learns ? s->o.label_smoothing : 0, scale);
    }
    if (learns) trine_backward(&p);
    return trine_pass_status(&p, err);
}

/* What the pass needs: the same pass, counted. */
static trine_status measure(size_t *arena_bytes, size_t *pool_bytes, trine_step *s, const trine_train_batch *b, bool learns,
                            trine_error *err)
{
    trine_arena counter;
    double loss;
    const trine_grad_pool pool = s->tape.pool;
    s->tape.pool = (trine_grad_pool) { 0 };
    trine_arena_measure(&counter);
    if (s->tape.watch) trine_grad_watch_measure(&s->watch);
    const trine_status status = pass(&loss, s, b, &counter, 1, learns, err);
    *arena_bytes = counter.peak;
    *pool_bytes = s->tape.pool.peak;
    s->tape.pool = pool;
    return status;
}

trine_status trine_step_plan(size_t *activations, size_t *gradients, trine_step *s, const trine_train_batch *batch,
                             trine_error *err)
{
    *activations = *gradients = 0;
    trine_status status = check(s, batch, err);
    if (!status) status = place_targets(s, batch, err);
    return status ? status : measure(activations, gradients, s, batch, true, err);
}

/* It is taken where it is not there yet. */
static trine_status take_memory(trine_step *s, const trine_train_batch *b, bool learns, trine_error *err)
{
    const trine_grad_pool pool = s->tape.pool;
    size_t arena_bytes, pool_bytes;
    trine_status status = measure(&arena_bytes, &pool_bytes, s, b, learns, err);
    if (status) return status;
    if (arena_bytes > s->arena.size) {
        trine_arena_close(&s->arena);
        status = trine_arena_open(&s->arena, arena_bytes, err);
    }
    if (!status && (pool_bytes > pool.size || !pool.memory)) status = trine_tape_take_pool(&s->tape, pool_bytes, err);
    if (status)
        return trine_fail(
            err, TRINE_ERROR_MEMORY,
            "train: no memory for a batch of %d rows (%zu MiB): take a smaller batch (--batch-tokens, with --accumulate), or "
            "--recompute",
            b->n_rows + b->n_target_rows, (arena_bytes + pool_bytes) >> 20);
    return TRINE_OK;
}

static trine_status run(double *loss, double *weight, trine_step *s, const trine_train_batch *b, float scale, bool learns,
                        trine_error *err)
{
    *loss = 0;
    *weight = trine_batch_weight(b);
    trine_status status = check(s, b, err);
    if (!status) status = place_targets(s, b, err);
    if (!status) status = take_memory(s, b, learns, err);
    if (status) return status;
    trine_arena_reset(&s->arena);
    if (s->tape.watch) trine_grad_watch_begin(&s->watch);
    status = pass(loss, s, b, &s->arena, scale, learns, err);
    if (!status && s->watch.late)
        status = trine_fail(err, TRINE_ERROR_INTERNAL, "train: a gradient changed after it was told to be final");
    return status;
}

trine_status trine_step_run(double *loss, double *weight, trine_step *s, const trine_train_batch *batch, float scale,
                            trine_error *err)
{
    return run(loss, weight, s, batch, scale, true, err);
}

trine_status trine_step_loss(double *loss, double *weight, trine_step *s, const trine_train_batch *batch, trine_error *err)
{
    /* Parameters do not learn while there are none on the tape: nothing is noted for them, nor added to their gradients. */
    const size_t n = s->tape.n_values;
    s->tape.n_values = 0;
    const trine_status status = run(loss, weight, s, batch, 1, false, err);
    s->tape.n_values = n;
    return status;
}
