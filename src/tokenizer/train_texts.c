/* train_texts.c - the texts that files hold: plain text, whole or by lines, a column of a table (.tsv), the strings of JSON lines
 * (.jsonl); each may be packed (.gz, .xz, .zst). A folder stands for the files in it and below it. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/ends.h"
#include "base/status.h"
#include "tokenizer/train.h"

enum {
    FOLDERS_MAX = 32,     /* in each other */
    TEXT_BYTES = 1 << 16, /* a text longer than this is cut ... */
    REACH = 1 << 20,      /* ... at a good place within so much, else at any character */
};
static const size_t file_limit = (size_t)1 << 40;

static trine_status no_memory(trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory for its texts");
}

/* -- which files */

static trine_status put_path(trine_text_source *s, const char *path, uint64_t bytes, trine_error *err)
{
    if (s->n == s->cap) {
        const int cap = s->cap ? 2 * s->cap : 64;
        char **paths = realloc(s->paths, (size_t)cap * sizeof *paths);
        if (!paths) return no_memory(err);
        s->paths = paths;
        uint64_t *sizes = realloc(s->bytes, (size_t)cap * sizeof *sizes);
        if (!sizes) return no_memory(err);
        s->bytes = sizes;
        s->cap = cap;
    }
    if (!(s->paths[s->n] = trine_copy_text(path, strlen(path)))) return no_memory(err);
    s->bytes[s->n++] = bytes;
    return TRINE_OK;
}

static int visible(const struct dirent *entry) { return entry->d_name[0] != '.'; }
static int by_bytes(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static trine_status put(trine_text_source *s, const char *path, int depth, trine_error *err)
{
    struct stat st;
    if (stat(path, &st))
        return trine_fail(err, errno == ENOENT || errno == ENOTDIR ? TRINE_ERROR_NOT_FOUND : TRINE_ERROR_IO, "%s: %s", path,
                          strerror(errno));
    if (!S_ISDIR(st.st_mode)) return put_path(s, path, S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0, err);
    if (depth == FOLDERS_MAX) return trine_fail(err, TRINE_ERROR_IO, "%s: more than %d folders in each other", path, FOLDERS_MAX);
    struct dirent **entries;
    const int n = scandir(path, &entries, visible, by_bytes);
    if (n < 0)
        return errno == ENOMEM ? no_memory(err) : trine_fail(err, TRINE_ERROR_IO, "cannot read '%s': %s", path, strerror(errno));
    trine_status status = TRINE_OK;
    for (int i = 0; i < n; i++) {
        char *inner = status ? NULL : trine_path_join(path, entries[i]->d_name);
        if (!status) status = inner ? put(s, inner, depth + 1, err) : no_memory(err);
        free(inner);
        free(entries[i]);
    }
    free(entries);
    return status;
}

trine_status trine_text_source_open(trine_text_source *out, const char *const *paths, int n, const char *column, bool lines,
                                    trine_error *err)
{
    *out = (trine_text_source) { .column = column, .lines = lines };
    trine_status status = TRINE_OK;
    for (int i = 0; i < n && !status; i++) status = put(out, paths[i], 0, err);
    if (!status && !out->n) status = trine_fail(err, TRINE_ERROR_EMPTY, "%s: no files to read", n ? paths[0] : "tokenizer");
    if (status) trine_text_source_close(out);
    return status;
}

void trine_text_source_close(trine_text_source *s)
{
    for (int i = 0; i < s->n; i++) free(s->paths[i]);
    free(s->paths);
    free(s->bytes);
    *s = (trine_text_source) { 0 };
}

/* -- texts of one file */

static trine_status put_span(trine_texts_read *t, size_t begin, size_t end, trine_error *err)
{
    if (begin == end) return TRINE_OK;
    if (t->n == t->cap) {
        const int cap = t->cap ? 2 * t->cap : 256;
        trine_span *items = realloc(t->items, (size_t)cap * sizeof *items);
        if (!items) return no_memory(err);
        t->items = items;
        t->cap = cap;
    }
    t->items[t->n++] = (trine_span) { begin, end };
    return TRINE_OK;
}

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* Where a text that goes on for long may be cut: between a letter and a space with a letter behind it, where every pre-tokenizer
 * cuts and none looks further; in a script without that, behind a line; else between characters. */
static size_t good_cut(const char *text, size_t begin, size_t end)
{
    if (end - begin <= TEXT_BYTES) return end;
    const size_t from = begin + TEXT_BYTES, to = end - from < REACH ? end : from + REACH;
    for (size_t i = from; i + 1 < to; i++)
        if (text[i] == ' ' && is_letter(text[i - 1]) && is_letter(text[i + 1])) return i;
    for (size_t i = from; i + 1 < to; i++)
        if (text[i] == '\n') return i + 1;
    size_t i = to;
    while (i > from && i < end && ((unsigned char)text[i] & 0xC0) == 0x80) i--;
    return i;
}

static trine_status put_text(trine_texts_read *t, size_t begin, size_t end, trine_error *err)
{
    trine_status status = TRINE_OK;
    for (size_t cut; begin < end && !status; begin = cut) {
        cut = good_cut(t->data, begin, end);
        status = put_span(t, begin, cut, err);
    }
    return status;
}

/* Calls `each` for every line, without its end. */
typedef trine_status each_line(void *user, size_t begin, size_t end, long line, trine_error *err);
static trine_status for_each_line(const char *data, size_t n, each_line *each, void *user, trine_error *err)
{
    trine_status status = TRINE_OK;
    long line = 1;
    for (size_t at = 0; at < n && !status; line++) {
        const char *stop = memchr(data + at, '\n', n - at);
        const size_t next = stop ? (size_t)(stop - data) + 1 : n;
        size_t end = stop ? next - 1 : n;
        if (end > at && data[end - 1] == '\r') end--;
        status = each(user, at, end, line, err);
        at = next;
    }
    return status;
}

typedef struct reader {
    const char *path, *column;
    trine_texts_read *texts;
    long field;          /* of .tsv, from 0; -1: all */
    trine_buffer buffer; /* of .jsonl: the strings */
    trine_texts_read found;
} reader;

static trine_status put_line(void *user, size_t begin, size_t end, long line, trine_error *err)
{
    (void)line;
    return put_text(((reader *)user)->texts, begin, end, err);
}

/* -- a column of .tsv, by the name in its first line or by its number from 1 */

/* Where field k of a line is; false when it has fewer. */
static bool find_field(size_t *from, size_t *to, const char *data, size_t begin, size_t end, long k)
{
    for (;; k--) {
        const char *tab = memchr(data + begin, '\t', end - begin);
        *from = begin;
        *to = tab ? (size_t)(tab - data) : end;
        if (!k || !tab) return !k;
        begin = *to + 1;
    }
}

static trine_status put_field(void *user, size_t begin, size_t end, long line, trine_error *err)
{
    reader *r = user;
    const char *data = r->texts->data;
    size_t from, to;
    if (begin == end) return TRINE_OK;
    if (line == 1) {
        for (long k = 0; find_field(&from, &to, data, begin, end, k); k++)
            if (strlen(r->column) == to - from && !memcmp(r->column, data + from, to - from)) {
                r->field = k;
                return TRINE_OK;
            }
        char *rest;
        r->field = strtol(r->column, &rest, 10) - 1;
        if (*rest || rest == r->column || r->field < 0)
            return trine_fail(err, TRINE_ERROR_FORMAT, "%s: its first line names no column '%s': '%.*s'", r->path, r->column,
                              (int)(end - begin < 200 ? end - begin : 200), data + begin);
    }
    if (!find_field(&from, &to, data, begin, end, r->field))
        return trine_fail(err, TRINE_ERROR_FORMAT, "%s:%ld: no column %ld in this line", r->path, line, r->field + 1);
    return put_text(r->texts, from, to, err);
}

/* -- the strings of .jsonl */

static trine_status put_strings(reader *r, const json_t *value, int depth, trine_error *err)
{
    trine_status status = TRINE_OK;
    if (json_is_string(value)) {
        const size_t begin = r->buffer.n;
        trine_buffer_append(&r->buffer, json_string_value(value), json_string_length(value));
        return r->buffer.failed ? no_memory(err) : put_span(&r->found, begin, r->buffer.n, err);
    }
    if (depth == FOLDERS_MAX) return TRINE_OK;
    const char *key;
    json_t *item;
    size_t i;
    if (json_is_object(value))
        json_object_foreach((json_t *)(uintptr_t)value, key, item) if (!status) status = put_strings(r, item, depth + 1, err);
    if (json_is_array(value)) json_array_foreach(value, i, item) if (!status) status = put_strings(r, item, depth + 1, err);
    return status;
}

static trine_status put_json(void *user, size_t begin, size_t end, long line, trine_error *err)
{
    reader *r = user;
    const char *data = r->texts->data;
    while (begin < end && (data[begin] == ' ' || data[begin] == '\t')) begin++;
    if (begin == end) return TRINE_OK;
    char where[512];
    snprintf(where, sizeof where, "%s:%ld", r->path, line);
    json_t *root;
    trine_status status = trine_json_read(&root, data + begin, end - begin, where, err);
    if (status) return status;
    const json_t *value = r->column ? json_object_get(root, r->column) : root;
    status = value ? put_strings(r, value, 0, err) : trine_fail(err, TRINE_ERROR_FORMAT, "%s: no \"%s\" here", where, r->column);
    json_decref(root);
    return status;
}

static trine_status read_json_lines(reader *r, size_t n, trine_error *err)
{
    trine_status status = for_each_line(r->texts->data, n, put_json, r, err);
    free(r->texts->data);
    r->texts->data = trine_buffer_take(&r->buffer);
    if (!status && !r->texts->data && r->found.n) status = no_memory(err);
    for (int i = 0; i < r->found.n && !status; i++)
        status = put_text(r->texts, r->found.items[i].start, r->found.items[i].end, err);
    free(r->found.items);
    return status;
}

trine_status trine_texts_read_file(trine_texts_read *out, const trine_text_source *source, int i, trine_error *err)
{
    *out = (trine_texts_read) { 0 };
    reader r = { .path = source->paths[i], .column = source->column, .texts = out };
    size_t n;
    trine_status status = trine_file_read_packed(&out->data, &n, r.path, file_limit, err);
    if (status) return status;
    const char *zero = memchr(out->data, 0, n);
    const bool json = trine_path_is_kind(r.path, ".jsonl"), table = trine_path_is_kind(r.path, ".tsv");
    if (zero)
        status =
            trine_fail(err, TRINE_ERROR_FORMAT, "%s: no text: there is a zero byte at %zu", r.path, (size_t)(zero - out->data));
    else if (json)
        status = read_json_lines(&r, n, err);
    else if (table && r.column)
        status = for_each_line(out->data, n, put_field, &r, err);
    else if (source->lines)
        status = for_each_line(out->data, n, put_line, &r, err);
    else
        status = put_text(out, 0, n, err);
    if (status) trine_texts_read_clear(out);
    return status;
}

void trine_texts_read_clear(trine_texts_read *texts)
{
    free(texts->data);
    free(texts->items);
    *texts = (trine_texts_read) { 0 };
}
