/* eval_lm.c - perplexity: exp of the mean of -ln p(token | the tokens before it).
 *
 * The file is one text, tokenised whole; what spells a special token in it is only text. A window is `window` tokens of it;
 * the next one begins `stride` tokens later and scores what no window scored before, so that with a small stride every token
 * has at least window - stride tokens before it. Where the tokenizer puts a beginning token before a text, every window's first
 * token is replaced by it, as llama.cpp does. A window's first token is not scored: nothing stands before it. stride -1 is
 * llama.cpp's own measure: windows do not overlap, only the second half of each is scored, and a window that is not full is
 * left out. Bits a byte: the mean loss, times the tokens and over the bytes of the whole file, so that tokenizers can be
 * compared. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
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

static trine_status run(measure *m, trine_eval_result *out, int32_t *ids, int n, bool has_bos, int window,
                        const trine_eval_options *o, trine_error *err)
{
    const bool halves = o->stride == -1;
    const int stride = o->stride > 0 ? o->stride : window;
    const int32_t bos = ids[0];
    int total = halves ? n / window : n <= window ? 1 : (n - window + stride - 1) / stride + 1;
    if (o->limit && total > o->limit) total = o->limit;
    if (n < 2 || !total)
        return trine_fail(err, TRINE_ERROR_EMPTY, "eval: the file has %d tokens, too few for a window of %d", n,
                          halves ? window : 2);
    trine_status status = TRINE_OK;
    for (int w = 0, scored = 0; w < total && !status; w++) {
        const int start = w * stride, end = trine_min_int(start + window, n);
        const int from = halves ? window / 2 + 1 : trine_max_int(1, scored - start);
        const int32_t first = ids[start];
        if (has_bos) ids[start] = bos;
        if (end - start > from && trine_eval_own(o, w)) status = score_window(m, ids + start, end - start, from, err);
        ids[start] = first;
        scored = end;
        out->n_examples++;
        if (!status) status = trine_eval_progress(o, w + 1, total, err);
    }
    return status;
}

trine_status trine_eval_lm_beside(trine_eval_result *out, trine_session *s, trine_beside *beside, const char *path,
                                  const trine_eval_options *o, trine_error *err)
{
    int window = 0;
    trine_status status = check(&window, s, o, err);
    if (status) return status;
    char *data, *text;
    size_t bytes;
    if ((status = trine_text_read(&data, &text, &bytes, path, err))) return status;
    trine_encoding e;
    status =
        trine_tokenizer_encode(&e, s->model->tokenizer, text, bytes, &(trine_encode_options) { .no_parse_special = true }, err);
    free(data);
    if (status) return status;
    int n = e.n;
    while (n > 1 && e.special[n - 1]) n--; /* a token that ends texts would be told to go on */
    const bool has_bos = n > 0 && e.special[0];
    measure m = { .s = s, .beside = beside };
    status = n ? run(&m, out, e.ids, n, has_bos, window, o, err)
               : trine_fail(err, TRINE_ERROR_EMPTY, "%s: the file has no tokens", path);
    trine_encoding_clear(&e);
    status = trine_eval_together(o, status, &m.n, 1, &m.loss, 1, err);
    if (!status && !m.n) status = trine_fail(err, TRINE_ERROR_EMPTY, "%s: too short: no token has another before it", path);
    if (status) return status;
    out->loss = m.loss / (double)m.n;
    out->n_tokens = m.n;
    out->perplexity = exp(out->loss);
    out->bits_per_byte = out->loss * (n - has_bos) / (log(2) * (double)bytes);
    return TRINE_OK;
}

trine_status trine_eval_lm(trine_eval_result *out, trine_session *s, const char *path, const trine_eval_options *o,
                           trine_error *err)
{
    return trine_eval_lm_beside(out, s, NULL, path, o, err);
}
