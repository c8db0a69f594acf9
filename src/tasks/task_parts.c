/* task_parts.c - from text to passes: tokenising, the choice of what happens to a long text, and laying parts into one pass. */
#include "tasks/task_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"

const trine_task_options trine_task_defaults = { 0 };

/* Room for a part of n tokens at the end of `parts`, which counts it only when it is complete. */
static trine_task_part *new_part(trine_task_parts *parts, int n, int index, trine_error *err)
{
    if (parts->n == parts->cap) {
        const int cap = parts->cap ? 2 * parts->cap : 4;
        trine_task_part *items = realloc(parts->items, (size_t)cap * sizeof *items);
        if (items) {
            parts->items = items;
            parts->cap = cap;
        }
    }
    size_t bytes;
    void *memory = parts->n < parts->cap && trine_mul_size(&bytes, (size_t)n, sizeof(trine_span) + 2 * sizeof(int32_t) + 2)
                       ? calloc(1, bytes)
                       : NULL;
    if (!memory) {
        trine_fail(err, TRINE_ERROR_MEMORY, "no memory for a text of %d tokens", n);
        return NULL;
    }
    trine_task_part *p = &parts->items[parts->n];
    *p = (trine_task_part) { .text = index, .n = n, .n_content = n, .memory = memory };
    p->spans = memory;
    p->ids = (int32_t *)(p->spans + n);
    p->types = p->ids + n;
    p->special = (uint8_t *)(p->types + n);
    p->sequence = (int8_t *)(p->special + n);
    return p;
}

/* Copies tokens [from, from + n) of an encoding to place `at` of a part. */
static void put(trine_task_part *p, int at, const trine_encoding *e, int from, int n)
{
    memcpy(p->ids + at, e->ids + from, (size_t)n * sizeof *p->ids);
    memcpy(p->types + at, e->types + from, (size_t)n * sizeof *p->types);
    memcpy(p->spans + at, e->spans + from, (size_t)n * sizeof *p->spans);
    memcpy(p->special + at, e->special + from, (size_t)n);
    memcpy(p->sequence + at, e->sequence + from, (size_t)n);
}

/* Why it takes no more than `limit`, after that number. */
static const char *why_limit(const trine_session *s, int limit)
{
    if (limit == s->model->info.max_tokens) return "";
    return limit < s->memory.text_tokens ? " (the longest it was trained on)" : " in this session";
}

/* Raw ids have no special tokens put around them: cut or in parts they are plain pieces. */
static trine_status add_raw(trine_task_parts *parts, const trine_session *s, const char *task, int limit, int index,
                            const trine_task_options *o, trine_error *err)
{
    if (o->n_ids < 1) return trine_fail(err, TRINE_ERROR_EMPTY, "%s: there are no ids", task);
    if (o->n_ids > limit && o->too_long != TRINE_LONG_TRUNCATE && o->too_long != TRINE_LONG_CHUNK)
        return trine_fail(err, TRINE_ERROR_TOO_LONG,
                          "%s: there are %d ids, and %s takes %d%s: cut their end (--truncate), take them in parts (--chunk) or "
                          "give fewer",
                          task, o->n_ids, s->model->info.family, limit, why_limit(s, limit));
    const trine_status status = o->types ? trine_check_types(s->model, o->types, o->n_ids, err) : TRINE_OK;
    if (status) return status;
    const int end = o->too_long == TRINE_LONG_TRUNCATE ? trine_min_int(o->n_ids, limit) : o->n_ids;
    for (int from = 0; from < end; from += limit) {
        const int n = trine_min_int(limit, end - from);
        trine_task_part *p = new_part(parts, n, index, err);
        if (!p) return TRINE_ERROR_MEMORY;
        memcpy(p->ids, o->ids + from, (size_t)n * sizeof *p->ids);
        if (o->types) memcpy(p->types, o->types + from, (size_t)n * sizeof *p->types);
        p->spans = NULL;
        parts->n++;
    }
    return TRINE_OK;
}

/* An encoding that is too long, as parts of `limit` tokens: those before the text, a share of it, those after it. */
static trine_status add_chunks(trine_task_parts *parts, const char *task, const trine_encoding *e, int limit, int index,
                               trine_error *err)
{
    int before = 0, after = 0;
    while (before < e->n && e->special[before]) before++;
    while (after < e->n - before && e->special[e->n - 1 - after]) after++;
    const int room = limit - before - after, content = e->n - before - after;
    if (room < 1)
        return trine_fail(err, TRINE_ERROR_TOO_LONG, "%s: %d tokens leave no room for text beside the special ones", task, limit);
    for (int from = 0; from < content; from += room) {
        const int n = trine_min_int(room, content - from);
        trine_task_part *p = new_part(parts, before + n + after, index, err);
        if (!p) return TRINE_ERROR_MEMORY;
        put(p, 0, e, 0, before);
        put(p, before, e, before + from, n);
        put(p, before + n, e, e->n - after, after);
        p->n_content = n;
        parts->n++;
    }
    return TRINE_OK;
}

trine_status trine_task_parts_add(trine_task_parts *parts, const trine_session *s, const char *task, const char *text, int index,
                                  const trine_task_options *o, trine_error *err)
{
    const trine_model *m = s->model;
    const int most = s->memory.text_tokens, limit = parts->limit ? trine_min_int(parts->limit, most) : most;
    if ((unsigned)o->too_long > TRINE_LONG_ALLOW)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "%s: too_long is %d, expected one of trine_long", task, (int)o->too_long);
    if (o->ids) return add_raw(parts, s, task, limit, index, o, err);
    if (!text || !*text) return trine_fail(err, TRINE_ERROR_EMPTY, "%s: the text is empty", task);
    if (!m->tokenizer)
        return trine_fail(err, TRINE_ERROR_NOT_FOUND, "%s: there is no tokenizer beside %s: give ids in place of text", task,
                          m->info.path);
    const trine_encode_options encode = { .pair = o->pair, .max_tokens = o->too_long == TRINE_LONG_TRUNCATE ? limit : 0 };
    trine_encoding e;
    trine_status status = trine_tokenizer_encode(&e, m->tokenizer, text, 0, &encode, err);
    if (status) return status;
    /* A template may give types to a model that has none: transformers does not hand them on. */
    if (m->n_types < 2) memset(e.types, 0, (size_t)e.n * sizeof *e.types);
    int n_special = 0;
    for (int i = 0; i < e.n; i++) n_special += e.special[i];
    trine_task_part *p = NULL;
    if (n_special == e.n) {
        status = trine_fail(err, TRINE_ERROR_EMPTY, "%s: the text is empty: it has no tokens", task);
    } else if (e.n <= limit) {
        p = new_part(parts, e.n, index, err);
        if (p) {
            put(p, 0, &e, 0, e.n);
            p->n_content = e.n - n_special;
            parts->n++;
        } else {
            status = TRINE_ERROR_MEMORY;
        }
    } else if (o->too_long == TRINE_LONG_CHUNK && !o->pair) {
        status = add_chunks(parts, task, &e, limit, index, err);
    } else if (o->too_long == TRINE_LONG_CHUNK) {
        status = trine_fail(err, TRINE_ERROR_TOO_LONG,
                            "%s: the pair has %d tokens, %s takes %d, and a pair cannot be taken in parts: cut it (--truncate)",
                            task, e.n, m->info.family, limit);
    } else {
        status = trine_fail(
            err, TRINE_ERROR_TOO_LONG,
            "%s: the text has %d tokens, special ones included, and %s takes %d%s: cut its end (--truncate)%s or shorten it", task,
            e.n, m->info.family, limit, why_limit(s, limit), o->pair ? "" : ", take it in parts (--chunk)");
    }
    trine_encoding_clear(&e);
    return status;
}

trine_status trine_task_parts_add_all(trine_task_parts *parts, const trine_session *s, const char *task, const char *const *texts,
                                      const char *const *pairs, int n, const trine_task_options *o, trine_error *err)
{
    trine_status status = TRINE_OK;
    for (int i = 0; i < n && !status; i++) {
        trine_task_options own = *o;
        if (pairs) own.pair = pairs[i];
        status = trine_task_parts_add(parts, s, task, texts[i], i, &own, err);
        if (status && n > 1) trine_fail_in(err, status, "text %d of %d", i + 1, n);
    }
    return status;
}

trine_status trine_task_check_batch(const trine_session *s, const char *task, const void *out, const char *const *texts, int n,
                                    const trine_task_options *o, trine_error *err)
{
    if (!s || n < 0 || (n && (!texts || !out)))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "%s: no session, texts or room for the results", task);
    if (o->ids || o->pair)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "%s: raw ids and the pair of the options are for one text", task);
    return TRINE_OK;
}

void trine_task_parts_clear(trine_task_parts *parts)
{
    for (int i = 0; i < parts->n; i++) free(parts->items[i].memory);
    free(parts->items);
    *parts = (trine_task_parts) { .limit = parts->limit };
}

int trine_task_parts_in_pass(const trine_task_parts *parts, int first, const trine_session *s)
{
    int n = 0;
    if (s->model->info.paradigm == TRINE_ENCODER_DECODER && s->model->info.head == TRINE_HEAD_LABELS)
        return 1; /* as session_head */
    for (int rows = 0; first + n < parts->n && parts->items[first + n].n <= s->rows_cap - rows; n++)
        rows += parts->items[first + n].n;
    return n;
}

/* ---------------------------------------------------------------------------------------------------------------- passes */

typedef struct layout {
    trine_texts texts;
    const int32_t **ids, **types;
    int *n;
} layout;

static trine_status lay_out(layout *l, const trine_task_parts *parts, int first, int n, trine_error *err)
{
    *l = (layout) { .ids = malloc((size_t)n * sizeof *l->ids),
                    .types = malloc((size_t)n * sizeof *l->types),
                    .n = malloc((size_t)n * sizeof *l->n) };
    if (!l->ids || !l->types || !l->n) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to lay %d texts into a pass", n);
    for (int i = 0; i < n; i++) {
        l->ids[i] = parts->items[first + i].ids;
        l->types[i] = parts->items[first + i].types;
        l->n[i] = parts->items[first + i].n;
    }
    l->texts = (trine_texts) { .n_texts = n, .ids = l->ids, .types = l->types, .n = l->n };
    return TRINE_OK;
}

static void take_up(layout *l)
{
    free(l->ids);
    free(l->types);
    free(l->n);
}

trine_status trine_task_parts_states(trine_mat *out, trine_session *s, const trine_task_parts *parts, int first, int n,
                                     trine_error *err)
{
    layout l;
    trine_status status = lay_out(&l, parts, first, n, err);
    if (!status) status = trine_session_states(out, s, &l.texts, err);
    take_up(&l);
    return status;
}

trine_status trine_task_parts_head(trine_mat *out, trine_session *s, const trine_task_parts *parts, int first, int n,
                                   const int32_t *out_rows, int n_out, trine_error *err)
{
    layout l;
    trine_status status = lay_out(&l, parts, first, n, err);
    if (!status) status = trine_session_head(out, s, &l.texts, out_rows, n_out, err);
    take_up(&l);
    return status;
}

/* ---------------------------------------------------------------------------------------------------------------- shared */

trine_status trine_task_needs_head(const trine_session *s, const char *task, trine_head head, trine_error *err)
{
    static const struct {
        const char *name, *as;
    } heads[] = {
        [TRINE_HEAD_NONE] = { "none: it gives hidden states, for embed", "" },
        [TRINE_HEAD_LM] = { "a next-token one, for generate", "...ForCausalLM" },
        [TRINE_HEAD_MLM] = { "a masked-token one, for fill", "...ForMaskedLM" },
        [TRINE_HEAD_LABELS] = { "a label one, for classify", "...ForSequenceClassification" },
        [TRINE_HEAD_TAGS] = { "a tag one, for tag", "...ForTokenClassification" },
    };
    static const char *const wanted[] = {
        [TRINE_HEAD_LM] = "next-token", [TRINE_HEAD_MLM] = "masked-token", [TRINE_HEAD_LABELS] = "label", [TRINE_HEAD_TAGS] = "tag"
    };
    const trine_head has = s->model->info.head;
    if (has == head) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_ARGUMENT,
                      "%s: this model has no %s head (its head is %s); it needs a checkpoint of a class %s", task, wanted[head],
                      heads[has].name, heads[head].as);
}

trine_status trine_softmax(float *x, int n, const char *task, trine_error *err)
{
    double sum = 0;
    float most = -INFINITY;
    for (int i = 0; i < n; i++) {
        if (!isfinite(x[i])) return trine_fail(err, TRINE_ERROR_NUMERIC, "%s: logit %d is not finite", task, i);
        most = fmaxf(most, x[i]);
    }
    for (int i = 0; i < n; i++) sum += exp((double)x[i] - most);
    for (int i = 0; i < n; i++) x[i] = (float)(exp((double)x[i] - most) / sum);
    return TRINE_OK;
}
