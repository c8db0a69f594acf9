/* algorithms.h - the algorithms that turn one pre-token into tokens of the vocabulary: WordPiece, BPE, unigram, whole words.
 *
 * Each is built over a trine_vocab, is read-only afterwards, and appends to a list of tokens. */
#ifndef TRINE_TOKENIZER_ALGORITHMS_H
#define TRINE_TOKENIZER_ALGORITHMS_H

#include "tokenizer/trie.h"
#include "tokenizer/vocab.h"
#include "trine/tokenizers.h"

typedef struct trine_token {
    int32_t id;
    uint32_t begin, end;
} trine_token; /* bytes of the text it was cut from */
typedef struct trine_tokens {
    trine_token *items;
    int n, cap;
} trine_tokens;
/* Appends; ERROR_MEMORY. */
trine_status trine_tokens_put(trine_tokens *list, int32_t id, size_t begin, size_t end, trine_error *err);

/* Working memory of one encode call, so that a word costs no allocation. */
typedef struct trine_scratch {
    void *memory;
    size_t size;
} trine_scratch;
/* At least n bytes, content undefined; NULL when memory ran out. */
void *trine_scratch_take(trine_scratch *scratch, size_t n);

/* -- WordPiece (Schuster and Nakajima 2012, as in BERT): the longest piece first, from the left. */
typedef struct trine_wordpiece {
    trine_trie initial, following; /* whole tokens; tokens with the prefix, without it */
    int32_t unk;
    int max_characters; /* longer words are unknown */
} trine_wordpiece;
trine_status trine_wordpiece_build(trine_wordpiece *out, const trine_vocab *vocab, const char *prefix, int32_t unk,
                                   int max_characters, trine_error *err);
void trine_wordpiece_clear(trine_wordpiece *w);
/* Tokens of text[begin..end). */
trine_status trine_wordpiece_encode(trine_tokens *out, const trine_wordpiece *w, const char *text, size_t begin, size_t end,
                                    trine_error *err);

/* -- BPE (Sennrich, Haddow and Birch 2016): the pair that was merged first in training is merged first, from the left. */
typedef struct trine_merge_slot {
    uint64_t pair;
    int32_t rank, id;
} trine_merge_slot; /* rank -1: empty */
typedef struct trine_bpe_options {
    const char *unk;             /* spelling of the unknown token, or NULL: unknown characters are dropped */
    const char *prefix, *suffix; /* continuing_subword_prefix, end_of_word_suffix; NULL or "" for none */
    bool fuse_unk, byte_fallback, ignore_merges;
    bool raw_bytes; /* the vocabulary is spelt in GPT-2's byte characters and the text comes as plain bytes */
} trine_bpe_options;
typedef struct trine_bpe {
    const trine_vocab *vocab;
    trine_bpe_options options; /* its strings are owned by the tokenizer */
    trine_merge_slot *merges;
    uint32_t mask;
    int32_t bytes[256]; /* raw_bytes: the token of each byte; else of "<0x..>"; -1 none */
    int32_t ascii[128]; /* the token of each ASCII character; -1 none */
    int32_t unk;
    bool cuts_at_mark; /* U+2581 begins a piece of its own, except behind a byte that a merge can end with before it: */
    bool joins_mark[256];
    trine_vocab raw; /* raw_bytes: the vocabulary in plain bytes, for ignore_merges */
} trine_bpe;
/* A merge, as two ids of the vocabulary. */
typedef struct trine_merge {
    int32_t left, right;
} trine_merge;
trine_status trine_bpe_build(trine_bpe *out, const trine_vocab *vocab, const trine_merge *merges, int n_merges,
                             const trine_bpe_options *options, trine_error *err);
void trine_bpe_clear(trine_bpe *bpe);
/* Where the first piece of text[begin..end) ends that no merge can join with what follows: `end`, or a place before that. */
size_t trine_bpe_cut(const trine_bpe *bpe, const char *text, size_t begin, size_t end);
trine_status trine_bpe_encode(trine_tokens *out, const trine_bpe *bpe, const char *text, size_t begin, size_t end,
                              trine_scratch *scratch, trine_error *err);

/* -- Unigram (Kudo 2018): the split whose pieces have the greatest sum of scores, by Viterbi. */
typedef struct trine_unigram {
    const trine_vocab *vocab;
    const double *scores; /* [vocab->n]; owned by the tokenizer */
    trine_trie trie;
    double unk_score;
    int32_t unk; /* -1: none */
    bool byte_fallback;
    int32_t bytes[256];
} trine_unigram;
trine_status trine_unigram_build(trine_unigram *out, const trine_vocab *vocab, const double *scores, int32_t unk,
                                 bool byte_fallback, trine_error *err);
void trine_unigram_clear(trine_unigram *u);
trine_status trine_unigram_encode(trine_tokens *out, const trine_unigram *u, const char *text, size_t begin, size_t end,
                                  trine_scratch *scratch, trine_error *err);

/* GPT-2's spelling of bytes as printable characters: byte to code point, and back (-1 for a character that spells none). */
uint32_t trine_byte_character(unsigned char byte);
int trine_character_byte(uint32_t c);
/* The ids of "<0x00>".."<0xFF>", -1 where the vocabulary lacks one. */
void trine_find_byte_tokens(int32_t out[256], const trine_vocab *vocab);

#endif
