/* interrupt.c - Control-C, and for runs SIGTERM and SIGUSR1: the first of each is remembered and the work ends cleanly at its next step,
 * the second ends the program. */
#include "run.h"

#include <signal.h>

static volatile sig_atomic_t seen;

static void on_interrupt(int number)
{
    (void)number;
    seen = 1;
}

static void set_handler(int number)
{
    /* SA_RESETHAND: the next one finds the default action. No SA_RESTART: a read of the terminal must return. */
    struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void interrupt_catch(void)
{
    struct sigaction old;
    /* A shell starts background jobs with Control-C ignored: leave it so. */
    if (sigaction(SIGINT, NULL, &old) == 0 && old.sa_handler == SIG_IGN) return;
    set_handler(SIGINT);
}

void interrupt_catch_end(void)
{
    set_handler(SIGTERM);
    set_handler(SIGUSR1); /* what mpirun hands on to its processes, and Slurm sends where it is asked to (--signal) */
}

bool interrupted(void) { return seen != 0; }

void interrupt_forget(void)
{
    if (!seen) return;
    seen = 0;
    set_handler(SIGINT);
}
