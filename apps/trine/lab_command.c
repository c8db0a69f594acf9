/* lab_command.c - trine lab: the server with the lesson, and a browser that shows it. */
#include "served_models.h"

#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static bool start_browser(const char *program, const char *address)
{
    char *const words[] = { (char *)program, (char *)address, NULL };
    posix_spawn_file_actions_t quiet;
    pid_t child;
    if (posix_spawn_file_actions_init(&quiet)) return false;
    /* A browser's own complaints are not this command's. */
    posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", 1, 0);
    posix_spawn_file_actions_addopen(&quiet, STDERR_FILENO, "/dev/null", 1, 0);
    const int failed = posix_spawnp(&child, program, &quiet, NULL, words, environ);
    posix_spawn_file_actions_destroy(&quiet);
    if (failed) return false;
    /* Openers hand the address on and end; one that stays is a browser, and it is left alone. */
    int status = 0;
    usleep(200000);
    return waitpid(child, &status, WNOHANG) == 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void open_page(run *r, const char *address)
{
    static const char *const openers[] = { "xdg-open", "open" };
    if (r->args.no_open) return;
    for (size_t i = 0; i < sizeof openers / sizeof *openers; i++)
        if (start_browser(openers[i], address)) return;
    note(r, "no browser could be opened: go to %s yourself", address);
}

int lab_main(run *r)
{
    if (!n_lab_assets)
        return fail(
            r, EXIT_FAILED,
            "the lesson is not in this build: it is made by npm. `make lab` installs npm where it is missing, builds the page and "
            "the command with it; `trine serve` serves the models without it");
    char self[4096];
    return serve_models(r, own_path(self, sizeof self) ? self : NULL, lab_assets, n_lab_assets, open_page);
}
