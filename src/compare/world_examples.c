/* world_examples.c - see world_examples.h. */
#include "compare/world_examples.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "train/draw.h"

/* ---------------------------------------------------------------------------------------------------------------- set */

static trine_status add_text(trine_world_set *s, const trine_grammar_text *t, trine_error *err)
{
    if (s->n == s->texts_cap) {
        const int64_t cap = s->texts_cap ? 2 * s->texts_cap : 256;
        size_t *starts = realloc(s->starts, ((size_t)cap + 1) * sizeof *starts);
        if (starts) s->starts = starts;
        int *splits = starts ? realloc(s->splits, (size_t)cap * sizeof *splits) : NULL;
        if (splits) s->splits = splits;
        int *rules = splits ? realloc(s->rules, (size_t)cap * sizeof *rules) : NULL;
        if (rules) s->rules = rules;
        if (!rules) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory for %lld texts", (long long)cap);
        s->texts_cap = cap;
        s->starts[0] = 0;
    }
    const size_t at = s->starts[s->n];
    if (at + (size_t)t->n > s->ids_cap) {
        const size_t cap = 2 * (at + (size_t)t->n);
        int32_t *ids = realloc(s->ids, cap * sizeof *ids);
        if (!ids) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory for %zu tokens", cap);
        s->ids = ids;
        s->ids_cap = cap;
    }
    memcpy(s->ids + at, t->ids, (size_t)t->n * sizeof *t->ids);
    const int32_t mark = trine_grammar_id(s->world, "=>");
    int split = 0;
    while (split < t->n && t->ids[split] != mark) split++;
    s->splits[s->n] = split < t->n ? split + 1 : 0;
    s->rules[s->n] = trine_grammar_find(s->world, s->world->words[t->ids[0] - s->world->first_id]);
    s->starts[++s->n] = at + (size_t)t->n;
    s->n_tokens += t->n + 1;
    return TRINE_OK;
}

trine_status trine_world_set_open(trine_world_set *out, const trine_grammar *world, const char *rule, uint64_t seed, int64_t first,
                                  int64_t n, int64_t n_tokens, trine_error *err)
{
    *out = (trine_world_set) { .world = world, .vocab = trine_world_vocab(world) };
    const int r = trine_grammar_find(world, rule);
    if (r < 0) return trine_fail(err, TRINE_ERROR_ARGUMENT, "compare: the world has no texts called '%s'", rule);
    trine_grammar_text t = { 0 };
    trine_status status = TRINE_OK;
    while (!status && (n ? out->n < n : out->n_tokens < n_tokens)) {
        t.n = 0;
        trine_grammar_write(&t, world, r, seed, (uint64_t)(first + out->n), 0);
        status = t.failed ? trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory for a text") : add_text(out, &t, err);
    }
    trine_grammar_text_clear(&t);
    if (status) trine_world_set_close(out);
    return status;
}

trine_status trine_world_set_add(trine_world_set *s, const char *rule, uint64_t seed, uint64_t i, int scale, trine_error *err)
{
    trine_grammar_text t = { 0 };
    const int r = trine_grammar_find(s->world, rule);
    if (r < 0) return trine_fail(err, TRINE_ERROR_ARGUMENT, "compare: the world has no texts called '%s'", rule);
    trine_grammar_write(&t, s->world, r, seed, i, scale);
    const trine_status status =
        t.failed ? trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory for a text") : add_text(s, &t, err);
    trine_grammar_text_clear(&t);
    return status;
}

void trine_world_set_close(trine_world_set *s)
{
    free(s->starts);
    free(s->splits);
    free(s->rules);
    free(s->ids);
    *s = (trine_world_set) { 0 };
}

int trine_world_blanks(const trine_world_set *s, int64_t i)
{
    const int rule = s->rules[i], longest = rule < 0 ? 0 : s->world->rules[rule].facts.most_answer;
    const int source = s->splits[i] - 3; /* without "reverse", ":" and "=>" */
    return (source < longest ? source : longest) + 1;
}

int trine_world_max_tokens(const trine_grammar *world)
{
    int most = 0;
    for (int i = 0; i < world->n_rules; i++)
        if (world->rules[i].facts.most_tokens > most) most = world->rules[i].facts.most_tokens;
    return most + 4; /* [CLS], [SEP], the end, and one place that an answer may have left over */
}

/* ------------------------------------------------------------------------------------------------------------- examples */

typedef struct world_examples {
    trine_examples base;
    const trine_world_set *set;
} world_examples;

static int64_t count(const trine_examples *e, uint64_t epoch)
{
    (void)epoch;
    return ((const world_examples *)e)->set->n;
}

static void close_examples(trine_examples *e) { free(e); }

typedef struct text {
    const int32_t *ids;
    int n, split;
} text;
static text text_of(const trine_examples *e, int64_t i)
{
    const trine_world_set *s = ((const world_examples *)e)->set;
    return (text) { s->ids + s->starts[i], (int)(s->starts[i + 1] - s->starts[i]), s->splits[i] };
}

static trine_draws draws_of(const trine_examples *e, uint64_t epoch, int64_t i)
{
    return trine_draws_for(e->seed, TRINE_DRAW_NOISE, epoch, (uint64_t)i);
}

/* ---- decoder */

static trine_example_size causal_size(const trine_examples *e, uint64_t epoch, int64_t i)
{
    (void)epoch;
    const text t = text_of(e, i);
    return (trine_example_size) { .rows = t.n + 1, .outs = t.n + 1 };
}

static void make_causal(trine_batch_room *room, const trine_examples *e, uint64_t epoch, int64_t i)
{
    (void)epoch;
    const text t = text_of(e, i);
    trine_batch_add_text(room, NULL, NULL, 0, 0);
    trine_batch_add_row(room, TRINE_WORLD_BOS);
    for (int k = 0; k < t.n; k++) trine_batch_add_row(room, t.ids[k]);
    for (int k = 0; k <= t.n; k++) trine_batch_add_out(room, k, k < t.n ? t.ids[k] : TRINE_WORLD_EOS, 1);
}

/* ---- encoder-decoder */

/* A text without a question: tokens of the beginning whose rest is asked for, or 0: parts of the text are. */
static int beginning_of(const text *t, trine_draws *d)
{
    if (t->split) return t->split;
    return trine_draw_below(d, 2) ? 0 : t->n / 4 + (int)trine_draw_below(d, (uint64_t)(t->n / 2) + 1);
}

/* What is cut out of a text: as many tokens and spans as T5 cuts out, on average; but their number and their lengths are drawn for each
 * text, and text may follow the last of them. T5's code gives a length its number of noise tokens and spans, and ends every text in a
 * span: in its texts of 512 tokens that hardly shows, but in one of 30 the only sentinel would always stand for the last four, and
 * no model would learn what a word missing in the middle looks like. */
enum { MEAN_SPAN = 3, SPANS_MOST = 64 };
typedef struct spans {
    int n, noise, lengths[SPANS_MOST];
} spans;

static spans spans_of(const text *t, trine_draws *d)
{
    int noise, mean, inputs, targets;
    spans s = { 0 };
    trine_span_plan(&noise, &mean, &inputs, &targets, t->n, 0.15, MEAN_SPAN);
    if (mean > SPANS_MOST / 2) mean = SPANS_MOST / 2;
    const int n = 1 + (int)trine_draw_below(d, (uint64_t)(2 * mean - 1));
    while (s.n < n) {
        const int length = 1 + (int)trine_draw_below(d, 2 * MEAN_SPAN - 1);
        if (s.noise + length + s.n + 1 > t->n && s.n) break; /* a token of text before each */
        s.lengths[s.n++] = length < t->n ? length : t->n - 1;
        s.noise += s.lengths[s.n - 1];
    }
    return s;
}

static trine_example_size two_sided_size(const trine_examples *e, uint64_t epoch, int64_t i)
{
    const text t = text_of(e, i);
    trine_draws d = draws_of(e, epoch, i);
    const int beginning = beginning_of(&t, &d);
    if (beginning) return (trine_example_size) { .rows = beginning, .targets = t.n + 1 - beginning, .outs = t.n + 1 - beginning };
    const spans s = spans_of(&t, &d);
    return (trine_example_size) { .rows = t.n - s.noise + s.n + 1, .targets = s.noise + s.n + 1, .outs = s.noise + s.n + 1 };
}

static void make_spans(trine_batch_room *room, int32_t *target, const text *t, trine_draws *d)
{
    const spans s = spans_of(t, d);
    const int kept = t->n - s.noise;
    int n = 0, at = 0, next = 0;
    for (int k = 0; k < kept; k++) {
        trine_batch_add_row(room, t->ids[at++]);
        /* behind this one with the probability that is left: every choice of places is as likely (Knuth, vol. 2, 3.4.2, algorithm S) */
        if ((int)trine_draw_below(d, (uint64_t)(kept - k)) >= s.n - next) continue;
        trine_batch_add_row(room, TRINE_WORLD_SENTINEL + next);
        target[n++] = TRINE_WORLD_SENTINEL + next;
        for (int i = 0; i < s.lengths[next]; i++) target[n++] = t->ids[at++];
        next++;
    }
    trine_batch_add_row(room, TRINE_WORLD_EOS);
    target[n++] = TRINE_WORLD_EOS;
    trine_batch_add_target(room, TRINE_WORLD_PAD, target, n);
}

static void make_two_sided(trine_batch_room *room, const trine_examples *e, uint64_t epoch, int64_t i)
{
    const text t = text_of(e, i);
    trine_draws d = draws_of(e, epoch, i);
    const int beginning = beginning_of(&t, &d);
    int32_t *target = malloc((2 * (size_t)t.n + 2) * sizeof *target);
    trine_batch_add_text(room, NULL, NULL, 0, 0);
    if (!target) room->failed = true;
    if (!target || room->failed) {
        free(target);
        return;
    }
    if (beginning) {
        for (int k = 0; k < beginning; k++) trine_batch_add_row(room, t.ids[k]);
        memcpy(target, t.ids + beginning, (size_t)(t.n - beginning) * sizeof *target);
        target[t.n - beginning] = TRINE_WORLD_EOS;
        trine_batch_add_target(room, TRINE_WORLD_PAD, target, t.n + 1 - beginning);
    } else {
        make_spans(room, target, &t, &d);
    }
    free(target);
}

/* ---- encoder */

/* What is masked of a text: `n` of the `places` behind the first `shown` tokens. */
typedef struct masking {
    int shown, places, n;
} masking;

static masking masking_of(const trine_examples *e, int64_t i, const text *t, trine_draws *d)
{
    masking m = { .shown = beginning_of(t, d) };
    m.places = t->split ? trine_world_blanks(((const world_examples *)e)->set, i) : t->n - m.shown;
    m.n = m.shown ? 1 + (int)trine_draw_below(d, (uint64_t)m.places) : (int)(0.15 * m.places + 0.5);
    if (m.n < 1) m.n = 1;
    return m;
}

static trine_example_size masked_size(const trine_examples *e, uint64_t epoch, int64_t i)
{
    const text t = text_of(e, i);
    trine_draws d = draws_of(e, epoch, i);
    const masking m = masking_of(e, i, &t, &d);
    return (trine_example_size) { .rows = m.shown + m.places + 2, .outs = m.n };
}

static void make_masked(trine_batch_room *room, const trine_examples *e, uint64_t epoch, int64_t i)
{
    const text t = text_of(e, i);
    trine_draws d = draws_of(e, epoch, i);
    const masking m = masking_of(e, i, &t, &d);
    int left = m.n;
    trine_batch_add_text(room, NULL, NULL, 0, 0);
    trine_batch_add_row(room, TRINE_WORLD_CLS);
    for (int k = 0; k < m.shown; k++) trine_batch_add_row(room, t.ids[k]);
    for (int k = 0; k < m.places; k++) { /* algorithm S, as above */
        const int32_t was = m.shown + k < t.n ? t.ids[m.shown + k] : TRINE_WORLD_EOS;
        const bool chosen = (int)trine_draw_below(&d, (uint64_t)(m.places - k)) < left;
        int32_t shown = was;
        if (chosen) {
            const double u = trine_draw_unit(&d);
            if (m.shown || u < 0.8)
                shown = TRINE_WORLD_MASK;
            else if (u < 0.9)
                shown = TRINE_WORLD_WORD +
                        (int32_t)trine_draw_below(&d, (uint64_t)(((const world_examples *)e)->set->vocab - TRINE_WORLD_WORD));
            trine_batch_add_out(room, m.shown + k + 1, was, 1);
            left--;
        }
        trine_batch_add_row(room, shown);
    }
    trine_batch_add_row(room, TRINE_WORLD_SEP);
}

trine_status trine_world_examples(trine_examples **out, const trine_world_set *set, trine_paradigm paradigm, uint64_t seed,
                                  trine_error *err)
{
    world_examples *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    w->set = set;
    w->base = (trine_examples) { .count = count, .close = close_examples, .seed = seed };
    w->base.size = paradigm == TRINE_ENCODER ? masked_size : paradigm == TRINE_DECODER ? causal_size : two_sided_size;
    w->base.make = paradigm == TRINE_ENCODER ? make_masked : paradigm == TRINE_DECODER ? make_causal : make_two_sided;
    *out = &w->base;
    return TRINE_OK;
}

void trine_world_work(trine_work *out, const trine_world_set *set, const trine_examples *examples)
{
    *out = (trine_work) { 0 };
    for (int64_t i = 0; i < set->n; i++) {
        const trine_example_size s = examples->size(examples, 0, i);
        const double rows = s.rows, targets = s.targets;
        out->rows += rows;
        out->targets += targets;
        out->outs += s.outs;
        out->pairs += examples->make == make_causal ? rows * (rows + 1) / 2 : rows * rows;
        out->target_pairs += targets * (targets + 1) / 2;
        out->crosses += rows * targets;
    }
}
