/* read_pairs.c - a source and a target in each row, and pairs of texts that belong together. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "tasks/data.h"
#include "train/reading.h"

/* Every row of the files. */
static trine_status each_row(const trine_train_part *part, const trine_column columns[2], trine_pair_row_fn *each, void *user,
                             trine_error *err)
{
    trine_names files;
    trine_status status = trine_files_list(&files, part->paths, part->n_paths, err);
    for (int i = 0; i < files.n && !status; i++) {
        trine_rows *rows;
        if ((status = trine_rows_open(&rows, files.items[i], columns, 2, true, err))) break;
        int64_t n = 0;
        for (bool more = true; !status; n++) {
            status = trine_rows_next(&more, rows, err);
            if (status || !more) break;
            const trine_field *source = trine_rows_field(rows, 0), *target = trine_rows_field(rows, 1);
            if (!*source->items[0] || !*target->items[0])
                status = trine_fail(err, TRINE_ERROR_FORMAT, "the %s is empty", columns[*source->items[0] != 0].what);
            if (!status) status = each(user, source->items[0], target->items, target->n, err);
            if (status) trine_fail_in(err, status, "%s, line %d", files.items[i], trine_rows_line(rows));
        }
        if (!status && !n) status = trine_fail(err, TRINE_ERROR_FORMAT, "%s: there are no examples", files.items[i]);
        trine_rows_close(rows);
    }
    trine_names_clear(&files);
    return status;
}

/* Examples while they are read; several texts of the second column (references) are each an example. */
typedef struct filling {
    trine_stored *out;
    trine_reading *r;
    const trine_train_part *part;
} filling;

/* ------------------------------------------------------------------------------------------------- source and target */

/* The first tokens, and the last, which parts the source from what follows. */
static void cut_source(trine_encoding *e, int most, trine_reading *r)
{
    if (e->n <= most || most < 2) return;
    e->ids[most - 1] = e->ids[e->n - 1];
    r->n_cut += !e->n_cut;
    e->n_cut += e->n - most;
    e->n = most;
}

trine_status trine_reading_source(trine_encoding *out, trine_reading *r, const trine_train_part *part, const char *source,
                                  trine_error *err)
{
    trine_buffer text = { 0 };
    if (part->prefix) trine_buffer_puts(&text, part->prefix);
    trine_buffer_puts(&text, source);
    const bool decoder = r->info->paradigm == TRINE_DECODER;
    if (decoder) trine_buffer_putc(&text, '\n');
    const trine_status status = text.failed ? trine_fail(err, TRINE_ERROR_MEMORY, "no memory")
                                            : trine_reading_encode(out, r, text.data, NULL, decoder ? 0 : r->seq_len, err);
    if (!status && decoder) cut_source(out, r->seq_len, r);
    trine_buffer_clear(&text);
    return status;
}

static trine_status add_to_decoder(trine_stored *out, trine_reading *r, trine_encoding *source, trine_encoding *target,
                                   trine_error *err)
{
    /* One text: the source, the target, its end; the target's rows are those before its tokens. A model that has not so many positions
     * sees what fits of the target, then of the source. */
    const int32_t eos = r->info->eos;
    const int most = r->info->max_tokens, end = eos >= 0;
    if (!source->n || !target->n) return trine_fail(err, TRINE_ERROR_FORMAT, "the text has no tokens");
    if (most && source->n + target->n + end - 1 > most) {
        if (target->n > most - 1 - end) target->n = most - 1 - end;
        cut_source(source, most + 1 - end - target->n, r);
    }
    const int n = source->n + target->n + end;
    trine_batch_add_text(&out->all, source->ids, NULL, source->n, 0);
    for (int i = 0; i < n - source->n - 1; i++) trine_batch_add_row(&out->all, target->ids[i]);
    for (int i = 0; i < n - source->n; i++)
        trine_batch_add_out(&out->all, source->n - 1 + i, i < target->n ? target->ids[i] : eos, 1);
    return TRINE_OK;
}

static trine_status add_to_encoder(trine_stored *out, trine_reading *r, const trine_encoding *source, const trine_encoding *target,
                                   trine_error *err)
{
    const int32_t eos = r->info->eos;
    const bool ended = eos < 0 || (target->n && target->ids[target->n - 1] == eos);
    int32_t *ids = malloc(((size_t)target->n + 1) * sizeof *ids);
    if (!ids) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory");
    memcpy(ids, target->ids, (size_t)target->n * sizeof *ids);
    if (!ended) ids[target->n] = eos;
    trine_batch_add_text(&out->all, source->ids, NULL, source->n, 0);
    trine_batch_add_target(&out->all, trine_start_token(r->info), ids, target->n + !ended);
    free(ids);
    return TRINE_OK;
}

static trine_status add_pair(const filling *f, const char *source, const char *target, trine_error *err)
{
    trine_reading *r = f->r;
    const bool decoder = r->info->paradigm == TRINE_DECODER;
    trine_encoding s = { 0 }, t = { 0 };
    trine_status status = trine_reading_source(&s, r, f->part, source, err);
    if (!status) {
        const trine_encode_options o = { .max_tokens = r->target_len, .no_special = decoder };
        status = trine_tokenizer_encode(&t, r->tokenizer, target, 0, &o, err);
        r->n_targets += !status;
        r->n_cut_targets += !status && t.n_cut > 0;
    }
    if (!status) status = decoder ? add_to_decoder(f->out, r, &s, &t, err) : add_to_encoder(f->out, r, &s, &t, err);
    trine_encoding_clear(&s);
    trine_encoding_clear(&t);
    return !status && f->out->all.failed ? trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the examples") : status;
}

static trine_status add_pairs(void *user, const char *source, const char *const *targets, int n_targets, trine_error *err)
{
    trine_status status = TRINE_OK;
    for (int k = 0; k < n_targets && !status; k++) status = add_pair(user, source, targets[k], err);
    return status;
}

trine_status trine_read_pairs(trine_stored *out, trine_reading *r, const trine_train_part *part, trine_error *err)
{
    filling f = { out, r, part };
    return trine_each_pair(part, add_pairs, &f, err);
}

trine_status trine_each_pair(const trine_train_part *part, trine_pair_row_fn *each, void *user, trine_error *err)
{
    static const char *const sources[] = { "source", "src", "document", "dialogue", "article", "input", "en", NULL };
    static const char *const targets[] = { "target", "tgt", "summary", "highlights", "output", "de", "fr", NULL };
    const trine_column columns[2] = { { "source", "--source", part->source_column, sources, false },
                                      { "target", "--target", part->target_column, targets, false } };
    return each_row(part, columns, each, user, err);
}

/* ------------------------------------------------------------------------------------------------------------ matches */

static trine_status add_matches(void *user, const char *source, const char *const *targets, int n_targets, trine_error *err)
{
    const filling *f = user;
    trine_status status = TRINE_OK;
    for (int i = 0; i < 2 * n_targets && !status; i++) {
        trine_encoding e;
        if ((status = trine_reading_encode(&e, f->r, i % 2 ? targets[i / 2] : source, NULL, f->r->seq_len, err))) break;
        trine_batch_add_text(&f->out->all, e.ids, e.types, e.n, 0);
        if (i % 2) trine_batch_add_out(&f->out->all, 0, 0, 1); /* a pair counts once */
        trine_encoding_clear(&e);
    }
    return !status && f->out->all.failed ? trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the examples") : status;
}

trine_status trine_read_matches(trine_stored *out, trine_reading *r, const trine_train_part *part, trine_error *err)
{
    static const char *const sources[] = { "anchor", "query", "sentence1", "text1", "question", "source", NULL };
    static const char *const targets[] = { "positive", "sentence2", "text2", "answer", "passage", "target", NULL };
    const trine_column columns[2] = { { "first text", "--source", part->source_column, sources, false },
                                      { "second text", "--target", part->target_column, targets, false } };
    out->pairs = true;
    filling f = { out, r, part };
    return each_row(part, columns, add_matches, &f, err);
}
