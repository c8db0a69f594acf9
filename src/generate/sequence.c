/* sequence.c - texts that grow: tokens go in, keys and values stay in the cache, the logits of the last come out.
 *
 * A feed is computed in passes of at most batch_tokens. In all passes but the last, each sequence keeps one token or more
 * back, so that the last pass has the last token of every sequence and gives the logits of all. Each pass reserves room in the
 * caches, computes, and commits when it has succeeded; if any fails, every sequence goes back to where it was. */
#include "generate/sequence.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"

static trine_status new_sequence(trine_sequence **out, trine_session *s, trine_error *err)
{
    *out = NULL;
    if (!s || s->closed) return trine_fail(err, TRINE_ERROR_ARGUMENT, "sequence: %s", s ? "its session is closed" : "no session");
    if (!s->self)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "sequence: this %s reads texts whole, it has no past to go on from",
                          s->model->info.family);
    if (s->n_open >= s->options.n_sequences)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "sequence: %d are open, and the session was opened for %d (n_sequences)",
                          s->n_open, s->options.n_sequences);
    trine_sequence *q = calloc(1, sizeof *q);
    if (q) q->ids = malloc((size_t)s->options.ctx * sizeof *q->ids);
    if (!q || !q->ids) {
        free(q);
        return trine_fail(err, TRINE_ERROR_MEMORY, "sequence: no memory for the ids of %d tokens", s->options.ctx);
    }
    q->session = s;
    s->n_open++;
    *out = q;
    return TRINE_OK;
}

trine_status trine_sequence_open(trine_sequence **out, trine_session *s, trine_error *err)
{
    trine_sequence *q;
    *out = NULL;
    trine_status status = new_sequence(&q, s, err);
    if (status) return status;
    if ((status = trine_kv_open(&q->self, s->self, err))) goto fail;
    if (s->cross && (status = trine_kv_open(&q->cross, s->cross, err))) goto fail;
    *out = q;
    return TRINE_OK;
fail:
    trine_sequence_close(q);
    return status;
}

trine_status trine_sequence_fork(trine_sequence **out, const trine_sequence *parent, trine_error *err)
{
    trine_sequence *q;
    *out = NULL;
    if (!parent) return trine_fail(err, TRINE_ERROR_ARGUMENT, "sequence: no parent to fork");
    trine_status status = new_sequence(&q, parent->session, err);
    if (status) return status;
    if ((status = trine_kv_fork(&q->self, parent->self, err))) goto fail;
    if (parent->cross && (status = trine_kv_fork(&q->cross, parent->cross, err))) goto fail;
    memcpy(q->ids, parent->ids, (size_t)trine_kv_length(parent->self) * sizeof *q->ids);
    q->n_source = parent->n_source;
    q->logits = parent->logits;
    q->logits_pass = parent->logits_pass;
    *out = q;
    return TRINE_OK;
fail:
    trine_sequence_close(q);
    return status;
}

void trine_sequence_close(trine_sequence *q)
{
    if (!q) return;
    trine_kv_close(q->self);
    trine_kv_close(q->cross);
    trine_session_drop_sequence(q->session);
    free(q->ids);
    free(q);
}

static trine_status check_source(const trine_sequence *q, const int32_t *ids, int n, trine_error *err)
{
    const trine_session *s = q->session;
    if (s->closed) return trine_fail(err, TRINE_ERROR_ARGUMENT, "source: the session is closed");
    if (!q->cross)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "source: %s has no encoder, feed the text instead", s->model->info.family);
    if (n < 1 || !ids) return trine_fail(err, TRINE_ERROR_EMPTY, "source: no tokens to read");
    if (n > s->options.source_ctx)
        return trine_fail(err, TRINE_ERROR_TOO_LONG, "source: %d tokens, and the session was opened for %d (source_ctx)", n,
                          s->options.source_ctx);
    return trine_check_ids(s->model, ids, n, "source", err);
}

trine_status trine_sequences_source(trine_sequence *const *seqs, const int32_t *const *ids, const int *n, int n_sequences,
                                    trine_error *err)
{
    trine_session *s = seqs[0]->session;
    trine_batch batch = {
        .n_segments = n_sequences, .segments = s->segments, .ids = s->ids, .mask = s->options.mask, .window = s->options.window
    };
    trine_status status = TRINE_OK;
    for (int i = 0; i < n_sequences && !status; i++) status = check_source(seqs[i], ids[i], n[i], err);
    if (status) return status;
    for (int i = 0; i < n_sequences; i++) {
        trine_sequence *q = seqs[i];
        if (n[i] > s->rows_cap - batch.n_rows)
            return trine_fail(err, TRINE_ERROR_TOO_LONG, "source: %d sources have more tokens than one pass takes, %d", n_sequences,
                              s->rows_cap);
        s->segments[i] =
            (trine_segment) { .first_row = batch.n_rows, .n_rows = n[i], .prefix = s->options.prefix, .cross = q->cross };
        memcpy(s->ids + batch.n_rows, ids[i], (size_t)n[i] * sizeof *s->ids);
        batch.n_rows += n[i];
        /* The old source goes first: there may be no room for both. */
        q->n_source = 0;
        q->logits = NULL;
        trine_kv_truncate(q->self, 0);
        trine_kv_truncate(q->cross, 0);
    }
    for (int i = 0; i < n_sequences && !status; i++) status = trine_kv_reserve(seqs[i]->cross, n[i], err);
    if (!status) status = trine_session_run(NULL, s, &batch, TRINE_PASS_SOURCE, err);
    for (int i = 0; i < n_sequences; i++) {
        if (status) {
            trine_kv_truncate(seqs[i]->cross, 0);
        } else {
            trine_kv_commit(seqs[i]->cross, n[i]);
            seqs[i]->n_source = n[i];
        }
    }
    return status;
}

trine_status trine_sequence_source(trine_sequence *q, const int32_t *ids, int n, trine_error *err)
{
    return trine_sequences_source(&q, &ids, &n, 1, err);
}

/* What a sequence must be to take n tokens. */
static trine_status check_feed(const trine_sequence *q, const int32_t *ids, int n, trine_error *err)
{
    const trine_session *s = q->session;
    const int length = trine_kv_length(q->self), ctx = s->options.ctx;
    if (s->closed) return trine_fail(err, TRINE_ERROR_ARGUMENT, "feed: the session is closed");
    if (n < 1 || !ids) return trine_fail(err, TRINE_ERROR_EMPTY, "feed: no tokens");
    if (n > ctx - length)
        return trine_fail(err, TRINE_ERROR_TOO_LONG, "feed: %d tokens after %d, and the context holds %d", n, length, ctx);
    if (q->cross && !q->n_source)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "feed: %s reads a source first (trine_sequence_source)",
                          s->model->info.family);
    const bool whole =
        s->options.mask == TRINE_MASK_BIDIRECTIONAL || (s->options.mask == TRINE_MASK_PREFIX && length < s->options.prefix);
    if (whole && trine_min_int(n, s->options.mask == TRINE_MASK_PREFIX ? s->options.prefix - length : n) > s->options.batch_tokens)
        return trine_fail(err, TRINE_ERROR_TOO_LONG,
                          "feed: %d tokens that see each other need one pass, which takes %d (batch_tokens)", n,
                          s->options.batch_tokens);
    return trine_check_ids(s->model, ids, n, "feed", err);
}

/* One pass: the next `share` of each sequence's tokens, from ids[i][taken]. With `every`, logits of all rows, else of the last of
 * each sequence when `last`, else none. */
static trine_status feed_pass(trine_mat *logits, trine_sequence *const *seqs, const int32_t *const *ids, int n_sequences, int room,
                              bool last, bool every, trine_error *err)
{
    trine_session *s = seqs[0]->session;
    trine_batch batch = { .segments = s->segments,
                          .ids = s->ids,
                          .out_rows = every ? NULL : s->out_rows,
                          .mask = s->options.mask,
                          .window = s->options.window };
    trine_status status;
    for (int i = 0; i < n_sequences; i++) {
        trine_sequence *q = seqs[i];
        const int left = q->planned - q->taken, share = last ? left : trine_min_int(left - 1, room - batch.n_rows);
        if (share < 1) continue;
        if ((status = trine_kv_reserve(q->self, share, err))) return status;
        s->segments[batch.n_segments++] = (trine_segment) { .first_row = batch.n_rows,
                                                            .n_rows = share,
                                                            .pos = trine_kv_length(q->self),
                                                            .prefix = s->options.prefix,
                                                            .self = q->self,
                                                            .cross = q->cross };
        memcpy(s->ids + batch.n_rows, ids[i] + q->taken, (size_t)share * sizeof *s->ids);
        batch.n_rows += share;
        if (last && !every) s->out_rows[batch.n_out++] = batch.n_rows - 1;
    }
    if (every) batch.n_out = batch.n_rows;
    if ((status = trine_session_run(logits, s, &batch, TRINE_PASS_HEAD, err))) return status;
    for (int i = 0, segment = 0; i < n_sequences; i++) {
        trine_sequence *q = seqs[i];
        if (segment == batch.n_segments || s->segments[segment].self != q->self) continue;
        const int share = s->segments[segment++].n_rows;
        memcpy(q->ids + trine_kv_length(q->self), ids[i] + q->taken, (size_t)share * sizeof *q->ids);
        trine_kv_commit(q->self, share);
        q->taken += share;
    }
    return TRINE_OK;
}

static trine_status feed(trine_mat *logits, trine_sequence *const *seqs, const int32_t *const *ids, const int *n, int n_sequences,
                         bool every, trine_error *err)
{
    trine_session *s = seqs[0]->session;
    const int most = s->options.batch_tokens;
    trine_status status = TRINE_OK;
    size_t left = 0; /* tokens; their sum may be more than an int holds */
    for (int i = 0; i < n_sequences; i++) {
        seqs[i]->planned = n[i];
        seqs[i]->taken = 0;
        left += (size_t)n[i];
    }
    /* Tokens that see each other must share a pass: one sequence was checked for that, several would have to share the room. */
    const bool each_other = s->options.mask == TRINE_MASK_BIDIRECTIONAL || s->options.mask == TRINE_MASK_PREFIX;
    if (each_other && n_sequences > 1 && left > (size_t)most)
        return trine_fail(err, TRINE_ERROR_TOO_LONG,
                          "feed: %zu tokens of sequences under this mask need one pass, which takes %d (batch_tokens)", left, most);
    while (!status && left > (size_t)most) {
        const size_t before = left;
        status = feed_pass(NULL, seqs, ids, n_sequences, most, false, false, err);
        left = 0;
        for (int i = 0; i < n_sequences; i++) left += (size_t)(seqs[i]->planned - seqs[i]->taken);
        if (!status && left == before)
            status =
                trine_fail(err, TRINE_ERROR_INTERNAL, "feed: %d tokens a pass do not suffice for %d sequences", most, n_sequences);
    }
    if (!status) status = feed_pass(logits, seqs, ids, n_sequences, most, true, every, err);
    for (int i = 0; status && i < n_sequences; i++)
        trine_kv_truncate(seqs[i]->self, trine_kv_length(seqs[i]->self) - seqs[i]->taken);
    return status;
}

trine_status trine_sequences_feed(trine_sequence *const *seqs, const int32_t *const *ids, const int *n, int n_sequences,
                                  trine_error *err)
{
    if (n_sequences < 1 || !seqs || !ids || !n)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "feed: %d sequences, expected 1 or more, with their ids and lengths",
                          n_sequences);
    trine_session *s = seqs[0] ? seqs[0]->session : NULL;
    for (int i = 0; i < n_sequences; i++) {
        if (!seqs[i]) return trine_fail(err, TRINE_ERROR_ARGUMENT, "feed: sequence %d is NULL", i);
        if (seqs[i]->session != s) return trine_fail(err, TRINE_ERROR_ARGUMENT, "feed: sequence %d is of another session", i);
        for (int j = 0; j < i; j++)
            if (seqs[j] == seqs[i]) return trine_fail(err, TRINE_ERROR_ARGUMENT, "feed: sequences %d and %d are the same", j, i);
        const trine_status status = check_feed(seqs[i], ids[i], n[i], err);
        if (status) return status;
    }
    trine_mat logits;
    const trine_status status = feed(&logits, seqs, ids, n, n_sequences, false, err);
    if (status) return status;
    for (int i = 0; i < n_sequences; i++) {
        seqs[i]->logits = logits.data + (size_t)i * (size_t)logits.cols;
        seqs[i]->logits_pass = s->n_passes;
    }
    return TRINE_OK;
}

trine_status trine_sequence_feed(trine_sequence *q, const int32_t *ids, int n, trine_error *err)
{
    return trine_sequences_feed(&q, &ids, &n, 1, err);
}

trine_status trine_sequence_feed_logits(trine_mat *out, trine_sequence *q, const int32_t *ids, int n, trine_error *err)
{
    const trine_session_options *o = &q->session->options;
    *out = (trine_mat) { 0 };
    trine_status status = check_feed(q, ids, n, err);
    if (status) return status;
    if (n > o->batch_tokens || n > o->logit_rows)
        return trine_fail(err, TRINE_ERROR_TOO_LONG,
                          "feed: logits of %d tokens are asked, and the session was opened for %d (batch_tokens %d, logit_rows %d)",
                          n, trine_min_int(o->batch_tokens, o->logit_rows), o->batch_tokens, o->logit_rows);
    if ((status = feed(out, &q, &ids, &n, 1, true, err))) return status;
    q->logits = out->data + (size_t)(n - 1) * (size_t)out->cols;
    q->logits_pass = q->session->n_passes;
    return TRINE_OK;
}

const float *trine_sequence_logits(const trine_sequence *q)
{
    return q->logits && q->logits_pass == q->session->n_passes && q->session->model->info.head == TRINE_HEAD_LM ? q->logits : NULL;
}

int trine_sequence_length(const trine_sequence *q) { return trine_kv_length(q->self); }
const int32_t *trine_sequence_ids(const trine_sequence *q) { return q->ids; }

trine_status trine_sequence_truncate(trine_sequence *q, int n, trine_error *err)
{
    const int length = trine_kv_length(q->self);
    if (n < 0 || n > length) return trine_fail(err, TRINE_ERROR_ARGUMENT, "truncate: to %d tokens of a sequence of %d", n, length);
    if (n < length) q->logits = NULL;
    trine_kv_truncate(q->self, n);
    return TRINE_OK;
}
