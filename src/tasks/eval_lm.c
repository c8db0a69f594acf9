/* eval_lm.c - perplexity: exp of the mean of -ln p(token | the tokens before it).
 *
 * A text is tokenised whole; what spells a special token in it is only text. Where the file holds several (`split`), each stands for
 * itself, and where it ends, the end token, is scored with it. A window is `window` tokens of a text;
 * the next one begins `stride` tokens later and scores what no window scored before, so that with a small stride every token
 * has at least window - stride tokens before it. Where the tokenizer puts a beginning token before a text, every window's first
 * token is replaced by it, as llama.cpp does. A window's first token is not scored: nothing stands before it. stride -1 is
 * llama.cpp's own measure: windows do not overlap, only the second half of each is scored, and a window that is not full is
 * left out. Bits a byte: the mean loss, times the tokens and over the bytes of all texts, so that tokenizers can be compared. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/size.h"
#include "base/status.h"
#include "tasks/documents.h"
#include "tasks/eval.h"

typedef struct measure {
    trine_session *s;
    trine_beside *beside; /* or NULL */
    double loss;
    int64_t n;
} measure;

/* A sequence of the session that holds ids[0 .. n). */
static trine_status begin(trine_sequence **out, trine_session *s, const int32_t *ids, int n, trine_error *err)
{
    trine_status status = trine_sequence_open(out, s, err);
    if (!status && n > 0) status = trine_sequence_feed(*out, ids, n, err);
    return status;
}

static int rows_of(const trine_session *s) { return trine_min_int(s->options.batch_tokens, s->options.logit_rows); }

/* Scores ids[from .. n) of one window. */
static trine_status score_window(measure *m, const int32_t *ids, int n, int from, trine_error *err)
{
    trine_beside *b = m->beside;
    const int vocab = m->s->model->info.vocab, most = b ? trine_min_int(rows_of(m->s), rows_of(b->s)) : rows_of(m->s);
    trine_sequence *sequence, *second = NULL;
    trine_status status = begin(&sequence, m->s, ids, from - 1, err);
    if (!status && b) status = begin(&second, b->s, ids, from - 1, err);
    for (int at = from - 1, rows; at < n - 1 && !status; at += rows) {
        trine_mat logits, other = { 0 };
        rows = trine_min_int(most, n - 1 - at);
        status = trine_sequence_feed_logits(&logits, sequence, ids + at, rows, err);
        if (!status && b) status = trine_sequence_feed_logits(&other, second, ids + at, rows, err);
        for (int i = 0; i < rows && !status; i++) {
            const size_t row = (size_t)i * (size_t)vocab;
            double loss;
            status = trine_eval_loss(&loss, m->s, logits.data + row, vocab, ids[at + i + 1], err);
            if (!status && b) status = trine_beside_add(b, logits.data + row, other.data + row, vocab, ids[at + i + 1], err);
            m->loss += loss;
            m->n++;
        }
    }
    trine_sequence_close(sequence);
    trine_sequence_close(second);
    return status;
}

static trine_status check(int *window, const trine_session *s, const trine_eval_options *o, trine_error *err)
{
    if (s->model->info.paradigm != TRINE_DECODER || s->model->info.head != TRINE_HEAD_LM)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "eval: perplexity is a decoder's: this model (%s) gives no probability to a next token%s",
                          s->model->info.family, s->model->info.head == TRINE_HEAD_MLM ? "; measure it with --task mlm" : "");
    *window = o->window ? o->window : s->options.ctx;
    if (*window < 2 || *window > s->options.ctx)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "eval: a window of %d tokens, expected 2 to the context, %d", *window,
                          s->options.ctx);
    if (o->stride < -1 || o->stride > *window)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "eval: a stride of %d tokens, expected 1 to the window, %d (0: the window; -1: as llama.cpp)", o->stride,
                          *window);
    return TRINE_OK;
}

/* The texts of the file, one after another. */
typedef struct texts {
    const trine_tokenizer *tokenizer;
    int32_t end;            /* put after each; -1: none */
    trine_buffer ids, ends; /* int32_t; text i ends before ends[i] */
    int n;
    bool has_bos;
    size_t bytes;
} texts;

static trine_status add_text(void *user, const char *text, size_t n, trine_error *err)
{
    texts *t = user;
    trine_encoding e;
    const trine_encode_options options = { .no_parse_special = true };
    trine_status status = trine_tokenizer_encode(&e, t->tokenizer, text, n, &options, err);
    if (status) return status;
    int n_ids = e.n;
    while (n_ids > 1 && e.special[n_ids - 1]) n_ids--; /* a token that ends texts would be told to go on */
    if (n_ids) {
        t->has_bos = e.special[0];
        trine_buffer_append(&t->ids, e.ids, (size_t)n_ids * sizeof *e.ids);
        if (t->end >= 0) trine_buffer_append(&t->ids, &t->end, sizeof t->end);
        const size_t all = t->ids.n / sizeof *e.ids;
        const int32_t end = all > INT32_MAX ? -1 : (int32_t)all;
        trine_buffer_append(&t->ends, &end, sizeof end);
        t->bytes += n;
        t->n++;
        if (end < 0 || t->ids.failed || t->ends.failed)
            status = trine_fail(err, TRINE_ERROR_MEMORY, "eval: no memory for the tokens of the file");
    }
    trine_encoding_clear(&e);
    return status;
}

/* A file of one text is a part of what there is: that it stops says nothing. */
static void drop_end(texts *t)
{
    t->ids.n -= sizeof t->end;
    *(int32_t *)(void *)t->ends.data -= 1;
}

/* How the windows of a text go on. */
typedef struct windows {
    int size, stride;
    bool halves;
} windows;

static int count_windows(const windows *w, int n)
{
    if (n < 2) return 0;
    return w->halves ? n / w->size : n <= w->size ? 1 : (n - w->size + w->stride - 1) / w->stride + 1;
}

static trine_status score_text(measure *m, trine_eval_result *out, int32_t *ids, int n, bool has_bos, const windows *w, int total,
                               const trine_eval_options *o, trine_error *err)
{
    const int32_t bos = ids[0];
    const int own = count_windows(w, n);
    trine_status status = TRINE_OK;
    for (int k = 0, scored = 0; k < own && out->n_examples < total && !status; k++) {
        const int start = k * w->stride, end = trine_min_int(start + w->size, n);
        const int from = w->halves ? w->size / 2 + 1 : trine_max_int(1, scored - start);
        const int32_t first = ids[start];
        if (has_bos) ids[start] = bos;
        if (end - start > from && trine_eval_own(o, out->n_examples)) status = score_window(m, ids + start, end - start, from, err);
        ids[start] = first;
        scored = end;
        out->n_examples++;
        if (!status) status = trine_eval_progress(o, (int)out->n_examples, total, err);
    }
    return status;
}

static trine_status score_texts(measure *m, trine_eval_result *out, const texts *t, const windows *w, const trine_eval_options *o,
                                trine_error *err)
{
    int32_t *ids = (int32_t *)(void *)t->ids.data;
    const int32_t *ends = (const int32_t *)(const void *)t->ends.data;
    int64_t sum = 0;
    for (int i = 0; i < t->n; i++) sum += count_windows(w, ends[i] - (i ? ends[i - 1] : 0));
    if (o->limit && sum > o->limit) sum = o->limit;
    const int total = (int)(sum > INT32_MAX ? INT32_MAX : sum);
    if (!total)
        return trine_fail(err, TRINE_ERROR_EMPTY, "eval: the file has %d tokens, too few for a window of %d",
                          t->n ? ends[t->n - 1] : 0, w->halves ? w->size : 2);
    trine_status status = TRINE_OK;
    for (int i = 0; i < t->n && !status; i++) {
        const int start = i ? ends[i - 1] : 0;
        status = score_text(m, out, ids + start, ends[i] - start, t->has_bos, w, total, o, err);
    }
    return status;
}

trine_status trine_eval_lm_beside(trine_eval_result *out, trine_session *s, trine_beside *beside, const char *path,
                                  const trine_eval_options *o, trine_error *err)
{
    const trine_model *model = s->model;
    const trine_documents_options documents = { .column = o->text_column, .split = o->split, .plain = true };
    windows w = { .halves = o->stride == -1 };
    trine_status status = check(&w.size, s, o, err);
    if (status) return status;
    w.stride = o->stride > 0 ? o->stride : w.size;
    texts t = { .tokenizer = model->tokenizer, .end = model->info.eos };
    measure m = { .s = s, .beside = beside };
    status = trine_documents_read(path, &documents, add_text, &t, err);
    if (!status && t.n == 1 && t.end >= 0) drop_end(&t);
    if (!status)
        status =
            t.n ? score_texts(&m, out, &t, &w, o, err) : trine_fail(err, TRINE_ERROR_EMPTY, "%s: the file has no tokens", path);
    status = trine_eval_together(o, status, &m.n, 1, &m.loss, 1, err);
    if (!status && !m.n) status = trine_fail(err, TRINE_ERROR_EMPTY, "%s: too short: no token has another before it", path);
    if (!status) {
        const double n = (double)(t.ids.n / sizeof(int32_t)) - (t.has_bos ? t.n : 0);
        out->loss = m.loss / (double)m.n;
        out->n_tokens = m.n;
        out->perplexity = exp(out->loss);
        out->bits_per_byte = out->loss * n / (log(2) * (double)t.bytes);
    }
    trine_buffer_clear(&t.ids);
    trine_buffer_clear(&t.ends);
    return status;
}

trine_status trine_eval_lm(trine_eval_result *out, trine_session *s, const char *path, const trine_eval_options *o,
                           trine_error *err)
{
    return trine_eval_lm_beside(out, s, NULL, path, o, err);
}
