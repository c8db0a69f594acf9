/* vocab.h - the strings of a vocabulary: id to string and string to id, read-only once built. */
#ifndef TRINE_TOKENIZER_VOCAB_H
#define TRINE_TOKENIZER_VOCAB_H

#include "trine/tokenizers.h"

/* Ids come from files; from this one on (some ten times the largest vocabulary there is) they are taken for damage: tables have a
 * place for every id below the largest, so one lying number would cost gigabytes. */
#define TRINE_ID_LIMIT (1 << 22)

typedef struct trine_piece {
    const char *text;
    uint32_t n;
} trine_piece; /* text NULL: no such token */

typedef struct trine_vocab_slot {
    uint32_t tag; /* of the hash: nearly every other string is told apart without looking at it */
    int32_t id;   /* -1: empty */
} trine_vocab_slot;

typedef struct trine_vocab {
    trine_piece *pieces; /* [n], by id; the text is terminated by zero */
    int n, cap;
    int n_present;           /* ids that have a string */
    trine_vocab_slot *slots; /* hash table */
    uint32_t mask;
    bool repeated; /* two ids have one string */
    char **blocks; /* where the strings live */
    int n_blocks;
    size_t block_used, block_size;
} trine_vocab;

void trine_vocab_clear(trine_vocab *v);
/* Gives id a copy of the string (n bytes). Of two ids with one string the later call wins the lookup. */
trine_status trine_vocab_set(trine_vocab *v, int32_t id, const char *text, size_t n, trine_error *err);
/* Builds the hash table; call it once all strings are set. */
trine_status trine_vocab_index(trine_vocab *v, trine_error *err);
/* The id of a string, or -1. */
int32_t trine_vocab_find(const trine_vocab *v, const char *text, size_t n);
/* The id of a followed by b, or -1. */
int32_t trine_vocab_find_pair(const trine_vocab *v, const char *a, size_t na, const char *b, size_t nb);
/* The string of an id; text NULL when there is none. */
static inline trine_piece trine_vocab_piece(const trine_vocab *v, int32_t id)
{
    return id >= 0 && id < v->n ? v->pieces[id] : (trine_piece) { NULL, 0 };
}

/* A mixing hash of bytes. */
uint64_t trine_hash(const char *text, size_t n);

#endif
