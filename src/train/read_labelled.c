/* read_labelled.c - labelled texts and pairs; what the readers share. */
#include <stdlib.h>
#include <string.h>

#include "base/numbers.h"
#include "base/status.h"
#include "tasks/data.h"
#include "train/reading.h"

int trine_reading_find(const trine_names *names, const char *name)
{
    for (int i = 0; i < names->n; i++)
        if (!strcmp(names->items[i], name)) return i;
    return -1;
}

/* Numbers by their value, before texts, which go by their bytes. */
static int compare_names(const char *a, const char *b)
{
    char *end_a, *end_b;
    const double x = trine_to_double(a, &end_a), y = trine_to_double(b, &end_b);
    const bool number_a = *a && !*end_a, number_b = *b && !*end_b;
    if (number_a != number_b) return number_a ? -1 : 1;
    if (number_a && x != y) return x < y ? -1 : 1;
    return strcmp(a, b);
}

trine_status trine_reading_add_name(trine_names *names, const char *name, trine_error *err)
{
    if (trine_reading_find(names, name) >= 0) return TRINE_OK;
    char **items = realloc(names->items, ((size_t)names->n + 1) * sizeof *items);
    if (items) names->items = items;
    char *copy = items ? strdup(name) : NULL;
    if (!copy) return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory for the labels");
    int at = names->n++;
    for (; at > 0 && compare_names(items[at - 1], copy) > 0; at--) items[at] = items[at - 1];
    items[at] = copy;
    return TRINE_OK;
}

trine_status trine_reading_encode(trine_encoding *out, trine_reading *r, const char *text, const char *pair, int most,
                                  trine_error *err)
{
    const trine_encode_options o = { .pair = pair, .max_tokens = most };
    const trine_status status = trine_tokenizer_encode(out, r->tokenizer, text, 0, &o, err);
    if (status) return status;
    r->n_read++;
    r->n_cut += out->n_cut > 0;
    return TRINE_OK;
}

/* ------------------------------------------------------------------------------------------------------------- labels */

enum { LABEL, TEXT, PAIR, N_COLUMNS };

static void columns_of(trine_column columns[N_COLUMNS], const trine_train_part *part)
{
    static const char *const label_names[] = { "label", NULL };
    static const char *const text_names[] = { "text", "sentence", "content", "sentence1", "premise", "question1", "text1", NULL };
    static const char *const pair_names[] = { "text2", "sentence2", "hypothesis", "question2", NULL };
    columns[LABEL] = (trine_column) { "label", "--label", part->target_column, label_names, false };
    columns[TEXT] = (trine_column) { "text", "--text", part->text_column, text_names, false };
    columns[PAIR] = (trine_column) { "second text", "--pair-column", part->source_column, pair_names, !part->source_column };
}

typedef trine_status row_fn(void *user, const trine_rows *rows, const char *path, trine_error *err);

static trine_status each_row(const trine_train_part *part, row_fn *each, void *user, trine_error *err)
{
    trine_names files;
    trine_column columns[N_COLUMNS];
    columns_of(columns, part);
    trine_status status = trine_files_list(&files, part->paths, part->n_paths, err);
    for (int i = 0; i < files.n && !status; i++) {
        trine_rows *rows;
        if ((status = trine_rows_open(&rows, files.items[i], columns, N_COLUMNS, false, err))) break;
        int64_t n = 0;
        for (bool more = true; !status; n++) {
            status = trine_rows_next(&more, rows, err);
            if (status || !more) break;
            status = each(user, rows, files.items[i], err);
        }
        if (!status && !n) status = trine_fail(err, TRINE_ERROR_FORMAT, "%s: there is no row under the header", files.items[i]);
        trine_rows_close(rows);
    }
    trine_names_clear(&files);
    return status;
}

static trine_status add_label(void *user, const trine_rows *rows, const char *path, trine_error *err)
{
    const char *label = trine_rows_field(rows, LABEL)->items[0];
    if (!*label) return trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: the label is missing", path, trine_rows_line(rows));
    trine_names *names = user;
    const trine_status status = trine_reading_add_name(names, label, err);
    if (!status && names->n > 10000)
        return trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: more than 10000 labels: is this the right column?", path,
                          trine_rows_line(rows));
    return status;
}

trine_status trine_read_label_names(trine_names *out, const trine_train_part *part, trine_error *err)
{
    *out = (trine_names) { 0 };
    trine_status status = each_row(part, add_label, out, err);
    if (!status && out->n < 2)
        status = trine_fail(err, TRINE_ERROR_FORMAT, "%s: all examples have one label, '%s': there is nothing to tell apart",
                            part->paths[0], out->items[0]);
    if (status) trine_names_clear(out);
    return status;
}

typedef struct filling {
    trine_stored *out;
    trine_reading *reading;
    const trine_names *labels;
} filling;

static trine_status unknown_label(const char *path, int line, const char *given, const trine_names *labels, trine_error *err)
{
    char names[200];
    size_t at = 0;
    names[0] = 0;
    for (int i = 0; i < labels->n && at + 48 < sizeof names; i++) {
        const size_t n = strnlen(labels->items[i], 40);
        if (i) memcpy(names + at, ", ", 2), at += 2;
        memcpy(names + at, labels->items[i], n);
        at += n;
        names[at] = 0;
    }
    return *given ? trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: the label '%.60s' is none of those learnt: %s", path, line,
                               given, names)
                  : trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: the label is missing", path, line);
}

static trine_status add_labelled(void *user, const trine_rows *rows, const char *path, trine_error *err)
{
    filling *f = user;
    const char *label = trine_rows_field(rows, LABEL)->items[0], *text = trine_rows_field(rows, TEXT)->items[0];
    const trine_field *pair = trine_rows_field(rows, PAIR);
    const int index = trine_reading_find(f->labels, label);
    if (index < 0) return unknown_label(path, trine_rows_line(rows), label, f->labels, err);
    trine_encoding e;
    const trine_status status =
        trine_reading_encode(&e, f->reading, text, pair->n ? pair->items[0] : NULL, f->reading->seq_len, err);
    if (status) return trine_fail_in(err, status, "%s, line %d", path, trine_rows_line(rows));
    const trine_model_info *info = f->reading->info;
    trine_batch_add_text(&f->out->all, e.ids, e.types, e.n, 0);
    /* The decoder reads the text once more, and gives the label at its end. */
    if (info->paradigm == TRINE_ENCODER_DECODER) trine_batch_add_shifted(&f->out->all, trine_start_token(info), e.ids, e.n);
    trine_batch_add_out(&f->out->all, 0, index, 1);
    trine_encoding_clear(&e);
    return f->out->all.failed ? trine_fail(err, TRINE_ERROR_MEMORY, "%s: no memory for its examples", path) : TRINE_OK;
}

trine_status trine_read_labelled(trine_stored *out, trine_reading *r, const trine_train_part *part, const trine_names *labels,
                                 trine_error *err)
{
    out->base.label_a_text = out->all.label_a_text = true;
    filling f = { out, r, labels };
    return each_row(part, add_labelled, &f, err);
}
