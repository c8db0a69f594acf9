/* thread_waiting.c - how long an idle thread of a team spins before it sleeps.
 *
 * A decoded token is some hundred short parallel loops. By default libgomp spins for milliseconds at the end of each: on a machine
 * that others use as well, a spinning thread takes the core from the very thread it waits for, and a token that costs 20 ms takes
 * seconds. A microsecond or two catch most waits on an idle machine and cost nothing on a busy one.
 *
 * libgomp reads its environment once, before main, so the program starts itself anew with the setting: a millisecond or two. */
#include <stdlib.h>
#include <unistd.h>

#include "run.h"

void wait_briefly(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT") || setenv("GOMP_SPINCOUNT", "300", 1)) return;
    execv("/proc/self/exe", argv); /* where that cannot be, it goes on as it is */
}
