/* line_editor.h - lines of a conversation: with editing and history on a terminal (libedit), plain otherwise. */
#ifndef TRINE_APP_LINE_EDITOR_H
#define TRINE_APP_LINE_EDITOR_H

#include <stdbool.h>
#include <stddef.h>

typedef struct line_editor line_editor;

/* False when memory ran out. History is kept in $XDG_STATE_HOME/trine (~/.local/state/trine). */
bool line_editor_open(line_editor **out);
void line_editor_close(line_editor *editor);
/* Whether somebody is typing. */
bool line_editor_interactive(const line_editor *editor);
/* The next line without its newline; NULL at the end or when interrupted. Borrowed until the next call. `more`: it goes on
 * a line before. */
const char *line_editor_read(line_editor *editor, bool more, size_t *bytes);

#endif
