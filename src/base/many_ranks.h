/* many_ranks.h - the communicator as the library uses it: NULL, and a team of one, ask nothing of anybody. */
#ifndef TRINE_BASE_MANY_RANKS_H
#define TRINE_BASE_MANY_RANKS_H

#include "trine/ranks.h"

static inline int trine_n_ranks(const trine_ranks *r) { return r ? r->size : 1; }
static inline int trine_rank(const trine_ranks *r) { return r ? r->rank : 0; }
/* Whether this is the rank that writes. */
static inline bool trine_is_first(const trine_ranks *r) { return trine_rank(r) == 0; }

/* Each rank says how it went: where any has failed, all return the first one's failure, told by its number. After that nothing is asked
 * of the others any more, so a rank that fails early need not follow what the others still do: it says so here, next. */
trine_status trine_ranks_agree(trine_ranks *r, trine_status status, trine_error *err);
/* Whether all ranks have the same of `what` ("the model"), by its checksum; else the first that differs from rank 0 is named. */
trine_status trine_ranks_same(trine_ranks *r, uint64_t checksum, const char *what, trine_error *err);
/* x [n] becomes the sum over all ranks, in their order. */
trine_status trine_ranks_sum(trine_ranks *r, double *x, int n, trine_error *err);
/* The same for counts below 2^53 in all. */
trine_status trine_ranks_count(trine_ranks *r, int64_t *x, int n, trine_error *err);

#endif
