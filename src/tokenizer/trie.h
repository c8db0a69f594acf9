/* trie.h - a set of byte strings, walked byte by byte: a double array (Aoe 1989), read-only once built. */
#ifndef TRINE_TOKENIZER_TRIE_H
#define TRINE_TOKENIZER_TRIE_H

#include "trine/basics.h"

/* Node 0 is the root; the child of node s for byte c is base[s] ^ c, when check[that] is s. */
typedef struct trine_trie_unit {
    int32_t base, check, value;
} trine_trie_unit; /* value: -1 when no string ends here */
typedef struct trine_trie {
    trine_trie_unit *units;
    int32_t n;
} trine_trie;

typedef struct trine_trie_key {
    const char *text;
    uint32_t n;
    int32_t value;
} trine_trie_key;
/* Builds from n keys in any order (they are sorted in place; of equal keys the greatest value stays). Empty keys are left out. */
trine_status trine_trie_build(trine_trie *out, trine_trie_key *keys, int n, trine_error *err);
void trine_trie_clear(trine_trie *trie);

/* The child of `node` for a byte, or -1. */
static inline int32_t trine_trie_step(const trine_trie *t, int32_t node, unsigned char c)
{
    const int32_t to = t->units[node].base ^ c;
    return t->units[to].check == node ? to : -1;
}
/* The longest key that is a prefix of text: its length, with its value; 0 when none is. */
size_t trine_trie_longest(int32_t *value, const trine_trie *t, const char *text, size_t n);

#endif
