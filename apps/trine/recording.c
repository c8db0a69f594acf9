/* recording.c - the record of experiments, for commands whose work is worth doing without it. */
#include "run.h"

int open_record(run *r, trine_record **record)
{
    trine_error err = { 0 };
    *record = NULL;
    if (r->args.no_record || is_silent(r)) return 0;
    const trine_status status = trine_record_open(record, r->args.record, false, &err);
    if (!status) return 0;
    if (GIVEN(&r->args, record)) return fail_status(r, status, &err);
    note(r, "%s; this run is not recorded", err.text);
    return 0;
}
