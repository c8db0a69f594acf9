/* chart.h - a plot drawn in the terminal. */
#ifndef TRINE_APP_CHART_H
#define TRINE_APP_CHART_H

#include "run.h"

/* In at most 80 columns and, with a legend of up to four curves, 24 rows. A curve is told by a letter as well as by its color.
 * `endings`: what to say of each curve behind its name in the legend, or NULL. Returns an exit status. */
int draw_chart(run *r, const trine_plot *plot, const char *const *endings);

#endif
