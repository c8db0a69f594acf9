/* curves.h - curves of metrics by step, drawn. */
#ifndef TRINE_APP_CURVES_H
#define TRINE_APP_CURVES_H

#include "run.h"

typedef struct curve {
    const char *name;
    trine_series series;
    bool higher_is_better;
} curve;

/* In at most 80 columns, with a legend. Returns an exit status. */
int draw_curves(run *r, const curve *curves, int n);
int write_svg(run *r, const char *path, const curve *curves, int n);
/* The best value: the least, or the highest where that is better. */
double curve_best(const curve *c);

#endif
