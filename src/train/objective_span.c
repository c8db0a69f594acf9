/* objective_span.c - span corruption (Raffel et al. 2020, sec. 3.1.4 and 3.3.4): spans of 3 tokens on average, 15% of all, are each
 * replaced by a sentinel; the target says what stood there, each span after its sentinel. The arithmetic is that of the T5 code's
 * random_spans_noise_mask and random_spans_helper: both kinds of stretches are cut at places drawn uniformly, and the whole is turned by
 * a number of tokens that is drawn (its random_roll), or the one span of a sentence would always be its end, and no model would learn
 * what is missing in a middle. Of a text so short that it has one or two spans the number of tokens is drawn too, about the same mean,
 * or its length would tell it. Sentinels are used in the order <extra_id_0>, <extra_id_1>..., which T5's vocabulary has from its end
 * downwards. */
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

/* The plan of example i, with no more spans than there are sentinels; the first of its draws is made. */
static void plan(int *noise, int *spans, int *inputs, int *targets, trine_draws *d, const trine_text_objective *t, uint64_t epoch,
                 int64_t i, int n)
{
    trine_span_plan(noise, spans, inputs, targets, n, t->o.share, t->o.span);
    *d = trine_draws_for(t->base.seed, TRINE_DRAW_NOISE, epoch, (uint64_t)i);
    if (*spans <= 2) {
        const int least = n + *spans + 1 - t->o.seq_len; /* else the input would be too long */
        int drawn = 1 + (int)trine_draw_below(d, (uint64_t)(2 * *noise - 1));
        if (drawn > n - *spans) drawn = n - *spans;
        if (drawn < *spans) drawn = *spans;
        *noise = drawn < least ? least : drawn;
    }
    if (*spans > t->o.tokens.n_sentinels) *spans = t->o.tokens.n_sentinels; /* a long text's are as many tokens in fewer spans */
    *inputs = n - *noise + *spans + 1;
    *targets = *noise + *spans + 1;
}

trine_example_size trine_span_example_size(const trine_examples *e, uint64_t epoch, int64_t i)
{
    const trine_text_objective *t = (const trine_text_objective *)e;
    trine_draws d;
    size_t start;
    int noise, spans, inputs, targets;
    plan(&noise, &spans, &inputs, &targets, &d, t, epoch, i, trine_windows_get(&start, &t->windows, epoch, i));
    return (trine_example_size) { .rows = inputs, .targets = targets, .outs = targets };
}

/* Writes stretches of 0 and of 1 in turn, k of each, that are n_text and n_noise long together: of each kind every choice of lengths is
 * as likely (selection sampling, Knuth, vol. 2, 3.4.2, algorithm S, of the places where one ends). */
static void draw_stretches(uint8_t *noise, int n_text, int n_noise, int k, trine_draws *d)
{
    int left[2] = { n_text, n_noise }, ends[2] = { k - 1, k - 1 };
    for (int kind = 0; left[0] + left[1] > 0;) {
        if (left[kind]) {
            *noise++ = (uint8_t)kind;
            left[kind]--;
        }
        /* the last stretch of a kind ends with it; another at this place with the probability that is left */
        const bool over = !left[kind] || (int)trine_draw_below(d, (uint64_t)left[kind]) < ends[kind];
        if (over && left[kind]) ends[kind]--;
        if (over) kind = !kind;
    }
}

/* By how much to turn them: to any place but the inside of a span, which would become two. */
static int draw_turn(const uint8_t *noise, int n, trine_draws *d)
{
    int places = 0, turn = 0;
    for (int i = 0; i < n; i++) places += !(noise[i] && noise[(i + n - 1) % n]);
    if (!places) return 0;
    for (int left = (int)trine_draw_below(d, (uint64_t)places);; turn++)
        if (!(noise[turn] && noise[(turn + n - 1) % n]) && left-- == 0) return turn;
}

void trine_span_example_make(trine_batch_room *room, const trine_examples *e, uint64_t epoch, int64_t i)
{
    const trine_text_objective *t = (const trine_text_objective *)e;
    trine_draws d;
    size_t start;
    int n_noise, n_spans, inputs, targets;
    const int n = trine_windows_get(&start, &t->windows, epoch, i);
    const int32_t *ids = t->corpus.ids + start;
    plan(&n_noise, &n_spans, &inputs, &targets, &d, t, epoch, i, n);
    int32_t *target = malloc((size_t)targets * sizeof *target);
    uint8_t *noise = calloc((size_t)n, 1);
    trine_batch_add_text(room, NULL, NULL, 0, 0);
    if (!target || !noise) room->failed = true;
    if (room->failed) {
        free(target);
        free(noise);
        return;
    }
    draw_stretches(noise, n - n_noise, n_noise, n_spans, &d);
    const int turn = draw_turn(noise, n, &d);
    int n_target = 0;
    for (int at = 0, span = 0, before = 0; at < n; at++) {
        const int hidden = noise[(at + turn) % n];
        if (hidden && !before) {
            trine_batch_add_row(room, t->sentinels[span]);
            target[n_target++] = t->sentinels[span++];
        }
        if (hidden)
            target[n_target++] = ids[at];
        else
            trine_batch_add_row(room, ids[at]);
        before = hidden;
    }
    trine_batch_add_row(room, t->o.tokens.eos);
    target[n_target++] = t->o.tokens.eos;
    trine_batch_add_target(room, t->o.tokens.decoder_start, target, n_target);
    free(target);
    free(noise);
}
