/* json_components.c - normalizers, pre-tokenizers and decoders of tokenizer.json; a Sequence is laid flat. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/utf8.h"
#include "tokenizer/tokenizer_json.h"
#include "tokenizer/unicode.h"

enum { DEPTH_LIMIT = 32 }; /* of sequences in sequences */

const char trine_gpt2_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

trine_status trine_json_bool(bool *out, const json_t *object, const char *where, const char *key, const bool *absent,
                             trine_error *err)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_boolean(value)) {
        *out = json_is_true(value);
        return TRINE_OK;
    }
    if (absent && (!value || json_is_null(value))) {
        *out = *absent;
        return TRINE_OK;
    }
    return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: %s: '%s' is %s, expected true or false", where, key,
                      value ? "something else" : "missing");
}

trine_status trine_json_text(const char **out, size_t *n, const json_t *object, const char *where, const char *key, bool optional,
                             trine_error *err)
{
    const json_t *value = json_object_get(object, key);
    *out = NULL;
    if (n) *n = 0;
    if (optional && (!value || json_is_null(value))) return TRINE_OK;
    if (!json_is_string(value))
        return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: %s: '%s' is %s, expected a string", where, key,
                          value ? "something else" : "missing");
    *out = json_string_value(value);
    if (n) *n = json_string_length(value);
    return TRINE_OK;
}

trine_status trine_json_int(json_int_t *out, const json_t *object, const char *where, const char *key, json_int_t low,
                            json_int_t high, trine_error *err)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < low || json_integer_value(value) > high)
        return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: %s: '%s' is %s, expected a whole number from %lld to %lld", where,
                          key,
                          !value                   ? "missing"
                          : json_is_integer(value) ? "out of range"
                                                   : "something else",
                          (long long)low, (long long)high);
    *out = json_integer_value(value);
    return TRINE_OK;
}

char *trine_copy_text(const char *text, size_t n)
{
    char *copy = malloc(n + 1);
    if (!copy) return NULL;
    if (n) memcpy(copy, text, n);
    copy[n] = 0;
    return copy;
}

static trine_status no_memory(trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory for its components");
}

/* A list with one more element, zeroed; NULL when memory ran out, the list then being as it was. */
static void *one_more(void *list, int n, size_t size)
{
    char *items = realloc(list, (size_t)(n + 1) * size);
    if (items) memset(items + (size_t)n * size, 0, size);
    return items;
}

/* {"String": ".."} or {"Regex": ".."} */
static trine_status read_pattern(trine_pattern **out, const json_t *object, const char *where, trine_error *err)
{
    const json_t *pattern = json_object_get(object, "pattern");
    const json_t *text = json_object_get(pattern, "String");
    const bool literal = text != NULL;
    if (!text) text = json_object_get(pattern, "Regex");
    if (!json_is_string(text))
        return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: %s: 'pattern' has neither a \"String\" nor a \"Regex\"", where);
    return trine_pattern_open(out, json_string_value(text), json_string_length(text), literal, err);
}

/* A string of exactly one character. */
static trine_status read_character(uint32_t *out, const json_t *object, const char *where, const char *key, trine_error *err)
{
    const char *text;
    size_t n, taken;
    const trine_status status = trine_json_text(&text, &n, object, where, key, false, err);
    if (status) return status;
    if (n) *out = trine_utf8_next(&taken, text, n);
    if (!n || taken != n)
        return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: %s: '%s' is '%.20s', expected one character", where, key, text);
    return TRINE_OK;
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static trine_status read_charsmap(trine_charsmap *out, const json_t *object, trine_error *err)
{
    const char *text;
    size_t n;
    trine_status status = trine_json_text(&text, &n, object, "Precompiled", "precompiled_charsmap", false, err);
    if (status) return status;
    unsigned char *bytes = malloc(n / 4 * 3 + 4);
    if (!bytes) return no_memory(err);
    while (n && text[n - 1] == '=') n--;
    size_t n_bytes = 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        const int digit = base64_digit(text[i]);
        if (digit < 0) {
            free(bytes);
            return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: Precompiled: 'precompiled_charsmap' is not base64 at %zu", i);
        }
        bits = bits << 6 | (uint32_t)digit;
        if (i % 4) bytes[n_bytes++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
    }
    status = trine_charsmap_open(out, bytes, n_bytes, err);
    free(bytes);
    return status;
}

/* Calls `one` for a component or for each of a Sequence; `key` is what the sequence calls its list. */
typedef trine_status read_one(trine_tokenizer *t, const json_t *value, const char *type, trine_error *err);
static trine_status read_list(trine_tokenizer *t, const json_t *value, const char *what, const char *key, read_one *one, int depth,
                              trine_error *err)
{
    if (!value || json_is_null(value)) return TRINE_OK;
    const char *type;
    if (!json_is_object(value)) return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: %s is no object", what);
    trine_status status = trine_json_text(&type, NULL, value, what, "type", false, err);
    if (status || strcmp(type, "Sequence")) return status ? status : one(t, value, type, err);
    const json_t *list = json_object_get(value, key);
    if (!json_is_array(list))
        return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: %s: a Sequence without a list '%s'", what, key);
    if (depth == DEPTH_LIMIT)
        return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: %s: more than %d sequences in each other", what, depth);
    for (size_t i = 0; i < json_array_size(list) && !status; i++)
        status = json_is_null(json_array_get(list, i))
                     ? trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: %s: element %zu of a Sequence is null", what, i)
                     : read_list(t, json_array_get(list, i), what, key, one, depth + 1, err);
    return status;
}

/* One entry a kind: the name in the file, the kind here. */
typedef struct kind_name {
    const char *name;
    int kind;
} kind_name;
static int find_kind(const kind_name *names, const char *type)
{
    for (; names->name; names++)
        if (!strcmp(names->name, type)) return names->kind;
    return -1;
}

static trine_status read_normalizer(trine_tokenizer *t, const json_t *value, const char *type, trine_error *err)
{
    static const kind_name kinds[] = {
        { "BertNormalizer", TRINE_NORMALIZE_BERT },
        { "Bert", TRINE_NORMALIZE_BERT },
        { "Strip", TRINE_NORMALIZE_STRIP },
        { "StripAccents", TRINE_NORMALIZE_STRIP_ACCENTS },
        { "NFC", TRINE_NORMALIZE_NFC },
        { "NFD", TRINE_NORMALIZE_NFD },
        { "NFKC", TRINE_NORMALIZE_NFKC },
        { "NFKD", TRINE_NORMALIZE_NFKD },
        { "Lowercase", TRINE_NORMALIZE_LOWERCASE },
        { "Nmt", TRINE_NORMALIZE_NMT },
        { "Precompiled", TRINE_NORMALIZE_PRECOMPILED },
        { "Replace", TRINE_NORMALIZE_REPLACE },
        { "Prepend", TRINE_NORMALIZE_PREPEND },
        { "ByteLevel", TRINE_NORMALIZE_BYTE_LEVEL },
        { NULL, 0 },
    };
    const int kind = find_kind(kinds, type);
    if (kind < 0)
        return trine_fail(
            err, TRINE_ERROR_UNSUPPORTED,
            "tokenizer: normalizer '%.60s' is not supported; supported are Sequence, BertNormalizer, NFC, NFD, NFKC, NFKD, "
            "Lowercase, StripAccents, Strip, Prepend, Replace, Precompiled, Nmt, ByteLevel",
            type);
    trine_normalizer *list = one_more(t->normalizers, t->n_normalizers, sizeof *list);
    if (!list) return no_memory(err);
    t->normalizers = list;
    trine_normalizer *n = &list[t->n_normalizers++];
    n->kind = (trine_normalizer_kind)kind;
    trine_status status = TRINE_OK;
    if (kind == TRINE_NORMALIZE_BERT) {
        status = trine_json_bool(&n->clean_text, value, type, "clean_text", NULL, err);
        if (!status) status = trine_json_bool(&n->handle_cjk, value, type, "handle_chinese_chars", NULL, err);
        if (!status) status = trine_json_bool(&n->lowercase, value, type, "lowercase", NULL, err);
        if (!status) status = trine_json_bool(&n->strip_accents, value, type, "strip_accents", &n->lowercase, err);
    } else if (kind == TRINE_NORMALIZE_STRIP) {
        status = trine_json_bool(&n->left, value, type, "strip_left", NULL, err);
        if (!status) status = trine_json_bool(&n->right, value, type, "strip_right", NULL, err);
    } else if (kind == TRINE_NORMALIZE_PRECOMPILED) {
        status = read_charsmap(&n->charsmap, value, err);
    } else if (kind == TRINE_NORMALIZE_REPLACE || kind == TRINE_NORMALIZE_PREPEND) {
        const char *text;
        if (kind == TRINE_NORMALIZE_REPLACE) status = read_pattern(&n->pattern, value, type, err);
        if (!status)
            status = trine_json_text(&text, &n->n_text, value, type, kind == TRINE_NORMALIZE_REPLACE ? "content" : "prepend", false,
                                     err);
        if (!status && !(n->text = trine_copy_text(text, n->n_text))) status = no_memory(err);
    }
    return status;
}

trine_status trine_json_normalizers(trine_tokenizer *t, const json_t *value, trine_error *err)
{
    return read_list(t, value, "normalizer", "normalizers", read_normalizer, 0, err);
}

static trine_status read_behavior(trine_split_behavior *out, const json_t *value, const char *type, bool optional, trine_error *err)
{
    static const kind_name names[] = {
        { "Removed", TRINE_SPLIT_REMOVED },
        { "Isolated", TRINE_SPLIT_ISOLATED },
        { "MergedWithPrevious", TRINE_SPLIT_MERGED_WITH_PREVIOUS },
        { "MergedWithNext", TRINE_SPLIT_MERGED_WITH_NEXT },
        { "Contiguous", TRINE_SPLIT_CONTIGUOUS },
        { NULL, 0 },
    };
    const char *name;
    const trine_status status = trine_json_text(&name, NULL, value, type, "behavior", optional, err);
    if (status) return status;
    const int kind = name ? find_kind(names, name) : TRINE_SPLIT_ISOLATED;
    if (kind < 0)
        return trine_fail(err, TRINE_ERROR_FORMAT,
                          "tokenizer: %s: behavior '%.40s', expected Removed, Isolated, MergedWithPrevious, "
                          "MergedWithNext or Contiguous",
                          type, name);
    *out = (trine_split_behavior)kind;
    return TRINE_OK;
}

/* `prepend_scheme` of Metaspace, with `add_prefix_space` of older files. */
static trine_status read_scheme(trine_prepend_scheme *out, const json_t *value, const char *type, trine_error *err)
{
    static const kind_name names[] = {
        { "always", TRINE_PREPEND_ALWAYS },
        { "first", TRINE_PREPEND_FIRST },
        { "never", TRINE_PREPEND_NEVER },
        { NULL, 0 },
    };
    const bool yes = true;
    bool prefix;
    const char *name;
    trine_status status = trine_json_text(&name, NULL, value, type, "prepend_scheme", true, err);
    if (!status) status = trine_json_bool(&prefix, value, type, "add_prefix_space", &yes, err);
    if (status) return status;
    const int scheme = name ? find_kind(names, name) : prefix ? TRINE_PREPEND_ALWAYS : TRINE_PREPEND_NEVER;
    if (scheme < 0)
        return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: %s: prepend_scheme '%.40s', expected always, first or never", type,
                          name);
    *out = prefix ? (trine_prepend_scheme)scheme : TRINE_PREPEND_NEVER;
    return TRINE_OK;
}

static trine_status read_pretokenizer(trine_tokenizer *t, const json_t *value, const char *type, trine_error *err)
{
    static const kind_name kinds[] = {
        { "BertPreTokenizer", TRINE_SPLIT_BERT },
        { "Whitespace", TRINE_SPLIT_WHITESPACE },
        { "WhitespaceSplit", TRINE_SPLIT_SPACES },
        { "Punctuation", TRINE_SPLIT_PUNCTUATION },
        { "Digits", TRINE_SPLIT_DIGITS },
        { "Split", TRINE_SPLIT_PATTERN },
        { "ByteLevel", TRINE_SPLIT_BYTE_LEVEL },
        { "Metaspace", TRINE_SPLIT_METASPACE },
        { "CharDelimiterSplit", TRINE_SPLIT_DELIMITER },
        { "Delimiter", TRINE_SPLIT_DELIMITER },
        { NULL, 0 },
    };
    const int kind = find_kind(kinds, type);
    if (kind < 0)
        return trine_fail(
            err, TRINE_ERROR_UNSUPPORTED,
            "tokenizer: pre_tokenizer '%.60s' is not supported; supported are Sequence, BertPreTokenizer, Whitespace, "
            "WhitespaceSplit, Punctuation, Digits, Split, ByteLevel, Metaspace, CharDelimiterSplit",
            type);
    trine_pretokenizer *list = one_more(t->pretokenizers, t->n_pretokenizers, sizeof *list);
    if (!list) return no_memory(err);
    t->pretokenizers = list;
    trine_pretokenizer *p = &list[t->n_pretokenizers++];
    p->kind = (trine_pretokenizer_kind)kind;
    const bool yes = true, no = false;
    bool flag;
    trine_status status = TRINE_OK;
    switch (p->kind) {
    case TRINE_SPLIT_PUNCTUATION: status = read_behavior(&p->behavior, value, type, true, err); break;
    case TRINE_SPLIT_DIGITS:
        status = trine_json_bool(&flag, value, type, "individual_digits", &no, err);
        p->behavior = !status && flag ? TRINE_SPLIT_ISOLATED : TRINE_SPLIT_CONTIGUOUS;
        break;
    case TRINE_SPLIT_PATTERN:
        status = read_behavior(&p->behavior, value, type, false, err);
        if (!status) status = trine_json_bool(&p->invert, value, type, "invert", &no, err);
        if (!status) status = read_pattern(&p->pattern, value, type, err);
        break;
    case TRINE_SPLIT_BYTE_LEVEL:
        status = trine_json_bool(&p->add_prefix_space, value, type, "add_prefix_space", NULL, err);
        if (!status) status = trine_json_bool(&flag, value, type, "use_regex", &yes, err);
        if (!status && flag) status = trine_pattern_open(&p->pattern, trine_gpt2_pattern, strlen(trine_gpt2_pattern), false, err);
        break;
    case TRINE_SPLIT_METASPACE:
        status = read_character(&p->character, value, type, "replacement", err);
        if (!status) status = read_scheme(&p->scheme, value, type, err);
        if (!status) status = trine_json_bool(&p->split, value, type, "split", &yes, err);
        break;
    case TRINE_SPLIT_DELIMITER: status = read_character(&p->character, value, type, "delimiter", err); break;
    case TRINE_SPLIT_SPACES:
    case TRINE_SPLIT_BERT:
    case TRINE_SPLIT_WHITESPACE: break;
    }
    return status;
}

trine_status trine_json_pretokenizers(trine_tokenizer *t, const json_t *value, trine_error *err)
{
    return read_list(t, value, "pre_tokenizer", "pretokenizers", read_pretokenizer, 0, err);
}

static trine_status read_decoder(trine_tokenizer *t, const json_t *value, const char *type, trine_error *err)
{
    static const kind_name kinds[] = {
        { "WordPiece", TRINE_DECODE_WORDPIECE },
        { "ByteLevel", TRINE_DECODE_BYTE_LEVEL },
        { "Metaspace", TRINE_DECODE_METASPACE },
        { "BPEDecoder", TRINE_DECODE_BPE },
        { "Replace", TRINE_DECODE_REPLACE },
        { "ByteFallback", TRINE_DECODE_BYTE_FALLBACK },
        { "Fuse", TRINE_DECODE_FUSE },
        { "Strip", TRINE_DECODE_STRIP },
        { NULL, 0 },
    };
    const int kind = find_kind(kinds, type);
    if (kind < 0)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED,
                          "tokenizer: decoder '%.60s' is not supported; supported are Sequence, WordPiece, ByteLevel, Metaspace, "
                          "BPEDecoder, Replace, ByteFallback, Fuse, Strip",
                          type);
    trine_decoder *list = one_more(t->decoders, t->n_decoders, sizeof *list);
    if (!list) return no_memory(err);
    t->decoders = list;
    trine_decoder *d = &list[t->n_decoders++];
    d->kind = (trine_decoder_kind)kind;
    const char *text = NULL, *key = kind == TRINE_DECODE_WORDPIECE ? "prefix" : kind == TRINE_DECODE_BPE ? "suffix" : "content";
    trine_prepend_scheme scheme;
    json_int_t count = 0;
    trine_status status = TRINE_OK;
    switch (d->kind) {
    case TRINE_DECODE_REPLACE: status = read_pattern(&d->pattern, value, type, err); /* fall through */
    case TRINE_DECODE_WORDPIECE:
    case TRINE_DECODE_BPE:
        if (!status) status = trine_json_text(&text, &d->n_text, value, type, key, false, err);
        if (!status && !(d->text = trine_copy_text(text, d->n_text))) status = no_memory(err);
        if (!status && kind == TRINE_DECODE_WORDPIECE) status = trine_json_bool(&d->cleanup, value, type, "cleanup", NULL, err);
        break;
    case TRINE_DECODE_METASPACE:
        status = read_character(&d->character, value, type, "replacement", err);
        if (!status) status = read_scheme(&scheme, value, type, err);
        d->keep_first = !status && scheme == TRINE_PREPEND_NEVER;
        break;
    case TRINE_DECODE_STRIP:
        status = read_character(&d->character, value, type, "content", err);
        if (!status) status = trine_json_int(&count, value, type, "start", 0, INT32_MAX, err);
        if (!status) d->start = (size_t)count;
        if (!status) status = trine_json_int(&count, value, type, "stop", 0, INT32_MAX, err);
        if (!status) d->stop = (size_t)count;
        break;
    case TRINE_DECODE_BYTE_LEVEL:
    case TRINE_DECODE_BYTE_FALLBACK:
    case TRINE_DECODE_FUSE: break;
    }
    return status;
}

trine_status trine_json_decoders(trine_tokenizer *t, const json_t *value, trine_error *err)
{
    return read_list(t, value, "decoder", "decoders", read_decoder, 0, err);
}
