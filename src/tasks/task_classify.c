/* task_classify.c - labels of a text (Devlin et al. 2019, sec. 4.1), as probabilities: softmax over labels that exclude each other,
 * a sigmoid of each where several may hold or there is only one, the number itself for a regression. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
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

/* The labels of one text from the sums over its parts. */
static trine_status take_labels(trine_labels *out, const trine_session *s, const double *sums, int n_parts, int top_k,
                                trine_error *err)
{
    const int n = s->model->info.n_labels;
    trine_label_score *items = calloc((size_t)n, sizeof *items);
    if (!items) return trine_fail(err, TRINE_ERROR_MEMORY, "classify: no memory for %d labels", n);
    for (int i = 0; i < n; i++) items[i] = (trine_label_score) { trine_model_label(s->model, i), (float)(sums[i] / n_parts), i };
    qsort(items, (size_t)n, sizeof *items, by_score);
    *out = (trine_labels) { .n = top_k && top_k < n ? top_k : n, .items = items };
    return TRINE_OK;
}

static trine_status classify(trine_labels *out, trine_session *s, const char *const *texts, const char *const *pairs, int n,
                             const trine_task_options *o, trine_error *err)
{
    const int n_labels = s->model->info.n_labels;
    for (int i = 0; i < n; i++) out[i] = (trine_labels) { 0 };
    if (o->top_k < 0) return trine_fail(err, TRINE_ERROR_ARGUMENT, "classify: top_k is %d, expected 0 or more", o->top_k);
    trine_status status = trine_task_needs_head(s, "classify", TRINE_HEAD_LABELS, err);
    if (status) return status;
    trine_task_parts parts = { 0 };
    size_t cells;
    double *sums = trine_mul_size(&cells, (size_t)n, (size_t)n_labels) ? calloc(cells, sizeof *sums) : NULL;
    int *n_parts = calloc((size_t)n, sizeof *n_parts);
    status = sums && n_parts ? trine_task_parts_add_all(&parts, s, "classify", texts, pairs, n, o, err)
                             : trine_fail(err, TRINE_ERROR_MEMORY, "classify: no memory for %d labels", n_labels);
    if (!status) status = trine_label_scores_of(sums, n_parts, s, &parts, err);
    for (int i = 0; i < n && !status; i++) status = take_labels(&out[i], s, sums + (size_t)i * n_labels, n_parts[i], o->top_k, err);
    for (int i = 0; i < n && status; i++) trine_labels_clear(&out[i]);
    trine_task_parts_clear(&parts);
    free(sums);
    free(n_parts);
    return status;
}

trine_status trine_classify(trine_labels *out, trine_session *s, const char *text, const trine_task_options *options,
                            trine_error *err)
{
    if (out) *out = (trine_labels) { 0 };
    if (!out || !s) return trine_fail(err, TRINE_ERROR_ARGUMENT, "classify: no %s", s ? "result" : "session");
    return classify(out, s, &text, NULL, 1, options ? options : &trine_task_defaults, err);
}

trine_status trine_classify_batch(trine_labels *out, trine_session *s, const char *const *texts, const char *const *pairs, int n,
                                  const trine_task_options *options, trine_error *err)
{
    const trine_task_options *o = options ? options : &trine_task_defaults;
    for (int i = 0; out && i < n; i++) out[i] = (trine_labels) { 0 };
    const trine_status status = trine_task_check_batch(s, "classify", out, texts, n, o, err);
    return status || !n ? status : classify(out, s, texts, pairs, n, o, err);
}

void trine_labels_clear(trine_labels *labels)
{
    if (!labels) return;
    free(labels->items);
    *labels = (trine_labels) { 0 };
}
