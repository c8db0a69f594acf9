/* run_pass.h - runs blocks on a pass as the library does: measured first, then in an arena of exactly that size; and once in
 * one that is 64 bytes smaller, which must fail cleanly. */
#ifndef TRINE_TESTS_RUN_PASS_H
#define TRINE_TESTS_RUN_PASS_H

#include "blocks/pass.h"

/* The blocks to run. Called three times; when trine_pass_computes(p) holds after its blocks, it keeps their results. */
typedef void run_pass_fn(trine_pass *p, void *user);
void run_pass(const trine_batch *batch, trine_cpu level, int n_threads, trine_tracer *tracer, run_pass_fn *body, void *user);
/* The same for a body that must fail: its status. */
trine_status run_failing_pass(const trine_batch *batch, trine_cpu level, int n_threads, run_pass_fn *body, void *user);
/* A batch of one segment of n rows without a cache. */
trine_batch one_segment(trine_segment *segment, int n_rows);

#endif
