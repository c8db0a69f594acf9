/* limits.h - trine_limits_measure with its measures given: tests take less of both. */
#ifndef TRINE_LIMITS_LIMITS_H
#define TRINE_LIMITS_LIMITS_H

#include "trine/measuring.h"

/* Reads a buffer of at most `most_bytes`; runs each peak loop for `run_seconds` or more. */
trine_status trine_limits_run(trine_limits *out, const char *cpu, int n_threads, size_t most_bytes, double run_seconds,
                              trine_error *err);

#endif
