/* eval_text.c - translations by BLEU and chrF, summaries by ROUGE. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "tasks/eval.h"
#include "tasks/metrics.h"
#include "tasks/text_to_text.h"

/* What is done with one example; `references` has one text or more. */
typedef trine_status example_fn(void *user, trine_session *s, const char *source, const trine_field *references,
                                const trine_eval_options *o, trine_error *err);

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
                                 example_fn *example, void *user, const trine_eval_options *o, trine_error *err)
{
    trine_rows *rows;
    trine_status status = trine_rows_open(&rows, path, columns, 2, true, err);
    if (status) return status;
    for (bool more = true; !status && more && (!o->limit || out->n_examples < o->limit);) {
        status = trine_rows_next(&more, rows, err);
        if (status || !more) break;
        char *source;
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
    /* A file names its sides, or by the codes of the languages; with `reverse` the first side is the target's. */
    const char *const first = o->reverse ? o->to : o->from, *const second = o->reverse ? o->from : o->to;
    const char *const first_names[] = { "source", "src", "input", first ? first : "en", NULL };
    const char *const second_names[] = { "target", "tgt", "output", second ? second : "de", NULL };
    const trine_column columns[] = { { "source", "--text", o->text_column, first_names, false },
                                     { "target", "--label", o->label_column, second_names, false } };
    const trine_text_options options = text_options(o);
    trine_request request;
    trine_translate_room room;
    translation_scores scores = { 0 };
    trine_status status = trine_request_check(s, "eval", err);
    if (!status) status = trine_translate_request(&request, &room, s, &options, err); /* languages are wrong before any work */
    if (!status) status = each_example(out, s, path, columns, score_translation, &scores, o, err);
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
    static const char *const text_names[] = { "document", "dialogue", "source", "article", "text", "content", NULL };
    static const char *const summary_names[] = { "summary", "target", "highlights", "abstract", NULL };
    const trine_column columns[] = { { "document", "--text", o->text_column, text_names, false },
                                     { "summary", "--label", o->label_column, summary_names, false } };
    summary_scores scores = { 0 };
    trine_status status = trine_request_check(s, "eval", err);
    if (!status) status = each_example(out, s, path, columns, score_summary, &scores, o, err);
    if (status) return status;
    const double n = (double)out->n_examples;
    out->rouge1 = scores.sum.rouge1 / n;
    out->rouge2 = scores.sum.rouge2 / n;
    out->rougeL = scores.sum.rougeL / n;
    out->n_tokens = scores.n_tokens;
    return TRINE_OK;
}
