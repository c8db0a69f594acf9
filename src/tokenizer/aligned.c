/* aligned.c - growing a text together with its alignment. */
#include "tokenizer/aligned.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/utf8.h"
#include "tokenizer/unicode.h"

void trine_aligned_clear(trine_aligned *a)
{
    if (!a->borrowed) free(a->text);
    free(a->from_room);
    free(a->to_room);
    *a = (trine_aligned) { 0 };
}

void trine_aligned_reset(trine_aligned *a)
{
    a->n = 0;
    a->base = 0;
    a->from = a->to = NULL;
}

/* Room for n more bytes of text, and as many places where the text has places. */
static bool reserve(trine_aligned *a, size_t n)
{
    if (a->failed) return false;
    size_t need;
    if (!trine_add_size(&need, a->n, n) || need > UINT32_MAX) {
        a->failed = true;
        return false;
    }
    if (need > a->cap) {
        const size_t cap = need < 64 ? 64 : need + need / 2;
        char *text = realloc(a->text, cap);
        if (!text) {
            a->failed = true;
            return false;
        }
        a->text = text;
        a->cap = cap;
    }
    if (a->from && a->cap > a->align_cap) {
        uint32_t *from = realloc(a->from_room, a->cap * sizeof *from);
        if (from) a->from = a->from_room = from;
        uint32_t *to = from ? realloc(a->to_room, a->cap * sizeof *to) : NULL;
        if (to) a->to = a->to_room = to;
        if (!from || !to) {
            a->failed = true;
            return false;
        }
        a->align_cap = a->cap;
    }
    return true;
}

/* Notes for [begin, end), whole characters, that each stands for itself at `base` + its place. */
static void fill_places(trine_aligned *a, size_t begin, size_t end, uint32_t base)
{
    for (size_t i = begin; i < end;) {
        const size_t length = trine_utf8_length((unsigned char)a->text[i]);
        for (size_t k = i; k < i + length && k < end; k++) {
            a->from[k] = base + (uint32_t)i;
            a->to[k] = base + (uint32_t)(i + length);
        }
        i += length;
    }
}

/* From now on every byte has its places written down. */
static bool write_places(trine_aligned *a)
{
    if (a->from || a->failed) return !a->failed;
    if (a->cap > a->align_cap || !a->cap) {
        const size_t cap = a->cap ? a->cap : 64;
        free(a->from_room);
        free(a->to_room);
        a->from_room = malloc(cap * sizeof *a->from_room);
        a->to_room = malloc(cap * sizeof *a->to_room);
        a->failed = !a->from_room || !a->to_room;
        a->align_cap = a->failed ? 0 : cap;
        if (a->failed) return false;
    }
    a->from = a->from_room;
    a->to = a->to_room;
    fill_places(a, 0, a->n, a->base);
    return true;
}

/* Whether what begins at `from` of the original can follow without places of its own. */
static bool goes_on(trine_aligned *a, size_t from)
{
    if (a->from) return false;
    if (!a->n) a->base = (uint32_t)from;
    return a->base + a->n == from;
}

static size_t character_start(const char *text, size_t i)
{
    while (i > 0 && ((unsigned char)text[i] & 0xC0) == 0x80) i--;
    return i;
}

trine_aligned trine_aligned_part(const trine_aligned *a, size_t begin, size_t end)
{
    trine_aligned part = { .text = a->text + begin, .n = end - begin, .borrowed = true };
    if (a->from) {
        part.from = a->from + begin;
        part.to = a->to + begin;
    } else {
        part.base = a->base + (uint32_t)begin;
    }
    return part;
}

trine_span trine_aligned_span(const trine_aligned *a, size_t begin, size_t end)
{
    if (begin >= end || end > a->n) return (trine_span) { 0, 0 };
    if (a->from) return (trine_span) { a->from[begin], a->to[end - 1] };
    const size_t last = character_start(a->text, end - 1);
    return (trine_span) { a->base + character_start(a->text, begin),
                          a->base + last + trine_utf8_length((unsigned char)a->text[last]) };
}

void trine_aligned_append(trine_aligned *out, const trine_aligned *in, size_t begin, size_t end)
{
    const size_t n = end - begin;
    if (!n || !reserve(out, n)) return;
    const bool plain = !in->from && goes_on(out, in->base + begin);
    if (!plain && (!write_places(out) || !reserve(out, n))) return;
    memcpy(out->text + out->n, in->text + begin, n);
    if (in->from) {
        memcpy(out->from + out->n, in->from + begin, n * sizeof *in->from);
        memcpy(out->to + out->n, in->to + begin, n * sizeof *in->to);
    } else if (!plain) {
        fill_places(out, out->n, out->n + n, (uint32_t)(in->base + begin - out->n));
    }
    out->n += n;
}

void trine_aligned_put(trine_aligned *out, uint32_t c, size_t from, size_t to)
{
    if (!reserve(out, 4)) return;
    const size_t length = (size_t)trine_utf8_put(out->text + out->n, c);
    if (!(length == to - from && goes_on(out, from))) {
        if (!write_places(out)) return;
        for (size_t i = out->n; i < out->n + length; i++) {
            out->from[i] = (uint32_t)from;
            out->to[i] = (uint32_t)to;
        }
    }
    out->n += length;
}

trine_rewrite trine_rewrite_begin(trine_aligned *out, const trine_aligned *in, size_t begin, size_t end)
{
    return (trine_rewrite) { .in = in, .out = out, .at = begin, .begin = begin, .end = end };
}

void trine_rewrite_skip(trine_rewrite *r, size_t n_characters)
{
    for (; n_characters && r->at < r->end; n_characters--) r->at += trine_utf8_length((unsigned char)r->in->text[r->at]);
}

void trine_rewrite_put(trine_rewrite *r, uint32_t c, int change)
{
    trine_span span;
    if (change > 0) { /* with nothing before it, it stands for the empty place at the start */
        if (r->at > r->begin) {
            span = trine_aligned_span(r->in, r->at - 1, r->at);
        } else {
            const size_t start = r->begin < r->end ? trine_aligned_span(r->in, r->begin, r->begin + 1).start : r->in->base;
            span = (trine_span) { start, start };
        }
    } else {
        const size_t at = r->at < r->end ? r->at : r->end - 1; /* only a malformed list of changes runs past the end */
        span = trine_aligned_span(r->in, at, at + 1);
        trine_rewrite_skip(r, (size_t)(1 - change));
    }
    trine_aligned_put(r->out, c, span.start, span.end);
}
