/* compare.h - the experiments of `trine compare`, one file each. */
#ifndef TRINE_APP_COMPARE_H
#define TRINE_APP_COMPARE_H

#include "run.h"

/* An experiment: fills *report. `record`: where its runs are kept, or NULL. Returns the library's status. */
typedef trine_status experiment_fn(trine_report **report, run *r, trine_record *record, trine_error *err);
experiment_fn compare_paradigms, compare_masks, compare_scaling, compare_long_document;

#endif
