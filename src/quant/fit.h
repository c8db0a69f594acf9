/* fit.h - the search behind the packers of weights: which scale (and base) makes a few values cost least.
 *
 * A part of a block is x = scale q + base with whole q in [low, high]. Rounding to the nearest level is optimal once the line
 * is known, and the line is a least-squares fit once the levels are known; what is left is where to begin. The search begins
 * from many spacings of the range of x and lets these two steps improve the best. */
#ifndef TRINE_QUANT_FIT_H
#define TRINE_QUANT_FIT_H

#include <stdbool.h>
#include <stdint.h>

enum { TRINE_FIT_MOST = 32 }; /* values of a part at most */

/* n values, a multiple of 8, none above 1 in magnitude, and what a squared error of each costs. */
typedef struct trine_fit_part {
    float x[TRINE_FIT_MOST], w[TRINE_FIT_MOST];
    int n;
    int low, high; /* levels */
} trine_fit_part;

typedef struct trine_line {
    float scale, base; /* scale may be negative; 0: every x is base */
} trine_line;

/* Weighted sums over a part, for the levels that a line gives. */
typedef struct trine_fit_sums {
    double w, x, xx;  /* of w, w x, w x x: the same for any line */
    double q, qq, qx; /* of w q, w q q, w q x */
} trine_fit_sums;

/* Spacings to begin from: the range of x (for a scale alone: its largest magnitude) is cut in first, first + step... last. */
typedef struct trine_fit_range {
    float first, last, step;
} trine_fit_range;

/* Fills p from n values divided by `unit`. A squared error costs rms + |x|: large weights matter more to what a matrix gives than
 * their share of the squares says, small ones less. */
void trine_fit_part_set(trine_fit_part *p, const float *in, int n, float unit, int low, int high);
/* What an f16 keeps of a scale: never 0 of what is not, for the smallest half still has multiples. */
float trine_fit_half(float scale);
/* The cost of rounding every x to its nearest level on the line. */
double trine_fit_cost(const trine_fit_part *p, trine_line line);
/* The nearest levels, counted from `low`. */
void trine_fit_levels(uint8_t *levels, const trine_fit_part *p, trine_line line);
void trine_fit_sum(trine_fit_sums *sums, const trine_fit_part *p, trine_line line);
/* The best scale found, base 0. Both signs are tried when low and high differ in magnitude. */
trine_line trine_fit_scale(const trine_fit_part *p, trine_fit_range range);
/* The best line found; with `base_below` its base is not above 0. */
trine_line trine_fit_line(const trine_fit_part *p, trine_fit_range range, bool base_below);

#endif
