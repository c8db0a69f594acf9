/* data_rows.c - tables of examples: tabs, commas with quotes, or a JSON object a line, seen as rows of named columns. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ends.h"
#include "base/file.h"
#include "base/numbers.h"
#include "base/status.h"
#include "tasks/data.h"

typedef enum row_format { ROWS_TABS, ROWS_COMMAS, ROWS_JSON } row_format;

struct trine_rows {
    const char *path;
    row_format format;
    char *data; /* owned; rows of a table are cut up in place */
    char *at, *end;
    int line, next_line;
    const trine_column *columns;
    int n_columns;
    int places[TRINE_COLUMNS_MAX];       /* tables: which cell; -1: none */
    const char *keys[TRINE_COLUMNS_MAX]; /* JSON: which key */
    char **cells;
    int n_cells, cells_cap, n_header;
    json_t *row;
    trine_field fields[TRINE_COLUMNS_MAX];
    int caps[TRINE_COLUMNS_MAX];
    char numbers[TRINE_COLUMNS_MAX][32]; /* JSON numbers as text */
};

trine_status trine_text_read(char **data, char **text, size_t *n, const char *path, trine_error *err)
{
    const trine_status status = trine_file_read_packed(data, n, path, TRINE_DATA_BYTES_MAX, err);
    *text = NULL;
    if (status) return status;
    *text = *data;
    if (*n >= 3 && !memcmp(*text, "\xef\xbb\xbf", 3)) *text += 3, *n -= 3;
    const char *zero = memchr(*text, 0, *n);
    int line = 1;
    for (const char *p = *text; zero && p < zero; p++) line += *p == '\n';
    if (!zero && strspn(*text, " \t\r\n") < *n) return TRINE_OK;
    const trine_status bad = zero
                                 ? trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: a zero byte: this is no text file", path, line)
                                 : trine_fail(err, TRINE_ERROR_FORMAT, "%s: the file is empty", path);
    free(*data);
    *data = *text = NULL;
    return bad;
}

/* ---------------------------------------------------------------------------------------------------- rows of a table */

static trine_status add_cell(trine_rows *r, char *cell, trine_error *err)
{
    if (r->n_cells == r->cells_cap) {
        const int cap = r->cells_cap ? 2 * r->cells_cap : 16;
        char **cells = realloc(r->cells, (size_t)cap * sizeof *cells);
        if (!cells) return trine_fail(err, TRINE_ERROR_MEMORY, "%s, line %d: no memory for %d columns", r->path, r->line, cap);
        r->cells = cells;
        r->cells_cap = cap;
    }
    r->cells[r->n_cells++] = cell;
    return TRINE_OK;
}

/* Cuts one quoted cell out at r->at, which stands on the quote; quotes inside are doubled. */
static trine_status quoted(char **cell, trine_rows *r, trine_error *err)
{
    char *to = ++r->at;
    *cell = to;
    for (;; r->at++) {
        if (r->at >= r->end)
            return trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: a quote that opens in this row is not closed", r->path,
                              r->line);
        if (*r->at == '"') {
            if (r->at + 1 >= r->end || r->at[1] != '"') break;
            r->at++;
        }
        r->next_line += *r->at == '\n';
        *to++ = *r->at;
    }
    r->at++;
    if (r->at < r->end && !strchr(",\r\n", *r->at))
        return trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: '%c' after a closing quote, expected a comma or the line's end",
                          r->path, r->line, *r->at);
    *to = 0; /* at the latest where the closing quote stood */
    return TRINE_OK;
}

/* The cells of the next line that is not blank; n_cells 0 at the end. */
static trine_status read_cells(trine_rows *r, trine_error *err)
{
    const char part = r->format == ROWS_COMMAS ? ',' : '\t';
    r->n_cells = 0;
    for (; r->at < r->end && (*r->at == '\n' || (*r->at == '\r' && r->at[1] == '\n')); r->at++) r->next_line += *r->at == '\n';
    r->line = r->next_line;
    for (bool more = r->at < r->end; more;) {
        char *cell = r->at;
        trine_status status = TRINE_OK;
        if (r->format == ROWS_COMMAS && *cell == '"')
            status = quoted(&cell, r, err);
        else
            while (r->at < r->end && *r->at != part && *r->at != '\n') r->at++;
        if (!status) status = add_cell(r, cell, err);
        if (status) return status;
        more = r->at < r->end && *r->at == part;
        /* The separator or line end becomes the cell's terminator (data has a zero after its end). */
        if (r->at > cell && r->at[-1] == '\r' && !more) r->at[-1] = 0;
        if (r->at < r->end && *r->at == '\r') *r->at++ = 0;
        if (r->at < r->end) {
            r->next_line += *r->at == '\n';
            *r->at++ = 0;
        }
    }
    return TRINE_OK;
}

static int find_name(char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(names[i], name)) return i;
    return -1;
}

/* "label", "text" or "sentence": what was looked for. */
static void list_names(char *out, size_t cap, const trine_column *c)
{
    size_t n = 0;
    out[0] = 0;
    for (int i = 0; c->names && c->names[i] && n + 1 < cap; i++)
        n += (size_t)snprintf(out + n, cap - n, "%s%s", i ? ", " : "", c->names[i]);
}

static trine_status no_column(const trine_rows *r, const trine_column *c, const char *has, trine_error *err)
{
    char names[160];
    if (c->given)
        return trine_fail(err, TRINE_ERROR_FORMAT, "%s: no column '%s' for the %s; there are: %s", r->path, c->given, c->what, has);
    list_names(names, sizeof names, c);
    return trine_fail(err, TRINE_ERROR_FORMAT, "%s: no column for the %s (%s); there are: %s. Name one (%s)", r->path, c->what,
                      names, has, c->option);
}

static void join_names(char *out, size_t cap, char *const *names, int n)
{
    size_t at = 0;
    out[0] = 0;
    for (int i = 0; i < n && at + 1 < cap; i++) at += (size_t)snprintf(out + at, cap - at, "%s%.40s", i ? ", " : "", names[i]);
}

/* Finds the columns in the header, or by place when there is none. */
static trine_status place_columns(trine_rows *r, bool may_lack_header, trine_error *err)
{
    char *const start = r->at;
    const size_t n = (size_t)(r->end - start);
    char *copy = malloc(n + 1); /* the first row is read twice when it is no header */
    if (!copy) return trine_fail(err, TRINE_ERROR_MEMORY, "%s: no memory", r->path);
    memcpy(copy, start, n);
    trine_status status = read_cells(r, err);
    bool all = true, any_given = false;
    for (int i = 0; i < r->n_columns && !status; i++) {
        const trine_column *c = &r->columns[i];
        r->places[i] = c->given ? find_name(r->cells, r->n_cells, c->given) : -1;
        for (int k = 0; !c->given && c->names && c->names[k] && r->places[i] < 0; k++)
            r->places[i] = find_name(r->cells, r->n_cells, c->names[k]);
        any_given |= c->given != NULL;
        all &= r->places[i] >= 0 || c->optional;
    }
    if (!status && !all && may_lack_header && !any_given) {
        for (int i = 0; i < r->n_columns; i++) r->places[i] = i < r->n_cells ? i : -1;
        const int need = r->n_columns;
        if (r->n_cells < need)
            status = trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: %d column%s, expected %s and %s parted by a tab", r->path,
                                r->line, r->n_cells, r->n_cells == 1 ? "" : "s", r->columns[0].what, r->columns[need - 1].what);
        memcpy(start, copy, n);
        r->at = start;
        r->next_line = 1;
        r->n_header = 0;
    } else if (!status) {
        char has[200];
        join_names(has, sizeof has, r->cells, r->n_cells);
        for (int i = 0; i < r->n_columns && !status; i++)
            if (r->places[i] < 0 && !r->columns[i].optional) status = no_column(r, &r->columns[i], has, err);
        r->n_header = r->n_cells;
    }
    free(copy);
    return status;
}

/* --------------------------------------------------------------------------------------------------------- JSON lines */

/* The next object; row NULL at the end. */
static trine_status read_object(trine_rows *r, trine_error *err)
{
    json_decref(r->row);
    r->row = NULL;
    for (; r->at < r->end && strchr(" \t\r\n", *r->at); r->at++) r->next_line += *r->at == '\n';
    r->line = r->next_line;
    if (r->at >= r->end) return TRINE_OK;
    char *stop = memchr(r->at, '\n', (size_t)(r->end - r->at));
    if (!stop) stop = r->end;
    json_error_t error;
    r->row = json_loadb(r->at, (size_t)(stop - r->at), JSON_REJECT_DUPLICATES, &error);
    if (!r->row && json_error_code(&error) == json_error_out_of_memory)
        return trine_fail(err, TRINE_ERROR_MEMORY, "%s, line %d: no memory", r->path, r->line);
    if (!json_is_object(r->row))
        return trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: not a JSON object on one line (%.100s)", r->path, r->line,
                          r->row ? "a value of another kind" : error.text);
    r->at = stop;
    return TRINE_OK;
}

/* {"translation": {"en": ..., "de": ...}} is read as its inner object. */
static json_t *value_of(const trine_rows *r, const char *key)
{
    json_t *v = json_object_get(r->row, key);
    return v ? v : json_object_get(json_object_get(r->row, "translation"), key);
}

/* The first of the names of a column that this row has, or NULL. */
static const char *key_of(const trine_rows *r, const trine_column *c)
{
    if (c->given) return value_of(r, c->given) ? c->given : NULL;
    for (int k = 0; c->names && c->names[k]; k++)
        if (value_of(r, c->names[k])) return c->names[k];
    return NULL;
}

static trine_status find_keys(trine_rows *r, trine_error *err)
{
    char *const start = r->at;
    trine_status status = read_object(r, err);
    for (int i = 0; i < r->n_columns && !status; i++) {
        const trine_column *c = &r->columns[i];
        r->keys[i] = key_of(r, c);
        if (r->keys[i] || c->optional) continue;
        char has[200];
        size_t at = 0;
        const char *key;
        json_t *value;
        has[0] = 0;
        json_object_foreach(r->row, key, value) if (at + 1 < sizeof has) at +=
            (size_t)snprintf(has + at, sizeof has - at, "%s%.40s", at ? ", " : "", key);
        status = no_column(r, c, has, err);
    }
    r->at = start;
    r->next_line = 1;
    return status;
}

static trine_status add_item(trine_rows *r, int column, const json_t *v, trine_error *err)
{
    trine_field *f = &r->fields[column];
    const char *text = json_string_value(v);
    if (json_is_integer(v) || json_is_boolean(v)) {
        const long long i = json_is_integer(v) ? (long long)json_integer_value(v) : json_is_true(v);
        snprintf(r->numbers[column], sizeof r->numbers[column], "%lld", i);
        text = r->numbers[column];
    }
    if (json_is_real(v)) {
        trine_print(r->numbers[column], sizeof r->numbers[column], "%.17g", json_real_value(v));
        text = r->numbers[column];
    }
    if (!text) return trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: \"%s\" is not a text", r->path, r->line, r->keys[column]);
    if (f->n == r->caps[column]) {
        const int cap = f->n ? 2 * f->n : 8;
        const char **items = realloc(f->items, (size_t)cap * sizeof *items);
        if (!items) return trine_fail(err, TRINE_ERROR_MEMORY, "%s, line %d: no memory", r->path, r->line);
        f->items = items;
        r->caps[column] = cap;
    }
    f->items[f->n++] = text;
    return TRINE_OK;
}

static trine_status take_values(trine_rows *r, trine_error *err)
{
    trine_status status = TRINE_OK;
    for (int i = 0; i < r->n_columns && !status; i++) {
        r->fields[i].n = 0;
        if (!r->keys[i]) r->keys[i] = key_of(r, &r->columns[i]); /* optional, and the rows before had none */
        if (!r->keys[i]) continue;
        const json_t *v = value_of(r, r->keys[i]);
        if (!v) {
            if (r->columns[i].optional) continue;
            return trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: there is no \"%s\"", r->path, r->line, r->keys[i]);
        }
        if (!json_is_array(v)) {
            status = add_item(r, i, v, err);
        } else {
            for (size_t k = 0; k < json_array_size(v) && !status; k++) {
                if (!json_is_string(json_array_get(v, k)))
                    return trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: item %zu of \"%s\" is not a text", r->path, r->line,
                                      k + 1, r->keys[i]);
                status = add_item(r, i, json_array_get(v, k), err);
            }
            if (!status && !r->fields[i].n)
                return trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: \"%s\" is an empty list", r->path, r->line, r->keys[i]);
        }
    }
    return status;
}

/* ------------------------------------------------------------------------------------------------------------ any form */

static row_format find_format(const trine_rows *r)
{
    const char *p = r->at + strspn(r->at, " \t\r\n");
    if (*p == '{') return ROWS_JSON;
    if (trine_path_is_kind(r->path, ".csv")) return ROWS_COMMAS;
    const size_t line = strcspn(p, "\n");
    return memchr(p, '\t', line) || !memchr(p, ',', line) ? ROWS_TABS : ROWS_COMMAS;
}

trine_status trine_rows_open(trine_rows **out, const char *path, const trine_column *columns, int n_columns, bool may_lack_header,
                             trine_error *err)
{
    *out = NULL;
    if (n_columns < 1 || n_columns > TRINE_COLUMNS_MAX)
        return trine_fail(err, TRINE_ERROR_INTERNAL, "%s: %d columns asked", path, n_columns);
    trine_rows *r = calloc(1, sizeof *r);
    if (!r) return trine_fail(err, TRINE_ERROR_MEMORY, "%s: no memory", path);
    size_t n;
    r->path = path;
    r->columns = columns;
    r->n_columns = n_columns;
    r->next_line = 1;
    trine_status status = trine_text_read(&r->data, &r->at, &n, path, err);
    if (!status) {
        r->end = r->at + n;
        r->format = find_format(r);
        status = r->format == ROWS_JSON ? find_keys(r, err) : place_columns(r, may_lack_header, err);
    }
    for (int i = 0; i < n_columns && !status && r->format != ROWS_JSON; i++) {
        if (!(r->fields[i].items = calloc(1, sizeof *r->fields[i].items)))
            status = trine_fail(err, TRINE_ERROR_MEMORY, "%s: no memory", path);
    }
    if (status) {
        trine_rows_close(r);
        return status;
    }
    *out = r;
    return TRINE_OK;
}

void trine_rows_close(trine_rows *r)
{
    if (!r) return;
    json_decref(r->row);
    for (int i = 0; i < r->n_columns; i++) free(r->fields[i].items);
    free(r->cells);
    free(r->data);
    free(r);
}

trine_status trine_rows_next(bool *more, trine_rows *r, trine_error *err)
{
    *more = false;
    if (r->format == ROWS_JSON) {
        const trine_status status = read_object(r, err);
        *more = !status && r->row;
        return *more ? take_values(r, err) : status;
    }
    const trine_status status = read_cells(r, err);
    if (status || !r->n_cells) return status;
    if (r->n_header && r->n_cells != r->n_header)
        return trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: %d column%s, and the header has %d", r->path, r->line, r->n_cells,
                          r->n_cells == 1 ? "" : "s", r->n_header);
    for (int i = 0; i < r->n_columns; i++) {
        if (r->places[i] >= r->n_cells)
            return trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: %d column%s, and the %s is column %d", r->path, r->line,
                              r->n_cells, r->n_cells == 1 ? "" : "s", r->columns[i].what, r->places[i] + 1);
        r->fields[i].n = r->places[i] >= 0;
        if (r->fields[i].n) r->fields[i].items[0] = r->cells[r->places[i]];
    }
    *more = true;
    return TRINE_OK;
}

const trine_field *trine_rows_field(const trine_rows *r, int column) { return &r->fields[column]; }
int trine_rows_line(const trine_rows *r) { return r->line; }
