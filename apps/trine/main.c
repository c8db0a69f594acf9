/* main.c - the command `trine`: finds the subcommand, reads its arguments, runs it, and gives its exit status. */
#include "run.h"

#include <stdlib.h>
#include <string.h>

static const char *option_at(int i, const void *data)
{
    static const char *const options[] = { "--help", "--version", NULL };
    (void)data;
    return options[i];
}

static int unknown_command(run *r, const char *name)
{
    const bool is_option = name[0] == '-';
    const char *near = is_option ? nearest_name(name, option_at, NULL) : NULL;
    const char *what = is_option ? "option" : "command";
    if (!near) near = command_near(name + strspn(name, "-"));
    if (near) return fail_usage(r, "unknown %s '%s'; did you mean %s?", what, name, near);
    return fail_usage(r, "unknown %s '%s'; `trine help` lists the commands", what, name);
}

static int dispatch(run *r, int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        help_overview(r, false);
        return name ? EXIT_DONE : EXIT_USAGE;
    }
    const command *cmd = command_find(strcmp(name, "--version") == 0 ? "version" : name);
    if (!cmd) return unknown_command(r, name);
    r->command = cmd;
    if (!command_line_parse(&r->args, cmd, argc - 2, argv + 2)) return fail_usage(r, "%s", r->args.complaint);
    if (r->args.help) {
        help_command(r, cmd, false);
        return EXIT_DONE;
    }
    note_options(r, argc, argv);
    const int code = join_ranks(r);
    return leave_ranks(r, code ? code : cmd->main(r));
}

int main(int argc, char **argv)
{
    run r = { 0 };
    console_open(&r);
    interrupt_catch();
    int code = dispatch(&r, argc, argv);
    if (interrupted() && code != EXIT_DONE) code = EXIT_INTERRUPTED;
    trine_session_close(r.session);
    trine_model_close(r.model);
    code = console_close(&r, code);
    arguments_clear(&r.args);
    trine_shipped_clear(&r.shipped);
    free(r.kept);
    free(r.withheld);
    return code;
}
