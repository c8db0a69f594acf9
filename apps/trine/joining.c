/* joining.c - many processes that run one command: which of them this is, and how they end together.
 *
 * mpirun and srun tell by the environment that there are others. Then, and only then, the module that speaks MPI is loaded: it lies beside
 * the command where it was built, and below lib/ where it was installed. */
#include "run.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef trine_status open_fn(trine_ranks **out, trine_error *err);

/* The number that a variable holds; -1: it is not there. */
static int number_in(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? atoi(value) : -1;
}

static bool has_others(void)
{
    static const char *const sizes[] = { "OMPI_COMM_WORLD_SIZE", "PMI_SIZE" };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (number_in(sizes[i]) >= 0) return number_in(sizes[i]) > 1;
    /* srun with PMIx says which rank this is, and Slurm of how many. */
    return (number_in("PMIX_RANK") >= 0 || number_in("PMI_RANK") >= 0) && number_in("SLURM_NTASKS") != 1;
}

bool is_other_process(void)
{
    return has_others() && (number_in("OMPI_COMM_WORLD_RANK") > 0 || number_in("PMIX_RANK") > 0 || number_in("PMI_RANK") > 0);
}

static void *load_module(run *r)
{
    static const char *const places[] = { "trine_mpi.so", "../" TRINE_MODULES "/trine_mpi.so" };
    char folder[4096], path[4200];
    if (!own_path(folder, sizeof folder)) return NULL;
    char *slash = strrchr(folder, '/');
    if (slash) *slash = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, places[i]);
        if (access(path, R_OK)) continue;
        void *module = dlopen(path, RTLD_NOW | RTLD_GLOBAL); /* MPI's own plugins look for it */
        if (!module) fail(r, EXIT_FAILED, "%s: cannot be loaded: %s", path, dlerror());
        return module;
    }
    fail(r, EXIT_FAILED,
         "this is one of several processes that mpirun or srun has started, and this build has no MPI: build it where Open MPI is "
         "installed (Debian: libopenmpi-dev), or start one process");
    return NULL;
}

int join_ranks(run *r)
{
    if (!(r->command->id & CMD_RANKS) || !has_others()) return 0;
    void *module = load_module(r);
    if (!module) return EXIT_FAILED;
    union {
        void *symbol;
        open_fn *open;
    } found = { .symbol = dlsym(module, "trine_mpi_open") };
    trine_error err = { 0 };
    if (!found.symbol) return fail(r, EXIT_FAILED, "trine_mpi.so is of another version: it has no trine_mpi_open");
    const trine_status status = found.open(&r->ranks, &err);
    if (status) return fail_status(r, status, &err);
    r->out_terminal = r->color = false; /* what mpirun hands on is in a terminal of its own making, whatever it goes to */
    if (r->ranks->rank) r->err_terminal = r->err_color = false;
    return 0;
}

int leave_ranks(run *r, int code)
{
    trine_ranks *ranks = r->ranks;
    if (!ranks) return code;
    if (code != EXIT_DONE) code = meet_first(r, code); /* where this rank has not got as far as that */
    if (!ranks->over) say_withheld(r, false);
    fflush(stdout);
    fflush(stderr);
    /* A failure that all know of, or find in their arguments, ends them all; else this one ends the others. */
    if (code != EXIT_DONE && code != EXIT_USAGE && code != EXIT_INTERRUPTED && !ranks->over) ranks->abort(ranks->self, code);
    ranks->close(ranks);
    r->ranks = NULL;
    return code;
}
