/* help.c - what `trine help`, `trine COMMAND --help` and `trine version` print, from the tables. */
#include "json_writer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 80, OPTION_COLUMN = 29, COMMAND_COLUMN = 14 };

/* `text` in lines of WIDTH columns from `indent`; `at` columns of the first line are already written. Newlines stay. */
static void wrap(run *r, const char *text, int indent, int at)
{
    bool start = true;                         /* of a line: no space is due */
    if (at > indent - 2 && at > 0 && indent) { /* what stands before is too long for its column */
        puts_out(r, "\n");
        at = 0;
    }
    for (; at < indent; at++) puts_out(r, " ");
    while (*text) {
        if (*text == '\n') {
            puts_out(r, "\n");
            at = 0;
            start = true;
            text++;
            continue;
        }
        int length = (int)strcspn(text, " \n");
        for (int n = indent + length > WIDTH ? WIDTH - indent : 0; n > 0 && indent + length > WIDTH; n--)
            if (text[n - 1] == '|') length = n; /* a long list of choices breaks after a bar */
        if (!start && at + 1 + length > WIDTH) {
            puts_out(r, "\n");
            at = 0;
            start = true;
        }
        if (at == 0)
            for (; at < indent; at++) puts_out(r, " ");
        if (!start) {
            puts_out(r, " ");
            at++;
        }
        print(r, "%.*s", length, text);
        at += length;
        start = false;
        text += length;
        if (*text == ' ') text++;
    }
    puts_out(r, "\n");
}

static void heading(run *r, const char *text)
{
    print_style(r, STYLE_BOLD);
    puts_out(r, text);
    print_style(r, STYLE_NONE);
    puts_out(r, "\n");
}

/* The commands that take an option, "fill, classify". */
static void commands_of(char *out, size_t size, const option *o)
{
    size_t used = 0;
    *out = 0;
    for (int i = 0; i < trine_n_commands && used < size; i++)
        if (o->commands & (unsigned)trine_commands[i].id)
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? ", " : "", trine_commands[i].name);
}

/* How much of an option is told: its line; its further sentences too; or its line and the commands that take it. */
typedef enum detail { DETAIL_LINE, DETAIL_MORE, DETAIL_COMMANDS } detail;

static void append(char *text, size_t size, const char *a, const char *b, const char *c)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s%s", a, b, c);
}

static void print_option(run *r, const option *o, detail how)
{
    char left[80], right[1200];
    if (o->letter)
        snprintf(left, sizeof left, "  -%c, --%s", o->letter, o->name);
    else
        snprintf(left, sizeof left, "      --%s", o->name);
    if (o->argument) append(left, sizeof left, " ", o->argument, "");
    snprintf(right, sizeof right, "%s", o->help);
    if (o->choices) append(right, sizeof right, "; one of ", o->choices, "");
    if (o->alias) append(right, sizeof right, "; also --", o->alias, "");
    if (o->fallback) append(right, sizeof right, " (default: ", o->fallback, ")");
    if (o->environment) append(right, sizeof right, "; or $", o->environment, "");
    if (o->more && how == DETAIL_MORE) append(right, sizeof right, ". ", o->more, "");
    if (how == DETAIL_COMMANDS) {
        char commands[240];
        commands_of(commands, sizeof commands, o);
        append(right, sizeof right, " [", commands, "]");
    }
    puts_out(r, left);
    wrap(r, right, OPTION_COLUMN, (int)strlen(left));
}

static void print_options(run *r, unsigned commands, detail how)
{
    for (int group = 0; group < GROUP_COUNT; group++) {
        bool any = false;
        for (int i = 0; i < trine_n_options; i++) {
            const option *o = &trine_options[i];
            if (o->group != (option_group)group || !(o->commands & commands)) continue;
            if (!any) {
                puts_out(r, "\n");
                heading(r, trine_option_groups[group]);
                any = true;
            }
            print_option(r, o, how);
        }
    }
}

static void print_exits(run *r)
{
    puts_out(r, "\n");
    heading(r, "Exit status");
    for (int i = 0; i < trine_n_exits; i++) {
        char left[16];
        snprintf(left, sizeof left, "  %d", trine_exits[i].code);
        puts_out(r, left);
        wrap(r, trine_exits[i].text, 8, (int)strlen(left));
    }
}

void help_overview(run *r, bool everything)
{
    heading(r, "trine - run BERT, GPT and T5 models from one command");
    puts_out(r, "\nusage: trine COMMAND [-m MODEL] [options] [TEXT...]\n");
    const char *group = NULL;
    for (int i = 0; i < trine_n_commands; i++) {
        const command *c = &trine_commands[i];
        if (!group || strcmp(group, c->group) != 0) {
            group = c->group;
            puts_out(r, "\n");
            heading(r, group);
        }
        print(r, "  %-*s%s\n", COMMAND_COLUMN - 2, c->name, c->help);
    }
    puts_out(r, "\n");
    wrap(r,
         "MODEL is a directory in the Hugging Face layout, a .gguf file or a name of `trine models`; what ships is taken where "
         "none is given. Text comes from arguments, -f FILE or standard input: "
         "one text, whole; with --lines one a line. Results go to "
         "standard output, notes and errors to standard error.",
         0, 0);
    if (everything) {
        print_options(r, CMD_ALL, DETAIL_COMMANDS);
        print_exits(r);
        return;
    }
    puts_out(r, "\n  trine COMMAND --help    its options and examples\n"
                "  trine help all          every option\n"
                "  trine --version         version and build\n");
}

static bool takes_model(const command *cmd)
{
    for (int i = 0; i < trine_n_options; i++)
        if (trine_options[i].letter == 'm') return trine_options[i].commands & (unsigned)cmd->id;
    return false;
}

const char *help_model(const command *cmd)
{
    return !takes_model(cmd) ? "" : cmd->id & CMD_DEFAULTED ? " [-m MODEL]" : " -m MODEL";
}

void help_command(run *r, const command *cmd, bool everything)
{
    print_style(r, STYLE_BOLD);
    print(r, "trine %s - %s\n", cmd->name, cmd->help);
    print_style(r, STYLE_NONE);
    print(r, "\nusage: trine %s%s [options] %s\n\n", cmd->name, help_model(cmd), cmd->arguments);
    wrap(r, cmd->about, 0, 0);
    print_options(r, (unsigned)cmd->id, everything ? DETAIL_MORE : DETAIL_LINE);
    puts_out(r, "\n");
    heading(r, "Examples");
    for (size_t i = 0; i < sizeof cmd->examples / sizeof cmd->examples[0] && cmd->examples[i].line; i++) {
        if (cmd->examples[i].what[0]) print(r, "  # %s\n", cmd->examples[i].what);
        print(r, "  trine %s\n", cmd->examples[i].line);
    }
    if (everything)
        print_exits(r);
    else
        print(r, "\nMore about these options, and the exit statuses: trine help %s\n", cmd->name);
}

int help_main(run *r)
{
    const char *what = r->args.rest.n ? r->args.rest.items[0] : NULL;
    const command *cmd = what ? command_find(what) : NULL;
    if (GIVEN(&r->args, completion)) {
        if (what || r->args.man) return fail_usage(r, "--completion stands alone");
        completion_script(r, r->args.completion);
        return EXIT_DONE;
    }
    if (what && !cmd && (strcmp(what, "all") != 0 || r->args.man)) {
        const char *near = command_near(what);
        return fail_usage(r, "no command is called '%s'%s%s%s", what, near ? "; did you mean " : "", near ? near : "",
                          near ? "?" : "");
    }
    if (r->args.man)
        manual_page(r, cmd);
    else if (cmd)
        help_command(r, cmd, true);
    else
        help_overview(r, what != NULL);
    return EXIT_DONE;
}

/* ------------------------------------------------------------------------------------------------------------- version */

#ifndef TRINE_BUILD_TYPE
#define TRINE_BUILD_TYPE "unknown"
#endif
#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define COMPILER "gcc " __VERSION__
#else
#define COMPILER "unknown"
#endif

int version_main(run *r)
{
    if (r->args.json) {
        json_writer j = jw_begin(r);
        jw_open(&j, '{');
        jw_set_text(&j, "version", trine_version());
        jw_set_text(&j, "commit", *trine_commit() ? trine_commit() : NULL);
        jw_set_text(&j, "compiler", COMPILER);
        jw_set_text(&j, "build", TRINE_BUILD_TYPE);
        jw_set_text(&j, "jansson", jansson_version_str());
        jw_key(&j, "cpu");
        jw_open(&j, '[');
        for (int i = 0; trine_cpu_level(i); i++) jw_text(&j, trine_cpu_level(i));
        jw_close(&j, ']');
        jw_close(&j, '}');
        jw_end(&j);
        return EXIT_DONE;
    }
    print(r, "trine %s\n", trine_version());
    print(r, "built %s%s%s, with %s; jansson %s\n", TRINE_BUILD_TYPE, *trine_commit() ? " of " : "", trine_commit(), COMPILER,
          jansson_version_str());
    puts_out(r, "kernel levels of this machine:");
    for (int i = 0; trine_cpu_level(i); i++) print(r, " %s", trine_cpu_level(i));
    print(r, " (in use: %s)\n", trine_cpu_best());
    return EXIT_DONE;
}
