/* trie.c - building the double array from sorted keys, level by level, children placed at the first base that fits.
 *
 * Cells come in blocks of 256, so that base ^ c stays inside of a block; a block that has been tried often without success is
 * closed, which keeps building near linear. */
#include "tokenizer/trie.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

typedef struct builder {
    trine_trie_unit *units; /* check -1: a free cell */
    int32_t n, cap;
    int32_t first_open;   /* blocks before this one are full or closed */
    unsigned char *tries; /* [n / 256] unsuccessful searches of each block */
} builder;

typedef struct task {
    int32_t node;
    int first, last;
    uint32_t depth;
} task; /* keys [first, last) share `depth` bytes */

static int compare_keys(const void *a, const void *b)
{
    const trine_trie_key *x = a, *y = b;
    const uint32_t n = x->n < y->n ? x->n : y->n;
    const int order = n ? memcmp(x->text, y->text, n) : 0;
    if (order) return order;
    if (x->n != y->n) return x->n < y->n ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static bool grow(builder *b)
{
    if (b->n > INT32_MAX / 2 - 256) return false;
    if (b->n + 256 > b->cap) {
        const int32_t cap = b->cap ? 2 * b->cap : 1024;
        trine_trie_unit *units = realloc(b->units, (size_t)cap * sizeof *units);
        if (!units) return false;
        b->units = units;
        unsigned char *tries = realloc(b->tries, (size_t)cap / 256);
        if (!tries) return false;
        b->tries = tries;
        b->cap = cap;
    }
    for (int32_t i = b->n; i < b->n + 256; i++) b->units[i] = (trine_trie_unit) { 0, -1, -1 };
    b->tries[b->n / 256] = 0;
    b->n += 256;
    return true;
}

/* A base for which all cells base ^ labels[i] are free, or -1 when memory ran out. */
static int32_t find_base(builder *b, const unsigned char *labels, int n)
{
    for (int32_t block = b->first_open;; block++) {
        if (block * 256 >= b->n && !grow(b)) return -1;
        if (b->tries[block] > 8) {
            if (block == b->first_open) b->first_open++;
            continue;
        }
        const trine_trie_unit *cells = b->units + (size_t)block * 256;
        for (int low = 0; low < 256; low++) {
            int i = 0;
            while (i < n && cells[low ^ labels[i]].check == -1) i++;
            if (i == n) return block * 256 + low;
        }
        b->tries[block]++;
    }
}

trine_status trine_trie_build(trine_trie *out, trine_trie_key *keys, int n, trine_error *err)
{
    *out = (trine_trie) { 0 };
    builder b = { 0 };
    task *tasks = NULL;
    int n_tasks = 0, tasks_cap = 0;
    qsort(keys, (size_t)n, sizeof *keys, compare_keys);
    int first = 0;
    while (first < n && !keys[first].n) first++;
    if (!grow(&b)) goto memory;
    b.units[0].check = -2; /* taken, and nobody's child */
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
        for (int i = 0; i < n_labels; i++) b.units[base ^ labels[i]].check = t.node;
        if (n_tasks + n_labels > tasks_cap) {
            tasks_cap = 2 * (n_tasks + n_labels);
            task *more = realloc(tasks, (size_t)tasks_cap * sizeof *tasks);
            if (!more) goto memory;
            tasks = more;
        }
        for (int i = 0; i < n_labels; i++) tasks[n_tasks++] = (task) { base ^ labels[i], starts[i], starts[i + 1], t.depth + 1 };
    }
    free(tasks);
    free(b.tries);
    *out = (trine_trie) { b.units, b.n };
    return TRINE_OK;
memory:
    free(tasks);
    free(b.tries);
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
