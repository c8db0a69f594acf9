/* completion.c - completion scripts for bash, zsh and fish, from the tables. Each knows the commands, the options of each
 * command, the words an option takes, and which take file names. */
#include "run.h"

#include <stdio.h>
#include <string.h>

/* Text inside single quotes of a shell. */
static void quoted(run *r, const char *text, const char *also)
{
    for (; *text; text++) {
        if (*text == '\'')
            puts_out(r, "'\\''");
        else if (strchr(also, *text))
            print(r, "\\%c", *text);
        else
            put(r, text, 1);
    }
}

/* "f32|f16" as "f32 f16". */
static void spaced(run *r, const char *choices)
{
    char word[64];
    for (int i = 0; choices && choice_name(word, sizeof word, choices, i); i++) {
        char *n = strstr(word, ":N");
        if (n) n[1] = 0; /* prefix: and a number to type */
        print(r, "%s%s", i ? " " : "", word);
    }
}

/* The words that an option takes; the kernel levels are those of this machine. */
static void words_of(run *r, const option *o)
{
    if (o->kind == OPTION_CPU) {
        puts_out(r, "auto");
        for (int i = 0; trine_cpu_level(i); i++) print(r, " %s", trine_cpu_level(i));
    }
    spaced(r, o->choices);
}

static bool has_first_words(const command *c) { return c->id == CMD_HELP || command_words(c); }

/* The words that a command takes first. */
static void first_words_of(run *r, const command *c)
{
    if (c->id == CMD_HELP) {
        puts_out(r, "all");
        for (int i = 0; i < trine_n_commands; i++) print(r, " %s", trine_commands[i].name);
    }
    spaced(r, command_words(c));
}

static bool has_words(const option *o) { return o->choices || o->kind == OPTION_CPU; }

static bool names_a_path(const option *o)
{
    static const char *const paths[] = { "FILE", "DIR", "PATH", "MODEL", "[NAME=]MODEL" };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (o->argument && !strcmp(o->argument, paths[i])) return true;
    return false;
}

/* The pattern of `o` after each command that takes it: options of one name take other words after other commands. */
static void bash_pattern(run *r, const option *o)
{
    const char *const names[] = { o->name, o->alias };
    bool first = true;
    puts_out(r, "    ");
    for (int i = 0; i < trine_n_commands; i++) {
        const char *const cmd = trine_commands[i].name;
        if (!(o->commands & (unsigned)trine_commands[i].id)) continue;
        for (int k = 0; k < 2; k++)
            if (names[k]) {
                print(r, "%s\"%s --%s\"", first ? "" : "|", cmd, names[k]);
                first = false;
            }
        if (o->letter) print(r, "|\"%s -%c\"", cmd, o->letter);
    }
    puts_out(r, ")\n");
}

static void bash(run *r)
{
    puts_out(r, "# bash completion of trine, made by `trine help --completion bash`\n"
                "_trine()\n{\n"
                "    local cur prev cmd words first word\n"
                "    COMPREPLY=()\n"
                "    cur=${COMP_WORDS[COMP_CWORD]}\n"
                "    prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                "    cmd=${COMP_WORDS[1]}\n"
                "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                "        COMPREPLY=( $(compgen -W \"");
    for (int i = 0; i < trine_n_commands; i++) print(r, "%s ", trine_commands[i].name);
    puts_out(r, "--help --version\" -- \"$cur\") )\n        return\n    fi\n    case \"$cmd $prev\" in\n");
    for (int i = 0; i < trine_n_options; i++) {
        const option *o = &trine_options[i];
        if (!o->argument) continue;
        bash_pattern(r, o);
        if (has_words(o)) {
            puts_out(r, "        COMPREPLY=( $(compgen -W \"");
            words_of(r, o);
            puts_out(r, "\" -- \"$cur\") ); return;;\n");
        } else {
            puts_out(r, names_a_path(o)
                            ? "        COMPREPLY=( $(compgen -f -- \"$cur\") ); compopt -o filenames 2>/dev/null; return;;\n"
                            : "        return;;\n");
        }
    }
    puts_out(r, "    esac\n    case \"$cmd\" in\n");
    for (int i = 0; i < trine_n_commands; i++) {
        const command *c = &trine_commands[i];
        print(r, "    %s) words=\"", c->name);
        for (int k = 0; k < trine_n_options; k++) {
            if (!(trine_options[k].commands & (unsigned)c->id)) continue;
            if (trine_options[k].letter) print(r, "-%c ", trine_options[k].letter);
            print(r, "--%s ", trine_options[k].name);
            if (trine_options[k].alias) print(r, "--%s ", trine_options[k].alias);
        }
        puts_out(r, "\"");
        if (has_first_words(c)) {
            puts_out(r, " first=\"");
            first_words_of(r, c);
            puts_out(r, "\"");
        }
        puts_out(r, ";;\n");
    }
    puts_out(r, "    esac\n"
                "    for word in \"${COMP_WORDS[@]:2:COMP_CWORD-2}\"; do\n" /* once one is there, files follow it */
                "        case \" $first \" in *\" $word \"*) first=;; esac\n"
                "    done\n"
                "    if [ \"${cur#-}\" != \"$cur\" ]; then\n"
                "        COMPREPLY=( $(compgen -W \"$words\" -- \"$cur\") )\n"
                "    elif [ -n \"$first\" ]; then\n"
                "        COMPREPLY=( $(compgen -W \"$first\" -- \"$cur\") )\n"
                "    else\n"
                "        COMPREPLY=( $(compgen -f -- \"$cur\") )\n"
                "        compopt -o filenames 2>/dev/null\n"
                "    fi\n"
                "}\n"
                "complete -F _trine trine\n");
}

static void zsh_option(run *r, const option *o)
{
    const char *many = o->kind == OPTION_TEXTS ? "*" : "";
    for (int form = o->letter ? 0 : 1; form < (o->alias ? 3 : 2); form++) {
        char name[64];
        if (form == 0)
            snprintf(name, sizeof name, "-%c", o->letter);
        else
            snprintf(name, sizeof name, "--%s", form == 1 ? o->name : o->alias);
        print(r, "        '%s%s[", many, name);
        quoted(r, o->help, "[]:\\");
        puts_out(r, "]");
        if (o->argument) {
            print(r, ":%s:", o->argument);
            if (has_words(o)) {
                puts_out(r, "(");
                words_of(r, o);
                puts_out(r, ")");
            } else if (names_a_path(o)) {
                puts_out(r, "_files");
            } else {
                puts_out(r, " ");
            }
        }
        puts_out(r, "' \\\n");
    }
}

static void zsh(run *r)
{
    puts_out(r, "#compdef trine\n"
                "# zsh completion of trine, made by `trine help --completion zsh`\n"
                "_trine() {\n"
                "    local -a commands\n"
                "    commands=(\n");
    for (int i = 0; i < trine_n_commands; i++) {
        print(r, "        '%s:", trine_commands[i].name);
        quoted(r, trine_commands[i].help, ":\\");
        puts_out(r, "'\n");
    }
    puts_out(r, "    )\n"
                "    if (( CURRENT == 2 )); then\n"
                "        _describe command commands\n"
                "        return\n"
                "    fi\n"
                "    local cmd=$words[2]\n"
                "    shift words\n"
                "    (( CURRENT-- ))\n"
                "    case $cmd in\n");
    for (int i = 0; i < trine_n_commands; i++) {
        const command *c = &trine_commands[i];
        print(r, "    %s) _arguments -s \\\n", c->name);
        for (int k = 0; k < trine_n_options; k++)
            if (trine_options[k].commands & (unsigned)c->id) zsh_option(r, &trine_options[k]);
        if (has_first_words(c)) {
            puts_out(r, "        '1:argument:(");
            first_words_of(r, c);
            puts_out(r, c->max_arguments == 1 ? ")'" : ")' \\\n");
        }
        if (!has_first_words(c) || c->max_arguments != 1) puts_out(r, "        '*:argument:_files'");
        puts_out(r, " ;;\n");
    }
    puts_out(r, "    esac\n}\n_trine \"$@\"\n");
}

static void fish(run *r)
{
    puts_out(r, "# fish completion of trine, made by `trine help --completion fish`\n");
    for (int i = 0; i < trine_n_commands; i++) {
        print(r, "complete -c trine -n __fish_use_subcommand -f -a %s -d '", trine_commands[i].name);
        quoted(r, trine_commands[i].help, "\\");
        puts_out(r, "'\n");
    }
    puts_out(r, "complete -c trine -n __fish_use_subcommand -f -l version -d 'show the version and how it was built'\n");
    for (int i = 0; i < trine_n_commands; i++) {
        const command *c = &trine_commands[i];
        if (!has_first_words(c)) continue;
        print(r, "complete -c trine -n '__fish_seen_subcommand_from %s", c->name);
        if (c->max_arguments != 1) { /* once one is there, files follow it */
            puts_out(r, "; and not __fish_seen_subcommand_from ");
            first_words_of(r, c);
        }
        puts_out(r, "' -f -a '");
        first_words_of(r, c);
        puts_out(r, "'\n");
    }
    for (int k = 0; k < trine_n_options; k++) {
        const option *o = &trine_options[k];
        puts_out(r, "complete -c trine -n '__fish_seen_subcommand_from");
        for (int i = 0; i < trine_n_commands; i++)
            if (o->commands & (unsigned)trine_commands[i].id) print(r, " %s", trine_commands[i].name);
        puts_out(r, "'");
        if (o->letter) print(r, " -s %c", o->letter);
        print(r, " -l %s", o->name);
        if (o->alias) print(r, " -l %s", o->alias);
        if (o->argument) puts_out(r, names_a_path(o) ? " -r -F" : " -x");
        if (has_words(o)) {
            puts_out(r, " -a '");
            words_of(r, o);
            puts_out(r, "'");
        }
        puts_out(r, " -d '");
        quoted(r, o->help, "\\");
        puts_out(r, "'\n");
    }
}

void completion_script(run *r, int shell)
{
    static void (*const scripts[])(run *) = { bash, zsh, fish };
    scripts[shell](r);
}
