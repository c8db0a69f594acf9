/* masks.c - what a mask does: the loss of one checkpoint under four masks, and of one that was trained without a mask on the same
 * objective, which sees the answer it is asked for.
 *
 * A next-token objective asks at every place for the token that stands at the next. Under a bidirectional mask that token is among the
 * keys: two layers copy it, the loss goes to nothing, and nothing is learnt that helps where there is no next token yet, at the end of a
 * text that is being written. All losses are of the same tokens, the second halves of the same texts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/team.h"
#include "compare/comparison.h"
#include "train/step.h"

enum { TRAINED = 2, WINDOW = 8, TESTS = 5 };
#define EXAM_SEED 0x7E57

static const trine_mask trained_masks[TRAINED] = { TRINE_MASK_CAUSAL, TRINE_MASK_BIDIRECTIONAL };
static const char *const trained_names[TRAINED] = { "causal", "bidirectional" };
static const char *const tests[TESTS] = { "causal", "bidirectional", "prefix", "window", "written" };

typedef struct masks {
    trine_comparison_options o;
    trine_grammar *world;
    trine_world_set texts;
    trine_exam exam;
    trine_size size;
    double floor; /* of the tokens that are scored */
    json_t *found[TRAINED];
    int which;
} masks;

/* -------------------------------------------------------------------------------------------------------------- losses */

/* The token after each beginning of text i, asked in the whole text: rows of its second half. The beginning is a prefix. */
static void add_halves(trine_batch_room *room, const trine_world_set *s, int64_t i)
{
    const int32_t *ids = s->ids + s->starts[i];
    const int n = (int)(s->starts[i + 1] - s->starts[i]), half = n / 2;
    trine_batch_add_text(room, NULL, NULL, 0, half + 1);
    trine_batch_add_row(room, TRINE_WORLD_BOS);
    for (int k = 0; k < n; k++) trine_batch_add_row(room, ids[k]);
    for (int k = half; k < n; k++) trine_batch_add_out(room, k, ids[k], 1);
}

/* The same questions as a writer meets them: the text ends where the question is. */
static void add_ends(trine_batch_room *room, const trine_world_set *s, int64_t i)
{
    const int32_t *ids = s->ids + s->starts[i];
    const int n = (int)(s->starts[i + 1] - s->starts[i]);
    for (int k = n / 2; k < n; k++) {
        trine_batch_add_text(room, NULL, NULL, 0, 0);
        trine_batch_add_row(room, TRINE_WORLD_BOS);
        for (int j = 0; j < k; j++) trine_batch_add_row(room, ids[j]);
        trine_batch_add_out(room, k, ids[k], 1);
    }
}

/* Nats a token of each text, under a mask. */
static trine_status test(json_t *found, const char *name, trine_step *step, const masks *m, trine_mask mask, bool ends,
                         trine_error *err)
{
    const trine_world_set *s = &m->exam.story;
    trine_batch_room room = { .prefix = mask == TRINE_MASK_PREFIX };
    char key[48];
    snprintf(key, sizeof key, "nats.%s", name);
    trine_status status = TRINE_OK;
    for (int64_t i = 0; i < s->n && !status; i++) {
        trine_train_batch b;
        double sum, weight;
        trine_batch_begin(&room);
        (ends ? add_ends : add_halves)(&room, s, i);
        status = trine_batch_end(&b, &room, err);
        if (status) break;
        b.mask = mask;
        status = trine_step_loss(&sum, &weight, step, &b, err);
        if (!status && !trine_findings_put(found, key, sum / weight))
            status = trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    }
    trine_batch_clear(&room);
    return status;
}

/* The same weights in a model whose layers see WINDOW tokens: Mistral is Llama with one. */
static trine_status test_window(json_t *found, const masks *m, const trine_contender *c, trine_error *err)
{
    trine_params *params = NULL;
    trine_model *model = NULL;
    trine_step *step = NULL;
    json_t *config = json_deep_copy(c->params->config);
    const trine_step_options step_options = { .n_threads = m->o.n_threads };
    trine_status status = config && !json_object_set_new(config, "model_type", json_string("mistral")) &&
                                  !json_object_set_new(config, "architectures", json_pack("[s]", "MistralForCausalLM")) &&
                                  !json_object_set_new(config, "sliding_window", json_integer(WINDOW))
                              ? TRINE_OK
                              : trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    const trine_params_options options = { .config = config, .n_threads = 1, .cpu = m->o.cpu };
    if (!status) status = trine_params_open(&params, &model, &options, err);
    if (!status && params->n != c->params->n) status = trine_fail(err, TRINE_ERROR_INTERNAL, "compare: another layout of weights");
    if (!status) {
        memcpy(params->values, c->params->values, params->n * sizeof *params->values);
        status = trine_step_open(&step, model, params, &step_options, err);
    }
    if (!status) status = test(found, "window", step, m, TRINE_MASK_DEFAULT, false, err);
    trine_step_close(step);
    trine_model_close(model);
    trine_params_close(params);
    json_decref(config);
    return status;
}

static trine_status test_all(json_t *found, const masks *m, const trine_contender *c, trine_mask own, trine_error *err)
{
    trine_step *step;
    const trine_step_options options = { .n_threads = m->o.n_threads };
    trine_status status = trine_step_open(&step, c->model, c->params, &options, err);
    if (status) return status;
    status = test(found, "causal", step, m, TRINE_MASK_CAUSAL, false, err);
    if (!status) status = test(found, "bidirectional", step, m, TRINE_MASK_BIDIRECTIONAL, false, err);
    if (!status) status = test(found, "prefix", step, m, TRINE_MASK_PREFIX, false, err);
    if (!status) status = test(found, "written", step, m, own, true, err);
    trine_step_close(step);
    return status ? status : test_window(found, m, c, err);
}

/* ------------------------------------------------------------------------------------------------------------ training */

static bool on_step(void *user, const trine_contender_progress *p)
{
    const masks *m = user;
    char what[64];
    snprintf(what, sizeof what, "trained with a %s mask", trained_names[m->which]);
    const double share = (m->which + (double)p->step / (double)p->n_steps) / TRAINED;
    return !m->o.on_progress || m->o.on_progress(m->o.user, what, (int)(1000 * share), 1000);
}

static trine_status find(json_t **out, masks *m, trine_error *err)
{
    const trine_contender_options options = { .seed = m->o.seed + 1,
                                              .n_threads = m->o.n_threads,
                                              .cpu = m->o.cpu,
                                              .n_points = 12,
                                              .mask = trained_masks[m->which],
                                              .on_step = on_step,
                                              .user = m };
    trine_contender *c = NULL;
    trine_examples *e = NULL, *v = NULL;
    json_t *skills = NULL;
    trine_status status = trine_contender_open(&c, &m->size, &options, err);
    if (!status) status = trine_world_examples(&e, &m->texts, TRINE_DECODER, options.seed, err);
    if (!status && (status = trine_world_examples(&v, &m->exam.story, TRINE_DECODER, EXAM_SEED, err))) trine_examples_close(e);
    if (!status) status = trine_contender_train(c, e, v, err);
    if (!status && !(*out = json_object())) status = trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    if (!status) status = test_all(*out, m, c, options.mask, err);
    if (!status) status = trine_exam_take(&skills, &m->exam, c->model, m->o.n_threads, err);
    bool fine = true;
    for (int i = 0; i < trine_findings_count(skills, "continue.valid") && !status; i++)
        fine = fine && trine_findings_put(*out, "valid", trine_findings_get(skills, "continue.valid", i));
    for (int i = 0; i < c->n_points && !status; i++)
        fine = fine && trine_findings_put(*out, "curve.tokens", (double)c->points[i].n_tokens) &&
               trine_findings_put(*out, "curve.loss", c->points[i].train_loss) &&
               trine_findings_put(*out, "curve.valid_loss", c->points[i].valid_loss);
    json_decref(skills);
    trine_contender_close(c);
    return status || fine ? status : trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
}

static trine_status one_model(masks *m, trine_error *err)
{
    json_t **out = &m->found[m->which];
    json_t *j =
        json_pack("{s:s,s:s,s:I,s:I,s:i,s:I,s:i,s:s}", "experiment", "masks", "trained", trained_names[m->which], "parameters",
                  (json_int_t)m->size.n_parameters, "tokens", (json_int_t)m->texts.n_tokens, "exam_texts", m->o.n_texts,
                  "exam_seed", (json_int_t)m->exam.seed, "threads", m->o.n_threads, "cpu", m->o.cpu ? m->o.cpu : "auto");
    char *configuration = j ? json_dumps(j, JSON_COMPACT) : NULL;
    json_decref(j);
    if (!configuration) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    trine_status status =
        m->o.anew ? TRINE_OK : trine_findings_recall(out, m->o.record, "compare", configuration, m->o.seed + 1, err);
    if (!status && !*out) {
        status = find(out, m, err);
        if (!status) status = trine_findings_keep(m->o.record, "compare", configuration, m->o.seed + 1, *out, err);
    }
    free(configuration);
    return status;
}

/* ------------------------------------------------------------------------------------------------------------- telling */

static trine_interval interval_of(const masks *m, int which, const char *key)
{
    const int n = trine_findings_count(m->found[which], key);
    double *list = malloc(((size_t)n + 1) * sizeof *list);
    trine_interval v = { (double)NAN, (double)NAN, (double)NAN };
    for (int i = 0; list && i < n; i++) list[i] = trine_findings_get(m->found[which], key, i);
    const double *const lists = list;
    if (list && n) v = trine_interval_of(&lists, 1, n, m->o.seed);
    free(list);
    return v;
}

static trine_interval test_interval(const masks *m, int which, int i)
{
    char key[48];
    snprintf(key, sizeof key, "nats.%s", tests[i]);
    return interval_of(m, which, key);
}

static void add_curve(trine_report *r, const masks *m, int which)
{
    enum { MOST = 64 };
    double x[MOST], y[MOST];
    int n = trine_findings_count(m->found[which], "curve.tokens");
    if (n > MOST) n = MOST;
    for (int i = 0; i < n; i++) {
        x[i] = trine_findings_get(m->found[which], "curve.tokens", i);
        y[i] = trine_findings_get(m->found[which], "curve.valid_loss", i);
    }
    char name[64];
    snprintf(name, sizeof name, "trained and measured %s", trained_names[which]);
    trine_report_series(r, name, TRINE_MARK_BOTH, n, x, y, NULL, NULL);
}

static void fill_object(json_t *root, const masks *m)
{
    if (!root) return;
    json_t *all = json_array();
    for (int w = 0; w < TRAINED; w++) {
        json_t *losses = json_object();
        for (int i = 0; i < TESTS; i++) {
            const trine_interval v = test_interval(m, w, i);
            json_object_set_new(losses, tests[i], json_pack("{s:f,s:f,s:f}", "value", v.mean, "low", v.low, "high", v.high));
        }
        const trine_interval valid = interval_of(m, w, "valid");
        json_array_append_new(all,
                              json_pack("{s:s,s:o,s:{s:f,s:f,s:f}}", "trained", trained_names[w], "loss", losses,
                                        "continuations_without_fault", "value", valid.mean, "low", valid.low, "high", valid.high));
    }
    json_object_set_new(root, "experiment", json_string("masks"));
    json_object_set_new(root, "parameters", json_integer((json_int_t)m->size.n_parameters));
    json_object_set_new(root, "tokens", json_integer((json_int_t)m->texts.n_tokens));
    json_object_set_new(root, "window", json_integer(WINDOW));
    json_object_set_new(root, "floor", json_real(m->floor));
    json_object_set_new(root, "models", all);
}

static trine_status tell(trine_report **out, const masks *m, trine_error *err)
{
    static const char *const rows[TESTS] = { "causal: the past", "bidirectional: everything", "prefix: the first half whole",
                                             "window: the last 8", "as it writes: text ends there" };
    trine_report *r;
    trine_interval v[TRAINED][TESTS], valid[TRAINED];
    trine_status status = trine_report_open(&r, "One model, other masks", err);
    if (status) return status;
    for (int w = 0; w < TRAINED; w++) {
        for (int i = 0; i < TESTS; i++) v[w][i] = test_interval(m, w, i);
        valid[w] = interval_of(m, w, "valid");
    }
    trine_report_text(
        r,
        "Two decoders of %lld parameters learnt next tokens of the same %lld stories, with the same weights at first: one under "
        "the causal mask, one under none. The loss in nats a token, of the second halves of %lld other stories; nobody who "
        "sees the past alone can have less than %.3f.",
        (long long)m->size.n_parameters, (long long)m->texts.n, (long long)m->exam.story.n, m->floor);
    trine_report_table(r, "Loss by the mask it is measured under, with 95% intervals",
                       "what a token sees|trained causal|without a mask");
    for (int i = 0; i < TESTS; i++)
        trine_report_row(r, "%s|%.3f (%.3f-%.3f)|%.3f (%.3f-%.3f)", rows[i], v[0][i].mean, v[0][i].low, v[0][i].high, v[1][i].mean,
                         v[1][i].low, v[1][i].high);
    trine_report_row(r, "drawn without a fault, %%|%.0f (%.0f-%.0f)|%.0f (%.0f-%.0f)", 100 * valid[0].mean, 100 * valid[0].low,
                     100 * valid[0].high, 100 * valid[1].mean, 100 * valid[1].low, 100 * valid[1].high);
    if (v[1][1].mean < m->floor)
        trine_report_text(
            r,
            "Trained and measured without a mask the loss is %.3f, below what any prediction can reach (%.3f): the next token is "
            "among the keys, and is copied. Where the text ends there is none to copy, and the same model loses %.3f nats a "
            "token; the causal one %.3f.",
            v[1][1].mean, m->floor, v[1][4].mean, v[0][4].mean);
    else
        trine_report_text(
            r,
            "Trained without a mask the loss is %.3f, not yet below the floor of %.3f: it has not learnt to copy in so few "
            "steps; where the text ends it is %.3f.",
            v[1][1].mean, m->floor, v[1][4].mean);
    trine_report_text(
        r,
        "The causal model, shown what it has not learnt to use: %+.3f nats under the bidirectional mask, %+.3f under the prefix, "
        "%+.3f with a window of %d.",
        v[0][1].mean - v[0][0].mean, v[0][2].mean - v[0][0].mean, v[0][3].mean - v[0][0].mean, WINDOW);
    trine_report_plot(r, "The loss that training shows", "tokens", "nats a token", false, false);
    for (int w = 0; w < TRAINED; w++) add_curve(r, m, w);
    const trine_grammar_facts *f = &m->world->rules[trine_grammar_find(m->world, "story")].facts;
    const double floor = f->nats / (f->tokens + 1);
    trine_report_series(r, "entropy of whole stories", TRINE_MARK_RULE, 1, NULL, &floor, NULL, NULL);
    fill_object(trine_report_object(r), m);
    status = trine_report_end(&r, err);
    *out = r;
    return status;
}

/* The exact cost of the scored tokens. */
static double floor_of(const trine_exam *exam, trine_error *err, trine_status *status)
{
    json_t *best;
    double sum = 0;
    if ((*status = trine_exam_best(&best, exam, err))) return 0;
    const int n = trine_findings_count(best, "continue.nats");
    for (int i = 0; i < n; i++) sum += trine_findings_get(best, "continue.nats", i);
    json_decref(best);
    return sum / n;
}

static trine_status open_all(masks *m, trine_error *err)
{
    trine_comparison_options *o = &m->o;
    if (o->data)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "compare masks: measured on the built-in corpus, whose floor is known: no data");
    if (!o->n_parameters) o->n_parameters = o->quick ? 100000 : 300000;
    if (!o->n_tokens) o->n_tokens = o->quick ? 400000 : 2000000;
    if (!o->n_texts) o->n_texts = o->quick ? 60 : 200;
    trine_status status = trine_team_size(&o->n_threads, err);
    if (!status) status = trine_world_open(&m->world, err);
    if (!status) status = trine_exam_open(&m->exam, m->world, EXAM_SEED + o->seed, o->n_texts, err);
    if (!status) status = trine_world_set_open(&m->texts, m->world, "story", o->seed + 1, 0, 0, o->n_tokens, err);
    if (!status)
        status = trine_size_near(&m->size, TRINE_DECODER, o->n_parameters, trine_world_vocab(m->world),
                                 trine_world_max_tokens(m->world), err);
    if (!status) m->floor = floor_of(&m->exam, err, &status);
    return status;
}

trine_status trine_compare_masks(trine_report **out, const trine_comparison_options *options, trine_error *err)
{
    masks m = { .o = options ? *options : (trine_comparison_options) { 0 } };
    *out = NULL;
    trine_status status = open_all(&m, err);
    for (m.which = 0; m.which < TRAINED && !status; m.which++) status = one_model(&m, err);
    if (!status) status = tell(out, &m, err);
    for (int w = 0; w < TRAINED; w++) json_decref(m.found[w]);
    trine_exam_close(&m.exam);
    trine_world_set_close(&m.texts);
    trine_grammar_close(m.world);
    return status;
}
