/* task_parts.h - texts as tokens, each no longer than one pass takes: what embed, fill, classify, tag and eval read. A text
 * that is too long is refused, cut, or taken in parts, as the caller chose; a part has the special tokens of a text of its own. */
#ifndef TRINE_TASKS_TASK_PARTS_H
#define TRINE_TASKS_TASK_PARTS_H

#include "generate/session.h"
#include "trine/understanding.h"

typedef struct trine_task_part {
    int text;         /* which text it is of */
    int n, n_content; /* tokens; those that are not special ones put around it */
    int32_t *ids, *types;
    trine_span *spans; /* bytes of the text; raw ids have none: NULL */
    uint8_t *special;  /* 1: put around the text */
    int8_t *sequence;  /* 1: of the pair */
    void *memory;      /* owns the arrays */
} trine_task_part;

typedef struct trine_task_parts {
    trine_task_part *items;
    int n, cap;
    int limit; /* most tokens of a part, where that is less than a pass takes; 0: what a pass takes */
} trine_task_parts;

/* Appends the parts of a text (or of o->ids). `task` begins every error text. ERROR_EMPTY for a text without tokens. */
trine_status trine_task_parts_add(trine_task_parts *parts, const trine_session *s, const char *task, const char *text, int index,
                                  const trine_task_options *o, trine_error *err);
/* The same for each of `n` texts (with pairs[i], where `pairs` is not NULL); an error says of which when there are several. */
trine_status trine_task_parts_add_all(trine_task_parts *parts, const trine_session *s, const char *task, const char *const *texts,
                                      const char *const *pairs, int n, const trine_task_options *o, trine_error *err);
/* ERROR_ARGUMENT where a batch of texts was asked for in a way that is for one text. */
trine_status trine_task_check_batch(const trine_session *s, const char *task, const void *out, const char *const *texts, int n,
                                    const trine_task_options *o, trine_error *err);
void trine_task_parts_clear(trine_task_parts *parts);
/* How many parts from `first` on one pass takes. */
int trine_task_parts_in_pass(const trine_task_parts *parts, int first, const trine_session *s);

/* The states of parts [first, first + n), or what the head gives for them (rows out_rows, NULL: all). Borrowed until the
 * next pass. */
trine_status trine_task_parts_states(trine_mat *out, trine_session *s, const trine_task_parts *parts, int first, int n,
                                     trine_error *err);
trine_status trine_task_parts_head(trine_mat *out, trine_session *s, const trine_task_parts *parts, int first, int n,
                                   const int32_t *out_rows, int n_out, trine_error *err);

/* ERROR_ARGUMENT unless the model has this head: "fill: this model has no masked-token head (its head is ...)". */
trine_status trine_task_needs_head(const trine_session *s, const char *task, trine_head head, trine_error *err);
/* Probabilities of n logits in place; ERROR_NUMERIC when one is not finite. */
trine_status trine_softmax(float *x, int n, const char *task, trine_error *err);
extern const trine_task_options trine_task_defaults;

#endif
