/* manual.c - manual pages in roff (man(7)), from the tables: `trine help --man [COMMAND]`. */
#include "run.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Text into roff: a backslash, a dash, and a dot or quote that begins a line mean something there. */
static void roff(run *r, const char *text)
{
    bool line_start = true;
    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\'')) puts_out(r, "\\&");
        line_start = *text == '\n';
        if (*text == '\\')
            puts_out(r, "\\e");
        else if (*text == '-')
            puts_out(r, "\\-");
        else if (*text == '\'')
            puts_out(r, "\\(aq");
        else if (*text == '"')
            puts_out(r, "\\(dq");
        else if (*text == '`')
            puts_out(r, "\\(ga");
        else if (*text == '^')
            puts_out(r, "\\(ha");
        else if (*text == '~')
            puts_out(r, "\\(ti");
        else if (*text == '|')
            puts_out(r, "|\\:"); /* a list of choices may break here */
        else
            put(r, text, 1);
    }
}

static void roff_upper(run *r, const char *text)
{
    for (; *text; text++) print(r, "%s%c", *text == '-' ? "\\" : "", toupper((unsigned char)*text));
}

static void section(run *r, const char *name) { print(r, ".SH %s\n", name); }

static void paragraphs(run *r, const char *text)
{
    for (const char *end; (end = strstr(text, "\n\n")) != NULL; text = end + 2) {
        char part[2000];
        snprintf(part, sizeof part, "%.*s", (int)(end - text), text);
        roff(r, part);
        puts_out(r, "\n.PP\n");
    }
    roff(r, text);
    puts_out(r, "\n");
}

static void one_option(run *r, const option *o)
{
    puts_out(r, ".TP\n");
    if (o->letter) print(r, "\\fB\\-%c\\fR, ", o->letter);
    puts_out(r, "\\fB\\-\\-");
    roff(r, o->name);
    puts_out(r, "\\fR");
    if (o->argument) print(r, " \\fI%s\\fR", o->argument);
    puts_out(r, "\n");
    roff(r, o->help);
    if (o->choices) {
        puts_out(r, "; one of ");
        roff(r, o->choices);
    }
    if (o->fallback) {
        puts_out(r, " (default: ");
        roff(r, o->fallback);
        puts_out(r, ")");
    }
    puts_out(r, ".\n");
    if (o->more) {
        roff(r, o->more);
        puts_out(r, "\n");
    }
    if (o->alias) {
        puts_out(r, "Also \\fB\\-\\-");
        roff(r, o->alias);
        puts_out(r, "\\fR.\n");
    }
}

static void exit_section(run *r)
{
    section(r, "EXIT STATUS");
    for (int i = 0; i < trine_n_exits; i++) {
        print(r, ".TP\n\\fB%d\\fR\n", trine_exits[i].code);
        roff(r, trine_exits[i].text);
        puts_out(r, ".\n");
    }
}

static void environment_section(run *r, unsigned commands)
{
    section(r, "ENVIRONMENT");
    for (int i = 0; i < trine_n_options; i++) {
        const option *o = &trine_options[i];
        if (!o->environment || !(o->commands & commands)) continue;
        print(r, ".TP\n\\fB%s\\fR\nstands for \\fB\\-\\-", o->environment);
        roff(r, o->name);
        puts_out(r, "\\fR where that is not given.\n");
    }
    puts_out(r, ".TP\n\\fBNO_COLOR\\fR\nwhen set and not empty, no colors are used.\n");
}

static void examples(run *r, const command *cmd)
{
    for (size_t i = 0; i < sizeof cmd->examples / sizeof cmd->examples[0] && cmd->examples[i].line; i++) {
        if (cmd->examples[i].what[0]) {
            puts_out(r, ".PP\n");
            roff(r, cmd->examples[i].what);
            puts_out(r, ":\n");
        }
        puts_out(r, ".PP\n.RS\n.nf\ntrine ");
        roff(r, cmd->examples[i].line);
        puts_out(r, "\n.fi\n.RE\n");
    }
}

static void title(run *r, const command *cmd)
{
    puts_out(r, ".\\\" Made by `trine help --man`; edit apps/trine/commands.c and options.c.\n.TH TRINE");
    if (cmd) {
        puts_out(r, "\\-");
        roff_upper(r, cmd->name);
    }
    print(r, " 1 \"\" \"trine %s\" \"trine manual\"\n", trine_version());
    section(r, "NAME");
}

static void page_of_trine(run *r)
{
    title(r, NULL);
    puts_out(r, "trine \\- run BERT, GPT and T5 models from one command\n");
    section(r, "SYNOPSIS");
    puts_out(r, "\\fBtrine\\fR \\fICOMMAND\\fR [\\fB\\-m\\fR \\fIMODEL\\fR] [\\fIoptions\\fR] [\\fITEXT\\fR...]\n");
    section(r, "DESCRIPTION");
    paragraphs(r, "trine runs the three transformer paradigms: encoder-only models that understand a text (BERT, RoBERTa, "
                  "DistilBERT, MiniLM), decoder-only models that continue one (GPT-2, Llama, "
                  "Mistral, Qwen, SmolLM), and encoder-decoders that turn one into another (T5, FLAN-T5, mT5, ByT5).\n\n"
                  "MODEL is a directory in the Hugging Face layout (config.json, *.safetensors, and tokenizer.json or vocab.txt, "
                  "merges.txt, spiece.model, tokenizer.model) or a .gguf file. Text comes from "
                  "arguments (each is one text), from -p, from -f FILE or from standard input (one text, whole; one newline at its "
                  "end does not count); with --lines every line is one text. Results go to "
                  "standard output and nothing else does; progress, notes and errors go to standard error. With --json each input "
                  "gives one JSON document on a line; bytes that are not UTF-8 become U+FFFD.\n\n"
                  "The first Control-C stops the work cleanly and keeps what was written, the second ends the program. When the "
                  "reader of a pipe goes away the work stops quietly, with status 1.");
    section(r, "COMMANDS");
    for (int i = 0; i < trine_n_commands; i++) {
        print(r, ".TP\n\\fBtrine\\-%s\\fR(1)\n", trine_commands[i].name);
        roff(r, trine_commands[i].help);
        puts_out(r, ".\n");
    }
    section(r, "OPTIONS OF MOST COMMANDS");
    for (int i = 0; i < trine_n_options; i++) {
        const option *o = &trine_options[i];
        if ((o->group == GROUP_MODEL || o->group == GROUP_TEXT || o->group == GROUP_OUTPUT) &&
            (o->commands & (CMD_FILL | CMD_GENERATE)))
            one_option(r, o);
    }
    exit_section(r);
    environment_section(r, CMD_ALL);
    section(r, "EXAMPLES");
    for (int i = 0; i < trine_n_commands; i++) {
        if (!(trine_commands[i].id & (CMD_FILL | CMD_CHAT | CMD_TRANSLATE))) continue;
        puts_out(r, ".PP\n.RS\n.nf\ntrine ");
        roff(r, trine_commands[i].examples[0].line);
        puts_out(r, "\n.fi\n.RE\n");
    }
}

static void page_of_command(run *r, const command *cmd)
{
    title(r, cmd);
    print(r, "trine\\-%s \\- ", cmd->name);
    roff(r, cmd->help);
    puts_out(r, "\n");
    section(r, "SYNOPSIS");
    print(r, "\\fBtrine %s\\fR", cmd->name);
    roff(r, help_model(cmd));
    puts_out(r, " [\\fIoptions\\fR] ");
    roff(r, cmd->arguments);
    puts_out(r, "\n");
    section(r, "DESCRIPTION");
    paragraphs(r, cmd->about);
    section(r, "OPTIONS");
    for (int group = 0; group < GROUP_COUNT; group++) {
        bool any = false;
        for (int i = 0; i < trine_n_options; i++) {
            const option *o = &trine_options[i];
            if (o->group != (option_group)group || !(o->commands & (unsigned)cmd->id)) continue;
            if (!any) print(r, ".SS %s\n", trine_option_groups[group]);
            any = true;
            one_option(r, o);
        }
    }
    exit_section(r);
    environment_section(r, (unsigned)cmd->id);
    section(r, "EXAMPLES");
    examples(r, cmd);
    section(r, "SEE ALSO");
    puts_out(r, "\\fBtrine\\fR(1)\n");
}

void manual_page(run *r, const command *cmd)
{
    if (cmd)
        page_of_command(r, cmd);
    else
        page_of_trine(r);
}
