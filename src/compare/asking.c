/* asking.c - see asking.h. */
#include "compare/asking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "generate/sequence.h"

trine_status trine_asker_open(trine_asker *out, trine_model *model, int max_tokens, int n_threads, trine_error *err)
{
    const trine_session_options options = { .n_threads = n_threads,
                                            .ctx = max_tokens,
                                            .source_ctx = max_tokens,
                                            .batch_tokens = max_tokens,
                                            .logit_rows = max_tokens,
                                            .cache_type = TRINE_F32 };
    *out = (trine_asker) { .paradigm = model->info.paradigm, .vocab = model->info.vocab, .max_tokens = max_tokens };
    out->ids = malloc((size_t)max_tokens * sizeof *out->ids);
    out->kept = malloc((size_t)out->vocab * sizeof *out->kept);
    trine_status status = out->ids && out->kept ? trine_session_open(&out->session, model, &options, err)
                                                : trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    if (status) trine_asker_close(out);
    return status;
}

void trine_asker_close(trine_asker *a)
{
    trine_session_close(a->session);
    free(a->ids);
    free(a->kept);
    *a = (trine_asker) { 0 };
}

static trine_status too_long(const trine_asker *a, int n, trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_TOO_LONG, "compare: a text of %d tokens, expected %d at most", n, a->max_tokens);
}

trine_status trine_ask_next(trine_mat *out, trine_asker *a, const int32_t *source, int n_source, const int32_t *target,
                            int n_target, trine_error *err)
{
    trine_sequence *q;
    const bool two = a->paradigm == TRINE_ENCODER_DECODER;
    const int n = 1 + (two ? 0 : n_source) + n_target;
    if (n > a->max_tokens || n_source > a->max_tokens) return too_long(a, n, err);
    a->ids[0] = two ? TRINE_WORLD_PAD : TRINE_WORLD_BOS;
    if (!two) memcpy(a->ids + 1, source, (size_t)n_source * sizeof *source);
    if (n_target) memcpy(a->ids + n - n_target, target, (size_t)n_target * sizeof *target);
    trine_status status = trine_sequence_open(&q, a->session, err);
    if (status) return status;
    if (two) status = trine_sequence_source(q, source, n_source, err);
    if (!status) status = trine_sequence_feed_logits(out, q, a->ids, n, err);
    trine_sequence_close(q);
    if (status) return status;
    out->data += (size_t)(n - 1 - n_target) * (size_t)a->vocab;
    out->rows = n_target + 1;
    return TRINE_OK;
}

trine_status trine_ask_masked(trine_mat *out, trine_asker *a, const int32_t *ids, int n, const int32_t *rows, int n_rows,
                              trine_error *err)
{
    if (n + 2 > a->max_tokens) return too_long(a, n + 2, err);
    int32_t *shifted = malloc((size_t)n_rows * sizeof *shifted);
    if (!shifted) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    a->ids[0] = TRINE_WORLD_CLS;
    memcpy(a->ids + 1, ids, (size_t)n * sizeof *ids);
    a->ids[n + 1] = TRINE_WORLD_SEP;
    for (int i = 0; i < n_rows; i++) shifted[i] = rows[i] + 1;
    const int32_t *const all = a->ids;
    const int length = n + 2;
    const trine_texts texts = { .n_texts = 1, .ids = &all, .n = &length };
    const trine_status status = trine_session_head(out, a->session, &texts, shifted, n_rows, err);
    free(shifted);
    return status;
}

/* ------------------------------------------------------------------------------------------------------------- logits */

static double log_sum(const float *logits, int vocab)
{
    double most = (double)logits[0], sum = 0;
    for (int i = 1; i < vocab; i++)
        if ((double)logits[i] > most) most = (double)logits[i];
    for (int i = 0; i < vocab; i++) sum += exp((double)logits[i] - most);
    return most + log(sum);
}

double trine_nats_of(const float *logits, int vocab, int32_t id) { return log_sum(logits, vocab) - (double)logits[id]; }

int32_t trine_likeliest(const float *logits, int vocab)
{
    int32_t best = 0;
    for (int32_t i = 1; i < vocab; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

static int32_t choose(const float *logits, int vocab, trine_draws *draws)
{
    if (!draws) return trine_likeliest(logits, vocab);
    const double sum = log_sum(logits, vocab);
    double u = trine_draw_unit(draws);
    int32_t id = 0;
    for (; id < vocab - 1; id++)
        if ((u -= exp((double)logits[id] - sum)) < 0) break;
    return id;
}

/* -------------------------------------------------------------------------------------------------------------- write */

static trine_status write_on(int32_t *out, int *n, int *n_passes, trine_asker *a, const int32_t *source, int n_source, int most,
                             trine_draws *draws, trine_error *err)
{
    trine_sequence *q;
    const bool two = a->paradigm == TRINE_ENCODER_DECODER;
    if (n_source + most + 1 > a->max_tokens) return too_long(a, n_source + most + 1, err);
    trine_status status = trine_sequence_open(&q, a->session, err);
    if (status) return status;
    a->ids[0] = two ? TRINE_WORLD_PAD : TRINE_WORLD_BOS;
    memcpy(a->ids + 1, source, (size_t)n_source * sizeof *source);
    if (two) status = trine_sequence_source(q, source, n_source, err);
    if (!status) status = trine_sequence_feed(q, a->ids, two ? 1 : n_source + 1, err);
    *n_passes = two ? 2 : 1;
    while (!status) {
        const int32_t id = choose(trine_sequence_logits(q), a->vocab, draws);
        if (id == TRINE_WORLD_EOS) break;
        out[(*n)++] = id;
        if (*n == most) break;
        status = trine_sequence_feed(q, &id, 1, err);
        ++*n_passes;
    }
    trine_sequence_close(q);
    return status;
}

/* The blank whose likeliest token is surest, or with draws the first. */
static int pick_blank(int32_t *id, const trine_mat *logits, const int32_t *blanks, int n_blanks, trine_draws *draws)
{
    int best = 0;
    double surest = INFINITY;
    (void)blanks;
    for (int i = 0; i < n_blanks && !draws; i++) {
        const float *row = logits->data + (size_t)i * (size_t)logits->cols;
        const double nats = trine_nats_of(row, logits->cols, trine_likeliest(row, logits->cols));
        if (nats < surest) {
            surest = nats;
            best = i;
        }
    }
    *id = choose(logits->data + (size_t)best * (size_t)logits->cols, logits->cols, draws);
    return best;
}

static trine_status fill_blanks(int32_t *out, int *n, int *n_passes, trine_asker *a, const int32_t *source, int n_source, int most,
                                trine_draws *draws, trine_error *err)
{
    const int length = n_source + most;
    int32_t *text = malloc(2 * (size_t)length * sizeof *text), *blanks = text + length;
    if (!text) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    memcpy(text, source, (size_t)n_source * sizeof *text);
    for (int i = 0; i < most; i++) {
        text[n_source + i] = TRINE_WORLD_MASK;
        blanks[i] = n_source + i;
    }
    trine_status status = TRINE_OK;
    for (int left = most; left && !status; left--) {
        trine_mat logits;
        int32_t id;
        if ((status = trine_ask_masked(&logits, a, text, length, blanks, left, err))) break;
        const int at = pick_blank(&id, &logits, blanks, left, draws);
        ++*n_passes;
        text[blanks[at]] = id;
        memmove(blanks + at, blanks + at + 1, (size_t)(left - at - 1) * sizeof *blanks);
    }
    while (*n < most && text[n_source + *n] != TRINE_WORLD_EOS) {
        out[*n] = text[n_source + *n];
        ++*n;
    }
    free(text);
    return status;
}

trine_status trine_ask_write(int32_t *out, int *n, int *n_passes, trine_asker *a, const int32_t *source, int n_source, int most,
                             trine_draws *draws, trine_error *err)
{
    *n = *n_passes = 0;
    return a->paradigm == TRINE_ENCODER ? fill_blanks(out, n, n_passes, a, source, n_source, most, draws, err)
                                        : write_on(out, n, n_passes, a, source, n_source, most, draws, err);
}
