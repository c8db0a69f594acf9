/* task_classify.h - scores of labels for many texts at once: what classify and eval share. */
#ifndef TRINE_TASKS_TASK_CLASSIFY_H
#define TRINE_TASKS_TASK_CLASSIFY_H

#include "tasks/task_parts.h"

/* Adds the scores of each part to its text's row of sums [n_texts, n_labels], and 1 to n_parts_of [n_texts]. */
trine_status trine_label_scores_of(double *sums, int *n_parts_of, trine_session *s, const trine_task_parts *parts,
                                   trine_error *err);

#endif
