/* pre_patterns.h - the byte-level BPE tokenizers that GGUF knows by name: how each cuts text before merging. */
#ifndef TRINE_TOKENIZER_PRE_PATTERNS_H
#define TRINE_TOKENIZER_PRE_PATTERNS_H

#include <jansson.h>

#include "trine/basics.h"

typedef struct trine_pre_pattern {
    const char *name;    /* "llama-bpe" */
    const char *pattern; /* of the Split before ByteLevel; NULL: ByteLevel's own, GPT-2's */
    bool digits;         /* each digit stands alone (SmolLM, StarCoder) */
    bool nfc;            /* text is normalised first */
    bool ignore_merges;  /* a word that is a token needs no merges (Llama 3) */
    bool add_bos;        /* what llama.cpp assumes where the file does not say */
} trine_pre_pattern;

/* By GGUF's name or one that means the same; NULL when unknown. */
const trine_pre_pattern *trine_pre_pattern_find(const char *name);
/* The one whose pieces these are, or NULL. `pattern` NULL: ByteLevel's own. */
const trine_pre_pattern *trine_pre_pattern_match(const char *pattern, bool digits, bool nfc);
/* For "llama" vocabularies GGUF has one way to put the mark before a text; the other ways of tokenizer.json, Metaspace's, go by names
 * of our own, which other readers of such a vocabulary pass over. The scheme ("first") of a name, the name of a scheme; or NULL. */
const char *trine_pre_scheme(const char *name);
const char *trine_pre_scheme_name(const char *scheme);
/* Names for a message; static. */
const char *trine_pre_pattern_names(void);
/* The tokenizer as tokenizer.json describes it, without vocabulary and added tokens; NULL when memory ran out. */
json_t *trine_pre_pattern_describe(const trine_pre_pattern *pre, bool add_prefix_space);

#endif
