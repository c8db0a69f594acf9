/* line_editor.c - libedit around standard input: see line_editor.h. */
#include "line_editor.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct line_editor {
    EditLine *edit; /* NULL when nobody is typing */
    History *history;
    char *history_path; /* NULL: none is kept */
    char *line;
    size_t size;
    bool more;
};

static char *prompt_text(EditLine *edit)
{
    static char first[] = "> ", next[] = ". ";
    line_editor *editor = NULL;
    el_get(edit, EL_CLIENTDATA, &editor);
    return editor && editor->more ? next : first;
}

/* $XDG_STATE_HOME/trine/chat_history, its directories made on the way; NULL when there is no place. */
static char *find_history(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = state && state[0] == '/' ? asprintf(&path, "%s/trine/chat_history", state)
            : home && home[0] == '/' ? asprintf(&path, "%s/.local/state/trine/chat_history", home)
                                     : -1;
    if (n < 0) return NULL;
    for (char *p = path + 1; *p; p++) {
        if (*p != '/') continue;
        *p = 0;
        bool ok = mkdir(path, 0700) == 0 || errno == EEXIST;
        *p = '/';
        if (!ok) {
            free(path);
            return NULL;
        }
    }
    return path;
}

static bool open_terminal(line_editor *editor)
{
    HistEvent event;
    /* libedit reads characters by the locale; a bare container has none, and people type UTF-8. */
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
    editor->edit = el_init("trine", stdin, stdout, stderr);
    editor->history = history_init();
    if (!editor->edit || !editor->history) return false;
    history(editor->history, &event, H_SETSIZE, 1000);
    history(editor->history, &event, H_SETUNIQUE, 1);
    el_set(editor->edit, EL_CLIENTDATA, editor);
    el_set(editor->edit, EL_PROMPT, prompt_text);
    el_set(editor->edit, EL_EDITOR, "emacs");
    el_set(editor->edit, EL_HIST, history, editor->history);
    el_set(editor->edit, EL_SIGNAL, 0);
    editor->history_path = find_history();
    if (editor->history_path) history(editor->history, &event, H_LOAD, editor->history_path);
    return true;
}

bool line_editor_open(line_editor **out)
{
    line_editor *editor = calloc(1, sizeof *editor);
    *out = editor;
    if (!editor) return false;
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) return true;
    return open_terminal(editor);
}

void line_editor_close(line_editor *editor)
{
    if (!editor) return;
    HistEvent event;
    if (editor->history && editor->history_path && history(editor->history, &event, H_SAVE, editor->history_path) >= 0)
        chmod(editor->history_path, 0600); /* what people ask is their own */
    if (editor->edit) el_end(editor->edit);
    if (editor->history) history_end(editor->history);
    free(editor->history_path);
    free(editor->line);
    free(editor);
}

bool line_editor_interactive(const line_editor *editor) { return editor && editor->edit; }

const char *line_editor_read(line_editor *editor, bool more, size_t *bytes)
{
    if (!editor->edit) {
        ssize_t n = getline(&editor->line, &editor->size, stdin);
        if (n < 0) return NULL;
        if (n && editor->line[n - 1] == '\n') editor->line[--n] = 0;
        if (n && editor->line[n - 1] == '\r') editor->line[--n] = 0;
        *bytes = strlen(editor->line);
        return editor->line;
    }
    int n = 0;
    editor->more = more;
    errno = 0;
    const char *line = el_gets(editor->edit, &n);
    if (!line || n <= 0) {
        el_reset(editor->edit);
        if (errno != EINTR) fputs("\n", stdout);
        return NULL;
    }
    HistEvent event;
    if (line[strspn(line, " \t\n")]) history(editor->history, &event, H_ENTER, line);
    *bytes = (size_t)n - (line[n - 1] == '\n');
    return line;
}
