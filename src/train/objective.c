/* objective.c - the objectives over running text: masked, causal, prefix language modelling, and span corruption.
 *
 * Masked: Devlin et al. 2019, sec. 3.1, and its create_pretraining_data.py: of each sequence round(0.15 n) tokens, 1 at least; of
 * these 80% become [MASK], 10% another token, 10% stay. Whole words as in its "whole word masking" models: all pieces of a word
 * or none. Chosen anew each epoch, as RoBERTa does (Liu et al. 2019, sec. 4.1).
 * Prefix: Raffel et al. 2020, sec. 3.2.1: a place is drawn, what is before it is the input, what follows is predicted.
 * Span corruption: objective_span.c. */
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/status.h"
#include "train/draw.h"
#include "train/objective.h"

void trine_examples_close(trine_examples *e)
{
    if (e) e->close(e);
}

static int64_t count(const trine_examples *e, uint64_t epoch)
{
    return trine_windows_count(&((const trine_text_objective *)e)->windows, epoch);
}

static void close_objective(trine_examples *e)
{
    trine_text_objective *t = (trine_text_objective *)e;
    trine_windows_close(&t->windows);
    trine_corpus_close(&t->corpus);
    free(t->sentinels);
    free(t->continues);
    free(t->special);
    free(t);
}

/* ------------------------------------------------------------------------------------------------------------ masked */

static int masked_of(const trine_text_objective *t, int n)
{
    const int k = (int)(t->o.share * n + 0.5);
    return k < 1 ? 1 : k > n ? n : k;
}

static trine_example_size masked_size(const trine_examples *e, uint64_t epoch, int64_t i)
{
    const trine_text_objective *t = (const trine_text_objective *)e;
    size_t start;
    const int n = trine_windows_get(&start, &t->windows, epoch, i);
    return (trine_example_size) { .rows = n + 2, .outs = masked_of(t, n) };
}

/* One token is chosen: what stands in its place, and what was there is asked for. */
static void mask_one(trine_batch_room *room, const trine_text_objective *t, int row, trine_draws *d)
{
    int32_t *at = &room->ids[room->segments[room->n_texts - 1].first_row + row];
    const int32_t was = *at;
    const double u = trine_draw_unit(d);
    if (u < 0.8)
        *at = t->o.tokens.mask;
    else if (u < 0.9)
        *at = (int32_t)trine_draw_below(d, (uint64_t)t->o.tokens.vocab);
    trine_batch_add_out(room, row, was, 1);
}

static bool goes_on(const trine_text_objective *t, int32_t id)
{
    return t->continues && id < t->o.tokens.vocab && t->continues[id];
}

static void make_masked(trine_batch_room *room, const trine_examples *e, uint64_t epoch, int64_t i)
{
    const trine_text_objective *t = (const trine_text_objective *)e;
    size_t start;
    const int n = trine_windows_get(&start, &t->windows, epoch, i);
    const int32_t *ids = t->corpus.ids + start;
    trine_batch_add_text(room, NULL, NULL, 0, 0);
    trine_batch_add_row(room, t->o.tokens.cls);
    for (int k = 0; k < n; k++) trine_batch_add_row(room, ids[k]);
    trine_batch_add_row(room, t->o.tokens.sep);
    /* The beginnings of words (of all tokens, when pieces go alone), in an order drawn for this epoch. */
    int *words = malloc((size_t)n * sizeof *words), n_words = 0;
    if (!words) room->failed = true;
    if (room->failed) {
        free(words);
        return;
    }
    for (int k = 0; k < n; k++)
        if (!(t->special && ids[k] < t->o.tokens.vocab && t->special[ids[k]]) && (!k || !goes_on(t, ids[k]))) words[n_words++] = k;
    trine_draws d = trine_draws_for(t->base.seed, TRINE_DRAW_NOISE, epoch, (uint64_t)i);
    const int most = masked_of(t, n);
    int chosen = 0;
    for (int w = 0; w < n_words && chosen < most; w++) {
        const int other = w + (int)trine_draw_below(&d, (uint64_t)(n_words - w)), first = words[other];
        words[other] = words[w];
        int last = first + 1;
        while (last < n && goes_on(t, ids[last])) last++;
        if (last - first > most - chosen && chosen) continue; /* the word would be one too many: a shorter one may fit */
        for (int k = first; k < last && chosen < most; k++, chosen++) mask_one(room, t, k + 1, &d);
    }
    free(words);
}

/* ------------------------------------------------------------------------------------------------------------ causal */

static trine_example_size causal_size(const trine_examples *e, uint64_t epoch, int64_t i)
{
    const trine_text_objective *t = (const trine_text_objective *)e;
    size_t start;
    const int n = trine_windows_get(&start, &t->windows, epoch, i) - 1;
    return (trine_example_size) { .rows = n, .outs = n };
}

static void make_causal(trine_batch_room *room, const trine_examples *e, uint64_t epoch, int64_t i)
{
    const trine_text_objective *t = (const trine_text_objective *)e;
    size_t start;
    const int n = trine_windows_get(&start, &t->windows, epoch, i) - 1;
    const int32_t *ids = t->corpus.ids + start;
    trine_batch_add_text(room, ids, NULL, n, 0);
    for (int k = 0; k < n; k++) trine_batch_add_out(room, k, ids[k + 1], 1);
}

/* ------------------------------------------------------------------------------------------------------------ prefix */

/* Tokens of a sequence of n that are the prefix: 1 .. n - 1. */
static int prefix_of(const trine_text_objective *t, int n, uint64_t epoch, int64_t i)
{
    trine_draws d = trine_draws_for(t->base.seed, TRINE_DRAW_NOISE, epoch, (uint64_t)i);
    return 1 + (int)trine_draw_below(&d, (uint64_t)(n - 1));
}

static trine_example_size prefix_size(const trine_examples *e, uint64_t epoch, int64_t i)
{
    const trine_text_objective *t = (const trine_text_objective *)e;
    size_t start;
    const int n = trine_windows_get(&start, &t->windows, epoch, i), prefix = prefix_of(t, n, epoch, i);
    if (t->o.has_encoder) return (trine_example_size) { .rows = prefix, .targets = n - prefix, .outs = n - prefix };
    return (trine_example_size) { .rows = n - 1, .outs = n - prefix };
}

static void make_prefix(trine_batch_room *room, const trine_examples *e, uint64_t epoch, int64_t i)
{
    const trine_text_objective *t = (const trine_text_objective *)e;
    size_t start;
    const int n = trine_windows_get(&start, &t->windows, epoch, i), prefix = prefix_of(t, n, epoch, i);
    const int32_t *ids = t->corpus.ids + start;
    if (t->o.has_encoder) {
        trine_batch_add_text(room, ids, NULL, prefix, 0);
        trine_batch_add_target(room, t->o.tokens.decoder_start, ids + prefix, n - prefix);
        return;
    }
    trine_batch_add_text(room, ids, NULL, n - 1, prefix);
    for (int k = prefix - 1; k < n - 1; k++) trine_batch_add_out(room, k, ids[k + 1], 1);
}

/* -------------------------------------------------------------------------------------------------------------- open */

static trine_status check(const trine_objective_options *o, trine_error *err)
{
    const bool encoder = o->has_encoder && !o->has_decoder, decoder = o->has_decoder && !o->has_encoder;
    switch (o->kind) {
    case TRINE_OBJECTIVE_MASKED:
        if (!encoder)
            return trine_fail(err, TRINE_ERROR_ARGUMENT,
                              "train: masked language modelling is for encoders (bert); this model is a%s",
                              decoder ? " decoder: causal or prefix" : "n encoder-decoder: span or prefix");
        if (o->tokens.mask < 0 || o->tokens.cls < 0 || o->tokens.sep < 0)
            return trine_fail(err, TRINE_ERROR_ARGUMENT,
                              "train: this tokenizer has no %s token, which masked language modelling needs",
                              o->tokens.mask < 0  ? "mask"
                              : o->tokens.cls < 0 ? "[CLS]"
                                                  : "[SEP]");
        break;
    case TRINE_OBJECTIVE_CAUSAL:
        if (!decoder)
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: causal language modelling is for decoders (gpt2, llama)");
        break;
    case TRINE_OBJECTIVE_PREFIX:
        if (encoder) return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: prefix language modelling is for models with a decoder");
        break;
    case TRINE_OBJECTIVE_SPAN:
        if (!o->has_encoder || !o->has_decoder)
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: span corruption is for encoder-decoders (t5)");
        if (!o->tokens.n_sentinels)
            return trine_fail(
                err, TRINE_ERROR_ARGUMENT,
                "train: this tokenizer has no sentinels (<extra_id_0>, <extra_id_1>...), which span corruption needs");
        if (o->tokens.eos < 0) return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: this tokenizer has no end token");
        break;
    default: return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: this objective is not for running text");
    }
    if (o->seq_len < 4)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: sequences of %d tokens, expected 4 or more", o->seq_len);
    return TRINE_OK;
}

static bool keep(void **out, const void *bytes, size_t n)
{
    if (!bytes) return true;
    *out = malloc(n);
    if (*out) memcpy(*out, bytes, n);
    return *out != NULL;
}

static uint64_t checksum(const trine_examples *e)
{
    const trine_corpus *c = &((const trine_text_objective *)e)->corpus;
    return trine_checksum(trine_checksum(c->n, c->ids, c->n * sizeof *c->ids), c->ends, c->n_documents * sizeof *c->ends);
}

trine_status trine_objective_open(trine_examples **out, trine_corpus *corpus, const trine_objective_options *options,
                                  trine_error *err)
{
    *out = NULL;
    trine_status status = check(options, err);
    trine_text_objective *t = status ? NULL : calloc(1, sizeof *t);
    if (!status && !t) status = trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory");
    if (status) {
        trine_corpus_close(corpus);
        return status;
    }
    t->corpus = *corpus;
    *corpus = (trine_corpus) { 0 };
    t->o = *options;
    if (!(t->o.share > 0)) t->o.share = 0.15;
    if (!(t->o.span > 0)) t->o.span = 3;
    t->base = (trine_examples) { .count = count, .checksum = checksum, .close = close_objective, .seed = options->seed };
    const trine_objective_tokens *k = &options->tokens;
    if (!keep((void **)&t->sentinels, k->sentinels, (size_t)k->n_sentinels * sizeof *k->sentinels) ||
        !keep((void **)&t->continues, options->whole_word ? k->continues : NULL, (size_t)k->vocab) ||
        !keep((void **)&t->special, k->special, (size_t)k->vocab))
        status = trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory");
    int length = options->seq_len, overlap = 0;
    switch (options->kind) {
    case TRINE_OBJECTIVE_MASKED:
        t->base.size = masked_size;
        t->base.make = make_masked;
        length -= 2;
        break;
    case TRINE_OBJECTIVE_CAUSAL:
        t->base.size = causal_size;
        t->base.make = make_causal;
        overlap = 1;
        break;
    case TRINE_OBJECTIVE_PREFIX:
        t->base.size = prefix_size;
        t->base.make = make_prefix;
        t->base.prefix = !options->has_encoder;
        overlap = 1;
        break;
    default:
        t->base.size = trine_span_example_size;
        t->base.make = trine_span_example_make;
        length = trine_span_length(length, t->o.share, t->o.span);
        break;
    }
    if (!status) status = trine_windows_open(&t->windows, &t->corpus, length, overlap, options->separate, options->seed, err);
    if (status) {
        close_objective(&t->base);
        return status;
    }
    *out = &t->base;
    return TRINE_OK;
}
