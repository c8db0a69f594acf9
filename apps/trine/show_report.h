/* show_report.h - the report of an experiment, as the options ask for it. */
#ifndef TRINE_APP_SHOW_REPORT_H
#define TRINE_APP_SHOW_REPORT_H

#include "run.h"

/* Checks that the file of --report can be made: before the work that it is to hold. Returns an exit status. */
int check_report(run *r);
/* Draws a report in the terminal, or prints its JSON with --json, and writes the file of --report. Returns an exit status. */
int show_report(run *r, const trine_report *report);

#endif
