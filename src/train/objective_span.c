/* objective_span.c - span corruption (Raffel et al. 2020, sec. 3.1.4 and 3.3.4): spans of 3 tokens on average, 15% of all, are each
 * replaced by a sentinel; the target says what stood there, each span after its sentinel. The arithmetic is that of the T5 code's
 * random_spans_noise_mask and random_spans_helper: a sequence begins with text that stays, and both kinds are cut at places drawn
 * uniformly. Sentinels are used in the order <extra_id_0>, <extra_id_1>..., which T5's vocabulary has from its end downwards. */
#include <math.h>
#include <stdlib.h>

#include "train/draw.h"
#include "train/objective.h"

void trine_span_plan(int *n_noise, int *n_spans, int *inputs, int *targets, int n, double share, double mean)
{
    int noise = (int)lround(share * n);
    if (noise > n - 1) noise = n - 1;
    if (noise < 1) noise = 1;
    int spans = (int)lround(noise / mean);
    if (spans > n - noise) spans = n - noise; /* each follows some text */
    if (spans > noise) spans = noise;
    if (spans < 1) spans = 1;
    *n_noise = noise;
    *n_spans = spans;
    *inputs = n - noise + spans + 1;
    *targets = noise + spans + 1;
}

int trine_span_length(int seq_len, double share, double mean)
{
    int noise, spans, inputs, targets, n = 1;
    for (;; n++) {
        trine_span_plan(&noise, &spans, &inputs, &targets, n + 1, share, mean);
        if (inputs > seq_len) return n;
    }
}

/* The plan, with no more spans than there are sentinels. */
static void plan(int *noise, int *spans, int *inputs, int *targets, const trine_text_objective *t, int n)
{
    trine_span_plan(noise, spans, inputs, targets, n, t->o.share, t->o.span);
    const int over = *spans - t->o.tokens.n_sentinels;
    if (over <= 0) return;
    *spans -= over;
    *inputs -= over;
    *targets -= over;
}

trine_example_size trine_span_example_size(const trine_examples *e, uint64_t epoch, int64_t i)
{
    const trine_text_objective *t = (const trine_text_objective *)e;
    size_t start;
    int noise, spans, inputs, targets;
    plan(&noise, &spans, &inputs, &targets, t, trine_windows_get(&start, &t->windows, epoch, i));
    return (trine_example_size) { .rows = inputs, .targets = targets, .outs = targets };
}

/* n things in k parts of 1 or more: the k - 1 places where one ends, marked in cuts[n - 1], each choice as likely. */
static void draw_cuts(uint8_t *cuts, int n, int k, trine_draws *d)
{
    for (int at = 0, left = k - 1; at < n - 1; at++) { /* selection sampling (Knuth, vol. 2, 3.4.2, algorithm S) */
        cuts[at] = (int64_t)trine_draw_below(d, (uint64_t)(n - 1 - at)) < left;
        left -= cuts[at];
    }
}

void trine_span_example_make(trine_batch_room *room, const trine_examples *e, uint64_t epoch, int64_t i)
{
    const trine_text_objective *t = (const trine_text_objective *)e;
    size_t start;
    int n_noise, n_spans, inputs, targets;
    const int n = trine_windows_get(&start, &t->windows, epoch, i);
    const int32_t *ids = t->corpus.ids + start;
    plan(&n_noise, &n_spans, &inputs, &targets, t, n);
    int32_t *target = malloc((size_t)targets * sizeof *target);
    uint8_t *cuts = calloc(2, (size_t)n + 1);
    trine_batch_add_text(room, NULL, NULL, 0, 0);
    if (!target || !cuts) room->failed = true;
    if (room->failed) {
        free(target);
        free(cuts);
        return;
    }
    trine_draws d = trine_draws_for(t->base.seed, TRINE_DRAW_NOISE, epoch, (uint64_t)i);
    uint8_t *noise_cuts = cuts, *text_cuts = cuts + n + 1;
    draw_cuts(noise_cuts, n_noise, n_spans, &d);
    draw_cuts(text_cuts, n - n_noise, n_spans, &d);
    int at = 0, n_target = 0, noise_at = 0, text_at = 0;
    for (int span = 0; span < n_spans; span++) {
        if (text_at < n - n_noise) do
                trine_batch_add_row(room, ids[at++]);
            while (text_at++ < n - n_noise - 1 && !text_cuts[text_at - 1]);
        trine_batch_add_row(room, t->sentinels[span]);
        target[n_target++] = t->sentinels[span];
        do target[n_target++] = ids[at++];
        while (noise_at++ < n_noise - 1 && !noise_cuts[noise_at - 1]);
    }
    trine_batch_add_row(room, t->o.tokens.eos);
    target[n_target++] = t->o.tokens.eos;
    trine_batch_add_target(room, t->o.tokens.decoder_start, target, n_target);
    free(target);
    free(cuts);
}
