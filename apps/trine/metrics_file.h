/* metrics_file.h - metrics by step as training writes them: JSON lines, each with its step. */
#ifndef TRINE_APP_METRICS_FILE_H
#define TRINE_APP_METRICS_FILE_H

#include <jansson.h>

#include "run.h"

/* The lines of a file, or of training/metrics.jsonl in the folder of a run, as a JSON array of objects; what comes after the last end of
 * line is still being written, and left out. Returns an exit status. */
int read_metrics(run *r, json_t **lines, const char *path);
/* One metric of them, in order; free with trine_series_clear. False: no memory. */
bool metrics_series(trine_series *out, const json_t *lines, const char *name);
/* All that are there, once each; free with trine_names_clear. False: no memory. */
bool metrics_names(trine_names *out, const json_t *lines);

#endif
