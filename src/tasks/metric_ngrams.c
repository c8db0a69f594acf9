/* metric_ngrams.c - counting what two sequences have in common: the n-grams of both are sorted, then walked together. */
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "tasks/metrics.h"

/* An order of starting points by the n items that follow them. */
typedef struct ngram_order {
    const int32_t *items;
    int n;
} ngram_order;

static int compare(const int32_t *a, const int32_t *b, int n)
{
    for (int i = 0; i < n; i++)
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    return 0;
}

static int compare_starts(const void *a, const void *b, void *user)
{
    const ngram_order *order = user;
    return compare(order->items + *(const size_t *)a, order->items + *(const size_t *)b, order->n);
}

static size_t *sorted_starts(const int32_t *items, size_t n_starts, int order)
{
    size_t bytes;
    if (!trine_mul_size(&bytes, n_starts + 1, sizeof(size_t))) return NULL;
    size_t *starts = malloc(bytes);
    for (size_t i = 0; starts && i < n_starts; i++) starts[i] = i;
    if (starts) qsort_r(starts, n_starts, sizeof *starts, compare_starts, &(ngram_order) { items, order });
    return starts;
}

trine_status trine_ngrams_match(trine_ngram_counts *out, const int32_t *a, size_t n_a, const int32_t *b, size_t n_b, int order,
                                trine_error *err)
{
    const size_t less = (size_t)order - 1;
    const size_t na = n_a > less ? n_a - less : 0, nb = n_b > less ? n_b - less : 0;
    *out = (trine_ngram_counts) { .hypothesis = (int64_t)na, .reference = (int64_t)nb };
    size_t *sa = sorted_starts(a, na, order), *sb = sorted_starts(b, nb, order);
    if (!sa || !sb) {
        free(sa);
        free(sb);
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to compare texts of %zu and %zu words", n_a, n_b);
    }
    for (size_t i = 0, j = 0; i < na && j < nb;) { /* each copy on one side is matched with one on the other */
        const int c = compare(a + sa[i], b + sb[j], order);
        out->matched += c == 0;
        i += c <= 0;
        j += c >= 0;
    }
    free(sa);
    free(sb);
    return TRINE_OK;
}

/* --------------------------------------------------------------------------------------------------- words as numbers */

struct trine_word_slot {
    const char *s; /* NULL: free */
    size_t n;
    int32_t id;
};

static struct trine_word_slot *find(struct trine_word_slot *slots, size_t cap, const char *s, size_t n)
{
    uint64_t hash = 1469598103934665603u; /* FNV-1a */
    for (size_t i = 0; i < n; i++) hash = (hash ^ (unsigned char)s[i]) * 1099511628211u;
    for (size_t at = hash & (cap - 1);; at = (at + 1) & (cap - 1))
        if (!slots[at].s || (slots[at].n == n && !memcmp(slots[at].s, s, n))) return &slots[at];
}

static bool grow_table(trine_word_table *t)
{
    const size_t cap = t->cap ? 2 * t->cap : 256;
    struct trine_word_slot *slots = calloc(cap, sizeof *slots);
    if (!slots) return false;
    for (size_t i = 0; i < t->cap; i++)
        if (t->slots[i].s) *find(slots, cap, t->slots[i].s, t->slots[i].n) = t->slots[i];
    free(t->slots);
    t->slots = slots;
    t->cap = cap;
    return true;
}

trine_status trine_words_add(trine_words *words, trine_word_table *t, const char *s, size_t n, trine_error *err)
{
    if (2 * t->n >= t->cap && !grow_table(t)) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for %zu words", t->n);
    if (words->n == words->cap) {
        const size_t cap = words->cap ? 2 * words->cap : 64;
        int32_t *ids = realloc(words->ids, cap * sizeof *ids);
        if (!ids) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for %zu words", cap);
        words->ids = ids;
        words->cap = cap;
    }
    struct trine_word_slot *slot = find(t->slots, t->cap, s, n);
    if (!slot->s) *slot = (struct trine_word_slot) { s, n, (int32_t)t->n++ };
    words->ids[words->n++] = slot->id;
    return TRINE_OK;
}

void trine_words_clear(trine_words *words)
{
    free(words->ids);
    *words = (trine_words) { 0 };
}

void trine_word_table_clear(trine_word_table *table)
{
    free(table->slots);
    *table = (trine_word_table) { 0 };
}
