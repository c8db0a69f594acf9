/* started_runs.h - experiments that a page starts: the command itself, run as a process of its own in a small terminal, one at a time. */
#ifndef TRINE_SERVER_STARTED_RUNS_H
#define TRINE_SERVER_STARTED_RUNS_H

#include <trine.h>

typedef struct runs runs;

/* `program`: the path of the command; borrowed. */
trine_status runs_open(runs **out, const char *program, trine_error *err);
/* Ends what runs. NULL is fine. */
void runs_close(runs *r);

#endif
