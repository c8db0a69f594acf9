/* sampler.c - from logits to one token.
 *
 * The filters run in llama.cpp's default order, each on what the one before left:
 *
 *   1. penalties    over the last repeat_last_n tokens of the text. A seen token's logit is divided by repeat_penalty when
 *                   positive and multiplied when not (Keskar et al. 2019, CTRL, sec. 4.1); then presence_penalty, and
 *                   frequency_penalty for each time it was seen, are subtracted.
 *   2. top_k        the k largest.
 *   3. top_p        the fewest of the largest whose probabilities reach p (Holtzman et al. 2020, nucleus sampling).
 *   4. min_p        those at least min_p times as probable as the best (Nguyen et al. 2024).
 *   5. temperature  logits divided by it; then one is drawn.
 *
 * top_p and min_p look at probabilities before the temperature, so that a high temperature cannot let the tail back in.
 * Temperature 0 is greedy: after the penalties the largest logit wins. Equal logits are ordered by their id, lowest first.
 *
 * The draw of step t uses output t of SplitMix64 (Steele, Lea & Flood 2014) started at `seed`: it depends on nothing but the
 * seed and the number of tokens chosen before. Sums run in one order on one thread. So the same logits and the same seed give the
 * same text, on any number of threads. */
#include "generate/sampler.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

#define DEFAULT_LAST_N 64

typedef struct candidate {
    float logit;
    int32_t id;
} candidate;

struct trine_sampler {
    const trine_kernels *kernels;
    int vocab;
    float temperature, top_p, min_p;
    int top_k;
    bool penalises;
    float repeat_penalty, presence_penalty, frequency_penalty;
    uint64_t seed, n_drawn;
    int32_t *counts; /* [vocab] times seen in the window; NULL without penalties */
    int32_t *window; /* ring of the last window_cap tokens; NULL: all tokens count */
    int window_cap, window_n, window_next;
    candidate *candidates; /* [vocab]; NULL when greedy */
};

/* NaN fails every comparison, so the ranges are written as what must hold. */
static trine_status check_options(const trine_generate_options *o, trine_error *err)
{
    if (!(o->temperature >= 0 && o->temperature <= FLT_MAX))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "temperature %g: expected 0 (greedy) or more", (double)o->temperature);
    if (o->top_k < 0) return trine_fail(err, TRINE_ERROR_ARGUMENT, "top_k %d: expected 0 (off) or more", o->top_k);
    if (!(o->top_p >= 0 && o->top_p <= 1))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "top_p %g: expected 0 to 1 (0 and 1: off)", (double)o->top_p);
    if (!(o->min_p >= 0 && o->min_p <= 1))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "min_p %g: expected 0 (off) to 1", (double)o->min_p);
    if (!(o->repeat_penalty >= 0 && o->repeat_penalty <= FLT_MAX))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "repeat_penalty %g: expected more than 0 (0 and 1: off)",
                          (double)o->repeat_penalty);
    if (o->repeat_last_n < -1)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "repeat_last_n %d: expected -1 (all), 0 (%d) or more", o->repeat_last_n,
                          DEFAULT_LAST_N);
    if (!(fabsf(o->presence_penalty) <= FLT_MAX))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "presence_penalty %g: expected a finite number", (double)o->presence_penalty);
    if (!(fabsf(o->frequency_penalty) <= FLT_MAX))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "frequency_penalty %g: expected a finite number",
                          (double)o->frequency_penalty);
    return TRINE_OK;
}

trine_status trine_sampler_open(trine_sampler **out, const trine_generate_options *o, const trine_kernels *kernels, int vocab,
                                int ctx, trine_error *err)
{
    *out = NULL;
    const trine_status status = check_options(o, err);
    if (status) return status;
    trine_sampler *s = calloc(1, sizeof *s);
    if (!s) goto no_memory;
    s->kernels = kernels;
    s->vocab = vocab;
    s->temperature = o->temperature;
    s->top_k = o->top_k < vocab ? o->top_k : 0;
    s->top_p = o->top_p < 1 ? o->top_p : 0;
    s->min_p = o->min_p;
    s->repeat_penalty = o->repeat_penalty > 0 ? o->repeat_penalty : 1;
    s->presence_penalty = o->presence_penalty;
    s->frequency_penalty = o->frequency_penalty;
    s->seed = o->seed;
    s->penalises = s->repeat_penalty != 1 || s->presence_penalty != 0 || s->frequency_penalty != 0;
    if (s->penalises) {
        s->counts = calloc((size_t)vocab, sizeof *s->counts);
        if (!s->counts) goto no_memory;
        const int last_n = o->repeat_last_n ? o->repeat_last_n : DEFAULT_LAST_N;
        if (last_n > 0 && last_n < ctx) { /* a window as long as the context never forgets */
            s->window_cap = last_n;
            s->window = malloc((size_t)last_n * sizeof *s->window);
            if (!s->window) goto no_memory;
        }
    }
    if (s->temperature > 0) {
        s->candidates = malloc((size_t)vocab * sizeof *s->candidates);
        if (!s->candidates) goto no_memory;
    }
    *out = s;
    return TRINE_OK;

no_memory:
    trine_sampler_close(s);
    return trine_fail(err, TRINE_ERROR_MEMORY, "sampler: no memory for a vocabulary of %d", vocab);
}

void trine_sampler_close(trine_sampler *s)
{
    if (!s) return;
    free(s->counts);
    free(s->window);
    free(s->candidates);
    free(s);
}

void trine_sampler_accept(trine_sampler *s, int32_t id)
{
    if (!s->penalises || id < 0 || id >= s->vocab) return;
    if (s->window) {
        if (s->window_n == s->window_cap)
            s->counts[s->window[s->window_next]]--;
        else
            s->window_n++;
        s->window[s->window_next] = id;
        s->window_next = (s->window_next + 1) % s->window_cap;
    }
    s->counts[id]++;
}

trine_status trine_log_sum_exp(double *out, const trine_kernels *kernels, const float *x, int n, trine_error *err)
{
    enum { PART = 1024 };
    float part[PART];
    bool fine = true;
    *out = 0;
    for (int i = 0; i < n; i++) fine &= x[i] <= FLT_MAX;
    for (int i = 0; i < n && !fine; i++)
        if (!(x[i] <= FLT_MAX))
            return trine_fail(err, TRINE_ERROR_NUMERIC, "the logit of token %d is %g, expected a finite number", i, (double)x[i]);
    float largest = -INFINITY;
    for (int i = 0; !kernels && i < n; i++) largest = x[i] > largest ? x[i] : largest;
    if (kernels) largest = kernels->max(x, (size_t)n);
    if (largest == -INFINITY) return trine_fail(err, TRINE_ERROR_NUMERIC, "the logits of all %d tokens are minus infinity", n);
    /* In f32 over each part, in double over the parts: a vocabulary of exponentials in double is a tenth of a small model's step. */
    double sum = 0;
    for (int i = 0; !kernels && i < n; i++) sum += exp((double)x[i] - (double)largest);
    for (int i = 0; kernels && i < n; i += PART) {
        const size_t take = (size_t)(n - i < PART ? n - i : PART);
        memcpy(part, x + i, take * sizeof *part);
        sum += (double)kernels->exp_sum(part, largest, take);
    }
    *out = (double)largest + log(sum);
    return TRINE_OK;
}

/* The logit of `id` after the penalties. */
static float penalised(const trine_sampler *s, const float *logits, int32_t id)
{
    float logit = logits[id];
    const int32_t seen = s->penalises ? s->counts[id] : 0;
    if (!seen) return logit;
    logit = logit > 0 ? logit / s->repeat_penalty : logit * s->repeat_penalty;
    return logit - ((float)seen * s->frequency_penalty + s->presence_penalty);
}

static int32_t pick_greedy(const trine_sampler *s, const float *logits)
{
    int32_t best = 0;
    if (!s->penalises) {
        const float largest = s->kernels->max(logits, (size_t)s->vocab);
        while (logits[best] < largest) best++;
        return best;
    }
    float best_logit = penalised(s, logits, 0);
    for (int32_t id = 1; id < s->vocab; id++) {
        const float logit = penalised(s, logits, id);
        if (logit > best_logit) best = id, best_logit = logit;
    }
    return best;
}

/* Larger logits first; among equals the lower id. */
static bool comes_before(candidate a, candidate b) { return a.logit > b.logit || (a.logit == b.logit && a.id < b.id); }

/* Restores the heap below `i`: each candidate comes before its two children. */
static void sift_down(candidate *heap, int n, int i)
{
    const candidate moved = heap[i];
    for (int child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && comes_before(heap[child + 1], heap[child])) child++;
        if (!comes_before(heap[child], moved)) break;
        heap[i] = heap[child];
    }
    heap[i] = moved;
}

static void make_heap(candidate *heap, int n)
{
    for (int i = n / 2 - 1; i >= 0; i--) sift_down(heap, n, i);
}

/* Takes the best off a heap of n and puts it behind the rest, at n - 1. */
static candidate pop(candidate *heap, int n)
{
    const candidate best = heap[0];
    heap[0] = heap[n - 1];
    heap[n - 1] = best;
    if (n > 1) sift_down(heap, n - 1, 0);
    return best;
}

/* SplitMix64, output `index`, as a number in [0, 1) of 53 bits. */
static double uniform(uint64_t seed, uint64_t index)
{
    uint64_t z = seed + (index + 1) * UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    return (double)(z >> 11) * 0x1.0p-53;
}

/* The filters 2 to 4. Leaves the candidates that remain in s->candidates + *first, *n of them, and their largest logit. When only
 * top_k or top_p asks for order is there any: popping from a heap, best first, towards the array's end. */
static float filter(trine_sampler *s, int *first, int *n)
{
    candidate *const c = s->candidates;
    const int vocab = s->vocab;
    float largest = c[0].logit;
    for (int i = 1; i < vocab; i++) largest = c[i].logit > largest ? c[i].logit : largest;
    int taken = vocab, start = 0;
    if (s->top_k || s->top_p > 0) {
        make_heap(c, vocab);
        taken = 0;
        const int most = s->top_k ? s->top_k : vocab;
        double total = 0, sum = 0;
        if (s->top_k)
            while (taken < most) total += exp((double)pop(c, vocab - taken++).logit - (double)largest);
        else
            for (int i = 0; i < vocab; i++) total += exp((double)c[i].logit - (double)largest);
        if (s->top_p > 0) {
            const int sorted = s->top_k ? taken : 0; /* already popped: best at the very end */
            taken = 0;
            while (taken < most && sum < (double)s->top_p * total) {
                const candidate best = taken < sorted ? c[vocab - 1 - taken] : pop(c, vocab - taken);
                sum += exp((double)best.logit - (double)largest);
                taken++;
            }
        }
        start = vocab - taken;
    }
    if (s->min_p > 0) {
        const double least = (double)largest + log((double)s->min_p);
        int kept = start; /* keeps the order of those that stay */
        for (int i = start; i < start + taken; i++)
            if ((double)c[i].logit >= least) c[kept++] = c[i];
        taken = kept - start;
    }
    *first = start;
    *n = taken;
    return largest;
}

static int32_t draw(trine_sampler *s, const float *logits)
{
    for (int32_t id = 0; id < s->vocab; id++) s->candidates[id] = (candidate) { penalised(s, logits, id), id };
    int first, n;
    const float largest = filter(s, &first, &n);
    const candidate *c = s->candidates + first;
    const double scale = 1.0 / (double)s->temperature;
    double total = 0;
    for (int i = 0; i < n; i++) total += exp(((double)c[i].logit - (double)largest) * scale);
    double left = uniform(s->seed, s->n_drawn++) * total;
    int32_t last = -1; /* rounding may leave a little over: then the last possible one */
    for (int i = n - 1; i >= 0; i--) {
        const double weight = exp(((double)c[i].logit - (double)largest) * scale);
        if (!(weight > 0)) continue;
        last = c[i].id;
        left -= weight;
        if (left < 0) break;
    }
    return last;
}

trine_status trine_sampler_pick(trine_choice *out, trine_sampler *s, const float *logits, trine_error *err)
{
    double log_total;
    const trine_status status = trine_log_sum_exp(&log_total, s->kernels, logits, s->vocab, err);
    if (status) return status;
    out->id = s->temperature > 0 ? draw(s, logits) : pick_greedy(s, logits);
    out->log_prob = (double)logits[out->id] - log_total;
    return TRINE_OK;
}

void trine_sampler_top(trine_token_chance *out, int n, const trine_sampler *s, const trine_choice *choice, const float *logits)
{
    const double log_total = (double)logits[choice->id] - choice->log_prob;
    int found = 0;
    for (int32_t id = 0; id < s->vocab && n > 0; id++) {
        if (found == n && !(logits[id] > out[n - 1].log_prob)) continue; /* among equals the lower id */
        int at = found < n ? found++ : n - 1;
        for (; at > 0 && out[at - 1].log_prob < logits[id]; at--) out[at] = out[at - 1];
        out[at] = (trine_token_chance) { id, logits[id] };
    }
    for (int i = 0; i < found; i++) out[i].log_prob = (float)((double)out[i].log_prob - log_total);
}
