/* task_tag.c - named entities (Devlin et al. 2019, sec. 5.3): a label a token, read at the first token of each word, and words
 * joined by their B- and I- marks as transformers' pipeline joins them (aggregation_strategy="first"): a word goes on with the
 * entity before it when it has the same type and no B-. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "tasks/metrics.h"
#include "tasks/task_tag.h"
#include "tokenizer/unicode.h"

static bool is_word_character(const char *text, size_t at, size_t n)
{
    size_t taken;
    return trine_is_word(trine_utf8_next(&taken, text + at, n - at));
}

/* Whether a token goes on with the word of the token before it. WordPiece says so; other vocabularies mark blanks only, so there a
 * word is a run of letters and digits. (transformers ends words at blanks alone, so that its "Paris." takes the full stop into the
 * entity whatever label that has.) */
static bool continues_word(const trine_tokenizer *t, const char *text, size_t n, int32_t id, trine_span span, trine_span before)
{
    const char *token = trine_tokenizer_token(t, id);
    if (span.start < before.end) return true; /* bytes of one character, or a blank put before the text and its first piece */
    if (span.start != before.end || span.start >= n) return false;
    if (!strcmp(trine_tokenizer_algorithm(t), "wordpiece")) return token && !strncmp(token, "##", 2) && token[2];
    size_t last = before.end;
    while (last > before.start && ((unsigned char)text[last - 1] & 0xC0) == 0x80) last--;
    if (last > before.start) last--;
    return text[span.start] != ' ' && is_word_character(text, span.start, n) && is_word_character(text, last, n);
}

static trine_status add_word(trine_tag_words *words, trine_span span, int label, float score, trine_error *err)
{
    if (words->n == words->cap) {
        const int cap = words->cap ? 2 * words->cap : 64;
        trine_tag_word *items = realloc(words->items, (size_t)cap * sizeof *items);
        if (!items) return trine_fail(err, TRINE_ERROR_MEMORY, "tag: no memory for %d words", cap);
        words->items = items;
        words->cap = cap;
    }
    words->items[words->n++] = (trine_tag_word) { span, label, score };
    return TRINE_OK;
}

/* The words of one part, labelled; rows [part.n, n_labels]. */
static trine_status read_part(trine_tag_words *words, const trine_session *s, const char *text, const trine_task_part *p,
                              float *rows, trine_error *err)
{
    const int n_labels = s->model->info.n_labels;
    const size_t n = strlen(text);
    trine_status status = TRINE_OK;
    bool first = true; /* a part begins a word: what came before was read elsewhere */
    trine_span before = { 0, 0 };
    for (int i = 0; i < p->n && !status; i++) {
        trine_span span = p->spans[i];
        if (p->special[i]) continue;
        while (span.start < span.end && text[span.start] == ' ') span.start++; /* a piece may hold the blank before its word */
        if (span.start == span.end) continue;                                  /* or be that blank alone */
        if (!first && words->n && continues_word(s->model->tokenizer, text, n, p->ids[i], span, before)) {
            words->items[words->n - 1].span.end = span.end;
        } else {
            float *x = rows + (size_t)i * n_labels;
            int best = 0;
            status = trine_softmax(x, n_labels, "tag", err);
            for (int j = 1; j < n_labels; j++)
                if (x[j] > x[best]) best = j;
            if (!status) status = add_word(words, span, best, x[best], err);
        }
        before = span;
        first = false;
    }
    return status;
}

/* The words of n texts: out[i] of texts[i]. */
static trine_status read_all(trine_tag_words *out, trine_session *s, const char *const *texts, int n, const trine_task_options *o,
                             trine_error *err)
{
    trine_task_parts parts = { 0 };
    trine_status status = trine_task_parts_add_all(&parts, s, "tag", texts, NULL, n, o, err);
    for (int first = 0, in_pass; first < parts.n && !status; first += in_pass) {
        trine_mat logits;
        in_pass = trine_task_parts_in_pass(&parts, first, s);
        status = trine_task_parts_head(&logits, s, &parts, first, in_pass, NULL, 0, err);
        for (int i = 0, row = 0; i < in_pass && !status; row += parts.items[first + i++].n) {
            const trine_task_part *p = &parts.items[first + i];
            status = read_part(&out[p->text], s, texts[p->text], p, logits.data + (size_t)row * s->model->info.n_labels, err);
        }
    }
    trine_task_parts_clear(&parts);
    for (int i = 0; i < n && status; i++) trine_tag_words_clear(&out[i]);
    return status;
}

trine_status trine_tag_read(trine_tag_words *out, trine_session *s, const char *text, const trine_task_options *o, trine_error *err)
{
    *out = (trine_tag_words) { 0 };
    return read_all(out, s, &text, 1, o, err);
}

void trine_tag_words_clear(trine_tag_words *words)
{
    free(words->items);
    *words = (trine_tag_words) { 0 };
}

/* Code points of text before byte `to`, counted on from an earlier byte. */
static size_t chars_to(const char *text, size_t from, size_t chars, size_t to)
{
    for (size_t taken; from < to; from += taken, chars++) trine_utf8_next(&taken, text + from, to - from);
    return chars;
}

static char *copy(const char *s, size_t n)
{
    char *out = malloc(n + 1);
    if (!out) return NULL;
    memcpy(out, s, n);
    out[n] = 0;
    return out;
}

static trine_status join(trine_entities *out, const trine_session *s, const char *text, const trine_tag_words *words,
                         trine_error *err)
{
    size_t byte = 0, chars = 0;
    trine_entity *items = calloc(words->n ? (size_t)words->n : 1, sizeof *items);
    if (!items) return trine_fail(err, TRINE_ERROR_MEMORY, "tag: no memory for %d words", words->n);
    out->items = items;
    for (int i = 0, next; i < words->n; i = next) {
        const char *type, *other;
        const char begin = trine_tag_split(&type, trine_model_label(s->model, words->items[i].label));
        double sum = words->items[i].score;
        for (next = i + 1; next < words->n; next++) {
            const char mark = trine_tag_split(&other, trine_model_label(s->model, words->items[next].label));
            if (mark == 'B' || mark == 'S' || strcmp(type, other) || (mark == 'O') != (begin == 'O')) break;
            sum += words->items[next].score;
        }
        if (begin == 'O') continue;
        trine_entity *e = &items[out->n++];
        e->span = (trine_span) { words->items[i].span.start, words->items[next - 1].span.end };
        e->char_start = chars = chars_to(text, byte, chars, e->span.start);
        e->char_end = chars = chars_to(text, e->span.start, chars, e->span.end);
        byte = e->span.end;
        e->score = (float)(sum / (next - i));
        e->group = copy(type, strlen(type));
        e->text = copy(text + e->span.start, e->span.end - e->span.start);
        if (!e->group || !e->text) return trine_fail(err, TRINE_ERROR_MEMORY, "tag: no memory for an entity");
    }
    return TRINE_OK;
}

static trine_status tag(trine_entities *out, trine_session *s, const char *const *texts, int n, const trine_task_options *o,
                        trine_error *err)
{
    for (int i = 0; i < n; i++) out[i] = (trine_entities) { 0 };
    trine_status status = trine_task_needs_head(s, "tag", TRINE_HEAD_TAGS, err);
    if (status) return status;
    trine_tag_words *words = calloc((size_t)n, sizeof *words);
    if (!words) return trine_fail(err, TRINE_ERROR_MEMORY, "tag: no memory for %d texts", n);
    status = read_all(words, s, texts, n, o, err);
    for (int i = 0; i < n && !status; i++) status = join(&out[i], s, texts[i], &words[i], err);
    for (int i = 0; i < n; i++) {
        trine_tag_words_clear(&words[i]);
        if (status) trine_entities_clear(&out[i]);
    }
    free(words);
    return status;
}

trine_status trine_tag(trine_entities *out, trine_session *s, const char *text, const trine_task_options *options, trine_error *err)
{
    const trine_task_options *o = options ? options : &trine_task_defaults;
    if (out) *out = (trine_entities) { 0 };
    if (!out || !s) return trine_fail(err, TRINE_ERROR_ARGUMENT, "tag: no %s", s ? "result" : "session");
    if (o->ids || o->pair)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "tag: entities are parts of one text: raw ids and pairs have none (trace shows the scores of raw ids)");
    return tag(out, s, &text, 1, o, err);
}

trine_status trine_tag_batch(trine_entities *out, trine_session *s, const char *const *texts, int n,
                             const trine_task_options *options, trine_error *err)
{
    const trine_task_options *o = options ? options : &trine_task_defaults;
    for (int i = 0; out && i < n; i++) out[i] = (trine_entities) { 0 };
    const trine_status status = trine_task_check_batch(s, "tag", out, texts, n, o, err);
    return status || !n ? status : tag(out, s, texts, n, o, err);
}

void trine_entities_clear(trine_entities *entities)
{
    if (!entities) return;
    for (int i = 0; i < entities->n; i++) {
        free(entities->items[i].group);
        free(entities->items[i].text);
    }
    free(entities->items);
    *entities = (trine_entities) { 0 };
}
