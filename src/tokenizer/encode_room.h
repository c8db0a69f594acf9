/* encode_room.h - the memory that one encode call works in, kept by the tokenizer for the next call, and the words that it has met.
 *
 * Text repeats its words: nine of ten in a page have stood there before, and what a model makes of a word does not depend on where it
 * stands. So a room remembers short words with their tokens, in a table of fixed size where a new word takes the place of an old one. */
#ifndef TRINE_TOKENIZER_ENCODE_ROOM_H
#define TRINE_TOKENIZER_ENCODE_ROOM_H

#include <string.h>

#include "tokenizer/algorithms.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pretokenizer.h"

enum { TRINE_WORD_BYTES = 26, TRINE_WORD_TOKENS = 6, TRINE_WORDS = 8192 };

/* A word and its tokens, one line of the cache. n_bytes 0: empty. */
typedef struct trine_word {
    uint8_t n_bytes, n_tokens;
    uint8_t begins[TRINE_WORD_TOKENS], ends[TRINE_WORD_TOKENS]; /* of the word */
    char text[TRINE_WORD_BYTES];
    int32_t ids[TRINE_WORD_TOKENS];
} trine_word;

typedef struct trine_encode_room {
    trine_normalizer_room normalizing;
    trine_parts parts[2];
    trine_scratch scratch;
    trine_aligned repaired;
    trine_tokens tokens[2]; /* of the text and its pair */
    trine_word *words;      /* [TRINE_WORDS] or NULL: not yet */
} trine_encode_room;

/* The room that a tokenizer keeps. Several threads may encode at once: one has the kept room, the others make their own. */
typedef _Atomic(trine_encode_room *) trine_kept_room;
trine_encode_room *trine_encode_room_take(trine_kept_room *kept); /* NULL when memory ran out */
void trine_encode_room_give(trine_kept_room *kept, trine_encode_room *room);
void trine_encode_room_free(trine_encode_room *room);

/* The place of a word of 1 to TRINE_WORD_BYTES bytes, which holds it or another; NULL without memory for a table. */
trine_word *trine_word_place(trine_encode_room *room, const char *text, size_t n);
static inline bool trine_word_is(const trine_word *w, const char *text, size_t n)
{
    return w->n_bytes == n && !memcmp(w->text, text, n);
}
/* Remembers a word that starts at `begin` of its text with its tokens, if there is room for them. */
void trine_word_keep(trine_word *w, const char *text, size_t n, const trine_token *tokens, int n_tokens, size_t begin);

#endif
