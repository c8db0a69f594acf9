/* compare_scaling.c - the scaling of the three paradigms: a ladder of models each, its law, and what it does not tell. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"
#include "compare/kept_run.h"
#include "compare/ladder.h"
#include "compare/paradigm_words.h"
#include "compare/plot_svg.h"
#include "compare/scaling_report.h"

enum { PARADIGMS = 3 };

static const char *const losses[PARADIGMS] = { "of masked tokens", "of every next token", "of restored spans and of answers" };

#define CHANCE_WORLD 0.125 /* recall asks for one of eight places, */
#define CHANCE_GIVEN 0.25  /* one of the four that the text names */

typedef struct paradigm {
    int n;
    trine_scaling_run *runs; /* in the ladder's order */
    trine_scaling_law law;
    const trine_rung *watched; /* or NULL */
    double floor;              /* 0: not known */
    double seconds;
} paradigm;

typedef struct scaling {
    trine_ladder ladder;
    paradigm paradigms[PARADIGMS];
    trine_grammar *world;
} scaling;

static const char *name_of(int i) { return trine_words_of((trine_paradigm)(i + 1))->name; }
static const char *title_of(int i) { return trine_words_of((trine_paradigm)(i + 1))->title; }

static trine_status fit_paradigm(scaling *s, int which, trine_error *err)
{
    paradigm *p = &s->paradigms[which];
    const trine_ladder *l = &s->ladder;
    p->runs = calloc((size_t)l->n + 1, sizeof *p->runs);
    if (!p->runs) return trine_fail(err, TRINE_ERROR_MEMORY, "scaling: no memory");
    for (int i = 0; i < l->n; i++) {
        const trine_rung *r = &l->rungs[i];
        if ((int)r->paradigm != which + 1) continue;
        p->seconds += r->seconds;
        if (r->watched) p->watched = r;
        p->runs[p->n++] = r->run;
    }
    const trine_scaling_options options = { .seed = l->options.seed, .n_threads = l->options.n_threads };
    return trine_scaling_fit(&p->law, p->runs, p->n, &options, err);
}

/* ------------------------------------------------------------------------------------------------------------- telling */

static const char *short_estimate(char buffer[64], const trine_estimate *e)
{
    char low[32], high[32], value[32];
    if (e->how == TRINE_UNDETERMINED) return "not identified";
    snprintf(buffer, 64, "%s (%s-%s)", trine_plot_number(value, e->value, 2), trine_plot_number(low, e->low, 2),
             trine_plot_number(high, e->high, 2));
    return buffer;
}

static void tell_overview(trine_report *r, const scaling *s)
{
    const trine_ladder_options *o = &s->ladder.options;
    char a[32], b[32], c[32], d[32];
    double seconds = 0;
    for (int i = 0; i < PARADIGMS; i++) seconds += s->paradigms[i].seconds;
    trine_report_text(
        r,
        "%d models were trained from nothing on the built-in corpus: %d sizes from %s to %s parameters on %d numbers of "
        "tokens from %s to %s for each paradigm, one pass over each, seed %llu. Training took %.0f s.",
        s->ladder.n, o->n_sizes, trine_plot_number(a, (double)o->sizes[0], 3),
        trine_plot_number(b, (double)o->sizes[o->n_sizes - 1], 3), o->n_budgets, trine_plot_number(c, (double)o->budgets[0], 3),
        trine_plot_number(d, (double)o->budgets[o->n_budgets - 1], 3), (unsigned long long)o->seed, seconds);
    trine_report_table(r, "The laws side by side, with 95% intervals", "|alpha (size)|beta (data)|a (best N ~ C^a)");
    for (int i = 0; i < PARADIGMS; i++) {
        const trine_scaling_law *law = &s->paradigms[i].law;
        char alpha[64], beta[64], exponent[64];
        trine_report_row(r, "%s|%s|%s|%s", name_of(i), short_estimate(alpha, &law->alpha), short_estimate(beta, &law->beta),
                         short_estimate(exponent, &law->exponent));
    }
    trine_report_text(
        r,
        "Each loss is of its own objective, so exponents can be compared between paradigms, losses cannot: "
        "a masked token is seen from both sides. Costs can: an encoder-decoder's token passes half of its layers, C = "
        "%s N D for it and %s N D for the decoder.",
        trine_plot_number(a, s->paradigms[2].law.flops_per, 2), trine_plot_number(b, s->paradigms[1].law.flops_per, 2));
}

static void tell_paradigm(trine_report *r, const scaling *s, int which)
{
    const paradigm *p = &s->paradigms[which];
    char title[80];
    trine_report_heading(r, title_of(which));
    snprintf(title, sizeof title, "%s, loss %s", title_of(which), losses[which]);
    trine_scaling_add_table(r, title, &p->law, p->floor);
    if (!(p->floor > 0)) trine_report_text(r, "The entropy of this objective is not known exactly: no floor is drawn.");
    trine_scaling_add_plot(r, title_of(which), p->runs, p->n, &p->law, p->floor);
    trine_report_set_detail(r, true);
    trine_scaling_add_profile(r, title_of(which), &p->law);
    trine_report_table(r, "The runs", "parameters|tokens|FLOPs|loss, nats|as fitted");
    for (int i = 0; i < p->n; i++) {
        char flops[32];
        trine_report_row(r, "%.0f|%.0f|%s|%.4f|%.4f", p->runs[i].parameters, p->runs[i].tokens,
                         trine_plot_number(flops, p->runs[i].flops, 3), p->runs[i].loss,
                         trine_scaling_loss(&p->law, p->runs[i].parameters, p->runs[i].tokens));
    }
    trine_report_set_detail(r, false);
}

/* Where the share first is past the half of what lies between the guess and all right; 0: nowhere. */
static double appears_at(const trine_rung *r)
{
    for (int i = 0; i < r->n_recall; i++)
        if (r->recall[i].share > (1 + CHANCE_GIVEN) / 2) return r->recall[i].tokens;
    return 0;
}

static void tell_recall(trine_report *r, const scaling *s)
{
    char number[32], tokens[32];
    if (!s->paradigms[0].watched) return;
    trine_report_heading(r, "An ability appears: recall in context");
    trine_report_text(
        r,
        "A text names four people and their places, then asks for one of them: the answer stands in the context and "
        "nowhere else. Models of %s parameters, measured as they learn. Who guesses among the four places named is right in "
        "25%%, who knows only that a place is asked for in 12.5%%.",
        trine_plot_number(number, s->paradigms[0].watched->run.parameters, 3));
    trine_report_plot(r, "Recall of a pair given earlier in the context", "tokens of training", "share that is right", false,
                      false);
    for (int i = 0; i < PARADIGMS; i++) {
        const trine_rung *w = s->paradigms[i].watched;
        double x[TRINE_RECALL_POINTS], y[TRINE_RECALL_POINTS];
        for (int k = 0; k < w->n_recall; k++) {
            x[k] = w->recall[k].tokens;
            y[k] = w->recall[k].share;
        }
        trine_report_series(r, name_of(i), TRINE_MARK_BOTH, w->n_recall, x, y, NULL, NULL);
    }
    static const double given = CHANCE_GIVEN, world = CHANCE_WORLD;
    trine_report_series(r, "guess of four", TRINE_MARK_RULE, 1, NULL, &given, NULL, NULL);
    trine_report_series(r, "guess of eight", TRINE_MARK_RULE, 1, NULL, &world, NULL, NULL);
    for (int i = 0; i < PARADIGMS; i++) {
        const trine_rung *w = s->paradigms[i].watched;
        const double at = appears_at(w), last = w->n_recall ? w->recall[w->n_recall - 1].share : 0;
        if (at > 0)
            trine_report_text(r, "%s: past the half-way mark (62.5%%) by %s tokens; %.0f%% at the end.", title_of(i),
                              trine_plot_number(tokens, at, 3), 100 * last);
        else
            trine_report_text(r, "%s: %.0f%% at the end of %s tokens: %s.", title_of(i), 100 * last,
                              trine_plot_number(tokens, w->run.tokens, 3),
                              last > CHANCE_GIVEN + 0.08   ? "more than a guess, less than half of the way"
                              : last > CHANCE_WORLD + 0.08 ? "about a guess among the places named"
                                                           : "the ability has not appeared");
    }
}

static void fill_object(trine_report *r, const scaling *s)
{
    json_t *o = trine_report_object(r), *all = json_object();
    const trine_ladder_options *options = &s->ladder.options;
    json_object_set_new(o, "experiment", json_string("scaling"));
    json_object_set_new(o, "quick", json_boolean(options->quick));
    json_object_set_new(o, "seed", json_integer((json_int_t)options->seed));
    json_object_set_new(o, "run", s->ladder.run ? json_integer(s->ladder.run) : json_null());
    for (int i = 0; i < PARADIGMS; i++) {
        const paradigm *p = &s->paradigms[i];
        json_t *law = trine_scaling_to_json(p->runs, p->n, &p->law), *recall = json_array();
        for (int k = 0; p->watched && k < p->watched->n_recall; k++) {
            json_t *point = json_object();
            trine_report_set_number(point, "tokens", p->watched->recall[k].tokens);
            trine_report_set_number(point, "accuracy", p->watched->recall[k].share);
            json_array_append_new(recall, point);
        }
        trine_report_set_number(law, "floor", p->floor > 0 ? p->floor : (double)NAN);
        trine_report_set_number(law, "train_seconds", p->seconds);
        json_object_set_new(law, "recall", recall);
        json_object_set_new(all, name_of(i), law);
    }
    json_object_set_new(o, "paradigms", all);
}

static trine_status tell(trine_report **out, const scaling *s, trine_error *err)
{
    const trine_status status = trine_report_open(out, "How the three paradigms scale", err);
    if (status) return status;
    trine_report *r = *out;
    tell_overview(r, s);
    for (int i = 0; i < PARADIGMS; i++) tell_paradigm(r, s, i);
    tell_recall(r, s);
    fill_object(r, s);
    return trine_report_end(out, err);
}

/* The laws go into the record beside their runs. */
static trine_status keep_laws(const scaling *s, trine_error *err)
{
    trine_status status = TRINE_OK;
    for (int i = 0; i < PARADIGMS && s->ladder.options.record && !status; i++) {
        const trine_scaling_law *law = &s->paradigms[i].law;
        char text[6][48];
        static const char *const numbers[] = { "E", "A", "alpha", "B", "beta", "a" };
        for (int k = 0; k < 6; k++) snprintf(text[k], sizeof text[k], "%s_%s", name_of(i), numbers[k]);
        const trine_metric metrics[] = {
            { text[0], law->E.value }, { text[1], law->A.value },    { text[2], law->alpha.value },
            { text[3], law->B.value }, { text[4], law->beta.value }, { text[5], law->exponent.value }
        };
        status = trine_record_metrics(s->ladder.options.record, s->ladder.run, 0, metrics, 6, err);
    }
    return status;
}

trine_status trine_compare_scaling(trine_report **out, const trine_ladder_options *options, trine_error *err)
{
    scaling s = { 0 };
    *out = NULL;
    trine_status status = trine_world_open(&s.world, err);
    if (!status) status = trine_ladder_open(&s.ladder, s.world, options, err);
    if (!status) status = trine_ladder_climb(&s.ladder, err);
    for (int i = 0; i < PARADIGMS && !status; i++) status = fit_paradigm(&s, i, err);
    if (!status) {
        const trine_grammar_facts *facts = &s.world->rules[trine_grammar_find(s.world, "world")].facts;
        s.paradigms[1].floor = facts->nats / (facts->tokens + 1); /* the end of a text is a token, too */
        status = keep_laws(&s, err);
    }
    if (!status) status = tell(out, &s, err);
    trine_kept_run_end(s.ladder.options.record, s.ladder.run, status);
    for (int i = 0; i < PARADIGMS; i++) {
        trine_scaling_law_clear(&s.paradigms[i].law);
        free(s.paradigms[i].runs);
    }
    trine_ladder_close(&s.ladder);
    trine_grammar_close(s.world);
    return status;
}
