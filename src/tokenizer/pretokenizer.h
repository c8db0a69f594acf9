/* pretokenizer.h - the pre-tokenizers of tokenizer.json: a text in parts becomes a text in smaller parts. */
#ifndef TRINE_TOKENIZER_PRETOKENIZER_H
#define TRINE_TOKENIZER_PRETOKENIZER_H

#include "tokenizer/aligned.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pattern.h"

/* A part of a text: bytes [begin, end) of it. `id` is that of an added token, or -1 for what is still to be split. */
typedef struct trine_part {
    uint32_t begin, end;
    int32_t id;
} trine_part;

/* A text and its parts, in order. The text is its own or points to another one. */
typedef struct trine_parts {
    const trine_aligned *text;
    trine_aligned own;
    trine_part *items;
    size_t n, cap;
    bool failed;
} trine_parts;
void trine_parts_clear(trine_parts *p);
void trine_parts_put(trine_parts *p, size_t begin, size_t end, int32_t id);

typedef enum trine_pretokenizer_kind {
    TRINE_SPLIT_BERT,
    TRINE_SPLIT_WHITESPACE,
    TRINE_SPLIT_SPACES,
    TRINE_SPLIT_PUNCTUATION,
    TRINE_SPLIT_DIGITS,
    TRINE_SPLIT_PATTERN,
    TRINE_SPLIT_BYTE_LEVEL,
    TRINE_SPLIT_METASPACE,
    TRINE_SPLIT_DELIMITER
} trine_pretokenizer_kind;

/* What becomes of the delimiter that is found. */
typedef enum trine_split_behavior {
    TRINE_SPLIT_REMOVED,
    TRINE_SPLIT_ISOLATED,
    TRINE_SPLIT_MERGED_WITH_PREVIOUS,
    TRINE_SPLIT_MERGED_WITH_NEXT,
    TRINE_SPLIT_CONTIGUOUS
} trine_split_behavior;

typedef enum trine_prepend_scheme { TRINE_PREPEND_ALWAYS, TRINE_PREPEND_FIRST, TRINE_PREPEND_NEVER } trine_prepend_scheme;

typedef struct trine_pretokenizer {
    trine_pretokenizer_kind kind;
    trine_split_behavior behavior; /* punctuation, digits, pattern */
    bool invert;                   /* pattern */
    trine_pattern *pattern;        /* pattern; byte level: GPT-2's, or NULL */
    bool add_prefix_space;         /* byte level */
    bool plain_bytes;              /* byte level: leave the bytes as they are, the model reads them so */
    uint32_t character;            /* metaspace: the replacement; delimiter */
    trine_prepend_scheme scheme;   /* metaspace */
    bool split;                    /* metaspace */
} trine_pretokenizer;

void trine_pretokenizer_clear(trine_pretokenizer *pretokenizer);

/* Runs all of them. The parts lie in one of the two; *out says which. rooms[0] is the input. */
trine_status trine_pretokenize(trine_parts **out, trine_parts rooms[2], const trine_pretokenizer *pretokenizers, int n,
                               trine_error *err);

#endif
