/* train.h - the steps by which texts become a vocabulary.
 *
 *     files --train_texts--> texts --train_words--> distinct words with counts --+--train_merges--> BPE, WordPiece
 *                                                                               +--train_seeds, train_unigram--> unigram
 *
 * The words are what encoding hands to its model: the texts go through the very normalizers and pre-tokenizers that the new
 * tokenizer has (train_recipe describes it), so what is trained on is what will be met. Every count is a whole number and every sum
 * over words is one of whole numbers, so nothing depends on which thread saw what. */
#ifndef TRINE_TOKENIZER_TRAIN_H
#define TRINE_TOKENIZER_TRAIN_H

#include <jansson.h>

#include "base/team.h"
#include "tokenizer/tokenizer_json.h"
#include "tokenizer/unicode.h"

/* -- train_table.c: strings, each with a number */

typedef struct trine_counted {
    const char *text; /* not terminated */
    uint32_t n;
    int64_t count;
} trine_counted;

typedef struct trine_string_table {
    trine_counted *items; /* in the order they came */
    int n, cap;
    trine_vocab_slot *slots;
    uint32_t mask;
    char **blocks; /* where the strings live */
    int n_blocks;
    size_t block_used, block_size;
} trine_string_table;

/* The place of a string, or -1. */
int32_t trine_table_find(const trine_string_table *table, const char *text, size_t n);
/* The same; a new one is copied, with count 0. -1: memory ran out. */
int32_t trine_table_put(trine_string_table *table, const char *text, size_t n);
void trine_table_clear(trine_string_table *table);

/* -- train_texts.c: files */

/* Where texts come from; the strings are borrowed. */
typedef struct trine_text_source {
    char **paths; /* folders replaced by what is in them, in order */
    uint64_t *bytes;
    int n, cap;
    const char *column; /* of .tsv and .jsonl files; NULL: all */
    bool lines;         /* each line of a plain file is a text */
} trine_text_source;
trine_status trine_text_source_open(trine_text_source *out, const char *const *paths, int n, const char *column, bool lines,
                                    trine_error *err);
void trine_text_source_close(trine_text_source *source);

/* Texts as parts of one file's content. A long one is cut where every tokenizer cuts anyway. */
typedef struct trine_texts_read {
    char *data;
    trine_span *items;
    int n, cap;
} trine_texts_read;
trine_status trine_texts_read_file(trine_texts_read *out, const trine_text_source *source, int i, trine_error *err);
void trine_texts_read_clear(trine_texts_read *texts);

/* -- train_words.c */

/* Told how far a step is, 0 to 1; false: the caller wants it to end. */
typedef struct trine_train_progress {
    trine_progress_fn *call;
    void *user;
    double from, to; /* the part of the whole that this step is */
} trine_train_progress;
trine_status trine_train_step(const trine_train_progress *progress, double done, trine_error *err);

typedef struct trine_word_counts {
    trine_string_table table; /* most frequent first, then by bytes */
    int64_t n_bytes;          /* of the texts */
    int64_t n_words;          /* all of them, again and again */
    int64_t n_added;          /* added tokens met */
} trine_word_counts;
trine_status trine_word_counts_make(trine_word_counts *out, const trine_tokenizer *t, const trine_text_source *source,
                                    trine_team *team, int n_threads, const trine_train_progress *progress, trine_error *err);
void trine_word_counts_clear(trine_word_counts *words);
/* Tokens that the tokenizer makes of the texts whose words these are. */
trine_status trine_word_counts_measure(int64_t *n_tokens, const trine_word_counts *words, const trine_tokenizer *t,
                                       trine_error *err);

/* -- train_merges.c, train_unigram.c: what they are given, and fill */

typedef struct trine_training {
    const trine_word_counts *words;
    const char *const *first; /* tokens that come before all others, in this order */
    int n_first;
    int vocab;  /* tokens in all, at most, */
    int n_last; /* but for so many that come behind them: for messages */
    int64_t min_count;
    double coverage;       /* of all characters, the share that gets tokens of its own */
    int max_piece;         /* characters of a token */
    int max_seeds;         /* unigram */
    const char *prefix;    /* WordPiece: "##" */
    bool bytes;            /* BPE over bytes, spelt in GPT-2's characters */
    double reserved_score; /* unigram: of the tokens in `first` */
    trine_team *team;
    int n_threads;
    const trine_train_progress *progress;
} trine_training;

/* ERROR_ARGUMENT: so many special tokens and single characters do not fit. */
trine_status trine_training_too_small(int n_needed, const trine_training *training, trine_error *err);
/* Fills t->vocab and, for BPE, t->merges. */
trine_status trine_train_merges(trine_tokenizer *t, const trine_training *training, trine_error *err);
/* Fills t->vocab and t->scores. */
trine_status trine_train_unigram(trine_tokenizer *t, const trine_training *training, trine_error *err);

/* The characters of all words with their counts, that cover the share `coverage`: in *out, each a string of the table, the most
 * frequent first. */
trine_status trine_train_alphabet(trine_string_table *out, const trine_word_counts *words, double coverage, trine_error *err);

/* -- train_seeds.c: pieces to begin with */

enum { TRINE_PIECE_BITS = 5, TRINE_PIECE_MAX = (1 << TRINE_PIECE_BITS) - 1, TRINE_SEGMENT_MAX = 64 };

/* The words as numbered characters, and at each place the pieces that start there, the shortest first. Piece k below n_characters is
 * character k + 1 alone; it stays when others are pruned. */
typedef struct trine_lattices {
    const char **characters; /* [n_characters + 1] spelling, not terminated; 0 is the end of a segment */
    int n_characters;
    uint16_t *codes; /* [n_places] */
    size_t n_places;
    uint32_t *segments; /* [n_segments] where each begins; it ends before its 0 */
    int64_t *counts;    /* [n_segments] */
    int n_segments;
    size_t *begins;    /* [n_places + 1] where the list of a place begins */
    uint32_t *entries; /* piece << TRINE_PIECE_BITS | its length */
    int n_pieces;
    uint32_t *places; /* [n_pieces] a place where the piece stands; of characters too */
    uint8_t *lengths; /* [n_pieces] */
    int64_t *seen;    /* [n_pieces] how often it stands in the texts */
} trine_lattices;
trine_status trine_lattices_open(trine_lattices *out, const trine_training *training, trine_error *err);
void trine_lattices_close(trine_lattices *lattices);
/* Pieces that are not `kept` go; those that stay have new numbers, in the same order. */
void trine_lattices_prune(trine_lattices *lattices, const bool *kept);

/* -- train_recipe.c: the tokenizer to be, as tokenizer.json describes it */

typedef struct trine_recipe {
    const char *algorithm; /* "wordpiece", "bpe", "unigram" */
    trine_special_token *specials;
    int n_specials;
    int n_sentinels;
    const char *single, *pair;
    const char *normalization;
    bool lowercase, digits, byte_fallback;
    const char *const *words; /* tokens that are never split, but ordinary text */
    int n_words;
    const char *pattern; /* BPE: of the Split before the bytes; NULL: GPT-2's own */
    bool ignore_merges;
} trine_recipe;
trine_status trine_recipe_open(trine_recipe *out, const trine_tokenizer_train_options *options, trine_error *err);
void trine_recipe_close(trine_recipe *recipe);
/* All but the vocabulary; NULL when memory ran out. */
json_t *trine_recipe_describe(const trine_recipe *recipe);
/* The token with a role, or NULL. */
const char *trine_recipe_token(const trine_recipe *recipe, const char *role);
/* "<extra_id_3>" */
enum { TRINE_SENTINEL_BYTES = 32 };
void trine_recipe_sentinel(char out[TRINE_SENTINEL_BYTES], int i);
/* tokenizer_config.json and special_tokens_map.json; NULL when memory ran out. */
json_t *trine_recipe_config(const trine_recipe *recipe);
json_t *trine_recipe_map(const trine_recipe *recipe);

#endif
