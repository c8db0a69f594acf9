/* task_classify.c - labels of a text (Devlin et al. 2019, sec. 4.1), as probabilities: softmax over labels that exclude each other,
 * a sigmoid of each where several may hold or there is only one, the number itself for a regression. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "tasks/task_classify.h"

typedef enum trine_label_rule { TRINE_RULE_SOFTMAX, TRINE_RULE_SIGMOID, TRINE_RULE_NONE } trine_label_rule;

/* The rule of transformers' text-classification pipeline. */
static trine_label_rule find_rule(const trine_session *s)
{
    const char *type = json_string_value(json_object_get(trine_checkpoint_config(s->model->checkpoint), "problem_type"));
    if (type && !strcmp(type, "regression")) return TRINE_RULE_NONE;
    return (type && !strcmp(type, "multi_label_classification")) || s->model->info.n_labels == 1 ? TRINE_RULE_SIGMOID
                                                                                                 : TRINE_RULE_SOFTMAX;
}

trine_status trine_label_scores_of(double *sums, int *n_parts_of, trine_session *s, const trine_task_parts *parts, trine_error *err)
{
    const trine_label_rule rule = find_rule(s);
    const int n_labels = s->model->info.n_labels;
    trine_status status = TRINE_OK;
    for (int first = 0, in_pass; first < parts->n && !status; first += in_pass) {
        trine_mat logits;
        in_pass = trine_task_parts_in_pass(parts, first, s);
        status = trine_task_parts_head(&logits, s, parts, first, in_pass, NULL, 0, err);
        for (int i = 0; i < in_pass && !status; i++) {
            float *x = logits.data + (size_t)i * n_labels;
            const int text = parts->items[first + i].text;
            if (rule == TRINE_RULE_SOFTMAX) status = trine_softmax(x, n_labels, "classify", err);
            for (int j = 0; j < n_labels && !status; j++) {
                if (!isfinite(x[j])) status = trine_fail(err, TRINE_ERROR_NUMERIC, "classify: logit %d is not finite", j);
                sums[(size_t)text * n_labels + j] += rule == TRINE_RULE_SIGMOID ? 1 / (1 + exp(-(double)x[j])) : x[j];
            }
            n_parts_of[text]++;
        }
    }
    return status;
}

static int by_score(const void *a, const void *b)
{
    const trine_label_score *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->index - y->index;
}

trine_status trine_classify(trine_labels *out, trine_session *s, const char *text, const trine_task_options *options,
                            trine_error *err)
{
    const trine_task_options *o = options ? options : &trine_task_defaults;
    if (!out || !s) return trine_fail(err, TRINE_ERROR_ARGUMENT, "classify: no %s", s ? "result" : "session");
    *out = (trine_labels) { 0 };
    if (o->top_k < 0) return trine_fail(err, TRINE_ERROR_ARGUMENT, "classify: top_k is %d, expected 0 or more", o->top_k);
    trine_status status = trine_task_needs_head(s, "classify", TRINE_HEAD_LABELS, err);
    if (status) return status;
    const int n = s->model->info.n_labels;
    trine_task_parts parts = { 0 };
    double *sums = calloc((size_t)n, sizeof *sums);
    trine_label_score *items = calloc((size_t)n, sizeof *items);
    int n_parts = 0;
    status = sums && items ? trine_task_parts_add(&parts, s, "classify", text, 0, o, err)
                           : trine_fail(err, TRINE_ERROR_MEMORY, "classify: no memory for %d labels", n);
    if (!status) status = trine_label_scores_of(sums, &n_parts, s, &parts, err);
    for (int i = 0; i < n && !status; i++)
        items[i] = (trine_label_score) { trine_model_label(s->model, i), (float)(sums[i] / n_parts), i };
    trine_task_parts_clear(&parts);
    free(sums);
    if (status) {
        free(items);
        return status;
    }
    qsort(items, (size_t)n, sizeof *items, by_score);
    *out = (trine_labels) { .n = o->top_k && o->top_k < n ? o->top_k : n, .items = items };
    return TRINE_OK;
}

void trine_labels_clear(trine_labels *labels)
{
    if (!labels) return;
    free(labels->items);
    *labels = (trine_labels) { 0 };
}
