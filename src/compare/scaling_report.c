/* scaling_report.c - a scaling law told: its numbers, what the runs cannot tell, the curves. */
#include "compare/scaling_report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "base/status.h"
#include "compare/plot_svg.h"

enum { SIZES_DRAWN = 6 };

static const char *const verdicts[] = { "determined", "loosely", "undetermined" };

/* Without resamplings there is no interval, and what one would tell is not known. */
static bool is_interval(double low, double high) { return low < high; }
static bool has_interval(const trine_estimate *e) { return is_interval(e->low, e->high); }
static void set_interval(json_t *o, double low, double high)
{
    trine_report_set_number(o, "low", is_interval(low, high) ? low : NAN);
    trine_report_set_number(o, "high", is_interval(low, high) ? high : NAN);
}
static const char *verdict_of(const trine_estimate *e)
{
    return has_interval(e) || e->how == TRINE_UNDETERMINED ? verdicts[e->how] : "not asked";
}

static void add_row(trine_report *r, const char *name, const char *what, const trine_estimate *e)
{
    char value[32], low[32], high[32];
    trine_report_row(r, "%s|%s|%s|%s|%s|%s", name, trine_plot_number(value, e->value, 4),
                     has_interval(e) ? trine_plot_number(low, e->low, 4) : "-",
                     has_interval(e) ? trine_plot_number(high, e->high, 4) : "-", verdict_of(e), what);
}

void trine_scaling_add_table(trine_report *r, const char *name, const trine_scaling_law *law, double floor)
{
    char caption[160], number[32];
    snprintf(caption, sizeof caption, "%.90s: L(N, D) = E + A/N^alpha + B/D^beta", name);
    trine_report_table(r, caption, "|value|from|to|by the runs|what it is");
    add_row(r, "E", "loss that remains", &law->E);
    add_row(r, "A", "of size", &law->A);
    add_row(r, "alpha", "its exponent", &law->alpha);
    add_row(r, "B", "of data", &law->B);
    add_row(r, "beta", "its exponent", &law->beta);
    add_row(r, "a", "best N ~ C^a", &law->exponent);
    trine_report_text(r, "%d run%s of %d size%s and %d number%s of tokens; the law misses a typical run by %.2g%%. C = %s N D.",
                      law->n_runs, law->n_runs == 1 ? "" : "s", law->n_sizes, law->n_sizes == 1 ? "" : "s", law->n_budgets,
                      law->n_budgets == 1 ? "" : "s", 100 * law->residual, trine_plot_number(number, law->flops_per, 3));
    const trine_estimate *all[] = { &law->E, &law->A, &law->alpha, &law->B, &law->beta, &law->exponent };
    static const char *const names[] = { "E", "A", "alpha", "B", "beta", "a" };
    for (int i = 0; i < 6; i++) {
        bool told = false; /* one reason is often that of several numbers: said once */
        for (int k = 0; k < i; k++) told |= !strcmp(all[k]->why, all[i]->why);
        if (all[i]->how == TRINE_DETERMINED || told) continue;
        char which[64] = "";
        size_t at = 0;
        for (int k = i; k < 6; k++)
            if (!strcmp(all[k]->why, all[i]->why))
                at += (size_t)snprintf(which + at, sizeof which - at, "%s%s", at ? ", " : "", names[k]);
        trine_report_text(r, "%s %s: %s.", which, all[i]->how == TRINE_LOOSE ? "only loosely" : "not identified by these runs",
                          all[i]->why);
    }
    if (floor > 0)
        trine_report_text(r, "The floor is known: %.4f nats a token. The fitted E is %.4f (%.4f to %.4f): %s.", floor, law->E.value,
                          law->E.low, law->E.high,
                          law->E.how == TRINE_UNDETERMINED              ? "not identified, so it says nothing of the floor"
                          : floor >= law->E.low && floor <= law->E.high ? "its interval holds the floor"
                                                                        : "its interval does not hold the floor");
}

/* ---------------------------------------------------------------------------------------------------------------- plots */

static double compute_of(const trine_scaling_run *run, const trine_scaling_law *law)
{
    return run->flops > 0 ? run->flops : law->flops_per * run->parameters * run->tokens;
}

static int by_compute(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (x[0] > y[0]) - (x[0] < y[0]);
}

static int by_value(const void *a, const void *b) { return by_compute(a, b); }

/* Runs whose sizes lie from `low` to `high`, as one series in the order of their compute. */
static void add_runs(trine_report *r, const trine_scaling_run *runs, int n, const trine_scaling_law *law, double low, double high,
                     double *room)
{
    double(*pairs)[2] = (double(*)[2])room, *x = room + 2 * (size_t)n, *y = x + n;
    int used = 0;
    for (int i = 0; i < n; i++)
        if (runs[i].parameters >= low * 0.999999 && runs[i].parameters <= high * 1.000001) {
            pairs[used][0] = compute_of(&runs[i], law);
            pairs[used++][1] = runs[i].loss;
        }
    qsort(pairs, (size_t)used, sizeof *pairs, by_compute);
    for (int i = 0; i < used; i++) {
        x[i] = pairs[i][0];
        y[i] = pairs[i][1];
    }
    char a[32], b[32], name[80];
    if (high > low * 1.000001)
        snprintf(name, sizeof name, "N %s to %s", trine_plot_number(a, low, 3), trine_plot_number(b, high, 3));
    else
        snprintf(name, sizeof name, "N %s", trine_plot_number(a, low, 3));
    if (used) trine_report_series(r, name, TRINE_MARK_POINTS, used, x, y, NULL, NULL);
}

void trine_scaling_add_plot(trine_report *r, const char *name, const trine_scaling_run *runs, int n, const trine_scaling_law *law,
                            double floor)
{
    char title[160];
    double *room = calloc(5 * (size_t)n + 1, sizeof *room);
    if (!room) {
        trine_report_set_failed(r);
        return;
    }
    snprintf(title, sizeof title, "%.90s: loss against compute", name);
    trine_report_plot(r, title, "compute of training, FLOPs", "loss, nats a token", true, true);
    double *sizes = room + 4 * (size_t)n; /* the different sizes, in a few groups when they are many */
    for (int i = 0; i < n; i++) sizes[i] = runs[i].parameters;
    qsort(sizes, (size_t)n, sizeof *sizes, by_value);
    int n_sizes = 0;
    for (int i = 0; i < n; i++)
        if (!n_sizes || sizes[i] > sizes[n_sizes - 1] * 1.000001) sizes[n_sizes++] = sizes[i];
    const int groups = n_sizes < SIZES_DRAWN ? n_sizes : SIZES_DRAWN;
    for (int g = 0; g < groups; g++)
        add_runs(r, runs, n, law, sizes[g * n_sizes / groups], sizes[(g + 1) * n_sizes / groups - 1], room);
    if (law->n_frontier && law->exponent.how != TRINE_UNDETERMINED)
        trine_report_series(r, "best for the compute, as fitted", TRINE_MARK_DASHED, law->n_frontier, law->compute, law->best_loss,
                            law->loss_low, law->loss_high);
    if (floor > 0) trine_report_series(r, "floor (entropy)", TRINE_MARK_RULE, 1, NULL, &floor, NULL, NULL);
    free(room);
}

void trine_scaling_add_profile(trine_report *r, const char *name, const trine_scaling_law *law)
{
    char title[160];
    snprintf(title, sizeof title, "%.90s: how well the runs fix the exponents", name);
    trine_report_plot(r, title, "exponent held there, all else fitted", "objective over its least", true, true);
    trine_report_series(r, "alpha", TRINE_MARK_LINE, law->n_profile, law->alphas, law->alpha_profile, NULL, NULL);
    trine_report_series(r, "beta", TRINE_MARK_LINE, law->n_profile, law->betas, law->beta_profile, NULL, NULL);
}

/* ----------------------------------------------------------------------------------------------------------------- JSON */

static json_t *estimate_to_json(const trine_estimate *e)
{
    json_t *o = json_object();
    trine_report_set_number(o, "value", e->value);
    set_interval(o, e->low, e->high);
    json_object_set_new(o, "identified", json_boolean(e->how != TRINE_UNDETERMINED));
    json_object_set_new(o, "determined", json_string(verdict_of(e)));
    if (*e->why) json_object_set_new(o, "why", json_string(e->why));
    return o;
}

json_t *trine_scaling_to_json(const trine_scaling_run *runs, int n, const trine_scaling_law *law)
{
    json_t *o = json_object(), *frontier = json_array(), *points = json_array();
    json_object_set_new(o, "n_runs", json_integer(law->n_runs));
    json_object_set_new(o, "n_sizes", json_integer(law->n_sizes));
    json_object_set_new(o, "n_budgets", json_integer(law->n_budgets));
    json_object_set_new(o, "identified", json_boolean(law->determined));
    json_object_set_new(o, "E", estimate_to_json(&law->E));
    json_object_set_new(o, "A", estimate_to_json(&law->A));
    json_object_set_new(o, "alpha", estimate_to_json(&law->alpha));
    json_object_set_new(o, "B", estimate_to_json(&law->B));
    json_object_set_new(o, "beta", estimate_to_json(&law->beta));
    json_object_set_new(o, "frontier_exponent", estimate_to_json(&law->exponent));
    trine_report_set_number(o, "flops_per_parameter_token", law->flops_per);
    trine_report_set_number(o, "median_residual", law->residual);
    for (int i = 0; i < law->n_frontier; i++) {
        json_t *p = json_object();
        trine_report_set_number(p, "flops", law->compute[i]);
        trine_report_set_number(p, "parameters", law->best_parameters[i]);
        trine_report_set_number(p, "tokens", law->best_tokens[i]);
        trine_report_set_number(p, "loss", law->best_loss[i]);
        set_interval(p, law->loss_low[i], law->loss_high[i]);
        json_array_append_new(frontier, p);
    }
    for (int i = 0; i < n; i++) {
        json_t *p = json_object();
        trine_report_set_number(p, "parameters", runs[i].parameters);
        trine_report_set_number(p, "tokens", runs[i].tokens);
        trine_report_set_number(p, "loss", runs[i].loss);
        trine_report_set_number(p, "flops", compute_of(&runs[i], law));
        trine_report_set_number(p, "fitted", trine_scaling_loss(law, runs[i].parameters, runs[i].tokens));
        json_array_append_new(points, p);
    }
    json_object_set_new(o, "frontier", frontier);
    json_object_set_new(o, "runs", points);
    return o;
}

trine_status trine_scaling_tell(trine_report **out, const char *name, const trine_scaling_run *runs, int n,
                                const trine_scaling_options *options, trine_error *err)
{
    trine_scaling_law law;
    char title[160], number[32], parameters[32], tokens[32];
    *out = NULL;
    snprintf(title, sizeof title, "Scaling law of %.100s", name);
    trine_status status = trine_scaling_fit(&law, runs, n, options, err);
    if (!status) status = trine_report_open(out, title, err);
    if (status) {
        trine_scaling_law_clear(&law);
        return status;
    }
    trine_report *r = *out;
    trine_scaling_add_table(r, name, &law, 0);
    if (law.n_frontier && law.exponent.how != TRINE_UNDETERMINED) {
        const int i = law.n_frontier - 1;
        char interval[64] = "";
        if (is_interval(law.loss_low[i], law.loss_high[i]))
            trine_print(interval, sizeof interval, " (%.3f to %.3f)", law.loss_low[i], law.loss_high[i]);
        trine_report_text(r, "At %s FLOPs, ten times the largest run, the best is %s parameters and %s tokens: a loss of %.3f%s.",
                          trine_plot_number(number, law.compute[i], 3), trine_plot_number(parameters, law.best_parameters[i], 3),
                          trine_plot_number(tokens, law.best_tokens[i], 3), law.best_loss[i], interval);
    }
    trine_scaling_add_plot(r, name, runs, n, &law, 0);
    trine_report_set_detail(r, true);
    trine_scaling_add_profile(r, name, &law);
    trine_report_text(
        r, "Fitted by variable projection: at each alpha and beta the best E, A and B, none below 0, are solved for; the two "
           "exponents alone are searched. Residuals are of log loss, by Huber's loss. Intervals are percentiles over "
           "resamplings of the runs.");
    json_t *o = trine_scaling_to_json(runs, n, &law);
    if (o) json_object_update(trine_report_object(r), o);
    json_decref(o);
    trine_scaling_law_clear(&law);
    return trine_report_end(out, err);
}
