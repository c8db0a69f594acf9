/* data_conll.c - sentences of tagged words, as the CoNLL shared tasks write them. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "tasks/data.h"

struct trine_conll {
    const char *path;
    char *data, *at, *end;
    int next_line, cap;
    const char **words, **tags;
};

trine_status trine_conll_open(trine_conll **out, const char *path, trine_error *err)
{
    *out = NULL;
    trine_conll *c = calloc(1, sizeof *c);
    if (!c) return trine_fail(err, TRINE_ERROR_MEMORY, "%s: no memory", path);
    size_t n;
    c->path = path;
    c->next_line = 1;
    const trine_status status = trine_text_read(&c->data, &c->at, &n, path, err);
    if (status) {
        free(c);
        return status;
    }
    c->end = c->at + n;
    *out = c;
    return TRINE_OK;
}

void trine_conll_close(trine_conll *c)
{
    if (!c) return;
    free(c->words);
    free(c->tags);
    free(c->data);
    free(c);
}

static trine_status grow(trine_conll *c, trine_error *err)
{
    const int cap = c->cap ? 2 * c->cap : 64;
    const char **words = realloc(c->words, (size_t)cap * sizeof *words);
    if (words) c->words = words;
    const char **tags = words ? realloc(c->tags, (size_t)cap * sizeof *tags) : NULL;
    if (tags) c->tags = tags;
    if (!tags) return trine_fail(err, TRINE_ERROR_MEMORY, "%s, line %d: no memory", c->path, c->next_line);
    c->cap = cap;
    return TRINE_OK;
}

/* "O", a letter and a dash before a type, or a plain type: nothing with a blank or of a length that no tag has. */
static bool is_tag(const char *tag) { return *tag && strlen(tag) < 64; }

/* "# id 4a domain=en", "# text = ...": a comment before a sentence, as CoNLL-U and MultiCoNER have them. "# O" is a word. */
static bool is_comment(const char *line, bool begins) { return begins && !strncmp(line, "# ", 2) && strchr(line, '='); }

trine_status trine_conll_next(bool *more, trine_tagged *out, trine_conll *c, trine_error *err)
{
    *out = (trine_tagged) { 0 };
    *more = false;
    while (c->at < c->end) {
        char *line = c->at, *stop = memchr(line, '\n', (size_t)(c->end - line));
        if (!stop) stop = c->end;
        const int number = c->next_line++;
        c->at = stop + (stop < c->end);
        while (stop > line && strchr(" \t\r", stop[-1])) stop--;
        *stop = 0;
        line += strspn(line, " \t");
        if (is_comment(line, !out->n)) continue;
        if (!*line || !strncmp(line, "-DOCSTART-", 10)) {
            if (out->n) break;
            continue;
        }
        const size_t n_word = strcspn(line, " \t");
        char *tag = stop;
        while (tag > line && tag[-1] != ' ' && tag[-1] != '\t') tag--;
        if (tag == line || !is_tag(tag))
            return trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: expected a word and its tag, parted by a tab or a blank",
                              c->path, number);
        line[n_word] = 0;
        trine_status status = TRINE_OK;
        if (out->n == c->cap && (status = grow(c, err))) return status;
        if (!out->n) out->line = number;
        c->words[out->n] = line;
        c->tags[out->n++] = tag;
    }
    out->words = c->words;
    out->tags = c->tags;
    *more = out->n > 0;
    return TRINE_OK;
}
