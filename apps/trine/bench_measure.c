/* bench_measure.c - the runs of `trine bench`: everything is opened and warm before the clock starts, each length is run several
 * times, and both the best and the middle run are told. The best is what the machine can do; the middle says how noisy it was.
 *
 * Tokens are drawn from a fixed sequence of pseudo-random numbers: what is measured does not depend on the text. */
#include <stdlib.h>
#include <time.h>

#include "bench.h"

enum { WARM = 2 }; /* runs before the clock: the second lays out what an encoder multiplies by */

/* One measurement as it goes on: the times of its runs, and the ids it is fed with. */
typedef struct bench {
    run *run;
    bench_results *all;
    double *times; /* [repeat] */
    int repeat;
    uint64_t state; /* of the pseudo-random ids */
} bench;

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int32_t next_id(bench *b)
{
    b->state = b->state * 6364136223846793005u + 1442695040888963407u; /* Knuth, MMIX */
    return (int32_t)((b->state >> 33) % (uint64_t)b->run->info->vocab);
}

static int32_t *new_ids(bench *b, size_t n)
{
    int32_t *ids = malloc((n ? n : 1) * sizeof *ids);
    for (size_t i = 0; ids && i < n; i++) ids[i] = next_id(b);
    return ids;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int add(bench *b, bench_result result)
{
    bench_results *all = b->all;
    if (all->n == all->cap) {
        const int cap = all->cap ? 2 * all->cap : 16;
        bench_result *items = realloc(all->items, (size_t)cap * sizeof *items);
        if (!items) return fail_memory(b->run);
        all->items = items;
        all->cap = cap;
    }
    qsort(b->times, (size_t)b->repeat, sizeof *b->times, compare);
    result.threads = b->run->memory.n_threads;
    result.best_ms = b->times[0];
    result.median_ms = (b->times[(b->repeat - 1) / 2] + b->times[b->repeat / 2]) / 2;
    trine_weight_uses parts;
    trine_model_weight_uses(&parts, b->run->model);
    bench_count_work(&result, b->run->info, &parts);
    all->items[all->n++] = result;
    return interrupted() ? EXIT_INTERRUPTED : 0;
}

static int open_for(bench *b, trine_session_options options, trine_dtype cache_type)
{
    trine_session_close(b->run->session);
    b->run->session = NULL;
    b->run->args.cache_type = cache_type;
    return open_session(b->run, options);
}

static int most(id_list list)
{
    int n = 0;
    for (int i = 0; i < list.n; i++) n = list.items[i] > n ? list.items[i] : n;
    return n;
}

/* ---------------------------------------------------------------------------------------------------------- decoders */

typedef struct sequences {
    trine_sequence **items;
    const int32_t **ids; /* [n] where each sequence's tokens of a pass lie */
    int *n_ids;          /* [n] */
    int32_t *tokens;     /* [depth] or [n]: what is read */
    int n;
} sequences;

/* All sequences to `depth` tokens, untimed. */
static trine_status go_to(bench *b, sequences *s, int depth, trine_error *err)
{
    trine_status status = TRINE_OK;
    for (int i = 0; i < s->n && !status; i++) {
        const int length = trine_sequence_length(s->items[i]);
        if (length > depth) status = trine_sequence_truncate(s->items[i], depth, err);
        for (int k = length; k < depth; k++) s->tokens[k - length] = next_id(b);
        if (length < depth) status = trine_sequence_feed(s->items[i], s->tokens, depth - length, err);
        if (interrupted()) return TRINE_ERROR_CANCELLED;
    }
    return status;
}

static trine_status prefill_once(bench *b, sequences *s, int n, trine_error *err)
{
    for (int k = 0; k < n; k++) s->tokens[k] = next_id(b);
    return trine_sequence_feed(s->items[0], s->tokens, n, err);
}

static trine_status decode_once(bench *b, sequences *s, int n, trine_error *err)
{
    trine_status status = TRINE_OK;
    for (int step = 0; step < n && !status; step++) {
        for (int i = 0; i < s->n; i++) {
            s->tokens[i] = next_id(b);
            s->ids[i] = &s->tokens[i];
            s->n_ids[i] = 1;
        }
        status = trine_sequences_feed(s->items, s->ids, s->n_ids, s->n, err);
    }
    return status;
}

static int measure_decoder(bench *b, sequences *s, bench_result result)
{
    trine_error err = { 0 };
    /* A short run first: pages of the file are mapped, and what is packed at the first use is packed. */
    trine_status status = go_to(b, s, result.depth, &err);
    if (!status) status = result.kind == BENCH_PREFILL ? prefill_once(b, s, result.tokens, &err) : decode_once(b, s, 1, &err);
    for (int i = 0; i < b->repeat && !status && !interrupted(); i++) {
        if ((status = go_to(b, s, result.depth, &err))) break;
        const double start = now_ms();
        status = result.kind == BENCH_PREFILL ? prefill_once(b, s, result.tokens, &err) : decode_once(b, s, result.tokens, &err);
        b->times[i] = now_ms() - start;
    }
    if (interrupted()) return EXIT_INTERRUPTED;
    if (status) return fail_status(b->run, status, &err);
    result.units = (double)result.tokens * result.batch;
    return add(b, result);
}

static int measure_depths(bench *b, sequences *s, bool with_prefill)
{
    const arguments *a = &b->run->args;
    int code = 0;
    for (int d = 0; d < a->depth.n && !code; d++) {
        bench_result result = { .depth = a->depth.items[d], .batch = 1, .beam = 1, .cache_type = b->run->memory.cache_type };
        for (int i = 0; with_prefill && i < a->prefill.n && !code; i++) {
            result.kind = BENCH_PREFILL;
            result.tokens = a->prefill.items[i];
            if (result.tokens) code = measure_decoder(b, s, result);
        }
        for (int i = 0; i < a->decode.n && !code; i++) {
            result.kind = BENCH_DECODE;
            result.tokens = a->decode.items[i];
            result.batch = s->n;
            if (result.tokens) code = measure_decoder(b, s, result);
        }
    }
    return code;
}

static int decoder_batch(bench *b, int n, trine_dtype cache_type, bool with_prefill)
{
    const arguments *a = &b->run->args;
    const int longest = most(a->prefill) > most(a->decode) ? most(a->prefill) : most(a->decode);
    const int tokens = most(a->depth) + longest > n ? most(a->depth) + longest : n;
    sequences s = { .n = n };
    int code =
        open_for(b, (trine_session_options) { .ctx = a->ctx ? a->ctx : tokens, .n_sequences = n, .logit_rows = n }, cache_type);
    if (code) return code;
    s.items = calloc((size_t)n, sizeof *s.items);
    s.ids = malloc((size_t)n * sizeof *s.ids);
    s.n_ids = malloc((size_t)n * sizeof *s.n_ids);
    s.tokens = malloc((size_t)tokens * sizeof *s.tokens);
    if (!s.items || !s.ids || !s.n_ids || !s.tokens) code = fail_memory(b->run);
    for (int i = 0; i < n && !code; i++) {
        trine_error err = { 0 };
        const trine_status status = trine_sequence_open(&s.items[i], b->run->session, &err);
        if (status) code = fail_status(b->run, status, &err);
    }
    if (!code) code = measure_depths(b, &s, with_prefill);
    for (int i = 0; i < n && s.items; i++) trine_sequence_close(s.items[i]);
    free(s.items);
    free(s.ids);
    free(s.n_ids);
    free(s.tokens);
    return code;
}

/* ------------------------------------------------------------------------------------------------- encoders and pairs */

static int measure_encode(bench *b, int n, int batch)
{
    const size_t d = (size_t)b->run->info->d_embedding;
    int32_t *tokens = new_ids(b, (size_t)n * (size_t)batch);
    const int32_t **ids = malloc((size_t)batch * sizeof *ids);
    int *n_ids = malloc((size_t)batch * sizeof *n_ids);
    float *out = malloc((size_t)batch * d * sizeof *out);
    const bool room = tokens && ids && n_ids && out;
    for (int i = 0; room && i < batch; i++) {
        ids[i] = tokens + (size_t)i * (size_t)n;
        n_ids[i] = n;
    }
    trine_error err = { 0 };
    trine_status status = TRINE_OK;
    for (int i = -WARM; room && i < b->repeat && !status && !interrupted(); i++) {
        const double start = now_ms();
        /* As long as is asked: it is the time that counts, not what the vector means. */
        status =
            trine_embed_ids(out, b->run->session, ids, n_ids, batch, &(trine_task_options) { .too_long = TRINE_LONG_ALLOW }, &err);
        if (i >= 0) b->times[i] = now_ms() - start;
    }
    free(tokens);
    free(ids);
    free(n_ids);
    free(out);
    if (!room) return fail_memory(b->run);
    if (interrupted()) return EXIT_INTERRUPTED;
    if (status) return fail_status(b->run, status, &err);
    return add(b, (bench_result) { .kind = BENCH_ENCODE, .tokens = n, .batch = batch, .beam = 1, .units = batch });
}

static int encoders(bench *b)
{
    const arguments *a = &b->run->args;
    int code = open_for(b, (trine_session_options) { .whole_texts = true }, TRINE_DTYPE_DEFAULT);
    for (int i = 0; i < a->encode.n && !code; i++)
        for (int k = 0; k < a->batch.n && !code; k++)
            if (a->encode.items[i]) code = measure_encode(b, a->encode.items[i], a->batch.items[k]);
    return code;
}

/* Texts written together, as `translate --parallel` writes them. */
static trine_status write_batch(bench *b, const trine_generate_options *options, int batch, trine_error *err)
{
    trine_generator *g;
    trine_status status = trine_generator_open(&g, b->run->session, err);
    for (int i = 0; i < batch && !status; i++) status = trine_generator_add(g, i, NULL, options, err);
    while (!status && trine_generator_held(g) && !interrupted()) {
        trine_generation text;
        int64_t id = 0;
        status = trine_generator_step(g, err);
        while (!status && id >= 0) {
            status = trine_generator_take(&text, &id, g, err);
            trine_generation_clear(&text);
        }
    }
    trine_generator_close(g);
    return status;
}

/* Sources are read several in a pass, as far as the room for one goes: that of a batch is the model's. */
static int source_room(const bench *b, int source, int batch)
{
    const int most = b->run->info->max_tokens ? b->run->info->max_tokens : 512;
    const int64_t all = (int64_t)source * batch;
    return source > most ? source : all > most ? most : (int)all;
}

static int measure_translate(bench *b, bench_result result, trine_dtype cache_type)
{
    const int source = result.source, batch = result.batch;
    const trine_session_options session = { .ctx = result.tokens + 1,
                                            .source_ctx = source_room(b, source, batch),
                                            .n_sequences = batch > 1 ? batch : result.beam };
    int code = open_for(b, session, cache_type);
    if (code) return code;
    int32_t *ids = new_ids(b, (size_t)source);
    if (!ids) return fail_memory(b->run);
    const trine_generate_options options = {
        .max_tokens = result.tokens, .beam = result.beam, .ignore_eos = true, .ids = ids, .n_ids = source
    };
    trine_error err = { 0 };
    trine_status status = TRINE_OK;
    for (int i = -WARM; i < b->repeat && !status && !interrupted(); i++) {
        trine_generation g = { 0 };
        const double start = now_ms();
        status = batch > 1 ? write_batch(b, &options, batch, &err) : trine_generate(&g, b->run->session, NULL, &options, &err);
        if (i >= 0) b->times[i] = now_ms() - start;
        trine_generation_clear(&g);
    }
    free(ids);
    if (interrupted()) return EXIT_INTERRUPTED;
    if (status) return fail_status(b->run, status, &err);
    result.cache_type = b->run->memory.cache_type;
    result.units = (double)result.tokens * batch;
    return add(b, result);
}

static int translate(bench *b, trine_dtype cache_type)
{
    const arguments *a = &b->run->args;
    int code = 0;
    for (int s = 0; s < a->encode.n; s++)
        for (int t = 0; t < a->decode.n; t++)
            for (int n = 0; n < a->batch.n; n++)
                for (int k = 0; k < a->beams.n && !code; k++)
                    if (a->encode.items[s] && a->decode.items[t])
                        code = measure_translate(b,
                                                 (bench_result) { .kind = BENCH_TRANSLATE,
                                                                  .tokens = a->decode.items[t],
                                                                  .source = a->encode.items[s],
                                                                  .batch = a->batch.items[n],
                                                                  .beam = a->beams.items[k] },
                                                 cache_type);
    return code;
}

/* ---------------------------------------------------------------------------------------------------------------- all */

/* A list that was not given gets its default, for this kind of model. */
static bool fall_back(id_list *list, int n, int first, int second)
{
    if (list->n) return true;
    list->items = malloc(2 * sizeof *list->items);
    if (!list->items) return false;
    list->items[0] = first;
    list->items[1] = second;
    list->n = n;
    return true;
}

/* Encoders, and all that give labels: texts are read whole, and nothing is written. Of an encoder-decoder's labels the encoder is measured. */
static bool reads_whole(const trine_model_info *m)
{
    return m->paradigm == TRINE_ENCODER || m->head == TRINE_HEAD_LABELS || m->head == TRINE_HEAD_TAGS;
}

/* From source to target. */
static bool is_pair(const trine_model_info *m) { return m->paradigm == TRINE_ENCODER_DECODER && !reads_whole(m); }

static bool set_lengths(arguments *a, const trine_model_info *m)
{
    const bool writes = m->paradigm == TRINE_DECODER && !reads_whole(m);
    const int text = m->max_tokens && m->max_tokens < 128 ? m->max_tokens : 128;
    const bool asked = a->prefill.n || a->decode.n || a->encode.n;
    const bool one = is_pair(m);
    return fall_back(&a->prefill, 1, writes && !asked ? 512 : 0, 0) &&
           fall_back(&a->decode, 1,
                     one                ? 64
                     : writes && !asked ? 128
                                        : 0,
                     0) &&
           fall_back(&a->encode, 1, writes ? 0 : text, 0) && fall_back(&a->depth, 1, 0, 0) &&
           fall_back(&a->beams, a->batch.n ? 1 : 2, 1, 4) && fall_back(&a->batch, reads_whole(m) ? 2 : 1, 1, 32);
}

const int32_t *bench_threads(const run *r, int *n)
{
    static const int32_t all_cores = 0;
    *n = r->args.thread_counts.n ? r->args.thread_counts.n : 1;
    return r->args.thread_counts.n ? r->args.thread_counts.items : &all_cores;
}

/* Everything, at one number of threads. */
static int measure(bench *b)
{
    const arguments *a = &b->run->args;
    const bool pair = is_pair(b->run->info), writes = !pair && !reads_whole(b->run->info);
    const int n_types = a->cache_types.n ? a->cache_types.n : 1;
    int code = 0;
    for (int t = 0; t < n_types && !code; t++) {
        const trine_dtype type = a->cache_types.n ? (trine_dtype)a->cache_types.items[t] : TRINE_DTYPE_DEFAULT;
        if (pair) code = translate(b, type);
        for (int i = 0; writes && i < a->batch.n && !code && (most(a->prefill) || most(a->decode)); i++)
            code = decoder_batch(b, a->batch.items[i], type, i == 0);
    }
    if (!code && !pair && most(a->encode)) code = encoders(b);
    return code;
}

int bench_measure(run *r, bench_results *all)
{
    arguments *a = &r->args;
    const bool pair = is_pair(r->info);
    if (reads_whole(r->info) && (a->prefill.n || a->decode.n || a->depth.n || a->cache_types.n))
        return fail_usage(r, "%s reads texts and writes none: it takes --encode and --batch", a->model);
    if (pair && (a->prefill.n || a->depth.n))
        return fail_usage(r, "%s is an encoder-decoder: it takes --encode (source), --decode (target), --batch and --beam",
                          a->model);
    if (!pair && a->beams.n) return fail_usage(r, "--beam is for encoder-decoders that write");
    if (most(a->batch) > 1 && most(a->beams) > 1)
        return fail_usage(r,
                          "--batch writes the likeliest token of each text, --beam follows several of one: expected one of them");
    if (!set_lengths(a, r->info)) return fail_memory(r);
    bench b = { .run = r, .all = all, .repeat = a->repeat, .state = 1, .times = calloc((size_t)a->repeat, sizeof(double)) };
    if (!b.times) return fail_memory(r);
    int code = 0, n;
    const int32_t *threads = bench_threads(r, &n);
    for (int i = 0; i < n && !code; i++) {
        a->threads = threads[i];
        code = measure(&b);
    }
    free(b.times);
    return code;
}
