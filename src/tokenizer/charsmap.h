/* charsmap.h - SentencePiece's precompiled normaliser: a double-array trie of byte strings, and what each becomes. */
#ifndef TRINE_TOKENIZER_CHARSMAP_H
#define TRINE_TOKENIZER_CHARSMAP_H

#include "trine/basics.h"

typedef struct trine_charsmap {
    uint32_t *units;
    size_t n_units;
    char *texts; /* the replacements, each ended by a zero */
    size_t n_texts;
    bool plain[128]; /* printable ASCII that stays as it is */
} trine_charsmap;

/* Reads the bytes of `precompiled_charsmap` and checks every place a walk can reach. */
trine_status trine_charsmap_open(trine_charsmap *out, const unsigned char *bytes, size_t n, trine_error *err);
void trine_charsmap_close(trine_charsmap *map);
/* What the shortest known prefix of text (n bytes) becomes; false when no prefix is known. */
bool trine_charsmap_find(const char **to, size_t *n_to, const trine_charsmap *map, const char *text, size_t n);

#endif
