/* stream.c - the text of a growing list of tokens.
 *
 * A token is not a text: a character may be spread over several, a space may appear only when the next word comes. So the
 * tokens are decoded again at each step and what is new at the end is the news. Two things are held back:
 *
 * - text that a later token may still change: the U+FFFD that stand for an unfinished character, and a run of byte tokens
 *   (<0xE4>), which its decoder reads as a whole;
 * - an end of the text that may be the beginning of a stop string.
 *
 * Only the last tokens are decoded, from an anchor that moves along, so that a long text does not cost the square of its length:
 * what a decoder makes of a token depends on its neighbours only, and the anchor keeps some of them. */
#include "generate/stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"

#define ANCHOR_EVERY 128 /* tokens decoded at most again at each step */
#define ANCHOR_KEEPS 16  /* neighbours that stay before a new token */

trine_status trine_stream_open(trine_stream *s, const trine_tokenizer *tokenizer, const trine_generate_options *o, trine_error *err)
{
    *s = (trine_stream) { .tokenizer = tokenizer, .stop = o->stop, .n_stop = o->n_stop, .on_text = o->on_text, .user = o->user };
    if (o->n_stop < 0 || (o->n_stop > 0 && !o->stop))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "generate: n_stop is %d but there are no stop texts", o->n_stop);
    if (o->n_stop && !tokenizer)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "generate: stop texts need a tokenizer, and this model has none beside it");
    for (int i = 0; i < o->n_stop; i++)
        if (!o->stop[i] || !o->stop[i][0] || !trine_utf8_valid(o->stop[i], strlen(o->stop[i])))
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "generate: stop text %d is empty or not UTF-8", i);
    return TRINE_OK;
}

void trine_stream_close(trine_stream *s)
{
    trine_buffer_clear(&s->text);
    free(s->ids);
    s->ids = NULL;
}

char *trine_stream_take(trine_stream *s)
{
    trine_buffer_append(&s->text, "", 0); /* an empty text is a text */
    return trine_buffer_take(&s->text);
}

/* Whether the tokens end in a run of SentencePiece's byte fallback, "<0xE4>". Special tokens leave no trace, so they end none. */
static bool in_byte_run(const trine_stream *s)
{
    int last = s->n_ids - 1;
    while (last >= 0 && trine_tokenizer_is_special(s->tokenizer, s->ids[last])) last--;
    const char *token = last >= 0 ? trine_tokenizer_token(s->tokenizer, s->ids[last]) : NULL;
    return token && strlen(token) == 6 && !strncmp(token, "<0x", 3) && token[5] == '>';
}

/* Bytes of `text` that no later token can change. */
static size_t sure_bytes(const char *text)
{
    size_t n = strlen(text);
    while (n >= 3 && !memcmp(text + n - 3, "\xEF\xBF\xBD", 3)) n -= 3;
    return n;
}

/* Where the first stop string begins in the text not yet shown; false when there is none. */
static bool find_stop(size_t *at, const trine_stream *s)
{
    const char *first = NULL;
    for (int i = 0; i < s->n_stop; i++) {
        const char *hit = strstr(s->text.data + s->shown, s->stop[i]);
        if (hit && (!first || hit < first)) first = hit;
    }
    *at = first ? (size_t)(first - s->text.data) : s->text.n;
    return first != NULL;
}

/* Length of the longest end of the unshown text that begins a stop string. */
static size_t held_bytes(const trine_stream *s)
{
    size_t held = 0;
    for (int i = 0; i < s->n_stop; i++) {
        const size_t stop_bytes = strlen(s->stop[i]), left = s->text.n - s->shown;
        for (size_t n = stop_bytes - 1 < left ? stop_bytes - 1 : left; n > held; n--)
            if (!memcmp(s->text.data + s->text.n - n, s->stop[i], n)) held = n;
    }
    return held;
}

/* Gives on_text what is sure now. */
static void show(trine_stream *s, bool final)
{
    size_t end;
    if (!s->text.data) return;
    if (s->n_stop && find_stop(&end, s)) {
        s->stopped = true;
        s->text.n = end;
        s->text.data[end] = 0;
    }
    end = s->text.n - (final || s->stopped || !s->n_stop ? 0 : held_bytes(s));
    if (s->on_text && end > s->shown && !s->on_text(s->user, s->text.data + s->shown, end - s->shown)) s->cancelled = true;
    s->shown = end;
}

/* Forgets all tokens but the last, once all text before the next is sure. Not when the last are no text: then the next one would
 * be taken for a beginning, where decoders leave out a space. */
static trine_status move_anchor(trine_stream *s, trine_error *err)
{
    char *tail;
    const int32_t *last = s->ids + s->n_ids - ANCHOR_KEEPS;
    const trine_status status = trine_tokenizer_decode(&tail, s->tokenizer, last, ANCHOR_KEEPS, true, err);
    if (status) return status;
    if (*tail) {
        memmove(s->ids, last, ANCHOR_KEEPS * sizeof *s->ids);
        s->n_ids = ANCHOR_KEEPS;
        s->known = strlen(tail);
    }
    trine_free(tail);
    return TRINE_OK;
}

static trine_status decode(trine_stream *s, bool final, trine_error *err)
{
    char *text;
    trine_status status = trine_tokenizer_decode(&text, s->tokenizer, s->ids, s->n_ids, true, err);
    if (status) return status;
    const size_t whole = strlen(text), sure = final ? whole : sure_bytes(text);
    if (sure > s->known) {
        trine_buffer_append(&s->text, text + s->known, sure - s->known);
        s->known = sure;
    }
    trine_free(text);
    if (s->text.failed) return trine_fail(err, TRINE_ERROR_MEMORY, "generate: no memory for the text");
    show(s, final);
    return !final && sure == whole && s->n_ids >= ANCHOR_EVERY ? move_anchor(s, err) : TRINE_OK;
}

static bool has_token(const trine_stream *s, int32_t id) { return id >= 0 && id < trine_tokenizer_vocab_size(s->tokenizer); }

static trine_status keep_id(trine_stream *s, int32_t id, trine_error *err)
{
    if (s->n_ids == s->ids_cap) {
        const int cap = s->ids_cap ? 2 * s->ids_cap : 2 * ANCHOR_EVERY;
        int32_t *ids = realloc(s->ids, (size_t)cap * sizeof *ids);
        if (!ids) return trine_fail(err, TRINE_ERROR_MEMORY, "generate: no memory for the text of %d tokens", cap);
        s->ids = ids;
        s->ids_cap = cap;
    }
    s->ids[s->n_ids++] = id;
    return TRINE_OK;
}

trine_status trine_stream_follow(trine_stream *s, const int32_t *ids, int n, trine_error *err)
{
    char *text;
    trine_status status = TRINE_OK;
    if (!s->tokenizer) return TRINE_OK;
    for (int i = n > ANCHOR_KEEPS ? n - ANCHOR_KEEPS : 0; i < n && !status; i++)
        if (has_token(s, ids[i])) status = keep_id(s, ids[i], err);
    if (!status && s->n_ids) status = trine_tokenizer_decode(&text, s->tokenizer, s->ids, s->n_ids, true, err);
    if (status || !s->n_ids) return status;
    s->known = sure_bytes(text);
    if (!*text) s->n_ids = 0; /* special tokens alone: a text begins after them */
    trine_free(text);
    return TRINE_OK;
}

trine_status trine_stream_push(trine_stream *s, int32_t id, trine_error *err)
{
    if (s->stopped || s->cancelled || !s->tokenizer || !has_token(s, id)) return TRINE_OK;
    const trine_status status = keep_id(s, id, err);
    if (status) return status;
    return in_byte_run(s) ? TRINE_OK : decode(s, false, err);
}

trine_status trine_stream_end(trine_stream *s, trine_error *err)
{
    return s->stopped || s->cancelled || !s->n_ids ? TRINE_OK : decode(s, true, err);
}
