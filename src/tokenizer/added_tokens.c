/* added_tokens.c - the leftmost, of these the longest, of all added tokens, by one trie; then the token's own conditions. */
#include "tokenizer/added_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "tokenizer/unicode.h"

void trine_added_tokens_clear(trine_added_tokens *a)
{
    for (int i = 0; i < a->n; i++) {
        free(a->items[i].content);
        free(a->items[i].normal);
    }
    free(a->items);
    trine_trie_clear(&a->plain);
    trine_trie_clear(&a->normal);
    *a = (trine_added_tokens) { 0 };
}

trine_status trine_added_tokens_put(trine_added_tokens *a, const trine_added_token *token, trine_error *err)
{
    if (!token->n_content) return TRINE_OK;
    if (a->n == a->cap) {
        const int cap = a->cap ? 2 * a->cap : 16;
        trine_added_token *items = realloc(a->items, (size_t)cap * sizeof *items);
        if (!items) return trine_fail(err, TRINE_ERROR_MEMORY, "added tokens: no memory for %d", cap);
        a->items = items;
        a->cap = cap;
    }
    char *content = malloc(token->n_content + 1);
    if (!content) return trine_fail(err, TRINE_ERROR_MEMORY, "added tokens: no memory");
    memcpy(content, token->content, token->n_content);
    content[token->n_content] = 0;
    trine_added_token copy = *token;
    copy.content = content;
    copy.order = a->n;
    copy.normal = NULL;
    copy.n_normal = 0;
    a->items[a->n++] = copy;
    return TRINE_OK;
}

const trine_added_token *trine_added_tokens_find(const trine_added_tokens *a, int32_t id)
{
    int low = 0, high = a->n;
    while (low < high) {
        const int middle = (low + high) / 2;
        if (a->items[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < a->n && a->items[low].id == id ? &a->items[low] : NULL;
}

static int compare_ids(const void *a, const void *b)
{
    const trine_added_token *x = a, *y = b;
    if (x->id != y->id) return x->id < y->id ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static trine_status normalise(trine_added_token *token, const trine_normalizer *normalizers, int n, trine_normalizer_room *room,
                              trine_error *err)
{
    const trine_aligned in = { .text = token->content, .n = token->n_content, .borrowed = true };
    const trine_aligned *out;
    const trine_status status = trine_normalize(&out, normalizers, n, &in, room, err);
    if (status || (out->n == in.n && !memcmp(out->text, in.text, in.n))) return status;
    token->normal = malloc(out->n + 1);
    if (!token->normal) return trine_fail(err, TRINE_ERROR_MEMORY, "added tokens: no memory");
    if (out->n) memcpy(token->normal, out->text, out->n);
    token->normal[out->n] = 0;
    token->n_normal = out->n;
    return TRINE_OK;
}

static void drop_repeated(trine_added_tokens *a)
{
    if (a->n) qsort(a->items, (size_t)a->n, sizeof *a->items, compare_ids);
    int n = 0;
    for (int i = 0; i < a->n; i++) {
        if (n && a->items[n - 1].id == a->items[i].id) {
            free(a->items[n - 1].content);
            free(a->items[n - 1].normal);
            n--;
        }
        a->items[n++] = a->items[i];
    }
    a->n = n;
}

trine_status trine_added_tokens_index(trine_added_tokens *a, const trine_normalizer *normalizers, int n, trine_error *err)
{
    drop_repeated(a);
    trine_trie_key *keys = malloc(((size_t)a->n + 1) * sizeof *keys);
    if (!keys) return trine_fail(err, TRINE_ERROR_MEMORY, "added tokens: no memory for %d", a->n);
    trine_normalizer_room room = { 0 };
    trine_status status = TRINE_OK;
    for (int i = 0; i < a->n && !status; i++)
        if (a->items[i].normalized && n) status = normalise(&a->items[i], normalizers, n, &room, err);
    trine_normalizer_room_clear(&room);
    for (int normal = 0; normal < 2 && !status; normal++) {
        int n_keys = 0;
        for (int i = 0; i < a->n; i++) {
            const trine_added_token *token = &a->items[i];
            if (token->normalized != (normal == 1)) continue;
            const bool other = token->normal != NULL;
            const trine_trie_key key = { other ? token->normal : token->content,
                                         (uint32_t)(other ? token->n_normal : token->n_content), i };
            if (!key.n) continue;
            keys[n_keys++] = key;
            (normal ? a->first_normal : a->first_plain)[(unsigned char)key.text[0]] = true;
        }
        if (n_keys) status = trine_trie_build(normal ? &a->normal : &a->plain, keys, n_keys, err);
    }
    free(keys);
    return status;
}

static size_t back_one(const char *text, size_t i)
{
    do i--;
    while (((unsigned char)text[i] & 0xC0) == 0x80);
    return i;
}

static bool is_space(const trine_added_tokens *a, const char *at)
{
    const uint32_t c = trine_utf8_at(at);
    return trine_is_space(c) || (a->python_spaces && c >= 0x1C && c <= 0x1F);
}

void trine_added_tokens_split(trine_parts *out, const trine_added_tokens *a, bool normal, bool no_special, const char *text,
                              size_t begin, size_t end)
{
    const trine_trie *trie = normal ? &a->normal : &a->plain;
    const bool *first = normal ? a->first_normal : a->first_plain;
    size_t done = begin;
    if (trie->units) {
        for (size_t i = begin; i < end;) {
            int32_t place = -1;
            const size_t length = first[(unsigned char)text[i]] ? trine_trie_longest(&place, trie, text + i, end - i) : 0;
            if (!length) {
                i++;
                continue;
            }
            const trine_added_token *token = &a->items[place];
            size_t start = i, stop = i + length;
            i = stop; /* what is refused below is passed over as well: matches do not overlap */
            if (no_special && token->special) continue;
            if (token->single_word) {
                const bool left = start == begin || !trine_is_word(trine_utf8_at(text + back_one(text, start)));
                const bool right = stop == end || !trine_is_word(trine_utf8_at(text + stop));
                if (!left || !right) continue;
            }
            if (token->lstrip) {
                while (start > begin && is_space(a, text + back_one(text, start))) start = back_one(text, start);
                if (start < done) start = done;
            }
            if (token->rstrip)
                while (stop < end && is_space(a, text + stop)) stop += trine_utf8_length((unsigned char)text[stop]);
            if (done < start) trine_parts_put(out, done, start, -1);
            trine_parts_put(out, start, stop, token->id);
            done = stop;
        }
    }
    if (done < end) trine_parts_put(out, done, end, -1);
}
