/* scaling_fit.c - a scaling law with its intervals, and with what its runs cannot tell.
 *
 * Intervals are percentiles over resamplings of the runs with replacement (Efron 1979). A number is undetermined when the design
 * cannot show it (too few different N, N and D that grow together), when its interval reaches the edge of where it is looked for,
 * or when the objective, with the number held there and all else fitted, is no worse than its least by what noise explains. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/counter_random.h"
#include "base/numbers.h"
#include "base/size.h"
#include "base/status.h"
#include "base/team.h"
#include "compare/scaling_project.h"

enum { UNKNOWNS = 5, BOOTSTRAP = 400, BOOTSTRAP_MOST = 1000000, FRONTIER = 41, PROFILE = 33, CHUNK = 16, RUNS_MOST = 1000000 };

/* 3.84 is the 95% point of chi squared with one degree of freedom: a worse fit than that is no longer noise. */
#define NOISE 3.84

typedef struct fitting {
    trine_law_data data;   /* of all runs; its scratch is that of thread 0 */
    double *scratch;       /* [n_threads, 4 n]: weights, x, y, model */
    const trine_law *best; /* where resamplings begin */
    trine_law *laws;       /* [n_laws] of resamplings */
    int n_laws, first;
    uint64_t key;
    double confidence;
} fitting;

/* ---------------------------------------------------------------------------------------------------------- resampling */

static void resample(void *job, int piece, int thread)
{
    fitting *f = job;
    trine_law_data d = f->data;
    const int n = d.n, at = f->first + piece;
    double *mine = f->scratch + (size_t)thread * 4 * (size_t)n;
    for (int i = 0; i < n; i++) mine[i] = 0;
    for (int i = 0; i < n; i++) {
        const double u = trine_random_unit(f->key, (uint64_t)at * (uint64_t)n + (uint64_t)i);
        mine[(int)(u * n)]++;
    }
    d.weights = mine;
    d.x = mine + n;
    d.y = mine + 2 * (size_t)n;
    d.model = mine + 3 * (size_t)n;
    trine_law_search(&f->laws[at], &d, f->best);
}

static trine_status resample_all(fitting *f, trine_team *team, const trine_scaling_options *o, trine_error *err)
{
    for (f->first = 0; f->first < f->n_laws; f->first += CHUNK) {
        trine_team_run(team, trine_min_int(CHUNK, f->n_laws - f->first), resample, f);
        if (o->on_progress && !o->on_progress(o->user, trine_min_int(f->first + CHUNK, f->n_laws), f->n_laws))
            return trine_fail(err, TRINE_ERROR_CANCELLED, "fit: stopped");
    }
    return TRINE_OK;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The value below which `share` of the sorted values lie. */
static double quantile(const double *sorted, int n, double share)
{
    const double at = share * (n - 1);
    const int i = (int)at;
    return i + 1 < n ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

/* The interval of n values, which are sorted for it. */
static void interval_of(double *low, double *high, double *values, int n, double confidence)
{
    qsort(values, (size_t)n, sizeof *values, compare_doubles);
    *low = quantile(values, n, (1 - confidence) / 2);
    *high = quantile(values, n, (1 + confidence) / 2);
}

typedef double read_fn(const trine_law *law);
static double read_e(const trine_law *l) { return l->E; }
static double read_a(const trine_law *l) { return l->A; }
static double read_alpha(const trine_law *l) { return l->alpha; }
static double read_b(const trine_law *l) { return l->B; }
static double read_beta(const trine_law *l) { return l->beta; }
static double read_exponent(const trine_law *l) { return l->beta / (l->alpha + l->beta); }

static trine_estimate estimate(const fitting *f, read_fn *read, double *room)
{
    trine_estimate e = { .value = read(f->best) };
    e.low = e.high = e.value;
    for (int i = 0; i < f->n_laws; i++) room[i] = read(&f->laws[i]);
    if (f->n_laws) interval_of(&e.low, &e.high, room, f->n_laws, f->confidence);
    return e;
}

/* ----------------------------------------------------------------------------------------------------- what cannot be told */

static void lacks(trine_estimate *e, trine_determined how, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void lacks(trine_estimate *e, trine_determined how, const char *format, ...)
{
    if (e->how >= how) return; /* the first reason is the plainest */
    va_list list;
    va_start(list, format);
    trine_vprint(e->why, sizeof e->why, format, list);
    va_end(list);
    e->how = how;
}

static int count_different(const double *logs, int n, double *room)
{
    int count = 0;
    memcpy(room, logs, (size_t)n * sizeof *room);
    qsort(room, (size_t)n, sizeof *room, compare_doubles);
    for (int i = 0; i < n; i++) count += !i || room[i] - room[i - 1] > 1e-6;
    return count;
}

/* Whether log D is a straight line of log N: then no run parts the two terms. */
static bool grow_together(const trine_law_data *d)
{
    double nn = 0, dd = 0, nd = 0;
    for (int i = 0; i < d->n; i++) {
        const double a = d->log_n[i] - d->log_n0, b = d->log_d[i] - d->log_d0;
        nn += a * a;
        dd += b * b;
        nd += a * b;
    }
    return nn > 0 && dd > 0 && nd * nd > (1 - 1e-4) * nn * dd;
}

/* What the design of the runs cannot show, whatever their losses. */
static void judge_design(trine_scaling_law *law, const trine_law_data *d)
{
    trine_estimate *all[] = { &law->E, &law->A, &law->alpha, &law->B, &law->beta, &law->exponent };
    for (int i = 0; i < 6 && law->n_runs <= UNKNOWNS; i++)
        lacks(all[i], TRINE_UNDETERMINED, "%d run%s for %d unknowns: at least %d are needed, better 20", law->n_runs,
              law->n_runs == 1 ? "" : "s", UNKNOWNS, UNKNOWNS + 1);
    for (int k = 0; k < 2; k++) {
        const int n = k ? law->n_budgets : law->n_sizes;
        trine_estimate *told[] = { &law->E, k ? &law->B : &law->A, k ? &law->beta : &law->alpha, &law->exponent };
        for (int i = 0; i < 4 && n < 3; i++)
            lacks(told[i], TRINE_UNDETERMINED, "only %d different %s among the runs: a curve with a floor needs 3 or more", n,
                  k ? "numbers of tokens" : "sizes");
    }
    for (int i = 0; i < 6 && grow_together(d); i++)
        lacks(all[i], TRINE_UNDETERMINED, "N and D grow together in every run: what is due to which cannot be told");
}

/* The objective over its least along alpha (or beta), and whether either end of the box is as good as noise allows. */
static void judge_profile(double *at, double *profile, trine_estimate *e, const char *name, fitting *f, bool beta)
{
    const double low = log(TRINE_EXPONENT_LEAST), step = (log(TRINE_EXPONENT_MOST) - low) / (PROFILE - 1);
    const double least = fmax(f->best->objective, 1e-13), worse = 1 + NOISE / fmax(f->data.n - UNKNOWNS, 1);
    const int middle = (int)lround((log(beta ? f->best->beta : f->best->alpha) - low) / step);
    for (int side = 0; side < 2; side++) { /* from the best outwards, so that each point begins where its neighbour ended */
        trine_law law = *f->best;
        for (int i = side ? middle + 1 : middle; side ? i < PROFILE : i >= 0; i += side ? 1 : -1) {
            at[i] = exp(low + i * step);
            trine_law_profile(&law, &f->data, at[i], beta, &law);
            profile[i] = fmax(law.objective, least) / least;
        }
    }
    for (int side = 0; side < 2; side++) {
        const int edge = side ? PROFILE - 1 : 0;
        if (profile[edge] < worse)
            lacks(e, TRINE_UNDETERMINED, "the objective is flat: %s = %.2g fits as well as %.2g within the noise", name, at[edge],
                  e->value);
    }
    if (f->n_laws && (e->low < TRINE_EXPONENT_LEAST * 1.01 || e->high > TRINE_EXPONENT_MOST * 0.99))
        lacks(e, TRINE_UNDETERMINED, "its interval reaches the edge of where it is looked for, %g to %g", TRINE_EXPONENT_LEAST,
              TRINE_EXPONENT_MOST);
}

static void judge(trine_scaling_law *law, fitting *f)
{
    judge_design(law, &f->data);
    judge_profile(law->alphas, law->alpha_profile, &law->alpha, "alpha", f, false);
    judge_profile(law->betas, law->beta_profile, &law->beta, "beta", f, true);
    trine_estimate *const factors[] = { &law->A, &law->B }, *const powers[] = { &law->alpha, &law->beta };
    for (int k = 0; k < 2; k++) {
        const char *of = k ? "tokens" : "parameters", *name = k ? "beta" : "alpha";
        if (factors[k]->value <= 0) {
            lacks(factors[k], TRINE_UNDETERMINED, "no effect of the number of %s is seen", of);
            lacks(powers[k], TRINE_UNDETERMINED, "no effect of the number of %s is seen", of);
        }
        if (powers[k]->how == TRINE_UNDETERMINED) {
            lacks(factors[k], TRINE_UNDETERMINED, "%s cannot be told", name);
            lacks(&law->exponent, TRINE_UNDETERMINED, "%s cannot be told", name);
        }
        if (powers[k]->high - powers[k]->low > powers[k]->value)
            lacks(powers[k], TRINE_LOOSE, "its interval is wider than its value");
        if (factors[k]->high > 30 * factors[k]->low) lacks(factors[k], TRINE_LOOSE, "its ends differ more than thirtyfold");
    }
    if (law->E.low <= 1e-6 * law->E.value || law->E.value <= 0)
        lacks(&law->E, TRINE_UNDETERMINED, "0 is in its interval: the runs are too far from the floor to show it");
    if (law->E.high - law->E.low > law->E.value / 2) lacks(&law->E, TRINE_LOOSE, "its interval is wider than half its value");
    if (law->exponent.high - law->exponent.low > law->exponent.value)
        lacks(&law->exponent, TRINE_LOOSE, "its interval is wider than its value");
    law->determined = true;
    trine_estimate *const all[] = { &law->E, &law->A, &law->alpha, &law->B, &law->beta };
    for (int i = 0; i < 5; i++) law->determined &= all[i]->how != TRINE_UNDETERMINED;
}

/* ------------------------------------------------------------------------------------------------------ the best of compute */

/* The N and D that cost `compute` and lose least: N = G (C / k)^(beta / (alpha + beta)), D = C / (k N). */
static double best_loss(double *parameters, double *tokens, const trine_law *l, double compute, double flops_per)
{
    const double sum = l->alpha + l->beta, g = pow(l->alpha * l->A / (l->beta * l->B), 1 / sum), c = compute / flops_per;
    *parameters = g * pow(c, l->beta / sum);
    *tokens = c / *parameters;
    return trine_law_loss(l, *parameters, *tokens);
}

static void draw_frontier(trine_scaling_law *law, const fitting *f, const trine_scaling_run *runs, double *room)
{
    double least = INFINITY, most = 0;
    for (int i = 0; i < law->n_runs; i++) {
        const double c = runs[i].flops > 0 ? runs[i].flops : law->flops_per * runs[i].parameters * runs[i].tokens;
        least = fmin(least, c);
        most = fmax(most, c);
    }
    most *= 10; /* an order beyond the runs: where one decides */
    for (int i = 0; i < FRONTIER && f->best->A > 0 && f->best->B > 0; i++) {
        law->compute[i] = least * pow(most / least, (double)i / (FRONTIER - 1));
        law->best_loss[i] = best_loss(&law->best_parameters[i], &law->best_tokens[i], f->best, law->compute[i], law->flops_per);
        int n = 0;
        for (int k = 0; k < f->n_laws; k++) {
            double p, t;
            if (f->laws[k].A > 0 && f->laws[k].B > 0) room[n++] = best_loss(&p, &t, &f->laws[k], law->compute[i], law->flops_per);
        }
        law->loss_low[i] = law->loss_high[i] = law->best_loss[i];
        if (n) interval_of(&law->loss_low[i], &law->loss_high[i], room, n, f->confidence);
        law->n_frontier = FRONTIER;
    }
}

static double median_of(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare_doubles);
    return quantile(values, n, 0.5);
}

/* ----------------------------------------------------------------------------------------------------------------- the fit */

static trine_status check_runs(const trine_scaling_run *runs, int n, trine_error *err)
{
    if (n < 1) return trine_fail(err, TRINE_ERROR_EMPTY, "fit: there are no runs");
    if (n > RUNS_MOST) return trine_fail(err, TRINE_ERROR_ARGUMENT, "fit: %d runs, expected %d at most", n, RUNS_MOST);
    for (int i = 0; i < n; i++) {
        const struct {
            const char *name;
            double value;
        } v[] = { { "parameters", runs[i].parameters }, { "tokens", runs[i].tokens }, { "loss", runs[i].loss } };
        for (int k = 0; k < 3; k++)
            if (!(v[k].value > 0) || !isfinite(v[k].value))
                return trine_fail(err, TRINE_ERROR_ARGUMENT, "fit: %s of run %d is %g, expected a finite number above 0", v[k].name,
                                  i + 1, v[k].value);
        if (!(runs[i].flops >= 0) || !isfinite(runs[i].flops))
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "fit: flops of run %d is %g, expected a finite number, or 0 for unknown",
                              i + 1, runs[i].flops);
    }
    return TRINE_OK;
}

static void fit_all(trine_scaling_law *law, fitting *f, const trine_scaling_run *runs, double *room)
{
    const int n = f->data.n;
    int known = 0;
    for (int i = 0; i < n; i++)
        if (runs[i].flops > 0) room[known++] = runs[i].flops / runs[i].parameters / runs[i].tokens;
    law->flops_per = known ? median_of(room, known) : 6;
    law->n_runs = n;
    law->n_sizes = count_different(f->data.log_n, n, room);
    law->n_budgets = count_different(f->data.log_d, n, room);
    for (int i = 0; i < n; i++)
        room[i] = fabs(log(fmax(trine_law_loss(f->best, runs[i].parameters, runs[i].tokens), 1e-300)) - f->data.log_l[i]);
    law->residual = median_of(room, n);
    law->E = estimate(f, read_e, room);
    law->A = estimate(f, read_a, room);
    law->alpha = estimate(f, read_alpha, room);
    law->B = estimate(f, read_b, room);
    law->beta = estimate(f, read_beta, room);
    law->exponent = estimate(f, read_exponent, room);
    judge(law, f);
    draw_frontier(law, f, runs, room);
}

static bool take_curves(trine_scaling_law *law)
{
    double *all = calloc(6 * FRONTIER + 4 * PROFILE, sizeof *all);
    if (!all) return false;
    law->compute = all; /* one block, released by its first */
    law->best_parameters = all + FRONTIER;
    law->best_tokens = all + 2 * FRONTIER;
    law->best_loss = all + 3 * FRONTIER;
    law->loss_low = all + 4 * FRONTIER;
    law->loss_high = all + 5 * FRONTIER;
    law->alphas = all + 6 * FRONTIER;
    law->alpha_profile = law->alphas + PROFILE;
    law->betas = law->alphas + 2 * PROFILE;
    law->beta_profile = law->alphas + 3 * PROFILE;
    law->n_profile = PROFILE;
    return true;
}

void trine_scaling_law_clear(trine_scaling_law *law)
{
    if (!law) return;
    free(law->compute);
    *law = (trine_scaling_law) { 0 };
}

double trine_scaling_loss(const trine_scaling_law *law, double parameters, double tokens)
{
    const trine_law l = { law->E.value, law->A.value, law->alpha.value, law->B.value, law->beta.value, 0 };
    return trine_law_loss(&l, parameters, tokens);
}

trine_status trine_scaling_fit(trine_scaling_law *out, const trine_scaling_run *runs, int n, const trine_scaling_options *options,
                               trine_error *err)
{
    const trine_scaling_options o = options ? *options : (trine_scaling_options) { 0 };
    *out = (trine_scaling_law) { 0 };
    if (n > 0 && !runs) return trine_fail(err, TRINE_ERROR_ARGUMENT, "fit: %d runs that are not there", n);
    trine_status status = check_runs(runs, n, err);
    if (status) return status;
    if (o.n_bootstrap > BOOTSTRAP_MOST || o.huber < 0 || !isfinite(o.huber) || !(o.confidence >= 0 && o.confidence < 1))
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "fit: %d resamplings, huber %g, confidence %g: expected at most %d, 0 or more, 0 to less than 1",
                          o.n_bootstrap, o.huber, o.confidence, BOOTSTRAP_MOST);
    int n_threads = o.n_threads;
    if ((status = trine_team_size(&n_threads, err))) return status;
    const int n_laws = o.n_bootstrap > 0 ? o.n_bootstrap : o.n_bootstrap < 0 ? 0 : BOOTSTRAP;
    const size_t rows = (size_t)n, n_room = rows > (size_t)n_laws ? rows : (size_t)n_laws;
    double *logs = calloc(3 * rows, sizeof *logs), *room = calloc(n_room, sizeof *room), *scratch = NULL;
    trine_law best, *laws = calloc((size_t)n_laws + 1, sizeof *laws);
    trine_team *team = NULL;
    size_t n_scratch;
    if (trine_mul_size(&n_scratch, 4 * rows, (size_t)n_threads)) scratch = calloc(n_scratch, sizeof *scratch);
    if (!logs || !room || !scratch || !laws || !take_curves(out))
        status = trine_fail(err, TRINE_ERROR_MEMORY, "fit: no memory for %d runs and %d resamplings", n, n_laws);
    if (!status) status = trine_team_open(&team, n_threads, err);
    if (!status) {
        fitting f = { .best = &best, .laws = laws, .n_laws = n_laws, .scratch = scratch };
        f.key = trine_random_key(o.seed, 0x5343414C);
        f.confidence = o.confidence > 0 ? o.confidence : 0.95;
        f.data = (trine_law_data) { .n = n, .log_n = logs, .log_d = logs + rows, .log_l = logs + 2 * rows };
        f.data.huber = o.huber > 0 ? o.huber : 1e-3;
        f.data.x = scratch;
        f.data.y = scratch + rows;
        f.data.model = scratch + 2 * rows;
        for (int i = 0; i < n; i++) {
            logs[i] = log(runs[i].parameters);
            logs[rows + (size_t)i] = log(runs[i].tokens);
            logs[2 * rows + (size_t)i] = log(runs[i].loss);
            f.data.log_n0 += logs[i] / n;
            f.data.log_d0 += logs[rows + (size_t)i] / n;
        }
        trine_law_search(&best, &f.data, NULL);
        status = resample_all(&f, team, &o, err);
        if (!status) fit_all(out, &f, runs, room);
    }
    trine_team_close(team);
    free(logs);
    free(room);
    free(scratch);
    free(laws);
    if (status) trine_scaling_law_clear(out);
    return status;
}
