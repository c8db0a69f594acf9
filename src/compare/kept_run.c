/* kept_run.c - see kept_run.h. */
#include "compare/kept_run.h"

#include <string.h>

trine_status trine_kept_run_find(int64_t *run, bool *found, trine_record *record, const char *kind, const char *configuration,
                                 uint64_t seed, trine_error *err)
{
    trine_runs runs = { 0 };
    *found = false;
    trine_status status = trine_record_list(&runs, record, err);
    for (int i = 0; i < runs.n && !status && !*found; i++) {
        const trine_run_info *k = &runs.items[i];
        if (strcmp(k->kind, kind) || strcmp(k->configuration, configuration)) continue;
        if (!strcmp(k->status, "done") || strcmp(k->version, trine_build())) break;
        *found = true;
        *run = k->id;
    }
    trine_runs_clear(&runs);
    if (status) return status;
    return *found ? trine_record_resume(record, *run, INT64_MAX, err)
                  : trine_record_begin(run, record, kind, configuration, seed, err);
}

void trine_kept_run_end(trine_record *record, int64_t run, trine_status status)
{
    if (record && run)
        trine_record_end(record, run, !status ? "done" : status == TRINE_ERROR_CANCELLED ? "stopped" : "failed", NULL);
}
