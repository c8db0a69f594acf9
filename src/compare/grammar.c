/* grammar.c - texts drawn from a grammar, and the probability of a given one. See grammar.h. */
#include "compare/grammar.h"

#include <math.h>
#include <stdlib.h>

#include "base/status.h"
#include "train/draw.h"

/* Whether slot words leave word `w` of the class to be drawn. */
static bool free_word(const int *slots, const trine_grammar_element *e, int w)
{
    for (int k = 0; k < e->n_others; k++)
        if (slots[e->others[k]] == w) return false;
    return true;
}

/* The class that an element draws from: its own, or the one that a slot's word names. */
static const trine_grammar_class *class_of(const trine_grammar *g, const trine_grammar_element *e, const int *slots)
{
    if (e->kind != TRINE_GRAMMAR_BY) return &g->classes[e->class];
    return &g->classes[g->classes[g->slot_classes[e->slot]].words[slots[e->slot]].classes[e->column]];
}

/* What a slot says. */
static int32_t slot_id(const trine_grammar *g, const trine_grammar_element *e, const int *slots)
{
    const trine_grammar_word *w = &g->classes[g->slot_classes[e->slot]].words[slots[e->slot]];
    return e->column < 0 ? w->id : w->ids[e->column];
}

/* -------------------------------------------------------------------------------------------------------------- write */

typedef struct writer {
    const trine_grammar *g;
    trine_grammar_text *out;
    trine_draws draws;
    int scale, slots[TRINE_GRAMMAR_SLOTS]; /* which word of its class each holds */
} writer;

static void put(trine_grammar_text *t, int32_t id)
{
    if (id < 0 || t->failed) return;
    if (t->n == t->cap) {
        const int cap = t->cap ? 2 * t->cap : 64;
        int32_t *ids = realloc(t->ids, (size_t)cap * sizeof *ids);
        if (!ids) {
            t->failed = true;
            return;
        }
        t->ids = ids;
        t->cap = cap;
    }
    t->ids[t->n++] = id;
}

static int draw_word(writer *w, const trine_grammar_class *c, const trine_grammar_element *e)
{
    int chosen = 0;
    if (e->n_others) {
        uint64_t before = trine_draw_below(&w->draws, (uint64_t)(c->n - e->n_others));
        while (!free_word(w->slots, e, chosen) || before--) chosen++;
        w->out->nats += log(c->n - e->n_others);
        return chosen;
    }
    double u = trine_draw_unit(&w->draws);
    while (chosen < c->n - 1 && u >= c->words[chosen].p) u -= c->words[chosen++].p;
    w->out->nats -= log(c->words[chosen].p);
    return chosen;
}

static bool once_more(writer *w)
{
    const bool more = trine_draw_unit(&w->draws) < TRINE_GRAMMAR_MORE;
    w->out->nats -= log(more ? TRINE_GRAMMAR_MORE : 1 - TRINE_GRAMMAR_MORE);
    return more;
}

static void write_rule(writer *w, int rule);

static void write_part(writer *w, const trine_grammar_element *e)
{
    const bool scaled = e->scaled && w->scale;
    const int least = scaled ? w->scale : e->least, most = scaled ? w->scale : e->most;
    for (int i = 0; i < most && !w->out->failed && (i < least || once_more(w)); i++) write_rule(w, e->rule);
}

static void write_element(writer *w, const trine_grammar_element *e)
{
    const trine_grammar_class *c;
    int chosen;
    switch (e->kind) {
    case TRINE_GRAMMAR_WORD: put(w->out, e->id); break;
    case TRINE_GRAMMAR_SLOT: put(w->out, slot_id(w->g, e, w->slots)); break;
    case TRINE_GRAMMAR_PART: write_part(w, e); break;
    default:
        c = class_of(w->g, e, w->slots);
        chosen = draw_word(w, c, e);
        if (e->kind != TRINE_GRAMMAR_BY && e->slot >= 0) w->slots[e->slot] = chosen;
        if (e->kind != TRINE_GRAMMAR_HIDDEN) put(w->out, c->words[chosen].id);
        break;
    }
}

static void write_rule(writer *w, int rule) /* NOLINT(misc-no-recursion): as deep as there are rules */
{
    const trine_grammar_rule *r = &w->g->rules[rule];
    int chosen = 0;
    if (r->n > 1) {
        double u = trine_draw_unit(&w->draws);
        while (chosen < r->n - 1 && u >= r->ways[chosen].p) u -= r->ways[chosen++].p;
        w->out->nats -= log(r->ways[chosen].p);
    }
    const trine_grammar_way *way = &r->ways[chosen];
    for (int i = 0; i < way->n; i++) write_element(w, &way->elements[i]);
}

void trine_grammar_write(trine_grammar_text *text, const trine_grammar *grammar, int rule, uint64_t seed, uint64_t i, int scale)
{
    writer w = { .g = grammar, .out = text, .draws = trine_draws_for(seed, TRINE_DRAW_WORLD, (uint64_t)rule, i), .scale = scale };
    write_rule(&w, rule);
}

void trine_grammar_text_clear(trine_grammar_text *t)
{
    free(t->ids);
    *t = (trine_grammar_text) { 0 };
}

/* -------------------------------------------------------------------------------------------------------------- score */

typedef struct scorer {
    const trine_grammar *g;
    const int32_t *ids;
    int n, at;
    double *nats, pending; /* pending: of choices that the next token shows */
    int slots[TRINE_GRAMMAR_SLOTS];
    int hidden, hidden_class; /* the word that is taken for what is drawn unseen; its class, -1: nothing was */
    bool failed;
} scorer;

static void take(scorer *s, int32_t id)
{
    if (id < 0 || s->failed) return;
    if (s->at == s->n || s->ids[s->at] != id) {
        s->failed = true;
        return;
    }
    s->nats[s->at++] = s->pending;
    s->pending = 0;
}

static int word_with(const trine_grammar_class *c, const trine_grammar_element *e, const int *slots, int32_t id)
{
    for (int i = 0; i < c->n; i++)
        if (c->words[i].id == id && free_word(slots, e, i)) return i;
    return -1;
}

static bool can_start(const scorer *s, const trine_grammar_way *way);

static bool rule_can_start(const scorer *s, int rule) /* NOLINT(misc-no-recursion): as deep as there are rules */
{
    const trine_grammar_rule *r = &s->g->rules[rule];
    for (int i = 0; i < r->n; i++)
        if (can_start(s, &r->ways[i])) return true;
    return false;
}

/* Whether the next token can be the first of this alternative. */
static bool can_start(const scorer *s, const trine_grammar_way *way) /* NOLINT(misc-no-recursion) */
{
    const int32_t next = s->ids[s->at];
    for (int i = 0; i < way->n; i++) {
        const trine_grammar_element *e = &way->elements[i];
        const trine_grammar_class *c;
        int32_t id;
        switch (e->kind) {
        case TRINE_GRAMMAR_HIDDEN: continue;
        case TRINE_GRAMMAR_WORD: return e->id == next;
        case TRINE_GRAMMAR_SLOT:
            if ((id = slot_id(s->g, e, s->slots)) >= 0) return id == next;
            continue;
        case TRINE_GRAMMAR_PART:
            if (rule_can_start(s, e->rule)) return true;
            if (e->least > 0) return false;
            continue;
        default:
            c = class_of(s->g, e, s->slots);
            if (word_with(c, e, s->slots, next) >= 0) return true;
            if (c->empty < 0) return false;
            continue;
        }
    }
    return false;
}

static void score_rule(scorer *s, int rule);

static void score_part(scorer *s, const trine_grammar_element *e) /* NOLINT(misc-no-recursion) */
{
    for (int i = 0; i < e->most && !s->failed; i++) {
        if (i >= e->least) {
            const bool more = s->at < s->n && rule_can_start(s, e->rule);
            s->pending -= log(more ? TRINE_GRAMMAR_MORE : 1 - TRINE_GRAMMAR_MORE);
            if (!more) return;
        }
        score_rule(s, e->rule);
    }
}

static void score_draw(scorer *s, const trine_grammar_element *e)
{
    const trine_grammar_class *c = class_of(s->g, e, s->slots);
    int w = s->at < s->n ? word_with(c, e, s->slots, s->ids[s->at]) : -1;
    if (w < 0) w = c->empty;
    if (w < 0) {
        s->failed = true;
        return;
    }
    s->pending += e->n_others ? log(c->n - e->n_others) : -log(c->words[w].p);
    if (e->kind == TRINE_GRAMMAR_DRAW && e->slot >= 0) s->slots[e->slot] = w;
    take(s, c->words[w].id);
}

static void score_element(scorer *s, const trine_grammar_element *e) /* NOLINT(misc-no-recursion) */
{
    switch (e->kind) {
    case TRINE_GRAMMAR_WORD: take(s, e->id); break;
    case TRINE_GRAMMAR_SLOT: take(s, slot_id(s->g, e, s->slots)); break;
    case TRINE_GRAMMAR_PART: score_part(s, e); break;
    case TRINE_GRAMMAR_HIDDEN:
        s->slots[e->slot] = s->hidden;
        s->hidden_class = e->class;
        break;
    default: score_draw(s, e); break;
    }
}

static void score_rule(scorer *s, int rule) /* NOLINT(misc-no-recursion) */
{
    const trine_grammar_rule *r = &s->g->rules[rule];
    int chosen = 0;
    if (r->n > 1) {
        while (chosen < r->n && !(s->at < s->n && can_start(s, &r->ways[chosen]))) chosen++;
        if (chosen == r->n) {
            s->failed = true;
            return;
        }
        s->pending -= log(r->ways[chosen].p);
    }
    const trine_grammar_way *way = &r->ways[chosen];
    for (int i = 0; i < way->n && !s->failed; i++) score_element(s, &way->elements[i]);
}

/* Under one guess of what was drawn unseen. */
static void score_once(scorer *s, int rule)
{
    s->at = 0;
    s->pending = 0;
    s->failed = false;
    s->hidden_class = -1;
    for (int i = 0; i < TRINE_GRAMMAR_SLOTS; i++) s->slots[i] = 0;
    for (int i = 0; i <= s->n; i++) s->nats[i] = INFINITY;
    score_rule(s, rule);
    if (!s->failed && s->at == s->n) s->nats[s->n] = s->pending;
}

/* -log of sums of probabilities that come as -log each. */
static double add_probabilities(double a, double b)
{
    if (a == INFINITY) return b;
    if (b == INFINITY) return a;
    return a < b ? a - log1p(exp(a - b)) : b - log1p(exp(b - a));
}

trine_status trine_grammar_score(double *nats, bool *whole, const trine_grammar *grammar, int rule, const int32_t *ids, int n,
                                 trine_error *err)
{
    scorer s = { .g = grammar, .ids = ids, .n = n, .nats = nats };
    score_once(&s, rule);
    *whole = nats[n] < INFINITY;
    if (s.hidden_class < 0) return TRINE_OK;
    /* The texts until each token, under each guess, are summed: what a token costs is the quotient of two such sums. */
    const trine_grammar_class *c = &grammar->classes[s.hidden_class];
    double *some = malloc(2 * ((size_t)n + 1) * sizeof *some);
    if (!some) return trine_fail(err, TRINE_ERROR_MEMORY, "grammar: no memory");
    double *sums = some + n + 1;
    for (int i = 0; i <= n; i++) sums[i] = INFINITY;
    s.nats = some;
    for (s.hidden = 0; s.hidden < c->n; s.hidden++) {
        score_once(&s, rule);
        double until = -log(c->words[s.hidden].p);
        for (int i = 0; i <= n; i++) {
            until += some[i];
            sums[i] = add_probabilities(sums[i], until);
        }
    }
    *whole = sums[n] < INFINITY;
    for (int i = 0; i <= n; i++) nats[i] = sums[i] == INFINITY ? INFINITY : sums[i] - (i ? sums[i - 1] : 0);
    free(some);
    return TRINE_OK;
}
