/* compare.h - the experiments of `trine compare`, one file each. */
#ifndef TRINE_APP_COMPARE_H
#define TRINE_APP_COMPARE_H

#include "run.h"

/* An experiment: fills *report. `record`: where its runs are kept, or NULL. Returns the library's status. */
typedef trine_status experiment_fn(trine_report **report, run *r, trine_record *record, trine_error *err);
experiment_fn compare_paradigms, compare_masks, compare_scaling, compare_long_document;
/* Their progress, over a run. */
bool compare_progress(void *user, const char *what, int done, int total);
/* The numbers of an option as the library takes them; free it. NULL: no memory. */
int64_t *compare_numbers(const id_list *list);

#endif
