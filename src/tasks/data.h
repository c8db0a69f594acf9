/* data.h - files of examples: tables (TSV, CSV, JSON lines) and tagged words (CoNLL columns). Plain, .gz, .xz or .zst; read whole,
 * then walked. Every error names the file and the line. */
#ifndef TRINE_TASKS_DATA_H
#define TRINE_TASKS_DATA_H

#include <jansson.h>

#include "trine/basics.h"

enum { TRINE_COLUMNS_MAX = 4 };
#define TRINE_DATA_BYTES_MAX ((size_t)4 << 30) /* of an unpacked file */

/* A column to read: called `given` when the user named it, else the first of `names` (NULL-ended) that the header has. */
typedef struct trine_column {
    const char *what;   /* "label": for errors */
    const char *option; /* "label_column": what names it */
    const char *given;  /* or NULL */
    const char *const *names;
    bool optional;
} trine_column;

/* A value: text, or in JSON a list of texts. */
typedef struct trine_field {
    const char **items;
    int n; /* 0: an optional column that is not there */
} trine_field;

typedef struct trine_rows trine_rows;

/* Opens a table. JSON lines begin with "{"; else the name (.csv) or the first line says whether commas or tabs part the
 * columns. Commas: fields may be quoted as RFC 4180 says. Tabs: text is as it stands. `may_lack_header`: without a header
 * that has the columns, columns go by their place. */
trine_status trine_rows_open(trine_rows **out, const char *path, const trine_column *columns, int n_columns, bool may_lack_header,
                             trine_error *err);
void trine_rows_close(trine_rows *rows);
/* The next row; *more is false past the last. Fields are valid until the call after. */
trine_status trine_rows_next(bool *more, trine_rows *rows, trine_error *err);
const trine_field *trine_rows_field(const trine_rows *rows, int column);
int trine_rows_line(const trine_rows *rows); /* where the row begins, from 1 */

/* Tagged words: a word and its tag a line (first and last of the columns), sentences parted by blank lines. */
typedef struct trine_tagged {
    const char **words, **tags; /* borrowed until the next sentence */
    int n, line;                /* line: of the first word */
} trine_tagged;
typedef struct trine_conll trine_conll;
trine_status trine_conll_open(trine_conll **out, const char *path, trine_error *err);
void trine_conll_close(trine_conll *c);
trine_status trine_conll_next(bool *more, trine_tagged *out, trine_conll *c, trine_error *err);

/* The file as text: not empty, no zero byte, without a byte order mark. Free *data (not *text). */
trine_status trine_text_read(char **data, char **text, size_t *n, const char *path, trine_error *err);

#endif
