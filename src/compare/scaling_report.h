/* scaling_report.h - a fitted law as items of a report, for `fit` and for `compare scaling`. */
#ifndef TRINE_COMPARE_SCALING_REPORT_H
#define TRINE_COMPARE_SCALING_REPORT_H

#include "compare/report.h"
#include "trine/scaling.h"

/* The table of the law's numbers with their intervals, and in words what the runs cannot tell. `floor`: the loss nobody can go below,
 * when it is known; else 0. */
void trine_scaling_add_table(trine_report *r, const char *name, const trine_scaling_law *law, double floor);
/* A plot of loss against compute: the runs by size, the fitted frontier with its band, the floor. */
void trine_scaling_add_plot(trine_report *r, const char *name, const trine_scaling_run *runs, int n, const trine_scaling_law *law,
                            double floor);
/* How the objective bends along alpha and beta. */
void trine_scaling_add_profile(trine_report *r, const char *name, const trine_scaling_law *law);
/* All numbers as JSON; NULL when memory ran out. */
json_t *trine_scaling_to_json(const trine_scaling_run *runs, int n, const trine_scaling_law *law);

#endif
