/* eval.h - measuring a model on a file, one task a file; eval.c has what they share. */
#ifndef TRINE_TASKS_EVAL_H
#define TRINE_TASKS_EVAL_H

#include "base/many_ranks.h"
#include "generate/session.h"
#include "tasks/data.h"
#include "trine/measuring.h"

typedef trine_status trine_eval_fn(trine_eval_result *out, trine_session *s, const char *path, const trine_eval_options *o,
                                   trine_error *err);
trine_eval_fn trine_eval_lm, trine_eval_mlm, trine_eval_classify, trine_eval_tag, trine_eval_translate, trine_eval_summarize;

/* A second model on the same inputs (compare.c): its own scores, and how far its distributions are from the first model's. */
typedef struct trine_beside {
    trine_session *s;
    double loss, kl;        /* sums over the tokens */
    int64_t right, same, n; /* guessed as the text has it; as the first model guesses; tokens */
} trine_beside;
/* One token: its logits [vocab] by the first model and by this one. */
trine_status trine_beside_add(trine_beside *b, const float *first, const float *logits, int vocab, int32_t gold, trine_error *err);
/* The measurements with a second model beside (NULL: none). Text to text has one of its own: tokens of the references. */
trine_status trine_eval_lm_beside(trine_eval_result *out, trine_session *s, trine_beside *beside, const char *path,
                                  const trine_eval_options *o, trine_error *err);
trine_status trine_eval_mlm_beside(trine_eval_result *out, trine_session *s, trine_beside *beside, const char *path,
                                   const trine_eval_options *o, trine_error *err);
trine_status trine_eval_references_beside(trine_eval_result *out, trine_session *s, trine_eval_task task, trine_beside *beside,
                                          const char *path, const trine_eval_options *o, trine_error *err);

/* What is done with one example of a file of pairs; `references` has one text or more. */
typedef trine_status trine_pair_fn(void *user, trine_session *s, const char *source, const trine_field *references,
                                   const trine_eval_options *o, trine_error *err);
/* Each example of a file for TRANSLATE or SUMMARIZE, counted in out->n_examples. */
trine_status trine_eval_pairs(trine_eval_result *out, trine_session *s, trine_eval_task task, const char *path, trine_pair_fn *each,
                              void *user, const trine_eval_options *o, trine_error *err);

/* Whether this rank measures example (or window, or group) i. */
static inline bool trine_eval_own(const trine_eval_options *o, int64_t i)
{
    return i % trine_n_ranks(o->ranks) == trine_rank(o->ranks);
}
/* Each rank has measured its own, or failed: counts and sums become those of all. */
trine_status trine_eval_together(const trine_eval_options *o, trine_status status, int64_t *counts, int n_counts, double *sums,
                                 int n_sums, trine_error *err);
/* Calls o->on_progress; ERROR_CANCELLED when it wants to stop. */
trine_status trine_eval_progress(const trine_eval_options *o, int64_t done, int64_t total, trine_error *err);
/* Fails unless the model has a tokenizer. */
trine_status trine_eval_needs_tokenizer(const trine_session *s, trine_error *err);
/* -ln p(id) under one row of logits. */
trine_status trine_eval_loss(double *out, const trine_session *s, const float *logits, int vocab, int32_t id, trine_error *err);

#endif
