/* eval_labels.c - classifiers on a table of labelled texts, taggers on CoNLL files. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/status.h"
#include "tasks/eval.h"
#include "tasks/metrics.h"
#include "tasks/task_classify.h"
#include "tasks/task_tag.h"

enum { GROUP = 64 }; /* texts tokenised before passes are made of them */

/* ------------------------------------------------------------------------------------------------------------ classify */

/* A label of the file as the model's: by name, else by number. -1 when there is none. */
static int find_label(const trine_session *s, const char *given)
{
    const int n = s->model->info.n_labels;
    for (int i = 0; i < n; i++)
        if (!strcmp(given, trine_model_label(s->model, i))) return i;
    for (int i = 0; i < n; i++)
        if (!strcasecmp(given, trine_model_label(s->model, i))) return i;
    char *end;
    const long id = strtol(given, &end, 10);
    return *given >= '0' && *given <= '9' && !*end && id < n ? (int)id : -1;
}

static trine_status unknown_label(const trine_session *s, const char *path, int line, const char *given, trine_error *err)
{
    char names[200];
    size_t at = 0;
    names[0] = 0;
    for (int i = 0; i < s->model->info.n_labels && at + 1 < sizeof names; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%.40s", i ? ", " : "", trine_model_label(s->model, i));
    return trine_fail(err, TRINE_ERROR_FORMAT, "%s, line %d: the label '%.60s' is none of the model's: %s, or 0 to %d", path, line,
                      given, names, s->model->info.n_labels - 1);
}

typedef struct group {
    trine_task_parts parts;
    double *sums; /* [GROUP, n_labels] */
    int gold[GROUP], n_parts_of[GROUP], n;
    int64_t *counts; /* [n_labels, n_labels]: gold, guessed */
    double loss;
} group;

static trine_status score_group(group *g, trine_session *s, trine_error *err)
{
    const int n_labels = s->model->info.n_labels;
    memset(g->sums, 0, (size_t)GROUP * (size_t)n_labels * sizeof *g->sums);
    memset(g->n_parts_of, 0, sizeof g->n_parts_of);
    const trine_status status = g->n ? trine_label_scores_of(g->sums, g->n_parts_of, s, &g->parts, err) : TRINE_OK;
    for (int i = 0; i < g->n && !status; i++) {
        const double *x = g->sums + (size_t)i * n_labels;
        int best = 0;
        for (int j = 1; j < n_labels; j++)
            if (x[j] > x[best]) best = j;
        g->counts[(size_t)g->gold[i] * n_labels + best]++;
        g->loss -= log(fmax(x[g->gold[i]] / g->n_parts_of[i], 1e-300));
    }
    trine_task_parts_clear(&g->parts);
    g->n = 0;
    return status;
}

/* All items of a list as one text. */
static trine_status join_items(char **out, const trine_field *f, trine_error *err)
{
    trine_buffer b = { 0 };
    for (int i = 0; i < f->n; i++) {
        if (i) trine_buffer_putc(&b, ' ');
        trine_buffer_puts(&b, f->items[i]);
    }
    *out = trine_buffer_take(&b);
    return *out ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a text");
}

static trine_status add_row(group *g, trine_session *s, const char *path, const trine_rows *rows, const trine_eval_options *o,
                            trine_error *err)
{
    const char *given = trine_rows_field(rows, 0)->items[0];
    const trine_field *pair = trine_rows_field(rows, 2);
    if ((g->gold[g->n] = find_label(s, given)) < 0) return unknown_label(s, path, trine_rows_line(rows), given, err);
    char *text;
    trine_status status = join_items(&text, trine_rows_field(rows, 1), err);
    const trine_task_options options = { .too_long = o->too_long, .pair = pair->n ? pair->items[0] : NULL };
    if (!status) status = trine_task_parts_add(&g->parts, s, "eval", text, g->n, &options, err);
    free(text);
    if (status) return trine_fail_in(err, status, "%s, line %d", path, trine_rows_line(rows));
    g->n++;
    return TRINE_OK;
}

trine_status trine_eval_classify(trine_eval_result *out, trine_session *s, const char *path, const trine_eval_options *o,
                                 trine_error *err)
{
    static const char *const label_names[] = { "label", NULL }, *const pair_names[] = { "text2", "sentence2", "hypothesis",
                                                                                        "question2", NULL };
    static const char *const text_names[] = { "text", "sentence", "content", "sentence1", "premise", "question1", "text1", NULL };
    const trine_column columns[] = {
        { "label", "--label", o->label_column, label_names, false },
        { "text", "--text", o->text_column, text_names, false },
        { "second text", "--pair-column", o->pair_column, pair_names, !o->pair_column },
    };
    trine_status status = trine_task_needs_head(s, "eval", TRINE_HEAD_LABELS, err);
    if (status) return status;
    const int n_labels = s->model->info.n_labels;
    if (n_labels < 2)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "eval: this model gives one number a text and no classes: there is no accuracy to measure");
    trine_rows *rows;
    if ((status = trine_rows_open(&rows, path, columns, 3, false, err))) return status;
    group g = { .sums = calloc((size_t)GROUP * (size_t)n_labels, sizeof(double)),
                .counts = calloc((size_t)n_labels * (size_t)n_labels, sizeof(int64_t)) };
    if (!g.sums || !g.counts) status = trine_fail(err, TRINE_ERROR_MEMORY, "eval: no memory for %d labels", n_labels);
    for (bool more = true; !status && more && (!o->limit || out->n_examples < o->limit);) {
        status = trine_rows_next(&more, rows, err);
        if (status || !more) break;
        if (trine_eval_own(o, out->n_examples++)) status = add_row(&g, s, path, rows, o, err);
        if (!status && g.n == GROUP) {
            status = score_group(&g, s, err);
            if (!status) status = trine_eval_progress(o, out->n_examples, o->limit, err);
        }
    }
    if (!status) status = score_group(&g, s, err);
    status = trine_eval_together(o, status, g.counts, g.counts ? n_labels * n_labels : 0, &g.loss, 1, err);
    if (!status && !out->n_examples) status = trine_fail(err, TRINE_ERROR_FORMAT, "%s: there is no row under the header", path);
    if (!status) {
        trine_label_scores(&out->accuracy, &out->f1, g.counts, n_labels);
        out->loss = g.loss / (double)out->n_examples;
    }
    trine_task_parts_clear(&g.parts);
    free(g.sums);
    free(g.counts);
    trine_rows_close(rows);
    return status;
}

/* ----------------------------------------------------------------------------------------------------------------- tag */

static bool model_has_type(const trine_session *s, const char *tag)
{
    const char *type, *other;
    if (trine_tag_split(&type, tag) == 'O') return true;
    for (int i = 0; i < s->model->info.n_labels; i++)
        if (trine_tag_split(&other, trine_model_label(s->model, i)) != 'O' && !strcmp(type, other)) return true;
    return false;
}

/* The label of each word of a sentence: that of the first word the model read inside it; "O" where it read none. */
static trine_status guess(const char **guessed, trine_session *s, const trine_tagged *sentence, const trine_eval_options *o,
                          trine_error *err)
{
    trine_buffer text = { 0 };
    trine_tag_words words = { 0 };
    for (int i = 0; i < sentence->n; i++) {
        if (i) trine_buffer_putc(&text, ' ');
        trine_buffer_puts(&text, sentence->words[i]);
        guessed[i] = "O";
    }
    const trine_task_options options = { .too_long = o->too_long };
    trine_status status = text.failed ? trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a sentence")
                                      : trine_tag_read(&words, s, text.data, &options, err);
    if (status == TRINE_ERROR_EMPTY) status = TRINE_OK;
    int w = 0;
    size_t start = 0;
    for (int i = 0; i < sentence->n && !status; i++) {
        const size_t end = start + strlen(sentence->words[i]);
        while (w < words.n && words.items[w].span.start < start) w++;
        if (w < words.n && words.items[w].span.start < end) guessed[i] = trine_model_label(s->model, words.items[w].label);
        start = end + 1;
    }
    trine_tag_words_clear(&words);
    trine_buffer_clear(&text);
    return status;
}

trine_status trine_eval_tag(trine_eval_result *out, trine_session *s, const char *path, const trine_eval_options *o,
                            trine_error *err)
{
    trine_status status = trine_task_needs_head(s, "eval", TRINE_HEAD_TAGS, err);
    trine_conll *file;
    if (status || (status = trine_conll_open(&file, path, err))) return status;
    trine_entity_counts counts = { 0 };
    char odd_type[64] = "";
    bool known = false;
    for (bool more = true; !status && more && (!o->limit || out->n_examples < o->limit);) {
        trine_tagged sentence;
        status = trine_conll_next(&more, &sentence, file, err);
        if (status || !more) break;
        const bool own = trine_eval_own(o, out->n_examples);
        const char **guessed = own ? malloc((size_t)sentence.n * sizeof *guessed) : NULL;
        if (own)
            status =
                guessed ? guess(guessed, s, &sentence, o, err) : trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a sentence");
        if (status) {
            free(guessed);
            trine_fail_in(err, status, "%s, line %d", path, sentence.line);
            break;
        }
        for (int i = 0; i < sentence.n; i++) {
            const bool has = model_has_type(s, sentence.tags[i]);
            known |= has && strcmp(sentence.tags[i], "O");
            if (!has) snprintf(odd_type, sizeof odd_type, "%s", sentence.tags[i]);
        }
        if (own) trine_entity_counts_add(&counts, guessed, sentence.tags, sentence.n);
        out->n_tokens += sentence.n;
        out->n_examples++;
        free(guessed);
        if (out->n_examples % 16 == 0) status = trine_eval_progress(o, out->n_examples, o->limit, err);
    }
    trine_conll_close(file);
    int64_t told[] = { counts.right, counts.guessed, counts.gold };
    status = trine_eval_together(o, status, told, 3, NULL, 0, err);
    counts = (trine_entity_counts) { told[0], told[1], told[2] };
    if (!status && !out->n_examples) status = trine_fail(err, TRINE_ERROR_FORMAT, "%s: there are no sentences", path);
    if (!status && !known && odd_type[0])
        status = trine_fail(err, TRINE_ERROR_ARGUMENT, "%s: its tags ('%s'...) are none of the model's ('%s'...)", path, odd_type,
                            trine_model_label(s->model, s->model->info.n_labels - 1));
    if (!status) trine_entity_counts_score(&counts, &out->precision, &out->recall, &out->f1);
    return status;
}
