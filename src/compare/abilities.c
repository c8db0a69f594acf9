/* abilities.c - see abilities.h. */
#include "compare/abilities.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "compare/findings.h"

enum { CANDIDATES = 8, VALID_EVERY = 4 }; /* continuations are drawn for one text in four: an encoder's take a pass a token */

trine_status trine_exam_open(trine_exam *out, const trine_grammar *world, uint64_t seed, int n, trine_error *err)
{
    *out = (trine_exam) { .world = world, .seed = seed };
    const struct {
        trine_world_set *set;
        const char *rule;
    } sets[] = { { &out->story, "story" },         { &out->translate, "translate" }, { &out->reverse, "reverse" },
                 { &out->summarise, "summarise" }, { &out->review, "review" },       { &out->recall, "recall" } };
    trine_status status = TRINE_OK;
    for (size_t i = 0; i < sizeof sets / sizeof *sets && !status; i++)
        status = trine_world_set_open(sets[i].set, world, sets[i].rule, seed, 0, n, 0, err);
    if (status) trine_exam_close(out);
    return status;
}

void trine_exam_close(trine_exam *e)
{
    trine_world_set *const sets[] = { &e->story, &e->translate, &e->reverse, &e->summarise, &e->review, &e->recall };
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) trine_world_set_close(sets[i]);
}

/* One text of a set. */
typedef struct text {
    const int32_t *ids;
    int n, split;
} text;
static text text_of(const trine_world_set *s, int64_t i)
{
    return (text) { s->ids + s->starts[i], (int)(s->starts[i + 1] - s->starts[i]), s->splits[i] };
}

/* Where the blank of story i is: behind its first words. */
static int blank_of(const trine_exam *e, int64_t i, const text *t)
{
    trine_draws d = trine_draws_for(e->seed, TRINE_DRAW_WORLD, 1, (uint64_t)i);
    return 2 + (int)trine_draw_below(&d, (uint64_t)(t->n - 2));
}

static int half_of(const text *t) { return t->n / 2; }

/* ------------------------------------------------------------------------------------------------------------- answers */

typedef struct taking {
    const trine_exam *e;
    trine_asker asker;
    json_t *out;
    bool failed;
} taking;

static void put(taking *t, const char *name, double value)
{
    if (!trine_findings_put(t->out, name, value)) t->failed = true;
}

/* The likeliest eight for the blank, told apart by how likely all that follows is with each: for a decoder the rest of the text, for an
 * encoder-decoder the end of its answer, so that it knows as the others do that one word is missing. `target` [at + n_rest]: what it is
 * given before the blank, then room for the word and what follows. */
static trine_status rescore(int32_t *best, taking *t, const int32_t *source, int n_source, int32_t *target, int at, int n_rest,
                            const float *before, trine_error *err)
{
    const int vocab = t->asker.vocab;
    float *left = malloc((size_t)vocab * sizeof *left);
    trine_status status = left ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    double least = INFINITY;
    if (!status) memcpy(left, before, (size_t)vocab * sizeof *left);
    for (int c = 0; c < CANDIDATES && !status; c++) {
        trine_mat logits;
        double nats = 0;
        target[at] = trine_likeliest(left, vocab);
        left[target[at]] = -INFINITY;
        if ((status = trine_ask_next(&logits, &t->asker, source, n_source, target, at + n_rest, err))) break;
        for (int k = at; k <= at + n_rest; k++)
            nats += trine_nats_of(logits.data + (size_t)k * (size_t)vocab, vocab, k < at + n_rest ? target[k] : TRINE_WORLD_EOS);
        if (nats < least) {
            least = nats;
            *best = target[at];
        }
    }
    free(left);
    return status;
}

static trine_status fill(taking *t, int64_t i, trine_error *err)
{
    const text x = text_of(&t->e->story, i);
    const int blank = blank_of(t->e, i, &x), vocab = t->asker.vocab;
    const int32_t row = blank, was = x.ids[blank], sentinel = TRINE_WORLD_SENTINEL;
    trine_mat logits;
    trine_status status;
    int32_t *shown = malloc(((size_t)x.n + 1) * sizeof *shown);
    if (!shown) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    memcpy(shown, x.ids, (size_t)x.n * sizeof *shown);
    shown[x.n] = TRINE_WORLD_EOS;
    const float *answer = NULL;
    switch (t->asker.paradigm) {
    case TRINE_ENCODER:
        shown[blank] = TRINE_WORLD_MASK;
        status = trine_ask_masked(&logits, &t->asker, shown, x.n, &row, 1, err);
        if (!status) answer = logits.data;
        break;
    case TRINE_ENCODER_DECODER:
        shown[blank] = sentinel;
        status = trine_ask_next(&logits, &t->asker, shown, x.n + 1, &sentinel, 1, err);
        if (!status) answer = logits.data + vocab;
        break;
    default:
        status = trine_ask_next(&logits, &t->asker, x.ids, blank, NULL, 0, err);
        if (!status) answer = logits.data;
        break;
    }
    if (answer) {
        put(t, "fill.right", trine_likeliest(answer, vocab) == was);
        put(t, "fill.nats", trine_nats_of(answer, vocab, was));
    }
    if (!status && answer && t->asker.paradigm != TRINE_ENCODER) {
        const bool two = t->asker.paradigm == TRINE_ENCODER_DECODER;
        int32_t best = -1, span[2] = { sentinel };
        if (!two) memcpy(shown, x.ids + blank, (size_t)(x.n - blank) * sizeof *shown);
        status = two ? rescore(&best, t, shown, x.n + 1, span, 1, 1, answer, err)
                     : rescore(&best, t, x.ids, blank, shown, 0, x.n - blank, answer, err);
        if (!status) put(t, "fill.rescored", best == was);
    }
    free(shown);
    return status;
}

/* Nats a token of the second half. An encoder is shown what is before a token and masks for it and all behind it, so that it knows how
 * long the text is; the product of what it says of each is a probability of the whole, too. */
static trine_status go_on(taking *t, int64_t i, trine_error *err)
{
    const text x = text_of(&t->e->story, i);
    const int half = half_of(&x), vocab = t->asker.vocab;
    trine_status status = TRINE_OK;
    trine_mat logits;
    double nats = 0;
    if (t->asker.paradigm != TRINE_ENCODER) {
        status = trine_ask_next(&logits, &t->asker, x.ids, half, x.ids + half, x.n - half, err);
        for (int k = half; k < x.n && !status; k++)
            nats += trine_nats_of(logits.data + (size_t)(k - half) * (size_t)vocab, vocab, x.ids[k]);
    } else {
        int32_t *shown = malloc(((size_t)x.n + 1) * sizeof *shown);
        if (!shown) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
        memcpy(shown, x.ids, (size_t)half * sizeof *shown);
        for (int k = half; k < x.n; k++) shown[k] = TRINE_WORLD_MASK;
        for (int32_t k = half; k < x.n && !status; k++) {
            status = trine_ask_masked(&logits, &t->asker, shown, x.n, &k, 1, err);
            if (!status) nats += trine_nats_of(logits.data, vocab, x.ids[k]);
            shown[k] = x.ids[k];
        }
        free(shown);
    }
    if (!status) put(t, "continue.nats", nats / (x.n - half));
    return status;
}

/* Whether a half that the model draws itself could have been written by the world. */
static trine_status draw_half(taking *t, int64_t i, trine_error *err)
{
    const text x = text_of(&t->e->story, i);
    const int half = half_of(&x), most = x.n - half;
    int n, n_passes;
    bool whole, valid = true;
    trine_draws d = trine_draws_for(t->e->seed, TRINE_DRAW_NOISE, 2, (uint64_t)i);
    int32_t *all = malloc((size_t)x.n * sizeof *all);
    double *nats = malloc(((size_t)x.n + 1) * sizeof *nats);
    trine_status status = all && nats ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    if (!status) {
        memcpy(all, x.ids, (size_t)half * sizeof *all);
        status = trine_ask_write(all + half, &n, &n_passes, &t->asker, x.ids, half, most, &d, err);
    }
    if (!status) {
        const int rule = trine_grammar_find(t->e->world, "story");
        status = trine_grammar_score(nats, &whole, t->e->world, rule, all, half + n, err);
        for (int k = 0; k < half + n; k++) valid = valid && isfinite(nats[k]);
        if (n < most) valid = valid && whole; /* it ended by itself */
    }
    if (!status) put(t, "continue.valid", valid);
    free(all);
    free(nats);
    return status;
}

/* Facts of a summary "A lamp mill ; B ..." that are in the answer, each at its place. */
static double facts_right(const text *x, const int32_t *answer, int n)
{
    int right = 0, facts = 0;
    for (int at = x->split; at < x->n; at += 4, facts++) {
        const int from = at - x->split;
        right += from + 3 <= n && !memcmp(answer + from, x->ids + at, 3 * sizeof *answer);
    }
    return facts ? (double)right / facts : 0;
}

static trine_status transform(taking *t, const trine_world_set *set, const char *name, int64_t i, trine_error *err)
{
    const text x = text_of(set, i);
    const int most = trine_world_blanks(set, i), n_right = x.n - x.split;
    int32_t answer[64];
    char key[48];
    int n, n_passes, right = 0;
    if (most > 64) return trine_fail(err, TRINE_ERROR_INTERNAL, "compare: an answer of %d tokens", most);
    const trine_status status = trine_ask_write(answer, &n, &n_passes, &t->asker, x.ids, x.split, most, NULL, err);
    if (status) return status;
    for (int k = 0; k < n_right && k < n; k++) right += answer[k] == x.ids[x.split + k];
    snprintf(key, sizeof key, "%s.exact", name);
    put(t, key, right == n_right && n == n_right);
    snprintf(key, sizeof key, "%s.words", name);
    put(t, key, (double)right / (n > n_right ? n : n_right));
    if (!strcmp(name, "summarise")) put(t, "summarise.facts", facts_right(&x, answer, n));
    return TRINE_OK;
}

/* One word in answer: of the two opinions the likelier; of all words, for recall. */
static trine_status one_word(taking *t, const trine_world_set *set, int64_t i, bool opinion, trine_error *err)
{
    const text x = text_of(set, i);
    const int blanks = trine_world_blanks(set, i);
    trine_mat logits;
    trine_status status;
    if (t->asker.paradigm == TRINE_ENCODER) {
        int32_t *shown = malloc((size_t)(x.split + blanks) * sizeof *shown);
        const int32_t row = x.split;
        if (!shown) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
        memcpy(shown, x.ids, (size_t)x.split * sizeof *shown);
        for (int k = 0; k < blanks; k++) shown[x.split + k] = TRINE_WORLD_MASK;
        status = trine_ask_masked(&logits, &t->asker, shown, x.split + blanks, &row, 1, err);
        free(shown);
    } else {
        status = trine_ask_next(&logits, &t->asker, x.ids, x.split, NULL, 0, err);
    }
    if (status) return status;
    const int32_t was = x.ids[x.split];
    if (opinion) {
        const int32_t good = trine_grammar_id(t->e->world, "positive"), bad = trine_grammar_id(t->e->world, "negative");
        put(t, "classify.right", (logits.data[good] > logits.data[bad] ? good : bad) == was);
    } else {
        put(t, "recall.right", trine_likeliest(logits.data, t->asker.vocab) == was);
    }
    return TRINE_OK;
}

static trine_status take_all(taking *t, trine_error *err)
{
    const trine_exam *e = t->e;
    trine_status status = TRINE_OK;
    for (int64_t i = 0; i < e->story.n && !status; i++) {
        status = fill(t, i, err);
        if (!status) status = go_on(t, i, err);
        if (!status && e->world && !(i % VALID_EVERY)) status = draw_half(t, i, err);
    }
    for (int64_t i = 0; i < e->translate.n && !status; i++) status = transform(t, &e->translate, "translate", i, err);
    for (int64_t i = 0; i < e->reverse.n && !status; i++) status = transform(t, &e->reverse, "reverse", i, err);
    for (int64_t i = 0; i < e->summarise.n && !status; i++) status = transform(t, &e->summarise, "summarise", i, err);
    for (int64_t i = 0; i < e->review.n && !status; i++) status = one_word(t, &e->review, i, true, err);
    for (int64_t i = 0; i < e->recall.n && !status; i++) status = one_word(t, &e->recall, i, false, err);
    if (!status && t->failed) status = trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    return status;
}

static int longest(const trine_world_set *s)
{
    int most = 0;
    for (int64_t i = 0; i < s->n; i++) {
        const int n = (int)(s->starts[i + 1] - s->starts[i]), asked = s->splits[i] ? s->splits[i] + trine_world_blanks(s, i) : 0;
        if (n > most) most = n;
        if (asked > most) most = asked;
    }
    return most;
}

trine_status trine_exam_take(json_t **out, const trine_exam *exam, trine_model *model, int n_threads, trine_error *err)
{
    taking t = { .e = exam, .out = json_object() };
    const trine_world_set *const sets[] = { &exam->story,     &exam->translate, &exam->reverse,
                                            &exam->summarise, &exam->review,    &exam->recall };
    int most = 0;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (longest(sets[i]) > most) most = longest(sets[i]);
    *out = NULL;
    if (!t.out) return trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    trine_status status = trine_asker_open(&t.asker, model, most + 3, n_threads, err);
    if (!status) status = take_all(&t, err);
    trine_asker_close(&t.asker);
    if (status)
        json_decref(t.out);
    else
        *out = t.out;
    return status;
}

/* ----------------------------------------------------------------------------------------------------------- the best */

/* What can stand in the blank, by the probability of the whole text with it. */
static trine_status best_fill(taking *t, int64_t i, int rule, double *nats, int32_t *shown, trine_error *err)
{
    const trine_grammar *w = t->e->world;
    const text x = text_of(&t->e->story, i);
    const int blank = blank_of(t->e, i, &x);
    double sum = 0, most = 0, was = 0, base = 0;
    memcpy(shown, x.ids, (size_t)x.n * sizeof *shown);
    for (int32_t id = w->first_id - 1; id < w->first_id + w->n_ids; id++) {
        bool whole;
        double total = 0;
        shown[blank] = id < w->first_id ? x.ids[blank] : id;
        const trine_status status = trine_grammar_score(nats, &whole, w, rule, shown, x.n, err);
        if (status) return status;
        for (int k = 0; k <= x.n; k++) total += nats[k];
        if (id < w->first_id) { /* the text as it is: probabilities relative to it are not too small */
            base = total;
            continue;
        }
        const double p = whole ? exp(base - total) : 0;
        sum += p;
        if (p > most) most = p;
        if (id == x.ids[blank]) was = p;
    }
    put(t, "fill.right", most / sum);
    put(t, "fill.nats", log(sum / was));
    return TRINE_OK;
}

static trine_status best_of_stories(taking *t, trine_error *err)
{
    const trine_grammar *w = t->e->world;
    const int rule = trine_grammar_find(w, "story"), most = w->rules[rule].facts.most_tokens;
    double *nats = malloc(((size_t)most + 1) * sizeof *nats);
    int32_t *shown = malloc((size_t)most * sizeof *shown);
    trine_status status = nats && shown ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    for (int64_t i = 0; i < t->e->story.n && !status; i++) {
        const text x = text_of(&t->e->story, i);
        const int half = half_of(&x);
        bool whole;
        double rest = 0;
        status = best_fill(t, i, rule, nats, shown, err);
        if (!status) status = trine_grammar_score(nats, &whole, w, rule, x.ids, x.n, err);
        for (int k = half; k < x.n; k++) rest += nats[k];
        put(t, "continue.nats", rest / (x.n - half));
    }
    free(nats);
    free(shown);
    return status;
}

static trine_status best_of_reviews(taking *t, trine_error *err)
{
    const trine_grammar *w = t->e->world;
    const trine_world_set *s = &t->e->review;
    const int rule = trine_grammar_find(w, "review");
    for (int64_t i = 0; i < s->n; i++) {
        double nats[128];
        bool whole;
        const text x = text_of(s, i);
        if (x.n >= 128) return trine_fail(err, TRINE_ERROR_INTERNAL, "compare: a review of %d tokens", x.n);
        const trine_status status = trine_grammar_score(nats, &whole, w, rule, x.ids, x.n, err);
        if (status) return status;
        const double p = exp(-nats[x.split]); /* of what was said, given the text: the likelier of the two is right so often */
        put(t, "classify.right", p > 0.5 ? p : 1 - p);
    }
    return TRINE_OK;
}

trine_status trine_exam_best(json_t **out, const trine_exam *exam, trine_error *err)
{
    static const char *const sure[] = { "continue.valid",  "translate.exact", "translate.words", "reverse.exact", "reverse.words",
                                        "summarise.exact", "summarise.words", "summarise.facts", "recall.right" };
    taking t = { .e = exam, .out = json_object() };
    *out = NULL;
    trine_status status = t.out ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    if (!status && exam->world) {
        status = best_of_stories(&t, err);
        if (!status) status = best_of_reviews(&t, err);
        for (size_t i = 0; i < sizeof sure / sizeof *sure; i++) put(&t, sure[i], 1);
    }
    if (!status && t.failed) status = trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    if (status)
        json_decref(t.out);
    else
        *out = t.out;
    return status;
}
