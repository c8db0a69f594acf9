/* past_runs.h - what the record keeps of experiments that have ended, of the command as of a page. */
#ifndef TRINE_SERVER_PAST_RUNS_H
#define TRINE_SERVER_PAST_RUNS_H

#include "json_text.h"

/* The reports of the record, the newest first, as an array. A record that is not there, or cannot be read, has none. */
void write_past_runs(json_writer *j);
/* The newest of an experiment, as the command calls it; 0: none. */
int64_t newest_past_run(const char *experiment);

#endif
