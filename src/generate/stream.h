/* stream.h - tokens become text while they are made: whole characters only, and nothing of a stop string. */
#ifndef TRINE_GENERATE_STREAM_H
#define TRINE_GENERATE_STREAM_H

#include "base/buffer.h"
#include "trine/generation.h"

typedef struct trine_stream {
    const trine_tokenizer *tokenizer;
    const char *const *stop;
    int n_stop;
    trine_text_fn *on_text; /* or NULL */
    void *user;
    trine_buffer text; /* all text that is sure */
    size_t shown;      /* bytes of it that on_text has been given */
    int32_t *ids;      /* [n_ids] the tokens that are decoded: the last ones */
    int n_ids, ids_cap;
    size_t known;   /* bytes of their decoding that are in `text` already */
    bool stopped;   /* a stop string was met; `text` ends before it */
    bool cancelled; /* on_text asked to stop */
} trine_stream;

/* Takes what `options` says of stop strings and callbacks. Without a tokenizer there is no text, and nothing is done.
 * ERROR_ARGUMENT for a stop string that is empty or not UTF-8. */
trine_status trine_stream_open(trine_stream *s, const trine_tokenizer *tokenizer, const trine_generate_options *options,
                               trine_error *err);
/* Before the first token: what will come follows these tokens' text, and is no beginning. ERROR_MEMORY. */
trine_status trine_stream_follow(trine_stream *s, const int32_t *ids, int n, trine_error *err);
/* The next token. An id that the tokenizer does not have (models may have more rows than words) is no text. */
trine_status trine_stream_push(trine_stream *s, int32_t id, trine_error *err);
/* There will be no more: shows what was held back. */
trine_status trine_stream_end(trine_stream *s, trine_error *err);
/* The whole text, to be released by trine_free; NULL when memory ran out. */
char *trine_stream_take(trine_stream *s);
void trine_stream_close(trine_stream *s);

#endif
