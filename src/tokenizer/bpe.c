/* bpe.c - merging by rank.
 *
 * The merges are one hash table from a pair of ids to rank and result. A short word scans its pairs for the lowest rank; a long
 * one keeps them in a heap over a linked list, so that a megabyte without a space costs n log n. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "tokenizer/algorithms.h"
#include "tokenizer/unicode.h"

enum { SHORT = 48 }; /* symbols up to which scanning beats the heap */

static uint32_t slot_of(uint64_t pair, uint32_t mask)
{
    uint64_t h = pair * 0x9E3779B97F4A7C15u;
    return (uint32_t)(h >> 32 ^ h >> 15) & mask;
}

static const trine_merge_slot *find_merge(const trine_bpe *bpe, int32_t left, int32_t right)
{
    const uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    for (uint32_t at = slot_of(pair, bpe->mask);; at = (at + 1) & bpe->mask) {
        const trine_merge_slot *slot = &bpe->merges[at];
        if (slot->rank < 0) return NULL;
        if (slot->pair == pair) return slot;
    }
}

/* The vocabulary with every token as the plain bytes its characters spell; tokens that spell none are left out. */
static trine_status build_raw(trine_bpe *bpe, trine_error *err)
{
    trine_buffer bytes = { 0 };
    for (int32_t id = 0; id < bpe->vocab->n; id++) {
        const trine_piece p = bpe->vocab->pieces[id];
        bytes.n = 0;
        bool spelt = p.text && p.n;
        for (size_t i = 0; spelt && i < p.n; i += trine_utf8_length((unsigned char)p.text[i])) {
            const int byte = trine_character_byte(trine_utf8_at(p.text + i));
            spelt = byte >= 0;
            if (spelt) trine_buffer_putc(&bytes, (char)byte);
        }
        if (!spelt) continue;
        const trine_status status = bytes.failed ? trine_fail(err, TRINE_ERROR_MEMORY, "bpe: no memory for the vocabulary")
                                                 : trine_vocab_set(&bpe->raw, id, bytes.data, bytes.n, err);
        if (status) {
            trine_buffer_clear(&bytes);
            return status;
        }
    }
    trine_buffer_clear(&bytes);
    return trine_vocab_index(&bpe->raw, err);
}

/* Whether `id` is spelt as a followed by b without its prefix. */
static bool joins(const trine_vocab *vocab, int32_t id, trine_piece a, trine_piece b, size_t n_prefix)
{
    const trine_piece p = trine_vocab_piece(vocab, id);
    return p.text && !vocab->repeated && p.n == a.n + b.n - n_prefix && !memcmp(p.text, a.text, a.n) &&
           !memcmp(p.text + a.n, b.text + n_prefix, b.n - n_prefix);
}

/* A text without spaces between words, as Llama 2 has it, is one word to merge. But where no merge has a left side that ends in some
 * byte and a right side that begins with the mark U+2581, nothing is ever joined across such a place: both sides are words. */
static void find_cuts(trine_bpe *bpe, const trine_merge *merges, int n_merges)
{
    static const char mark[] = "\xE2\x96\x81";
    const trine_bpe_options *o = &bpe->options;
    bpe->cuts_at_mark = !o->raw_bytes && !o->ignore_merges && !(o->prefix && *o->prefix) && !(o->suffix && *o->suffix) &&
                        trine_vocab_find(bpe->vocab, mark, 3) >= 0;
    const trine_piece unk = trine_vocab_piece(bpe->vocab, bpe->unk);
    if (unk.n >= 3 && !memcmp(unk.text, mark, 3)) bpe->cuts_at_mark = false;
    for (int i = 0; i < n_merges && bpe->cuts_at_mark; i++) {
        const trine_piece a = trine_vocab_piece(bpe->vocab, merges[i].left), b = trine_vocab_piece(bpe->vocab, merges[i].right);
        if (!a.n || b.n < 3 || memcmp(b.text, mark, 3)) continue;
        bpe->joins_mark[(unsigned char)a.text[a.n - 1]] = true;
        /* The unknown token and those of bytes, <0x..>, stand for something else than their spelling. */
        const bool unknown = unk.n && a.n >= unk.n && !memcmp(a.text + a.n - unk.n, unk.text, unk.n);
        if (unknown || a.text[a.n - 1] == '>') bpe->cuts_at_mark = false;
    }
}

size_t trine_bpe_cut(const trine_bpe *bpe, const char *text, size_t begin, size_t end)
{
    if (!bpe->cuts_at_mark) return end;
    for (size_t i = begin + 1; i + 2 < end; i++) {
        const char *next = memchr(text + i, 0xE2, end - 2 - i);
        if (!next) return end;
        i = (size_t)(next - text);
        if (next[1] == '\x96' && next[2] == '\x81' && !bpe->joins_mark[(unsigned char)next[-1]]) return i;
    }
    return end;
}

trine_status trine_bpe_build(trine_bpe *out, const trine_vocab *vocab, const trine_merge *merges, int n_merges,
                             const trine_bpe_options *options, trine_error *err)
{
    *out = (trine_bpe) { .vocab = vocab, .options = *options, .unk = -1 };
    trine_bpe *bpe = out;
    uint32_t size = 16;
    while (size < 2u * (uint32_t)n_merges) size *= 2;
    bpe->mask = size - 1;
    bpe->merges = malloc(size * sizeof *bpe->merges);
    if (!bpe->merges) return trine_fail(err, TRINE_ERROR_MEMORY, "bpe: no memory for %d merges", n_merges);
    for (uint32_t i = 0; i < size; i++) bpe->merges[i].rank = -1;

    const size_t n_prefix = options->prefix ? strlen(options->prefix) : 0;
    trine_status status = TRINE_OK;
    int32_t next = -1;
    for (int rank = 0; rank < n_merges && !status; rank++) {
        const trine_piece a = trine_vocab_piece(vocab, merges[rank].left), b = trine_vocab_piece(vocab, merges[rank].right);
        if (!a.text || !b.text || b.n < n_prefix) {
            status = trine_fail(err, TRINE_ERROR_FORMAT, "bpe: merge %d joins tokens that are not in the vocabulary", rank);
            break;
        }
        /* Most vocabularies number the results of their merges one after another: look there before searching. */
        const int32_t id = joins(vocab, next, a, b, n_prefix)
                               ? next
                               : trine_vocab_find_pair(vocab, a.text, a.n, b.text + n_prefix, b.n - n_prefix);
        next = id + 1;
        if (id < 0) {
            status = trine_fail(err, TRINE_ERROR_FORMAT, "bpe: merge %d gives '%.40s%.40s', which is not in the vocabulary", rank,
                                a.text, b.text + n_prefix);
            break;
        }
        const uint64_t pair = (uint64_t)(uint32_t)merges[rank].left << 32 | (uint32_t)merges[rank].right;
        uint32_t at = slot_of(pair, bpe->mask);
        while (bpe->merges[at].rank >= 0 && bpe->merges[at].pair != pair) at = (at + 1) & bpe->mask;
        bpe->merges[at] = (trine_merge_slot) { pair, rank, id };
    }
    if (!status) {
        if (options->unk) bpe->unk = trine_vocab_find(vocab, options->unk, strlen(options->unk));
        if (options->raw_bytes) {
            for (int b = 0; b < 256; b++) {
                trine_buffer name = { 0 };
                trine_buffer_put_utf8(&name, trine_byte_character((unsigned char)b));
                bpe->bytes[b] = name.failed ? -1 : trine_vocab_find(vocab, name.data, name.n);
                if (name.failed) status = trine_fail(err, TRINE_ERROR_MEMORY, "bpe: no memory for the byte alphabet");
                trine_buffer_clear(&name);
            }
            if (!status && options->ignore_merges) status = build_raw(bpe, err);
        } else {
            trine_find_byte_tokens(bpe->bytes, vocab);
            for (int c = 0; c < 128; c++) bpe->ascii[c] = trine_vocab_find(vocab, &(char) { (char)c }, 1);
        }
    }
    find_cuts(bpe, merges, n_merges);
    if (status) trine_bpe_clear(bpe);
    return status;
}

void trine_bpe_clear(trine_bpe *bpe)
{
    free(bpe->merges);
    bpe->merges = NULL;
    trine_vocab_clear(&bpe->raw);
}

/* The symbols of a word under merging, a linked list in arrays. */
typedef struct symbol {
    int32_t id, prev, next; /* -1 at the ends */
    uint32_t bytes;         /* of the text; 0 once merged into the one before */
    int32_t rank, merged;   /* of the pair with the next symbol; rank INT32_MAX: it does not merge */
} symbol;

static void rate(const trine_bpe *bpe, symbol *s, int32_t i)
{
    s[i].rank = INT32_MAX;
    if (s[i].next < 0) return;
    const trine_merge_slot *slot = find_merge(bpe, s[i].id, s[s[i].next].id);
    if (!slot) return;
    s[i].rank = slot->rank;
    s[i].merged = slot->id;
}

/* Joins symbol i with its next one. */
static void join(const trine_bpe *bpe, symbol *s, int32_t i)
{
    const int32_t right = s[i].next;
    s[i].id = s[i].merged;
    s[i].bytes += s[right].bytes;
    s[i].next = s[right].next;
    if (s[i].next >= 0) s[s[i].next].prev = i;
    s[right].bytes = 0;
    s[right].rank = INT32_MAX;
    rate(bpe, s, i);
    if (s[i].prev >= 0) rate(bpe, s, s[i].prev);
}

static void merge_short(const trine_bpe *bpe, symbol *s)
{
    for (;;) {
        int32_t best = -1, rank = INT32_MAX;
        for (int32_t i = 0; i >= 0; i = s[i].next) {
            if (s[i].rank < rank) {
                rank = s[i].rank;
                best = i;
            }
        }
        if (best < 0) return;
        join(bpe, s, best);
    }
}

/* A binary heap of (rank, place), lowest first; entries that no longer hold are dropped when they come up. */
typedef struct heap {
    uint64_t *items;
    size_t n;
} heap;

static void push(heap *h, int32_t rank, int32_t place)
{
    const uint64_t item = (uint64_t)(uint32_t)rank << 32 | (uint32_t)place;
    size_t i = h->n++;
    for (; i && h->items[(i - 1) / 2] > item; i = (i - 1) / 2) h->items[i] = h->items[(i - 1) / 2];
    h->items[i] = item;
}

static uint64_t pop(heap *h)
{
    const uint64_t top = h->items[0], last = h->items[--h->n];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < h->n; i = child) {
        if (child + 1 < h->n && h->items[child + 1] < h->items[child]) child++;
        if (h->items[child] >= last) break;
        h->items[i] = h->items[child];
    }
    h->items[i] = last;
    return top;
}

static void merge_long(const trine_bpe *bpe, symbol *s, int32_t n, uint64_t *room)
{
    heap h = { room, 0 };
    for (int32_t i = 0; i < n; i++)
        if (s[i].rank != INT32_MAX) push(&h, s[i].rank, i);
    while (h.n) {
        const uint64_t item = pop(&h);
        const int32_t i = (int32_t)(uint32_t)item, rank = (int32_t)(item >> 32);
        if (s[i].rank != rank || !s[i].bytes) continue;
        join(bpe, s, i);
        /* Every join takes one symbol away and adds at most two entries: the heap never holds more than 3n. */
        if (s[i].rank != INT32_MAX) push(&h, s[i].rank, i);
        const int32_t prev = s[i].prev;
        if (prev >= 0 && s[prev].rank != INT32_MAX) push(&h, s[prev].rank, prev);
    }
}

static void add(symbol *s, int32_t *n, int32_t id, size_t bytes)
{
    s[*n] = (symbol) { .id = id, .prev = *n - 1, .next = *n + 1, .bytes = (uint32_t)bytes, .rank = INT32_MAX };
    ++*n;
}

/* The token of the character at text[0..length) with prefix and suffix, or -1. */
static int32_t find_character(const trine_bpe *bpe, const char *text, size_t length, bool first, bool last, char *room,
                              size_t *n_room)
{
    const char *prefix = first ? NULL : bpe->options.prefix, *suffix = last ? bpe->options.suffix : NULL;
    if (!(prefix && *prefix) && !(suffix && *suffix)) {
        memcpy(room, text, length);
        *n_room = length;
        return length == 1 ? bpe->ascii[text[0] & 0x7F] : trine_vocab_find(bpe->vocab, text, length);
    }
    size_t n = 0;
    if (prefix) n = (size_t)(stpcpy(room, prefix) - room);
    memcpy(room + n, text, length);
    n += length;
    if (suffix) n = (size_t)(stpcpy(room + n, suffix) - room);
    *n_room = n;
    return trine_vocab_find(bpe->vocab, room, n);
}

/* The first symbols: a character each, unknown ones as bytes or as the unknown token. */
static int32_t split_characters(const trine_bpe *bpe, symbol *s, const char *text, size_t begin, size_t end, char *room)
{
    int32_t n = 0;
    size_t unknown = 0; /* bytes of the unknown token that is being put together */
    for (size_t at = begin, length; at < end; at += length) {
        length = trine_utf8_length((unsigned char)text[at]);
        size_t n_room;
        const int32_t id = find_character(bpe, text + at, length, at == begin, at + length == end, room, &n_room);
        if (id >= 0) {
            if (unknown) add(s, &n, bpe->unk, unknown);
            unknown = 0;
            add(s, &n, id, length);
            continue;
        }
        bool spelt = bpe->options.byte_fallback;
        for (size_t i = 0; spelt && i < n_room; i++) spelt = bpe->bytes[(unsigned char)room[i]] >= 0;
        if (spelt) { /* an unknown token that is waiting comes after them, as in the reference */
            for (size_t i = 0; i < n_room; i++) add(s, &n, bpe->bytes[(unsigned char)room[i]], 1);
        } else if (bpe->unk >= 0) {
            if (unknown && !bpe->options.fuse_unk) {
                add(s, &n, bpe->unk, unknown);
                unknown = 0;
            }
            unknown += length;
        }
    }
    if (unknown) add(s, &n, bpe->unk, unknown);
    return n;
}

static int32_t split_bytes(const trine_bpe *bpe, symbol *s, const char *text, size_t begin, size_t end)
{
    int32_t n = 0;
    size_t unknown = 0;
    for (size_t at = begin; at < end; at++) {
        const int32_t id = bpe->bytes[(unsigned char)text[at]];
        if (id < 0 && bpe->unk < 0) continue;
        if (unknown && (id >= 0 || !bpe->options.fuse_unk)) {
            add(s, &n, bpe->unk, unknown);
            unknown = 0;
        }
        if (id >= 0)
            add(s, &n, id, 1);
        else
            unknown++;
    }
    if (unknown) add(s, &n, bpe->unk, unknown);
    return n;
}

/* Bytes that the vocabulary lacks, and no unknown token stands for, have no symbol. The reference then has every token after them too
 * early, by as much as they take where each byte is spelt as a character of its own. */
static bool has_gaps(const trine_bpe *bpe, const char *text, size_t begin, size_t end)
{
    while (begin < end && bpe->bytes[(unsigned char)text[begin]] >= 0) begin++;
    return begin < end;
}

static size_t spelt_length(char byte) { return trine_byte_character((unsigned char)byte) < 0x80 ? 1 : 2; }

static trine_status put_with_gaps(trine_tokens *out, const trine_bpe *bpe, const symbol *s, const char *text, size_t begin,
                                  trine_error *err)
{
    size_t symbol_at = begin;              /* the byte of the next symbol */
    size_t at = begin, place = 0, end = 0; /* the byte at a place among spelt characters; where the tokens so far end */
    for (int32_t i = 0; i >= 0; i = s[i].next) {
        for (uint32_t k = 0; k < s[i].bytes; k++) {
            while (bpe->bytes[(unsigned char)text[symbol_at]] < 0) symbol_at++;
            if (k == 0)
                for (; place + spelt_length(text[at]) <= end; at++) place += spelt_length(text[at]);
            end += spelt_length(text[symbol_at++]);
        }
        const size_t first = at;
        for (; place + spelt_length(text[at]) < end; at++) place += spelt_length(text[at]);
        const trine_status status = trine_tokens_put(out, s[i].id, first, at + 1, err);
        if (status) return status;
    }
    return TRINE_OK;
}

trine_status trine_bpe_encode(trine_tokens *out, const trine_bpe *bpe, const char *text, size_t begin, size_t end,
                              trine_scratch *scratch, trine_error *err)
{
    if (begin >= end) return TRINE_OK;
    if (bpe->options.ignore_merges) {
        const int32_t whole = trine_vocab_find(bpe->options.raw_bytes ? &bpe->raw : bpe->vocab, text + begin, end - begin);
        if (whole >= 0) return trine_tokens_put(out, whole, begin, end, err);
    }
    /* A character with prefix and suffix may fall apart into more bytes than it has. */
    const size_t affixes =
        (bpe->options.prefix ? strlen(bpe->options.prefix) : 0) + (bpe->options.suffix ? strlen(bpe->options.suffix) : 0);
    const size_t n_symbols = (end - begin) * (1 + affixes) + 1;
    if (n_symbols > INT32_MAX / 4) return trine_fail(err, TRINE_ERROR_TOO_LONG, "encode: a word of %zu bytes", end - begin);
    symbol *s = trine_scratch_take(scratch, n_symbols * sizeof *s + 3 * n_symbols * sizeof(uint64_t) + affixes + 16);
    if (!s) return trine_fail(err, TRINE_ERROR_MEMORY, "encode: no memory for a word of %zu bytes", end - begin);
    uint64_t *room = (uint64_t *)(s + n_symbols);
    const int32_t n = bpe->options.raw_bytes ? split_bytes(bpe, s, text, begin, end)
                                             : split_characters(bpe, s, text, begin, end, (char *)(room + 3 * n_symbols));
    if (!n) return TRINE_OK;
    s[n - 1].next = -1;
    for (int32_t i = 0; i < n; i++) rate(bpe, s, i);
    if (n <= SHORT)
        merge_short(bpe, s);
    else
        merge_long(bpe, s, n, room);
    if (bpe->options.raw_bytes && bpe->unk < 0 && has_gaps(bpe, text, begin, end))
        return put_with_gaps(out, bpe, s, text, begin, err);
    size_t at = begin;
    for (int32_t i = 0; i >= 0; i = s[i].next) {
        size_t next = at + s[i].bytes;
        if (next > end) next = end;
        const trine_status status = trine_tokens_put(out, s[i].id, at < end ? at : end - 1, next, err);
        if (status) return status;
        at = next;
    }
    return TRINE_OK;
}
