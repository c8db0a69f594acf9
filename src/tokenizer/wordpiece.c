/* wordpiece.c - greedy longest match; also the small things all algorithms share. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "tokenizer/algorithms.h"
#include "tokenizer/unicode.h"

trine_status trine_tokens_put(trine_tokens *list, int32_t id, size_t begin, size_t end, trine_error *err)
{
    if (list->n == list->cap) {
        const int cap = list->cap < INT32_MAX / 2 ? list->cap ? 2 * list->cap : 256 : 0;
        trine_token *items = cap ? realloc(list->items, (size_t)cap * sizeof *items) : NULL;
        if (!items) return trine_fail(err, TRINE_ERROR_MEMORY, "encode: no memory for more than %d tokens", list->n);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n++] = (trine_token) { id, (uint32_t)begin, (uint32_t)end };
    return TRINE_OK;
}

void *trine_scratch_take(trine_scratch *scratch, size_t n)
{
    if (n > scratch->size) {
        free(scratch->memory);
        scratch->size = n + n / 2 + 1024;
        scratch->memory = malloc(scratch->size);
        if (!scratch->memory) scratch->size = 0;
    }
    return scratch->memory;
}

uint32_t trine_byte_character(unsigned char byte)
{
    if ((byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE) return byte;
    /* The others are numbered from 256 in their own order: 0..32, 127..160, 173. */
    return 256u + (byte <= 32 ? byte : byte <= 160 ? byte - 127u + 33u : 67u);
}

int trine_character_byte(uint32_t c)
{
    if (c < 256) return trine_byte_character((unsigned char)c) == c ? (int)c : -1;
    if (c < 256 + 33) return (int)c - 256;
    if (c < 256 + 67) return (int)c - 256 - 33 + 127;
    return c == 256 + 67 ? 173 : -1;
}

void trine_find_byte_tokens(int32_t out[256], const trine_vocab *vocab)
{
    static const char hex[] = "0123456789ABCDEF";
    for (int b = 0; b < 256; b++) {
        const char name[6] = { '<', '0', 'x', hex[b >> 4], hex[b & 15], '>' };
        out[b] = trine_vocab_find(vocab, name, sizeof name);
    }
}

trine_status trine_wordpiece_build(trine_wordpiece *out, const trine_vocab *vocab, const char *prefix, int32_t unk,
                                   int max_characters, trine_error *err)
{
    *out = (trine_wordpiece) { .unk = unk, .max_characters = max_characters };
    const size_t n_prefix = strlen(prefix);
    trine_trie_key *keys = malloc(((size_t)vocab->n + 1) * sizeof *keys);
    if (!keys) return trine_fail(err, TRINE_ERROR_MEMORY, "wordpiece: no memory for %d tokens", vocab->n);
    trine_status status = TRINE_OK;
    for (int following = 0; following < 2 && !status; following++) {
        int n = 0;
        for (int32_t id = 0; id < vocab->n; id++) {
            const trine_piece p = vocab->pieces[id];
            if (!p.text) continue;
            if (!following)
                keys[n++] = (trine_trie_key) { p.text, p.n, id };
            else if (p.n > n_prefix && !memcmp(p.text, prefix, n_prefix))
                keys[n++] = (trine_trie_key) { p.text + n_prefix, p.n - (uint32_t)n_prefix, id };
        }
        status = trine_trie_build(following ? &out->following : &out->initial, keys, n, err);
    }
    free(keys);
    if (status) trine_wordpiece_clear(out);
    return status;
}

void trine_wordpiece_clear(trine_wordpiece *w)
{
    trine_trie_clear(&w->initial);
    trine_trie_clear(&w->following);
}

trine_status trine_wordpiece_encode(trine_tokens *out, const trine_wordpiece *w, const char *text, size_t begin, size_t end,
                                    trine_error *err)
{
    const int n_before = out->n;
    bool known = end - begin <= (size_t)w->max_characters;
    if (!known) {
        int characters = 0;
        for (size_t i = begin; i < end && characters <= w->max_characters; characters++)
            i += trine_utf8_length((unsigned char)text[i]);
        known = characters <= w->max_characters;
    }
    for (size_t at = begin; at < end && known;) {
        int32_t id = -1;
        const size_t length = trine_trie_longest(&id, at == begin ? &w->initial : &w->following, text + at, end - at);
        known = length > 0;
        if (!known) break;
        const trine_status status = trine_tokens_put(out, id, at, at + length, err);
        if (status) return status;
        at += length;
    }
    if (known) return TRINE_OK;
    out->n = n_before;
    if (w->unk < 0)
        return trine_fail(err, TRINE_ERROR_FORMAT, "wordpiece: a word is not in the vocabulary, which has no unknown token");
    return trine_tokens_put(out, w->unk, begin, end, err);
}
