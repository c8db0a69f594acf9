/* ranks.h - several processes that work as one, on one machine or on many: what they ask of each other. */
#ifndef TRINE_RANKS_H
#define TRINE_RANKS_H

#include "trine/basics.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A communicator, as a table of functions: the command fills one from MPI (its module trine_mpi.so), a program may fill its own.
 * All ranks call the same functions in the same order, with the same counts; the calls of one rank come from one thread. Options that
 * take one say `NULL: this process is alone`. A function fails when a rank is lost, and its error says which. */
typedef struct trine_ranks {
    int rank, size; /* this process is `rank` of 0 .. size - 1 */
    void *self;     /* what the functions are given */
    bool over;      /* set by the library: all ranks have agreed on a failure, and nothing more is asked of them */

    /* Begins to sum: after `wait`, x [n] holds the sum over all ranks, at every rank (to < 0) or at rank `to` alone, where the others'
     * x is as it was. For a number of ranks and n the order of the sum is always the same, and every rank has the same bits. */
    trine_status (*sum_begin)(void *self, float *x, size_t n, int to, trine_error *err);
    /* Returns when all that was begun is done. */
    trine_status (*wait)(void *self, trine_error *err);
    /* x [n] becomes the sum over all ranks, added in their order. */
    trine_status (*sum)(void *self, double *x, int n, trine_error *err);
    /* Rank i has x[ends[i - 1]] to x[ends[i]] (multiples of 16); afterwards every rank has all of x. */
    trine_status (*gather)(void *self, float *x, const size_t *ends, trine_error *err);
    /* Every rank gets the bytes of rank `from`. */
    trine_status (*broadcast)(void *self, void *bytes, size_t n, int from, trine_error *err);
    /* From a rank to rank 0, which receives them in the order they were sent. */
    trine_status (*send)(void *self, const void *bytes, size_t n, trine_error *err);
    trine_status (*receive)(void *self, void *bytes, size_t n, int from, trine_error *err);
    /* Ends all ranks at once, this process with exit status `code`; for a rank that cannot go on and cannot tell the others. */
    void (*abort)(void *self, int code);
    /* Leaves, when all have come here. */
    void (*close)(struct trine_ranks *ranks);
} trine_ranks;

#ifdef __cplusplus
}
#endif
#endif
