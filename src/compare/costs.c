/* costs.c - see costs.h. */
#include "compare/costs.h"

#include <stdlib.h>

#include "base/status.h"
#include "compare/contender.h"
#include "generate/clock.h"
#include "generate/session.h"

enum { WRITTEN = 16, LEAST_RUNS = 3, MOST_RUNS = 50 };
#define ENOUGH_MS 60.0 /* of one length, then no more runs */

/* One answer of WRITTEN tokens after n of input: when the first was there, and how long each of the others took. */
static trine_status answer(double *first_ms, double *token_ms, trine_session *s, const int32_t *ids, int n, trine_error *err)
{
    const double began = trine_clock_ms();
    trine_status status = TRINE_OK;
    if (s->model->info.paradigm == TRINE_ENCODER) {
        const int length = n + WRITTEN;
        const int32_t row = n;
        const trine_texts texts = { .n_texts = 1, .ids = &ids, .n = &length };
        trine_mat logits;
        for (int k = 0; k < 3 && !status; k++) {
            status = trine_session_head(&logits, s, &texts, &row, 1, err);
            if (!k) *first_ms = trine_clock_ms() - began;
        }
        *token_ms = (trine_clock_ms() - began - *first_ms) / 2;
        return status;
    }
    trine_sequence *q;
    const bool two = s->model->info.paradigm == TRINE_ENCODER_DECODER;
    if ((status = trine_sequence_open(&q, s, err))) return status;
    if (two) status = trine_sequence_source(q, ids, n, err);
    if (!status) status = trine_sequence_feed(q, ids, two ? 1 : n, err);
    *first_ms = trine_clock_ms() - began;
    for (int k = 1; k < WRITTEN && !status; k++) status = trine_sequence_feed(q, ids + k, 1, err);
    *token_ms = (trine_clock_ms() - began - *first_ms) / (WRITTEN - 1);
    trine_sequence_close(q);
    return status;
}

static trine_status measure(trine_cost *c, trine_model *m, const int32_t *ids, int n, int n_threads, trine_error *err)
{
    const bool encoder = m->info.paradigm == TRINE_ENCODER;
    const trine_session_options options = { .n_threads = n_threads,
                                            .ctx = m->info.paradigm == TRINE_ENCODER_DECODER ? WRITTEN : n + WRITTEN,
                                            .source_ctx = n,
                                            .batch_tokens = encoder ? n + WRITTEN : 0,
                                            .logit_rows = 1,
                                            .cache_type = TRINE_F32 };
    trine_session *s;
    trine_status status = trine_session_open(&s, m, &options, err);
    if (status) return status;
    trine_memory memory;
    trine_session_memory(&memory, s);
    *c = (trine_cost) { .n_input = n, .first_ms = 1e300, .token_ms = 1e300, .arena_bytes = (double)memory.arena_bytes };
    const double began = trine_clock_ms();
    for (int run = 0; run < MOST_RUNS && !status && (run < LEAST_RUNS || trine_clock_ms() - began < ENOUGH_MS); run++) {
        double first = 0, token = 0;
        status = answer(&first, &token, s, ids, n, err);
        if (first < c->first_ms) c->first_ms = first;
        if (token < c->token_ms) c->token_ms = token;
    }
    const double row = 2.0 * m->info.n_kv_heads * m->info.d_head * sizeof(float); /* keys and values of a token in a layer */
    if (m->info.paradigm == TRINE_DECODER) c->cache_bytes = row * m->info.n_layers * (n + WRITTEN);
    if (m->info.paradigm == TRINE_ENCODER_DECODER) {
        c->cache_bytes = row * m->info.n_decoder_layers * WRITTEN;
        c->cross_bytes = row * m->info.n_decoder_layers * n;
    }
    trine_session_close(s);
    return status;
}

trine_status trine_costs_measure(trine_cost *out, const trine_size *size, const int *lengths, int n, int n_threads, const char *cpu,
                                 trine_error *err)
{
    int longest = 0;
    for (int i = 0; i < n; i++)
        if (lengths[i] > longest) longest = lengths[i];
    trine_size long_size = *size;
    long_size.max_tokens = longest + WRITTEN;
    const trine_contender_options options = { .seed = 1, .n_threads = n_threads, .cpu = cpu };
    trine_contender *c;
    int32_t *ids = malloc(((size_t)longest + WRITTEN) * sizeof *ids);
    if (!ids) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    for (int i = 0; i < longest + WRITTEN; i++) ids[i] = (int32_t)(7 + (i * 31) % (size->vocab - 7));
    trine_status status = trine_contender_open(&c, &long_size, &options, err);
    for (int i = 0; i < n && !status; i++) status = measure(&out[i], c->model, ids, lengths[i], n_threads, err);
    trine_contender_close(c);
    free(ids);
    return status;
}

json_t *trine_costs_to_json(const trine_cost *costs, int n)
{
    json_t *list = json_array();
    for (int i = 0; i < n; i++) {
        const trine_cost *c = &costs[i];
        if (json_array_append_new(list, json_pack("{s:i,s:f,s:f,s:f,s:f,s:f}", "input_tokens", c->n_input, "first_token_ms",
                                                  c->first_ms, "token_ms", c->token_ms, "cache_bytes", c->cache_bytes,
                                                  "cross_cache_bytes", c->cross_bytes, "activation_bytes", c->arena_bytes))) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}
