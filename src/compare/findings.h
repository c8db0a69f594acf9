/* findings.h - what was measured on one model: lists of numbers by name, kept in the record of experiments and taken from there when the
 * same model is asked for again.
 *
 * A model is one run of the record: its configuration says all that decides the numbers, its metrics hold them, number i of a list at
 * step i. So an experiment that was stopped goes on from what is finished. */
#ifndef TRINE_COMPARE_FINDINGS_H
#define TRINE_COMPARE_FINDINGS_H

#include <jansson.h>

#include "trine.h"

/* Appends to the list `name`; a number that is not finite is kept as it is. False when memory ran out. */
bool trine_findings_put(json_t *findings, const char *name, double value);
/* Number `i` of a list; NAN where there is none. */
double trine_findings_get(const json_t *findings, const char *name, int i);
int trine_findings_count(const json_t *findings, const char *name);

/* The findings of a finished run of this kind, configuration, seed and build, in new memory; NULL when the record has none. */
trine_status trine_findings_recall(json_t **out, trine_record *record, const char *kind, const char *configuration, uint64_t seed,
                                   trine_error *err);
/* Keeps them as a run that is done. */
trine_status trine_findings_keep(trine_record *record, const char *kind, const char *configuration, uint64_t seed,
                                 const json_t *findings, trine_error *err);

/* A mean with the interval that holds it with 95%: percentiles of 1,000 resamplings (Efron 1979) of seeds, and of texts, which are the
 * same for all seeds. lists: [n_lists] of n numbers. */
typedef struct trine_interval {
    double mean, low, high;
} trine_interval;
trine_interval trine_interval_of(const double *const *lists, int n_lists, int n, uint64_t seed);

#endif
