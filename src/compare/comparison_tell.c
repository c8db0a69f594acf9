/* comparison_tell.c - what the standard comparison found: tables, curves, and sentences that are made from the numbers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "base/status.h"
#include "compare/comparison.h"

/* A measure of the exam, as it is told. */
typedef struct measure {
    const char *key, *task;
    const char *writer_key; /* another for decoder and encoder-decoder; NULL: the same */
    bool share;             /* of texts, told in percent; else nats: less is better */
    bool within;            /* a second look at a task, of one paradigm: no part in verdicts */
} measure;
static const measure measures[] = {
    { "fill.right", "fill a blank, %", "fill.rescored", true, false },
    { "-", "  by one pass, %", "fill.right", true, true },
    { "continue.nats", "continue, nats", NULL, false, false },
    { "continue.valid", "  without a fault, %", NULL, true, true },
    { "translate.exact", "translate, exact %", NULL, true, false },
    { "reverse.exact", "reverse, exact %", NULL, true, false },
    { "summarise.facts", "summarise, facts %", NULL, true, false },
    { "classify.right", "classify, %", NULL, true, false },
    { "recall.right", "recall, %", NULL, true, false },
};
/* What the JSON has, as it was measured. */
static const char *const keys[] = { "fill.right",      "fill.nats",       "fill.rescored",  "continue.nats", "continue.valid",
                                    "translate.exact", "translate.words", "reverse.exact",  "reverse.words", "summarise.exact",
                                    "summarise.words", "summarise.facts", "classify.right", "recall.right" };
enum { KEYS = (int)(sizeof keys / sizeof *keys) };
enum { MEASURES = (int)(sizeof measures / sizeof *measures) };

/* ------------------------------------------------------------------------------------------------------------- numbers */

/* A measure over all seeds of a paradigm; NAN where it has none. */
static trine_interval interval_of(const trine_comparison *c, int which, const char *key)
{
    trine_interval none = { (double)NAN, (double)NAN, (double)NAN };
    const int n = trine_findings_count(c->found[which][0], key), n_seeds = c->options.n_seeds;
    double *all = n ? malloc((size_t)n * (size_t)n_seeds * sizeof *all) : NULL;
    const double *lists[TRINE_MOST_SEEDS];
    if (!all) return none;
    for (int s = 0; s < n_seeds; s++) {
        lists[s] = all + (size_t)s * (size_t)n;
        for (int i = 0; i < n; i++) all[(size_t)s * (size_t)n + (size_t)i] = trine_findings_get(c->found[which][s], key, i);
    }
    none = trine_interval_of(lists, n_seeds, n, c->options.seed);
    free(all);
    return none;
}

static double best_of(const trine_comparison *c, const char *key)
{
    const int n = trine_findings_count(c->best, key);
    double sum = 0;
    for (int i = 0; i < n; i++) sum += trine_findings_get(c->best, key, i);
    return n ? sum / n : (double)NAN;
}

/* The last number of a list of the first seed. */
static double last_of(const trine_comparison *c, int which, const char *key)
{
    return trine_findings_get(c->found[which][0], key, trine_findings_count(c->found[which][0], key) - 1);
}

static const char *show(char out[48], const measure *m, const trine_interval *v)
{
    if (!isfinite(v->mean))
        snprintf(out, 48, "-");
    else if (m->share)
        trine_print(out, 48, "%.0f (%.0f-%.0f)", 100 * v->mean, 100 * v->low, 100 * v->high);
    else
        trine_print(out, 48, "%.2f (%.2f-%.2f)", v->mean, v->low, v->high);
    return out;
}

/* --------------------------------------------------------------------------------------------------------------- equal */

static void tell_equal(trine_report *r, const trine_comparison *c)
{
    const trine_comparison_options *o = &c->options;
    char a[32], b[32], d[32], e[32];
    trine_report_text(r, "%s texts with %s tokens, %d seed%s of weights, order%s, the same for all three. %s",
                      trine_plot_number(a, (double)c->n_texts, 3), trine_plot_number(b, (double)c->n_tokens, 3), o->n_seeds,
                      o->n_seeds == 1 ? "" : "s", c->world ? " and texts" : "",
                      c->world
                          ? "The built-in corpus: its entropy is known, and so what nobody can do better."
                          : "The reader's own text: its entropy is not known, so no floor is drawn; the built-in corpus's tasks "
                            "(translate, reverse, summarise, classify, recall) are not in it.");
    trine_report_table(r, o->equal_compute ? "Made equal: the operations of training" : "Made equal: parameters, and the texts",
                       "|layers|width|parameters|tokens|FLOPs|FLOPs a token");
    for (int p = 0; p < TRINE_PARADIGMS; p++) {
        const trine_size *z = &c->sizes[p];
        const double tokens = c->epochs * (c->work[p].rows + c->work[p].targets);
        char layers[32];
        snprintf(layers, sizeof layers, p == 2 ? "%d + %d" : "%d", z->n_layers, z->n_layers);
        trine_report_row(r, "%s|%s|%d|%lld|%s|%s|%s", trine_comparison_text(c, p), layers, z->d_model, (long long)z->n_parameters,
                         trine_plot_number(a, tokens, 3), trine_plot_number(b, c->flops[p], 3),
                         trine_plot_number(d, c->flops[p] / tokens, 3));
    }
    const double tokens1 = c->epochs * c->work[1].rows, tokens2 = c->epochs * (c->work[2].rows + c->work[2].targets);
    const double a_token = c->flops[2] / tokens2 / (c->flops[1] / tokens1);
    trine_report_text(r,
                      "A token passes every layer of a decoder, and in an encoder-decoder those of one half: here a token of the "
                      "encoder-decoder costs "
                      "%.2f of the decoder's with %.2f times its parameters. With %s, so %s.",
                      a_token, (double)c->sizes[2].n_parameters / (double)c->sizes[1].n_parameters,
                      o->equal_compute ? "--equal compute sizes are chosen so that trainings cost the same"
                                       : "--equal parameters sizes are the same",
                      o->equal_compute ? "the encoder-decoder is the larger model"
                                       : "its training is the cheaper one; --equal compute gives it the parameters that it saves");
    (void)e;
}

/* -------------------------------------------------------------------------------------------------------------- skills */

/* Which is best at a measure, and whether its interval is apart from all others. -1: not measured. */
static int best_paradigm(bool *apart, const trine_comparison *c, const measure *m, trine_interval v[TRINE_PARADIGMS])
{
    int best = -1;
    *apart = true;
    for (int p = 0; p < TRINE_PARADIGMS; p++) {
        v[p] = interval_of(c, p, p > 0 && m->writer_key ? m->writer_key : m->key);
        if (!isfinite(v[p].mean)) continue;
        if (best < 0 || (m->share ? v[p].mean > v[best].mean : v[p].mean < v[best].mean)) best = p;
    }
    for (int p = 0; p < TRINE_PARADIGMS && best >= 0; p++)
        if (p != best && isfinite(v[p].mean) && (m->share ? v[p].high >= v[best].low : v[p].low <= v[best].high)) *apart = false;
    return best;
}

/* Sentences from the table: what is told apart, what is not, what nobody can do. */
static void tell_verdicts(trine_report *r, const trine_comparison *c)
{
    char told[600] = "", untold[600] = "", nobody[300] = "";
    for (int i = 0; i < MEASURES; i++) {
        const measure *m = &measures[i];
        trine_interval v[TRINE_PARADIGMS];
        bool apart;
        const int best = m->within ? -1 : best_paradigm(&apart, c, m, v), n = (int)strcspn(m->task, ",");
        if (best < 0) continue;
        char *text = m->share && !(v[best].mean > 0) ? nobody : apart ? told : untold;
        bool alike = true; /* where all have the same mean, nobody's is the highest */
        for (int p = 0; p < TRINE_PARADIGMS; p++) alike = alike && !(fabs(v[p].mean - v[best].mean) > 1e-9);
        const size_t cap = text == nobody ? sizeof nobody : sizeof told, at = strlen(text);
        if (text == nobody)
            snprintf(text + at, cap - at, "%s%.*s", at ? ", " : "", n, m->task);
        else
            snprintf(text + at, cap - at, "%s%.*s (%s)", at ? ", " : "", n, m->task,
                     alike ? "all the same" : trine_comparison_text(c, best));
    }
    if (*told) trine_report_text(r, "Best, and apart from the others: %s.", told);
    if (*untold)
        trine_report_text(r, "Intervals overlap, so that these runs do not tell who is best; the highest mean: %s.", untold);
    if (*nobody) trine_report_text(r, "None of the three has learnt it yet: %s.", nobody);
}

static void tell_skills(trine_report *r, const trine_comparison *c)
{
    trine_report_heading(r, "What they can do");
    trine_report_table(r, "Right, with 95% intervals (bootstrap); best: nobody can do better",
                       "% or nats|best|encoder|decoder|enc-dec");
    for (int i = 0; i < MEASURES; i++) {
        const measure *m = &measures[i];
        trine_interval v[TRINE_PARADIGMS];
        char cells[TRINE_PARADIGMS][48], best[48] = "-";
        bool apart;
        if (best_paradigm(&apart, c, m, v) < 0) continue;
        const double limit = best_of(c, m->key);
        if (isfinite(limit)) trine_print(best, sizeof best, m->share ? "%.0f" : "%.2f", m->share ? 100 * limit : limit);
        trine_report_row(r, "%s|%s|%s|%s|%s", m->task, best, show(cells[0], m, &v[0]), show(cells[1], m, &v[1]),
                         show(cells[2], m, &v[2]));
    }
    tell_verdicts(r, c);
    trine_report_set_detail(r, true);
    trine_report_text(
        r, "How each is asked. Fill a blank: the encoder fills [MASK]. Of the eight words that the encoder-decoder finds likeliest "
           "for a "
           "sentinel, and the decoder by what is before the blank, the one with which all is likeliest: the end of the answer, the "
           "rest of "
           "the text (the row below: the likeliest of the eight, for which the decoder saw what is before alone, and the "
           "encoder-decoder did not know that one word is missing). Continue: decoder and encoder-decoder by next tokens; the "
           "encoder fills "
           "masks behind the text from left to right, as many as the text has tokens. Translate, reverse, summarise: decoder and "
           "encoder-decoder write the likeliest "
           "token until the end token; the encoder fills all blanks of the answer, the surest first (the end token fills "
           "those left over). Classify: the likelihoods of the two labels are compared, by the encoder in a blank. Recall: "
           "the likeliest word.");
    trine_report_set_detail(r, false);
}

/* -------------------------------------------------------------------------------------------------------------- curves */

static double *list_of(const json_t *found, const char *key, int n, double scale)
{
    double *list = malloc(((size_t)n + 1) * sizeof *list);
    for (int i = 0; list && i < n; i++) list[i] = scale * trine_findings_get(found, key, i);
    return list;
}

static void add_curve(trine_report *r, const trine_comparison *c, int which, const char *x_key, const char *y_key)
{
    const json_t *found = c->found[which][0];
    const int n = trine_findings_count(found, x_key);
    double *x = list_of(found, x_key, n, 1), *y = list_of(found, y_key, n, 1);
    if (x && y)
        trine_report_series(r, trine_comparison_text(c, which), TRINE_MARK_BOTH, n, x, y, NULL, NULL);
    else
        trine_report_set_failed(r);
    free(x);
    free(y);
}

static void tell_learning(trine_report *r, const trine_comparison *c)
{
    char a[32], b[32];
    trine_report_heading(r, "How they learn");
    trine_report_plot(r, "Loss on texts not seen, each of its own objective", "tokens", "nats a scored token", false, false);
    for (int p = 0; p < TRINE_PARADIGMS; p++) add_curve(r, c, p, "curve.tokens", "curve.valid_loss");
    if (c->world) {
        const trine_grammar_facts *f = &c->world->rules[trine_grammar_find(c->world, "world")].facts;
        const double floor = f->nats / (f->tokens + 1);
        trine_report_series(r, "floor of the decoder's", TRINE_MARK_RULE, 1, NULL, &floor, NULL, NULL);
    }
    trine_report_text(r, c->world ? "The floor is the corpus's entropy a token, for whoever reads texts from their beginnings: the "
                                    "decoder's objective. Losses of different objectives cannot be compared with each other."
                                  : "Losses of different objectives cannot be compared with each other.");
    trine_report_table(r, "Training", "|seconds|tokens a second|GFLOP/s|memory, MiB");
    for (int p = 0; p < TRINE_PARADIGMS; p++) {
        const double seconds = last_of(c, p, "curve.seconds"), tokens = last_of(c, p, "curve.tokens");
        trine_report_row(r, "%s|%.1f|%s|%s|%.1f", trine_comparison_text(c, p), seconds, trine_plot_number(a, tokens / seconds, 3),
                         trine_plot_number(b, c->flops[p] / seconds / 1e9, 3), last_of(c, p, "training.bytes") / 1048576);
    }
}

static void tell_costs(trine_report *r, const trine_comparison *c)
{
    trine_report_heading(r, "What an answer costs");
    trine_report_table(r, "Against the tokens that are read first", "|input|first, ms|further, ms|cache, KiB|work, KiB");
    for (int p = 0; p < TRINE_PARADIGMS; p++) {
        const json_t *f = c->found[p][0];
        for (int i = 0; i < trine_findings_count(f, "cost.input"); i++)
            trine_report_row(r, "%s|%.0f|%.2f|%.3f|%.0f|%.0f", trine_comparison_text(c, p), trine_findings_get(f, "cost.input", i),
                             trine_findings_get(f, "cost.first_ms", i), trine_findings_get(f, "cost.token_ms", i),
                             (trine_findings_get(f, "cost.cache_bytes", i) + trine_findings_get(f, "cost.cross_bytes", i)) / 1024,
                             trine_findings_get(f, "cost.arena_bytes", i) / 1024);
    }
    trine_report_plot(r, "Time to the first token", "input, tokens", "ms", true, true);
    for (int p = 0; p < TRINE_PARADIGMS; p++) add_curve(r, c, p, "cost.input", "cost.first_ms");
    trine_report_plot(r, "Time for each further token", "input, tokens", "ms", true, true);
    for (int p = 0; p < TRINE_PARADIGMS; p++) add_curve(r, c, p, "cost.input", "cost.token_ms");
    trine_report_text(
        r, "A decoder keeps keys and values of all it has read and written; an encoder-decoder those of the source, for its "
           "decoder's layers, and of what it writes; an encoder keeps nothing, and reads everything again for each blank.");
}

/* ---------------------------------------------------------------------------------------------------------------- JSON */

static json_t *number(double v) { return isfinite(v) ? json_real(v) : json_null(); }

static json_t *lists_json(const json_t *found, const char *prefix)
{
    json_t *out = json_object(), *list;
    const char *key;
    json_object_foreach((json_t *)(uintptr_t)found, key, list) if (!strncmp(key, prefix, strlen(prefix)))
        json_object_set(out, key + strlen(prefix), list);
    return out;
}

static json_t *paradigm_json(const trine_comparison *c, int p)
{
    const trine_size *z = &c->sizes[p];
    json_t *tasks = json_object(), *curves = json_array();
    for (int i = 0; i < KEYS; i++) {
        const trine_interval v = interval_of(c, p, keys[i]);
        if (!isfinite(v.mean)) continue;
        json_object_set_new(tasks, keys[i],
                            json_pack("{s:o,s:o,s:o}", "value", number(v.mean), "low", number(v.low), "high", number(v.high)));
    }
    for (int s = 0; s < c->options.n_seeds; s++) json_array_append_new(curves, lists_json(c->found[p][s], "curve."));
    const double seconds = last_of(c, p, "curve.seconds");
    return json_pack("{s:s,s:s,s:i,s:i,s:I,s:I,s:f,s:f,s:f,s:f,s:f,s:o,s:o,s:o}", "paradigm", trine_comparison_text(c, p),
                     "architecture", trine_words_of(c->sizes[p].paradigm)->architecture, "layers", z->n_layers, "width", z->d_model,
                     "parameters", (json_int_t)z->n_parameters, "embedding_parameters", (json_int_t)z->n_embedding,
                     "training_tokens", c->epochs * (c->work[p].rows + c->work[p].targets), "training_flops", c->flops[p],
                     "training_seconds", seconds, "tokens_per_second", last_of(c, p, "curve.tokens") / seconds, "training_bytes",
                     last_of(c, p, "training.bytes"), "tasks", tasks, "curves", curves, "costs",
                     lists_json(c->found[p][0], "cost."));
}

static void fill_object(json_t *root, const trine_comparison *c)
{
    const trine_comparison_options *o = &c->options;
    json_t *all = json_array(), *best = json_object(), *verdicts = json_object();
    if (!root) return;
    for (int p = 0; p < TRINE_PARADIGMS; p++) json_array_append_new(all, paradigm_json(c, p));
    for (int i = 0; i < KEYS; i++)
        if (isfinite(best_of(c, keys[i]))) json_object_set_new(best, keys[i], json_real(best_of(c, keys[i])));
    for (int i = 0; i < MEASURES; i++) {
        trine_interval v[TRINE_PARADIGMS];
        bool apart;
        const int first = measures[i].within ? -1 : best_paradigm(&apart, c, &measures[i], v);
        if (first >= 0)
            json_object_set_new(verdicts, measures[i].key,
                                json_pack("{s:s,s:b}", "best", trine_comparison_text(c, first), "told_apart", (int)apart));
    }
    json_object_set_new(root, "experiment", json_string("paradigms"));
    json_object_set_new(root, "equal", json_string(o->equal_compute ? "compute" : "parameters"));
    json_object_set_new(root, "quick", json_boolean(o->quick));
    json_object_set_new(root, "seed", json_integer((json_int_t)o->seed));
    json_object_set_new(root, "seeds", json_integer(o->n_seeds));
    json_object_set_new(root, "data", o->data ? json_string(o->data) : json_null());
    json_object_set_new(root, "texts", json_integer((json_int_t)c->n_texts));
    json_object_set_new(root, "tokens", json_integer((json_int_t)c->n_tokens));
    json_object_set_new(root, "threads", json_integer(o->n_threads));
    json_object_set_new(root, "models_from_record", json_integer(c->n_recalled));
    if (c->world) {
        const trine_grammar_facts *f = &c->world->rules[trine_grammar_find(c->world, "world")].facts;
        json_object_set_new(root, "floor_nats_per_token", json_real(f->nats / (f->tokens + 1)));
    } else {
        json_object_set_new(root, "floor_nats_per_token", json_null());
    }
    json_object_set_new(root, "paradigms", all);
    json_object_set_new(root, "best_possible", best);
    json_object_set_new(root, "verdicts", verdicts);
}

trine_status trine_comparison_tell(trine_report **out, const trine_comparison *c, trine_error *err)
{
    trine_report *r;
    *out = NULL;
    trine_status status = trine_report_open(&r, "Three paradigms on equal terms", err);
    if (status) return status;
    tell_equal(r, c);
    tell_skills(r, c);
    tell_learning(r, c);
    tell_costs(r, c);
    if (c->n_recalled)
        trine_report_text(r, "%d of %d models were not trained again: the record has them.", c->n_recalled,
                          TRINE_PARADIGMS * c->options.n_seeds);
    fill_object(trine_report_object(r), c);
    status = trine_report_end(&r, err);
    *out = r;
    return status;
}
