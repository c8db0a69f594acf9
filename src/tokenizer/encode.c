/* encode.c - text to tokens: cut out added tokens, normalise, split, run the model, put special tokens around.
 *
 * The order and every corner of it are those of `tokenizers` (src/tokenizer/mod.rs), so that ids and offsets agree. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer_core.h"
#include "tokenizer/unicode.h"

enum { TEXT_LIMIT = 1 << 30 }; /* bytes of one text: offsets are kept in 32 bits, with room for a text that grows */

/* What one encode call works with. */
typedef struct work {
    const trine_tokenizer *tokenizer;
    trine_encode_room *room;
    trine_aligned view; /* the text, borrowed or repaired */
} work;

/* The tokens of one text. */
typedef struct sequence {
    trine_tokens *tokens; /* begin and end are bytes of the original */
    int n;                /* that are kept */
} sequence;

static trine_status no_memory(trine_error *err, size_t n)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "encode: no memory for %zu bytes", n);
}

/* The text as valid UTF-8: itself, or a copy with U+FFFD for every maximal invalid part. */
static trine_status repair(trine_aligned *view, work *w, const char *text, size_t n, trine_error *err)
{
    *view = (trine_aligned) { .text = (char *)(uintptr_t)text, .n = n, .borrowed = true };
    if (trine_utf8_valid(text, n)) return TRINE_OK;
    trine_aligned *repaired = &w->room->repaired;
    trine_aligned_reset(repaired);
    for (size_t i = 0, taken; i < n; i += taken) {
        const uint32_t c = trine_utf8_next(&taken, text + i, n - i);
        trine_aligned_put(repaired, c, i, i + taken);
    }
    *view = *repaired;
    return repaired->failed ? no_memory(err, n) : TRINE_OK;
}

/* Added tokens found in the text as it is, the rest normalised, added tokens found in that. The result is in parts[0]. */
static trine_status extract(work *w, const trine_aligned *text, bool no_special, trine_error *err)
{
    const trine_tokenizer *t = w->tokenizer;
    trine_parts *out = &w->room->parts[0], *raw = &w->room->parts[1];
    raw->n = out->n = 0;
    trine_aligned_reset(&out->own);
    trine_added_tokens_split(raw, &t->added, false, no_special, text->text, 0, text->n);
    if (raw->failed) return no_memory(err, text->n);
    out->text = t->n_normalizers ? &out->own : text;
    for (size_t i = 0; i < raw->n; i++) {
        const trine_part *part = &raw->items[i];
        size_t begin = part->begin, end = part->end;
        if (t->n_normalizers) {
            const trine_aligned in = trine_aligned_part(text, begin, end);
            const trine_aligned *normal = &in;
            if (part->id < 0) {
                const trine_status status =
                    trine_normalize(&normal, t->normalizers, t->n_normalizers, &in, &w->room->normalizing, err);
                if (status) return status;
            }
            begin = out->own.n;
            trine_aligned_append(&out->own, normal, 0, normal->n);
            end = out->own.n;
            if (out->own.failed) return no_memory(err, text->n);
        }
        if (part->id >= 0)
            trine_parts_put(out, begin, end, part->id);
        else
            trine_added_tokens_split(out, &t->added, true, no_special, out->text->text, begin, end);
    }
    return out->failed ? no_memory(err, text->n) : TRINE_OK;
}

static trine_status run_model(trine_tokens *out, const trine_tokenizer *t, const char *text, size_t begin, size_t end,
                              trine_scratch *scratch, trine_error *err)
{
    switch (t->algorithm) {
    case TRINE_WORDPIECE: return trine_wordpiece_encode(out, &t->wordpiece, text, begin, end, err);
    case TRINE_BPE: return trine_bpe_encode(out, &t->bpe, text, begin, end, scratch, err);
    case TRINE_UNIGRAM: return trine_unigram_encode(out, &t->unigram, text, begin, end, scratch, err);
    case TRINE_WORDLEVEL: {
        int32_t id = trine_vocab_find(&t->vocab, text + begin, end - begin);
        if (id < 0) id = t->wordlevel_unk;
        if (id < 0) return trine_fail(err, TRINE_ERROR_FORMAT, "a word is not in the vocabulary, which has no unknown token");
        return trine_tokens_put(out, id, begin, end, err);
    }
    case TRINE_BYTES:
        for (size_t i = begin; i < end; i++) {
            const trine_status status = trine_tokens_put(out, 3 + (unsigned char)text[i], i, i + 1, err);
            if (status) return status;
        }
        return TRINE_OK;
    }
    return TRINE_ERROR_INTERNAL;
}

/* The tokens of [begin, end), from the words met before where it is one of them. */
static trine_status encode_word(trine_tokens *out, work *w, const char *text, size_t begin, size_t end, trine_error *err)
{
    const trine_tokenizer *t = w->tokenizer;
    const size_t n = end - begin;
    const bool memorable = n && n <= TRINE_WORD_BYTES && t->algorithm != TRINE_WORDLEVEL && t->algorithm != TRINE_BYTES;
    trine_word *word = memorable ? trine_word_place(w->room, text + begin, n) : NULL;
    trine_status status = TRINE_OK;
    if (word && trine_word_is(word, text + begin, n)) {
        for (int i = 0; i < word->n_tokens && !status; i++)
            status = trine_tokens_put(out, word->ids[i], begin + word->begins[i], begin + word->ends[i], err);
        return status;
    }
    const int first = out->n;
    status = run_model(out, t, text, begin, end, &w->room->scratch, err);
    const trine_token *made = out->n > first ? out->items + first : NULL; /* before the first token, items is NULL */
    if (!status && word) trine_word_keep(word, text + begin, n, made, out->n - first, begin);
    return status;
}

static trine_status encode_part(trine_tokens *out, work *w, const char *text, size_t begin, size_t end, trine_error *err)
{
    trine_status status = TRINE_OK;
    if (w->tokenizer->algorithm != TRINE_BPE) return encode_word(out, w, text, begin, end, err);
    for (size_t cut; begin < end && !status; begin = cut) {
        cut = trine_bpe_cut(&w->tokenizer->bpe, text, begin, end);
        status = encode_word(out, w, text, begin, cut, err);
    }
    return status;
}

/* How many characters at the start and the end of a token's text are spaces, spelt as such or as GPT-2's byte character. */
static void count_spaces(size_t *leading, size_t *trailing, const char *s, size_t n)
{
    *leading = *trailing = 0;
    bool all = true;
    for (size_t i = 0; i < n; i += trine_utf8_length((unsigned char)s[i])) {
        const uint32_t c = trine_utf8_at(s + i);
        const bool space = c == 0x120 || trine_is_space(c);
        all = all && space;
        *leading += all;
        *trailing = space ? *trailing + 1 : 0;
    }
}

/* The place k characters after `at` in the original. */
static size_t forward(const char *text, size_t n, size_t at, size_t k)
{
    for (size_t taken; k && at < n; k--, at += taken) trine_utf8_next(&taken, text + at, n - at);
    return at;
}

static size_t count_characters(const char *text, size_t begin, size_t end, size_t limit)
{
    size_t count = 0;
    for (size_t taken; begin < end && count < limit; count++, begin += taken) trine_utf8_next(&taken, text + begin, end - begin);
    return count;
}

/* Takes spaces off a token's offsets, as ByteLevel and RobertaProcessing do: counted in characters. */
static void trim(trine_token *token, int place, bool prefix_space, const char *spelt, size_t n_spelt, const char *text, size_t n)
{
    size_t leading, trailing;
    count_spaces(&leading, &trailing, spelt, n_spelt);
    if (leading && (place == 0 || token->begin == 0) && prefix_space && leading == 1) leading = 0;
    if (leading) {
        const size_t to = forward(text, n, token->begin, leading);
        token->begin = to < token->end ? (uint32_t)to : token->end;
    }
    if (trailing && count_characters(text, 0, token->end, trailing) >= trailing) {
        const size_t characters = count_characters(text, token->begin, token->end, SIZE_MAX);
        const size_t keep = characters > trailing ? characters - trailing : 0;
        token->end = (uint32_t)forward(text, n, token->begin, keep);
    }
}

/* The parts of one text that are added tokens, and those that the model is run on. */
static trine_status split(const trine_parts **out, work *w, const char *text, size_t n, bool no_special, trine_error *err)
{
    const trine_tokenizer *t = w->tokenizer;
    trine_status status = repair(&w->view, w, text, n, err);
    if (!status) status = extract(w, &w->view, no_special, err);
    trine_parts *parts = &w->room->parts[0];
    if (!status && t->n_pretokenizers)
        status = trine_pretokenize(&parts, w->room->parts, t->pretokenizers, t->n_pretokenizers, err);
    *out = parts;
    return status;
}

trine_status trine_tokenizer_split(const trine_parts **out, trine_aligned *view, const trine_tokenizer *tokenizer,
                                   trine_encode_room *room, const char *text, size_t n, bool no_special, trine_error *err)
{
    if (n > TEXT_LIMIT)
        return trine_fail(err, TRINE_ERROR_TOO_LONG, "encode: a text of %zu bytes, at most %d are taken at a time", n, TEXT_LIMIT);
    work w = { .tokenizer = tokenizer, .room = room };
    const trine_status status = split(out, &w, text, n, no_special, err);
    *view = w.view;
    if (!status && (*out)->text == &w.view) room->parts[*out == &room->parts[1]].text = view;
    return status;
}

trine_status trine_tokenizer_word(trine_tokens *out, const trine_tokenizer *tokenizer, trine_encode_room *room, const char *text,
                                  size_t n, trine_error *err)
{
    work w = { .tokenizer = tokenizer, .room = room };
    return encode_part(out, &w, text, 0, n, err);
}

/* All of one text: its tokens with offsets into the original. */
static trine_status encode_sequence(sequence *out, work *w, const char *text, size_t n, bool no_special, trine_error *err)
{
    const trine_tokenizer *t = w->tokenizer;
    trine_tokens *tokens = out->tokens;
    const trine_parts *parts = NULL;
    trine_status status = split(&parts, w, text, n, no_special, err);
    tokens->n = 0;
    for (size_t i = 0; !status && i < parts->n; i++) {
        const trine_part *part = &parts->items[i];
        const int first = tokens->n;
        if (part->id >= 0)
            status = trine_tokens_put(tokens, part->id, part->begin, part->end, err);
        else
            status = encode_part(tokens, w, parts->text->text, part->begin, part->end, err);
        for (int k = first; k < tokens->n && !status; k++) {
            trine_token *token = &tokens->items[k];
            trine_piece spelt = { NULL, 0 };
            if (t->n_trims) spelt = trine_vocab_piece(&t->vocab, token->id);
            if (part->id >= 0 || t->algorithm == TRINE_UNIGRAM)
                spelt = (trine_piece) { parts->text->text + token->begin, token->end - token->begin };
            const trine_span span = trine_aligned_span(parts->text, token->begin, token->end);
            token->begin = (uint32_t)span.start;
            token->end = (uint32_t)span.end;
            for (int trims = 0; trims < t->n_trims && spelt.text; trims++)
                trim(token, k, t->trim_prefix[trims], spelt.text, spelt.n, text, n);
        }
    }
    out->n = tokens->n;
    return status;
}

static int count_added(const trine_template *template)
{
    int n = 0;
    for (int i = 0; i < template->n; i++) n += template->pieces[i].n_ids;
    return n;
}

/* Longest first, as in `tokenizers` (utils/truncation.rs): the longer text gives until both are equal. */
static void truncate_both(sequence *a, sequence *b, int limit)
{
    if (a->n + b->n <= limit) return;
    int shorter = a->n < b->n ? a->n : b->n, longer;
    const bool swapped = a->n > b->n;
    if (shorter > limit)
        longer = shorter;
    else
        longer = limit - shorter > shorter ? limit - shorter : shorter;
    if (shorter + longer > limit) {
        shorter = limit / 2;
        longer = shorter + limit % 2;
    }
    const int n_a = swapped ? longer : shorter, n_b = swapped ? shorter : longer;
    if (n_a < a->n) a->n = n_a;
    if (n_b < b->n) b->n = n_b;
}

static trine_status allocate(trine_encoding *out, size_t n, trine_error *err)
{
    out->ids = malloc((n + 1) * sizeof *out->ids);
    out->types = malloc((n + 1) * sizeof *out->types);
    out->spans = malloc((n + 1) * sizeof *out->spans);
    out->special = malloc(n + 1);
    out->sequence = malloc(n + 1);
    if (out->ids && out->types && out->spans && out->special && out->sequence) return TRINE_OK;
    trine_encoding_clear(out);
    return trine_fail(err, TRINE_ERROR_MEMORY, "encode: no memory for %zu tokens", n);
}

static void put(trine_encoding *out, int32_t id, int32_t type, trine_span span, int sequence_of)
{
    out->ids[out->n] = id;
    out->types[out->n] = type;
    out->spans[out->n] = span;
    out->special[out->n] = sequence_of < 0;
    out->sequence[out->n] = (int8_t)sequence_of;
    out->n++;
}

/* `once`: a special token is not put behind a text that ends with it, as ByT5Tokenizer has it. */
static trine_status assemble(trine_encoding *out, const trine_template *template, const sequence both[2], bool no_special,
                             bool once, trine_error *err)
{
    size_t n = 0;
    for (int i = 0; i < template->n; i++) {
        const trine_template_piece *piece = &template->pieces[i];
        n += piece->sequence >= 0 ? (size_t)both[piece->sequence].n : no_special ? 0 : (size_t)piece->n_ids;
    }
    if (n > INT32_MAX) return trine_fail(err, TRINE_ERROR_TOO_LONG, "encode: %zu tokens, more than %d", n, INT32_MAX);
    const trine_status status = allocate(out, n, err);
    if (status) return status;
    int32_t last = -1; /* of the text just put */
    for (int i = 0; i < template->n; i++) {
        const trine_template_piece *piece = &template->pieces[i];
        if (piece->sequence < 0) {
            for (int k = 0; k < piece->n_ids && !no_special; k++)
                if (!once || piece->ids[k] != last) put(out, piece->ids[k], piece->type, (trine_span) { 0, 0 }, -1);
            last = -1;
            continue;
        }
        const sequence *s = &both[piece->sequence];
        last = s->n ? s->tokens->items[s->n - 1].id : -1;
        for (int k = 0; k < s->n; k++) {
            const trine_token *token = &s->tokens->items[k];
            put(out, token->id, piece->type, (trine_span) { token->begin, token->end }, piece->sequence);
        }
    }
    return TRINE_OK;
}

trine_status trine_tokenizer_encode(trine_encoding *out, const trine_tokenizer *tokenizer, const char *text, size_t text_bytes,
                                    const trine_encode_options *options, trine_error *err)
{
    if (!out) return trine_fail(err, TRINE_ERROR_ARGUMENT, "encode: no place for the result");
    *out = (trine_encoding) { 0 };
    if (!tokenizer || !text) return trine_fail(err, TRINE_ERROR_ARGUMENT, "encode: no %s", tokenizer ? "text" : "tokenizer");
    const trine_encode_options none = { 0 };
    if (!options) options = &none;
    const size_t n = text_bytes ? text_bytes : strlen(text);
    const size_t n_pair = !options->pair ? 0 : options->pair_bytes ? options->pair_bytes : strlen(options->pair);
    if (n > TEXT_LIMIT || n_pair > TEXT_LIMIT)
        return trine_fail(err, TRINE_ERROR_TOO_LONG, "encode: a text of %zu bytes, at most %d are taken at a time",
                          n > n_pair ? n : n_pair, TEXT_LIMIT);
    if (options->max_tokens < 0)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "encode: max_tokens is %d, expected 0 (no limit) or more",
                          options->max_tokens);
    const trine_template *template = options->pair ? &tokenizer->pair : &tokenizer->single;
    const int n_added = options->no_special ? 0 : count_added(template);
    if (options->max_tokens && options->max_tokens < n_added)
        return trine_fail(err, TRINE_ERROR_ARGUMENT,
                          "encode: max_tokens is %d, but %d special tokens are added: expected %d or more", options->max_tokens,
                          n_added, n_added);

    work w = { .tokenizer = tokenizer, .room = trine_encode_room_take(tokenizer->room) };
    if (!w.room) return no_memory(err, n);
    sequence both[2] = { { &w.room->tokens[0], 0 }, { &w.room->tokens[1], 0 } };
    trine_status status = encode_sequence(&both[0], &w, text, n, options->no_parse_special, err);
    if (!status && options->pair) status = encode_sequence(&both[1], &w, options->pair, n_pair, options->no_parse_special, err);
    if (!status && both[0].n > INT32_MAX - both[1].n) status = trine_fail(err, TRINE_ERROR_TOO_LONG, "encode: too many tokens");
    if (!status) {
        const int n_all = both[0].n + both[1].n;
        const int limit = options->max_tokens ? options->max_tokens - n_added : n_all;
        if (options->pair)
            truncate_both(&both[0], &both[1], limit);
        else if (both[0].n > limit)
            both[0].n = limit;
        status = assemble(out, template, both, options->no_special, tokenizer->algorithm == TRINE_BYTES, err);
        if (!status) out->n_cut = n_all - both[0].n - both[1].n;
    }
    trine_encode_room_give(tokenizer->room, w.room);
    return status;
}

void trine_encoding_clear(trine_encoding *encoding)
{
    if (!encoding) return;
    free(encoding->ids);
    free(encoding->types);
    free(encoding->spans);
    free(encoding->special);
    free(encoding->sequence);
    *encoding = (trine_encoding) { 0 };
}
