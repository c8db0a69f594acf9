/* added_tokens.h - tokens beside the model's own vocabulary: found in the text before anything else happens to it. */
#ifndef TRINE_TOKENIZER_ADDED_TOKENS_H
#define TRINE_TOKENIZER_ADDED_TOKENS_H

#include "tokenizer/normalizer.h"
#include "tokenizer/pretokenizer.h"
#include "tokenizer/trie.h"

typedef struct trine_added_token {
    int32_t id;
    int order; /* in which it was added */
    char *content;
    size_t n_content;
    char *normal; /* the content normalised, when that is another text and `normalized` is set; else NULL */
    size_t n_normal;
    bool special;        /* a control token: decoding can leave it out */
    bool normalized;     /* it is looked for in the normalised text */
    bool lstrip, rstrip; /* it takes the spaces before, after it */
    bool single_word;    /* only where no word goes on to its left or right */
} trine_added_token;

typedef struct trine_added_tokens {
    trine_added_token *items;
    int n, cap;
    trine_trie plain, normal;                 /* values are places in items */
    bool first_plain[256], first_normal[256]; /* bytes with which one begins */
    bool python_spaces; /* lstrip and rstrip are str.strip of Python, to which U+001C to U+001F are spaces, too: ByT5 */
} trine_added_tokens;

void trine_added_tokens_clear(trine_added_tokens *a);
/* Adds one. The content is copied; of several with one id the last stays. Empty contents are left out. */
trine_status trine_added_tokens_put(trine_added_tokens *a, const trine_added_token *token, trine_error *err);
/* Builds the tries; normalised contents come from `normalizers`. */
trine_status trine_added_tokens_index(trine_added_tokens *a, const trine_normalizer *normalizers, int n, trine_error *err);
/* The token with this id, or NULL. */
const trine_added_token *trine_added_tokens_find(const trine_added_tokens *a, int32_t id);
/* Cuts [begin, end) of a text where a token of one trie stands. `no_special`: special ones are only text. */
void trine_added_tokens_split(trine_parts *out, const trine_added_tokens *a, bool normal, bool no_special, const char *text,
                              size_t begin, size_t end);

#endif
