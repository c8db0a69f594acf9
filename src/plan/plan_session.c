/* plan_session.c - a session's bytes by part, asked of the session's own plan, and the longest and the most that fit. */
#include <limits.h>
#include <stdint.h>

#include "base/cpu.h"
#include "base/size.h"
#include "base/status.h"
#include "generate/session.h"
#include "plan/planner.h"
#include "quant/quant.h"

/* Of what is searched for. A source is read in one pass, whose plan takes time by its length. */

size_t trine_memory_available(void) { return trine_memory_free(); }

/* A session's options for what is asked: encoders have no sequences, but texts in a pass. */
static trine_status session_options(trine_session_options *out, int *ctx, const trine_model *m, const trine_session_options *asked,
                                    trine_error *err)
{
    const trine_session_options none = { 0 };
    *out = asked ? *asked : none;
    *ctx = out->ctx ? out->ctx : trine_session_default_ctx(m, out);
    out->memory = 0;
    if (!out->cache_type) out->cache_type = TRINE_F16;
    if (!trine_model_reads_whole(m) || out->n_sequences <= 1) return TRINE_OK;
    const int64_t rows = (int64_t)*ctx * out->n_sequences;
    if (rows > INT_MAX)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "plan: %d texts of %d tokens are more than a pass takes", out->n_sequences,
                          *ctx);
    if (!out->batch_tokens) out->batch_tokens = (int)rows;
    out->n_sequences = 1;
    return TRINE_OK;
}

/* Tokens times bytes a token. */
static bool cache_formula(trine_session_bytes *out, const trine_model *m)
{
    const trine_session_options *o = &out->options;
    const trine_kv_shape shape = trine_session_kv_shape(m, o);
    size_t page, tokens;
    if (trine_model_reads_whole(m)) return true;
    if (!trine_kv_page_bytes(&page, &shape)) return false;
    out->kv_bytes_per_token = page / TRINE_KV_PAGE;
    if (!trine_mul_size(&tokens, (size_t)o->ctx, (size_t)o->n_sequences) ||
        !trine_mul_size(&out->kv_bytes, tokens, out->kv_bytes_per_token))
        return false;
    return trine_mul_size(&tokens, (size_t)o->source_ctx, (size_t)o->n_sequences) &&
           trine_mul_size(&out->cross_kv_bytes, tokens, out->kv_bytes_per_token);
}

/* softmax(QK^T) of one layer, as a program has it that makes it whole: f16, a score for each head, query and key. */
static size_t plain_attention(const trine_model_info *info, const trine_session_bytes *b, int n_texts)
{
    const size_t n = (size_t)trine_max_int(b->options.ctx, b->options.source_ctx);
    size_t bytes;
    if (!trine_mul_size(&bytes, n, n) || !trine_mul_size(&bytes, bytes, (size_t)info->n_heads) ||
        !trine_mul_size(&bytes, bytes, sizeof(uint16_t) * (size_t)n_texts))
        return SIZE_MAX;
    return bytes;
}

trine_status trine_planner_session(trine_session_bytes *out, const trine_planner *p, const trine_session_options *options,
                                   trine_error *err)
{
    const trine_model *m = p->model;
    trine_session_options asked;
    trine_session_plan plan;
    int ctx;
    *out = (trine_session_bytes) { 0 };
    trine_status status = session_options(&asked, &ctx, m, options, err);
    if (!status) status = trine_session_plan_at(&plan, m, &asked, ctx, err);
    if (status) return status;
    const int n_texts = options && options->n_sequences > 1 ? options->n_sequences : 1;
    *out = (trine_session_bytes) { .options = plan.options,
                                   .weights_bytes = m->info.weights_bytes,
                                   .cache_bytes = plan.cache_bytes,
                                   .arena_bytes = plan.arena_bytes,
                                   .batch_bytes = plan.batch_bytes };
    out->plain_attention_bytes = plain_attention(&m->info, out, n_texts);
    if (cache_formula(out, m) && trine_add_size(&out->total_bytes, out->weights_bytes, out->cache_bytes) &&
        trine_add_size(&out->total_bytes, out->total_bytes, out->arena_bytes) &&
        trine_add_size(&out->total_bytes, out->total_bytes, out->batch_bytes))
        return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_MEMORY, "plan: a context of %d tokens for %d sequences is more than an address holds", ctx,
                      n_texts);
}

/* --------------------------------------------------------------------------------------------------------- searches */

/* Whether `n` of what is searched for fit: tokens of context, or sequences. */
typedef bool fits_fn(const trine_planner *p, const trine_session_options *options, int n, size_t memory);

static bool total_fits(const trine_planner *p, const trine_session_options *options, size_t memory)
{
    trine_session_bytes b;
    return !trine_planner_session(&b, p, options, NULL) && b.total_bytes <= memory;
}

static bool ctx_fits(const trine_planner *p, const trine_session_options *options, int n, size_t memory)
{
    trine_session_options o = *options;
    o.ctx = n;
    return total_fits(p, &o, memory);
}

static bool batch_fits(const trine_planner *p, const trine_session_options *options, int n, size_t memory)
{
    trine_session_options o = *options;
    o.n_sequences = n;
    return total_fits(p, &o, memory);
}

/* The most up to `high`. Doubling first: a plan costs time by what it plans, and none is made far beyond what fits. */
static int most_that_fit(fits_fn *fits, const trine_planner *p, const trine_session_options *options, int high, size_t memory)
{
    if (!fits(p, options, 1, memory)) return 0;
    int low = 1;
    while (low < high && fits(p, options, low > high / 2 ? high : 2 * low, memory)) low = low > high / 2 ? high : 2 * low;
    if (low >= high) return high;
    high = low > high / 2 ? high : 2 * low;
    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        if (fits(p, options, middle, memory))
            low = middle;
        else
            high = middle;
    }
    return low;
}

trine_status trine_planner_longest(int *ctx, const trine_planner *p, const trine_session_options *options, size_t memory,
                                   trine_error *err)
{
    const trine_model_info *info = &p->model->info;
    const trine_session_options o = options ? *options : (trine_session_options) { 0 };
    const bool ends = info->max_tokens && (info->paradigm == TRINE_ENCODER || info->positions[0] == 'l');
    trine_session_options one = o;
    trine_session_bytes b;
    *ctx = 0;
    one.ctx = 1;
    const trine_status status = trine_planner_session(&b, p, &one, err); /* what is wrong is wrong at any length */
    const int most = ends                                                       ? info->max_tokens
                     : info->paradigm == TRINE_ENCODER_DECODER && !o.source_ctx ? TRINE_PLAN_MOST_SOURCE
                                                                                : TRINE_PLAN_MOST_CTX;
    if (!status) *ctx = most_that_fit(ctx_fits, p, &o, most, memory);
    return status;
}

trine_status trine_planner_largest_batch(int *n_sequences, const trine_planner *p, const trine_session_options *options,
                                         size_t memory, trine_error *err)
{
    const trine_session_options o = options ? *options : (trine_session_options) { 0 };
    trine_session_bytes b;
    *n_sequences = 0;
    const trine_status status = trine_planner_session(&b, p, &o, err);
    if (!status) *n_sequences = most_that_fit(batch_fits, p, &o, TRINE_PLAN_MOST_SEQUENCES, memory);
    return status;
}
