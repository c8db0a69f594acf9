/* documents.c - see documents.h. */
#include "tasks/documents.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/ends.h"
#include "base/file.h"
#include "base/status.h"
#include "tasks/data.h"

/* ------------------------------------------------------------------------------------------------------------- files */

static trine_status add_name(trine_names *out, char *name, trine_error *err)
{
    char **items = name ? realloc(out->items, ((size_t)out->n + 1) * sizeof *items) : NULL;
    if (!items) {
        free(name);
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the names of the files");
    }
    out->items = items;
    out->items[out->n++] = name;
    return TRINE_OK;
}

static int visible(const struct dirent *e) { return e->d_name[0] != '.'; }

static trine_status add_path(trine_names *out, const char *path, int depth, trine_error *err)
{
    if (!trine_is_directory(path)) {
        if (!trine_file_exists(path)) return trine_fail(err, TRINE_ERROR_NOT_FOUND, "'%s': there is no such file", path);
        return add_name(out, strdup(path), err);
    }
    if (depth > 32) return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': folders too deep", path);
    struct dirent **entries;
    const int n = scandir(path, &entries, visible, alphasort);
    if (n < 0)
        return trine_fail(err, errno == ENOMEM ? TRINE_ERROR_MEMORY : TRINE_ERROR_IO, "cannot read the folder '%s': %s", path,
                          strerror(errno));
    trine_status status = TRINE_OK;
    for (int i = 0; i < n; i++) {
        char *inner = status ? NULL : trine_path_join(path, entries[i]->d_name);
        if (!status) status = inner ? add_path(out, inner, depth + 1, err) : trine_fail(err, TRINE_ERROR_MEMORY, "no memory");
        free(inner);
        free(entries[i]);
    }
    free(entries);
    return status;
}

trine_status trine_files_list(trine_names *out, const char *const *paths, int n_paths, trine_error *err)
{
    *out = (trine_names) { 0 };
    trine_status status = TRINE_OK;
    for (int i = 0; i < n_paths && !status; i++) {
        const int before = out->n;
        status = add_path(out, paths[i], 0, err);
        if (!status && out->n == before) status = trine_fail(err, TRINE_ERROR_FORMAT, "'%s': the folder holds no files", paths[i]);
    }
    if (status) trine_names_clear(out);
    return status;
}

/* --------------------------------------------------------------------------------------------------------- documents */

typedef enum form { FORM_TEXT, FORM_ROWS } form;

static form form_of(const char *path)
{
    static const char *const rows[] = { ".jsonl", ".ndjson", ".json", ".tsv", ".csv" };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (trine_path_is_kind(path, rows[i])) return FORM_ROWS;
    return FORM_TEXT;
}

static bool is_blank(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\r\n", text[i])) return false;
    return true;
}

static trine_status give(const char *text, size_t n, trine_document_fn *each, void *user, trine_error *err)
{
    return is_blank(text, n) ? TRINE_OK : each(user, text, n, err);
}

/* Documents parted by `mark`. */
static trine_status split_at(const char *text, size_t n, const char *mark, trine_document_fn *each, void *user, trine_error *err)
{
    const char *const end = text + n;
    trine_status status = TRINE_OK;
    while (text < end && !status) {
        const char *stop = memmem(text, (size_t)(end - text), mark, strlen(mark));
        status = give(text, (size_t)((stop ? stop : end) - text), each, user, err);
        text = stop ? stop + strlen(mark) : end;
    }
    return status;
}

/* Lines; or, `blank`, paragraphs: parted by lines that hold nothing. */
static trine_status split_lines(const char *text, size_t n, bool blank, trine_document_fn *each, void *user, trine_error *err)
{
    const char *const end = text + n;
    const char *start = text;
    trine_status status = TRINE_OK;
    while (text < end && !status) {
        const char *line = text, *stop = memchr(text, '\n', (size_t)(end - text));
        const char *next = stop ? stop + 1 : end;
        if (!stop) stop = end;
        text = next;
        if (blank && !is_blank(line, (size_t)(stop - line))) continue;
        const char *last = blank ? line : stop;
        while (last > start && (last[-1] == '\n' || last[-1] == '\r')) last--;
        status = give(start, (size_t)(last - start), each, user, err);
        start = next;
    }
    if (blank && !status) status = give(start, (size_t)(end - start), each, user, err);
    return status;
}

static trine_status read_text(const char *path, const trine_documents_options *o, trine_document_fn *each, void *user,
                              trine_error *err)
{
    static const char end_of_text[] = "<|endoftext|>";
    char *data, *text;
    size_t n;
    trine_status status = trine_text_read(&data, &text, &n, path, err);
    if (status) return status;
    const char *split = o->split;
    if (!split) split = memmem(text, n, end_of_text, sizeof end_of_text - 1) ? end_of_text : "file";
    if (!strcmp(split, "file"))
        status = give(text, n, each, user, err);
    else if (!strcmp(split, "lines") || !strcmp(split, "blank"))
        status = split_lines(text, n, *split == 'b', each, user, err);
    else
        status = split_at(text, n, split, each, user, err);
    free(data);
    return status;
}

static trine_status read_rows(const char *path, const trine_documents_options *o, trine_document_fn *each, void *user,
                              trine_error *err)
{
    static const char *const names[] = { "text", "sentence", "content", NULL };
    const trine_column column = { "text", "--text", o->column, names, false };
    trine_rows *rows;
    trine_status status = trine_rows_open(&rows, path, &column, 1, false, err);
    if (status) return status;
    for (bool more = true; !status;) {
        status = trine_rows_next(&more, rows, err);
        if (status || !more) break;
        const trine_field *f = trine_rows_field(rows, 0);
        for (int i = 0; i < f->n && !status; i++) status = give(f->items[i], strlen(f->items[i]), each, user, err);
    }
    trine_rows_close(rows);
    return status;
}

trine_status trine_documents_read(const char *path, const trine_documents_options *options, trine_document_fn *each, void *user,
                                  trine_error *err)
{
    static const trine_documents_options none;
    if (!options) options = &none;
    if (options->split && !*options->split) return trine_fail(err, TRINE_ERROR_ARGUMENT, "the mark between documents is empty");
    const bool rows = options->column || (!options->plain && form_of(path) == FORM_ROWS);
    return rows ? read_rows(path, options, each, user, err) : read_text(path, options, each, user, err);
}
