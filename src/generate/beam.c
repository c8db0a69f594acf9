/* beam.c - beam search, step for step that of transformers' generate(num_beams=k, early_stopping=False).
 *
 * k beams run. Each step scores every continuation of every beam by the sum of its log probabilities and looks at the best
 * (1 + n_end) k: enough that k remain that do not end. Those among the first k that end are finished texts, scored by
 * sum / length^length_penalty (Wu et al. 2016, eq. 14, in its simpler form); the best k finished are kept. The search is over when
 * the k finished are there and the best running sum, divided by the present length, is not better than the worst of them; or at
 * max_new tokens, where all that run are finished.
 *
 * Beams are sequences that share their cache's pages. When the survivors of a step are known, each takes its parent's past
 * (trine_kv_assign: a copy of a table of pages); only the page being written is copied, by the cache, when two beams differ in
 * it. The tokens are a tree: a node is a token and the node before it, so nothing is copied either. */
#include "generate/beam.h"

#include <math.h>
#include <stdlib.h>

#include "base/size.h"
#include "base/status.h"
#include "generate/clock.h"
#include "generate/sampler.h"

typedef struct node {
    int32_t token;
    int before; /* node, or -1: the prompt */
} node;

typedef struct candidate {
    double sum; /* of log probabilities */
    int beam;
    int32_t token;
    bool ends;
} candidate;

typedef struct finished {
    double score;
    int node, length; /* length: tokens, the end token included */
    bool by_end;
} finished;

typedef struct search {
    const trine_beam_options *o;
    trine_session *session;
    int k, n_live;                   /* beams that run: k but for vocabularies smaller than k */
    trine_sequence *first;           /* the caller's, one of: */
    trine_sequence **beams;          /* [k] best first */
    trine_sequence **next, **unused; /* [k] while beams change places */
    double *sums;                    /* [k] of log probabilities */
    int *ends;                       /* [k] node each beam ends with */
    node *nodes;                     /* [k * max_new] */
    int n_nodes;
    candidate *best; /* [best_cap] in order */
    int n_best, best_cap;
    finished *done; /* [k] in order, best first */
    int n_done;
    const int32_t **ids; /* [k] */
    int *ones;           /* [k] */
} search;

static void close_search(search *s)
{
    for (int i = 0; s->beams && i < s->k; i++)
        if (s->beams[i] != s->first) trine_sequence_close(s->beams[i]);
    free(s->beams);
    free(s->next);
    free(s->unused);
    free(s->sums);
    free(s->ends);
    free(s->nodes);
    free(s->best);
    free(s->done);
    free(s->ids);
    free(s->ones);
}

static trine_status open_search(search *s, trine_sequence *first, const trine_beam_options *o, trine_error *err)
{
    const size_t k = (size_t)o->n_beams;
    size_t n_nodes;
    *s = (search) { .o = o, .session = first->session, .first = first, .k = o->n_beams };
    trine_status status = TRINE_OK;
    if (trine_mul_size(&n_nodes, k, (size_t)o->max_new) && n_nodes <= INT32_MAX) {
        s->best_cap = o->n_beams * (o->n_end > 0 ? 1 + o->n_end : 2);
        s->beams = calloc(k, sizeof *s->beams);
        s->next = calloc(k, sizeof *s->next);
        s->unused = calloc(k, sizeof *s->unused);
        s->sums = calloc(k, sizeof *s->sums);
        s->ends = calloc(k, sizeof *s->ends);
        s->nodes = calloc(n_nodes, sizeof *s->nodes);
        s->best = calloc((size_t)s->best_cap, sizeof *s->best);
        s->done = calloc(k, sizeof *s->done);
        s->ids = calloc(k, sizeof *s->ids);
        s->ones = calloc(k, sizeof *s->ones);
    }
    if (!s->beams || !s->next || !s->unused || !s->sums || !s->ends || !s->nodes || !s->best || !s->done || !s->ids || !s->ones)
        status = trine_fail(err, TRINE_ERROR_MEMORY, "beam search: no memory for %d beams of %d tokens", o->n_beams, o->max_new);
    for (int i = 0; !status && i < s->k; i++) {
        s->ones[i] = 1;
        s->ends[i] = -1;
        if (i > 0)
            status = trine_sequence_fork(&s->beams[i], first, err);
        else
            s->beams[0] = first;
    }
    if (status) {
        close_search(s);
        return status;
    }
    s->n_live = 1; /* all beams are the same text at first: only one of them may bring forth candidates */
    return TRINE_OK;
}

static bool is_end(const trine_beam_options *o, int32_t token)
{
    for (int i = 0; i < o->n_end; i++)
        if (o->end[i] == token) return true;
    return false;
}

/* Puts a continuation among the best. */
static void consider(search *s, double sum, int beam, int32_t token)
{
    if (s->n_best == s->best_cap && sum <= s->best[s->n_best - 1].sum) return;
    int at = s->n_best < s->best_cap ? s->n_best++ : s->n_best - 1;
    for (; at > 0 && s->best[at - 1].sum < sum; at--) s->best[at] = s->best[at - 1];
    s->best[at] = (candidate) { .sum = sum, .beam = beam, .token = token, .ends = is_end(s->o, token) };
}

/* The best continuations of all beams into s->best. Among equals the earlier beam and the lower id come first. Most of a vocabulary
 * has no chance: a part of it whose largest logit has none is passed over whole. */
static trine_status gather(search *s, trine_error *err)
{
    enum { PART = 256 };
    const trine_model *m = s->session->model;
    const int vocab = m->info.vocab;
    s->n_best = 0;
    for (int b = 0; b < s->n_live; b++) {
        const float *logits = trine_sequence_logits(s->beams[b]);
        double log_total;
        const trine_status status = trine_log_sum_exp(&log_total, &m->kernels, logits, vocab, err);
        if (status) return status;
        for (int32_t from = 0; from < vocab; from += PART) {
            const int32_t end = trine_min_int(from + PART, vocab);
            const double most = s->sums[b] + ((double)m->kernels.max(logits + from, (size_t)(end - from)) - log_total);
            if (s->n_best == s->best_cap && most <= s->best[s->n_best - 1].sum) continue;
            for (int32_t t = from; t < end; t++) consider(s, s->sums[b] + ((double)logits[t] - log_total), b, t);
        }
    }
    return TRINE_OK;
}

/* Puts a finished text among the best k. */
static void finish(search *s, const candidate *c, int node_before, int length)
{
    const double score = c->sum / pow((double)length, (double)s->o->length_penalty);
    if (s->n_done == s->k && score <= s->done[s->k - 1].score) return;
    int at = s->n_done < s->k ? s->n_done++ : s->k - 1;
    for (; at > 0 && s->done[at - 1].score < score; at--) s->done[at] = s->done[at - 1];
    s->done[at] = (finished) { .score = score, .node = node_before, .length = length, .by_end = c->ends };
}

static int new_node(search *s, const candidate *c)
{
    s->nodes[s->n_nodes] = (node) { .token = c->token, .before = s->ends[c->beam] };
    return s->n_nodes++;
}

/* The texts of this step that are finished: of the best k those that end, and at the last step all. */
static void finish_step(search *s, int length, bool last)
{
    for (int i = 0; i < s->n_best && i < s->k; i++) {
        const candidate *c = &s->best[i];
        if (c->ends)
            finish(s, c, s->ends[c->beam], length);
        else if (last)
            finish(s, c, new_node(s, c), length);
    }
}

/* The best k that go on become the beams: their sums, tokens and pasts. A parent's first child goes on in the parent's own
 * sequence; the others take the past over in sequences whose text nobody goes on with. So a past is never overwritten
 * while somebody still wants it, and no spare one is needed. */
static void survive(search *s)
{
    int n = 0, n_unused = s->k;
    for (int i = 0; i < s->n_best && n < s->k; i++)
        if (!s->best[i].ends) s->best[n++] = s->best[i];
    const int first_node = s->n_nodes;
    for (int i = 0; i < n; i++) new_node(s, &s->best[i]); /* while s->ends are still the parents' */
    for (int i = 0; i < s->k; i++) s->next[i] = NULL;
    for (int b = s->k - 1; b >= 0; b--) {
        bool wanted = false;
        for (int i = 0; i < n && !wanted; i++)
            if (s->best[i].beam == b) s->next[i] = s->beams[b], wanted = true;
        if (!wanted) s->unused[--n_unused] = s->beams[b];
    }
    for (int i = 0; i < s->k; i++) {
        if (s->next[i]) continue;
        s->next[i] = s->unused[n_unused++];
        if (i < n)
            trine_kv_assign(s->next[i]->self, s->beams[s->best[i].beam]->self);
        else
            trine_kv_truncate(s->next[i]->self, 0);
    }
    for (int i = 0; i < s->k; i++) s->beams[i] = s->next[i];
    for (int i = 0; i < n; i++) {
        s->sums[i] = s->best[i].sum;
        s->ends[i] = first_node + i;
        s->ids[i] = &s->nodes[first_node + i].token;
    }
    s->n_live = n;
}

/* Whether a running beam may still become better than the worst of k finished texts. */
static bool may_improve(const search *s, int length)
{
    if (s->n_done < s->k) return true;
    return s->sums[0] / pow((double)length, (double)s->o->length_penalty) > s->done[s->n_done - 1].score;
}

static void give(trine_beam_result *out, const search *s)
{
    const finished *f = &s->done[0];
    out->score = f->score;
    out->ended = f->by_end;
    out->n = f->by_end ? f->length - 1 : f->length;
    for (int i = out->n - 1, at = f->node; i >= 0; i--, at = s->nodes[at].before) out->tokens[i] = s->nodes[at].token;
}

trine_status trine_beam_search(trine_beam_result *out, trine_sequence *first, const trine_beam_options *o, trine_error *err)
{
    search s;
    trine_status status = open_search(&s, first, o, err);
    if (status) return status;
    for (int length = 1;; length++) {
        if ((status = gather(&s, err))) break;
        if (length == 1) out->first_ms = trine_clock_ms();
        const bool last = length == o->max_new;
        finish_step(&s, length, last);
        if (last) break;
        survive(&s);
        if (!s.n_live || !may_improve(&s, length)) break;
        if (o->on_step && !o->on_step(o->user, o->prompt, o->prompt)) {
            out->cancelled = true;
            if (!s.n_done) finish(&s, &s.best[0], s.ends[0], length);
            break;
        }
        if ((status = trine_sequences_feed(s.beams, s.ids, s.ones, s.n_live, err))) break;
    }
    if (!status) give(out, &s);
    close_search(&s);
    return status;
}
