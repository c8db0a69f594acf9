/* train_table.c - strings with a count each, found by their bytes: words while they are counted, tokens while they are made. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/train.h"

enum { BLOCK_BYTES = 1 << 20 };

static uint32_t slot_of(const trine_string_table *t, const char *text, size_t n, uint64_t h)
{
    const uint32_t tag = (uint32_t)(h >> 32);
    uint32_t at = (uint32_t)h & t->mask;
    for (; t->slots[at].id >= 0; at = (at + 1) & t->mask) {
        const trine_counted *item = &t->items[t->slots[at].id];
        if (t->slots[at].tag == tag && item->n == n && !memcmp(item->text, text, n)) break;
    }
    return at;
}

int32_t trine_table_find(const trine_string_table *t, const char *text, size_t n)
{
    return t->slots ? t->slots[slot_of(t, text, n, trine_hash(text, n))].id : -1;
}

/* Slots for twice as many strings as there are places for. */
static bool grow(trine_string_table *t)
{
    const int cap = t->cap ? 2 * t->cap : 1024;
    if (cap < 0 || cap > INT32_MAX / 4) return false;
    trine_counted *items = realloc(t->items, (size_t)cap * sizeof *items);
    if (!items) return false;
    t->items = items;
    const size_t n_slots = 2 * (size_t)cap;
    trine_vocab_slot *slots = malloc(n_slots * sizeof *slots);
    if (!slots) return false;
    t->cap = cap;
    memset(slots, 0xFF, n_slots * sizeof *slots);
    free(t->slots);
    t->slots = slots;
    t->mask = (uint32_t)n_slots - 1;
    for (int i = 0; i < t->n; i++) {
        const uint64_t h = trine_hash(items[i].text, items[i].n);
        slots[slot_of(t, items[i].text, items[i].n, h)] = (trine_vocab_slot) { (uint32_t)(h >> 32), i };
    }
    return true;
}

static char *keep(trine_string_table *t, const char *text, size_t n)
{
    if (!t->n_blocks || t->block_size - t->block_used < n) {
        const size_t size = n > BLOCK_BYTES ? n : BLOCK_BYTES;
        char **blocks = realloc(t->blocks, ((size_t)t->n_blocks + 1) * sizeof *blocks);
        if (!blocks) return NULL;
        t->blocks = blocks;
        if (!(blocks[t->n_blocks] = malloc(size))) return NULL;
        t->n_blocks++;
        t->block_used = 0;
        t->block_size = size;
    }
    char *to = t->blocks[t->n_blocks - 1] + t->block_used;
    memcpy(to, text, n);
    t->block_used += n;
    return to;
}

int32_t trine_table_put(trine_string_table *t, const char *text, size_t n)
{
    if (t->n == t->cap && !grow(t)) return -1;
    const uint64_t h = trine_hash(text, n);
    trine_vocab_slot *slot = &t->slots[slot_of(t, text, n, h)];
    if (slot->id >= 0) return slot->id;
    const char *copy = keep(t, text, n);
    if (!copy) return -1;
    t->items[t->n] = (trine_counted) { copy, (uint32_t)n, 0 };
    *slot = (trine_vocab_slot) { (uint32_t)(h >> 32), t->n };
    return t->n++;
}

void trine_table_clear(trine_string_table *t)
{
    for (int i = 0; i < t->n_blocks; i++) free(t->blocks[i]);
    free(t->blocks);
    free(t->items);
    free(t->slots);
    *t = (trine_string_table) { 0 };
}
