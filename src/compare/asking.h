/* asking.h - what a model of any paradigm says, asked in its own way: the next token after a text, what stands behind a mask, an answer
 * written from nothing. */
#ifndef TRINE_COMPARE_ASKING_H
#define TRINE_COMPARE_ASKING_H

#include "compare/world_examples.h"
#include "generate/session.h"
#include "train/draw.h"

typedef struct trine_asker {
    trine_session *session;
    trine_paradigm paradigm;
    int vocab, max_tokens;
    int32_t *ids; /* [max_tokens] */
    float *kept;  /* [vocab] a row of logits that outlives the next pass */
} trine_asker;
/* For texts of up to `max_tokens`, special tokens included. */
trine_status trine_asker_open(trine_asker *out, trine_model *model, int max_tokens, int n_threads, trine_error *err);
void trine_asker_close(trine_asker *asker);

/* Decoder and encoder-decoder: logits [n_target + 1, vocab] of what follows `source` and each beginning of `target`. A decoder reads
 * both as one text; an encoder-decoder reads the source, and is given the target. Borrowed until the next question. */
trine_status trine_ask_next(trine_mat *out, trine_asker *a, const int32_t *source, int n_source, const int32_t *target,
                            int n_target, trine_error *err);
/* Encoder: logits [n_rows, vocab] at `rows` of the text `ids` (counted without [CLS], which is put before it). Borrowed likewise. */
trine_status trine_ask_masked(trine_mat *out, trine_asker *a, const int32_t *ids, int n, const int32_t *rows, int n_rows,
                              trine_error *err);

/* Writes what follows `source` into out [most], until the end token, which is not among *n. An encoder fills `most` blanks, the surest
 * first. `draws` NULL: always the likeliest; else drawn, and an encoder fills from left to right. *n_passes: forwards that it took. */
trine_status trine_ask_write(int32_t *out, int *n, int *n_passes, trine_asker *a, const int32_t *source, int n_source, int most,
                             trine_draws *draws, trine_error *err);

/* -log p of a token, and the likeliest, by a row of logits. */
double trine_nats_of(const float *logits, int vocab, int32_t id);
int32_t trine_likeliest(const float *logits, int vocab);

#endif
