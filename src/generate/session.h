/* session.h - one worker's memory and how it runs passes: what tasks/ and the rest of generate/ stand on. */
#ifndef TRINE_GENERATE_SESSION_H
#define TRINE_GENERATE_SESSION_H

#include "models/model.h"

struct trine_session {
    trine_model *model;
    trine_session_options options; /* with every default filled in */
    trine_arena arena;
    trine_team *team;            /* options.n_threads; NULL: one */
    trine_kv_pool *self, *cross; /* NULL where the paradigm has none */
    trine_memory memory;
    trine_tracer *tracer;    /* set for the length of a trace */
    trine_arena trace_arena; /* of a traced pass that the arena is too small for: attention weights are n x n */
    /* The batch of a pass is laid out here. */
    trine_segment *segments;         /* [rows_cap] */
    int32_t *ids, *types, *out_rows; /* [rows_cap] */
    int rows_cap;                    /* most rows of any pass */
    int32_t ends[TRINE_MAX_END_IDS]; /* [n_ends] tokens that end a text */
    int n_ends;
    int n_open;        /* sequences open now */
    bool closed;       /* by its owner, before all of its sequences were: it stays till they are */
    uint64_t n_passes; /* so far: results of an earlier pass are gone */
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
 * rows out_rows (NULL: all; at most options.logit_rows); with no head the states. Borrowed likewise. */
trine_status trine_session_head(trine_mat *out, trine_session *s, const trine_texts *texts, const int32_t *out_rows, int n_out,
                                trine_error *err);
/* Logits [n, vocab] of every position of one text under a causal model, starting from an empty past (perplexity). n <= logit_rows.
 * Borrowed likewise. */
trine_status trine_session_logits(trine_mat *out, trine_session *s, const int32_t *ids, int n, trine_error *err);
/* trine_sequence_feed, and the logits [n, vocab] after each of the n tokens: one pass, n <= batch_tokens and n <= logit_rows.
 * A text longer than a pass is measured by calling it again and again. Borrowed likewise. */
trine_status trine_sequence_feed_logits(trine_mat *out, trine_sequence *sequence, const int32_t *ids, int n, trine_error *err);

/* ------------------------------------------------------------------------------------------------ within generate/ */

/* A sequence is gone, and with the last of them a session that was closed before. */
void trine_session_drop_sequence(trine_session *s);

/* What a pass computes. */
typedef enum trine_pass_kind {
    TRINE_PASS_STATES, /* last states: of the encoder where there is one, else of the decoder */
    TRINE_PASS_SOURCE, /* encoder-decoder: the encoder, and its keys into the segments' cross caches */
    TRINE_PASS_HEAD    /* the encoder or the decoder, then the head on batch.out_rows; n_out 0: without the head */
} trine_pass_kind;

/* Runs a pass in the session's arena; *out (NULL is fine) is borrowed from it until the next. */
trine_status trine_session_run(trine_mat *out, trine_session *s, const trine_batch *batch, trine_pass_kind kind, trine_error *err);
/* The same model code on an arena that only counts: bytes a pass needs. */
trine_status trine_pass_measure(size_t *bytes, const trine_model *m, const trine_batch *batch, trine_pass_kind kind, int n_threads,
                                trine_tracer *tracer, trine_error *err);
/* Fails unless 0 <= ids[i] < vocab for all; `what` names the caller in the text. */
trine_status trine_check_ids(const trine_model *m, const int32_t *ids, int n, const char *what, trine_error *err);
/* Fails unless the model knows the types of all tokens; 0 is known to all. */
trine_status trine_check_types(const trine_model *m, const int32_t *types, int n, trine_error *err);

/* A session in numbers, before anything is taken. */
typedef struct trine_session_plan {
    trine_session_options options;                /* resolved */
    size_t arena_bytes, cache_bytes, batch_bytes; /* batch: rows_cap segments and ids */
    int rows_cap;
} trine_session_plan;
/* Resolves every default and counts every byte. ERROR_ARGUMENT names a field, ERROR_MEMORY the longest context that fits. */
trine_status trine_session_make_plan(trine_session_plan *out, const trine_model *m, const trine_session_options *asked,
                                     trine_error *err);
/* The same at a context that is given, whatever is free: asked->memory and what is free are not looked at. asked->n_threads 0: one a
 * core. */
trine_status trine_session_plan_at(trine_session_plan *out, const trine_model *m, const trine_session_options *asked, int ctx,
                                   trine_error *err);
/* The tokens of context of a session that is not told: the model's, or a number where it has no limit of its own. */
int trine_session_default_ctx(const trine_model *m, const trine_session_options *o);
/* The shapes of the caches under resolved options. */
trine_kv_shape trine_session_kv_shape(const trine_model *m, const trine_session_options *o);

#endif
