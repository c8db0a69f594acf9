/* alloc.h - the allocator of the tests: counts, and fails at call k when told to. Every test program is linked with
 * --wrap for malloc and its kin, so library code needs no hook. */
#ifndef TRINE_TESTS_ALLOC_H
#define TRINE_TESTS_ALLOC_H

/* Allocations since the last reset. */
long alloc_count(void);
/* Counts from 0 again; the k-th allocation from now (1 is the next) returns NULL, and all after it; k = 0: none fails. */
void alloc_fail_at(long k);

#endif
