/* unicode.h - what a code point is, as Hugging Face's `tokenizers` sees it.
 *
 * Ids must equal those of `tokenizers`, which rests on Rust crates of different Unicode versions: categories of Unicode 7,
 * normalisation of Unicode 9, the Rust library's lower case and numerics of Unicode 17, regular expressions of Unicode 16. No one C
 * library agrees with that, so the sets are tables read off the package itself (tools/make_unicode_tables.py). utf8proc supplies
 * the decompositions, which by Unicode's stability policy never change: a table only says which of them Unicode 9 had. */
#ifndef TRINE_TOKENIZER_UNICODE_H
#define TRINE_TOKENIZER_UNICODE_H

#include "trine/basics.h"

bool trine_is_space(uint32_t c);       /* White_Space: Rust's char::is_whitespace, \s of a pattern */
bool trine_is_control(uint32_t c);     /* general category Cc, Cf, Co: dropped by BertNormalizer, except tab and line ends */
bool trine_is_nonspacing(uint32_t c);  /* Mn of unicode_categories: BertNormalizer's strip_accents */
bool trine_is_mark(uint32_t c);        /* M of unicode_normalization: StripAccents */
bool trine_is_punctuation(uint32_t c); /* P, and all ASCII signs */
bool trine_is_numeric(uint32_t c);     /* N */
bool trine_is_word(uint32_t c);        /* \w of the regex crate */
bool trine_is_cjk(uint32_t c);         /* the ideographs that BERT sets apart */

/* The lower case of c, one or two code points; returns how many. */
int trine_lower(uint32_t out[2], uint32_t c);

/* The full canonical (or, with `compat`, compatibility) decomposition of c; returns its length, c itself when it has none. */
#define TRINE_DECOMPOSITION_MAX 18
int trine_decompose(uint32_t out[TRINE_DECOMPOSITION_MAX], uint32_t c, bool compat);
int trine_combining_class(uint32_t c);
/* The canonical composition of a and b, or 0. */
uint32_t trine_compose(uint32_t a, uint32_t b);

/* The length in bytes of the first extended grapheme cluster (UAX 29) of s, n >= 1 bytes of valid UTF-8. Exact for clusters of up
 * to 5 bytes, the only ones a SentencePiece normaliser looks at; longer ones are at least reported as longer. */
size_t trine_grapheme_next(const char *s, size_t n);

/* Length of the UTF-8 character that starts with this byte of valid UTF-8. */
static inline size_t trine_utf8_length(unsigned char first) { return first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4; }
/* The code point at s of valid UTF-8. */
static inline uint32_t trine_utf8_at(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;
    if (u[0] < 0x80) return u[0];
    if (u[0] < 0xE0) return (u[0] & 0x1Fu) << 6 | (u[1] & 0x3Fu);
    if (u[0] < 0xF0) return (u[0] & 0x0Fu) << 12 | (u[1] & 0x3Fu) << 6 | (u[2] & 0x3Fu);
    return (u[0] & 0x07u) << 18 | (u[1] & 0x3Fu) << 12 | (u[2] & 0x3Fu) << 6 | (u[3] & 0x3Fu);
}

#endif
