/* train_merges.c - BPE (Sennrich, Haddow and Birch 2016): the pair of neighbours that stands most often in the words becomes one
 * token, again and again, until the vocabulary is full.
 *
 * A merge touches only the words where its pair stands. So each pair has a count, and a list of words where it came to be; the pairs
 * wait in a queue, the most frequent first, of two the one with the lower ids. Counts only change for pairs beside a merge: an entry
 * whose count is no longer true is put back with the true one when its turn comes.
 *
 * WordPiece is trained the same way, with "##" before each character that does not begin a word: what `tokenizers` does, whose
 * merges these are, to the tie (the paper's likelihood criterion, Schuster and Nakajima 2012, has no published trainer). */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "tokenizer/train.h"

typedef struct pair_slot {
    uint64_t pair;
    int32_t at; /* in pairs; -1: empty */
} pair_slot;

/* Words (numbers of them) where a pair came to be. */
typedef struct places {
    uint32_t *items;
    uint32_t n, cap;
} places;

typedef struct pair {
    uint64_t ids; /* left << 32 | right */
    int64_t count;
    places places; /* not yet in the queue */
    bool merged;
} pair;

typedef struct entry {
    int64_t count; /* when it was put in */
    uint64_t ids;
    int32_t pair;
    places places;
} entry;

typedef struct trainer {
    const trine_training *training;
    trine_string_table tokens;
    int32_t *symbols; /* of all words */
    size_t *begins;   /* [n_words] */
    uint32_t *sizes;  /* [n_words] symbols that are left */
    pair *pairs;
    int n_pairs, cap_pairs;
    pair_slot *slots;
    uint32_t mask;
    entry *heap;
    int n_heap, cap_heap;
    int32_t *touched; /* pairs with places that are not yet in the queue */
    int n_touched, cap_touched;
    trine_merge *merges;
    int n_merges, cap_merges;
    char *spelling; /* of a token that is being made */
    size_t spelling_cap;
} trainer;

static trine_status no_memory(trine_error *err) { return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory to train"); }

/* Room for one more of an array that doubles. */
static bool room(void *array, int n, int *cap, size_t size)
{
    if (n < *cap) return true;
    const int more = *cap ? 2 * *cap : 1024;
    void **at = array, *grown = realloc(*at, (size_t)more * size);
    if (!grown) return false;
    *at = grown;
    *cap = more;
    return true;
}

/* -- pairs by their ids */

static uint64_t join(int32_t left, int32_t right) { return (uint64_t)(uint32_t)left << 32 | (uint32_t)right; }

static uint32_t slot_of(const trainer *t, uint64_t ids)
{
    uint64_t h = ids * 0x9E3779B97F4A7C15u;
    uint32_t at = (uint32_t)(h >> 32) & t->mask;
    while (t->slots[at].at >= 0 && t->slots[at].pair != ids) at = (at + 1) & t->mask;
    return at;
}

static bool grow_slots(trainer *t)
{
    const size_t n = t->slots ? 2 * ((size_t)t->mask + 1) : 4096;
    pair_slot *slots = malloc(n * sizeof *slots);
    if (!slots) return false;
    memset(slots, 0xFF, n * sizeof *slots);
    free(t->slots);
    t->slots = slots;
    t->mask = (uint32_t)(n - 1);
    for (int i = 0; i < t->n_pairs; i++) slots[slot_of(t, t->pairs[i].ids)] = (pair_slot) { t->pairs[i].ids, i };
    return true;
}

/* The number of a pair, new or not; -1: no memory. */
static int32_t find_pair(trainer *t, uint64_t ids)
{
    if ((!t->slots || 2 * (uint32_t)t->n_pairs > t->mask) && !grow_slots(t)) return -1;
    pair_slot *slot = &t->slots[slot_of(t, ids)];
    if (slot->at >= 0) return slot->at;
    if (!room(&t->pairs, t->n_pairs, &t->cap_pairs, sizeof *t->pairs)) return -1;
    t->pairs[t->n_pairs] = (pair) { .ids = ids };
    *slot = (pair_slot) { ids, t->n_pairs };
    return t->n_pairs++;
}

/* Adds to a pair's count; with `came` it is new in `word`. */
static bool count_pair(trainer *t, uint64_t ids, int64_t change, bool came, uint32_t word)
{
    const int32_t at = find_pair(t, ids);
    if (at < 0) return false;
    pair *p = &t->pairs[at];
    p->count += change;
    places *list = &p->places;
    if (!came || (list->n && list->items[list->n - 1] == word)) return true;
    if (!list->n) {
        if (!room(&t->touched, t->n_touched, &t->cap_touched, sizeof *t->touched)) return false;
        t->touched[t->n_touched++] = at;
    }
    if (list->n == list->cap) {
        const uint32_t cap = list->cap ? 2 * list->cap : 2;
        uint32_t *items = realloc(list->items, cap * sizeof *items);
        if (!items) return false;
        list->items = items;
        list->cap = cap;
    }
    list->items[list->n++] = word;
    return true;
}

/* -- the queue: a binary heap */

static bool before(const entry *a, const entry *b) { return a->count != b->count ? a->count > b->count : a->ids < b->ids; }

static void sift_up(trainer *t, int i)
{
    const entry e = t->heap[i];
    for (int up; i > 0 && before(&e, &t->heap[up = (i - 1) / 2]); i = up) t->heap[i] = t->heap[up];
    t->heap[i] = e;
}

static void sift_down(trainer *t)
{
    const entry e = t->heap[0];
    int i = 0;
    for (int down; (down = 2 * i + 1) < t->n_heap; i = down) {
        if (down + 1 < t->n_heap && before(&t->heap[down + 1], &t->heap[down])) down++;
        if (!before(&t->heap[down], &e)) break;
        t->heap[i] = t->heap[down];
    }
    t->heap[i] = e;
}

/* Pairs that came to be go into the queue with their places. */
static bool enqueue(trainer *t)
{
    for (int i = 0; i < t->n_touched; i++) {
        pair *p = &t->pairs[t->touched[i]];
        if (p->count > 0) {
            if (!room(&t->heap, t->n_heap, &t->cap_heap, sizeof *t->heap)) return false;
            t->heap[t->n_heap] = (entry) { p->count, p->ids, t->touched[i], p->places };
            sift_up(t, t->n_heap++);
        } else {
            free(p->places.items);
        }
        p->places = (places) { 0 };
    }
    t->n_touched = 0;
    return true;
}

/* -- words as symbols */

/* The token of a character, -1 when it has none; -2: no memory. */
static int32_t symbol(trainer *t, const char *text, size_t n, bool first)
{
    const int32_t id = trine_table_find(&t->tokens, text, n);
    const char *prefix = t->training->prefix;
    if (id < 0 || first || !prefix) return id;
    char spelt[16];
    const size_t n_prefix = strlen(prefix);
    memcpy(spelt, prefix, n_prefix);
    memcpy(spelt + n_prefix, text, n);
    return trine_table_find(&t->tokens, spelt, n_prefix + n);
}

static trine_status cut_words(trainer *t, trine_error *err)
{
    const trine_string_table *words = &t->training->words->table;
    const bool bytes = t->training->bytes;
    size_t n_all = 0;
    for (int i = 0; i < words->n; i++) n_all += words->items[i].n;
    t->symbols = malloc((n_all + 1) * sizeof *t->symbols);
    t->begins = malloc(((size_t)words->n + 1) * sizeof *t->begins);
    t->sizes = malloc(((size_t)words->n + 1) * sizeof *t->sizes);
    if (!t->symbols || !t->begins || !t->sizes) return no_memory(err);
    size_t at = 0;
    for (int i = 0; i < words->n; i++) {
        const trine_counted *word = &words->items[i];
        t->begins[i] = at;
        for (size_t k = 0, n; k < word->n; k += n) {
            n = bytes ? 1 : trine_utf8_length((unsigned char)word->text[k]);
            const int32_t id = symbol(t, word->text + k, n, k == 0);
            if (id >= 0) t->symbols[at++] = id;
        }
        t->sizes[i] = (uint32_t)(at - t->begins[i]);
        for (size_t k = t->begins[i]; k + 1 < at; k++)
            if (!count_pair(t, join(t->symbols[k], t->symbols[k + 1]), word->count, true, (uint32_t)i)) return no_memory(err);
    }
    return enqueue(t) ? TRINE_OK : no_memory(err);
}

/* Joins the pair wherever it stands in a word, and counts what that changes around it. */
static bool merge_in_word(trainer *t, uint32_t word, int32_t left, int32_t right, int32_t joined)
{
    int32_t *s = t->symbols + t->begins[word];
    const uint32_t n = t->sizes[word];
    const int64_t count = t->training->words->table.items[word].count;
    uint32_t to = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (s[i] != left || i + 1 == n || s[i + 1] != right) {
            s[to++] = s[i];
            continue;
        }
        if (to && !(count_pair(t, join(s[to - 1], left), -count, false, word) &&
                    count_pair(t, join(s[to - 1], joined), count, true, word)))
            return false;
        i++;
        if (i + 1 < n && !(count_pair(t, join(right, s[i + 1]), -count, false, word) &&
                           count_pair(t, join(joined, s[i + 1]), count, true, word)))
            return false;
        s[to++] = joined;
    }
    t->sizes[word] = to;
    return true;
}

/* The token that two make together; -1: no memory. */
static int32_t join_tokens(trainer *t, int32_t left, int32_t right)
{
    const trine_counted a = t->tokens.items[left], b = t->tokens.items[right];
    const char *prefix = t->training->prefix;
    size_t skip = prefix ? strlen(prefix) : 0;
    if (skip > b.n || (skip && memcmp(b.text, prefix, skip))) skip = 0;
    const size_t n = a.n + b.n - skip;
    if (n > t->spelling_cap) {
        char *more = realloc(t->spelling, 2 * n);
        if (!more) return -1;
        t->spelling = more;
        t->spelling_cap = 2 * n;
    }
    memcpy(t->spelling, a.text, a.n);
    memcpy(t->spelling + a.n, b.text + skip, b.n - skip);
    return trine_table_put(&t->tokens, t->spelling, n);
}

static size_t count_characters(const trainer *t, const trine_counted *token)
{
    size_t n = 0;
    for (uint32_t i = 0; i < token->n; i++) n += t->training->bytes || ((unsigned char)token->text[i] & 0xC0) != 0x80;
    return n;
}

static bool too_long(const trainer *t, const entry *e)
{
    const int32_t left = (int32_t)(e->ids >> 32), right = (int32_t)(e->ids & 0xFFFFFFFF);
    const size_t n = count_characters(t, &t->tokens.items[left]) + count_characters(t, &t->tokens.items[right]);
    return n > (size_t)t->training->max_piece;
}

static bool merge(trainer *t, const entry *e)
{
    const int32_t left = (int32_t)(e->ids >> 32), right = (int32_t)(e->ids & 0xFFFFFFFF);
    const int32_t joined = join_tokens(t, left, right);
    if (joined < 0) return false;
    /* One token may be made in two ways; then a pair of it may come to be a second time, after it was merged. */
    if (!t->pairs[e->pair].merged) {
        t->pairs[e->pair].merged = true;
        if (!room(&t->merges, t->n_merges, &t->cap_merges, sizeof *t->merges)) return false;
        t->merges[t->n_merges++] = (trine_merge) { left, right };
    }
    for (uint32_t i = 0; i < e->places.n; i++)
        if (!merge_in_word(t, e->places.items[i], left, right, joined)) return false;
    return enqueue(t);
}

static trine_status merge_all(trainer *t, trine_error *err)
{
    const int first = t->tokens.n, vocab = t->training->vocab;
    while (t->tokens.n < vocab && t->n_heap) {
        entry *top = &t->heap[0];
        const int64_t now = t->pairs[top->pair].count;
        if (top->count != now) {
            top->count = now;
            sift_down(t);
            continue;
        }
        if (top->count < 1 || top->count < t->training->min_count) break;
        const entry e = *top;
        t->heap[0] = t->heap[--t->n_heap];
        if (t->n_heap) sift_down(t);
        const bool fine = (t->training->max_piece && too_long(t, &e)) || merge(t, &e);
        free(e.places.items);
        if (!fine) return no_memory(err);
        if (t->n_merges % 256 == 0) {
            const trine_status status =
                trine_train_step(t->training->progress, (double)(t->tokens.n - first) / (vocab - first), err);
            if (status) return status;
        }
    }
    return TRINE_OK;
}

/* -- the tokens to begin with */

static int by_code(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool put_token(trainer *t, const char *text, size_t n) { return trine_table_put(&t->tokens, text, n) >= 0; }

/* All bytes, in the order of the characters that spell them. */
static bool put_bytes(trainer *t)
{
    uint32_t codes[256];
    for (int i = 0; i < 256; i++) codes[i] = trine_byte_character((unsigned char)i);
    qsort(codes, 256, sizeof *codes, by_code);
    for (int i = 0; i < 256; i++) {
        const char byte = (char)trine_character_byte(codes[i]);
        if (!put_token(t, &byte, 1)) return false;
    }
    return true;
}

/* The characters of the words, by code point, then those that do not begin a word with the prefix. */
static trine_status put_characters(trainer *t, trine_error *err)
{
    const trine_word_counts *words = t->training->words;
    trine_string_table alphabet, inner = { 0 };
    trine_status status = trine_train_alphabet(&alphabet, words, t->training->coverage, err);
    if (status) return status;
    uint32_t *codes = malloc(((size_t)alphabet.n + 1) * sizeof *codes);
    bool fine = codes != NULL;
    for (int i = 0; i < alphabet.n && fine; i++) codes[i] = trine_utf8_at(alphabet.items[i].text);
    if (fine && alphabet.n) qsort(codes, (size_t)alphabet.n, sizeof *codes, by_code);
    char text[16];
    const char *prefix = t->training->prefix;
    const size_t n_prefix = prefix ? strlen(prefix) : 0;
    for (int i = 0; i < alphabet.n && fine; i++) fine = put_token(t, text, (size_t)trine_utf8_put(text, codes[i]));
    for (int i = 0; i < words->table.n && fine && prefix; i++) {
        const trine_counted *word = &words->table.items[i];
        for (size_t k = 0, n; k < word->n && fine; k += n) {
            n = trine_utf8_length((unsigned char)word->text[k]);
            fine = !k || trine_table_put(&inner, word->text + k, n) >= 0;
        }
    }
    for (int i = 0; i < alphabet.n && fine && prefix; i++) {
        memcpy(text, prefix, n_prefix);
        const size_t n = (size_t)trine_utf8_put(text + n_prefix, codes[i]);
        if (trine_table_find(&inner, text + n_prefix, n) >= 0) fine = put_token(t, text, n_prefix + n);
    }
    free(codes);
    trine_table_clear(&alphabet);
    trine_table_clear(&inner);
    return fine ? TRINE_OK : no_memory(err);
}

static trine_status begin(trainer *t, trine_error *err)
{
    const trine_training *training = t->training;
    for (int i = 0; i < training->n_first; i++)
        if (!put_token(t, training->first[i], strlen(training->first[i]))) return no_memory(err);
    trine_status status = TRINE_OK;
    if (!training->bytes)
        status = put_characters(t, err);
    else if (!put_bytes(t))
        status = no_memory(err);
    if (!status && t->tokens.n > training->vocab) status = trine_training_too_small(t->tokens.n, training, err);
    return status;
}

/* Tokens as the vocabulary spells them. */
static trine_status finish(trine_tokenizer *out, const trainer *t, trine_error *err)
{
    trine_buffer spelt = { 0 };
    trine_status status = TRINE_OK;
    for (int i = 0; i < t->tokens.n && !status; i++) {
        const trine_counted *token = &t->tokens.items[i];
        spelt.n = 0;
        const bool plain = !t->training->bytes || i < t->training->n_first;
        for (uint32_t k = 0; k < token->n && !plain; k++)
            trine_buffer_put_utf8(&spelt, trine_byte_character((unsigned char)token->text[k]));
        if (spelt.failed)
            status = no_memory(err);
        else
            status = trine_vocab_set(&out->vocab, i, plain ? token->text : spelt.data, plain ? token->n : spelt.n, err);
    }
    trine_buffer_clear(&spelt);
    return status ? status : trine_vocab_index(&out->vocab, err);
}

trine_status trine_train_merges(trine_tokenizer *out, const trine_training *training, trine_error *err)
{
    trainer t = { .training = training };
    trine_status status = begin(&t, err);
    if (!status) status = cut_words(&t, err);
    if (!status) status = merge_all(&t, err);
    if (!status) status = finish(out, &t, err);
    if (!status && !training->prefix) {
        out->merges = t.merges;
        out->n_merges = t.n_merges;
        t.merges = NULL;
    }
    for (int i = 0; i < t.n_heap; i++) free(t.heap[i].places.items);
    for (int i = 0; i < t.n_pairs; i++) free(t.pairs[i].places.items);
    trine_table_clear(&t.tokens);
    free(t.symbols);
    free(t.begins);
    free(t.sizes);
    free(t.pairs);
    free(t.slots);
    free(t.heap);
    free(t.touched);
    free(t.merges);
    free(t.spelling);
    return status;
}
