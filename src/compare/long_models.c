/* long_models.c - see long_models.h. */
#include "compare/long_models.h"

#include <stdlib.h>

#include "base/counter_random.h"
#include "base/status.h"

enum { BATCH_TOKENS = 1024, POSITIONS = 1 << 20, HEAD = 32, WIDTH = 64, LAYERS = 4 };

/* A document without filler has some 38 tokens, a sentence of filler 5.8 on average, and two places grow. */
int trine_long_scale(int n_tokens) { return n_tokens < 50 ? 1 : (int)((n_tokens - 38) / 11.6); }

/* ---------------------------------------------------------------------- a decoder's examples: the summary alone is scored */

typedef struct summaries {
    trine_examples base;
    const trine_world_set *set;
} summaries;

static int length_of(const trine_world_set *s, int64_t i) { return (int)(s->starts[i + 1] - s->starts[i]); }

static int64_t count(const trine_examples *e, uint64_t epoch)
{
    (void)epoch;
    return ((const summaries *)e)->set->n;
}

static trine_example_size size(const trine_examples *e, uint64_t epoch, int64_t i)
{
    (void)epoch;
    const trine_world_set *s = ((const summaries *)e)->set;
    return (trine_example_size) { .rows = length_of(s, i) + 1, .outs = length_of(s, i) + 1 - s->splits[i] };
}

static void make(trine_batch_room *room, const trine_examples *e, uint64_t epoch, int64_t i)
{
    (void)epoch;
    const trine_world_set *s = ((const summaries *)e)->set;
    const int32_t *ids = s->ids + s->starts[i];
    const int n = length_of(s, i);
    trine_batch_add_text(room, NULL, NULL, 0, 0);
    trine_batch_add_row(room, TRINE_WORLD_BOS);
    for (int k = 0; k < n; k++) trine_batch_add_row(room, ids[k]);
    for (int k = s->splits[i]; k <= n; k++) trine_batch_add_out(room, k, k < n ? ids[k] : TRINE_WORLD_EOS, 1);
}

static void close_examples(trine_examples *e) { free(e); }

static trine_status open_examples(trine_examples **out, const trine_world_set *set, trine_paradigm paradigm, uint64_t seed,
                                  trine_error *err)
{
    if (paradigm != TRINE_DECODER) return trine_world_examples(out, set, paradigm, seed, err); /* an answer from its question */
    summaries *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    s->set = set;
    s->base = (trine_examples) { .count = count, .size = size, .make = make, .close = close_examples, .seed = seed };
    *out = &s->base;
    return TRINE_OK;
}

/* ------------------------------------------------------------------------------------------------------------ training */

/* Documents of every length up to the longest, drawn evenly. */
static trine_status draw_documents(trine_world_set *set, const trine_grammar *world, const trine_long_training *t, trine_error *err)
{
    const int most = trine_long_scale(t->longest);
    trine_status status = trine_world_set_open(set, world, "summarise", t->seed, 0, 1, 0, err);
    for (uint64_t i = 1; !status && set->n_tokens < t->n_tokens; i++)
        status = trine_world_set_add(set, "summarise", t->seed, i, 1 + (int)(trine_random_mix(i) % (uint64_t)most), err);
    return status;
}

trine_status trine_long_train(trine_contender **out, const trine_grammar *world, trine_paradigm paradigm,
                              const trine_long_training *t, trine_error *err)
{
    trine_world_set set = { 0 };
    trine_examples *examples;
    trine_contender_options options = { .seed = t->seed,
                                        .n_threads = t->n_threads,
                                        .cpu = t->cpu,
                                        .batch_tokens = BATCH_TOKENS,
                                        .on_step = t->on_step,
                                        .user = t->user };
    *out = NULL;
    trine_size shape = { .paradigm = paradigm,
                         .n_layers = paradigm == TRINE_DECODER ? LAYERS : LAYERS / 2, /* of encoder and decoder each */
                         .d_model = WIDTH,
                         .n_heads = WIDTH / HEAD,
                         .vocab = trine_world_vocab(world),
                         .max_tokens = POSITIONS };
    trine_status status = trine_size_fit(&shape, t->n_parameters, err);
    if (!status) options.learning_rate = trine_contender_rate(&shape);
    if (!status) status = draw_documents(&set, world, t, err);
    if (!status) status = trine_contender_open(out, &shape, &options, err);
    if (!status) status = open_examples(&examples, &set, paradigm, t->seed, err);
    if (!status) status = trine_contender_train(*out, examples, NULL, err);
    trine_world_set_close(&set);
    if (!status) return TRINE_OK;
    trine_contender_close(*out);
    *out = NULL;
    return status;
}
