/* read_tagged.c - sentences of tagged words. Any scheme is read by conlleval's rules of where an entity begins, and learnt as BIO. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "tasks/data.h"
#include "tasks/metrics.h"
#include "train/reading.h"

typedef trine_status sentence_fn(void *user, const trine_tagged *s, const char *path, trine_error *err);

static trine_status each_sentence(const trine_train_part *part, sentence_fn *each, void *user, trine_error *err)
{
    trine_names files;
    trine_status status = trine_files_list(&files, part->paths, part->n_paths, err);
    for (int i = 0; i < files.n && !status; i++) {
        trine_conll *c;
        if ((status = trine_conll_open(&c, files.items[i], err))) break;
        int64_t n = 0;
        for (bool more = true; !status; n++) {
            trine_tagged s;
            status = trine_conll_next(&more, &s, c, err);
            if (status || !more) break;
            status = each(user, &s, files.items[i], err);
        }
        if (!status && !n) status = trine_fail(err, TRINE_ERROR_FORMAT, "%s: there are no sentences", files.items[i]);
        trine_conll_close(c);
    }
    trine_names_clear(&files);
    return status;
}

static trine_status add_types(void *user, const trine_tagged *s, const char *path, trine_error *err)
{
    trine_names *types = user;
    trine_status status = TRINE_OK;
    for (int i = 0; i < s->n && !status; i++) {
        const char *type;
        if (trine_tag_split(&type, s->tags[i]) == 'O') continue;
        status = trine_reading_add_name(types, type, err);
        if (!status && types->n > 1000)
            status = trine_fail(err, TRINE_ERROR_FORMAT,
                                "%s, line %d: more than 1000 kinds of entities: is the tag the last column?", path, s->line + i);
    }
    return status;
}

trine_status trine_read_tag_names(trine_names *out, const trine_train_part *part, trine_error *err)
{
    *out = (trine_names) { 0 };
    trine_names types = { 0 };
    trine_status status = each_sentence(part, add_types, &types, err);
    if (!status && !types.n)
        status = trine_fail(err, TRINE_ERROR_FORMAT, "%s: every word is tagged O: there is no entity to learn", part->paths[0]);
    if (!status) {
        out->items = calloc(2 * (size_t)types.n + 1, sizeof *out->items);
        bool fine = out->items && (out->items[out->n++] = strdup("O"));
        for (int i = 0; i < 2 * types.n && fine; i++) {
            char name[80];
            snprintf(name, sizeof name, "%c-%s", i % 2 ? 'I' : 'B', types.items[i / 2]);
            fine = (out->items[out->n++] = strdup(name)) != NULL;
        }
        if (!fine) status = trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory for the tags");
    }
    trine_names_clear(&types);
    if (status) trine_names_clear(out);
    return status;
}

typedef struct filling {
    trine_stored *out;
    trine_reading *reading;
    const trine_names *labels;
} filling;

/* The BIO label of each word; -1 - i for an unknown type at word i. */
static int label_of(const trine_names *labels, const trine_tagged *s, int i)
{
    const char *type, *before_type = "";
    const char now = trine_tag_split(&type, s->tags[i]);
    if (now == 'O') return 0;
    const char before = i ? trine_tag_split(&before_type, s->tags[i - 1]) : 'O';
    char name[80];
    snprintf(name, sizeof name, "%c-%.70s", trine_tag_begins(before, before_type, now, type) ? 'B' : 'I', type);
    return trine_reading_find(labels, name);
}

static trine_status add_tagged(void *user, const trine_tagged *s, const char *path, trine_error *err)
{
    filling *f = user;
    trine_buffer text = { 0 };
    trine_encoding e = { 0 };
    for (int i = 0; i < s->n; i++) {
        if (i) trine_buffer_putc(&text, ' ');
        trine_buffer_puts(&text, s->words[i]);
    }
    trine_status status = text.failed ? trine_fail(err, TRINE_ERROR_MEMORY, "%s: no memory", path)
                                      : trine_reading_encode(&e, f->reading, text.data, NULL, f->reading->seq_len, err);
    if (status) trine_fail_in(err, status, "%s, line %d", path, s->line);
    if (!status) trine_batch_add_text(&f->out->all, e.ids, e.types, e.n, 0);
    size_t start = 0;
    int piece = 0;
    for (int i = 0; i < s->n && !status; i++) {
        const size_t end = start + strlen(s->words[i]);
        /* A piece may hold the space before its word, and begin there. */
        while (piece < e.n && (e.special[piece] || e.spans[piece].end <= start)) piece++;
        const int label = label_of(f->labels, s, i);
        if (label < 0)
            status = trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: the tag '%s' is of no kind that was learnt", path,
                                s->line + i, s->tags[i]);
        else if (piece < e.n && e.spans[piece].start < end)
            trine_batch_add_out(&f->out->all, piece, label, 1);
        start = end + 1;
    }
    trine_encoding_clear(&e);
    trine_buffer_clear(&text);
    if (!status && f->out->all.failed) status = trine_fail(err, TRINE_ERROR_MEMORY, "%s: no memory for its examples", path);
    return status;
}

trine_status trine_read_tagged(trine_stored *out, trine_reading *r, const trine_train_part *part, const trine_names *labels,
                               trine_error *err)
{
    filling f = { out, r, labels };
    return each_sentence(part, add_tagged, &f, err);
}
