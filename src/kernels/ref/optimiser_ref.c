/* optimiser_ref.c - the definition of the optimiser's loops. */
#include <math.h>

#include "kernels/optimiser_kernels.h"
#include "quant/quant.h"

static void adamw(const trine_adamw_arrays *a, size_t n, const trine_adamw_step *s)
{
    for (size_t i = 0; i < n; i++) {
        const double g = (double)s->grad_scale * (double)a->g[i];
        const double m = (double)s->beta1 * (double)a->m[i] + (double)s->rest1 * g;
        const double v = (double)s->beta2 * (double)a->v[i] + (double)s->rest2 * g * g;
        const double p = (double)s->shrink * (double)a->p[i] - (double)s->size * m / (sqrt(v) * (double)s->root + (double)s->eps);
        a->m[i] = (float)m;
        a->v[i] = (float)v;
        a->p[i] = (float)p;
        if (a->bf16) a->bf16[i] = trine_f32_to_bf16(a->p[i]);
        if (a->average)
            a->average[i] = (float)((double)a->average[i] + (double)s->average_rate * ((double)a->p[i] - (double)a->average[i]));
        if (s->clear) a->g[i] = 0;
    }
}

static double sum_squares(const float *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    return sum;
}

void trine_optimiser_kernels_ref(trine_optimiser_kernels *k)
{
    *k = (trine_optimiser_kernels) { .adamw = adamw, .sum_squares = sum_squares };
}
