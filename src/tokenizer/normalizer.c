/* normalizer.c - each normalizer makes a list of changes (aligned.h), which is then applied. The lists are those of `tokenizers`,
 * so that offsets agree even where a character falls apart, is composed or vanishes. */
#include "tokenizer/normalizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "tokenizer/algorithms.h"
#include "tokenizer/unicode.h"

void trine_normalizer_clear(trine_normalizer *normalizer)
{
    trine_pattern_close(normalizer->pattern);
    free(normalizer->text);
    trine_charsmap_close(&normalizer->charsmap);
    *normalizer = (trine_normalizer) { 0 };
}

void trine_normalizer_room_clear(trine_normalizer_room *room)
{
    trine_aligned_clear(&room->texts[0]);
    trine_aligned_clear(&room->texts[1]);
    trine_aligned_clear(&room->joined);
    free(room->changes);
    *room = (trine_normalizer_room) { 0 };
}

static void change(trine_normalizer_room *room, uint32_t c, int32_t by)
{
    if (room->n == room->cap) {
        const size_t cap = room->cap ? 2 * room->cap : 256;
        trine_change *changes = room->failed ? NULL : realloc(room->changes, cap * sizeof *changes);
        if (!changes) {
            room->failed = true;
            return;
        }
        room->changes = changes;
        room->cap = cap;
    }
    room->changes[room->n++] = (trine_change) { c, by };
}

static void apply(trine_aligned *out, const trine_aligned *in, trine_normalizer_room *room, size_t skip)
{
    trine_rewrite r = trine_rewrite_begin(out, in, 0, in->n);
    trine_rewrite_skip(&r, skip);
    if (in->n)
        for (size_t i = 0; i < room->n; i++) trine_rewrite_put(&r, room->changes[i].c, room->changes[i].change);
}

static bool is_ascii(const trine_aligned *in)
{
    for (size_t i = 0; i < in->n; i++)
        if ((unsigned char)in->text[i] >= 0x80) return false;
    return true;
}

#define EACH_CHARACTER(in, i, c)                                                                                                   \
    for (size_t i = 0, c; i < (in)->n && (c = trine_utf8_at((in)->text + i), true);                                                \
         i += trine_utf8_length((unsigned char)(in)->text[i]))

/* Keeps the characters that `keep` likes, mapped; what vanishes is noted at the character before. */
static size_t filter(trine_normalizer_room *room, const trine_aligned *in, bool (*drop)(uint32_t), uint32_t (*map)(uint32_t))
{
    size_t skipped = 0;
    EACH_CHARACTER(in, i, c)
    {
        if (!drop((uint32_t)c))
            change(room, map ? map((uint32_t)c) : (uint32_t)c, 0);
        else if (room->n)
            room->changes[room->n - 1].change--;
        else
            skipped++;
    }
    return skipped;
}

static bool bert_drops(uint32_t c) { return c == 0 || c == 0xFFFD || trine_is_control(c); }
static uint32_t bert_maps(uint32_t c) { return trine_is_space(c) ? ' ' : c; }

static bool nmt_drops(uint32_t c)
{
    return (c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F;
}

static uint32_t nmt_maps(uint32_t c)
{
    const bool space = c == 9 || c == 0xA || c == 0xC || c == 0xD || c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2028 ||
                       c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
    return space ? ' ' : c;
}

static void lowercase(trine_normalizer_room *room, const trine_aligned *in)
{
    EACH_CHARACTER(in, i, c)
    {
        uint32_t lower[2];
        const int n = trine_lower(lower, (uint32_t)c);
        for (int k = 0; k < n; k++) change(room, lower[k], k > 0);
    }
}

static void set_cjk_apart(trine_normalizer_room *room, const trine_aligned *in)
{
    EACH_CHARACTER(in, i, c)
    {
        if (trine_is_cjk((uint32_t)c)) {
            change(room, ' ', 0);
            change(room, (uint32_t)c, 1);
            change(room, ' ', 1);
        } else {
            change(room, (uint32_t)c, 0);
        }
    }
}

/* Puts the marks from `run` on in canonical order (Unicode 15, section 3.11): stable, by combining class. */
static void sort_marks(trine_normalizer_room *room, size_t run)
{
    const size_t n = room->n - run;
    size_t counts[257] = { 0 };
    bool sorted = true;
    for (size_t i = 1; i < n && sorted; i++)
        sorted = trine_combining_class(room->changes[run + i - 1].c) <= trine_combining_class(room->changes[run + i].c);
    if (sorted || room->failed) return;
    for (size_t i = 0; i < n; i++) {
        const trine_change mark = room->changes[run + i];
        counts[trine_combining_class(mark.c) + 1]++;
        change(room, mark.c, mark.change); /* a copy to sort from */
    }
    if (!room->failed) {
        for (int class = 1; class < 257; class ++) counts[class] += counts[class - 1];
        for (size_t i = 0; i < n; i++) {
            const trine_change mark = room->changes[run + n + i];
            room->changes[run + counts[trine_combining_class(mark.c)]++] = mark;
        }
    }
    room->n = run + n;
}

static void decompose(trine_normalizer_room *room, const trine_aligned *in, bool compat)
{
    size_t run = 0; /* where the marks of the character at hand begin */
    EACH_CHARACTER(in, i, c)
    {
        uint32_t parts[TRINE_DECOMPOSITION_MAX];
        const int n = trine_decompose(parts, (uint32_t)c, compat);
        for (int k = 0; k < n; k++) {
            const bool starter = trine_combining_class(parts[k]) == 0;
            if (starter && room->n - run > 1) sort_marks(room, run);
            change(room, parts[k], k > 0);
            if (starter) run = room->n;
        }
        if (room->failed) return;
    }
    sort_marks(room, run);
}

/* Composes the decomposed list in place: UAX 15, with the bookkeeping of changes of the crate unicode-normalization-alignments. */
static void compose(trine_normalizer_room *room)
{
    const size_t n = room->n;
    size_t out = 0;      /* composed so far */
    size_t held = 0;     /* marks that wait behind the base, at changes[out + 1 ...] */
    bool base = false;   /* changes[out] is a base that may still be composed */
    int last_class = -1; /* of the last mark that waits */
    for (size_t i = 0; i < n; i++) {
        const trine_change next = room->changes[i];
        const int class = trine_combining_class(next.c);
        if (!base) {
            room->changes[out] = next;
            if (class)
                out++;
            else
                base = true;
            continue;
        }
        if (last_class < class || last_class == -1) {
            const uint32_t composed = trine_compose(room->changes[out].c, next.c);
            if (composed) {
                room->changes[out].c = composed;
                room->changes[out].change += next.change - 1;
                continue;
            }
        }
        if (class == 0) {
            out += held + 1;
            held = 0;
            last_class = -1;
            room->changes[out] = next;
        } else {
            room->changes[out + ++held] = next;
            last_class = class;
        }
    }
    room->n = out + held + (base ? 1 : 0);
}

static void strip(trine_normalizer_room *room, const trine_aligned *in, bool left, bool right, size_t *skipped)
{
    size_t begin = 0, end = in->n;
    while (left && begin < end && trine_is_space(trine_utf8_at(in->text + begin))) {
        begin += trine_utf8_length((unsigned char)in->text[begin]);
        ++*skipped;
    }
    if (right) { /* the end of the last character that is no space */
        end = begin;
        for (size_t i = begin; i < in->n;) {
            const size_t length = trine_utf8_length((unsigned char)in->text[i]);
            if (!trine_is_space(trine_utf8_at(in->text + i))) end = i + length;
            i += length;
        }
    }
    for (size_t i = begin; i < end; i += trine_utf8_length((unsigned char)in->text[i]))
        change(room, trine_utf8_at(in->text + i), 0);
}

static size_t count_characters(const char *s, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += ((unsigned char)s[i] & 0xC0) != 0x80;
    return count;
}

/* Changes on their way into a text, the last one held back: what vanishes behind it is noted at it. */
typedef struct rewriting {
    trine_rewrite to;
    trine_change last;
    bool any;
} rewriting;

static void flush(rewriting *w)
{
    if (w->any) trine_rewrite_put(&w->to, w->last.c, w->last.change);
    w->any = false;
}

/* One replacement of the charsmap: old characters become new ones, the surplus noted at the last. */
static void replace_part(rewriting *w, size_t n_old, const char *to, size_t n_to)
{
    const size_t n_new = count_characters(to, n_to);
    size_t k = 0;
    for (size_t i = 0; i < n_to; i += trine_utf8_length((unsigned char)to[i]), k++) {
        flush(w);
        w->last = (trine_change) { trine_utf8_at(to + i), k >= n_old ? 1 : 0 };
        w->any = true;
    }
    if (n_new < n_old && w->any) w->last.change -= (int32_t)(n_old - n_new);
}

/* A run of characters that stay. */
static void keep_part(rewriting *w, const trine_aligned *in, size_t begin, size_t end)
{
    if (begin == end) return;
    flush(w);
    if (w->to.at == begin) { /* each has its own place: all but the last go as they are */
        trine_aligned_append(w->to.out, in, begin, end - 1);
        w->to.at = begin = end - 1;
    }
    for (; begin < end; begin++) replace_part(w, 1, in->text + begin, 1);
}

/* Where a run of characters ends that the map leaves as they are: ASCII without a mapping, of which the next one shows that it is no
 * part of a cluster. */
static size_t plain_run(const trine_aligned *in, size_t at, const trine_charsmap *map)
{
    size_t i = at;
    while (i < in->n && (unsigned char)in->text[i] < 0x80 && map->plain[(unsigned char)in->text[i]]) i++;
    return i < in->n && i > at && (unsigned char)in->text[i] >= 0x80 ? i - 1 : i;
}

/* By grapheme clusters of fewer than 6 bytes where the map knows them, else by characters: so SentencePiece's normaliser is
 * emulated by `tokenizers`, whose ids are the reference. Returns false when nothing changed. */
static bool precompiled(trine_aligned *out, const trine_aligned *in, const trine_charsmap *map)
{
    bool modified = false;
    rewriting w = { .to = trine_rewrite_begin(out, in, 0, in->n) };
    for (size_t i = 0; i < in->n;) {
        const char *text = in->text, *to;
        size_t n_to, length;
        const size_t plain = plain_run(in, i, map);
        if (plain - i == in->n) return false;
        keep_part(&w, in, i, plain);
        if ((i = plain) == in->n) break;
        const size_t cluster = trine_grapheme_next(text + i, in->n - i);
        if (cluster < 6 && trine_charsmap_find(&to, &n_to, map, text + i, cluster)) {
            replace_part(&w, count_characters(text + i, cluster), to, n_to);
            modified = true;
            i += cluster;
            continue;
        }
        for (const size_t end = i + cluster; i < end; i += length) {
            length = trine_utf8_length((unsigned char)text[i]);
            const bool known = trine_charsmap_find(&to, &n_to, map, text + i, length);
            modified = modified || known;
            replace_part(&w, 1, known ? to : text + i, known ? n_to : length);
        }
    }
    flush(&w);
    return modified;
}

static trine_status replace(trine_aligned *out, const trine_aligned *in, const trine_normalizer *normalizer, trine_error *err)
{
    trine_matches matches;
    trine_matches_open(&matches, normalizer->pattern);
    trine_matches_begin(&matches, in->text, in->n);
    size_t done = 0;
    trine_span match;
    int found;
    while ((found = trine_matches_next(&match, &matches, err)) > 0) {
        trine_aligned_append(out, in, done, match.start);
        /* The new characters stand for what the last old one stood for. */
        trine_span span = { 0, 0 };
        if (match.end > 0)
            span = trine_aligned_span(in, match.end - 1, match.end);
        else if (in->n)
            span.start = span.end = trine_aligned_span(in, 0, 1).start;
        for (size_t i = 0; i < normalizer->n_text; i += trine_utf8_length((unsigned char)normalizer->text[i]))
            trine_aligned_put(out, trine_utf8_at(normalizer->text + i), span.start, span.end);
        done = match.end;
    }
    trine_aligned_append(out, in, done, in->n);
    trine_matches_close(&matches);
    return found < 0 ? (trine_status)found : TRINE_OK;
}

void trine_prepend(trine_aligned *out, const trine_aligned *in, size_t begin, size_t end, const char *text, size_t n_text)
{
    const trine_span first = trine_aligned_span(in, begin, begin + trine_utf8_length((unsigned char)in->text[begin]));
    for (size_t i = 0; i < n_text; i += trine_utf8_length((unsigned char)text[i]))
        trine_aligned_put(out, trine_utf8_at(text + i), first.start, first.end);
    trine_aligned_append(out, in, begin, end);
}

void trine_spell_bytes(trine_aligned *out, const trine_aligned *in, size_t begin, size_t end)
{
    for (size_t i = begin; i < end;) {
        const size_t length = trine_utf8_length((unsigned char)in->text[i]);
        const trine_span span = trine_aligned_span(in, i, i + length);
        for (const size_t stop = i + length; i < stop; i++)
            trine_aligned_put(out, trine_byte_character((unsigned char)in->text[i]), span.start, span.end);
    }
}

static bool is_plain(unsigned char c) { return c < 0x7F && (c >= 0x20 || c == '\t' || c == '\n' || c == '\r'); }

/* BERT's normalisation of plain ASCII, without control characters: one pass, and every byte keeps its place. */
static void bert_plain(trine_aligned *out, const trine_aligned *in, size_t begin, size_t end, const trine_normalizer *normalizer)
{
    const size_t first = out->n;
    trine_aligned_append(out, in, begin, end);
    for (size_t i = first; i < out->n; i++) {
        char *c = &out->text[i];
        if (normalizer->clean_text && (unsigned char)*c < 0x20) *c = ' ';
        if (normalizer->lowercase && *c >= 'A' && *c <= 'Z') *c = (char)(*c + 32);
    }
}

typedef struct steps { /* the text as it is now, and the room for the next */
    const trine_aligned *in;
    trine_normalizer_room *room;
} steps;

static trine_aligned *next_text(steps *s)
{
    trine_aligned *out = s->in == &s->room->texts[0] ? &s->room->texts[1] : &s->room->texts[0];
    trine_aligned_reset(out);
    s->room->n = 0;
    return out;
}

static void finish(steps *s, size_t skipped)
{
    trine_aligned *out = s->in == &s->room->texts[0] ? &s->room->texts[1] : &s->room->texts[0];
    apply(out, s->in, s->room, skipped);
    s->in = out;
}

static void forms(steps *s, bool compat, bool composed)
{
    if (is_ascii(s->in)) return;
    next_text(s);
    decompose(s->room, s->in, compat);
    if (composed && !s->room->failed) compose(s->room);
    finish(s, 0);
}

static void filtered(steps *s, bool (*drop)(uint32_t), uint32_t (*map)(uint32_t))
{
    next_text(s);
    const size_t skipped = filter(s->room, s->in, drop, map);
    finish(s, skipped);
}

static void bert_steps(steps *s, const trine_normalizer *normalizer)
{
    if (normalizer->clean_text) filtered(s, bert_drops, bert_maps);
    if (normalizer->handle_cjk) {
        next_text(s);
        set_cjk_apart(s->room, s->in);
        finish(s, 0);
    }
    if (normalizer->strip_accents) {
        forms(s, false, false);
        filtered(s, trine_is_nonspacing, NULL);
    }
    if (normalizer->lowercase) {
        next_text(s);
        lowercase(s->room, s->in);
        finish(s, 0);
    }
}

/* No step looks past a character but canonical ordering, and that not past one of ASCII: so plain runs go by themselves, and what is
 * between them. */
static void bert(steps *s, const trine_normalizer *normalizer)
{
    const trine_aligned *in = s->in;
    trine_aligned *joined = &s->room->joined;
    if (in == &s->room->texts[0] || in == &s->room->texts[1] || in == joined) { /* the steps of a part would write over it */
        bert_steps(s, normalizer);
        return;
    }
    trine_aligned_reset(joined);
    for (size_t i = 0, end; i < in->n; i = end) {
        const bool plain = is_plain((unsigned char)in->text[i]);
        for (end = i; end < in->n && is_plain((unsigned char)in->text[end]) == plain;) end++;
        if (plain) {
            bert_plain(joined, in, i, end, normalizer);
            continue;
        }
        const trine_aligned part = trine_aligned_part(in, i, end);
        s->in = &part;
        bert_steps(s, normalizer);
        trine_aligned_append(joined, s->in, 0, s->in->n);
    }
    s->in = joined;
}

trine_status trine_normalize(const trine_aligned **result, const trine_normalizer *normalizers, int n, const trine_aligned *in,
                             trine_normalizer_room *room, trine_error *err)
{
    steps s = { in, room };
    trine_status status = TRINE_OK;
    for (int i = 0; i < n && !status; i++) {
        const trine_normalizer *normalizer = &normalizers[i];
        trine_aligned *out = next_text(&s);
        size_t skipped = 0;
        switch (normalizer->kind) {
        case TRINE_NORMALIZE_BERT: bert(&s, normalizer); break;
        case TRINE_NORMALIZE_NFC: forms(&s, false, true); break;
        case TRINE_NORMALIZE_NFD: forms(&s, false, false); break;
        case TRINE_NORMALIZE_NFKC: forms(&s, true, true); break;
        case TRINE_NORMALIZE_NFKD: forms(&s, true, false); break;
        case TRINE_NORMALIZE_STRIP_ACCENTS: filtered(&s, trine_is_mark, NULL); break;
        case TRINE_NORMALIZE_NMT: filtered(&s, nmt_drops, nmt_maps); break;
        case TRINE_NORMALIZE_STRIP:
            strip(room, s.in, normalizer->left, normalizer->right, &skipped);
            finish(&s, skipped);
            break;
        case TRINE_NORMALIZE_LOWERCASE:
            lowercase(room, s.in);
            finish(&s, 0);
            break;
        case TRINE_NORMALIZE_PRECOMPILED:
            if (precompiled(out, s.in, &normalizer->charsmap)) s.in = out;
            break;
        case TRINE_NORMALIZE_REPLACE:
            status = replace(out, s.in, normalizer, err);
            s.in = out;
            break;
        case TRINE_NORMALIZE_PREPEND:
            if (!s.in->n) break;
            trine_prepend(out, s.in, 0, s.in->n, normalizer->text, normalizer->n_text);
            s.in = out;
            break;
        case TRINE_NORMALIZE_BYTE_LEVEL:
            trine_spell_bytes(out, s.in, 0, s.in->n);
            s.in = out;
            break;
        }
        if (!status && (room->failed || room->texts[0].failed || room->texts[1].failed || room->joined.failed))
            status = trine_fail(err, TRINE_ERROR_MEMORY, "encode: no memory to normalise %zu bytes", in->n);
    }
    *result = s.in;
    return status;
}
