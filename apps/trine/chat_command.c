/* chat_command.c - trine chat: a conversation through the model's chat template.
 *
 * The conversation is a list of messages, rendered whole at each turn; the sequence keeps what it has read, so that a turn costs
 * only its own tokens. Control-C stops the answer, not the program. */
#include "json_writer.h"
#include "line_editor.h"
#include "model_words.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct conversation {
    trine_message *messages; /* role static, content owned */
    int n, cap;
    char *template; /* NULL: the model's own */
    trine_sequence *sequence;
} conversation;

static int add_message(run *r, conversation *c, const char *role, const char *content)
{
    if (c->n == c->cap) {
        int cap = c->cap ? c->cap * 2 : 16;
        trine_message *grown = realloc(c->messages, (size_t)cap * sizeof *grown);
        if (!grown) return fail_memory(r);
        c->messages = grown;
        c->cap = cap;
    }
    char *copy = strdup(content);
    if (!copy) return fail_memory(r);
    c->messages[c->n++] = (trine_message) { role, copy };
    return 0;
}

static void drop_messages(conversation *c, int keep)
{
    while (c->n > keep) free((char *)c->messages[--c->n].content);
}

/* Begins anew, with the system message when there is one. */
static int clear(run *r, conversation *c, const char *system)
{
    char *kept = system ? strdup(system) : NULL; /* it may be the message that is dropped */
    if (system && !kept) return fail_memory(r);
    drop_messages(c, 0);
    int code = kept ? add_message(r, c, "system", kept) : 0;
    free(kept);
    return code;
}

static const char *system_message(const conversation *c)
{
    return c->n && strcmp(c->messages[0].role, "system") == 0 ? c->messages[0].content : NULL;
}

static int context_full(run *r, const char *how)
{
    int code = fail(r, EXIT_FAILED, "%s the context of %d tokens; /clear begins a new conversation, -c N takes a larger one", how,
                    r->memory.ctx);
    r->last_status = TRINE_ERROR_TOO_LONG;
    return code;
}

/* One turn: the answer is streamed, and becomes part of the conversation even when it was stopped. */
static int answer(run *r, conversation *c, const char *text)
{
    int before = c->n, code = add_message(r, c, "user", text);
    if (code) return code;
    trine_error err = { 0 };
    char *prompt = NULL;
    trine_status status = trine_chat_render(&prompt, r->tokenizer, c->template, c->messages, c->n, true, &err);
    if (status) {
        drop_messages(c, before);
        return fail_status(r, status, &err);
    }
    trine_generation g = { 0 };
    trine_generate_options options = generate_options(r, false);
    writing w;
    stream_to_output(&options, &w, r);
    options.no_special = true; /* the template holds them */
    options.sequence = c->sequence;
    status = trine_generate(&g, r->session, prompt, &options, &err);
    trine_free(prompt);
    if (status) {
        drop_messages(c, before);
        code = status == TRINE_ERROR_TOO_LONG ? context_full(r, "with this message the conversation is longer than")
                                              : generation_failed(r, &w, status, &err);
    } else {
        code = finish_generation(r, &w, &g, &options, false);
        int kept = add_message(r, c, "assistant", g.text ? g.text : "");
        if (kept) code = kept;
        if (g.finish == TRINE_FINISH_LENGTH && !(options.max_tokens && g.n_tokens >= options.max_tokens))
            context_full(r, "the conversation has filled");
    }
    trine_generation_clear(&g);
    return code;
}

/* ------------------------------------------------------------------------------------------------------------- commands */

static void save(run *r, const conversation *c, const char *path)
{
    if (!*path) {
        fail(r, 0, "/save needs a file name");
        return;
    }
    FILE *file = fopen(path, "wx");
    if (!file) {
        fail(r, 0, "%s: cannot be written: %s", path, strerror(errno));
        return;
    }
    json_t *all = json_array();
    for (int i = 0; i < c->n; i++)
        json_array_append_new(all, json_pack("{s:s, s:s+}", "role", c->messages[i].role, "content", c->messages[i].content, ""));
    bool ok = all && json_array_size(all) == (size_t)c->n && json_dumpf(all, file, JSON_INDENT(2)) == 0;
    json_decref(all);
    if (fclose(file) != 0 || !ok) {
        remove(path);
        fail(r, 0, "%s: could not be written%s%s", path, errno ? ": " : "", errno ? strerror(errno) : "");
        return;
    }
    note(r, "saved %d messages to %s", c->n, path);
}

/* Whether a line is for the program. From a pipe only what it knows: a message may well begin with a slash. */
static bool is_slash(const char *line, bool interactive)
{
    static const char *const known[] = { "/quit", "/exit", "/bye", "/clear", "/system", "/save", "/help" };
    size_t length = strcspn(line, " \t");
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i]) == length && strncmp(line, known[i], length) == 0) return true;
    return interactive && line[0] == '/' && line[length] == 0;
}

/* A line that begins with a slash; returns false to end the program. */
static bool run_slash(run *r, conversation *c, char *line)
{
    char *rest = line + strcspn(line, " \t");
    if (*rest) *rest++ = 0;
    rest += strspn(rest, " \t");
    if (strcmp(line, "/quit") == 0 || strcmp(line, "/exit") == 0 || strcmp(line, "/bye") == 0) return false;
    if (strcmp(line, "/clear") == 0) {
        clear(r, c, system_message(c));
        note(r, "a new conversation");
    } else if (strcmp(line, "/system") == 0) {
        if (clear(r, c, *rest ? rest : NULL) == 0)
            note(r, *rest ? "a new conversation, with this system message" : "a new conversation, without a system message");
    } else if (strcmp(line, "/save") == 0) {
        save(r, c, rest);
    } else if (strcmp(line, "/help") == 0) {
        fputs("  /clear         begin a new conversation (the system message stays)\n"
              "  /system TEXT   begin a new conversation with this system message\n"
              "  /save FILE     write the conversation to FILE, as JSON\n"
              "  /quit          end (also Control-D)\n"
              "  Control-C      stop the answer; a line that ends with \\ goes on in the next\n",
              stderr);
    } else {
        fail(r, 0, "unknown command %s; /help lists them", line);
    }
    return true;
}

/* ----------------------------------------------------------------------------------------------------------------- loop */

/* A message may go over several lines: each but the last ends with a backslash. */
static char *read_message(line_editor *editor)
{
    char *whole = NULL;
    size_t used = 0;
    for (;;) {
        size_t n;
        const char *line = line_editor_read(editor, whole != NULL, &n);
        if (!line) return whole;
        bool more = n && line[n - 1] == '\\';
        if (more) n--;
        char *grown = realloc(whole, used + n + 2);
        if (!grown) {
            free(whole);
            return NULL;
        }
        whole = grown;
        memcpy(whole + used, line, n);
        used += n;
        if (more) whole[used++] = '\n';
        whole[used] = 0;
        if (!more) return whole;
    }
}

static int converse(run *r, conversation *c, line_editor *editor)
{
    bool interactive = line_editor_interactive(editor);
    int first_failure = 0;
    if (interactive) note(r, "/help for help, Control-D to end");
    for (;;) {
        char *line = read_message(editor);
        if (!line) {
            if (!interrupted()) break;
            if (!interactive) return EXIT_INTERRUPTED;
            interrupt_forget(); /* Control-C at the prompt: an empty line */
            fputs("\n", stderr);
            continue;
        }
        bool go_on = true;
        if (line[strspn(line, " \t\r\n")]) {
            int code = 0;
            if (is_slash(line, interactive))
                go_on = run_slash(r, c, line);
            else
                code = answer(r, c, line);
            if (interactive) {
                interrupt_forget();
                if (code == EXIT_MEMORY) go_on = false;
            } else if (code) {
                first_failure = first_failure ? first_failure : code;
                if (!is_input_failure(r->last_status)) go_on = false;
            }
            if (output_failed(r)) go_on = false;
        }
        free(line);
        if (!go_on) break;
    }
    return interactive ? EXIT_DONE : first_failure;
}

int chat_main(run *r)
{
    const char *first = r->args.prompt ? r->args.prompt : r->args.rest.n ? r->args.rest.items[0] : NULL;
    if (r->args.prompt && r->args.rest.n)
        return fail_usage(r, "the first message is given twice: -p and '%s'", r->args.rest.items[0]);
    conversation c = { 0 };
    line_editor *editor = NULL;
    trine_error err = { 0 };
    int code = open_model(r);
    if (!code && r->info->paradigm != TRINE_DECODER)
        code = fail(r, EXIT_DATA, "%s: is a %s %s; chat needs a decoder (GPT-2, Llama and the like)", r->args.model,
                    r->info->family, paradigm_name(r->info->paradigm));
    if (!code) code = chat_template(r, &c.template);
    if (!code) code = open_session(r, (trine_session_options) { 0 });
    if (!code) {
        trine_status status = trine_sequence_open(&c.sequence, r->session, &err);
        if (status) code = fail_status(r, status, &err);
    }
    if (!code && r->args.system) code = add_message(r, &c, "system", r->args.system);
    if (!code && !line_editor_open(&editor)) code = fail_memory(r);
    if (!code && first) code = answer(r, &c, first);
    if (code == EXIT_INTERRUPTED && line_editor_interactive(editor)) {
        interrupt_forget();
        code = 0;
    }
    if (!code) code = converse(r, &c, editor);
    line_editor_close(editor);
    drop_messages(&c, 0);
    free(c.messages);
    free(c.template);
    trine_sequence_close(c.sequence);
    return code;
}
