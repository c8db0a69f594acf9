/* ladder.c - see ladder.h. A ladder is known again by its configuration, which stands in the record: the newest unfinished run of the
 * same version with the same configuration is gone on with, and rungs that it holds are not trained again. */
#include "compare/ladder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "compare/contender.h"
#include "compare/kept_run.h"
#include "compare/paradigm_words.h"
#include "compare/recall.h"

enum {
    BATCH_TOKENS = 512,
    VALID_TEXTS = 300,
    RECALL_TEXTS = 200,
    STEPS_A_RUNG = 100, /* in the record: the rung's own, then its points of recall */
    SHARES = 10000,     /* of progress */
    RUNGS_MOST = 100000
};

static const char kind[] = "compare scaling";
static const int64_t quick_sizes[] = { 12000, 19000, 30000, 46000, 70000, 105000 };
static const int64_t quick_budgets[] = { 30000, 80000, 220000 };
static const int64_t sizes[] = { 12000, 20000, 36000, 64000, 110000, 190000, 330000 };
static const int64_t budgets[] = { 50000, 150000, 450000, 1350000 };
#define QUICK_RECALL 480000
#define RECALL 6000000
#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* About what a rung costs: an encoder-decoder's tokens pass half of its layers. */
static double cost_of(const trine_rung *r)
{
    return (r->paradigm == TRINE_ENCODER_DECODER ? 0.5 : 1) * ((double)r->n_parameters + 20000) * (double)r->n_tokens;
}

trine_status trine_ladder_open(trine_ladder *out, const trine_grammar *world, const trine_ladder_options *options, trine_error *err)
{
    *out = (trine_ladder) { .world = world };
    trine_ladder_options *o = &out->options;
    if (options) *o = *options;
    if (!o->n_sizes) {
        o->sizes = o->quick ? quick_sizes : sizes;
        o->n_sizes = o->quick ? COUNT(quick_sizes) : COUNT(sizes);
    }
    if (!o->n_budgets) {
        o->budgets = o->quick ? quick_budgets : budgets;
        o->n_budgets = o->quick ? COUNT(quick_budgets) : COUNT(budgets);
    }
    if (!o->recall_tokens) o->recall_tokens = o->quick ? QUICK_RECALL : RECALL;
    if (!o->sizes || !o->budgets) return trine_fail(err, TRINE_ERROR_ARGUMENT, "scaling: sizes or budgets that are not there");
    if (o->n_sizes < 0 || o->n_budgets < 0 || o->n_sizes > RUNGS_MOST / 3 / o->n_budgets)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "scaling: %d sizes and %d budgets, expected %d runs at most", o->n_sizes,
                          o->n_budgets, RUNGS_MOST);
    out->rungs = calloc(3 * ((size_t)o->n_sizes * (size_t)o->n_budgets + 1), sizeof *out->rungs);
    if (!out->rungs) return trine_fail(err, TRINE_ERROR_MEMORY, "scaling: no memory");
    for (int b = 0; b < o->n_budgets; b++)
        for (int s = 0; s < o->n_sizes; s++)
            for (int p = TRINE_ENCODER; p <= TRINE_ENCODER_DECODER; p++)
                out->rungs[out->n++] =
                    (trine_rung) { .paradigm = (trine_paradigm)p, .n_parameters = o->sizes[s], .n_tokens = o->budgets[b] };
    for (int p = TRINE_ENCODER; p <= TRINE_ENCODER_DECODER && o->recall_tokens > 0; p++)
        out->rungs[out->n++] = (trine_rung) {
            .paradigm = (trine_paradigm)p, .n_parameters = o->sizes[o->n_sizes - 1], .n_tokens = o->recall_tokens, .watched = true
        };
    for (int i = 0; i < out->n; i++)
        if (out->rungs[i].n_parameters < 1 || out->rungs[i].n_tokens < 1) {
            const trine_status status = trine_fail(
                err, TRINE_ERROR_ARGUMENT, "scaling: %" PRId64 " parameters and %" PRId64 " tokens, expected numbers above 0",
                out->rungs[i].n_parameters, out->rungs[i].n_tokens);
            trine_ladder_close(out);
            return status;
        }
    return TRINE_OK;
}

void trine_ladder_close(trine_ladder *l)
{
    free(l->rungs);
    l->rungs = NULL;
    l->n = 0;
}

/* ----------------------------------------------------------------------------------------------------------- the record */

/* JSON that says all that a rung's result depends on. */
static char *configuration_of(const trine_ladder *l)
{
    trine_buffer b = { 0 };
    const trine_ladder_options *o = &l->options;
    trine_buffer_printf(&b,
                        "{\"corpus\":\"world\",\"batch_tokens\":%d,\"seed\":%" PRIu64 ",\"recall_tokens\":%" PRId64 ",\"sizes\":[",
                        BATCH_TOKENS, o->seed, o->recall_tokens);
    for (int i = 0; i < o->n_sizes; i++) trine_buffer_printf(&b, "%s%" PRId64, i ? "," : "", o->sizes[i]);
    trine_buffer_puts(&b, "],\"tokens\":[");
    for (int i = 0; i < o->n_budgets; i++) trine_buffer_printf(&b, "%s%" PRId64, i ? "," : "", o->budgets[i]);
    trine_buffer_puts(&b, "]}");
    return trine_buffer_take(&b);
}

/* One metric of all rungs from the record, by what stands at each rung's step. */
static trine_status read_metric(trine_ladder *l, const char *name, trine_error *err)
{
    trine_series s;
    const trine_status status = trine_record_series(&s, l->options.record, l->run, name, err);
    if (status) return status;
    for (int i = 0; i < s.n; i++) {
        const int64_t rung = s.steps[i] / STEPS_A_RUNG, point = s.steps[i] % STEPS_A_RUNG - 1;
        if (rung < 0 || rung >= l->n || point >= TRINE_RECALL_POINTS) continue;
        trine_rung *r = &l->rungs[rung];
        if (!strcmp(name, "parameters")) r->run.parameters = s.values[i];
        if (!strcmp(name, "tokens") && point < 0) r->run.tokens = s.values[i];
        if (!strcmp(name, "flops")) r->run.flops = s.values[i];
        if (!strcmp(name, "seconds")) r->seconds = s.values[i];
        if (!strcmp(name, "loss")) {
            r->run.loss = s.values[i];
            r->finished = true;
        }
        if (point < 0) continue;
        if (!strcmp(name, "recall")) r->recall[point].share = s.values[i];
        if (!strcmp(name, "recall_tokens")) r->recall[point].tokens = s.values[i];
        if (r->n_recall <= point) r->n_recall = (int)point + 1;
    }
    trine_series_clear(&s);
    return TRINE_OK;
}

/* Finds the ladder in the record, or begins it there. */
static trine_status find_run(trine_ladder *l, trine_error *err)
{
    static const char *const names[] = { "parameters", "tokens", "flops", "seconds", "loss", "recall", "recall_tokens" };
    bool found;
    char *configuration = configuration_of(l);
    if (!configuration) return trine_fail(err, TRINE_ERROR_MEMORY, "scaling: no memory");
    trine_status status = trine_kept_run_find(&l->run, &found, l->options.record, kind, configuration, l->options.seed, err);
    for (int i = 0; i < COUNT(names) && !status && found; i++) status = read_metric(l, names[i], err);
    free(configuration);
    return status;
}

static trine_status keep_rung(const trine_ladder *l, int rung, trine_error *err)
{
    const trine_rung *r = &l->rungs[rung];
    const trine_metric metrics[] = { { "parameters", r->run.parameters },
                                     { "tokens", r->run.tokens },
                                     { "flops", r->run.flops },
                                     { "seconds", r->seconds },
                                     { "loss", r->run.loss } };
    return l->options.record
               ? trine_record_metrics(l->options.record, l->run, (int64_t)rung * STEPS_A_RUNG, metrics, COUNT(metrics), err)
               : TRINE_OK;
}

/* ---------------------------------------------------------------------------------------------------------- one rung */

typedef struct climbing {
    trine_ladder *ladder;
    trine_rung *rung;
    int number;
    trine_world_set valid, recall;
    double before, all; /* costs: of the rungs that are finished, and of all */
    char what[80];
} climbing;

static bool go_on(const climbing *c, double share)
{
    const trine_ladder_options *o = &c->ladder->options;
    if (!o->on_progress) return true;
    const double done = c->all > 0 ? (c->before + share * cost_of(c->rung)) / c->all : 1;
    return o->on_progress(o->user, c->what, (int)(SHARES * done), SHARES);
}

static bool on_step(void *user, const trine_contender_progress *p) { return go_on(user, (double)p->step / (double)p->n_steps); }

/* Recall, at a point of a run that is watched. */
static trine_status on_point(void *user, trine_model *model, const trine_contender_point *point, trine_error *err)
{
    climbing *c = user;
    const trine_ladder *l = c->ladder;
    trine_rung *r = c->rung;
    if (!r->watched || r->n_recall == TRINE_RECALL_POINTS) return TRINE_OK;
    trine_recall_point *to = &r->recall[r->n_recall];
    to->tokens = (double)point->n_tokens;
    const trine_status status = trine_recall_accuracy(&to->share, model, &c->recall, l->options.n_threads, err);
    if (status) return status;
    r->n_recall++;
    const trine_metric metrics[] = { { "recall", to->share }, { "recall_tokens", to->tokens } };
    return l->options.record ? trine_record_metrics(l->options.record, l->run, (int64_t)c->number * STEPS_A_RUNG + r->n_recall,
                                                    metrics, COUNT(metrics), err)
                             : TRINE_OK;
}

static trine_status train_rung(climbing *c, trine_error *err)
{
    const trine_ladder_options *o = &c->ladder->options;
    const trine_grammar *world = c->ladder->world;
    trine_rung *r = c->rung;
    trine_world_set set = { 0 };
    trine_size size;
    trine_contender *contender = NULL;
    trine_examples *examples = NULL, *valid = NULL;
    const trine_contender_options options = { .seed = o->seed,
                                              .n_threads = o->n_threads,
                                              .cpu = o->cpu,
                                              .batch_tokens = BATCH_TOKENS,
                                              .n_points = r->watched ? TRINE_RECALL_POINTS : 1,
                                              .on_step = on_step,
                                              .on_point = on_point,
                                              .user = c };
    r->n_recall = 0;
    trine_status status =
        trine_size_near(&size, r->paradigm, r->n_parameters, trine_world_vocab(world), trine_world_max_tokens(world), err);
    if (!status) status = trine_world_set_open(&set, world, "world", o->seed + 1, 0, 0, r->n_tokens, err);
    if (!status) status = trine_contender_open(&contender, &size, &options, err);
    if (!status) status = trine_world_examples(&examples, &set, r->paradigm, o->seed, err);
    if (!status) status = trine_world_examples(&valid, &c->valid, r->paradigm, o->seed, err);
    if (!status)
        status = trine_contender_train(contender, examples, valid, err); /* takes both over */
    else
        trine_examples_close(examples);
    if (!status) {
        const trine_contender_point *last = &contender->points[contender->n_points - 1];
        r->run = (trine_scaling_run) { (double)size.n_parameters, (double)set.n_tokens, last->valid_loss, last->flops };
        r->seconds = last->seconds;
        r->finished = true;
    }
    trine_contender_close(contender);
    trine_world_set_close(&set);
    return status;
}

static trine_status climb(climbing *c, trine_error *err)
{
    trine_ladder *l = c->ladder;
    trine_status status = TRINE_OK;
    int n_finished = 0;
    for (int i = 0; i < l->n; i++) {
        c->all += cost_of(&l->rungs[i]);
        c->before += l->rungs[i].finished ? cost_of(&l->rungs[i]) : 0;
        n_finished += l->rungs[i].finished;
    }
    for (int i = 0; i < l->n && !status; i++) {
        c->rung = &l->rungs[i];
        c->number = i;
        if (c->rung->finished) continue;
        snprintf(c->what, sizeof c->what, "%d of %d: %s, %" PRId64 "k on %" PRId64 "k tokens", n_finished + 1, l->n,
                 trine_words_of(c->rung->paradigm)->name, c->rung->n_parameters / 1000, c->rung->n_tokens / 1000);
        status = go_on(c, 0) ? train_rung(c, err) : trine_fail(err, TRINE_ERROR_CANCELLED, "scaling: stopped");
        if (status) break;
        status = keep_rung(l, i, err);
        c->before += cost_of(c->rung);
        n_finished++;
    }
    if (status == TRINE_ERROR_CANCELLED)
        trine_fail(err, status, "scaling: stopped with %d of %d models finished: %s", n_finished, l->n,
                   l->options.record ? "they are kept in the record, and the same command goes on from here"
                                     : "without a record they are lost");
    return status;
}

trine_status trine_ladder_climb(trine_ladder *l, trine_error *err)
{
    climbing c = { .ladder = l };
    trine_status status = l->options.record ? find_run(l, err) : TRINE_OK;
    if (!status) status = trine_world_set_open(&c.valid, l->world, "world", l->options.seed + 2, 0, VALID_TEXTS, 0, err);
    if (!status) status = trine_world_set_open(&c.recall, l->world, "recall", l->options.seed + 3, 0, RECALL_TEXTS, 0, err);
    if (!status) status = climb(&c, err);
    trine_world_set_close(&c.valid);
    trine_world_set_close(&c.recall);
    return status;
}
