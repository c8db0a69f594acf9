/* session_plan.c - a session in numbers: every default resolved, every byte counted, before anything is taken.
 *
 * The arena's size is found by running the model's own forward on an arena that only counts, for the passes that need the
 * most: a whole batch at the end of the context, as one text and as many. The caches' sizes follow from their shape. So the
 * plan cannot disagree with what is used later, and the longest context that fits is found by asking the plan. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/numbers.h"
#include "base/size.h"
#include "base/status.h"
#include "base/team.h"
#include "generate/session.h"

#define DEFAULT_BATCH 512    /* tokens a pass of a decoder: long enough for large products, short enough for its temporaries */
#define UNLIMITED_CTX 2048   /* of a model without a limit of its own (T5's relative positions), or a decoder that gives labels */
#define LEAST_DEFAULT_CTX 64 /* a default context shorter than this helps nobody: it is refused instead */
#define F32_CACHE_BYTES ((size_t)512 << 20) /* a cache up to this size is f32 by default: it costs little */
#define FEW_ROWS 16                         /* a pass of so few rows takes other paths through the blocks, with other temporaries */
#define MAX_CTX (1 << 26)
#define MAX_BATCH (1 << 22)
#define MAX_SEQUENCES (1 << 16)

static void write_bytes(char out[24], size_t n)
{
    if (n >= (size_t)1 << 30)
        trine_print(out, 24, "%.2f GiB", (double)n / (1 << 30));
    else if (n >= (size_t)1 << 20)
        trine_print(out, 24, "%.1f MiB", (double)n / (1 << 20));
    else
        snprintf(out, 24, "%zu KiB", (n + 1023) >> 10);
}

trine_kv_shape trine_session_kv_shape(const trine_model *m, const trine_session_options *o)
{
    trine_kv_shape shape = m->self_shape;
    shape.type = o->cache_type;
    return shape;
}

/* ---------------------------------------------------------------------------------------------------- what is asked */

static trine_status check_range(const char *name, int value, int high, trine_error *err)
{
    if (value >= 0 && value <= high) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_ARGUMENT, "session: %s is %d, expected 0 (default) to %d", name, value, high);
}

static trine_status check_asked(const trine_model *m, const trine_session_options *o, trine_error *err)
{
    const trine_model_info *info = &m->info;
    trine_status status;
    if ((status = check_range("ctx", o->ctx, MAX_CTX, err))) return status;
    if ((status = check_range("source_ctx", o->source_ctx, MAX_CTX, err))) return status;
    if ((status = check_range("n_sequences", o->n_sequences, MAX_SEQUENCES, err))) return status;
    if ((status = check_range("batch_tokens", o->batch_tokens, MAX_BATCH, err))) return status;
    if ((status = check_range("logit_rows", o->logit_rows, MAX_BATCH, err))) return status;
    /* Rotary and relative positions go on past what was trained, if not well; learned ones end. */
    if (info->max_tokens > 0 && o->ctx > info->max_tokens && (info->paradigm == TRINE_ENCODER || info->positions[0] == 'l'))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "session: a context of %d tokens is asked, and this %s has positions for %d",
                          o->ctx, info->family, info->max_tokens);
    switch (o->cache_type) {
    case TRINE_DTYPE_DEFAULT:
    case TRINE_F32:
    case TRINE_F16:
    case TRINE_BF16: break;
    case TRINE_Q8_0:
    case TRINE_Q4_0:
        if (!trine_model_reads_whole(m) && m->self_shape.d_head % 32)
            return trine_fail(err, TRINE_ERROR_ARGUMENT,
                              "session: a %s cache needs heads of a multiple of 32, and this model's have %d: use f16",
                              trine_dtype_name(o->cache_type), m->self_shape.d_head);
        break;
    default:
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "session: cache_type %s is not one of f32, f16, bf16, q8_0, q4_0",
                          trine_dtype_name(o->cache_type) ? trine_dtype_name(o->cache_type) : "(unknown)");
    }
    if ((unsigned)o->mask > TRINE_MASK_WINDOW)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "session: there is no mask %d", (int)o->mask);
    if (o->mask == TRINE_MASK_PREFIX && o->prefix < 1)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "session: a prefix mask needs a prefix of 1 token or more, not %d", o->prefix);
    if (o->mask == TRINE_MASK_WINDOW && o->window < 1)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "session: a window mask needs a window of 1 token or more, not %d", o->window);
    return TRINE_OK;
}

/* ------------------------------------------------------------------------------------------------- a context's bytes */

/* Heads that are given all rows: those that do not write words. */
static bool head_has_all_rows(const trine_model *m)
{
    const trine_head head = m->info.head;
    return trine_gives_labels(head) || (m->info.paradigm == TRINE_ENCODER && head == TRINE_HEAD_NONE);
}

/* Bytes of a pass over n_rows tokens in n_segments texts of about equal length, the last token of each at the end of `ctx`. */
static trine_status measure(size_t *bytes, const trine_model *m, const trine_session_options *o, trine_pass_kind kind, int n_rows,
                            int n_segments, int ctx, int n_out, trine_error *err)
{
    size_t needed = 0;
    n_segments = trine_min_int(n_segments, n_rows);
    n_out = trine_min_int(n_out, n_rows);
    trine_segment *segments = calloc((size_t)n_segments, sizeof *segments);
    int32_t *rows = calloc((size_t)n_rows, sizeof *rows);
    trine_status status = TRINE_OK;
    if (!segments || !rows) {
        status = trine_fail(err, TRINE_ERROR_MEMORY, "session: no memory to plan a pass of %d tokens", n_rows);
    } else {
        for (int i = 0, first = 0; i < n_segments; i++) {
            const int n = n_rows / n_segments + (i < n_rows % n_segments);
            segments[i] =
                (trine_segment) { .first_row = first, .n_rows = n, .pos = trine_max_int(ctx - n, 0), .prefix = o->prefix };
            first += n;
        }
        const bool chooses = !head_has_all_rows(m);
        const trine_batch batch = { .n_rows = n_rows,
                                    .n_segments = n_segments,
                                    .segments = segments,
                                    .ids = rows,
                                    .types = rows,
                                    .out_rows = chooses ? rows : NULL,
                                    .n_out = n_out,
                                    .mask = o->mask,
                                    .window = o->window };
        status = trine_pass_measure(&needed, m, &batch, kind, o->n_threads, NULL, err);
    }
    free(segments);
    free(rows);
    if (needed > *bytes) *bytes = needed;
    return status;
}

/* The arena: the most that any kind of pass needs. */
static trine_status plan_arena(trine_session_plan *plan, const trine_model *m, trine_error *err)
{
    const trine_session_options *o = &plan->options;
    const bool whole = trine_model_reads_whole(m);
    const int rows = o->batch_tokens, n = o->n_sequences, n_out = head_has_all_rows(m) ? rows : o->logit_rows;
    const struct {
        trine_pass_kind kind;
        int n_rows, n_segments, ctx, n_out;
    } passes[] = {
        /* Texts without a past: the longest, as many as there can be, and few enough tokens for other kernels. */
        { TRINE_PASS_STATES, plan->rows_cap, 1, 0, 0 },
        { TRINE_PASS_STATES, plan->rows_cap, plan->rows_cap, 0, 0 },
        { TRINE_PASS_STATES, FEW_ROWS, 1, 0, 0 },
        { TRINE_PASS_SOURCE, o->source_ctx, 1, 0, 0 },
        { TRINE_PASS_SOURCE, FEW_ROWS, 1, 0, 0 },
        /* A whole batch at the end of the context: of one text, and of all; a few tokens, and one of each. */
        { TRINE_PASS_HEAD, rows, 1, o->ctx, n_out },
        { TRINE_PASS_HEAD, rows, whole ? rows : n, o->ctx, n_out },
        { TRINE_PASS_HEAD, FEW_ROWS, 1, o->ctx, n_out },
        { TRINE_PASS_HEAD, n, n, o->ctx, n_out },
    };
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        if (passes[i].kind == TRINE_PASS_SOURCE && m->info.paradigm != TRINE_ENCODER_DECODER) continue;
        const int n_rows = trine_min_int(passes[i].n_rows, passes[i].kind == TRINE_PASS_HEAD ? rows : plan->rows_cap);
        const trine_status status =
            measure(&plan->arena_bytes, m, o, passes[i].kind, n_rows, passes[i].n_segments, passes[i].ctx, passes[i].n_out, err);
        if (status) return status;
    }
    return TRINE_OK;
}

static bool plan_cache(trine_session_plan *plan, const trine_model *m)
{
    const trine_session_options *o = &plan->options;
    const trine_kv_shape shape = trine_session_kv_shape(m, o);
    size_t cross = 0;
    plan->cache_bytes = 0;
    if (trine_model_reads_whole(m)) return true;
    if (!trine_kv_pool_bytes(&plan->cache_bytes, &shape, o->ctx, o->n_sequences)) return false;
    if (m->info.paradigm == TRINE_ENCODER_DECODER && !trine_kv_pool_bytes(&cross, &shape, o->source_ctx, o->n_sequences))
        return false;
    return trine_add_size(&plan->cache_bytes, plan->cache_bytes, cross);
}

/* Whether one pass reads a text as long as the context. */
static bool passes_are_whole(const trine_model *m, const trine_session_options *o)
{
    return trine_model_reads_whole(m) || (o->whole_texts && m->info.paradigm == TRINE_DECODER);
}

/* The defaults that hang on the context, and all bytes at a context of `ctx`. */
static trine_status plan_for(trine_session_plan *plan, const trine_model *m, const trine_session_options *asked, int ctx,
                             size_t limit, trine_error *err)
{
    trine_session_options *o = &plan->options;
    const trine_paradigm paradigm = m->info.paradigm;
    *plan = (trine_session_plan) { .options = *asked };
    o->ctx = ctx;
    o->n_sequences = trine_max_int(asked->n_sequences, 1);
    if (paradigm == TRINE_ENCODER_DECODER)
        o->source_ctx = asked->source_ctx ? asked->source_ctx : ctx;
    else
        o->source_ctx = 0;
    if (!asked->batch_tokens)
        o->batch_tokens = trine_max_int(passes_are_whole(m, o) ? ctx : trine_min_int(ctx, DEFAULT_BATCH), o->n_sequences);
    /* Masked language modelling asks for the 15% of tokens it hides; decoding for the last of each sequence. */
    if (!asked->logit_rows && m->info.head == TRINE_HEAD_MLM) o->logit_rows = o->batch_tokens / 6;
    o->logit_rows = trine_min_int(trine_max_int(o->logit_rows, o->n_sequences), o->batch_tokens);
    if (o->batch_tokens < o->n_sequences)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "session: batch_tokens is %d, expected at least n_sequences, %d",
                          o->batch_tokens, o->n_sequences);
    if (o->mask == TRINE_MASK_PREFIX && o->prefix > ctx)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "a prefix of %d tokens is longer than a whole text, of %d tokens at most here: give a prefix of 1 to %d",
                          o->prefix, ctx, ctx);
    if (o->mask == TRINE_MASK_PREFIX && o->prefix > o->batch_tokens)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "session: a prefix of %d tokens needs as many batch_tokens, not %d", o->prefix,
                          o->batch_tokens);
    plan->rows_cap = trine_max_int(o->batch_tokens, o->source_ctx);
    plan->batch_bytes = (size_t)plan->rows_cap * (sizeof(trine_segment) + 3 * sizeof(int32_t));

    bool counted = true;
    if (!asked->cache_type && !trine_model_reads_whole(m)) {
        o->cache_type = TRINE_F32;
        counted = plan_cache(plan, m);
        if (!counted || plan->cache_bytes > F32_CACHE_BYTES || plan->cache_bytes > limit / 8) o->cache_type = TRINE_F16;
    }
    counted = plan_cache(plan, m);
    if (!counted)
        return trine_fail(err, TRINE_ERROR_MEMORY, "session: a cache of %d tokens for %d sequences is more than an address holds",
                          ctx, o->n_sequences);
    return plan_arena(plan, m, err);
}

static size_t all_bytes(const trine_session_plan *p)
{
    size_t sum;
    if (!trine_add_size(&sum, p->arena_bytes, p->cache_bytes) || !trine_add_size(&sum, sum, p->batch_bytes)) return SIZE_MAX;
    return sum;
}

/* The longest context up to `high` whose plan fits `limit`; 0 when none does. */
static int longest_that_fits(const trine_model *m, const trine_session_options *asked, int high, size_t limit)
{
    int low = 0;
    while (low < high) {
        const int middle = low + (high - low + 1) / 2;
        trine_session_plan plan;
        if (!plan_for(&plan, m, asked, middle, limit, NULL) && all_bytes(&plan) <= limit)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* --------------------------------------------------------------------------------------------------- what is there */

/* Address space of the worker threads' stacks; it matters under a limit of address space (ulimit -v) only. */
static size_t stack_bytes(int n_threads)
{
    struct rlimit space;
    if (getrlimit(RLIMIT_AS, &space) || space.rlim_cur == RLIM_INFINITY) return 0;
    size_t all;
    return trine_mul_size(&all, (size_t)n_threads - 1, TRINE_TEAM_STACK) ? all : SIZE_MAX;
}

static trine_status refuse(const trine_model *m, const trine_session_options *asked, const trine_session_plan *plan, int ctx,
                           size_t limit, trine_error *err)
{
    char needed[24], cache[24], arena[24], there[24];
    write_bytes(needed, all_bytes(plan));
    write_bytes(cache, plan->cache_bytes);
    write_bytes(arena, plan->arena_bytes);
    write_bytes(there, limit);
    const int longest = longest_that_fits(m, asked, ctx - 1, limit);
    if (longest)
        return trine_fail(err, TRINE_ERROR_MEMORY,
                          "session: a context of %d tokens needs %s (cache %s, temporaries %s) and %s is free: the longest context "
                          "that fits is %d tokens",
                          ctx, needed, cache, arena, there, longest);
    return trine_fail(
        err, TRINE_ERROR_MEMORY,
        "session: a context of %d tokens needs %s (cache %s, temporaries %s) and %s is free: no context fits; free memory, or use "
        "fewer batch_tokens, sequences or threads",
        ctx, needed, cache, arena, there);
}

static void announce(const trine_model *m, const trine_session_plan *plan, int wanted)
{
    char text[200], cache[24];
    const int ctx = plan->options.ctx;
    if (!m->log || trine_model_reads_whole(m)) return;
    write_bytes(cache, plan->cache_bytes);
    const int n =
        snprintf(text, sizeof text, "context: %d tokens, %s cache of %s", ctx, trine_dtype_name(plan->options.cache_type), cache);
    if (ctx < wanted)
        snprintf(text + n, sizeof text - (size_t)n, " (free memory allows no more of the model's %d)", wanted);
    else if (m->info.max_tokens && ctx > m->info.max_tokens)
        snprintf(text + n, sizeof text - (size_t)n, ", more than the %d the model has positions for", m->info.max_tokens);
    else if (m->info.max_tokens)
        snprintf(text + n, sizeof text - (size_t)n, ctx < m->info.max_tokens ? " (of the model's %d)" : " (the model's limit)",
                 m->info.max_tokens);
    m->log(m->log_user, text);
}

int trine_session_default_ctx(const trine_model *m, const trine_session_options *o)
{
    const int most = m->info.max_tokens > 0 ? trine_min_int(m->info.max_tokens, MAX_CTX) : UNLIMITED_CTX;
    /* A decoder that reads texts whole has a pass of them all, and its rotary positions may go on for a million tokens. */
    return m->info.paradigm == TRINE_DECODER && passes_are_whole(m, o) ? trine_min_int(most, UNLIMITED_CTX) : most;
}

trine_status trine_session_plan_at(trine_session_plan *out, const trine_model *m, const trine_session_options *asked, int ctx,
                                   trine_error *err)
{
    trine_session_options o = *asked;
    o.ctx = ctx;
    *out = (trine_session_plan) { 0 };
    trine_status status = check_asked(m, &o, err);
    if (!status) status = trine_team_size(&o.n_threads, err);
    if (status) return status;
    return plan_for(out, m, &o, ctx, SIZE_MAX, err);
}

trine_status trine_session_make_plan(trine_session_plan *out, const trine_model *m, const trine_session_options *options,
                                     trine_error *err)
{
    trine_session_options asked = options ? *options : (trine_session_options) { 0 };
    *out = (trine_session_plan) { 0 };
    const bool choose_threads = !asked.n_threads;
    trine_status status = check_asked(m, &asked, err);
    if (!status) status = trine_team_size(&asked.n_threads, err);
    if (status) return status;

    size_t limit = trine_memory_free();
    while (choose_threads && asked.n_threads > 1 && stack_bytes(asked.n_threads) > limit / 4) asked.n_threads--;
    const size_t stacks = stack_bytes(asked.n_threads);
    limit = limit > stacks ? limit - stacks : 0;
    if (asked.memory && asked.memory < limit) limit = asked.memory;

    int ctx = asked.ctx;
    if (!ctx) {
        const int wanted = trine_session_default_ctx(m, &asked);
        /* The mapped weights want to stay in memory too, so a context that was not asked for leaves room for them. */
        const size_t mapped = m->info.weights_bytes - m->info.copied_bytes, spare = limit > mapped ? limit - mapped : 0;
        const size_t budget = asked.memory ? limit : (spare > limit / 4 ? spare : limit / 4) / 8 * 7;
        if ((status = plan_for(out, m, &asked, wanted, budget, err))) return status;
        ctx = wanted;
        if (all_bytes(out) > budget) {
            ctx = longest_that_fits(m, &asked, wanted, budget);
            ctx = trine_max_int(ctx / TRINE_KV_PAGE * TRINE_KV_PAGE, trine_min_int(wanted, LEAST_DEFAULT_CTX));
        }
        status = plan_for(out, m, &asked, ctx, budget, err);
        if (!status && all_bytes(out) <= limit) announce(m, out, wanted);
    } else {
        status = plan_for(out, m, &asked, ctx, limit, err);
        if (!status && m->info.max_tokens && ctx > m->info.max_tokens && all_bytes(out) <= limit) announce(m, out, ctx);
    }
    if (status) return status;
    return all_bytes(out) <= limit ? TRINE_OK : refuse(m, &asked, out, ctx, limit, err);
}
