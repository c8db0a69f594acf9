/* adamw.c - see adamw.h. The flat arrays are cut into pieces of equal length, and a piece into the runs of tensors in it that decay or
 * do not: what is computed for an element depends on the element alone. */
#include "train/adamw.h"

#include <math.h>
#include <stdlib.h>

#include "base/size.h"
#include "base/status.h"

enum { PIECE = 1 << 15 }; /* floats: five arrays of it lie in a second cache */

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

typedef struct step_job {
    trine_params *params;
    size_t first, n;
    const trine_adamw_options *options;
    const trine_optimiser_kernels *kernels;
    trine_adamw_step steps[2]; /* [1]: of tensors that decay */
} step_job;

static void step_piece(void *job, int piece, int thread)
{
    (void)thread;
    const step_job *j = job;
    trine_params *p = j->params;
    size_t at = j->first + (size_t)piece * PIECE;
    const size_t end = least(at + PIECE, j->first + j->n);
    for (int t = trine_params_at(p, at); at < end;) {
        const bool decays = p->tensors[t].decays;
        const bool skipped = j->options->no_hidden && p->tensors[t].hidden;
        while (t + 1 < p->n_tensors && p->tensors[t + 1].offset < end && p->tensors[t + 1].decays == decays &&
               (j->options->no_hidden && p->tensors[t + 1].hidden) == skipped)
            t++;
        const size_t to = ++t < p->n_tensors ? least(p->tensors[t].offset, end) : end;
        const trine_adamw_arrays arrays = { .p = p->values + at,
                                            .g = p->grads + at,
                                            .m = p->m + (at - p->state_first),
                                            .v = p->v + (at - p->state_first),
                                            .bf16 = p->bf16 ? p->bf16 + at : NULL,
                                            .average = j->options->average ? j->options->average + at : NULL };
        if (!skipped) j->kernels->adamw(&arrays, to - at, &j->steps[decays]);
        at = to;
    }
}

static double or_else(double x, double fallback) { return x != 0 ? x : fallback; }

void trine_adamw_run(trine_params *params, size_t first, size_t n, const trine_adamw_options *o,
                     const trine_optimiser_kernels *kernels, trine_team *team)
{
    const double beta1 = or_else(o->beta1, 0.9), beta2 = or_else(o->beta2, 0.999), t = (double)o->step;
    step_job j = { .params = params, .first = first, .n = n, .options = o, .kernels = kernels };
    for (int decays = 0; decays < 2; decays++)
        j.steps[decays] = (trine_adamw_step) { .grad_scale = (float)or_else(o->grad_scale, 1),
                                               .beta1 = (float)beta1,
                                               .beta2 = (float)beta2,
                                               .rest1 = (float)(1 - beta1),
                                               .rest2 = (float)(1 - beta2),
                                               .size = (float)(o->rate / (1 - pow(beta1, t))),
                                               .root = (float)(1 / sqrt(1 - pow(beta2, t))),
                                               .eps = (float)or_else(o->eps, 1e-8),
                                               .shrink = decays ? (float)(1 - o->rate * o->decay) : 1,
                                               .average_rate = (float)o->average_rate,
                                               .clear = o->clear };
    trine_team_run(team, (int)((n + PIECE - 1) / PIECE), step_piece, &j);
}

typedef struct squares_job {
    const float *grads;
    size_t n;
    const trine_optimiser_kernels *kernels;
    double *sums;
} squares_job;

static void squares_piece(void *job, int piece, int thread)
{
    (void)thread;
    const squares_job *j = job;
    const size_t at = (size_t)piece * PIECE;
    j->sums[piece] = j->kernels->sum_squares(j->grads + at, least(PIECE, j->n - at));
}

trine_status trine_grad_squares(double *out, const trine_params *params, size_t first, size_t n,
                                const trine_optimiser_kernels *kernels, trine_team *team, trine_error *err)
{
    const int n_pieces = (int)((n + PIECE - 1) / PIECE);
    *out = 0;
    double *sums = malloc(((size_t)n_pieces + 1) * sizeof *sums);
    if (!sums) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the norm of %zu gradients", n);
    squares_job j = { .grads = params->grads + first, .n = n, .kernels = kernels, .sums = sums };
    trine_team_run(team, n_pieces, squares_piece, &j);
    for (int i = 0; i < n_pieces; i++) *out += sums[i];
    free(sums);
    return TRINE_OK;
}

const trine_param *trine_grad_not_finite(const trine_params *params, size_t first, size_t n)
{
    for (size_t i = first; i < first + n; i++)
        if (!isfinite(params->grads[i])) return &params->tensors[trine_params_at(params, i)];
    return NULL;
}
