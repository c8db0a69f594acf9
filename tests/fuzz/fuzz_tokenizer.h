/* fuzz_tokenizer.h - what must hold of a tokenizer, wherever it came from. */
#ifndef TRINE_TESTS_FUZZ_TOKENIZER_H
#define TRINE_TESTS_FUZZ_TOKENIZER_H

#include <stdlib.h>
#include <string.h>

#include "tokenizer/tokenizer.h"

/* Ids are of the vocabulary, places in the text, arrays agree, and what came out can be decoded. */
static inline void fuzz_encode(const trine_tokenizer *t, const char *text, size_t n, const trine_encode_options *options)
{
    trine_encoding e;
    trine_error err;
    const trine_encode_options none = { 0 };
    if (trine_tokenizer_encode(&e, t, text, n, options ? options : &none, &err)) {
        if (!err.text[0] || e.ids) abort();
        return;
    }
    const size_t n_text = n ? n : strlen(text), n_pair = !options || !options->pair ? 0
                                                         : options->pair_bytes      ? options->pair_bytes
                                                                                    : strlen(options->pair);
    for (int i = 0; i < e.n; i++) {
        if (e.ids[i] < 0 || e.ids[i] >= trine_tokenizer_vocab_size(t)) abort();
        const size_t limit = e.sequence[i] < 0 ? 0 : e.sequence[i] ? n_pair : n_text;
        if (e.spans[i].start > e.spans[i].end || e.spans[i].end > limit) abort();
        if (e.special[i] != (e.sequence[i] < 0)) abort();
    }
    if (options && options->max_tokens && e.n > options->max_tokens) abort();
    for (int skip = 0; skip < 2; skip++) {
        char *decoded;
        if (!trine_tokenizer_decode(&decoded, t, e.ids, e.n, skip, &err)) trine_free(decoded);
    }
    trine_encoding_clear(&e);
}

/* A tokenizer that was read: used, described, written both ways and read again. */
static inline void fuzz_tokenizer(trine_tokenizer *t)
{
    static const char *const texts[] = { "", "Hello w\xC3\xB6rld, don't! 12345",
                                         "  a\xCC\x81 \xE2\x96\x81x</s>[MASK]<0x41>\xFF\xE4\xBD" };
    for (int i = 0; i < 3; i++) fuzz_encode(t, texts[i], strlen(texts[i]), NULL);
    const trine_encode_options pair = { .pair = texts[1], .max_tokens = 9 };
    fuzz_encode(t, texts[2], 0, &pair);
    for (int32_t id = -1; id <= trine_tokenizer_vocab_size(t) && id < 300; id++) {
        const char *token = trine_tokenizer_token(t, id);
        if (token && trine_tokenizer_id(t, token) >= trine_tokenizer_vocab_size(t)) abort();
        (void)trine_tokenizer_is_special(t, id);
    }
    trine_vocabulary v;
    trine_tokenizer *again = NULL;
    if (!trine_tokenizer_to_vocabulary(&v, t, NULL)) trine_tokenizer_open_vocabulary(&again, &v, NULL);
    if (again) fuzz_encode(again, texts[1], 0, NULL);
    trine_tokenizer_close(again);
    char *json;
    if (!trine_tokenizer_to_json(&json, t, NULL)) trine_free(json);
}

#endif
