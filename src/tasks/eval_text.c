/* eval_text.c - translations by BLEU and chrF, summaries by ROUGE. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "tasks/eval.h"
#include "tasks/metrics.h"
#include "tasks/text_to_text.h"

static trine_status joined(char **out, const trine_field *f, trine_error *err)
{
    trine_buffer b = { 0 };
    for (int i = 0; i < f->n; i++) {
        if (i) trine_buffer_putc(&b, ' ');
        trine_buffer_puts(&b, f->items[i]);
    }
    *out = trine_buffer_take(&b);
    return *out ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a text");
}

static trine_status each_example(trine_eval_result *out, trine_session *s, const char *path, const trine_column *columns,
                                 trine_pair_fn *example, void *user, const trine_eval_options *o, trine_error *err)
{
    trine_rows *rows;
    trine_status status = trine_rows_open(&rows, path, columns, 2, true, err);
    if (status) return status;
    for (bool more = true; !status && more && (!o->limit || out->n_examples < o->limit);) {
        status = trine_rows_next(&more, rows, err);
        if (status || !more) break;
        char *source;
        if (!trine_eval_own(o, out->n_examples)) {
            out->n_examples++;
            continue;
        }
        status = joined(&source, trine_rows_field(rows, o->reverse ? 1 : 0), err);
        if (!status) status = example(user, s, source, trine_rows_field(rows, o->reverse ? 0 : 1), o, err);
        free(source);
        if (status) {
            trine_fail_in(err, status, "%s, line %d", path, trine_rows_line(rows));
            break;
        }
        out->n_examples++;
        status = trine_eval_progress(o, out->n_examples, o->limit, err);
    }
    trine_rows_close(rows);
    if (!status && !out->n_examples) status = trine_fail(err, TRINE_ERROR_FORMAT, "%s: there are no examples", path);
    return status;
}

/* A file of pairs names its sides, or by the codes of the languages; with `reverse` the first side is the target's. */
typedef struct pair_columns {
    const char *first[5], *second[5];
    trine_column columns[2];
} pair_columns;

static void translate_columns(pair_columns *p, const trine_eval_options *o)
{
    const char *const first = o->reverse ? o->to : o->from, *const second = o->reverse ? o->from : o->to;
    *p = (pair_columns) { .first = { "source", "src", "input", first ? first : "en" },
                          .second = { "target", "tgt", "output", second ? second : "de" } };
    p->columns[0] = (trine_column) { "source", "--text", o->text_column, p->first, false };
    p->columns[1] = (trine_column) { "target", "--label", o->label_column, p->second, false };
}

static void summarize_columns(trine_column columns[2], const trine_eval_options *o)
{
    static const char *const text_names[] = { "document", "dialogue", "source", "article", "text", "content", NULL };
    static const char *const summary_names[] = { "summary", "target", "highlights", "abstract", NULL };
    columns[0] = (trine_column) { "document", "--text", o->text_column, text_names, false };
    columns[1] = (trine_column) { "summary", "--label", o->label_column, summary_names, false };
}

trine_status trine_eval_pairs(trine_eval_result *out, trine_session *s, trine_eval_task task, const char *path, trine_pair_fn *each,
                              void *user, const trine_eval_options *o, trine_error *err)
{
    pair_columns pair;
    if (task == TRINE_EVAL_SUMMARIZE)
        summarize_columns(pair.columns, o);
    else
        translate_columns(&pair, o);
    return each_example(out, s, path, pair.columns, each, user, o, err);
}

/* The user's options for one text; nothing is streamed and no sequence is kept. */
static trine_text_options text_options(const trine_eval_options *o)
{
    trine_text_options t = { .prefix = o->prefix, .from = o->from, .to = o->to, .generate = o->generate };
    t.generate.on_text = NULL;
    t.generate.on_progress = NULL;
    t.generate.sequence = NULL;
    t.generate.ids = NULL;
    return t;
}

typedef struct translation_scores {
    trine_bleu bleu;
    trine_chrf chrf;
    int64_t n_tokens;
} translation_scores;

static trine_status score_translation(void *user, trine_session *s, const char *source, const trine_field *references,
                                      const trine_eval_options *o, trine_error *err)
{
    translation_scores *scores = user;
    const trine_text_options options = text_options(o);
    trine_generation g;
    trine_status status = trine_translate(&g, s, source, &options, err);
    if (status) return status;
    status = trine_bleu_add(&scores->bleu, g.text, references->items[0], err);
    if (!status) status = trine_chrf_add(&scores->chrf, g.text, references->items[0], err);
    scores->n_tokens += g.n_tokens;
    trine_generation_clear(&g);
    return status;
}

trine_status trine_eval_translate(trine_eval_result *out, trine_session *s, const char *path, const trine_eval_options *o,
                                  trine_error *err)
{
    const trine_text_options options = text_options(o);
    trine_request request;
    trine_translate_room room;
    translation_scores scores = { 0 };
    trine_status status = trine_request_check(s, "eval", err);
    if (!status) status = trine_translate_request(&request, &room, s, &options, err); /* languages are wrong before any work */
    if (!status) status = trine_eval_pairs(out, s, TRINE_EVAL_TRANSLATE, path, score_translation, &scores, o, err);
    _Static_assert(sizeof scores % sizeof(int64_t) == 0, "scores are counts alone");
    status = trine_eval_together(o, status, (int64_t *)(void *)&scores, (int)(sizeof scores / sizeof(int64_t)), NULL, 0, err);
    if (status) return status;
    out->bleu = trine_bleu_score(&scores.bleu);
    out->chrf = trine_chrf_score(&scores.chrf);
    out->n_tokens = scores.n_tokens;
    return TRINE_OK;
}

typedef struct summary_scores {
    trine_rouge sum;
    int64_t n_tokens;
} summary_scores;

static trine_status score_summary(void *user, trine_session *s, const char *source, const trine_field *references,
                                  const trine_eval_options *o, trine_error *err)
{
    summary_scores *scores = user;
    const trine_text_options options = text_options(o);
    trine_generation g;
    trine_rouge rouge;
    trine_status status = trine_summarize(&g, s, source, &options, err);
    if (status) return status;
    status = trine_rouge_score(&rouge, g.text, references->items, references->n, err);
    scores->sum.rouge1 += rouge.rouge1;
    scores->sum.rouge2 += rouge.rouge2;
    scores->sum.rougeL += rouge.rougeL;
    scores->n_tokens += g.n_tokens;
    trine_generation_clear(&g);
    return status;
}

trine_status trine_eval_summarize(trine_eval_result *out, trine_session *s, const char *path, const trine_eval_options *o,
                                  trine_error *err)
{
    summary_scores scores = { 0 };
    trine_status status = trine_request_check(s, "eval", err);
    if (!status) status = trine_eval_pairs(out, s, TRINE_EVAL_SUMMARIZE, path, score_summary, &scores, o, err);
    status = trine_eval_together(o, status, &scores.n_tokens, 1, (double *)(void *)&scores.sum, 3, err);
    if (status) return status;
    const double n = (double)out->n_examples;
    out->rouge1 = scores.sum.rouge1 / n;
    out->rouge2 = scores.sum.rouge2 / n;
    out->rougeL = scores.sum.rougeL / n;
    out->n_tokens = scores.n_tokens;
    return TRINE_OK;
}
