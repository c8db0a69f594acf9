/* comparison.c - three paradigms on equal terms: sizes that are made equal, the same texts, each trained and measured. */
#include "compare/comparison.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "base/team.h"
#include "compare/costs.h"
#include "compare/own_texts.h"

/* The seed of what all are measured on; trainings draw theirs from others. */
#define EXAM_SEED 0x7E57
#define POINTS 12
/* What measuring costs beside training, for the progress alone. */
#define EXAM_SHARE 0.25

static const trine_paradigm paradigms[TRINE_PARADIGMS] = { TRINE_ENCODER, TRINE_DECODER, TRINE_ENCODER_DECODER };
enum { BATCH_TOKENS = 512 };
/* Four layers where the width stays 40 or more. Half of two is one, and an encoder-decoder of one layer on each side did not learn to
 * translate, reverse and summarise in as many tokens as one of two did. */
enum { LAYERS = 4, LEAST_PARAMETERS = 100000 };
static int layers_of(int64_t n) { return n < LEAST_PARAMETERS || n > 4000000 ? 0 : LAYERS; }

static trine_status fill_options(trine_comparison_options *o, trine_error *err)
{
    if (!o->n_parameters) o->n_parameters = o->quick ? 150000 : 300000;
    if (!o->n_tokens) o->n_tokens = o->quick ? 1800000 : 5000000;
    if (!o->n_seeds) o->n_seeds = o->quick ? 1 : 3;
    if (!o->n_texts) o->n_texts = o->quick ? 100 : 300;
    if (o->n_seeds < 0 || o->n_seeds > TRINE_MOST_SEEDS)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "compare: %d seeds, expected 1 to %d", o->n_seeds, TRINE_MOST_SEEDS);
    if (o->n_tokens < 2000 || o->n_tokens > (int64_t)1 << 33)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "compare: %" PRId64 " tokens to learn from, expected 2,000 or more",
                          o->n_tokens);
    if (o->n_texts < 4 || o->n_texts > 100000)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "compare: %d texts to measure on, expected 4 to 100,000", o->n_texts);
    return trine_team_size(&o->n_threads, err);
}

/* ---------------------------------------------------------------------------------------------------------------- texts */

/* What seed `s` trains on: the built-in corpus makes other texts for each, the reader's stay. */
static trine_status open_texts(trine_world_set *set, const trine_comparison *c, int s, trine_error *err)
{
    return trine_world_set_open(set, c->world, "world", c->options.seed + 1 + (uint64_t)s, 0, 0, c->options.n_tokens, err);
}

static trine_status open_exam(trine_comparison *c, trine_error *err)
{
    const trine_comparison_options *o = &c->options;
    if (!o->data) {
        trine_status status = trine_world_open(&c->world, err);
        return status ? status : trine_exam_open(&c->exam, c->world, EXAM_SEED + o->seed, o->n_texts, err);
    }
    trine_status status = trine_own_texts_open(&c->own, &c->held, o->data, o->n_tokens, o->n_threads, err);
    if (status) return status;
    c->exam = (trine_exam) { .seed = EXAM_SEED + o->seed, .story = c->held }; /* borrowed: the exam is not closed */
    if (c->exam.story.n > o->n_texts) c->exam.story.n = o->n_texts;
    return TRINE_OK;
}

static int max_tokens(const trine_comparison *c) { return c->world ? trine_world_max_tokens(c->world) : TRINE_OWN_LENGTH + 8; }

/* ---------------------------------------------------------------------------------------------------------------- sizes */

static trine_status work_of(trine_work *w, const trine_world_set *set, trine_paradigm p, trine_error *err)
{
    trine_examples *e;
    trine_status status = trine_world_examples(&e, set, p, 1, err);
    if (status) return status;
    trine_world_work(w, set, e);
    trine_examples_close(e);
    return TRINE_OK;
}

/* The size whose training on these texts costs as much as `flops`: by bisection, for the cost grows with the number. */
static trine_status size_of_cost(trine_size *out, trine_paradigm p, const trine_work *w, double flops, int vocab, int positions,
                                 int64_t n, trine_error *err)
{
    int64_t low = n / 8, high = n * 8;
    trine_status status = TRINE_OK;
    for (int k = 0; k < 40 && high - low > n / 1000 + 1 && !status; k++) {
        const int64_t mid = low + (high - low) / 2;
        status = trine_size_of_layers(out, p, mid, layers_of(n), vocab, positions, err);
        if (status) break;
        const double ratio = trine_size_flops(out, w) / flops;
        if (ratio > 0.995 && ratio < 1.005) break;
        *(ratio < 1 ? &low : &high) = mid;
    }
    return status;
}

static trine_status make_equal(trine_comparison *c, const trine_world_set *set, trine_error *err)
{
    const trine_comparison_options *o = &c->options;
    const int positions = max_tokens(c), vocab = set->vocab;
    trine_status status = TRINE_OK;
    for (int p = 0; p < TRINE_PARADIGMS && !status; p++) {
        status = work_of(&c->work[p], set, paradigms[p], err);
        if (!status)
            status = trine_size_of_layers(&c->sizes[p], paradigms[p], o->n_parameters, layers_of(o->n_parameters), vocab, positions,
                                          err);
    }
    if (status) return status;
    const double flops = trine_size_flops(&c->sizes[1], &c->work[1]);
    for (int p = 0; p < TRINE_PARADIGMS && !status && o->equal_compute; p++)
        if (p != 1) status = size_of_cost(&c->sizes[p], paradigms[p], &c->work[p], flops, vocab, positions, o->n_parameters, err);
    for (int p = 0; p < TRINE_PARADIGMS; p++) c->flops[p] = 3 * c->epochs * trine_size_flops(&c->sizes[p], &c->work[p]);
    return status;
}

trine_status trine_comparison_open(trine_comparison *c, const trine_comparison_options *options, trine_error *err)
{
    *c = (trine_comparison) { .options = *options, .epochs = 1 };
    trine_world_set set = { 0 };
    trine_status status = fill_options(&c->options, err);
    if (!status) status = open_exam(c, err);
    if (!status && c->world) status = open_texts(&set, c, 0, err);
    const trine_world_set *first = c->world ? &set : &c->own;
    if (!status) {
        c->n_tokens = first->n_tokens;
        c->n_texts = first->n;
        if (!c->world) c->epochs = fmin(20, fmax(1, floor((double)c->options.n_tokens / (double)first->n_tokens)));
        status = make_equal(c, first, err);
    }
    if (!status) status = trine_exam_best(&c->best, &c->exam, err);
    trine_world_set_close(&set);
    for (int p = 0; p < TRINE_PARADIGMS; p++) c->total += c->options.n_seeds * c->flops[p] * (1 + EXAM_SHARE);
    if (status) trine_comparison_close(c);
    return status;
}

void trine_comparison_close(trine_comparison *c)
{
    for (int p = 0; p < TRINE_PARADIGMS; p++)
        for (int s = 0; s < TRINE_MOST_SEEDS; s++) json_decref(c->found[p][s]);
    json_decref(c->best);
    if (c->world) trine_exam_close(&c->exam);
    trine_world_set_close(&c->own);
    trine_world_set_close(&c->held);
    trine_grammar_close(c->world);
    *c = (trine_comparison) { 0 };
}

/* -------------------------------------------------------------------------------------------------------------- models */

typedef struct training {
    trine_comparison *c;
    int which, seed;
    double before; /* work done before this model */
} training;

static bool tell(const trine_comparison *c, int which, int s, double done)
{
    char what[96];
    if (!c->options.on_progress) return true;
    snprintf(what, sizeof what, "%s, seed %d of %d", trine_comparison_text(c, which), s + 1, c->options.n_seeds);
    return c->options.on_progress(c->options.user, what, (int)(1000 * done / c->total), 1000);
}

static bool on_step(void *user, const trine_contender_progress *p)
{
    const training *t = user;
    return tell(t->c, t->which, t->seed, t->before + t->c->flops[t->which] * (double)p->step / (double)p->n_steps);
}

/* All that decides the numbers, on one line. New memory (free). */
static char *configuration_of(const trine_comparison *c, int which)
{
    const trine_comparison_options *o = &c->options;
    const trine_size *z = &c->sizes[which];
    json_t *j = json_pack("{s:s,s:s,s:s,s:s*,s:{s:i,s:i,s:i,s:i,s:i,s:I},s:I,s:I,s:f,s:i,s:I,s:i,s:s}", "experiment", "paradigms",
                          "paradigm", trine_comparison_text(c, which), "equal", o->equal_compute ? "compute" : "parameters", "data",
                          o->data, "model", "layers", z->n_layers, "width", z->d_model, "heads", z->n_heads, "ff", z->d_ff, "vocab",
                          z->vocab, "parameters", (json_int_t)z->n_parameters, "tokens", (json_int_t)c->n_tokens, "texts",
                          (json_int_t)c->n_texts, "epochs", c->epochs, "exam_texts", o->n_texts, "exam_seed",
                          (json_int_t)c->exam.seed, "threads", o->n_threads, "cpu", o->cpu ? o->cpu : "auto");
    char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;
    json_decref(j);
    return text;
}

static bool put_points(json_t *found, const trine_contender *k)
{
    bool fine = true;
    for (int i = 0; i < k->n_points; i++) {
        const trine_contender_point *p = &k->points[i];
        fine = fine && trine_findings_put(found, "curve.step", (double)p->step) &&
               trine_findings_put(found, "curve.tokens", (double)p->n_tokens) &&
               trine_findings_put(found, "curve.flops", p->flops) && trine_findings_put(found, "curve.seconds", p->seconds) &&
               trine_findings_put(found, "curve.loss", p->train_loss) &&
               trine_findings_put(found, "curve.valid_loss", p->valid_loss);
    }
    return fine && trine_findings_put(found, "training.bytes", (double)k->bytes);
}

static trine_status put_costs(json_t *found, const trine_comparison *c, int which, trine_error *err)
{
    static const int quick[] = { 32, 128, 512 }, standard[] = { 32, 128, 512, 1024, 2048 };
    const int n = c->options.quick ? 3 : 5, *lengths = c->options.quick ? quick : standard;
    trine_cost costs[TRINE_COST_LENGTHS];
    const trine_status status = trine_costs_measure(costs, &c->sizes[which], lengths, n, c->options.n_threads, c->options.cpu, err);
    bool fine = true;
    for (int i = 0; i < n && !status; i++)
        fine = fine && trine_findings_put(found, "cost.input", costs[i].n_input) &&
               trine_findings_put(found, "cost.first_ms", costs[i].first_ms) &&
               trine_findings_put(found, "cost.token_ms", costs[i].token_ms) &&
               trine_findings_put(found, "cost.cache_bytes", costs[i].cache_bytes) &&
               trine_findings_put(found, "cost.cross_bytes", costs[i].cross_bytes) &&
               trine_findings_put(found, "cost.arena_bytes", costs[i].arena_bytes);
    return status || fine ? status : trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
}

/* Trains model `which` on `set`, and measures it. */
static trine_status find(json_t **out, trine_comparison *c, int which, int s, const trine_world_set *set, trine_error *err)
{
    training t = { c, which, s, c->done };
    const trine_contender_options options = { .seed = c->options.seed + 1 + (uint64_t)s,
                                              .n_threads = c->options.n_threads,
                                              .cpu = c->options.cpu,
                                              .learning_rate = trine_contender_rate(&c->sizes[which]),
                                              .batch_tokens = BATCH_TOKENS,
                                              .epochs = c->epochs,
                                              .n_points = POINTS,
                                              .on_step = on_step,
                                              .user = &t };
    trine_contender *k = NULL;
    trine_examples *e = NULL, *v = NULL;
    trine_world_set valid = { 0 };
    trine_status status = trine_contender_open(&k, &c->sizes[which], &options, err);
    if (!status && c->world)
        status = trine_world_set_open(&valid, c->world, "world", EXAM_SEED + c->options.seed, 0, 2 * c->options.n_texts, 0, err);
    if (!status) status = trine_world_examples(&e, set, paradigms[which], options.seed, err);
    if (!status && (status = trine_world_examples(&v, c->world ? &valid : &c->exam.story, paradigms[which], EXAM_SEED, err)))
        trine_examples_close(e);
    if (!status) status = trine_contender_train(k, e, v, err);
    if (!status) status = trine_exam_take(out, &c->exam, k->model, c->options.n_threads, err);
    if (!status && !put_points(*out, k)) status = trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    trine_contender_close(k);
    trine_world_set_close(&valid);
    if (!status && !s) status = put_costs(*out, c, which, err);
    return status;
}

/* From the record, or made and put there. */
static trine_status one_model(trine_comparison *c, int which, int s, const trine_world_set *set, trine_error *err)
{
    const trine_comparison_options *o = &c->options;
    json_t **out = &c->found[which][s];
    char *configuration = configuration_of(c, which);
    if (!configuration) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    const uint64_t seed = o->seed + 1 + (uint64_t)s;
    trine_status status = o->anew ? TRINE_OK : trine_findings_recall(out, o->record, "compare", configuration, seed, err);
    if (!status && *out) {
        c->n_recalled++;
    } else if (!status) {
        status = find(out, c, which, s, set, err);
        if (!status) status = trine_findings_keep(o->record, "compare", configuration, seed, *out, err);
    }
    free(configuration);
    c->done += c->flops[which] * (1 + EXAM_SHARE);
    c->n_finished += !status;
    if (!status && !tell(c, which, s, c->done)) status = trine_fail(err, TRINE_ERROR_CANCELLED, "compare: stopped");
    return status;
}

trine_status trine_comparison_run(trine_comparison *c, trine_error *err)
{
    trine_status status = TRINE_OK;
    for (int s = 0; s < c->options.n_seeds && !status; s++) {
        trine_world_set set = { 0 };
        if (c->world) status = open_texts(&set, c, s, err);
        for (int p = 0; p < TRINE_PARADIGMS && !status; p++) status = one_model(c, p, s, c->world ? &set : &c->own, err);
        trine_world_set_close(&set);
    }
    return status;
}

trine_status trine_compare_paradigms(trine_report **out, const trine_comparison_options *options, trine_error *err)
{
    static const trine_comparison_options defaults = { 0 };
    trine_comparison c;
    *out = NULL;
    trine_status status = trine_comparison_open(&c, options ? options : &defaults, err);
    if (status) return status;
    status = trine_comparison_run(&c, err);
    if (status == TRINE_ERROR_CANCELLED)
        trine_fail(err, status, "compare: stopped with %d of %d models finished: %s", c.n_finished,
                   TRINE_PARADIGMS * c.options.n_seeds,
                   c.options.record ? "they are kept in the record, and the same command goes on from here"
                                    : "without a record they are lost");
    if (!status) status = trine_comparison_tell(out, &c, err);
    trine_comparison_close(&c);
    return status;
}
