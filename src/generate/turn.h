/* turn.h - one text being written: what is asked, its sequence, its sampler, its stream, and what came of it so far.
 *
 * Who runs the passes (one text alone, or many as one batch) feeds turn.begin into turn.sequence and then each token that
 * trine_turn_take chose. */
#ifndef TRINE_GENERATE_TURN_H
#define TRINE_GENERATE_TURN_H

#include "generate/sampler.h"
#include "generate/sequence.h"
#include "generate/stream.h"

typedef struct trine_turn {
    trine_session *session;
    trine_generate_options o;
    trine_generation out;
    trine_sequence *sequence; /* of its own unless o.sequence is set */
    trine_encoding encoding;  /* of a prompt given as text */
    const int32_t *prompt;    /* [out.n_prompt] */
    const int32_t *begin;     /* [n_begin] what the decoder begins with: the prompt, or start tokens */
    int n_begin;
    int32_t start; /* an encoder-decoder's start token */
    int n_ends;    /* of the session's end tokens, those that count: all or none */
    int max_new;
    trine_stream stream;
    trine_sampler *sampler;
    trine_token_chance *top; /* [o.n_top] for on_token; NULL: nobody asks */
    double started, first;   /* on trine_clock_ms's clock */
} trine_turn;

/* Checks the options, reads the prompt and opens all but the sequence. Prompt, ids and stop texts are borrowed from the caller
 * for as long as the turn is open. Close it whatever comes of it. */
trine_status trine_turn_open(trine_turn *t, trine_session *session, const char *prompt, const trine_generate_options *options,
                             trine_error *err);
/* Chooses the next token from logits [vocab]. *next: it is to be fed, and is the last of t->out.tokens; else the text is over and
 * t->out.finish says why. */
trine_status trine_turn_take(bool *next, trine_turn *t, const float *logits, trine_error *err);
/* Fills what is left of t->out: the text and the times. */
trine_status trine_turn_end(trine_turn *t, trine_error *err);
/* Closes it, its own sequence too; t->out is the caller's now. */
void trine_turn_close(trine_turn *t);

#endif
