/* pretokenizer.c - splitting by characters and by patterns, and the two that also rewrite: Metaspace and ByteLevel. */
#include "tokenizer/pretokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "tokenizer/unicode.h"

void trine_parts_clear(trine_parts *p)
{
    trine_aligned_clear(&p->own);
    free(p->items);
    *p = (trine_parts) { 0 };
}

void trine_parts_put(trine_parts *p, size_t begin, size_t end, int32_t id)
{
    if (p->n == p->cap) {
        const size_t cap = p->cap ? 2 * p->cap : 256;
        trine_part *items = p->failed ? NULL : realloc(p->items, cap * sizeof *items);
        if (!items) {
            p->failed = true;
            return;
        }
        p->items = items;
        p->cap = cap;
    }
    p->items[p->n++] = (trine_part) { (uint32_t)begin, (uint32_t)end, id };
}

void trine_pretokenizer_clear(trine_pretokenizer *pretokenizer)
{
    trine_pattern_close(pretokenizer->pattern);
    *pretokenizer = (trine_pretokenizer) { 0 };
}

/* Receives a text cut into stretches that match or do not, and joins or drops them by the behaviour. */
typedef struct cutter {
    trine_parts *out;
    trine_split_behavior behavior;
    bool invert;
    bool open;     /* [begin, end) is waiting: a later stretch may still join it */
    bool previous; /* the last stretch matched */
    size_t begin, end;
} cutter;

static void put(cutter *c, size_t begin, size_t end)
{
    if (begin < end) trine_parts_put(c->out, begin, end, -1);
}

static void flush(cutter *c)
{
    if (c->open) put(c, c->begin, c->end);
    c->open = false;
}

/* The folds of `tokenizers`, one stretch at a time. MERGED_WITH_NEXT is folded from the end there: a match joins what follows it
 * when that is no match, so here a match waits for the stretch after it. */
static void cut(cutter *c, size_t begin, size_t end, bool match)
{
    match = match != c->invert;
    bool joins = false;
    switch (c->behavior) {
    case TRINE_SPLIT_REMOVED:
        if (!match) put(c, begin, end);
        return;
    case TRINE_SPLIT_ISOLATED: put(c, begin, end); return;
    case TRINE_SPLIT_CONTIGUOUS: joins = match == c->previous; break;
    case TRINE_SPLIT_MERGED_WITH_PREVIOUS: joins = match && !c->previous; break;
    case TRINE_SPLIT_MERGED_WITH_NEXT: joins = !match && c->previous; break;
    }
    if (c->open && joins) {
        c->end = end;
    } else {
        flush(c);
        c->open = true;
        c->begin = begin;
        c->end = end;
    }
    c->previous = match;
}

/* Cuts where a character is of a class. */
static void cut_characters(cutter *c, const char *text, size_t begin, size_t end, bool (*matches)(uint32_t))
{
    size_t done = begin;
    for (size_t i = begin; i < end;) {
        const size_t length = trine_utf8_length((unsigned char)text[i]);
        if (matches(trine_utf8_at(text + i))) {
            if (done < i) cut(c, done, i, false);
            cut(c, i, i + length, true);
            done = i + length;
        }
        i += length;
    }
    if (done < end) cut(c, done, end, false);
    flush(c);
}

static trine_status cut_pattern(cutter *c, trine_matches *matches, const char *text, size_t begin, size_t end, trine_error *err)
{
    trine_matches_begin(matches, text + begin, end - begin);
    size_t done = 0;
    trine_span match;
    int found;
    while ((found = trine_matches_next(&match, matches, err)) > 0) {
        if (done < match.start) cut(c, begin + done, begin + match.start, false);
        cut(c, begin + match.start, begin + match.end, true);
        done = match.end;
    }
    if (found < 0) return (trine_status)found;
    if (done < end - begin) cut(c, begin + done, end, false);
    flush(c);
    return TRINE_OK;
}

/* \w+|[^\w\s]+ */
static void cut_words(trine_parts *out, const char *text, size_t begin, size_t end)
{
    int class = 0;
    size_t start = begin;
    for (size_t i = begin; i < end;) {
        const uint32_t c = trine_utf8_at(text + i);
        const int now = trine_is_word(c) ? 1 : trine_is_space(c) ? 0 : 2;
        if (now != class) {
            if (class) trine_parts_put(out, start, i, -1);
            start = i;
            class = now;
        }
        i += trine_utf8_length((unsigned char)text[i]);
    }
    if (class && start < end) trine_parts_put(out, start, end, -1);
}

/* Spaces vanish, signs stand alone. */
static void cut_bert(trine_parts *out, const char *text, size_t begin, size_t end)
{
    size_t start = begin;
    for (size_t i = begin; i < end;) {
        const uint32_t c = trine_utf8_at(text + i);
        const size_t length = trine_utf8_length((unsigned char)text[i]);
        const bool space = trine_is_space(c);
        if (space || trine_is_punctuation(c)) {
            if (start < i) trine_parts_put(out, start, i, -1);
            if (!space) trine_parts_put(out, i, i + length, -1);
            start = i + length;
        }
        i += length;
    }
    if (start < end) trine_parts_put(out, start, end, -1);
}

/* The text of one part with spaces as the mark, and the mark before it where the scheme says so; returns where it begins. */
static size_t rewrite_metaspace(trine_aligned *out, const trine_aligned *in, const trine_part *part, const trine_pretokenizer *p)
{
    const size_t begin = out->n;
    char mark[4];
    const size_t n_mark = (size_t)trine_utf8_put(mark, p->character);
    const uint32_t first = trine_utf8_at(in->text + part->begin);
    bool prepend = p->scheme != TRINE_PREPEND_NEVER && first != ' ' && first != p->character;
    if (p->scheme == TRINE_PREPEND_FIRST && trine_aligned_span(in, part->begin, part->begin + 1).start != 0) prepend = false;
    if (prepend) trine_prepend(out, in, part->begin, part->begin, mark, n_mark);
    for (size_t i = part->begin; i < part->end;) {
        size_t stop = i;
        while (stop < part->end && in->text[stop] != ' ') stop++;
        trine_aligned_append(out, in, i, stop);
        i = stop;
        if (i < part->end) {
            const trine_span span = trine_aligned_span(in, i, i + 1);
            trine_aligned_put(out, p->character, span.start, span.end);
            i++;
        }
    }
    return begin;
}

static void cut_delimiter(cutter *c, const char *text, size_t begin, size_t end, uint32_t delimiter)
{
    char mark[4];
    const size_t n = (size_t)trine_utf8_put(mark, delimiter);
    size_t done = begin;
    for (size_t i = begin; i + n <= end;) {
        if (memcmp(text + i, mark, n)) {
            i++;
            continue;
        }
        if (done < i) cut(c, done, i, false);
        cut(c, i, i + n, true);
        done = i += n;
    }
    if (done < end) cut(c, done, end, false);
    flush(c);
}

/* The text of one part as bytes spelt in characters, with a space before it where that is asked; false: the text stays as it is. */
static trine_status split_byte_level(trine_parts *out, const trine_parts *in, const trine_part *part, const trine_pretokenizer *p,
                                     trine_matches *matches, trine_aligned *room, trine_error *err)
{
    const trine_aligned *text = in->text;
    size_t begin = part->begin, end = part->end;
    const bool prefix = p->add_prefix_space && text->text[begin] != ' ';
    if (prefix) {
        trine_aligned_reset(room);
        trine_prepend(room, text, begin, end, " ", 1);
        if (room->failed) return trine_fail(err, TRINE_ERROR_MEMORY, "encode: no memory");
        text = room;
        begin = 0;
        end = room->n;
    }
    const size_t first = out->n;
    cutter c = { .out = out, .behavior = TRINE_SPLIT_ISOLATED };
    if (p->pattern) {
        const trine_status status = cut_pattern(&c, matches, text->text, begin, end, err);
        if (status) return status;
    } else {
        put(&c, begin, end);
    }
    if (out->text == in->text || out->failed) return TRINE_OK; /* nothing is rewritten */
    for (size_t i = first; i < out->n; i++) {                  /* the parts still speak of `text`: move them over */
        trine_part *piece = &out->items[i];
        const size_t at = out->own.n;
        if (p->plain_bytes)
            trine_aligned_append(&out->own, text, piece->begin, piece->end);
        else
            trine_spell_bytes(&out->own, text, piece->begin, piece->end);
        piece->begin = (uint32_t)at;
        piece->end = (uint32_t)out->own.n;
    }
    return TRINE_OK;
}

static bool rewrites(const trine_pretokenizer *p)
{
    return p->kind == TRINE_SPLIT_METASPACE || (p->kind == TRINE_SPLIT_BYTE_LEVEL && (p->add_prefix_space || !p->plain_bytes));
}

static trine_status run(trine_parts *out, const trine_parts *in, const trine_pretokenizer *p, trine_error *err)
{
    trine_matches matches = { 0 };
    trine_aligned room = { 0 };
    trine_status status = TRINE_OK;
    const bool rewriting = rewrites(p);
    out->n = 0;
    trine_aligned_reset(&out->own);
    out->text = rewriting ? &out->own : in->text;
    if (p->pattern) trine_matches_open(&matches, p->pattern);
    const char *text = in->text->text;
    for (size_t i = 0; i < in->n && !status; i++) {
        const trine_part *part = &in->items[i];
        if (part->id >= 0 || part->begin == part->end) {
            const size_t at = out->own.n;
            if (rewriting) trine_aligned_append(&out->own, in->text, part->begin, part->end);
            if (part->id >= 0) trine_parts_put(out, rewriting ? at : part->begin, rewriting ? out->own.n : part->end, part->id);
            continue;
        }
        cutter c = { .out = out, .behavior = p->behavior, .invert = p->invert };
        switch (p->kind) {
        case TRINE_SPLIT_BERT: cut_bert(out, text, part->begin, part->end); break;
        case TRINE_SPLIT_WHITESPACE: cut_words(out, text, part->begin, part->end); break;
        case TRINE_SPLIT_SPACES: cut_characters(&c, text, part->begin, part->end, trine_is_space); break;
        case TRINE_SPLIT_PUNCTUATION: cut_characters(&c, text, part->begin, part->end, trine_is_punctuation); break;
        case TRINE_SPLIT_DIGITS: cut_characters(&c, text, part->begin, part->end, trine_is_numeric); break;
        case TRINE_SPLIT_PATTERN: status = cut_pattern(&c, &matches, text, part->begin, part->end, err); break;
        case TRINE_SPLIT_DELIMITER: cut_delimiter(&c, text, part->begin, part->end, p->character); break;
        case TRINE_SPLIT_BYTE_LEVEL: status = split_byte_level(out, in, part, p, &matches, &room, err); break;
        case TRINE_SPLIT_METASPACE: {
            const size_t begin = rewrite_metaspace(&out->own, in->text, part, p);
            c.behavior = TRINE_SPLIT_MERGED_WITH_NEXT;
            if (out->own.failed) break;
            if (p->split)
                cut_delimiter(&c, out->own.text, begin, out->own.n, p->character);
            else
                put(&c, begin, out->own.n);
            break;
        }
        }
    }
    trine_aligned_clear(&room);
    if (p->pattern) trine_matches_close(&matches);
    if (!status && (out->failed || out->own.failed))
        status = trine_fail(err, TRINE_ERROR_MEMORY, "encode: no memory to split %zu bytes", in->text->n);
    return status;
}

trine_status trine_pretokenize(trine_parts **out, trine_parts rooms[2], const trine_pretokenizer *pretokenizers, int n,
                               trine_error *err)
{
    trine_parts *in = &rooms[0], *next = &rooms[1];
    trine_status status = TRINE_OK;
    for (int i = 0; i < n && !status; i++) {
        /* A text that only the input's room owns must outlive the step after next: hand it over. */
        status = run(next, in, &pretokenizers[i], err);
        if (!status && next->text == &in->own) {
            const trine_aligned own = next->own;
            next->own = in->own;
            in->own = own;
            next->text = &next->own;
        }
        trine_parts *done = in;
        in = next;
        next = done;
    }
    *out = in;
    return status;
}
