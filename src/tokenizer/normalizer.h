/* normalizer.h - the normalizers of tokenizer.json: text to text, with alignment. */
#ifndef TRINE_TOKENIZER_NORMALIZER_H
#define TRINE_TOKENIZER_NORMALIZER_H

#include "tokenizer/aligned.h"
#include "tokenizer/charsmap.h"
#include "tokenizer/pattern.h"

typedef enum trine_normalizer_kind {
    TRINE_NORMALIZE_BERT,
    TRINE_NORMALIZE_STRIP,
    TRINE_NORMALIZE_STRIP_ACCENTS,
    TRINE_NORMALIZE_NFC,
    TRINE_NORMALIZE_NFD,
    TRINE_NORMALIZE_NFKC,
    TRINE_NORMALIZE_NFKD,
    TRINE_NORMALIZE_LOWERCASE,
    TRINE_NORMALIZE_NMT,
    TRINE_NORMALIZE_PRECOMPILED,
    TRINE_NORMALIZE_REPLACE,
    TRINE_NORMALIZE_PREPEND,
    TRINE_NORMALIZE_BYTE_LEVEL
} trine_normalizer_kind;

typedef struct trine_normalizer {
    trine_normalizer_kind kind;
    bool clean_text, handle_cjk, strip_accents, lowercase; /* bert */
    bool left, right;                                      /* strip */
    trine_pattern *pattern;                                /* replace */
    char *text;                                            /* replace: the new text; prepend: what goes before */
    size_t n_text;
    trine_charsmap charsmap; /* precompiled */
} trine_normalizer;

void trine_normalizer_clear(trine_normalizer *normalizer);

/* Working memory of normalisation; zeros to begin with. */
typedef struct trine_change {
    uint32_t c;
    int32_t change;
} trine_change;
typedef struct trine_normalizer_room {
    trine_aligned texts[2], joined;
    trine_change *changes;
    size_t n, cap;
    bool failed;
} trine_normalizer_room;
void trine_normalizer_room_clear(trine_normalizer_room *room);

/* Runs all of them on `in`. *out is `in` itself when nothing changed, or a text of the room, valid until the next call. */
trine_status trine_normalize(const trine_aligned **out, const trine_normalizer *normalizers, int n, const trine_aligned *in,
                             trine_normalizer_room *room, trine_error *err);
/* s with `text` put before it, the new characters standing for its first one; shared with the pre-tokenizers. */
void trine_prepend(trine_aligned *out, const trine_aligned *in, size_t begin, size_t end, const char *text, size_t n_text);
/* [begin, end) with each byte as GPT-2's character for it. */
void trine_spell_bytes(trine_aligned *out, const trine_aligned *in, size_t begin, size_t end);

#endif
