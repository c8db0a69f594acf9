/* generator.c - many texts written as one batch.
 *
 * Reading the weights is what a step costs, and a batch reads them once for all its texts. A step is one pass: one token of each
 * text that is being written, and as much of the prompts of those that came last as the pass has room for. A text that ends
 * leaves at once, and the next may come before the following step, so that the batch stays full (Yu et al. 2022, Orca). */
#include "generate/generator.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "generate/clock.h"
#include "generate/turn.h"

typedef enum phase { PHASE_FREE, PHASE_SOURCE, PHASE_PROMPT, PHASE_WRITING, PHASE_OVER } phase;

typedef struct slot {
    trine_turn turn;
    phase phase;
    bool strip, held;
    int64_t id;
    int64_t order;       /* of coming, then of being over */
    int n_fed;           /* of turn.begin */
    const char **stops;  /* copies, in one piece of memory */
    int32_t *ids;        /* likewise */
    trine_status status; /* over: how it went */
    trine_error error;
} slot;

struct trine_generator {
    trine_session *session;
    int n_slots, n_used;
    slot *slots;
    int64_t n_added, n_over;
    /* The batch of a step, in the order of coming. */
    slot **batch;
    trine_sequence **sequences;
    const int32_t **ids;
    int *n;
};

trine_status trine_generator_open(trine_generator **out, trine_session *session, trine_error *err)
{
    *out = NULL;
    if (!session) return trine_fail(err, TRINE_ERROR_ARGUMENT, "generator: no session");
    if (session->model->info.paradigm == TRINE_ENCODER)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "generator: %s is an encoder and writes no text", session->model->info.family);
    const size_t n = (size_t)session->options.n_sequences;
    trine_generator *g = calloc(1, sizeof *g);
    if (g) {
        *g = (trine_generator) { .session = session,
                                 .n_slots = (int)n,
                                 .slots = calloc(n, sizeof *g->slots),
                                 .batch = calloc(n, sizeof *g->batch),
                                 .sequences = calloc(n, sizeof *g->sequences),
                                 .ids = calloc(n, sizeof *g->ids),
                                 .n = calloc(n, sizeof *g->n) };
        if (g->slots && g->batch && g->sequences && g->ids && g->n) {
            *out = g;
            return TRINE_OK;
        }
    }
    trine_generator_close(g);
    return trine_fail(err, TRINE_ERROR_MEMORY, "generator: no memory for %zu texts", n);
}

static void empty(trine_generator *g, slot *s)
{
    trine_turn_close(&s->turn);
    trine_generation_clear(&s->turn.out);
    free(s->stops);
    free(s->ids);
    *s = (slot) { 0 };
    g->n_used--;
}

void trine_generator_close(trine_generator *g)
{
    if (!g) return;
    for (int i = 0; g->slots && i < g->n_slots; i++)
        if (g->slots[i].phase != PHASE_FREE) empty(g, &g->slots[i]);
    free(g->slots);
    free(g->batch);
    free(g->sequences);
    free(g->ids);
    free(g->n);
    free(g);
}

trine_session *trine_generator_session(const trine_generator *g) { return g->session; }
int trine_generator_room(const trine_generator *g)
{
    /* Sequences that the caller holds take their place too. */
    return trine_min_int(g->n_slots - g->n_used, g->session->options.n_sequences - g->session->n_open);
}
int trine_generator_held(const trine_generator *g) { return g->n_used; }

/* ------------------------------------------------------------------------------------------------------------- coming */

/* The caller's arrays and texts may be gone when the text is written: what the turn goes on reading is copied. */
static trine_status copy_options(slot *s, trine_generate_options *o, trine_error *err)
{
    size_t bytes = 0;
    bool there = true;
    for (int i = 0; i < o->n_stop && o->stop; i++) bytes += sizeof *s->stops + (o->stop[i] ? strlen(o->stop[i]) + 1 : 0);
    if (bytes) {
        there = (s->stops = malloc(bytes)) != NULL;
        char *at = there ? (char *)(s->stops + o->n_stop) : NULL;
        for (int i = 0; there && i < o->n_stop; i++) {
            s->stops[i] = o->stop[i] ? strcpy(at, o->stop[i]) : NULL;
            at += o->stop[i] ? strlen(o->stop[i]) + 1 : 0;
        }
        o->stop = s->stops;
    }
    const size_t n = o->ids && o->n_ids > 0 ? (size_t)o->n_ids : 0;
    const size_t n_decoder = o->decoder_ids && o->n_decoder_ids > 0 ? (size_t)o->n_decoder_ids : 0;
    if (there && n + n_decoder) {
        there = (s->ids = malloc((n + n_decoder) * sizeof *s->ids)) != NULL;
        if (there && n) o->ids = memcpy(s->ids, o->ids, n * sizeof *s->ids);
        if (there && n_decoder) o->decoder_ids = memcpy(s->ids + n, o->decoder_ids, n_decoder * sizeof *s->ids);
    }
    return there ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "generator: no memory for a text's options");
}

trine_status trine_generator_put(trine_generator *g, int64_t id, const char *prompt, const trine_generate_options *options,
                                 bool strip, trine_error *err)
{
    trine_generate_options o = options ? *options : (trine_generate_options) { 0 };
    if (!trine_generator_room(g))
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "generator: it holds %d texts, as many as the session's n_sequences: step, and take those that are over",
                          g->n_slots);
    if (o.beam > 1 || o.sequence)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "generator: %s for trine_generate, one text at a time",
                          o.sequence ? "a sequence of the caller's is" : "beams are");
    if (id < 0) return trine_fail(err, TRINE_ERROR_ARGUMENT, "generator: id %lld, expected 0 or more", (long long)id);
    for (int i = 0; i < g->n_slots; i++)
        if (g->slots[i].phase != PHASE_FREE && g->slots[i].id == id)
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "generator: it holds a text %lld already", (long long)id);
    slot *s = g->slots;
    while (s->phase != PHASE_FREE) s++;
    *s = (slot) { .id = id, .order = g->n_added++, .strip = strip };
    g->n_used++;
    trine_status status = copy_options(s, &o, err);
    if (!status) status = trine_turn_open(&s->turn, g->session, prompt, &o, err);
    const trine_model *m = g->session->model;
    if (!status) status = trine_check_ids(m, s->turn.prompt, s->turn.out.n_prompt, "generator", err);
    if (!status) status = trine_check_ids(m, s->turn.begin, s->turn.n_begin, "generator", err);
    if (!status) status = trine_sequence_open(&s->turn.sequence, g->session, err);
    if (status) {
        empty(g, s);
        return status;
    }
    s->phase = s->turn.sequence->cross ? PHASE_SOURCE : PHASE_PROMPT;
    return TRINE_OK;
}

trine_status trine_generator_add(trine_generator *g, int64_t id, const char *prompt, const trine_generate_options *options,
                                 trine_error *err)
{
    return trine_generator_put(g, id, prompt, options, false, err);
}

/* ------------------------------------------------------------------------------------------------------------- a step */

void trine_strip_blanks(char *text)
{
    const size_t from = strspn(text, " \t\r\n");
    size_t n = strlen(text);
    while (n > from && strchr(" \t\r\n", text[n - 1])) n--;
    memmove(text, text + from, n - from);
    text[n - from] = 0;
}

/* The text is over; its sequence goes, so that its pages are free. A failure is its own, not the batch's. */
static void end(trine_generator *g, slot *s, trine_status status)
{
    if (!status) status = trine_turn_end(&s->turn, &s->error);
    if (!status && s->strip && s->turn.out.text) trine_strip_blanks(s->turn.out.text);
    trine_turn_close(&s->turn);
    s->status = status;
    s->phase = PHASE_OVER;
    s->order = g->n_over++;
}

/* Texts in this phase that are not held back, in the order of coming, into g->batch[from ..]; returns how many are there then. */
static int gather(trine_generator *g, int from, phase which)
{
    int n = from;
    for (int i = 0; i < g->n_slots; i++) {
        slot *s = &g->slots[i];
        if (s->phase != which || s->held) continue;
        int at = n++;
        for (; at > from && g->batch[at - 1]->order > s->order; at--) g->batch[at] = g->batch[at - 1];
        g->batch[at] = s;
    }
    return n;
}

/* Sources that have come, as many in a pass as it takes. */
static trine_status read_sources(trine_generator *g, trine_error *err)
{
    const int n = gather(g, 0, PHASE_SOURCE);
    for (int first = 0, count; first < n; first += count) {
        int rows = 0;
        for (count = 0; first + count < n; count++) {
            const trine_turn *t = &g->batch[first + count]->turn;
            if (count && t->out.n_prompt > g->session->options.source_ctx - rows) break;
            rows += t->out.n_prompt;
            g->sequences[count] = t->sequence;
            g->ids[count] = t->prompt;
            g->n[count] = t->out.n_prompt;
        }
        const trine_status status = trine_sequences_source(g->sequences, g->ids, g->n, count, err);
        if (status) return status;
        for (int i = 0; i < count; i++) g->batch[first + i]->phase = PHASE_PROMPT;
    }
    return TRINE_OK;
}

/* After a part of a prompt: whether its reader goes on. */
static bool goes_on(const trine_turn *t, int done) { return !t->o.on_progress || t->o.on_progress(t->o.user, done, t->n_begin); }

/* What follows for one text from a pass that has fed `n` of its tokens. */
static void follow(trine_generator *g, slot *s, int n)
{
    trine_turn *t = &s->turn;
    bool next = false;
    trine_status status = TRINE_OK;
    if (s->phase == PHASE_PROMPT) {
        s->n_fed += n;
        if (!goes_on(t, s->n_fed)) {
            t->out.finish = TRINE_FINISH_CANCELLED;
            end(g, s, TRINE_OK);
            return;
        }
        if (s->n_fed < t->n_begin) return;
        t->out.prompt_ms = trine_clock_ms() - t->started;
        s->phase = PHASE_WRITING;
    }
    status = trine_turn_take(&next, t, trine_sequence_logits(t->sequence), &s->error);
    if (status || !next) end(g, s, status);
}

trine_status trine_generator_step(trine_generator *g, trine_error *err)
{
    const trine_session_options *o = &g->session->options;
    trine_status status = read_sources(g, err);
    if (status) return status;
    const int n_writing = gather(g, 0, PHASE_WRITING), n_all = gather(g, n_writing, PHASE_PROMPT);
    /* Under a mask that lets tokens see those after them a prompt is one pass of its own. */
    const bool whole = o->mask == TRINE_MASK_BIDIRECTIONAL || o->mask == TRINE_MASK_PREFIX;
    int count = 0, room = o->batch_tokens;
    for (int i = whole && n_all > n_writing ? n_writing : 0; i < n_all && room > 0; i++) {
        slot *s = g->batch[i];
        const trine_turn *t = &s->turn;
        g->batch[count] = s;
        g->sequences[count] = t->sequence;
        if (s->phase == PHASE_WRITING) {
            g->ids[count] = &t->out.tokens[t->out.n_tokens - 1];
            g->n[count] = 1;
        } else {
            g->ids[count] = t->begin + s->n_fed;
            g->n[count] = whole ? t->n_begin : trine_min_int(t->n_begin - s->n_fed, room);
        }
        room -= g->n[count++];
        if (whole && s->phase == PHASE_PROMPT) break;
    }
    if (!count) return TRINE_OK;
    if ((status = trine_sequences_feed(g->sequences, g->ids, g->n, count, err))) return status;
    for (int i = 0; i < count; i++) follow(g, g->batch[i], g->n[i]);
    return TRINE_OK;
}

/* ------------------------------------------------------------------------------------------------------------- leaving */

trine_status trine_generator_take(trine_generation *out, int64_t *id, trine_generator *g, trine_error *err)
{
    slot *first = NULL;
    *out = (trine_generation) { 0 };
    *id = -1;
    for (int i = 0; i < g->n_slots; i++) {
        slot *s = &g->slots[i];
        if (s->phase == PHASE_OVER && (!first || s->order < first->order)) first = s;
    }
    if (!first) return TRINE_OK;
    const trine_status status = first->status;
    *id = first->id;
    if (status) {
        if (err) *err = first->error;
    } else {
        *out = first->turn.out;
        first->turn.out = (trine_generation) { 0 };
    }
    empty(g, first);
    return status;
}

/* The text called `id` while it is not over; NULL when there is none. */
static slot *find(trine_generator *g, int64_t id)
{
    for (int i = 0; i < g->n_slots; i++) {
        slot *s = &g->slots[i];
        if (s->phase != PHASE_FREE && s->phase != PHASE_OVER && s->id == id) return s;
    }
    return NULL;
}

void trine_generator_hold(trine_generator *g, int64_t id, bool held)
{
    slot *s = find(g, id);
    if (s) s->held = held;
}

void trine_generator_cancel(trine_generator *g, int64_t id)
{
    slot *s = find(g, id);
    if (!s) return;
    s->turn.out.finish = TRINE_FINISH_CANCELLED;
    end(g, s, TRINE_OK);
}
