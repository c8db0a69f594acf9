/* scaling_project.h - variable projection for L(N, D) = E + A / N^alpha + B / D^beta (Golub & Pereyra 1973; for scaling laws
 * arXiv 2603.22339).
 *
 * Once alpha and beta are fixed the law is linear in E, A and B, so these are solved for (with none of them below 0) and what is
 * left is a function of two numbers, searched on a grid and then by a simplex. Hoffmann et al. (2022) searched all five at once
 * from many starts, and stopped early: Besiroglu et al. (arXiv 2404.10102) could not find their optimum again. */
#ifndef TRINE_COMPARE_SCALING_PROJECT_H
#define TRINE_COMPARE_SCALING_PROJECT_H

#include "trine/scaling.h"

#define TRINE_EXPONENT_LEAST 0.02 /* where alpha and beta are looked for */
#define TRINE_EXPONENT_MOST 3.0

/* The runs as the search wants them. */
typedef struct trine_law_data {
    int n;
    const double *log_n, *log_d, *log_l; /* [n] */
    const double *weights;               /* [n] how often each counts; NULL: once */
    double log_n0, log_d0;               /* the middle of log_n and log_d: A and B are solved for there, not at N = 1 */
    double huber;
    double *x, *y, *model; /* [n] scratch */
} trine_law_data;

typedef struct trine_law {
    double E, A, alpha, B, beta;
    double objective; /* the mean of Huber's loss */
} trine_law;

/* E, A and B, and the objective, at law->alpha and law->beta. At most `n_steps` reweightings. */
void trine_law_solve(trine_law *law, const trine_law_data *data, int n_steps);
/* The best law. `start` NULL: the grid is searched first; else the simplex begins there. */
void trine_law_search(trine_law *best, const trine_law_data *data, const trine_law *start);
/* The best law whose alpha (or, with `hold_beta`, beta) is `held`; `start` has the other to begin with. */
void trine_law_profile(trine_law *best, const trine_law_data *data, double held, bool hold_beta, const trine_law *start);
/* The loss that a law expects. */
double trine_law_loss(const trine_law *law, double parameters, double tokens);

#endif
