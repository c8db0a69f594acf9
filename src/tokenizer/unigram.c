/* unigram.c - Viterbi over the pieces that match at each place, as sentencepiece's optimised encoder and `tokenizers` do it:
 * ties go to the path found first, a character without a piece of its own costs the lowest score and 10 more, and unknown
 * characters in a row become one token. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "tokenizer/algorithms.h"
#include "tokenizer/unicode.h"

trine_status trine_unigram_build(trine_unigram *out, const trine_vocab *vocab, const double *scores, int32_t unk,
                                 bool byte_fallback, trine_error *err)
{
    *out = (trine_unigram) { .vocab = vocab, .scores = scores, .unk = unk, .byte_fallback = byte_fallback };
    trine_trie_key *keys = malloc(((size_t)vocab->n + 1) * sizeof *keys);
    if (!keys) return trine_fail(err, TRINE_ERROR_MEMORY, "unigram: no memory for %d tokens", vocab->n);
    int n = 0;
    double lowest = INFINITY;
    for (int32_t id = 0; id < vocab->n; id++) {
        const trine_piece p = vocab->pieces[id];
        if (!p.text) continue;
        keys[n++] = (trine_trie_key) { p.text, p.n, id };
        if (scores[id] < lowest) lowest = scores[id];
    }
    out->unk_score = lowest - 10.0;
    const trine_status status = trine_trie_build(&out->trie, keys, n, err);
    free(keys);
    if (status) return status;
    trine_find_byte_tokens(out->bytes, vocab);
    return TRINE_OK;
}

void trine_unigram_clear(trine_unigram *u) { trine_trie_clear(&u->trie); }

typedef struct place { /* the best path that ends here */
    double score;
    int32_t id;
    uint32_t start; /* UINT32_MAX: no path yet */
} place;

static void offer(place *p, double score, int32_t id, size_t start)
{
    if (p->start != UINT32_MAX && !(score > p->score)) return;
    *p = (place) { score, id, (uint32_t)start };
}

/* One piece of the path: as the vocabulary spells it, else as bytes, else unknown. */
static trine_status put_piece(trine_tokens *out, const trine_unigram *u, const char *text, size_t begin, size_t end,
                              trine_error *err)
{
    const int32_t id = trine_vocab_find(u->vocab, text + begin, end - begin);
    if (id >= 0) return trine_tokens_put(out, id, begin, end, err);
    bool spelt = u->byte_fallback;
    for (size_t i = begin; spelt && i < end; i++) spelt = u->bytes[(unsigned char)text[i]] >= 0;
    trine_status status = TRINE_OK;
    for (size_t i = begin; spelt && i < end && !status; i++)
        status = trine_tokens_put(out, u->bytes[(unsigned char)text[i]], begin, end, err);
    if (spelt) return status;
    if (u->unk < 0)
        return trine_fail(err, TRINE_ERROR_FORMAT, "unigram: a character is not in the vocabulary, which has no unknown token");
    return trine_tokens_put(out, u->unk, begin, end, err);
}

trine_status trine_unigram_encode(trine_tokens *out, const trine_unigram *u, const char *text, size_t begin, size_t end,
                                  trine_scratch *scratch, trine_error *err)
{
    const size_t n = end - begin;
    if (!n) return TRINE_OK;
    place *places = trine_scratch_take(scratch, (n + 1) * sizeof *places);
    if (!places) return trine_fail(err, TRINE_ERROR_MEMORY, "encode: no memory for a word of %zu bytes", n);
    for (size_t i = 0; i <= n; i++) places[i] = (place) { 0, -1, UINT32_MAX };
    const char *word = text + begin;
    for (size_t at = 0; at < n;) {
        const double so_far = places[at].score;
        const size_t length = trine_utf8_length((unsigned char)word[at]);
        bool single = false;
        int32_t node = 0;
        for (size_t i = at; i < n; i++) {
            if ((node = trine_trie_step(&u->trie, node, (unsigned char)word[i])) < 0) break;
            const int32_t id = u->trie.units[node].value;
            if (id < 0) continue;
            offer(&places[i + 1], so_far + u->scores[id], id, at);
            if (i + 1 == at + length) single = true;
        }
        if (!single) {
            if (u->unk < 0)
                return trine_fail(err, TRINE_ERROR_FORMAT,
                                  "unigram: a character is not in the vocabulary, which has no unknown token");
            offer(&places[at + length], so_far + u->unk_score, u->unk, at);
        }
        at += length;
    }
    /* Back along the path: `start` is turned into a chain that can be walked forwards. */
    uint32_t next = UINT32_MAX;
    for (uint32_t at = (uint32_t)n;;) {
        const uint32_t start = places[at].start;
        places[at].start = next;
        if (at == 0) break;
        next = at;
        at = start;
    }
    for (uint32_t at = 0, to; at < n; at = to) {
        to = places[at].start;
        if (places[to].id == u->unk)
            while (to < n && places[places[to].start].id == u->unk) to = places[to].start;
        const trine_status status = put_piece(out, u, text, begin + at, begin + to, err);
        if (status) return status;
    }
    return TRINE_OK;
}
