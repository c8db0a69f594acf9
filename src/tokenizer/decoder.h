/* decoder.h - the decoders of tokenizer.json: a list of token texts becomes a text. */
#ifndef TRINE_TOKENIZER_DECODER_H
#define TRINE_TOKENIZER_DECODER_H

#include "base/buffer.h"
#include "tokenizer/pattern.h"

typedef enum trine_decoder_kind {
    TRINE_DECODE_WORDPIECE,
    TRINE_DECODE_BYTE_LEVEL,
    TRINE_DECODE_METASPACE,
    TRINE_DECODE_BPE,
    TRINE_DECODE_REPLACE,
    TRINE_DECODE_BYTE_FALLBACK,
    TRINE_DECODE_FUSE,
    TRINE_DECODE_STRIP
} trine_decoder_kind;

typedef struct trine_decoder {
    trine_decoder_kind kind;
    char *text; /* wordpiece: prefix; BPE: suffix; replace: the new text */
    size_t n_text;
    trine_pattern *pattern; /* replace */
    bool cleanup;           /* wordpiece */
    bool keep_first;        /* metaspace: the mark of the first token is a space too (prepend scheme never) */
    uint32_t character;     /* metaspace: the mark; strip: what is cut */
    size_t start, stop;     /* strip: how many at most */
} trine_decoder;

void trine_decoder_clear(trine_decoder *decoder);

/* Texts one after the other; ends[i] is where text i ends in bytes. */
typedef struct trine_texts {
    trine_buffer bytes;
    size_t *ends;
    size_t n, cap;
    bool failed;
} trine_texts;
void trine_texts_clear(trine_texts *t);
/* Says that the bytes appended since the last end are one text. */
void trine_texts_end(trine_texts *t);

/* Runs all of them on *texts; the result takes its place. */
trine_status trine_decode_texts(trine_texts *texts, const trine_decoder *decoders, int n, trine_error *err);

#endif
