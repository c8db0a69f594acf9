/* session.h - one worker's memory and how it runs passes: what tasks/ and the rest of generate/ stand on. */
#ifndef TRINE_GENERATE_SESSION_H
#define TRINE_GENERATE_SESSION_H

#include "models/model.h"

struct trine_session {
    trine_model *model;
    trine_session_options options; /* with every default filled in */
    trine_arena arena;
    trine_kv_pool *self, *cross;   /* NULL where the paradigm has none */
    trine_memory memory;
    trine_tracer *tracer;          /* set for the length of a trace */
};

/* Texts as ids, all run in one pass (or as few as batch_tokens allows when only states are asked). */
typedef struct trine_texts {
    int n_texts;
    const int32_t *const *ids;   /* [n_texts] */
    const int32_t *const *types; /* [n_texts], entries or the array may be NULL: all 0 */
    const int *n;                /* [n_texts] tokens of each, 1 or more */
} trine_texts;

/* Last states [sum of n, d_model] of an encoder, an encoder-decoder's encoder, or a decoder without its head. Borrowed from
 * the arena until the session's next pass. ERROR_TOO_LONG when the texts do not fit one pass or the model's positions. */
trine_status trine_session_states(trine_mat *out, trine_session *s, const trine_texts *texts, trine_error *err);
/* What the model's head gives for the texts: labels [n_texts, n_labels], tags [rows, n_labels], mlm logits [n_out, vocab] of the
 * rows out_rows (NULL: all). */
trine_status trine_session_head(trine_mat *out, trine_session *s, const trine_texts *texts, const int32_t *out_rows, int n_out, trine_error *err);
/* Logits [n, vocab] of every position of one text under a causal model, starting from an empty past (perplexity). n <= logit_rows. */
trine_status trine_session_logits(trine_mat *out, trine_session *s, const int32_t *ids, int n, trine_error *err);

#endif
