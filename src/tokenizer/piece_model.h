/* piece_model.h - what a vocabulary of pieces with scores means: the parts of sentencepiece that a tokenizer needs. */
#ifndef TRINE_TOKENIZER_PIECE_MODEL_H
#define TRINE_TOKENIZER_PIECE_MODEL_H

#include "tokenizer/tokenizer_files.h"

/* sentencepiece's kinds of pieces, and GGUF's token types. */
typedef enum trine_piece_type {
    TRINE_PIECE_NORMAL = 1,
    TRINE_PIECE_UNKNOWN,
    TRINE_PIECE_CONTROL,
    TRINE_PIECE_USER_DEFINED,
    TRINE_PIECE_UNUSED,
    TRINE_PIECE_BYTE
} trine_piece_type;

typedef struct trine_piece_model {
    bool bpe;           /* else unigram */
    bool words;         /* T5's kind: words at spaces, each with the mark before it */
    bool byte_fallback; /* unknown characters become "<0x..>" */
    int32_t unk_id;     /* -1: none */
    const char *unk;
    const unsigned char *charsmap; /* precompiled normaliser, or NULL */
    size_t charsmap_bytes;
    bool remove_extra_spaces;
    bool add_prefix;    /* a mark before the text, and after each special token in it */
    const char *scheme; /* or how Metaspace puts it: "first" (`legacy: false`), "always", "never", unless a space is there; NULL */
} trine_piece_model;

/* The model as tokenizer.json describes it, without vocabulary and added tokens; *out is the caller's. */
trine_status trine_describe_sentencepiece(json_t **out, const trine_piece_model *m, trine_error *err);
/* The merges behind t->vocab with t->scores, best first, into t->merges. `types`: of the pieces, or NULL; only normal and user-defined
 * pieces are ever the result of a merge. */
trine_status trine_merges_from_scores(trine_tokenizer *t, const int32_t *types, trine_error *err);
/* Whether a WordPiece vocabulary was made from text that kept its case. */
bool trine_vocabulary_is_cased(const trine_tokenizer *t);
/* The template "bos $A eos" of a filled tokenizer; bos and eos may be NULL. A pair is "bos $A eos bos $B eos" with pair_type 1, or
 * "$A eos $B eos" with pair_type 0. */
trine_status trine_tokenizer_set_bos_eos(trine_tokenizer *t, const char *bos, const char *eos, int pair_type, trine_error *err);
/* The template "cls $A sep" and, for a pair, "cls $A sep $B:1 sep:1", or RoBERTa's "cls $A sep sep $B sep". */
trine_status trine_tokenizer_set_pair_template(trine_tokenizer *t, const char *cls, const char *sep, bool roberta,
                                               trine_error *err);

#endif
