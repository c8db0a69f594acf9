/* tokenizer.c - a tokenizer's life, what it knows of its vocabulary, and tokens back to text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer_core.h"
#include "tokenizer/unicode.h"

void trine_template_clear(trine_template *template)
{
    for (int i = 0; i < template->n; i++) free(template->pieces[i].ids);
    free(template->pieces);
    *template = (trine_template) { 0 };
}

void trine_tokenizer_close(trine_tokenizer *t)
{
    if (!t) return;
    for (int i = 0; i < t->n_normalizers; i++) trine_normalizer_clear(&t->normalizers[i]);
    for (int i = 0; i < t->n_pretokenizers; i++) trine_pretokenizer_clear(&t->pretokenizers[i]);
    for (int i = 0; i < t->n_decoders; i++) trine_decoder_clear(&t->decoders[i]);
    free(t->normalizers);
    free(t->pretokenizers);
    free(t->decoders);
    trine_added_tokens_clear(&t->added);
    trine_template_clear(&t->single);
    trine_template_clear(&t->pair);
    trine_wordpiece_clear(&t->wordpiece);
    trine_bpe_clear(&t->bpe);
    trine_unigram_clear(&t->unigram);
    trine_vocab_clear(&t->vocab);
    free(t->scores);
    free(t->merges);
    free(t->bpe_unk);
    free(t->bpe_prefix);
    free(t->bpe_suffix);
    free(t->chat_template);
    free(t->config);
    trine_mapping_close(&t->source);
    free(t->exported);
    if (t->room) trine_encode_room_free(*t->room);
    free(t->room);
    free(t);
}

int trine_tokenizer_vocab_size(const trine_tokenizer *tokenizer) { return tokenizer ? tokenizer->vocab_size : 0; }

const char *trine_tokenizer_token(const trine_tokenizer *tokenizer, int32_t id)
{
    if (!tokenizer) return NULL;
    const trine_added_token *added = trine_added_tokens_find(&tokenizer->added, id);
    return added ? added->content : trine_vocab_piece(&tokenizer->vocab, id).text;
}

char *trine_tokenizer_token_bytes(size_t *n, const trine_tokenizer *tokenizer, int32_t id)
{
    const char *spelt = trine_tokenizer_token(tokenizer, id);
    char *bytes = spelt ? malloc(strlen(spelt) + 1) : NULL;
    unsigned fallback;
    *n = 0;
    if (!bytes) return NULL;
    if (strlen(spelt) == 6 && sscanf(spelt, "<0x%2X>", &fallback) == 1) {
        bytes[(*n)++] = (char)fallback;
    } else {
        for (const char *p = spelt; *p; p += trine_utf8_length((unsigned char)*p)) {
            const int byte = trine_character_byte(trine_utf8_at(p));
            if (byte < 0) {
                free(bytes);
                *n = 0;
                return NULL;
            }
            bytes[(*n)++] = (char)byte;
        }
    }
    bytes[*n] = 0;
    return bytes;
}

int32_t trine_tokenizer_id(const trine_tokenizer *tokenizer, const char *token)
{
    if (!tokenizer || !token) return -1;
    const size_t n = strlen(token);
    for (int i = 0; i < tokenizer->added.n; i++) {
        const trine_added_token *added = &tokenizer->added.items[i];
        if (added->n_content == n && !memcmp(added->content, token, n)) return added->id;
    }
    return trine_vocab_find(&tokenizer->vocab, token, n);
}

int32_t trine_tokenizer_special(const trine_tokenizer *tokenizer, trine_special which)
{
    return tokenizer && (int)which >= 0 && (int)which < TRINE_N_SPECIALS ? tokenizer->specials[which] : -1;
}

bool trine_tokenizer_is_special(const trine_tokenizer *tokenizer, int32_t id)
{
    const trine_added_token *added = tokenizer ? trine_added_tokens_find(&tokenizer->added, id) : NULL;
    return added && added->special;
}

const char *trine_tokenizer_algorithm(const trine_tokenizer *tokenizer)
{
    if (!tokenizer) return NULL;
    switch (tokenizer->algorithm) {
    case TRINE_WORDPIECE: return "wordpiece";
    case TRINE_BPE: return "bpe";
    case TRINE_UNIGRAM: return "unigram";
    case TRINE_WORDLEVEL: return "words";
    case TRINE_BYTES: return "bytes";
    }
    return NULL;
}

const char *trine_tokenizer_chat_template(const trine_tokenizer *tokenizer) { return tokenizer ? tokenizer->chat_template : NULL; }

trine_piece trine_token_text(const trine_tokenizer *t, int32_t id)
{
    const trine_added_token *added = trine_added_tokens_find(&t->added, id);
    if (!added) return trine_vocab_piece(&t->vocab, id);
    if (added->normal) return (trine_piece) { added->normal, (uint32_t)added->n_normal };
    return (trine_piece) { added->content, (uint32_t)added->n_content };
}

/* ByT5: the bytes that are no special token, decoded together. */
static void decode_bytes(trine_texts *texts, const trine_tokenizer *t, const int32_t *ids, int n, bool skip_special)
{
    trine_buffer bytes = { 0 };
    for (int i = 0; i < n; i++) {
        const trine_added_token *added = trine_added_tokens_find(&t->added, ids[i]);
        if (added && !(skip_special && added->special))
            trine_buffer_append(&bytes, added->content, added->n_content);
        else if (!added && ids[i] >= 3 && ids[i] < 3 + 256)
            trine_buffer_putc(&bytes, (char)(ids[i] - 3));
    }
    for (size_t i = 0, taken; i < bytes.n; i += taken) { /* what is no UTF-8 is dropped, as ByT5Tokenizer does */
        const uint32_t c = trine_utf8_next(&taken, bytes.data + i, bytes.n - i);
        if (c != 0xFFFD || (taken == 3 && (unsigned char)bytes.data[i] == 0xEF))
            trine_buffer_append(&texts->bytes, bytes.data + i, taken);
    }
    if (bytes.failed) texts->failed = true;
    trine_buffer_clear(&bytes);
    trine_texts_end(texts);
}

/* The text is handed out as one that ends with a zero byte: a zero inside it (a token of the byte 0) would hide all that follows. */
static void leave_out_zeros(trine_buffer *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->n; i++)
        if (b->data[i]) b->data[kept++] = b->data[i];
    b->n = kept;
}

trine_status trine_tokenizer_decode(char **out, const trine_tokenizer *tokenizer, const int32_t *ids, int n, bool skip_special,
                                    trine_error *err)
{
    if (!out) return trine_fail(err, TRINE_ERROR_ARGUMENT, "decode: no place for the result");
    *out = NULL;
    if (!tokenizer || n < 0 || (n && !ids)) return trine_fail(err, TRINE_ERROR_ARGUMENT, "decode: no tokenizer or no ids");
    for (int i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= tokenizer->vocab_size)
            return trine_fail(err, TRINE_ERROR_ARGUMENT, "decode: id %d, expected 0 to %d", ids[i], tokenizer->vocab_size - 1);
    trine_texts texts = { 0 };
    if (tokenizer->algorithm == TRINE_BYTES) {
        decode_bytes(&texts, tokenizer, ids, n, skip_special);
    } else {
        for (int i = 0; i < n; i++) {
            const trine_piece p = trine_token_text(tokenizer, ids[i]);
            if (!p.text || (skip_special && trine_tokenizer_is_special(tokenizer, ids[i]))) continue;
            if (!tokenizer->n_decoders && texts.n) trine_buffer_putc(&texts.bytes, ' ');
            trine_buffer_append(&texts.bytes, p.text, p.n);
            trine_texts_end(&texts);
        }
    }
    trine_status status = trine_decode_texts(&texts, tokenizer->decoders, tokenizer->n_decoders, err);
    leave_out_zeros(&texts.bytes);
    if (!status && !(*out = trine_buffer_take(&texts.bytes))) status = trine_fail(err, TRINE_ERROR_MEMORY, "decode: no memory");
    trine_texts_clear(&texts);
    return status;
}
