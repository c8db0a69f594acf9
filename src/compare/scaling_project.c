/* scaling_project.c - the best scaling law of some runs: E, A and B solved for at every alpha and beta, which alone are searched. */
#include "compare/scaling_project.h"

#include <math.h>

enum { GRID = 30, SEARCH_STEPS = 40, GRID_STEPS = 8, SIMPLEX_STEPS = 160, SECTIONS = 40 };

double trine_law_loss(const trine_law *law, double parameters, double tokens)
{
    return law->E + law->A * pow(parameters, -law->alpha) + law->B * pow(tokens, -law->beta);
}

/* -------------------------------------------------------------------------------------------------- E, A and B are solved for */

/* Normal equations m c = v of a weighted sum of squares. */
typedef struct normal {
    double m[3][3], v[3];
} normal;

/* The coefficients in the set `which` (bits), the others 0; false when some come out below 0 or cannot be told apart. */
static bool solve_subset(double c[3], const normal *q, unsigned which)
{
    double a[3][4];
    int at[3], n = 0;
    for (int i = 0; i < 3; i++)
        if (which >> i & 1) at[n++] = i;
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < n; k++) a[i][k] = q->m[at[i]][at[k]];
        a[i][i] *= 1 + 1e-13; /* two columns that are the same numbers */
        a[i][n] = q->v[at[i]];
    }
    for (int i = 0; i < n; i++) { /* symmetric and positive: no pivots */
        if (!(a[i][i] > 0)) return false;
        for (int k = i + 1; k < n; k++) {
            const double f = a[k][i] / a[i][i];
            for (int j = i; j <= n; j++) a[k][j] -= f * a[i][j];
        }
    }
    c[0] = c[1] = c[2] = 0;
    for (int i = n - 1; i >= 0; i--) {
        double s = a[i][n];
        for (int k = i + 1; k < n; k++) s -= a[i][k] * c[at[k]];
        c[at[i]] = s / a[i][i];
        if (!(c[at[i]] >= 0) || !isfinite(c[at[i]])) return false;
    }
    return true;
}

/* Non-negative least squares with three unknowns: all sets of them are tried when the whole one does not do. */
static void solve_normal(double c[3], const normal *q)
{
    if (solve_subset(c, q, 7)) return;
    double least = INFINITY, best[3] = { 0 };
    for (unsigned which = 1; which < 7; which++) {
        double t[3];
        if (!solve_subset(t, q, which)) continue;
        double s = 0;
        for (int i = 0; i < 3; i++) {
            s -= 2 * t[i] * q->v[i];
            for (int k = 0; k < 3; k++) s += t[i] * q->m[i][k] * t[k];
        }
        if (s < least) {
            least = s;
            for (int i = 0; i < 3; i++) best[i] = t[i];
        }
    }
    for (int i = 0; i < 3; i++) c[i] = best[i];
}

static double weight_of(const trine_law_data *d, int i) { return d->weights ? d->weights[i] : 1; }

/* Huber's loss of the residuals of log loss; where the model gives nothing its logarithm is that of very little. */
static double objective_of(const trine_law_data *d, const double c[3])
{
    double sum = 0, all = 0;
    for (int i = 0; i < d->n; i++) {
        d->model[i] = c[0] + c[1] * d->x[i] + c[2] * d->y[i];
        const double r = fabs(log(fmax(d->model[i], 1e-300)) - d->log_l[i]), w = weight_of(d, i);
        sum += w * (r <= d->huber ? 0.5 * r * r : d->huber * (r - 0.5 * d->huber));
        all += w;
    }
    return all > 0 ? sum / all : 0;
}

/* Gauss-Newton with Huber's weights: log m is taken as straight at the last model m0, log m0 + (m - m0) / m0, so each step is a
 * weighted least squares in E, A, B. It begins at m0 = L, where it is the sum of squared relative residuals. */
void trine_law_solve(trine_law *law, const trine_law_data *d, int n_steps)
{
    double c[3], best[3] = { 0 }, least = INFINITY;
    for (int i = 0; i < d->n; i++) {
        d->x[i] = exp(-law->alpha * (d->log_n[i] - d->log_n0));
        d->y[i] = exp(-law->beta * (d->log_d[i] - d->log_d0));
    }
    for (int step = 0; step < n_steps; step++) {
        normal q = { 0 };
        for (int i = 0; i < d->n; i++) {
            const double m0 = step ? fmax(d->model[i], 1e-300) : exp(d->log_l[i]);
            const double r = step ? log(m0) - d->log_l[i] : 0, size = fabs(r);
            const double w = weight_of(d, i) * (size <= d->huber ? 1 : d->huber / size) / (m0 * m0), t = m0 * (1 - r);
            const double row[3] = { 1, d->x[i], d->y[i] };
            for (int a = 0; a < 3; a++) {
                for (int b = 0; b < 3; b++) q.m[a][b] += w * row[a] * row[b];
                q.v[a] += w * row[a] * t;
            }
        }
        solve_normal(c, &q);
        const double o = objective_of(d, c);
        const bool settled = step > 1 && fabs(o - least) <= 1e-9 * least;
        if (o < least) {
            least = o;
            for (int i = 0; i < 3; i++) best[i] = c[i];
        }
        if (settled) break;
    }
    law->E = best[0];
    law->A = best[1] * exp(law->alpha * d->log_n0);
    law->B = best[2] * exp(law->beta * d->log_d0);
    law->objective = least;
}

/* -------------------------------------------------------------------------------------------- alpha and beta are searched */

static double clamp_log(double u) { return fmin(fmax(u, log(TRINE_EXPONENT_LEAST)), log(TRINE_EXPONENT_MOST)); }

/* The law at a point of the plane of (log alpha, log beta). */
static trine_law law_at(const trine_law_data *d, double u, double v, int n_steps)
{
    trine_law law = { .alpha = exp(clamp_log(u)), .beta = exp(clamp_log(v)) };
    trine_law_solve(&law, d, n_steps);
    return law;
}

static trine_law grid_search(const trine_law_data *d)
{
    const double low = log(TRINE_EXPONENT_LEAST), step = (log(TRINE_EXPONENT_MOST) - low) / (GRID - 1);
    trine_law best = { .objective = INFINITY };
    for (int i = 0; i < GRID; i++)
        for (int k = 0; k < GRID; k++) {
            const trine_law law = law_at(d, low + i * step, low + k * step, GRID_STEPS);
            if (law.objective < best.objective || i + k == 0) best = law;
        }
    return best;
}

typedef struct vertex {
    double u, v;
    trine_law law;
} vertex;

static vertex vertex_at(const trine_law_data *d, double u, double v)
{
    const vertex p = { clamp_log(u), clamp_log(v), law_at(d, u, v, SEARCH_STEPS) };
    return p;
}

static void sort_vertices(vertex p[3])
{
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 2 - i; k++)
            if (p[k + 1].law.objective < p[k].law.objective) {
                const vertex t = p[k];
                p[k] = p[k + 1];
                p[k + 1] = t;
            }
}

/* Nelder and Mead's simplex (1965), in two dimensions. */
static trine_law simplex(const trine_law_data *d, const trine_law *start, double size)
{
    const double u = log(start->alpha), v = log(start->beta);
    /* Away from the edges of the box, so that the triangle is one. */
    const double su = u + size > log(TRINE_EXPONENT_MOST) ? -size : size, sv = v + size > log(TRINE_EXPONENT_MOST) ? -size : size;
    vertex p[3] = { vertex_at(d, u, v), vertex_at(d, u + su, v), vertex_at(d, u, v + sv) };
    for (int step = 0; step < SIMPLEX_STEPS; step++) {
        sort_vertices(p);
        if (fabs(p[2].u - p[0].u) + fabs(p[2].v - p[0].v) + fabs(p[1].u - p[0].u) + fabs(p[1].v - p[0].v) < 1e-6) break;
        const double mu = (p[0].u + p[1].u) / 2, mv = (p[0].v + p[1].v) / 2;
        const vertex r = vertex_at(d, 2 * mu - p[2].u, 2 * mv - p[2].v);
        if (r.law.objective < p[0].law.objective) {
            const vertex e = vertex_at(d, 3 * mu - 2 * p[2].u, 3 * mv - 2 * p[2].v);
            p[2] = e.law.objective < r.law.objective ? e : r;
        } else if (r.law.objective < p[1].law.objective) {
            p[2] = r;
        } else {
            const bool outside = r.law.objective < p[2].law.objective;
            const double t = outside ? 0.5 : -0.5;
            const vertex c = vertex_at(d, mu + t * (mu - p[2].u), mv + t * (mv - p[2].v));
            if (c.law.objective < (outside ? r : p[2]).law.objective) {
                p[2] = c;
            } else {
                for (int i = 1; i < 3; i++) p[i] = vertex_at(d, (p[0].u + p[i].u) / 2, (p[0].v + p[i].v) / 2);
            }
        }
    }
    sort_vertices(p);
    return p[0].law;
}

void trine_law_search(trine_law *best, const trine_law_data *d, const trine_law *start)
{
    const trine_law from = start ? *start : grid_search(d);
    *best = simplex(d, &from, start ? 0.1 : 0.2);
    if (start) return;
    const trine_law again = simplex(d, best, 0.05); /* a simplex can collapse early: once more from where it stopped */
    if (again.objective < best->objective) *best = again;
}

/* Golden section along the exponent that is free, around where it was and, since a profile bends, over the whole box where that
 * does better. */
static trine_law section(const trine_law_data *d, double held, bool hold_beta, double low, double high)
{
    const double golden = (sqrt(5) - 1) / 2, h = log(held);
    double a = clamp_log(low), b = clamp_log(high), x = b - golden * (b - a), y = a + golden * (b - a);
    trine_law fx = hold_beta ? law_at(d, x, h, SEARCH_STEPS) : law_at(d, h, x, SEARCH_STEPS);
    trine_law fy = hold_beta ? law_at(d, y, h, SEARCH_STEPS) : law_at(d, h, y, SEARCH_STEPS);
    for (int i = 0; i < SECTIONS && b - a > 1e-4; i++) {
        if (fx.objective <= fy.objective) {
            b = y, y = x, fy = fx, x = b - golden * (b - a);
            fx = hold_beta ? law_at(d, x, h, SEARCH_STEPS) : law_at(d, h, x, SEARCH_STEPS);
        } else {
            a = x, x = y, fx = fy, y = a + golden * (b - a);
            fy = hold_beta ? law_at(d, y, h, SEARCH_STEPS) : law_at(d, h, y, SEARCH_STEPS);
        }
    }
    return fx.objective <= fy.objective ? fx : fy;
}

void trine_law_profile(trine_law *best, const trine_law_data *d, double held, bool hold_beta, const trine_law *start)
{
    const double at = log(hold_beta ? start->alpha : start->beta);
    const trine_law near = section(d, held, hold_beta, at - 0.7, at + 0.7), wide = section(d, held, hold_beta, -10, 10);
    *best = near.objective <= wide.objective ? near : wide;
}
