/* tokenizers.h - text to tokens and back, and vocabularies trained on text. */
#ifndef TRINE_TOKENIZERS_H
#define TRINE_TOKENIZERS_H

#include "trine/basics.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------------- tokenizer */

typedef struct trine_tokenizer trine_tokenizer;

/* Opens the tokenizer of a directory (tokenizer.json, vocab.txt, vocab.json + merges.txt, spiece.model or
 * tokenizer.model, with tokenizer_config.json and its fellows beside), of one such file, or of a .gguf file. */
TRINE_API trine_status trine_tokenizer_open(trine_tokenizer **out, const char *path, trine_error *err);
TRINE_API void trine_tokenizer_close(trine_tokenizer *tokenizer);

typedef struct trine_encode_options {
    const char *pair;      /* a second text (sentence pair), or NULL */
    size_t pair_bytes;     /* its length; 0 with `pair` set: up to the terminating zero */
    bool no_special;       /* true: do not add the special tokens that the model expects around a text */
    bool no_parse_special; /* true: text that spells a special token, such as "</s>", is only text */
    int max_tokens;        /* 0: no limit; else cut (longest text first, its end) to this many, special tokens included */
} trine_encode_options;

/* A text as tokens. Arrays have `n` entries and belong to the encoding. */
typedef struct trine_encoding {
    int n;
    int32_t *ids;
    int32_t *types;    /* 0 for the first text, 1 for its pair, as the model's template says */
    trine_span *spans; /* bytes of the original text (of the pair where sequence is 1); empty for added tokens */
    uint8_t *special;  /* 1 where the token was added around the text and is not in it */
    int8_t *sequence;  /* 0: from the text, 1: from its pair, -1: added */
    int n_cut;         /* tokens that max_tokens cut off */
} trine_encoding;

/* Splits `text` (text_bytes long; 0: up to the terminating zero) into tokens. An empty text gives the special tokens alone.
 * Release `out` with trine_encoding_clear. */
TRINE_API trine_status trine_tokenizer_encode(trine_encoding *out, const trine_tokenizer *tokenizer, const char *text,
                                              size_t text_bytes, const trine_encode_options *options, trine_error *err);
TRINE_API void trine_encoding_clear(trine_encoding *encoding);

/* The text of `n` ids, terminated by zero (zero bytes in it are left out), to be released with trine_free. With `skip_special`
 * tokens such as [CLS] leave no trace. ERROR_ARGUMENT for an id outside the vocabulary. */
TRINE_API trine_status trine_tokenizer_decode(char **out, const trine_tokenizer *tokenizer, const int32_t *ids, int n,
                                              bool skip_special, trine_error *err);

/* Number of ids, added tokens included: ids are 0 .. vocab_size - 1. */
TRINE_API int trine_tokenizer_vocab_size(const trine_tokenizer *tokenizer);
/* How the vocabulary spells an id ("##ing", "Ġthe", "▁Haus"); borrowed from the tokenizer; NULL outside the vocabulary. */
TRINE_API const char *trine_tokenizer_token(const trine_tokenizer *tokenizer, int32_t id);
/* The bytes that a token spells where the vocabulary is one of bytes, in GPT-2's letters or as SentencePiece's <0x0A>: for a part of a
 * character, which decode can only show as U+FFFD. In new memory (trine_free), *n of them and a zero. NULL, and *n 0, where some of its
 * spelling is no byte, there is no such token, or memory ran out. */
TRINE_API char *trine_tokenizer_token_bytes(size_t *n, const trine_tokenizer *tokenizer, int32_t id);
/* The id spelt `token`, or -1. */
TRINE_API int32_t trine_tokenizer_id(const trine_tokenizer *tokenizer, const char *token);

typedef enum trine_special {
    TRINE_TOKEN_BOS,
    TRINE_TOKEN_EOS,
    TRINE_TOKEN_PAD,
    TRINE_TOKEN_UNK,
    TRINE_TOKEN_CLS,
    TRINE_TOKEN_SEP,
    TRINE_TOKEN_MASK
} trine_special;
/* The id of a special token, or -1 when this tokenizer has none. */
TRINE_API int32_t trine_tokenizer_special(const trine_tokenizer *tokenizer, trine_special which);
/* Whether `id` is a special (control) token. */
TRINE_API bool trine_tokenizer_is_special(const trine_tokenizer *tokenizer, int32_t id);
/* "wordpiece", "bpe", "unigram" or "bytes"; static. */
TRINE_API const char *trine_tokenizer_algorithm(const trine_tokenizer *tokenizer);
/* The chat template (Jinja text) that came with the tokenizer, or NULL; borrowed. */
TRINE_API const char *trine_tokenizer_chat_template(const trine_tokenizer *tokenizer);

/* ------------------------------------------------------------------------------------------- training a tokenizer */

/* A token that texts are never cut into otherwise. One text may have several roles: it is named once for each. */
typedef struct trine_special_token {
    const char *text;
    const char *role; /* "bos", "eos", "pad", "unk", "cls", "sep" or "mask"; NULL: none of these */
} trine_special_token;

typedef struct trine_tokenizer_train_options {
    const char *type;                    /* whose conventions: "bert" (or NULL), "gpt2", "llama", "t5" */
    const char *algorithm;               /* "wordpiece", "bpe" (over bytes), "unigram"; NULL: the type's own */
    int vocab;                           /* tokens in all; 0: 8,000 */
    const trine_special_token *specials; /* in place of the type's own, and of its template; their ids are 0, 1, ... */
    int n_specials;
    int n_sentinels;          /* <extra_id_0> and so on, the highest ids; 0: the type's own (t5: 100); -1: none */
    const char *const *words; /* further tokens that stay whole, but are ordinary text: "\n" */
    int n_words;
    const char *single,
        *pair; /* templates: "[CLS] $A [SEP]", "$A </s> $B </s>"; NULL: the type's own; pair alone NULL: single for both */
    const char *normalization;   /* "none", "nfc" or "nfkc", of which the last loses spaces in a row; NULL: the type's own */
    int lowercase;               /* 1: yes, -1: no, 0: as the type (bert: yes) */
    bool digits;                 /* every digit is a token of its own */
    bool byte_fallback;          /* unigram: what has no piece is spelt in bytes, nothing is unknown */
    double coverage;             /* wordpiece, unigram: the share of all characters that get tokens; 0: 1, unigram 0.9995 */
    int64_t min_count;           /* wordpiece, bpe: a pair that stands less often is not merged; 0: 1 */
    int max_piece;               /* characters of a token, up to 31; 0: unigram 16, else any */
    int max_seeds;               /* unigram: pieces to begin with; 0: 1,000,000 */
    const char *column;          /* of .tsv files (name or number) and .jsonl files; NULL: all columns, all strings */
    bool lines;                  /* each line of other files is a text, not the file */
    const char *const *held_out; /* files that are not trained on, to measure; or NULL */
    int n_held_out;
    bool overwrite;
    int n_threads; /* 0: one a core. The result does not depend on it */
    trine_progress_fn *on_progress;
    void *user;
} trine_tokenizer_train_options;

typedef struct trine_tokenizer_train_result {
    const char *algorithm; /* static */
    int vocab;             /* less than asked for when the texts have no more */
    int n_files;
    int64_t n_bytes, n_words, n_different_words, n_tokens; /* of the texts */
    int64_t held_out_bytes, held_out_tokens;
    double seconds;
} trine_tokenizer_train_result;

/* Trains a vocabulary on files and folders of text (plain, .tsv, .jsonl; each may be .gz, .xz or .zst) and writes tokenizer.json,
 * tokenizer_config.json and special_tokens_map.json into the directory `out`, which is made. Special tokens in the texts are not
 * trained on. BPE (Sennrich et al. 2016) and WordPiece make the merges of Hugging Face's trainers, unigram (Kudo 2018) is trained
 * as sentencepiece does it; texts are cut into words as the new tokenizer will cut them. ERROR_EMPTY when there is no text,
 * ERROR_ARGUMENT when the alphabet does not fit the vocabulary. */
TRINE_API trine_status trine_tokenizer_train(trine_tokenizer_train_result *result, const char *out, const char *const *files,
                                             int n_files, const trine_tokenizer_train_options *options, trine_error *err);

#ifdef __cplusplus
}
#endif
#endif
