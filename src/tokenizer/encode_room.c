/* encode_room.c - see encode_room.h. */
#include "tokenizer/encode_room.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "tokenizer/vocab.h"

enum { KEPT_LIMIT = 8 << 20 }; /* bytes; a room that one long text has made larger is not kept */

trine_encode_room *trine_encode_room_take(trine_kept_room *kept)
{
    trine_encode_room *room = atomic_exchange(kept, NULL);
    return room ? room : calloc(1, sizeof *room);
}

void trine_encode_room_free(trine_encode_room *room)
{
    if (!room) return;
    trine_normalizer_room_clear(&room->normalizing);
    for (int i = 0; i < 2; i++) {
        trine_parts_clear(&room->parts[i]);
        free(room->tokens[i].items);
    }
    free(room->scratch.memory);
    trine_aligned_clear(&room->repaired);
    free(room->words);
    free(room);
}

static size_t aligned_bytes(const trine_aligned *a) { return a->cap + a->align_cap * 2 * sizeof *a->from; }

static bool may_keep(const trine_encode_room *room)
{
    const trine_normalizer_room *n = &room->normalizing;
    size_t bytes =
        aligned_bytes(&n->texts[0]) + aligned_bytes(&n->texts[1]) + aligned_bytes(&n->joined) + n->cap * sizeof *n->changes;
    bool failed = n->failed || n->texts[0].failed || n->texts[1].failed || n->joined.failed || room->repaired.failed;
    for (int i = 0; i < 2; i++) {
        const trine_parts *p = &room->parts[i];
        bytes += aligned_bytes(&p->own) + p->cap * sizeof *p->items + (size_t)room->tokens[i].cap * sizeof *room->tokens[i].items;
        failed = failed || p->failed || p->own.failed;
    }
    return !failed && bytes + room->scratch.size + aligned_bytes(&room->repaired) <= KEPT_LIMIT;
}

void trine_encode_room_give(trine_kept_room *kept, trine_encode_room *room)
{
    trine_encode_room *none = NULL;
    if (!room || (may_keep(room) && atomic_compare_exchange_strong(kept, &none, room))) return;
    trine_encode_room_free(room);
}

trine_word *trine_word_place(trine_encode_room *room, const char *text, size_t n)
{
    if (!room->words && !(room->words = calloc(TRINE_WORDS, sizeof *room->words))) return NULL;
    return &room->words[trine_hash(text, n) % TRINE_WORDS];
}

void trine_word_keep(trine_word *w, const char *text, size_t n, const trine_token *tokens, int n_tokens, size_t begin)
{
    if (n > TRINE_WORD_BYTES || n_tokens > TRINE_WORD_TOKENS) return;
    w->n_bytes = (uint8_t)n;
    w->n_tokens = (uint8_t)n_tokens;
    memcpy(w->text, text, n);
    for (int i = 0; i < n_tokens; i++) {
        w->ids[i] = tokens[i].id;
        w->begins[i] = (uint8_t)(tokens[i].begin - begin);
        w->ends[i] = (uint8_t)(tokens[i].end - begin);
    }
}
