/* fit.c - see fit.h. Sums run in 8 lanes, so that a compiler may use vectors of any width and the bits stay the same. */
#include "quant/fit.h"

#include <math.h>

#include "quant/quant.h"

enum { LANES = 8, ROUNDS = 6 };

/* The whole number nearest to t, kept in [low, high]. Adding 1.5 x 2^23 leaves no bits for a fraction; what is not a number
 * becomes low. */
static inline float nearest(float t, float low, float high)
{
    t = t > low ? t : low;
    t = t < high ? t : high;
    return (t + 12582912.0f) - 12582912.0f;
}

static inline float inverse_of(float scale) { return fabsf(scale) > 1e-30f ? 1 / scale : 0; }

void trine_fit_part_set(trine_fit_part *p, const float *in, int n, float unit, int low, int high)
{
    float squares = 0;
    p->n = n;
    p->low = low;
    p->high = high;
    for (int i = 0; i < n; i++) {
        p->x[i] = in[i] / unit;
        squares += p->x[i] * p->x[i];
    }
    const float rms = sqrtf(squares / (float)n);
    for (int i = 0; i < n; i++) p->w[i] = rms + fabsf(p->x[i]);
}

float trine_fit_half(float scale)
{
    const float half = trine_f16_to_f32(trine_f32_to_f16(scale));
    return half == 0 && scale != 0 ? copysignf(0x1p-24f, scale) : half;
}

static double total(const float lanes[LANES])
{
    double sum = 0;
    for (int l = 0; l < LANES; l++) sum += (double)lanes[l];
    return sum;
}

static void sum_values(trine_fit_sums *s, const trine_fit_part *p)
{
    float w[LANES] = { 0 }, x[LANES] = { 0 }, xx[LANES] = { 0 };
    for (int i = 0; i < p->n; i += LANES) {
        for (int l = 0; l < LANES; l++) {
            const float wx = p->w[i + l] * p->x[i + l];
            w[l] += p->w[i + l];
            x[l] += wx;
            xx[l] += wx * p->x[i + l];
        }
    }
    s->w = total(w);
    s->x = total(x);
    s->xx = total(xx);
}

static void sum_levels(trine_fit_sums *s, const trine_fit_part *p, float inverse, float base)
{
    const float low = (float)p->low, high = (float)p->high;
    float q[LANES] = { 0 }, qq[LANES] = { 0 }, qx[LANES] = { 0 };
    for (int i = 0; i < p->n; i += LANES) {
        for (int l = 0; l < LANES; l++) {
            const float level = nearest((p->x[i + l] - base) * inverse, low, high), wq = p->w[i + l] * level;
            q[l] += wq;
            qq[l] += wq * level;
            qx[l] += wq * p->x[i + l];
        }
    }
    s->q = total(q);
    s->qq = total(qq);
    s->qx = total(qx);
}

void trine_fit_sum(trine_fit_sums *s, const trine_fit_part *p, trine_line line)
{
    sum_values(s, p);
    sum_levels(s, p, inverse_of(line.scale), line.base);
}

double trine_fit_cost(const trine_fit_part *p, trine_line line)
{
    const float low = (float)p->low, high = (float)p->high, inverse = inverse_of(line.scale);
    float cost[LANES] = { 0 };
    for (int i = 0; i < p->n; i += LANES) {
        for (int l = 0; l < LANES; l++) {
            const float x = p->x[i + l] - line.base, e = x - line.scale * nearest(x * inverse, low, high);
            cost[l] += p->w[i + l] * e * e;
        }
    }
    return total(cost);
}

void trine_fit_levels(uint8_t *levels, const trine_fit_part *p, trine_line line)
{
    const float low = (float)p->low, high = (float)p->high, inverse = inverse_of(line.scale);
    for (int i = 0; i < p->n; i++) levels[i] = (uint8_t)(nearest((p->x[i] - line.base) * inverse, low, high) - low);
}

/* The least-squares scale for the levels summed, and its cost. */
static double solve_scale(trine_line *line, const trine_fit_sums *s)
{
    *line = (trine_line) { .scale = s->qq > 0 ? (float)(s->qx / s->qq) : 0 };
    return s->xx - (s->qq > 0 ? s->qx * s->qx / s->qq : 0);
}

/* The same of scale and base. */
static double solve_line(trine_line *line, const trine_fit_sums *s, bool base_below)
{
    const double determinant = s->w * s->qq - s->q * s->q;
    if (!(determinant > 1e-9 * s->w * s->qq)) return solve_scale(line, s); /* all on one level */
    const double scale = (s->w * s->qx - s->q * s->x) / determinant, base = (s->qq * s->x - s->q * s->qx) / determinant;
    if (base_below && base > 0) return solve_scale(line, s);
    *line = (trine_line) { (float)scale, (float)base };
    return s->xx - scale * s->qx - base * s->x;
}

/* New levels for the line, a new line for the levels, while the cost falls. */
static void improve(trine_line *line, double *cost, trine_fit_sums *s, const trine_fit_part *p, bool with_base, bool base_below)
{
    for (int round = 0; round < ROUNDS; round++) {
        trine_line next;
        sum_levels(s, p, inverse_of(line->scale), line->base);
        const double next_cost = with_base ? solve_line(&next, s, base_below) : solve_scale(&next, s);
        if (!(next_cost < *cost)) return;
        *cost = next_cost;
        *line = next;
    }
}

static int n_steps(trine_fit_range range) { return (int)((range.last - range.first) / range.step) + 1; }

trine_line trine_fit_scale(const trine_fit_part *p, trine_fit_range range)
{
    float most = 0;
    for (int i = 0; i < p->n; i++) most = fmaxf(most, fabsf(p->x[i]));
    trine_line best = { 0 };
    if (!(most > 1e-12f)) return best;
    trine_fit_sums s;
    sum_values(&s, p);
    double best_cost = s.xx;
    for (int sign = p->low == -p->high ? 1 : -1; sign <= 1; sign += 2) {
        for (int i = 0; i < n_steps(range); i++) {
            const float k = range.first + (float)i * range.step;
            trine_line line;
            sum_levels(&s, p, (float)sign * k / most, 0);
            const double cost = solve_scale(&line, &s);
            if (cost < best_cost) {
                best_cost = cost;
                best = line;
            }
        }
    }
    improve(&best, &best_cost, &s, p, false, false);
    return best;
}

trine_line trine_fit_line(const trine_fit_part *p, trine_fit_range range, bool base_below)
{
    float low = p->x[0], high = p->x[0];
    for (int i = 1; i < p->n; i++) {
        low = p->x[i] < low ? p->x[i] : low;
        high = p->x[i] > high ? p->x[i] : high;
    }
    if (base_below && low > 0) low = 0;
    trine_line best = { .base = low };
    if (!(high - low > 1e-12f)) return best;
    trine_fit_sums s;
    sum_values(&s, p);
    double best_cost = INFINITY;
    for (int i = 0; i < n_steps(range); i++) {
        const float k = range.first + (float)i * range.step;
        trine_line line;
        sum_levels(&s, p, k / (high - low), low);
        const double cost = solve_line(&line, &s, base_below);
        if (cost < best_cost) {
            best_cost = cost;
            best = line;
        }
    }
    improve(&best, &best_cost, &s, p, true, base_below);
    return best;
}
