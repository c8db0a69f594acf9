/* optimiser_x86.h - template: the optimiser's loops. Include it after a vector_*.h.
 *
 * Tails are computed in a vector's worth of memory of their own, by the same instructions: an element's result does not depend on where
 * a range is cut. */
#ifndef TRINE_KERNELS_OPTIMISER_X86_H
#define TRINE_KERNELS_OPTIMISER_X86_H

#include "kernels/optimiser_kernels.h"
#include "kernels/x86/round_bf16_x86.h"

/* The numbers of a step, in every lane. */
typedef struct step_vectors {
    vf grad_scale, beta1, beta2, rest1, rest2, size, root, eps, shrink, average_rate;
} step_vectors;

static inline step_vectors spread(const trine_adamw_step *s)
{
    return (step_vectors) { .grad_scale = vf_set(s->grad_scale),
                            .beta1 = vf_set(s->beta1),
                            .beta2 = vf_set(s->beta2),
                            .rest1 = vf_set(s->rest1),
                            .rest2 = vf_set(s->rest2),
                            .size = vf_set(s->size),
                            .root = vf_set(s->root),
                            .eps = vf_set(s->eps),
                            .shrink = vf_set(s->shrink),
                            .average_rate = vf_set(s->average_rate) };
}

/* A vector's worth of elements at `at`. */
static inline void adamw_at(const trine_adamw_arrays *a, size_t at, const step_vectors *s, bool clear)
{
    const vf g = vf_mul(s->grad_scale, vf_load(a->g + at));
    const vf m = vf_fma(s->beta1, vf_load(a->m + at), vf_mul(s->rest1, g));
    const vf v = vf_fma(s->beta2, vf_load(a->v + at), vf_mul(vf_mul(s->rest2, g), g));
    const vf below = vf_fma(vf_sqrt(v), s->root, s->eps);
    const vf p = vf_fnma(s->size, vf_div(m, below), vf_mul(s->shrink, vf_load(a->p + at)));
    vf_store(a->m + at, m);
    vf_store(a->v + at, v);
    vf_store(a->p + at, p);
    if (a->bf16) vf_store_bf16(a->bf16 + at, p);
    if (a->average) {
        const vf old = vf_load(a->average + at);
        vf_store(a->average + at, vf_fma(s->average_rate, vf_sub(p, old), old));
    }
    if (clear) vf_store(a->g + at, vf_zero());
}

static void TRINE_NAME(adamw)(const trine_adamw_arrays *a, size_t n, const trine_adamw_step *s)
{
    const step_vectors all = spread(s);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) adamw_at(a, i, &all, s->clear);
    if (i == n) return;
    const size_t rest = n - i, bytes = rest * sizeof(float);
    float p[LANES] = { 0 }, g[LANES] = { 0 }, m[LANES] = { 0 }, v[LANES] = { 0 }, average[LANES] = { 0 };
    uint16_t bf16[LANES];
    const trine_adamw_arrays tail = { p, g, m, v, bf16, average };
    memcpy(p, a->p + i, bytes);
    memcpy(g, a->g + i, bytes);
    memcpy(m, a->m + i, bytes);
    memcpy(v, a->v + i, bytes);
    if (a->average) memcpy(average, a->average + i, bytes);
    adamw_at(&tail, 0, &all, s->clear);
    memcpy(a->p + i, p, bytes);
    memcpy(a->g + i, g, bytes);
    memcpy(a->m + i, m, bytes);
    memcpy(a->v + i, v, bytes);
    if (a->bf16) memcpy(a->bf16 + i, bf16, rest * sizeof *bf16);
    if (a->average) memcpy(a->average + i, average, bytes);
}

static double TRINE_NAME(sum_squares)(const float *x, size_t n)
{
    vd sum[4] = { vd_set(0), vd_set(0), vd_set(0), vd_set(0) };
    size_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        for (int j = 0; j < 4; j++) {
            const vd part = vd_load_f32(x + i + j * HALF_LANES);
            sum[j] = vd_fma(part, part, sum[j]);
        }
    }
    double rest = 0;
    for (; i < n; i++) rest += (double)x[i] * (double)x[i];
    return vd_sum(vd_add(vd_add(sum[0], sum[1]), vd_add(sum[2], sum[3]))) + rest;
}

#endif
