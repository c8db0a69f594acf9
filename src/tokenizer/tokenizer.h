/* tokenizer.h - how the rest of the library makes tokenizers; trine.h has how they are used. */
#ifndef TRINE_TOKENIZER_TOKENIZER_H
#define TRINE_TOKENIZER_TOKENIZER_H

#include "trine/tokenizers.h"

/* From a directory or a single file of the Hugging Face or SentencePiece kinds (everything but .gguf). */
trine_status trine_tokenizer_open_path(trine_tokenizer **out, const char *path, trine_error *err);

/* From texts: what tokenizer.json says (NULL for a kind that it cannot say: ByT5) and what tokenizer_config.json says. A GGUF file
 * that trine wrote carries both, as its vocabulary alone cannot say every tokenizer. */
trine_status trine_tokenizer_open_json(trine_tokenizer **out, const char *json, size_t json_bytes, const char *config,
                                       size_t config_bytes, trine_error *err);

/* A vocabulary as a GGUF file holds it (tokenizer.ggml.*): plain values, so that this room never sees a container. */
typedef struct trine_vocabulary {
    const char *model; /* "llama" (SentencePiece BPE), "gpt2" (byte-level BPE), "bert" (WordPiece), "t5" (unigram) */
    const char *pre;   /* "llama-bpe", "qwen2", "smollm", "gpt-2", "default"... or "" */
    int n_tokens;
    const char *const *tokens;  /* [n_tokens] zero-terminated; bytes as stored */
    const float *scores;        /* [n_tokens] or NULL */
    const int32_t *token_types; /* [n_tokens] or NULL: 1 normal 2 unknown 3 control 4 user-defined 5 unused 6 byte */
    int n_merges;
    const char *const *merges;                  /* "a b" */
    int32_t bos, eos, pad, unk, cls, sep, mask; /* -1: none */
    int add_bos, add_eos;                       /* 0, 1, or -1: the model's custom */
    int add_space_prefix;                       /* likewise */
    bool remove_extra_whitespaces;
    const unsigned char *charsmap; /* precompiled normaliser, or NULL */
    size_t charsmap_bytes;
    const char *chat_template; /* or NULL */
} trine_vocabulary;
trine_status trine_tokenizer_open_vocabulary(trine_tokenizer **out, const trine_vocabulary *v, trine_error *err);

/* The tokenizer as Hugging Face's tokenizer.json (version 1.0 of the format), for `convert`; free with trine_free. A
 * tokenizer that was read from tokenizer.json gives the same text back. */
trine_status trine_tokenizer_to_json(char **out, const trine_tokenizer *tokenizer, trine_error *err);
/* The tokenizer as a vocabulary of GGUF; strings and arrays borrowed from the tokenizer. ERROR_UNSUPPORTED when GGUF cannot say it.
 */
trine_status trine_tokenizer_to_vocabulary(trine_vocabulary *out, trine_tokenizer *tokenizer, trine_error *err);

#endif
