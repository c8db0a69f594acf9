/* piece_model.c - vocabularies of pieces with scores, wherever they come from: sentencepiece's own file or a GGUF.
 *
 * The model says which pieces there are; how text is cut before is what `transformers` does with such a model: for T5's kind words
 * are split at spaces first, else the whole text is one sequence with spaces spelt U+2581. BPE models hold scores, no merges:
 * every way to cut a piece into two others is a merge, in order of the pieces' scores. */
#include "tokenizer/piece_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "tokenizer/unicode.h"

enum { PIECE_LIMIT = 1024 };

static trine_status no_memory(trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory for its pieces");
}

/* A merge with what it is ordered by. */
typedef struct scored_merge {
    trine_merge ids;
    double score;
    uint32_t left, right; /* characters */
    uint32_t order;
} scored_merge;

static int compare_merges(const void *a, const void *b)
{
    const scored_merge *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->left != y->left) return x->left > y->left ? -1 : 1;
    if (x->right != y->right) return x->right > y->right ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static uint32_t count_characters(const char *s, size_t n)
{
    uint32_t count = 0;
    for (size_t i = 0; i < n; i++) count += ((unsigned char)s[i] & 0xC0) != 0x80;
    return count;
}

trine_status trine_merges_from_scores(trine_tokenizer *t, const int32_t *types, trine_error *err)
{
    scored_merge *list = NULL;
    size_t n = 0, cap = 0;
    for (int32_t id = 0; id < t->vocab.n; id++) {
        const trine_piece p = trine_vocab_piece(&t->vocab, id);
        if (!p.text || p.n > PIECE_LIMIT || (types && types[id] != TRINE_PIECE_NORMAL && types[id] != TRINE_PIECE_USER_DEFINED))
            continue;
        for (size_t cut = trine_utf8_length((unsigned char)p.text[0]); cut < p.n;
             cut += trine_utf8_length((unsigned char)p.text[cut])) {
            const int32_t left = trine_vocab_find(&t->vocab, p.text, cut);
            const int32_t right = left < 0 ? -1 : trine_vocab_find(&t->vocab, p.text + cut, p.n - cut);
            if (right < 0) continue;
            if (n == cap) {
                cap = cap ? 2 * cap : 4096;
                scored_merge *more = n < TRINE_ID_LIMIT ? realloc(list, cap * sizeof *list) : NULL;
                if (!more) {
                    free(list);
                    return no_memory(err);
                }
                list = more;
            }
            list[n] = (scored_merge) { { left, right },
                                       t->scores[id],
                                       count_characters(p.text, cut),
                                       count_characters(p.text + cut, p.n - cut),
                                       (uint32_t)n };
            n++;
        }
    }
    if (n) qsort(list, n, sizeof *list, compare_merges);
    t->merges = malloc((n + 1) * sizeof *t->merges);
    if (t->merges) {
        for (size_t i = 0; i < n; i++) t->merges[i] = list[i].ids;
        t->n_merges = (int)n;
    }
    free(list);
    return t->merges ? TRINE_OK : no_memory(err);
}

/* {"type": type, ...} appended to a list. */
static bool append(json_t *list, json_t *component) { return component && !json_array_append_new(list, component); }

static json_t *replace_json(const char *kind, const char *pattern, const char *content)
{
    return json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", kind, pattern, "content", content);
}

/* Bytes as base64 in a JSON string; NULL when memory ran out. */
static json_t *base64(const unsigned char *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    trine_buffer text = { 0 };
    for (size_t i = 0; i < n; i += 3) {
        const unsigned b = i + 1 < n ? bytes[i + 1] : 0, c = i + 2 < n ? bytes[i + 2] : 0,
                       word = (unsigned)bytes[i] << 16 | b << 8 | c;
        const char group[4] = { digits[word >> 18], digits[word >> 12 & 63], i + 1 < n ? digits[word >> 6 & 63] : '=',
                                i + 2 < n ? digits[word & 63] : '=' };
        trine_buffer_append(&text, group, 4);
    }
    json_t *out = text.failed || !text.data ? NULL : json_stringn(text.data, text.n);
    trine_buffer_clear(&text);
    return out;
}

trine_status trine_describe_sentencepiece(json_t **out, const trine_piece_model *m, trine_error *err)
{
    json_t *normalizers = json_array(), *pretokenizer = NULL, *decoders = json_array(), *root = NULL;
    bool fine = normalizers && decoders;
    if (m->charsmap_bytes) {
        json_t *map = base64(m->charsmap, m->charsmap_bytes);
        fine = fine && map && append(normalizers, json_pack("{s:s, s:O}", "type", "Precompiled", "precompiled_charsmap", map));
        json_decref(map);
    }
    if (m->words) { /* T5: words at spaces, each with the mark before it */
        pretokenizer =
            json_pack("{s:s, s:[{s:s}, {s:s, s:s, s:s, s:b}]}", "type", "Sequence", "pretokenizers", "type", "WhitespaceSplit",
                      "type", "Metaspace", "replacement", "\xE2\x96\x81", "prepend_scheme", "always", "split", true);
        fine = fine && pretokenizer &&
               append(decoders, json_pack("{s:s, s:s, s:s, s:b}", "type", "Metaspace", "replacement", "\xE2\x96\x81",
                                          "prepend_scheme", "always", "split", true));
    } else {
        if (m->remove_extra_spaces)
            fine = fine &&
                   append(normalizers, json_pack("{s:s, s:b, s:b}", "type", "Strip", "strip_left", true, "strip_right", true)) &&
                   append(normalizers, replace_json("Regex", " {2,}", " "));
        if (m->scheme)
            pretokenizer = json_pack("{s:s, s:s, s:s, s:b}", "type", "Metaspace", "replacement", "\xE2\x96\x81", "prepend_scheme",
                                     m->scheme, "split", false);
        else if (m->add_prefix)
            fine = fine && append(normalizers, json_pack("{s:s, s:s}", "type", "Prepend", "prepend", "\xE2\x96\x81"));
        if (!m->scheme) fine = fine && append(normalizers, replace_json("String", " ", "\xE2\x96\x81"));
        fine = fine && append(decoders, replace_json("String", "\xE2\x96\x81", " ")) &&
               append(decoders, json_pack("{s:s}", "type", "ByteFallback")) && append(decoders, json_pack("{s:s}", "type", "Fuse"));
        if (m->add_prefix)
            fine =
                fine && append(decoders, json_pack("{s:s, s:s, s:i, s:i}", "type", "Strip", "content", " ", "start", 1, "stop", 0));
    }
    if (fine) {
        json_t *model = m->bpe ? json_pack("{s:s, s:s*, s:b, s:b}", "type", "BPE", "unk_token", m->unk, "fuse_unk", true,
                                           "byte_fallback", m->byte_fallback)
                               : json_pack("{s:s, s:b}", "type", "Unigram", "byte_fallback", m->byte_fallback);
        if (model && !m->bpe && m->unk_id >= 0 && json_object_set_new(model, "unk_id", json_integer(m->unk_id))) {
            json_decref(model);
            model = NULL;
        }
        root = model ? json_pack("{s:s, s:{s:s, s:O}, s:O*, s:{s:s, s:O}, s:o}", "version", "1.0", "normalizer", "type", "Sequence",
                                 "normalizers", normalizers, "pre_tokenizer", pretokenizer, "decoder", "type", "Sequence",
                                 "decoders", decoders, "model", model)
                     : NULL;
        if (root && m->words) { /* as published: the decoder stands alone */
            if (json_object_set(root, "decoder", json_array_get(decoders, 0))) {
                json_decref(root);
                root = NULL;
            }
        }
    }
    json_decref(normalizers);
    json_decref(pretokenizer);
    json_decref(decoders);
    *out = root;
    return root ? TRINE_OK : no_memory(err);
}

trine_status trine_tokenizer_set_bos_eos(trine_tokenizer *t, const char *bos, const char *eos, int pair_type, trine_error *err)
{
    trine_buffer single = { 0 }, pair = { 0 };
    if (bos) trine_buffer_printf(&single, "%s ", bos);
    trine_buffer_puts(&single, "$A");
    if (eos) trine_buffer_printf(&single, " %s", eos);
    if (single.data) trine_buffer_puts(&pair, single.data);
    if (bos && pair_type) trine_buffer_printf(&pair, " %s:%d", bos, pair_type);
    trine_buffer_printf(&pair, " $B:%d", pair_type);
    if (eos) trine_buffer_printf(&pair, " %s:%d", eos, pair_type);
    const trine_status status =
        single.failed || pair.failed ? no_memory(err) : trine_tokenizer_set_template(t, single.data, pair.data, err);
    trine_buffer_clear(&single);
    trine_buffer_clear(&pair);
    return status;
}

trine_status trine_tokenizer_set_pair_template(trine_tokenizer *t, const char *cls, const char *sep, bool roberta, trine_error *err)
{
    trine_buffer single = { 0 }, pair = { 0 };
    trine_buffer_printf(&single, "%s $A %s", cls, sep);
    if (roberta)
        trine_buffer_printf(&pair, "%s $A %s %s $B %s", cls, sep, sep, sep);
    else
        trine_buffer_printf(&pair, "%s $A %s $B:1 %s:1", cls, sep, sep);
    const trine_status status =
        single.failed || pair.failed ? no_memory(err) : trine_tokenizer_set_template(t, single.data, pair.data, err);
    trine_buffer_clear(&single);
    trine_buffer_clear(&pair);
    return status;
}
