/* decoder.c - each decoder maps a list of texts to a list of texts, as in `tokenizers`. */
#include "tokenizer/decoder.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "tokenizer/algorithms.h"
#include "tokenizer/unicode.h"

void trine_decoder_clear(trine_decoder *decoder)
{
    free(decoder->text);
    trine_pattern_close(decoder->pattern);
    *decoder = (trine_decoder) { 0 };
}

void trine_texts_clear(trine_texts *t)
{
    trine_buffer_clear(&t->bytes);
    free(t->ends);
    *t = (trine_texts) { 0 };
}

void trine_texts_end(trine_texts *t)
{
    if (t->n == t->cap) {
        const size_t cap = t->cap ? 2 * t->cap : 64;
        size_t *ends = t->failed ? NULL : realloc(t->ends, cap * sizeof *ends);
        if (!ends) {
            t->failed = true;
            return;
        }
        t->ends = ends;
        t->cap = cap;
    }
    t->ends[t->n++] = t->bytes.n;
}

/* Appends s with every `from` turned into `to`. */
static void put_replaced(trine_buffer *out, const char *s, size_t n, const char *from, size_t n_from, const char *to)
{
    while (n) {
        const char *at = n_from ? memmem(s, n, from, n_from) : NULL;
        const size_t before = at ? (size_t)(at - s) : n;
        trine_buffer_append(out, s, before);
        if (!at) return;
        trine_buffer_puts(out, to);
        s = at + n_from;
        n -= before + n_from;
    }
}

/* The clean-up of English signs and contractions, in the order of the reference: each rule works on what the last one left. */
static void put_clean(trine_buffer *out, const char *s, size_t n)
{
    static const char *const rules[][2] = {
        { " .", "." },   { " ?", "?" },           { " !", "!" },   { " ,", "," },     { " ' ", "'" },    { " n't", "n't" },
        { " 'm", "'m" }, { " do not", " don't" }, { " 's", "'s" }, { " 've", "'ve" }, { " 're", "'re" },
    };
    if (!memchr(s, ' ', n)) {
        trine_buffer_append(out, s, n);
        return;
    }
    trine_buffer a = { 0 }, b = { 0 };
    trine_buffer_append(&a, s, n);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        b.n = 0;
        put_replaced(&b, a.data ? a.data : "", a.n, rules[i][0], strlen(rules[i][0]), rules[i][1]);
        const trine_buffer swap = a;
        a = b;
        b = swap;
    }
    if (a.failed || b.failed)
        out->failed = true;
    else
        trine_buffer_append(out, a.data, a.n);
    trine_buffer_clear(&a);
    trine_buffer_clear(&b);
}

static void decode_wordpiece(trine_texts *out, const char *s, size_t n, size_t i, const trine_decoder *d)
{
    trine_buffer word = { 0 };
    if (i) {
        if (n >= d->n_text && !memcmp(s, d->text, d->n_text)) {
            s += d->n_text;
            n -= d->n_text;
        } else {
            trine_buffer_putc(&word, ' ');
        }
    }
    trine_buffer_append(&word, s, n);
    if (word.failed)
        out->bytes.failed = true;
    else if (d->cleanup)
        put_clean(&out->bytes, word.data, word.n);
    else
        trine_buffer_append(&out->bytes, word.data, word.n);
    trine_buffer_clear(&word);
    trine_texts_end(out);
}

static void put_lossy(trine_buffer *out, const char *s, size_t n)
{
    for (size_t i = 0, taken; i < n; i += taken) {
        const uint32_t c = trine_utf8_next(&taken, s + i, n - i);
        trine_buffer_put_utf8(out, c);
    }
}

/* All texts become one: bytes where every character of a text spells one, else the text as it is. */
static void decode_byte_level(trine_texts *out, const trine_texts *in)
{
    trine_buffer bytes = { 0 };
    for (size_t i = 0, begin = 0; i < in->n; begin = in->ends[i++]) {
        const size_t mark = bytes.n, end = in->ends[i];
        const char *s = in->bytes.data;
        bool spelt = true;
        for (size_t k = begin; k < end && spelt; k += trine_utf8_length((unsigned char)s[k])) {
            const int byte = trine_character_byte(trine_utf8_at(s + k));
            spelt = byte >= 0;
            if (spelt) trine_buffer_putc(&bytes, (char)byte);
        }
        if (spelt) continue;
        bytes.n = mark;
        trine_buffer_append(&bytes, s + begin, end - begin);
    }
    put_lossy(&out->bytes, bytes.data ? bytes.data : "", bytes.n);
    if (bytes.failed) out->bytes.failed = true;
    trine_buffer_clear(&bytes);
    trine_texts_end(out);
}

static void decode_metaspace(trine_texts *out, const char *s, size_t n, size_t i, const trine_decoder *d)
{
    for (size_t k = 0; k < n;) {
        const size_t length = trine_utf8_length((unsigned char)s[k]);
        if (trine_utf8_at(s + k) != d->character)
            trine_buffer_append(&out->bytes, s + k, length);
        else if (i || d->keep_first)
            trine_buffer_putc(&out->bytes, ' ');
        k += length;
    }
    trine_texts_end(out);
}

static trine_status decode_replace(trine_texts *out, trine_matches *matches, const char *s, size_t n, const trine_decoder *d,
                                   trine_error *err)
{
    trine_matches_begin(matches, s, n);
    size_t done = 0;
    trine_span match;
    int found = 0;
    while (n && (found = trine_matches_next(&match, matches, err)) > 0) {
        trine_buffer_append(&out->bytes, s + done, match.start - done);
        trine_buffer_append(&out->bytes, d->text, d->n_text);
        done = match.end;
    }
    trine_buffer_append(&out->bytes, s + done, n - done);
    trine_texts_end(out);
    return found < 0 ? (trine_status)found : TRINE_OK;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that "<0xE4>" names, or -1. */
static int named_byte(const char *s, size_t n)
{
    if (n != 6 || memcmp(s, "<0x", 3) || s[5] != '>') return -1;
    /* Rust's from_str_radix takes a sign: "<0x+f>" is 15. */
    if (s[3] == '+') return hex_digit(s[4]);
    const int high = hex_digit(s[3]), low = hex_digit(s[4]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Bytes in a row are one text when they are valid UTF-8, else as many U+FFFD. */
static void decode_byte_fallback(trine_texts *out, const trine_texts *in)
{
    trine_buffer bytes = { 0 };
    for (size_t i = 0, begin = 0; i <= in->n; i++) {
        const size_t end = i < in->n ? in->ends[i] : begin;
        const int byte = i < in->n ? named_byte(in->bytes.data + begin, end - begin) : -1;
        if (byte >= 0) {
            trine_buffer_putc(&bytes, (char)byte);
            begin = end;
            continue;
        }
        if (bytes.n && trine_utf8_valid(bytes.data, bytes.n)) {
            trine_buffer_append(&out->bytes, bytes.data, bytes.n);
            trine_texts_end(out);
        } else {
            for (size_t k = 0; k < bytes.n; k++) {
                trine_buffer_put_utf8(&out->bytes, 0xFFFD);
                trine_texts_end(out);
            }
        }
        bytes.n = 0;
        if (i == in->n) break;
        trine_buffer_append(&out->bytes, in->bytes.data + begin, end - begin);
        trine_texts_end(out);
        begin = end;
    }
    if (bytes.failed) out->bytes.failed = true;
    trine_buffer_clear(&bytes);
}

static void decode_strip(trine_texts *out, const char *s, size_t n, const trine_decoder *d)
{
    size_t begin = 0, end = n;
    for (size_t k = 0; k < d->start && begin < n && trine_utf8_at(s + begin) == d->character; k++)
        begin += trine_utf8_length((unsigned char)s[begin]);
    for (size_t k = 0; k < d->stop && end > begin; k++) {
        size_t last = end - 1;
        while (((unsigned char)s[last] & 0xC0) == 0x80) last--;
        if (trine_utf8_at(s + last) != d->character) break;
        end = last;
    }
    trine_buffer_append(&out->bytes, s + begin, end - begin);
    trine_texts_end(out);
}

trine_status trine_decode_texts(trine_texts *texts, const trine_decoder *decoders, int n, trine_error *err)
{
    trine_status status = TRINE_OK;
    for (int k = 0; k < n && !status; k++) {
        const trine_decoder *d = &decoders[k];
        trine_texts out = { 0 };
        trine_matches matches = { 0 };
        if (d->kind == TRINE_DECODE_REPLACE) trine_matches_open(&matches, d->pattern);
        if (d->kind == TRINE_DECODE_BYTE_LEVEL) decode_byte_level(&out, texts);
        if (d->kind == TRINE_DECODE_BYTE_FALLBACK) decode_byte_fallback(&out, texts);
        if (d->kind == TRINE_DECODE_FUSE) {
            trine_buffer_append(&out.bytes, texts->bytes.data ? texts->bytes.data : "", texts->bytes.n);
            trine_texts_end(&out);
        }
        for (size_t i = 0, begin = 0; i < texts->n && !status; begin = texts->ends[i++]) {
            const char *s = texts->bytes.data ? texts->bytes.data + begin : "";
            const size_t length = texts->ends[i] - begin;
            switch (d->kind) {
            case TRINE_DECODE_WORDPIECE: decode_wordpiece(&out, s, length, i, d); break;
            case TRINE_DECODE_METASPACE: decode_metaspace(&out, s, length, i, d); break;
            case TRINE_DECODE_BPE:
                put_replaced(&out.bytes, s, length, d->text, d->n_text, i + 1 == texts->n ? "" : " ");
                trine_texts_end(&out);
                break;
            case TRINE_DECODE_REPLACE: status = decode_replace(&out, &matches, s, length, d, err); break;
            case TRINE_DECODE_STRIP: decode_strip(&out, s, length, d); break;
            case TRINE_DECODE_BYTE_LEVEL:
            case TRINE_DECODE_BYTE_FALLBACK:
            case TRINE_DECODE_FUSE: break;
            }
        }
        if (d->kind == TRINE_DECODE_REPLACE) trine_matches_close(&matches);
        out.failed = out.failed || texts->failed || texts->bytes.failed;
        trine_texts_clear(texts);
        *texts = out;
    }
    if (!status && (texts->failed || texts->bytes.failed)) status = trine_fail(err, TRINE_ERROR_MEMORY, "decode: no memory");
    return status;
}
