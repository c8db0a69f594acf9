/* generation.c - one text by itself: reads the prompt, then token after token, or a search with beams. */
#include <stdlib.h>

#include "base/size.h"
#include "base/status.h"
#include "generate/beam.h"
#include "generate/clock.h"
#include "generate/turn.h"

const char *trine_finish_name(trine_finish finish)
{
    static const char *const names[] = { "eos", "stop", "length", "cancelled" };
    return (unsigned)finish < sizeof names / sizeof *names ? names[finish] : "unknown";
}

void trine_generation_clear(trine_generation *g)
{
    if (!g) return;
    free(g->text);
    free(g->tokens);
    *g = (trine_generation) { 0 };
}

/* Tokens at the beginning of the prompt that the caller's sequence holds already. The last one is fed again unless its logits
 * are still there. */
static int held_already(const trine_turn *t)
{
    const int length = trine_sequence_length(t->sequence), most = trine_min_int(length, t->n_begin);
    const int32_t *held = trine_sequence_ids(t->sequence);
    int n = 0;
    while (n < most && held[n] == t->begin[n]) n++;
    if (n == t->n_begin && (length != n || !trine_sequence_logits(t->sequence))) n--;
    return n;
}

/* Reads the prompt: logits of what comes next are there afterwards. *go_on: on_progress did not stop. */
static trine_status prefill(trine_turn *t, bool *go_on, trine_error *err)
{
    const trine_session_options *s = &t->session->options;
    trine_status status = TRINE_OK;
    int done = 0;
    *go_on = true;
    if (t->o.sequence) {
        t->sequence = t->o.sequence;
        done = held_already(t);
        status = trine_sequence_truncate(t->sequence, done, err);
    } else {
        status = trine_sequence_open(&t->sequence, t->session, err);
    }
    if (!status && t->sequence->cross) status = trine_sequence_source(t->sequence, t->prompt, t->out.n_prompt, err);
    /* In parts of a pass each, to tell how far it is; but not where tokens of different parts would see each other. */
    const bool parts = t->o.on_progress && (s->mask == TRINE_MASK_DEFAULT || s->mask == TRINE_MASK_CAUSAL);
    while (!status && *go_on && done < t->n_begin) {
        const int n = parts ? trine_min_int(t->n_begin - done, s->batch_tokens) : t->n_begin - done;
        status = trine_sequence_feed(t->sequence, t->begin + done, n, err);
        done += n;
        if (!status && t->o.on_progress) *go_on = t->o.on_progress(t->o.user, done, t->n_begin);
    }
    return status;
}

/* Token after token. */
static trine_status decode(trine_turn *t, trine_error *err)
{
    trine_generation *out = &t->out;
    trine_status status;
    for (bool next;;) {
        status = trine_turn_take(&next, t, trine_sequence_logits(t->sequence), err);
        if (status || !next) break;
        if ((status = trine_sequence_feed(t->sequence, &out->tokens[out->n_tokens - 1], 1, err))) break;
    }
    if (status || !t->o.sequence) return status;
    /* A sequence of the caller's holds all of the text, as far as the context goes. */
    const int n = out->n_tokens;
    if (!n || trine_sequence_length(t->sequence) != t->n_begin + n - 1 || t->n_begin + n > t->session->options.ctx) return TRINE_OK;
    return trine_sequence_feed(t->sequence, &out->tokens[n - 1], 1, err);
}

static trine_status search(trine_turn *t, trine_error *err)
{
    trine_generation *out = &t->out;
    const trine_beam_options options = { .n_beams = t->o.beam,
                                         .max_new = t->max_new,
                                         .length_penalty = t->o.length_penalty != 0 ? t->o.length_penalty : 1,
                                         .end = t->session->ends,
                                         .n_end = t->n_ends,
                                         .on_step = t->o.on_progress,
                                         .user = t->o.user,
                                         .prompt = t->n_begin };
    trine_beam_result found = { .tokens = out->tokens };
    trine_status status = trine_beam_search(&found, t->sequence, &options, err);
    if (status) return status;
    out->n_tokens = found.n;
    out->score = found.score;
    out->finish = found.cancelled ? TRINE_FINISH_CANCELLED : found.ended ? TRINE_FINISH_EOS : TRINE_FINISH_LENGTH;
    t->first = found.first_ms;
    for (int i = 0; i < found.n && !status && !t->stream.stopped && !t->stream.cancelled; i++)
        status = trine_stream_push(&t->stream, found.tokens[i], err);
    if (t->stream.stopped) out->finish = TRINE_FINISH_STOP;
    return status;
}

trine_status trine_generate(trine_generation *out, trine_session *session, const char *prompt,
                            const trine_generate_options *options, trine_error *err)
{
    static const trine_generate_options defaults = { 0 };
    if (out) *out = (trine_generation) { 0 };
    if (!out || !session) return trine_fail(err, TRINE_ERROR_ARGUMENT, "generate: no %s", session ? "result" : "session");
    trine_turn t;
    bool go_on = false;
    trine_status status = trine_turn_open(&t, session, prompt, options ? options : &defaults, err);
    if (!status) {
        status = prefill(&t, &go_on, err);
        t.out.prompt_ms = trine_clock_ms() - t.started;
    }
    if (!status && !go_on)
        t.out.finish = TRINE_FINISH_CANCELLED;
    else if (!status)
        status = t.o.beam > 1 ? search(&t, err) : decode(&t, err);
    if (!status) status = trine_turn_end(&t, err);
    trine_turn_close(&t);
    if (status)
        trine_generation_clear(&t.out);
    else
        *out = t.out;
    return status;
}
