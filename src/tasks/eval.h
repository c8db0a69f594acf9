/* eval.h - measuring a model on a file, one task a file; eval.c has what they share. */
#ifndef TRINE_TASKS_EVAL_H
#define TRINE_TASKS_EVAL_H

#include "generate/session.h"
#include "tasks/data.h"

typedef trine_status trine_eval_fn(trine_eval_result *out, trine_session *s, const char *path, const trine_eval_options *o,
                                   trine_error *err);
trine_eval_fn trine_eval_lm, trine_eval_mlm, trine_eval_classify, trine_eval_tag, trine_eval_translate, trine_eval_summarize;

/* Calls o->on_progress; ERROR_CANCELLED when it wants to stop. */
trine_status trine_eval_progress(const trine_eval_options *o, int64_t done, int64_t total, trine_error *err);
/* Fails unless the model has a tokenizer. */
trine_status trine_eval_needs_tokenizer(const trine_session *s, trine_error *err);
/* -ln p(id) under one row of logits. */
trine_status trine_eval_loss(double *out, const float *logits, int vocab, int32_t id, trine_error *err);

#endif
