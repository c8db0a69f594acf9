/* thread_ranks.h - ranks that are threads of this process, for tests of what many ranks do without MPI. */
#ifndef TRINE_TESTS_THREAD_RANKS_H
#define TRINE_TESTS_THREAD_RANKS_H

#include "trine.h"

typedef void thread_rank_fn(trine_ranks *ranks, void *user);

/* Runs `each` on n threads at once, each as one rank, and returns when all have returned. */
void thread_ranks_run(int n, thread_rank_fn *each, void *user);
/* Sums that were begun while another was not yet waited for, of all ranks so far: to see that they overlap. */
int thread_ranks_begun(const trine_ranks *ranks);

#endif
