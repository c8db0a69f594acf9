/* train_words.c - the words of texts and how often each stands there: the texts go through the normalizers and pre-tokenizers of the
 * tokenizer to be, file after file, the parts of a file on all threads. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "tokenizer/train.h"

enum {
    GROUP_BYTES = 64 << 20, /* packed bytes of files that are in memory at a time */
    PIECE_BYTES = 1 << 16,  /* text of one piece of work, about */
};

trine_status trine_train_step(const trine_train_progress *p, double done, trine_error *err)
{
    if (!p || !p->call) return TRINE_OK;
    const int all = 1000, now = (int)((p->from + (p->to - p->from) * done) * all);
    return p->call(p->user, now, all) ? TRINE_OK : trine_fail(err, TRINE_ERROR_CANCELLED, "tokenizer: stopped");
}

/* What one thread has. */
typedef struct counter {
    trine_string_table table;
    trine_encode_room *room;
    int64_t n_words, n_added;
    trine_status status;
    trine_error error;
} counter;

/* Some of a group's texts. */
typedef struct piece {
    int file, begin, end;
} piece;

typedef struct work {
    const trine_tokenizer *tokenizer;
    const trine_text_source *source;
    trine_texts_read *files; /* of the group */
    int first;               /* the source's number of the group's first file */
    trine_status *statuses;  /* of reading each */
    trine_error *errors;
    piece *pieces;
    counter *counters;
} work;

static void read_one(void *job, int i, int thread)
{
    (void)thread;
    work *w = job;
    w->statuses[i] = trine_texts_read_file(&w->files[i], w->source, w->first + i, &w->errors[i]);
}

static void count_piece(void *job, int i, int thread)
{
    work *w = job;
    counter *c = &w->counters[thread];
    const piece p = w->pieces[i];
    const trine_texts_read *texts = &w->files[p.file];
    for (int k = p.begin; k < p.end && !c->status; k++) {
        const trine_parts *parts;
        trine_aligned view;
        const trine_span s = texts->items[k];
        c->status =
            trine_tokenizer_split(&parts, &view, w->tokenizer, c->room, texts->data + s.start, s.end - s.start, false, &c->error);
        for (size_t j = 0; !c->status && j < parts->n; j++) {
            const trine_part *part = &parts->items[j];
            if (part->id >= 0) {
                c->n_added++;
                continue;
            }
            const int32_t at = trine_table_put(&c->table, parts->text->text + part->begin, part->end - part->begin);
            if (at < 0) {
                c->status = trine_fail(&c->error, TRINE_ERROR_MEMORY, "tokenizer: no memory for %d words", c->table.n);
                break;
            }
            c->table.items[at].count++;
            c->n_words++;
        }
    }
}

/* The texts of the group in pieces of about one size. */
static trine_status make_pieces(piece **out, int *n_pieces, const work *w, int n_files, int64_t *n_bytes, trine_error *err)
{
    int n = 0, cap = 0;
    piece *pieces = NULL;
    for (int file = 0; file < n_files; file++) {
        const trine_texts_read *texts = &w->files[file];
        for (int begin = 0, end; begin < texts->n; begin = end) {
            size_t size = 0;
            for (end = begin; end < texts->n && size < PIECE_BYTES; end++) size += texts->items[end].end - texts->items[end].start;
            *n_bytes += (int64_t)size;
            if (n == cap) {
                cap = cap ? 2 * cap : 256;
                piece *more = realloc(pieces, (size_t)cap * sizeof *more);
                if (!more) {
                    free(pieces);
                    return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory for %d pieces of work", cap);
                }
                pieces = more;
            }
            pieces[n++] = (piece) { file, begin, end };
        }
    }
    *out = pieces;
    *n_pieces = n;
    return TRINE_OK;
}

/* Reads files [first, first + n) and counts their words. */
static trine_status count_group(work *w, int n, trine_team *team, int n_threads, int64_t *n_bytes, trine_error *err)
{
    int n_pieces = 0;
    trine_team_run(team, n, read_one, w);
    trine_status status = TRINE_OK;
    for (int i = 0; i < n && !status; i++)
        if (w->statuses[i]) status = trine_fail(err, w->statuses[i], "%s", w->errors[i].text);
    if (!status) status = make_pieces(&w->pieces, &n_pieces, w, n, n_bytes, err);
    if (!status) trine_team_run(team, n_pieces, count_piece, w);
    for (int i = 0; i < n_threads && !status; i++)
        if (w->counters[i].status) status = trine_fail(err, w->counters[i].status, "%s", w->counters[i].error.text);
    free(w->pieces);
    w->pieces = NULL;
    for (int i = 0; i < n; i++) trine_texts_read_clear(&w->files[i]);
    return status;
}

static int by_count(const void *a, const void *b)
{
    const trine_counted *x = a, *y = b;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    const int order = memcmp(x->text, y->text, x->n < y->n ? x->n : y->n);
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* All threads' words in one table, in an order that says nothing of threads. */
static trine_status join(trine_word_counts *out, counter *counters, int n_threads, trine_error *err)
{
    out->table = counters[0].table;
    counters[0].table = (trine_string_table) { 0 };
    for (int i = 0; i < n_threads; i++) {
        const trine_string_table *from = &counters[i].table;
        out->n_words += counters[i].n_words;
        out->n_added += counters[i].n_added;
        for (int k = 0; k < from->n; k++) {
            const int32_t at = trine_table_put(&out->table, from->items[k].text, from->items[k].n);
            if (at < 0) return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory for %d words", out->table.n);
            out->table.items[at].count += from->items[k].count;
        }
        trine_table_clear(&counters[i].table);
    }
    free(out->table.slots); /* the order is another one now: they are found no more */
    out->table.slots = NULL;
    if (out->table.n) qsort(out->table.items, (size_t)out->table.n, sizeof *out->table.items, by_count);
    return TRINE_OK;
}

trine_status trine_word_counts_make(trine_word_counts *out, const trine_tokenizer *t, const trine_text_source *source,
                                    trine_team *team, int n_threads, const trine_train_progress *progress, trine_error *err)
{
    *out = (trine_word_counts) { 0 };
    uint64_t all = 0, done = 0;
    for (int i = 0; i < source->n; i++) all += source->bytes[i];
    const size_t n_files = (size_t)source->n;
    work w = { .tokenizer = t, .source = source };
    w.files = calloc(n_files, sizeof *w.files);
    w.statuses = calloc(n_files, sizeof *w.statuses);
    w.errors = calloc(n_files, sizeof *w.errors);
    w.counters = calloc((size_t)n_threads, sizeof *w.counters);
    bool fine = w.files && w.statuses && w.errors && w.counters;
    for (int i = 0; i < n_threads && fine; i++) fine = (w.counters[i].room = calloc(1, sizeof *w.counters[i].room)) != NULL;
    trine_status status = fine ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory to count words");
    for (int n; w.first < source->n && !status; w.first += n) {
        uint64_t group = 0;
        for (n = 0; w.first + n < source->n && n < 4 * n_threads && (!n || group + source->bytes[w.first + n] <= GROUP_BYTES); n++)
            group += source->bytes[w.first + n];
        status = count_group(&w, n, team, n_threads, &out->n_bytes, err);
        done += group;
        if (!status) status = trine_train_step(progress, all ? (double)done / (double)all : 1, err);
    }
    if (!status) status = join(out, w.counters, n_threads, err);
    for (int i = 0; i < n_threads && w.counters; i++) {
        trine_encode_room_free(w.counters[i].room);
        trine_table_clear(&w.counters[i].table);
    }
    free(w.files);
    free(w.statuses);
    free(w.errors);
    free(w.counters);
    if (status) trine_word_counts_clear(out);
    return status;
}

void trine_word_counts_clear(trine_word_counts *words)
{
    trine_table_clear(&words->table);
    *words = (trine_word_counts) { 0 };
}

trine_status trine_word_counts_measure(int64_t *n_tokens, const trine_word_counts *words, const trine_tokenizer *t,
                                       trine_error *err)
{
    trine_encode_room *room = calloc(1, sizeof *room);
    trine_status status = room ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory");
    *n_tokens = words->n_added;
    for (int i = 0; i < words->table.n && !status; i++) {
        const trine_counted *word = &words->table.items[i];
        trine_tokens *tokens = &room->tokens[0];
        tokens->n = 0;
        status = trine_tokenizer_word(tokens, t, room, word->text, word->n, err);
        *n_tokens += word->count * tokens->n;
    }
    trine_encode_room_free(room);
    return status;
}

/* -- the alphabet */

trine_status trine_train_alphabet(trine_string_table *out, const trine_word_counts *words, double coverage, trine_error *err)
{
    *out = (trine_string_table) { 0 };
    int64_t all = 0, covered = 0;
    for (int i = 0; i < words->table.n; i++) {
        const trine_counted *word = &words->table.items[i];
        for (size_t k = 0, n; k < word->n; k += n) {
            n = trine_utf8_length((unsigned char)word->text[k]);
            const int32_t at = trine_table_put(out, word->text + k, n);
            if (at < 0) {
                trine_table_clear(out);
                return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory for the alphabet");
            }
            out->items[at].count += word->count;
            all += word->count;
        }
    }
    free(out->slots);
    out->slots = NULL;
    if (out->n) qsort(out->items, (size_t)out->n, sizeof *out->items, by_count);
    int kept = 0;
    for (; kept < out->n && (double)covered < coverage * (double)all; kept++) covered += out->items[kept].count;
    out->n = kept;
    return TRINE_OK;
}
