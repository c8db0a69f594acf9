/* long_measure.c - see long_measure.h. */
#include "compare/long_measure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "generate/clock.h"
#include "generate/session.h"

enum { ANSWER_MOST = 24, PASS = 512, PLACES = 11 }; /* a summary is "who what where ; who what where ; who what where" */

typedef struct reading {
    trine_session *session;
    bool sourced;
    const int32_t *ids; /* the document with its "=>", then its summary */
    int n;
} reading;

static int likeliest(const float *logits, int vocab)
{
    int best = 0;
    for (int i = 1; i < vocab; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

/* Reads the document and answers; *q is where it stands after it. */
static trine_status read_and_answer(trine_long_cost *cost, trine_sequence *q, const reading *r, trine_error *err)
{
    const bool first = !isfinite(cost->first_ms);
    const int32_t start = r->sourced ? TRINE_WORLD_PAD : TRINE_WORLD_BOS;
    const int vocab = r->session->model->info.vocab;
    int32_t said[ANSWER_MOST];
    double began = trine_clock_ms();
    trine_status status = r->sourced ? trine_sequence_source(q, r->ids, r->n, err) : TRINE_OK;
    if (!status) status = trine_sequence_feed(q, &start, 1, err);
    for (int at = 0; !r->sourced && at < r->n && !status; at += PASS)
        status = trine_sequence_feed(q, r->ids + at, trine_min_int(PASS, r->n - at), err);
    if (status) return status;
    said[0] = likeliest(trine_sequence_logits(q), vocab);
    cost->first_ms = fmin(cost->first_ms, trine_clock_ms() - began);
    began = trine_clock_ms();
    for (int i = 1; i < PLACES && !status; i++) {
        status = trine_sequence_feed(q, &said[i - 1], 1, err);
        if (!status) said[i] = likeliest(trine_sequence_logits(q), vocab);
    }
    cost->token_ms = fmin(cost->token_ms, (trine_clock_ms() - began) / (PLACES - 1));
    for (int i = 0; i < TRINE_LONG_WORDS && first && !status; i++) {
        const int at = i / 3 * 4 + i % 3; /* between two facts stands a ";" */
        cost->planted[i] = r->ids[r->n + at];
        cost->said[i] = said[at];
    }
    for (int f = 0; f < TRINE_LONG_FACTS && !status; f++)
        for (int k = 0; k < 3; k++) cost->recall[f] += said[4 * f + k] == r->ids[r->n + 4 * f + k] ? 1.0 / 3 : 0;
    return status;
}

/* New text arrives at the end of the document: a decoder goes on from what it has read, an encoder reads all of it again. */
static trine_status read_more(trine_long_cost *cost, trine_sequence *q, const reading *r, trine_error *err)
{
    const int more = trine_min_int(TRINE_LONG_MORE, r->n);
    const int32_t start = TRINE_WORLD_PAD;
    int32_t *all = NULL;
    trine_status status = TRINE_OK;
    if (r->sourced) {
        all = malloc(((size_t)r->n + TRINE_LONG_MORE) * sizeof *all);
        if (!all) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory for %d tokens", r->n);
        memcpy(all, r->ids, (size_t)r->n * sizeof *all);
        memcpy(all + r->n, r->ids, (size_t)more * sizeof *all);
    } else {
        status = trine_sequence_truncate(q, r->n, err);
    }
    const double began = trine_clock_ms();
    if (!status) status = r->sourced ? trine_sequence_source(q, all, r->n + more, err) : trine_sequence_feed(q, r->ids, more, err);
    if (!status && r->sourced) status = trine_sequence_feed(q, &start, 1, err);
    cost->more_ms = fmin(cost->more_ms, trine_clock_ms() - began);
    free(all);
    return status;
}

static void count_bytes(trine_long_cost *cost, const trine_session *s, bool sourced)
{
    const trine_kv_shape shape = trine_session_kv_shape(s->model, &s->options);
    size_t bytes = 0;
    if (trine_kv_pool_bytes(&bytes, &shape, s->options.ctx, s->options.n_sequences)) cost->self_bytes = (double)bytes;
    if (sourced && trine_kv_pool_bytes(&bytes, &shape, s->options.source_ctx, s->options.n_sequences))
        cost->cross_bytes = (double)bytes;
    cost->arena_bytes = (double)s->memory.arena_bytes;
}

static trine_status measure_one(trine_long_cost *cost, reading *r, trine_contender *c, trine_dtype cache_type, trine_error *err)
{
    const trine_session_options options = { .n_threads = c->options.n_threads,
                                            .ctx = r->sourced ? ANSWER_MOST : r->n + TRINE_LONG_MORE + ANSWER_MOST,
                                            .source_ctx = r->sourced ? r->n + TRINE_LONG_MORE : 0,
                                            .cache_type = cache_type,
                                            .batch_tokens = r->sourced ? 0 : PASS,
                                            .logit_rows = 1 };
    trine_sequence *q = NULL;
    trine_status status = trine_session_open(&r->session, c->model, &options, err);
    if (!status) status = trine_sequence_open(&q, r->session, err);
    if (!status) status = read_and_answer(cost, q, r, err);
    if (!status) status = read_more(cost, q, r, err);
    if (!status) count_bytes(cost, r->session, r->sourced);
    trine_sequence_close(q);
    trine_session_close(r->session);
    r->session = NULL;
    return status;
}

trine_status trine_long_measure(trine_long_cost *out, trine_contender *c, const trine_grammar *world, int n_tokens, int n_documents,
                                trine_dtype cache_type, uint64_t seed, trine_error *err)
{
    const int rule = trine_grammar_find(world, "summarise");
    trine_grammar_text text = { 0 };
    trine_status status = TRINE_OK;
    *out = (trine_long_cost) { .first_ms = INFINITY, .token_ms = INFINITY, .more_ms = INFINITY };
    for (int d = 0; d < n_documents && !status; d++) {
        text.n = 0;
        trine_grammar_write(&text, world, rule, seed, (uint64_t)d, trine_long_scale(n_tokens));
        if (text.failed) {
            status = trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory for a document of %d tokens", n_tokens);
            break;
        }
        reading r = { .sourced = c->size.paradigm == TRINE_ENCODER_DECODER, .ids = text.ids, .n = text.n - PLACES };
        out->n_tokens += (double)r.n / n_documents;
        status = measure_one(out, &r, c, cache_type, err);
    }
    for (int f = 0; f < TRINE_LONG_FACTS; f++) out->recall[f] /= n_documents;
    trine_grammar_text_clear(&text);
    return status;
}
