/* task_restore.c - the gaps of a text restored by an encoder-decoder (Raffel et al. 2020, sec. 3.1.4, span corruption).
 *
 * The source has a sentinel for each gap, and the target is "<extra_id_0> a span <extra_id_1> another ...": what stands after a
 * sentinel in what the model writes goes where it stands in the source. Gaps are of any length, which a mask is not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "tasks/gap_marks.h"
#include "tasks/text_to_text.h"
#include "trine/generation.h"

enum { MOST_GAPS = 100, TOKENS_PER_GAP = 16 };

size_t trine_gap_mark(const char *text)
{
    static const char *const marks[] = { "[MASK]", "<mask>" };
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (!strncmp(text, marks[i], strlen(marks[i]))) return strlen(marks[i]);
    return 0;
}

/* The number of the sentinel that `text` begins with, and its bytes; -1: none. */
static int sentinel_at(const char *text, size_t *bytes)
{
    int number = -1, n = 0;
    if (strncmp(text, "<extra_id_", 10) || sscanf(text, "<extra_id_%2d>%n", &number, &n) != 1 || !n) return -1;
    *bytes = (size_t)n;
    return number;
}

typedef struct restoring {
    struct {
        size_t start, end;
        int32_t id; /* of its sentinel */
    } gaps[MOST_GAPS];
    int n;
    trine_buffer source;
} restoring;

/* Finds the gaps and writes the source: marks become sentinels in their order, sentinels stay. */
static trine_status find_gaps(restoring *r, const trine_tokenizer *t, const char *text, trine_error *err)
{
    bool marked = false, numbered = false;
    for (const char *p = text; *p;) {
        size_t bytes = trine_gap_mark(p);
        const bool is_mark = bytes > 0;
        const int number = is_mark ? r->n : sentinel_at(p, &bytes);
        if (number < 0) {
            trine_buffer_putc(&r->source, *p++);
            continue;
        }
        char name[32];
        marked |= is_mark;
        numbered |= !is_mark;
        snprintf(name, sizeof name, "<extra_id_%d>", number);
        const int32_t id = trine_tokenizer_id(t, name);
        if (id < 0 || r->n == MOST_GAPS)
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "fill: the text has more gaps than the vocabulary has sentinels (no %s)",
                              name);
        if (marked && numbered)
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "fill: the text has both masks and sentinels: expected one of them");
        for (int i = 0; i < r->n; i++)
            if (r->gaps[i].id == id) return trine_fail(err, TRINE_ERROR_ARGUMENT, "fill: the text has %s twice", name);
        r->gaps[r->n].start = (size_t)(p - text);
        r->gaps[r->n].end = (size_t)(p - text) + bytes;
        r->gaps[r->n++].id = id;
        trine_buffer_puts(&r->source, name);
        p += bytes;
    }
    if (!r->n)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "fill: the text has no gap to fill: write [MASK], <mask> or <extra_id_0>");
    return r->source.failed ? trine_fail(err, TRINE_ERROR_MEMORY, "fill: no memory for the text") : TRINE_OK;
}

/* What stands in the target between the sentinel of gap i and the next one, as text; "" when the model left it out. */
static trine_status span_of(char **out, const restoring *r, int i, const trine_generation *g, const trine_tokenizer *t,
                            trine_error *err)
{
    int from = 0, to;
    while (from < g->n_tokens && g->tokens[from] != r->gaps[i].id) from++;
    for (to = ++from; to < g->n_tokens; to++) {
        const char *token = trine_tokenizer_token(t, g->tokens[to]);
        size_t bytes;
        if (token && sentinel_at(token, &bytes) >= 0) break;
    }
    const int n = from < g->n_tokens ? to - from : 0;
    const trine_status status = trine_tokenizer_decode(out, t, g->tokens + (n ? from : 0), n, true, err);
    if (!status) trine_strip_blanks(*out);
    return status;
}

/* The text with the spans in their gaps; an empty one takes a blank with it. */
static char *fill_text(const restoring *r, const char *text, char *const *spans)
{
    trine_buffer b = { 0 };
    size_t done = 0;
    for (int i = 0; i < r->n; i++) {
        size_t end = r->gaps[i].end;
        trine_buffer_append(&b, text + done, r->gaps[i].start - done);
        trine_buffer_puts(&b, spans[i]);
        if (!*spans[i] && text[end] == ' ' && (!b.n || b.data[b.n - 1] == ' ')) end++;
        done = end;
    }
    trine_buffer_puts(&b, text + done);
    return trine_buffer_take(&b);
}

void trine_restored_clear(trine_restored *r)
{
    if (!r) return;
    for (int i = 0; i < r->n_spans; i++) free(r->spans[i]);
    free(r->spans);
    free(r->text);
    free(r->target);
    *r = (trine_restored) { 0 };
}

static trine_status restore(trine_restored *out, trine_session *s, const restoring *r, const char *text,
                            const trine_generate_options *options, trine_error *err)
{
    const trine_tokenizer *t = s->model->tokenizer;
    trine_generation g = { 0 };
    trine_generate_options o = options ? *options : (trine_generate_options) { 0 };
    if (!o.max_tokens) o.max_tokens = r->n * TOKENS_PER_GAP + 1;
    trine_status status = trine_generate(&g, s, r->source.data, &o, err);
    if (!status) status = trine_tokenizer_decode(&out->target, t, g.tokens, g.n_tokens, false, err);
    if (!status && !(out->spans = calloc((size_t)r->n, sizeof *out->spans)))
        status = trine_fail(err, TRINE_ERROR_MEMORY, "fill: no memory for the spans");
    for (int i = 0; i < r->n && !status; i++) {
        status = span_of(&out->spans[i], r, i, &g, t, err);
        if (!status) out->n_spans++;
    }
    if (!status && !(out->text = fill_text(r, text, out->spans)))
        status = trine_fail(err, TRINE_ERROR_MEMORY, "fill: no memory for the text");
    out->score = g.score;
    trine_generation_clear(&g);
    return status;
}

trine_status trine_restore(trine_restored *out, trine_session *s, const char *text, const trine_generate_options *options,
                           trine_error *err)
{
    if (out) *out = (trine_restored) { 0 };
    if (!out || !s) return trine_fail(err, TRINE_ERROR_ARGUMENT, "fill: no %s", s ? "result" : "session");
    if (s->model->info.paradigm != TRINE_ENCODER_DECODER)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "fill: spans are restored by an encoder-decoder; this is a %s",
                          s->model->info.family);
    if (!s->model->tokenizer) return trine_fail(err, TRINE_ERROR_NOT_FOUND, "fill: no tokenizer lies beside the model");
    if (!text || !*text) return trine_fail(err, TRINE_ERROR_EMPTY, "fill: the text is empty");
    if (options && (options->ids || options->decoder_ids))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "fill: spans are restored in text, not in ids");
    restoring r = { 0 };
    trine_status status = find_gaps(&r, s->model->tokenizer, text, err);
    if (!status) status = restore(out, s, &r, text, options, err);
    trine_buffer_clear(&r.source);
    if (status) trine_restored_clear(out);
    return status;
}
