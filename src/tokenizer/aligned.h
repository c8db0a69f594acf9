/* aligned.h - a text under normalisation, every byte of it still knowing which bytes of the original it came from.
 *
 * `from` and `to` are NULL while each character stands for exactly one character of the original, of the same length, at
 * `base` + its own place: most text never leaves that state, and then costs no alignment at all. */
#ifndef TRINE_TOKENIZER_ALIGNED_H
#define TRINE_TOKENIZER_ALIGNED_H

#include "trine/basics.h"

typedef struct trine_aligned {
    char *text;                    /* valid UTF-8, not terminated; owned unless borrowed */
    uint32_t *from, *to;           /* [n] the original's bytes that byte i stands for, or NULL */
    uint32_t *from_room, *to_room; /* [align_cap] memory for them */
    size_t n, cap, align_cap;
    uint32_t base; /* without from and to: where the text begins in the original */
    bool borrowed; /* text belongs to someone else */
    bool failed;   /* memory ran out; sticky */
} trine_aligned;

void trine_aligned_clear(trine_aligned *a); /* frees */
/* An empty text that can be appended to; keeps the memory. */
void trine_aligned_reset(trine_aligned *a);
/* [begin, end) of a text, as a text of its own; borrowed. */
trine_aligned trine_aligned_part(const trine_aligned *a, size_t begin, size_t end);
/* The original's bytes that [begin, end) of the text stands for. */
trine_span trine_aligned_span(const trine_aligned *a, size_t begin, size_t end);
/* Appends [begin, end) of another text with its alignment. */
void trine_aligned_append(trine_aligned *out, const trine_aligned *in, size_t begin, size_t end);
/* Appends code point c, which stands for the original's [from, to). */
void trine_aligned_put(trine_aligned *out, uint32_t c, size_t from, size_t to);

/* Rewriting, as Hugging Face's NormalizedString::transform defines it: the new characters in order, each with a change: 0 it takes
 * the place of the next old character, 1 it is new and stands for what the one before it stood for, -n it takes the place of the
 * next old character and the n after that vanish. */
typedef struct trine_rewrite {
    const trine_aligned *in;
    trine_aligned *out;
    size_t at, end; /* the next old character, and where the part that is rewritten ends */
    size_t begin;
} trine_rewrite;
trine_rewrite trine_rewrite_begin(trine_aligned *out, const trine_aligned *in, size_t begin, size_t end);
void trine_rewrite_skip(trine_rewrite *r, size_t n_characters); /* old characters dropped before the first new one */
void trine_rewrite_put(trine_rewrite *r, uint32_t c, int change);

#endif
