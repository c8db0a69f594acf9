/* task_fill.c - the words a masked language model puts into the gaps of a text (Devlin et al. 2019, sec. 3.1, task 1).
 *
 * Texts are given back with the word spliced into what the user wrote, so that case and spaces stay: a decode of the ids
 * would lower them. A piece that continues a word ("##s", or one without the mark of a word's beginning) joins what stands
 * before the gap. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "tasks/gap_marks.h"
#include "tasks/task_parts.h"

/* A gap: the row of its mask in a part, the mask in the text, and the best choices. */
typedef struct gap {
    int part, row;
    trine_span span;
    trine_fill_choice *choices; /* [k] */
} gap;

/* All texts of a call: their parts and gaps, one after another. */
typedef struct filling {
    trine_session *s;
    const trine_tokenizer *tokenizer; /* NULL with raw ids and no tokenizer */
    trine_task_parts parts;
    const int32_t *ids; /* [n_ids] raw, or NULL */
    int n_ids;
    gap *gaps;
    int n_gaps, k;
} filling;

/* One of them. */
typedef struct filled {
    const filling *all;
    const char *text; /* NULL with raw ids */
    const gap *gaps;
    int n_gaps, k;
    const trine_fill_choice *choices; /* [n_gaps, k] */
} filled;

static bool is_gap(const trine_task_part *part, int i, int32_t mask) { return part->ids[i] == mask && !part->special[i]; }

/* Room for the gaps of n texts in `out`, and the gaps themselves. */
static trine_status find_gaps(trine_fill_result *out, int n, filling *f, int32_t mask, trine_error *err)
{
    for (int p = 0; p < f->parts.n; p++)
        for (int i = 0; i < f->parts.items[p].n; i++)
            if (is_gap(&f->parts.items[p], i, mask)) {
                out[f->parts.items[p].text].n_masks++;
                f->n_gaps++;
            }
    for (int i = 0; i < n; i++) {
        trine_fill_result *r = &out[i];
        r->n_choices = f->k;
        if (!r->n_masks)
            return f->ids ? trine_fail(err, TRINE_ERROR_ARGUMENT, "fill: the ids have no mask (%d) to fill", (int)mask)
                          : trine_fail(err, TRINE_ERROR_ARGUMENT, "fill: the text has no mask to fill: write [MASK] or <mask>");
        r->choices = calloc((size_t)r->n_masks * (size_t)f->k, sizeof *r->choices);
        if (!r->choices) return trine_fail(err, TRINE_ERROR_MEMORY, "fill: no memory for %d masks of %d choices", r->n_masks, f->k);
    }
    f->gaps = calloc((size_t)f->n_gaps, sizeof *f->gaps);
    if (!f->gaps) return trine_fail(err, TRINE_ERROR_MEMORY, "fill: no memory for %d masks", f->n_gaps);
    for (int p = 0, g = 0, first = 0; p < f->parts.n; p++) {
        const trine_task_part *part = &f->parts.items[p];
        if (p && part->text != part[-1].text) first = g;
        for (int i = 0; i < part->n; i++) {
            if (!is_gap(part, i, mask)) continue;
            f->gaps[g] = (gap) { p, i, part->spans ? part->spans[i] : (trine_span) { 0, 0 },
                                 out[part->text].choices + (size_t)(g - first) * (size_t)f->k };
            g++;
        }
    }
    return TRINE_OK;
}

/* The k likeliest ids of one row of logits, best first; a tie goes to the lower id. */
static trine_status choose(trine_fill_choice *out, int k, float *logits, int vocab, trine_error *err)
{
    const trine_status status = trine_softmax(logits, vocab, "fill", err);
    int n = 0;
    for (int id = 0; id < vocab && !status; id++) {
        if (n == k && logits[id] <= out[n - 1].score) continue;
        int at = n < k ? n++ : k - 1;
        for (; at > 0 && out[at - 1].score < logits[id]; at--) out[at] = out[at - 1];
        out[at] = (trine_fill_choice) { .id = id, .score = logits[id] };
    }
    return status;
}

/* The gaps in their order: as many parts a pass as it takes, and as many rows as the session gives logits for. */
static trine_status fill_gaps(filling *f, trine_error *err)
{
    const int vocab = f->s->model->info.vocab, most = f->s->options.logit_rows;
    trine_status status = TRINE_OK;
    for (int first = 0, n; first < f->n_gaps && !status; first += n) {
        const int part = f->gaps[first].part, end = part + trine_task_parts_in_pass(&f->parts, part, f->s);
        for (n = 1; first + n < f->n_gaps && n < most && f->gaps[first + n].part < end;) n++;
        int32_t *rows = malloc((size_t)n * sizeof *rows);
        if (!rows) return trine_fail(err, TRINE_ERROR_MEMORY, "fill: no memory for %d masks", n);
        int p = part, before = 0; /* rows of the parts before p in this pass */
        for (int i = 0; i < n; i++) {
            while (p < f->gaps[first + i].part) before += f->parts.items[p++].n;
            rows[i] = before + f->gaps[first + i].row;
        }
        trine_mat logits;
        status = trine_task_parts_head(&logits, f->s, &f->parts, part, p - part + 1, rows, n, err);
        for (int i = 0; i < n && !status; i++)
            status = choose(f->gaps[first + i].choices, f->k, logits.data + (size_t)i * vocab, vocab, err);
        free(rows);
    }
    return status;
}

static bool begins_with(const char *s, const char *start) { return s && !strncmp(s, start, strlen(start)); }

/* Whether a piece goes on with the word before it, by the marks of the vocabulary's kind. */
static bool continues_word(const trine_tokenizer *t, int32_t id)
{
    const char *token = trine_tokenizer_token(t, id), *algorithm = trine_tokenizer_algorithm(t);
    if (!strcmp(algorithm, "wordpiece")) return begins_with(token, "##") && token[2];
    return !begins_with(token, "\xc4\xa0") && !begins_with(token, "\xe2\x96\x81"); /* G with a dot, or a low line: a blank */
}

/* A token as text without marks: what it decodes to, without blanks around it and without ##. */
static trine_status token_text(char **out, const trine_tokenizer *t, int32_t id, trine_error *err)
{
    if (!t) {
        *out = calloc(1, 1);
        return *out ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "fill: no memory");
    }
    const trine_status status = trine_tokenizer_decode(out, t, &id, 1, false, err);
    if (status) return status;
    char *s = *out;
    size_t from = strspn(s, " "), n = strlen(s);
    if (begins_with(s + from, "##") && s[from + 2] && !strcmp(trine_tokenizer_algorithm(t), "wordpiece")) from += 2;
    while (n > from && s[n - 1] == ' ') n--;
    memmove(s, s + from, n - from);
    s[n - from] = 0;
    return TRINE_OK;
}

/* The text with gap `which` filled by its choice `choice` and the others by their best; which < 0: all by their best. */
static trine_status fill_text(char **out, const filled *f, int which, int choice, trine_error *err)
{
    trine_buffer b = { 0 };
    size_t done = 0;
    for (int g = 0; g < f->n_gaps; g++) {
        const trine_fill_choice *c = &f->choices[(size_t)g * f->k + (g == which ? choice : 0)];
        trine_span span = f->gaps[g].span; /* a mask token may have taken the blanks around it */
        while (span.start < span.end && f->text[span.start] == ' ') span.start++;
        while (span.end > span.start && f->text[span.end - 1] == ' ') span.end--;
        trine_buffer_append(&b, f->text + done, span.start - done);
        while (continues_word(f->all->tokenizer, c->id) && b.n && b.data[b.n - 1] == ' ' && span.start > 0 && strcmp(c->token, ""))
            b.data[--b.n] = 0;
        trine_buffer_puts(&b, c->token);
        done = span.end;
    }
    trine_buffer_puts(&b, f->text + done);
    *out = trine_buffer_take(&b);
    return *out ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "fill: no memory for the text");
}

/* The same for raw ids: decoded. */
static trine_status fill_ids(char **out, const filled *f, int which, int choice, trine_error *err)
{
    const int n = f->all->n_ids;
    int32_t *ids = malloc((size_t)n * sizeof *ids);
    if (!ids) return trine_fail(err, TRINE_ERROR_MEMORY, "fill: no memory for the text");
    memcpy(ids, f->all->ids, (size_t)n * sizeof *ids);
    for (int g = 0, part = 0, before = 0; g < f->n_gaps; g++) {
        while (part < f->gaps[g].part) before += f->all->parts.items[part++].n;
        ids[before + f->gaps[g].row] = f->choices[(size_t)g * f->k + (g == which ? choice : 0)].id;
    }
    const trine_status status = trine_tokenizer_decode(out, f->all->tokenizer, ids, n, true, err);
    free(ids);
    return status;
}

static trine_status write_texts(trine_fill_result *out, const filled *f, trine_error *err)
{
    trine_status status = TRINE_OK;
    for (int i = 0; i < f->n_gaps * f->k && !status; i++)
        status = token_text(&out->choices[i].token, f->all->tokenizer, out->choices[i].id, err);
    for (int i = -1; i < f->n_gaps * f->k && !status; i++) {
        char **text = i < 0 ? &out->text : &out->choices[i].text;
        const int which = i < 0 ? -1 : i / f->k, choice = i < 0 ? 0 : i % f->k;
        if (f->text)
            status = fill_text(text, f, which, choice, err);
        else if (f->all->tokenizer)
            status = fill_ids(text, f, which, choice, err);
        else if (!(*text = calloc(1, 1)))
            status = trine_fail(err, TRINE_ERROR_MEMORY, "fill: no memory");
    }
    return status;
}

/* The texts with the model's own mask token where people wrote another one's: "[MASK]" and "<mask>" mean a gap to every model. */
static trine_status with_own_marks(char **out, const char *const *texts, int n, const char *mask, trine_error *err)
{
    for (int i = 0; i < n; i++) {
        if (!texts[i]) continue;
        trine_buffer b = { 0 };
        for (const char *p = texts[i]; *p;) {
            const size_t bytes = trine_gap_mark(p);
            if (bytes)
                trine_buffer_puts(&b, mask);
            else
                trine_buffer_putc(&b, *p);
            p += bytes ? bytes : 1;
        }
        trine_buffer_puts(&b, "");
        out[i] = trine_buffer_take(&b);
        if (!out[i]) return trine_fail(err, TRINE_ERROR_MEMORY, "fill: no memory for the text");
    }
    return TRINE_OK;
}

static trine_status fill(trine_fill_result *out, trine_session *s, const char *const *given, int n, const trine_task_options *o,
                         trine_error *err)
{
    for (int i = 0; i < n; i++) out[i] = (trine_fill_result) { 0 };
    if (o->top_k < 0 || o->pair)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "fill: top_k is %d, expected 0 or more, and no pair", o->top_k);
    trine_status status = trine_task_needs_head(s, "fill", TRINE_HEAD_MLM, err);
    if (status) return status;
    const trine_tokenizer *tokenizer = s->model->tokenizer;
    const int32_t mask = tokenizer ? trine_tokenizer_special(tokenizer, TRINE_TOKEN_MASK) : -1;
    if (mask < 0)
        return trine_fail(err, TRINE_ERROR_NOT_FOUND, "fill: %s names no mask token",
                          tokenizer ? "this tokenizer" : "no tokenizer lies beside the model, which");
    filling f = { .s = s, .tokenizer = tokenizer, .ids = o->ids, .n_ids = o->n_ids, .k = o->top_k ? o->top_k : 5 };
    if (f.k > s->model->info.vocab) f.k = s->model->info.vocab;
    const char *const *texts = given;
    char **own = tokenizer && !o->ids ? calloc((size_t)n, sizeof *own) : NULL;
    if (tokenizer && !o->ids)
        status = own ? with_own_marks(own, given, n, trine_tokenizer_token(tokenizer, mask), err)
                     : trine_fail(err, TRINE_ERROR_MEMORY, "fill: no memory for the texts");
    if (own) texts = (const char *const *)own;
    if (!status) status = trine_task_parts_add_all(&f.parts, s, "fill", texts, NULL, n, o, err);
    if (!status) status = find_gaps(out, n, &f, mask, err);
    if (!status) status = fill_gaps(&f, err);
    for (int i = 0, first = 0; i < n && !status; first += out[i++].n_masks) {
        const filled one = { &f, o->ids ? NULL : texts[i], f.gaps + first, out[i].n_masks, f.k, out[i].choices };
        status = write_texts(&out[i], &one, err);
    }
    trine_task_parts_clear(&f.parts);
    free(f.gaps);
    for (int i = 0; own && i < n; i++) free(own[i]);
    free(own);
    for (int i = 0; i < n && status; i++) {
        if (!out[i].choices) out[i].n_masks = 0;
        trine_fill_result_clear(&out[i]);
    }
    return status;
}

trine_status trine_fill(trine_fill_result *out, trine_session *s, const char *text, const trine_task_options *options,
                        trine_error *err)
{
    if (out) *out = (trine_fill_result) { 0 };
    if (!out || !s) return trine_fail(err, TRINE_ERROR_ARGUMENT, "fill: no %s", s ? "result" : "session");
    return fill(out, s, &text, 1, options ? options : &trine_task_defaults, err);
}

trine_status trine_fill_batch(trine_fill_result *out, trine_session *s, const char *const *texts, int n,
                              const trine_task_options *options, trine_error *err)
{
    const trine_task_options *o = options ? options : &trine_task_defaults;
    for (int i = 0; out && i < n; i++) out[i] = (trine_fill_result) { 0 };
    const trine_status status = trine_task_check_batch(s, "fill", out, texts, n, o, err);
    return status || !n || !out ? status : fill(out, s, texts, n, o, err);
}

void trine_fill_result_clear(trine_fill_result *r)
{
    if (!r) return;
    for (int i = 0; i < r->n_masks * r->n_choices; i++) {
        free(r->choices[i].token);
        free(r->choices[i].text);
    }
    free(r->choices);
    free(r->text);
    *r = (trine_fill_result) { 0 };
}
