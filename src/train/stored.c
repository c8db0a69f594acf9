/* stored.c - examples that are the same in each epoch: pairs, labelled texts, conversations. */
#include <stdlib.h>

#include "base/checksum.h"
#include "base/status.h"
#include "train/draw.h"
#include "train/examples.h"

static int64_t count(const trine_examples *e, uint64_t epoch)
{
    (void)epoch;
    const trine_stored *s = (const trine_stored *)e;
    return s->pairs ? s->all.n_texts / 2 : s->all.n_texts;
}

static trine_example_size size(const trine_examples *e, uint64_t epoch, int64_t i)
{
    (void)epoch;
    const trine_stored *s = (const trine_stored *)e;
    const trine_batch_room *all = &s->all;
    trine_example_size sum = { 0 };
    for (int64_t t = s->pairs ? 2 * i : i, end = t + 1 + s->pairs; t < end; t++) {
        sum.rows += all->segments[t].n_rows;
        sum.targets += all->n_targets ? all->target_segments[t].n_rows : 0;
        sum.outs += all->out_ends[t] - (t ? all->out_ends[t - 1] : 0);
    }
    return sum;
}

static void make(trine_batch_room *room, const trine_examples *e, uint64_t epoch, int64_t i)
{
    (void)epoch;
    const trine_stored *s = (const trine_stored *)e;
    if (s->pairs) trine_batch_copy_text(room, &s->all, 2 * i);
    trine_batch_copy_text(room, &s->all, s->pairs ? 2 * i + 1 : i);
}

static uint64_t checksum(const trine_examples *e)
{
    const trine_batch_room *a = &((const trine_stored *)e)->all;
    uint64_t h = trine_checksum((uint64_t)a->n_texts, a->ids, (size_t)a->n_rows * sizeof *a->ids);
    if (a->n_target_rows) h = trine_checksum(h, a->target_ids, (size_t)a->n_target_rows * sizeof *a->target_ids);
    if (a->n_out) h = trine_checksum(h, a->labels, (size_t)a->n_out * sizeof *a->labels);
    return a->n_texts ? trine_checksum(h, a->out_ends, (size_t)a->n_texts * sizeof *a->out_ends) : h;
}

static void close_stored(trine_examples *e)
{
    trine_stored *s = (trine_stored *)e;
    trine_batch_clear(&s->all);
    free(s);
}

trine_status trine_stored_open(trine_stored **out, trine_error *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out) return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory");
    (*out)->base = (trine_examples) { .count = count, .size = size, .make = make, .checksum = checksum, .close = close_stored };
    return TRINE_OK;
}

trine_status trine_stored_hold_out(trine_stored **out, trine_stored *from, double share, uint64_t seed, trine_error *err)
{
    const int n = (int)count(&from->base, 0), n_held = (int)(share * n + 0.5);
    *out = NULL;
    if (n_held < 1 || n_held >= n)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "train: a share of %g of %d examples leaves none on one side", share, n);
    trine_stored *held, *kept;
    trine_status status = trine_stored_open(&held, err);
    if (status) return status;
    if ((status = trine_stored_open(&kept, err))) {
        close_stored(&held->base);
        return status;
    }
    held->base.chat_template = from->base.chat_template;
    held->base.label_a_text = kept->base.label_a_text = from->base.label_a_text;
    held->all.label_a_text = kept->all.label_a_text = from->all.label_a_text;
    held->pairs = kept->pairs = from->pairs;
    trine_draws d = trine_draws_for(seed, TRINE_DRAW_HELD_OUT, 0, 0);
    for (int i = 0, left = n_held; i < n; i++) {
        const bool take = (int64_t)trine_draw_below(&d, (uint64_t)(n - i)) < left;
        left -= take;
        make(take ? &held->all : &kept->all, &from->base, 0, i);
    }
    const bool failed = held->all.failed || kept->all.failed;
    const trine_batch_room whole = from->all;
    from->all = failed ? whole : kept->all;
    kept->all = failed ? kept->all : whole;
    close_stored(&kept->base);
    if (failed) {
        close_stored(&held->base);
        return trine_fail(err, TRINE_ERROR_MEMORY, "train: no memory for the examples held out");
    }
    *out = held;
    return TRINE_OK;
}
