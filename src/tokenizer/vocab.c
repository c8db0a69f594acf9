/* vocab.c - strings in big blocks, and an open-addressing hash table of ids over them. */
#include "tokenizer/vocab.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

void trine_vocab_clear(trine_vocab *v)
{
    for (int i = 0; i < v->n_blocks; i++) free(v->blocks[i]);
    free(v->blocks);
    free(v->pieces);
    free(v->slots);
    *v = (trine_vocab) { 0 };
}

static char *keep(trine_vocab *v, const char *text, size_t n)
{
    if (n >= v->block_size - v->block_used) {
        const size_t size = n + 1 > 65536 ? n + 1 : 65536;
        char **blocks = realloc(v->blocks, (size_t)(v->n_blocks + 1) * sizeof *blocks);
        if (!blocks) return NULL;
        v->blocks = blocks;
        if (!(blocks[v->n_blocks] = malloc(size))) return NULL;
        v->n_blocks++;
        v->block_size = size;
        v->block_used = 0;
    }
    char *place = v->blocks[v->n_blocks - 1] + v->block_used;
    if (n) memcpy(place, text, n);
    place[n] = 0;
    v->block_used += n + 1;
    return place;
}

trine_status trine_vocab_set(trine_vocab *v, int32_t id, const char *text, size_t n, trine_error *err)
{
    if (id < 0 || id >= TRINE_ID_LIMIT)
        return trine_fail(err, TRINE_ERROR_FORMAT, "vocabulary: token '%.40s' has id %d, expected 0 to %d", text, id,
                          TRINE_ID_LIMIT - 1);
    if (n > INT32_MAX / 2) return trine_fail(err, TRINE_ERROR_FORMAT, "vocabulary: token %d is %zu bytes long", id, n);
    if (id >= v->cap) {
        int cap = v->cap ? 2 * v->cap : 1024;
        if (cap <= id) cap = id + 1;
        trine_piece *pieces = realloc(v->pieces, (size_t)cap * sizeof *pieces);
        if (!pieces) return trine_fail(err, TRINE_ERROR_MEMORY, "vocabulary: no memory for %d tokens", cap);
        memset(pieces + v->cap, 0, (size_t)(cap - v->cap) * sizeof *pieces);
        v->pieces = pieces;
        v->cap = cap;
    }
    char *copy = keep(v, text, n);
    if (!copy) return trine_fail(err, TRINE_ERROR_MEMORY, "vocabulary: no memory for token %d", id);
    if (!v->pieces[id].text) v->n_present++;
    v->pieces[id] = (trine_piece) { copy, (uint32_t)n };
    if (id >= v->n) v->n = id + 1;
    return TRINE_OK;
}

uint64_t trine_hash(uint64_t seed, const char *text, size_t n)
{
    uint64_t h = seed ^ 0x9E3779B97F4A7C15u;
    for (; n >= 8; n -= 8, text += 8) {
        uint64_t word;
        memcpy(&word, text, 8);
        h = (h ^ word) * 0xFF51AFD7ED558CCDu;
        h ^= h >> 32;
    }
    uint64_t rest = 0;
    if (n) memcpy(&rest, text, n);
    h = (h ^ rest ^ (uint64_t)n << 56) * 0xC4CEB9FE1A85EC53u;
    return h ^ h >> 29;
}

trine_status trine_vocab_index(trine_vocab *v, trine_error *err)
{
    uint32_t size = 16;
    while (size < 2u * (uint32_t)v->n_present) size *= 2;
    int32_t *slots = malloc(size * sizeof *slots);
    if (!slots) return trine_fail(err, TRINE_ERROR_MEMORY, "vocabulary: no memory for the index of %d tokens", v->n);
    memset(slots, -1, size * sizeof *slots);
    free(v->slots);
    v->slots = slots;
    v->mask = size - 1;
    for (int32_t id = 0; id < v->n; id++) {
        const trine_piece p = v->pieces[id];
        if (!p.text) continue;
        uint32_t at = (uint32_t)trine_hash(0, p.text, p.n) & v->mask;
        while (slots[at] >= 0 && !(v->pieces[slots[at]].n == p.n && !memcmp(v->pieces[slots[at]].text, p.text, p.n)))
            at = (at + 1) & v->mask;
        slots[at] = id;
    }
    return TRINE_OK;
}

int32_t trine_vocab_find(const trine_vocab *v, const char *text, size_t n)
{
    if (!v->slots) return -1;
    for (uint32_t at = (uint32_t)trine_hash(0, text, n) & v->mask; v->slots[at] >= 0; at = (at + 1) & v->mask) {
        const trine_piece p = v->pieces[v->slots[at]];
        if (p.n == n && !memcmp(p.text, text, n)) return v->slots[at];
    }
    return -1;
}

int32_t trine_vocab_find_pair(const trine_vocab *v, const char *a, size_t na, const char *b, size_t nb)
{
    char small[256], *both = na + nb <= sizeof small ? small : malloc(na + nb);
    if (!both) return -1;
    memcpy(both, a, na);
    memcpy(both + na, b, nb);
    const int32_t id = trine_vocab_find(v, both, na + nb);
    if (both != small) free(both);
    return id;
}
