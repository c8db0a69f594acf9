/* kept_run.h - an experiment's run in the record: found again where it was stopped. */
#ifndef TRINE_COMPARE_KEPT_RUN_H
#define TRINE_COMPARE_KEPT_RUN_H

#include "trine/runs.h"

/* The newest run of this kind and configuration, when it is not done and of this version: it is gone on with, *found. Else a new one. */
trine_status trine_kept_run_find(int64_t *run, bool *found, trine_record *record, const char *kind, const char *configuration,
                                 uint64_t seed, trine_error *err);
/* Notes how it ended: "done", "stopped", "failed". `record` NULL: nothing. */
void trine_kept_run_end(trine_record *record, int64_t run, trine_status status);

#endif
