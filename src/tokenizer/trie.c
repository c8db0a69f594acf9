/* trie.c - building the double array from sorted keys, depth first, children placed at the first base that fits.
 *
 * Cells come in blocks of 256, so that base ^ c stays inside of a block, with one bit a cell for those that are free; a block that
 * has been tried often without success is closed, which keeps building near linear. */
#include "tokenizer/trie.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

typedef struct block {
    uint64_t free[4];  /* a bit a cell */
    int n_free, tries; /* searches that found no base here */
} block;

typedef struct builder {
    trine_trie_unit *units; /* check -1: a free cell */
    block *blocks;          /* [n / 256] */
    int32_t n, cap;
    int32_t first_open; /* blocks before this one are full or closed */
} builder;

typedef struct task {
    int32_t node;
    int first, last;
    uint32_t depth;
} task; /* keys [first, last) share `depth` bytes */

/* A key with its first bytes as a number, which settles most comparisons. */
typedef struct sorted_key {
    uint64_t head;
    trine_trie_key key;
} sorted_key;

static int compare_keys(const void *a, const void *b)
{
    const sorted_key *s = a, *t = b;
    if (s->head != t->head) return s->head < t->head ? -1 : 1;
    const trine_trie_key *x = &s->key, *y = &t->key;
    const uint32_t n = x->n < y->n ? x->n : y->n;
    const int order = n ? memcmp(x->text, y->text, n) : 0;
    if (order) return order;
    if (x->n != y->n) return x->n < y->n ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static bool sort_keys(trine_trie_key *keys, int n)
{
    sorted_key *list = malloc(((size_t)n + 1) * sizeof *list);
    if (!list) return false;
    for (int i = 0; i < n; i++) {
        uint64_t head = 0;
        for (uint32_t k = 0; k < 8; k++) head = head << 8 | (k < keys[i].n ? (unsigned char)keys[i].text[k] : 0u);
        list[i] = (sorted_key) { head, keys[i] };
    }
    qsort(list, (size_t)n, sizeof *list, compare_keys);
    for (int i = 0; i < n; i++) keys[i] = list[i].key;
    free(list);
    return true;
}

static bool grow(builder *b)
{
    if (b->n > INT32_MAX / 2 - 256) return false;
    if (b->n + 256 > b->cap) {
        const int32_t cap = b->cap ? 2 * b->cap : 1024;
        trine_trie_unit *units = realloc(b->units, (size_t)cap * sizeof *units);
        if (!units) return false;
        b->units = units;
        block *blocks = realloc(b->blocks, (size_t)cap / 256 * sizeof *blocks);
        if (!blocks) return false;
        b->blocks = blocks;
        b->cap = cap;
    }
    for (int32_t i = b->n; i < b->n + 256; i++) b->units[i] = (trine_trie_unit) { 0, -1, -1 };
    b->blocks[b->n / 256] = (block) { { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX }, 256, 0 };
    b->n += 256;
    return true;
}

static bool is_free(const block *b, int cell) { return b->free[cell >> 6] >> (cell & 63) & 1; }

static void take(builder *b, int32_t cell, int32_t parent)
{
    block *k = &b->blocks[cell / 256];
    k->free[cell % 256 >> 6] &= ~(UINT64_C(1) << (cell & 63));
    k->n_free--;
    b->units[cell].check = parent;
}

/* The lowest of a block's bases that leads the first label to a free cell and all others too; -1 when there is none. */
static int fit(const block *b, const unsigned char *labels, int n)
{
    for (int word = 0; word < 4; word++) {
        for (uint64_t left = b->free[word]; left; left &= left - 1) {
            const int low = (64 * word + __builtin_ctzll(left)) ^ labels[0];
            int i = 1;
            while (i < n && is_free(b, low ^ labels[i])) i++;
            if (i == n) return low;
        }
    }
    return -1;
}

/* A base for which all cells base ^ labels[i] are free, or -1 when memory ran out. */
static int32_t find_base(builder *b, const unsigned char *labels, int n)
{
    for (int32_t i = b->first_open;; i++) {
        if (i * 256 >= b->n && !grow(b)) return -1;
        block *k = &b->blocks[i];
        if (k->tries > 8 || !k->n_free) {
            if (i == b->first_open) b->first_open++;
            continue;
        }
        const int low = k->n_free < n ? -1 : fit(k, labels, n);
        if (low >= 0) return i * 256 + low;
        k->tries++;
    }
}

trine_status trine_trie_build(trine_trie *out, trine_trie_key *keys, int n, trine_error *err)
{
    *out = (trine_trie) { 0 };
    builder b = { 0 };
    task *tasks = NULL;
    int n_tasks = 0, tasks_cap = 0;
    if (!sort_keys(keys, n)) goto memory;
    int first = 0;
    while (first < n && !keys[first].n) first++;
    if (!grow(&b)) goto memory;
    take(&b, 0, -2); /* nobody's child */
    if (!(tasks = malloc((size_t)(tasks_cap = 256) * sizeof *tasks))) goto memory;
    if (first < n) tasks[n_tasks++] = (task) { 0, first, n, 0 };
    while (n_tasks) {
        task t = tasks[--n_tasks];
        while (t.first < t.last && keys[t.first].n == t.depth) b.units[t.node].value = keys[t.first++].value;
        if (t.first == t.last) continue;
        unsigned char labels[256];
        int starts[257], n_labels = 0;
        for (int i = t.first; i < t.last; i++) {
            const unsigned char c = (unsigned char)keys[i].text[t.depth];
            if (n_labels && labels[n_labels - 1] == c) continue;
            labels[n_labels] = c;
            starts[n_labels++] = i;
        }
        starts[n_labels] = t.last;
        const int32_t base = find_base(&b, labels, n_labels);
        if (base < 0) goto memory;
        b.units[t.node].base = base;
        for (int i = 0; i < n_labels; i++) take(&b, base ^ labels[i], t.node);
        if (n_tasks + n_labels > tasks_cap) {
            tasks_cap = 2 * (n_tasks + n_labels);
            task *more = realloc(tasks, (size_t)tasks_cap * sizeof *tasks);
            if (!more) goto memory;
            tasks = more;
        }
        for (int i = 0; i < n_labels; i++) tasks[n_tasks++] = (task) { base ^ labels[i], starts[i], starts[i + 1], t.depth + 1 };
    }
    free(tasks);
    free(b.blocks);
    *out = (trine_trie) { b.units, b.n };
    return TRINE_OK;
memory:
    free(tasks);
    free(b.blocks);
    free(b.units);
    return trine_fail(err, TRINE_ERROR_MEMORY, "vocabulary: no memory for a trie of %d tokens", n);
}

void trine_trie_clear(trine_trie *trie)
{
    free(trie->units);
    *trie = (trine_trie) { 0 };
}

size_t trine_trie_longest(int32_t *value, const trine_trie *t, const char *text, size_t n)
{
    size_t best = 0;
    if (!t->units) return 0;
    int32_t node = 0;
    for (size_t i = 0; i < n; i++) {
        if ((node = trine_trie_step(t, node, (unsigned char)text[i])) < 0) break;
        if (t->units[node].value >= 0) {
            best = i + 1;
            *value = t->units[node].value;
        }
    }
    return best;
}
