/* team.h - threads that share out the pieces of one piece of work after another.
 *
 * A decoded token is some hundred short works of 5 to 100 microseconds each, so what matters is how soon the others begin and
 * how little the owner waits. Pieces are taken one at a time by whoever is free, and the owner takes part: it never waits for a
 * thread that has not begun, only for pieces in the hands of others. So a thread that sleeps, or whose core somebody else uses,
 * costs nothing but its help, and in a process that has forked, where the threads are gone, the owner does all of it.
 *
 * Between works a thread spins for a moment, then sleeps. What a piece computes must not depend on who computes it. */
#ifndef TRINE_BASE_TEAM_H
#define TRINE_BASE_TEAM_H

#include "trine/basics.h"

#define TRINE_TEAM_MOST 4096
#define TRINE_TEAM_STACK ((size_t)1 << 20) /* bytes of each thread's stack */

typedef struct trine_team trine_team;

/* One piece of a job. `thread` is 0 (the owner) to the size of the team less 1, and nobody else has it meanwhile: an index into
 * scratch memory. */
typedef void trine_piece_fn(void *job, int piece, int thread);

/* Pieces 0 .. n - 1 of one function. */
typedef struct trine_stage {
    int n;
    trine_piece_fn *run;
} trine_stage;

/* What an option of 0 threads or more means: 0 is one a core. ERROR_ARGUMENT: fewer than none, or more than TRINE_TEAM_MOST. */
trine_status trine_team_size(int *n_threads, trine_error *err);
/* A team of n_threads, the caller among them. *out is NULL, and that is a team of one, when n_threads is 1. */
trine_status trine_team_open(trine_team **out, int n_threads, trine_error *err);
void trine_team_close(trine_team *team);
/* Does all pieces and returns when they are done. Called by one thread at a time. `team` NULL: the caller does them in order. */
void trine_team_run(trine_team *team, int n, trine_piece_fn *run, void *job);
/* The same for stages: no piece of a stage begins before all of the stages before it are done. */
void trine_team_run_stages(trine_team *team, const trine_stage *stages, int n_stages, void *job);

#endif
