/* tokenizer_core.h - what a tokenizer is made of. A loader fills it, encode.c and tokenizer.c run it. */
#ifndef TRINE_TOKENIZER_TOKENIZER_CORE_H
#define TRINE_TOKENIZER_TOKENIZER_CORE_H

#include "base/file.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/algorithms.h"
#include "tokenizer/decoder.h"
#include "tokenizer/encode_room.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/pretokenizer.h"
#include "tokenizer/tokenizer.h"

typedef enum trine_algorithm { TRINE_WORDPIECE, TRINE_BPE, TRINE_UNIGRAM, TRINE_WORDLEVEL, TRINE_BYTES } trine_algorithm;

/* One element of the template that puts special tokens around texts. */
typedef struct trine_template_piece {
    int sequence; /* 0, 1: the text, its pair; -1: special tokens */
    int32_t type; /* token type of all its tokens */
    int32_t *ids; /* special tokens */
    int n_ids;
} trine_template_piece;
typedef struct trine_template {
    trine_template_piece *pieces;
    int n;
} trine_template;

enum { TRINE_TRIMS_MAX = 4, TRINE_N_SPECIALS = TRINE_TOKEN_MASK + 1 };

struct trine_tokenizer {
    trine_normalizer *normalizers;
    int n_normalizers;
    trine_pretokenizer *pretokenizers;
    int n_pretokenizers;
    trine_decoder *decoders;
    int n_decoders;
    trine_added_tokens added;
    trine_template single, pair;
    int n_trims;                       /* times offsets are trimmed of spaces (ByteLevel, Roberta) */
    bool trim_prefix[TRINE_TRIMS_MAX]; /* with add_prefix_space */

    trine_algorithm algorithm;
    trine_vocab vocab;   /* of the model; added tokens beyond it are in `added` alone */
    double *scores;      /* unigram, [vocab.n] */
    trine_merge *merges; /* BPE, in order of rank */
    int n_merges;
    char *bpe_unk, *bpe_prefix, *bpe_suffix;
    trine_wordpiece wordpiece;
    trine_bpe bpe;
    trine_unigram unigram;
    int32_t wordlevel_unk;

    int32_t specials[TRINE_N_SPECIALS]; /* -1: none */
    int vocab_size;
    char *chat_template;
    char *config;         /* tokenizer.json without the vocabulary, for trine_tokenizer_to_json */
    trine_mapping source; /* the tokenizer.json this was read from, when that says everything */
    void *exported;       /* arrays that trine_tokenizer_to_vocabulary lends */

    trine_kept_room *room; /* of the last encode call: the one thing that changes once the tokenizer is open */
};

void trine_template_clear(trine_template *template);

/* The two halves of encoding, for those who count words (train.h). A text as the added tokens in it and the parts that the model is
 * run on, in the room; `view` is the text that they may point into. */
trine_status trine_tokenizer_split(const trine_parts **out, trine_aligned *view, const trine_tokenizer *tokenizer,
                                   trine_encode_room *room, const char *text, size_t n, bool no_special, trine_error *err);
/* Appends the tokens of one such part. */
trine_status trine_tokenizer_word(trine_tokens *out, const trine_tokenizer *tokenizer, trine_encode_room *room, const char *text,
                                  size_t n, trine_error *err);

/* The text that a token's id stands for in decoding; text NULL when there is none. */
trine_piece trine_token_text(const trine_tokenizer *tokenizer, int32_t id);

#endif
