/* vocabulary_out.c - a tokenizer as a GGUF vocabulary. GGUF knows four kinds and, for byte-level BPE, a few names of pre-tokenizers;
 * a tokenizer that none of them describes is refused, because its ids would silently change. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "tokenizer/piece_model.h"
#include "tokenizer/pre_patterns.h"

/* What a lent vocabulary points to; one block, freed with the tokenizer. */
typedef struct lent {
    const char **tokens, **merges;
    float *scores;
    int32_t *types;
    unsigned char *charsmap;
    char *text;
} lent;

static trine_status no_memory(trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory for its vocabulary");
}

static const json_t *member(const json_t *object, const char *key) { return json_object_get(object, key); }

static bool is_type(const json_t *component, const char *type)
{
    const char *name = json_string_value(member(component, "type"));
    return name && !strcmp(name, type);
}

/* The first component of a kind in a normaliser, pre-tokenizer or decoder, alone or in a sequence; NULL when there is none. */
static const json_t *component(const json_t *root, const char *part, const char *list, const char *type)
{
    const json_t *top = member(root, part), *steps = member(top, list);
    if (is_type(top, type)) return top;
    for (size_t i = 0; i < json_array_size(steps); i++)
        if (is_type(json_array_get(steps, i), type)) return json_array_get(steps, i);
    return NULL;
}

static const json_t *normalizer(const json_t *root, const char *type) { return component(root, "normalizer", "normalizers", type); }
static const json_t *pretokenizer(const json_t *root, const char *type)
{
    return component(root, "pre_tokenizer", "pretokenizers", type);
}

/* ---- strings */

/* How GGUF spells a token: WordPiece marks starts of words, not what follows. */
static void spell(trine_buffer *out, const trine_tokenizer *t, trine_piece p, bool added)
{
    const bool wordpiece = t->algorithm == TRINE_WORDPIECE;
    if (wordpiece && p.n > 2 && !memcmp(p.text, "##", 2)) {
        trine_buffer_append(out, p.text + 2, p.n - 2);
    } else {
        if (wordpiece && !added && !(p.n > 1 && p.text[0] == '[' && p.text[p.n - 1] == ']'))
            trine_buffer_append(out, "\xE2\x96\x81", 3);
        trine_buffer_append(out, p.text, p.n);
    }
    trine_buffer_putc(out, 0);
}

/* All strings one after the other, each with its zero: tokens, then merges. */
static bool spell_all(trine_buffer *out, const trine_tokenizer *t)
{
    for (int id = 0; id < t->vocab_size; id++) {
        const trine_added_token *added = trine_added_tokens_find(&t->added, id);
        const trine_piece p =
            added ? (trine_piece) { added->content, (uint32_t)added->n_content } : trine_vocab_piece(&t->vocab, id);
        if (p.text && p.n)
            spell(out, t, p, added != NULL);
        else
            trine_buffer_printf(out, "[PAD%d]%c", id, 0);
    }
    for (int i = 0; i < t->n_merges; i++) {
        const trine_piece a = trine_vocab_piece(&t->vocab, t->merges[i].left), b = trine_vocab_piece(&t->vocab, t->merges[i].right);
        trine_buffer_append(out, a.text, a.n);
        trine_buffer_putc(out, ' ');
        trine_buffer_append(out, b.text, b.n);
        trine_buffer_putc(out, 0);
    }
    return !out->failed;
}

/* ---- numbers */

static bool is_byte_token(const int32_t bytes[256], int id)
{
    for (int b = 0; b < 256; b++)
        if (bytes[b] == id) return true;
    return false;
}

static void fill_types(int32_t *types, const trine_tokenizer *t, bool pieces)
{
    const bool fallback = pieces && (t->algorithm == TRINE_BPE ? t->bpe.options.byte_fallback : t->unigram.byte_fallback);
    int32_t bytes[256];
    trine_find_byte_tokens(bytes, &t->vocab);
    for (int id = 0; id < t->vocab_size; id++) {
        const trine_added_token *added = trine_added_tokens_find(&t->added, id);
        if (pieces && id == t->specials[TRINE_TOKEN_UNK])
            types[id] = TRINE_PIECE_UNKNOWN;
        else if (added)
            types[id] = added->special ? TRINE_PIECE_CONTROL : TRINE_PIECE_USER_DEFINED;
        else if (!trine_vocab_piece(&t->vocab, id).n)
            types[id] = TRINE_PIECE_UNUSED;
        else
            types[id] = fallback && is_byte_token(bytes, id) ? TRINE_PIECE_BYTE : TRINE_PIECE_NORMAL;
    }
}

/* Scores of a BPE that has only merges: the product of the merge of rank r has score -r, so that the order is the same. */
static void fill_scores(float *scores, const trine_tokenizer *t)
{
    for (int id = 0; id < t->vocab_size; id++) scores[id] = t->scores && id < t->vocab.n ? (float)t->scores[id] : 0.0f;
    if (t->scores) return;
    for (int i = t->n_merges - 1; i >= 0; i--) {
        const trine_piece a = trine_vocab_piece(&t->vocab, t->merges[i].left), b = trine_vocab_piece(&t->vocab, t->merges[i].right);
        const int32_t id = trine_vocab_find_pair(&t->vocab, a.text, a.n, b.text, b.n);
        if (id >= 0) scores[id] = (float)-i;
    }
}

/* ---- kinds */

static trine_status refuse(const char *what, trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "tokenizer: GGUF cannot say %s", what);
}

/* How many of a part's components there are. */
static size_t n_components(const json_t *root, const char *part, const char *list)
{
    const json_t *top = member(root, part);
    return is_type(top, "Sequence") ? json_array_size(member(top, list)) : json_is_object(top);
}

/* BERT's normaliser as GGUF implies it: case by the vocabulary, accents with it, all else on. */
static trine_status classify_bert(trine_vocabulary *v, const trine_tokenizer *t, const json_t *root, trine_error *err)
{
    const json_t *bert = normalizer(root, "BertNormalizer"), *accents = member(bert, "strip_accents");
    const bool lower = !json_is_false(member(bert, "lowercase"));
    v->model = "bert";
    if (!bert || n_components(root, "normalizer", "normalizers") != 1 || !pretokenizer(root, "BertPreTokenizer"))
        return refuse("WordPiece with other steps than BERT's", err);
    if (json_is_false(member(bert, "clean_text")) || json_is_false(member(bert, "handle_chinese_chars")) ||
        (json_is_boolean(accents) && json_is_true(accents) != lower))
        return refuse("BERT's normaliser with clean_text, handle_chinese_chars or strip_accents set apart", err);
    if (lower == trine_vocabulary_is_cased(t)) return refuse("lower case for a vocabulary with capitals, or the reverse", err);
    return TRINE_OK;
}

/* Model, pre-tokenizer and flags. */
static trine_status classify(trine_vocabulary *v, const trine_tokenizer *t, const json_t *root, trine_error *err)
{
    switch (t->algorithm) {
    case TRINE_WORDPIECE: return classify_bert(v, t, root, err);
    case TRINE_UNIGRAM:
        v->model = "t5";
        v->add_space_prefix = 1; /* WhitespaceSplit and Metaspace: single spaces, one before each word */
        v->remove_extra_whitespaces = true;
        return pretokenizer(root, "WhitespaceSplit") && pretokenizer(root, "Metaspace")
                   ? TRINE_OK
                   : refuse("a unigram that does not cut at spaces as T5's does", err);
    case TRINE_BPE: break;
    default: return refuse("this kind of tokenizer (bytes or whole words)", err);
    }
    if (pretokenizer(root, "ByteLevel")) {
        const json_t *split = pretokenizer(root, "Split");
        const char *pattern = json_string_value(member(member(split, "pattern"), "Regex"));
        const bool nfc = normalizer(root, "NFC") != NULL;
        if (n_components(root, "normalizer", "normalizers") != nfc)
            return refuse("byte-level BPE with other normalisers than NFC", err);
        const trine_pre_pattern *pre =
            split && !pattern ? NULL : trine_pre_pattern_match(pattern, pretokenizer(root, "Digits") != NULL, nfc);
        if (!pre)
            return trine_fail(err, TRINE_ERROR_UNSUPPORTED,
                              "tokenizer: GGUF has no name that trine knows for its pattern; known: %s", trine_pre_pattern_names());
        v->model = "gpt2";
        v->pre = pre->name;
        v->add_space_prefix = json_is_true(member(pretokenizer(root, "ByteLevel"), "add_prefix_space"));
        return TRINE_OK;
    }
    const trine_pretokenizer *metaspace =
        t->n_pretokenizers && t->pretokenizers[0].kind == TRINE_SPLIT_METASPACE ? &t->pretokenizers[0] : NULL;
    if ((t->bpe_prefix && *t->bpe_prefix) || (t->bpe_suffix && *t->bpe_suffix) || t->n_pretokenizers > 1 ||
        (t->n_pretokenizers ? !metaspace || metaspace->split || metaspace->character != 0x2581 : !normalizer(root, "Replace")))
        return refuse("this kind of BPE", err);
    v->model = "llama";
    v->add_space_prefix = metaspace ? metaspace->scheme != TRINE_PREPEND_NEVER : normalizer(root, "Prepend") != NULL;
    if (metaspace)
        v->pre = trine_pre_scheme_name(metaspace->scheme == TRINE_PREPEND_ALWAYS  ? "always"
                                       : metaspace->scheme == TRINE_PREPEND_FIRST ? "first"
                                                                                  : "never");
    v->remove_extra_whitespaces = normalizer(root, "Strip") != NULL;
    return TRINE_OK;
}

static int base64_digit(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

static size_t decode_base64(unsigned char *out, const char *text)
{
    size_t n = 0;
    unsigned word = 0, bits = 0;
    for (; *text && base64_digit(*text) >= 0; text++) {
        word = word << 6 | (unsigned)base64_digit(*text);
        bits += 6;
        if (bits >= 8) out[n++] = (unsigned char)(word >> (bits -= 8));
    }
    return n;
}

/* Whether the template of one text begins and ends with these. */
static void ends_of(trine_vocabulary *v, const trine_tokenizer *t)
{
    const trine_template *s = &t->single;
    v->add_bos = v->add_eos = 0;
    if (s->n < 1) return;
    const trine_template_piece *first = &s->pieces[0], *last = &s->pieces[s->n - 1];
    v->add_bos = first->sequence < 0 && first->n_ids && (first->ids[0] == v->bos || first->ids[0] == v->cls);
    v->add_eos =
        last->sequence < 0 && last->n_ids && (last->ids[last->n_ids - 1] == v->eos || last->ids[last->n_ids - 1] == v->sep);
}

/* Strings of GGUF could hold a zero, those of trine_vocabulary end at one. */
static bool has_zero(const trine_vocab *v)
{
    for (int id = 0; id < v->n; id++)
        if (v->pieces[id].n && memchr(v->pieces[id].text, 0, v->pieces[id].n)) return true;
    return false;
}

/* A user-defined token that takes in its neighbours' spaces, or wants to stand alone; of control tokens only "<mask>" does, and is
 * known by its name. */
static const trine_added_token *odd_token(const trine_added_tokens *a)
{
    for (int i = 0; i < a->n; i++)
        if (!a->items[i].special && (a->items[i].lstrip || a->items[i].rstrip || a->items[i].single_word)) return &a->items[i];
    return NULL;
}

static trine_status lend(trine_vocabulary *out, trine_tokenizer *t, const json_t *root, trine_error *err)
{
    const bool pieces = !strcmp(out->model, "llama") || !strcmp(out->model, "t5"), merges = !strcmp(out->model, "gpt2");
    const char *map = json_string_value(member(normalizer(root, "Precompiled"), "precompiled_charsmap"));
    trine_buffer text = { 0 };
    const size_t n = (size_t)t->vocab_size, n_merges = (size_t)t->n_merges;
    const size_t pointers = (n + n_merges) * sizeof(char *), numbers = n * (sizeof(float) + sizeof(int32_t));
    char *block = spell_all(&text, t) ? malloc(sizeof(lent) + pointers + numbers + text.n + (map ? strlen(map) : 0) + 1) : NULL;
    if (!block) {
        trine_buffer_clear(&text);
        return no_memory(err);
    }
    lent *l = (lent *)(void *)block;
    l->tokens = (const char **)(void *)(block + sizeof *l);
    l->merges = l->tokens + n;
    l->scores = (float *)(void *)(l->merges + n_merges);
    l->types = (int32_t *)(void *)(l->scores + n);
    l->text = (char *)(l->types + n);
    l->charsmap = (unsigned char *)l->text + text.n;
    if (text.n) memcpy(l->text, text.data, text.n);
    trine_buffer_clear(&text);
    const char *at = l->text;
    for (size_t i = 0; i < n + n_merges; i++, at += strlen(at) + 1) l->tokens[i] = at;
    fill_types(l->types, t, pieces);
    fill_scores(l->scores, t);
    free(t->exported);
    t->exported = block;
    out->n_tokens = t->vocab_size;
    out->tokens = l->tokens;
    out->token_types = l->types;
    out->scores = pieces ? l->scores : NULL;
    out->n_merges = merges ? t->n_merges : 0;
    out->merges = merges ? l->merges : NULL;
    if (map) {
        out->charsmap_bytes = decode_base64(l->charsmap, map);
        out->charsmap = l->charsmap;
    }
    return TRINE_OK;
}

trine_status trine_tokenizer_to_vocabulary(trine_vocabulary *out, trine_tokenizer *tokenizer, trine_error *err)
{
    if (!out || !tokenizer) return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: no tokenizer or no place for its vocabulary");
    const int32_t *s = tokenizer->specials;
    *out = (trine_vocabulary) { .pre = "",
                                .bos = s[TRINE_TOKEN_BOS],
                                .eos = s[TRINE_TOKEN_EOS],
                                .pad = s[TRINE_TOKEN_PAD],
                                .unk = s[TRINE_TOKEN_UNK],
                                .cls = s[TRINE_TOKEN_CLS],
                                .sep = s[TRINE_TOKEN_SEP],
                                .mask = s[TRINE_TOKEN_MASK],
                                .add_space_prefix = -1,
                                .chat_template = tokenizer->chat_template };
    if (!tokenizer->config) return refuse("this tokenizer", err);
    if (has_zero(&tokenizer->vocab)) return refuse("a token that holds U+0000", err);
    if (odd_token(&tokenizer->added)) return refuse("an added token with lstrip, rstrip or single_word", err);
    json_t *root = NULL;
    trine_status status = trine_json_read(&root, tokenizer->config, strlen(tokenizer->config), "tokenizer", err);
    if (!status) status = classify(out, tokenizer, root, err);
    if (!status) status = lend(out, tokenizer, root, err);
    if (!status) ends_of(out, tokenizer);
    json_decref(root);
    if (status) *out = (trine_vocabulary) { 0 };
    return status;
}
