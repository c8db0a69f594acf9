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
    if (!copy) return trine_fail(err, TRINE_ERROR_MEMORY, "vocabulary: no memory for token %d of %zu bytes", id, n);
    if (!v->pieces[id].text) v->n_present++;
    v->pieces[id] = (trine_piece) { copy, (uint32_t)n };
    if (id >= v->n) v->n = id + 1;
    return TRINE_OK;
}

static uint64_t load(const char *text, size_t n)
{
    uint64_t word = 0;
    memcpy(&word, text, n);
    return word;
}

uint64_t trine_hash(const char *text, size_t n)
{
    uint64_t h = 0x9E3779B97F4A7C15u ^ (uint64_t)n << 56;
    for (; n > 8; n -= 8, text += 8) {
        h = (h ^ load(text, 8)) * 0xFF51AFD7ED558CCDu;
        h ^= h >> 32;
    }
    /* What is left, in loads of fixed size; the two halves may overlap. */
    if (n == 8)
        h ^= load(text, 8);
    else if (n >= 4)
        h ^= load(text, 4) | load(text + n - 4, 4) << 32;
    else if (n)
        h ^= load(text, 1) | load(text + n / 2, 1) << 8 | load(text + n - 1, 1) << 16;
    h *= 0xC4CEB9FE1A85EC53u;
    return h ^ h >> 29;
}

static bool spells(const trine_vocab *v, int32_t id, const char *text, size_t n)
{
    return v->pieces[id].n == n && !memcmp(v->pieces[id].text, text, n);
}

trine_status trine_vocab_index(trine_vocab *v, trine_error *err)
{
    uint32_t size = 16;
    while (size < 2u * (uint32_t)v->n_present) size *= 2;
    trine_vocab_slot *slots = malloc(size * sizeof *slots);
    if (!slots) return trine_fail(err, TRINE_ERROR_MEMORY, "vocabulary: no memory for the index of %d tokens", v->n);
    memset(slots, -1, size * sizeof *slots);
    free(v->slots);
    v->slots = slots;
    v->mask = size - 1;
    v->repeated = false;
    for (int32_t id = 0; id < v->n; id++) {
        const trine_piece p = v->pieces[id];
        if (!p.text) continue;
        const uint64_t h = trine_hash(p.text, p.n);
        const uint32_t tag = (uint32_t)(h >> 32);
        uint32_t at = (uint32_t)h & v->mask;
        while (slots[at].id >= 0 && !(slots[at].tag == tag && spells(v, slots[at].id, p.text, p.n))) at = (at + 1) & v->mask;
        v->repeated = v->repeated || slots[at].id >= 0;
        slots[at] = (trine_vocab_slot) { tag, id };
    }
    return TRINE_OK;
}

int32_t trine_vocab_find(const trine_vocab *v, const char *text, size_t n)
{
    if (!v->slots) return -1;
    const uint64_t h = trine_hash(text, n);
    const uint32_t tag = (uint32_t)(h >> 32);
    for (uint32_t at = (uint32_t)h & v->mask; v->slots[at].id >= 0; at = (at + 1) & v->mask)
        if (v->slots[at].tag == tag && spells(v, v->slots[at].id, text, n)) return v->slots[at].id;
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
