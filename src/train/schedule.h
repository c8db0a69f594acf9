/* schedule.h - the learning rate by step. */
#ifndef TRINE_TRAIN_SCHEDULE_H
#define TRINE_TRAIN_SCHEDULE_H

#include "trine/basics.h"
#include "trine/training.h"

typedef struct trine_schedule {
    trine_decay decay;
    double rate, floor; /* the highest; where cosine and linear end */
    int64_t warmup, steps;
} trine_schedule;

/* The rate of step `step`, from 0. Warm-up is linear, rate / (warmup + 1) at step 0. Then: cosine (Loshchilov & Hutter 2017) and linear
 * down to the floor at `steps`; inverse root, rate * sqrt(warmup / step) (Vaswani et al. 2017, sec. 5.3; with no warm-up from step 1);
 * or constant. */
double trine_schedule_rate(const trine_schedule *s, int64_t step);

#endif
