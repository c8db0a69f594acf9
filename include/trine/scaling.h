/* scaling.h - scaling laws: how the loss falls with parameters and tokens, fitted to any runs. Part of trine.h, which has
 * the rules. */
#ifndef TRINE_SCALING_H
#define TRINE_SCALING_H

#include "trine/reports.h"
#include "trine/runs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A trained model: what it cost and what it reached. */
typedef struct trine_scaling_run {
    double parameters, tokens, loss; /* above 0, finite; loss in nats a token, or any unit that is 0 for perfect */
    double flops;                    /* of its training; 0: not known */
} trine_scaling_run;

/* Reads runs from a table (CSV, TSV, JSON lines): columns parameters or N, tokens or D, loss or L, and where there flops or C, in any
 * order. Release *runs with trine_free. Errors name the line. */
TRINE_API trine_status trine_scaling_read(trine_scaling_run **runs, int *n, const char *path, trine_error *err);

typedef struct trine_scaling_options {
    int n_bootstrap;                /* resamplings for the intervals; 0: 400; -1: none */
    uint64_t seed;                  /* of them */
    double huber;                   /* residuals of log loss beyond it count by their size, not its square; 0: 0.001 */
    double confidence;              /* of the intervals; 0: 0.95 */
    int n_threads;                  /* 0: one a core. The result does not depend on it */
    trine_progress_fn *on_progress; /* resamplings done of all */
    void *user;
} trine_scaling_options;

/* How well the runs determine a number. */
typedef enum trine_determined {
    TRINE_DETERMINED,
    TRINE_LOOSE,       /* its interval is wide */
    TRINE_UNDETERMINED /* the runs cannot tell it: `why` says for what reason */
} trine_determined;

typedef struct trine_estimate {
    double value, low, high; /* without resamplings low = high = value */
    trine_determined how;
    char why[184]; /* in words; "" when determined */
} trine_estimate;

/* L(N, D) = E + A / N^alpha + B / D^beta (Hoffmann et al. 2022, approach 3). */
typedef struct trine_scaling_law {
    int n_runs, n_sizes, n_budgets; /* runs, and the different N and D among them */
    trine_estimate E, A, alpha, B, beta;
    trine_estimate exponent;      /* the best N for compute C grows as C^exponent, the best D as C^(1 - exponent) */
    double flops_per;             /* C = flops_per * N * D: the median of the runs that know their flops, else 6 */
    double residual;              /* typical (median absolute) residual of log loss: the share by which it misses */
    bool determined;              /* all five of the law's numbers are, if loosely */
    int n_frontier;               /* 0 when A or B is 0: then there is no best N */
    double *compute;              /* [n_frontier] a range of compute, and at each: */
    double *best_parameters;      /* the N that is best */
    double *best_tokens;          /* the D that goes with it */
    double *best_loss;            /* the loss they reach, */
    double *loss_low, *loss_high; /* and its interval */
    int n_profile;
    double *alphas,
        *alpha_profile;           /* [n_profile] the objective when alpha is held there and all else fitted, over its least: flat */
    double *betas, *beta_profile; /* where the runs cannot tell. The same for beta */
} trine_scaling_law;

/* Fits the law: a search over alpha and beta alone, with E, A and B solved for at each (variable projection), Huber's loss of log
 * residuals, intervals by resampling the runs. Fewer runs than unknowns are no error: the estimates say what cannot be told.
 * ERROR_ARGUMENT for a run that is not finite and above 0; ERROR_EMPTY without runs. Release with trine_scaling_law_clear. */
TRINE_API trine_status trine_scaling_fit(trine_scaling_law *out, const trine_scaling_run *runs, int n,
                                         const trine_scaling_options *options, trine_error *err);
TRINE_API void trine_scaling_law_clear(trine_scaling_law *law);
/* The loss that the law expects. */
TRINE_API double trine_scaling_loss(const trine_scaling_law *law, double parameters, double tokens);
/* Fits and tells: table, loss against compute with the frontier, profiles, numbers. `name`: of the runs. */
TRINE_API trine_status trine_scaling_tell(trine_report **out, const char *name, const trine_scaling_run *runs, int n,
                                          const trine_scaling_options *options, trine_error *err);

/* A ladder of models: every size trained on every number of tokens of the built-in corpus, for each paradigm. */

/* How far a long experiment is: what it is at, and `done` of `total` in shares of its time. Return false to stop. */
typedef bool trine_ladder_fn(void *user, const char *what, int done, int total);
typedef struct trine_ladder_options {
    bool quick;                   /* 6 sizes and 3 budgets of less than a minute; else 7 and 4 */
    const int64_t *sizes;         /* [n_sizes] parameters, in place of these */
    const int64_t *budgets;       /* [n_budgets] tokens */
    int n_sizes, n_budgets;       /* 0: as quick says */
    int64_t recall_tokens;        /* of the runs in which recall is watched; 0: as quick says; -1: none */
    uint64_t seed;                /* of weights, texts and resamplings */
    int n_threads;                /* 0: one a core */
    const char *cpu;              /* kernel level, as in trine_model_options */
    trine_record *record;         /* every finished run is kept there, and a ladder that was stopped goes on; NULL: not */
    trine_ladder_fn *on_progress; /* or NULL */
    void *user;
} trine_ladder_options;
/* Trains the ladder, fits each paradigm's law and tells: laws with what cannot be identified, E beside the corpus's entropy, loss
 * against compute, and how the recall of a pair given in the context appears with training. ERROR_CANCELLED when on_progress
 * stopped it: what was finished is kept in the record. */
TRINE_API trine_status trine_compare_scaling(trine_report **out, const trine_ladder_options *options, trine_error *err);

#ifdef __cplusplus
}
#endif
#endif
