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
    free(a->from);
    free(a->to);
    *a = (trine_aligned) { 0 };
}

void trine_aligned_reset(trine_aligned *a)
{
    a->n = 0;
    a->base = 0;
}

/* Room for n more bytes, with alignment. */
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
    if (a->cap > a->align_cap) {
        uint32_t *from = realloc(a->from, a->cap * sizeof *from);
        if (from) a->from = from;
        uint32_t *to = from ? realloc(a->to, a->cap * sizeof *to) : NULL;
        if (to) a->to = to;
        if (!from || !to) {
            a->failed = true;
            return false;
        }
        a->align_cap = a->cap;
    }
    return true;
}

static size_t character_start(const char *text, size_t i)
{
    while (i > 0 && ((unsigned char)text[i] & 0xC0) == 0x80) i--;
    return i;
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
    memcpy(out->text + out->n, in->text + begin, n);
    if (in->from) {
        memcpy(out->from + out->n, in->from + begin, n * sizeof *in->from);
        memcpy(out->to + out->n, in->to + begin, n * sizeof *in->to);
    } else {
        for (size_t i = begin, o = out->n; i < end;) {
            const size_t length = trine_utf8_length((unsigned char)in->text[i]);
            for (size_t k = 0; k < length && i + k < end; k++, o++) {
                out->from[o] = (uint32_t)(in->base + i);
                out->to[o] = (uint32_t)(in->base + i + length);
            }
            i += length;
        }
    }
    out->n += n;
}

void trine_aligned_put(trine_aligned *out, uint32_t c, size_t from, size_t to)
{
    if (!reserve(out, 4)) return;
    const int length = trine_utf8_put(out->text + out->n, c);
    for (int i = 0; i < length; i++, out->n++) {
        out->from[out->n] = (uint32_t)from;
        out->to[out->n] = (uint32_t)to;
    }
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
