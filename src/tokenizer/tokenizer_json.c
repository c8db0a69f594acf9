/* tokenizer_json.c - the model and the added tokens of tokenizer.json, and the whole put together. */
#include "tokenizer/tokenizer_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "tokenizer/json_score.h"

trine_status trine_tokenizer_new(trine_tokenizer **out, trine_error *err)
{
    *out = calloc(1, sizeof **out);
    if (*out && !((*out)->room = calloc(1, sizeof *(*out)->room))) {
        free(*out);
        *out = NULL;
    }
    if (!*out) return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory");
    for (int i = 0; i < TRINE_N_SPECIALS; i++) (*out)->specials[i] = -1;
    (*out)->wordlevel_unk = -1;
    return TRINE_OK;
}

trine_status trine_json_read(json_t **out, const char *text, size_t n, const char *what, trine_error *err)
{
    json_error_t problem;
    *out = json_loadb(text, n, JSON_ALLOW_NUL, &problem);
    /* transformers writes "model_max_length": 1000000000000000019884624838656 for "no limit": no field read here is as large */
    if (!*out && json_error_code(&problem) == json_error_numeric_overflow)
        *out = json_loadb(text, n, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &problem);
    if (*out) return TRINE_OK;
    /* jansson may take a failed allocation for an error of the text: ask whether there is any memory. */
    void *volatile probe = malloc(1 << 16); /* volatile: a compiler may leave an unused allocation out */
    free(probe);
    if (!probe || json_error_code(&problem) == json_error_out_of_memory)
        return trine_fail(err, TRINE_ERROR_MEMORY, "%s: no memory", what);
    return trine_fail(err, TRINE_ERROR_FORMAT, "%s: line %d: %s", what, problem.line, problem.text);
}

static trine_status no_memory(trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory for the vocabulary");
}

/* {"token": id, ...} */
static trine_status read_vocab_object(trine_tokenizer *t, json_t *vocab, trine_error *err)
{
    const char *token;
    json_t *id;
    json_object_foreach(vocab, token, id)
    {
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= TRINE_ID_LIMIT)
            return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: vocabulary: the id of '%.60s' is no whole number from 0 to %d",
                              token, TRINE_ID_LIMIT - 1);
        const trine_status status = trine_vocab_set(&t->vocab, (int32_t)json_integer_value(id), token, strlen(token), err);
        if (status) return status;
    }
    return TRINE_OK;
}

/* [["token", score], ...] */
static trine_status read_vocab_list(trine_tokenizer *t, const json_t *vocab, trine_error *err)
{
    const size_t n = json_array_size(vocab);
    if (n > TRINE_ID_LIMIT)
        return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: vocabulary: %zu tokens, at most %d", n, TRINE_ID_LIMIT);
    t->scores = malloc((n + 1) * sizeof *t->scores);
    if (!t->scores) return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const json_t *entry = json_array_get(vocab, i), *token = json_array_get(entry, 0), *score = json_array_get(entry, 1);
        if (!json_is_string(token) || !json_is_number(score))
            return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: vocabulary: entry %zu is not [token, score]", i);
        t->scores[i] = trine_score_read(json_number_value(score));
        const trine_status status =
            trine_vocab_set(&t->vocab, (int32_t)i, json_string_value(token), json_string_length(token), err);
        if (status) return status;
    }
    return TRINE_OK;
}

/* ["a b", ...] of older files, or [["a", "b"], ...] */
static trine_status read_merges(trine_tokenizer *t, const json_t *merges, trine_error *err)
{
    const size_t n = json_array_size(merges);
    if (!json_is_array(merges)) return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: BPE: 'merges' is no list");
    if (n > TRINE_ID_LIMIT) return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: BPE: %zu merges, at most %d", n, TRINE_ID_LIMIT);
    t->merges = malloc((n + 1) * sizeof *t->merges);
    if (!t->merges) return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const json_t *merge = json_array_get(merges, i), *a = merge, *b = NULL;
        if (json_is_array(merge)) {
            a = json_array_get(merge, 0);
            b = json_array_get(merge, 1);
        }
        if (!json_is_string(a) || (b && (!json_is_string(b) || json_array_size(merge) != 2)) || (!b && json_is_array(merge)))
            return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: BPE: merge %zu is neither \"a b\" nor [\"a\", \"b\"]", i);
        const char *left = json_string_value(a), *right = b ? json_string_value(b) : NULL;
        size_t n_left = json_string_length(a), n_right = b ? json_string_length(b) : 0;
        if (!b) {
            if (!strncmp(left, "#version", 8)) continue;
            const char *space = memchr(left, ' ', n_left);
            if (!space || memchr(space + 1, ' ', n_left - (size_t)(space + 1 - left)))
                return trine_fail(err, TRINE_ERROR_FORMAT,
                                  "tokenizer: BPE: merge %zu, '%.60s', is not two tokens with a space between", i, left);
            right = space + 1;
            n_right = n_left - (size_t)(right - left);
            n_left = (size_t)(space - left);
        }
        const trine_merge ids = { trine_vocab_find(&t->vocab, left, n_left), trine_vocab_find(&t->vocab, right, n_right) };
        if (ids.left < 0 || ids.right < 0)
            return trine_fail(err, TRINE_ERROR_FORMAT,
                              "tokenizer: BPE: merge %zu joins '%.40s' and '%.40s', not both in the vocabulary", i, left, right);
        t->merges[t->n_merges++] = ids;
    }
    return TRINE_OK;
}

/* The vocabulary of root.model into t, and out of the JSON. */
static trine_status take_vocabulary(trine_tokenizer *t, json_t *model, const char *type, trine_error *err)
{
    json_t *vocab = json_object_get(model, "vocab");
    const bool unigram = !strcmp(type, "Unigram");
    trine_status status;
    if (unigram ? !json_is_array(vocab) : !json_is_object(vocab))
        return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: %s: 'vocab' is %s, expected %s", type,
                          vocab ? "something else" : "missing", unigram ? "a list of [token, score]" : "an object of token and id");
    status = unigram ? read_vocab_list(t, vocab, err) : read_vocab_object(t, vocab, err);
    if (!status) status = trine_vocab_index(&t->vocab, err);
    json_object_del(model, "vocab");
    if (!status && !strcmp(type, "BPE")) {
        status = read_merges(t, json_object_get(model, "merges"), err);
        json_object_del(model, "merges");
    }
    return status;
}

/* An optional string of the model, kept by the tokenizer; "" counts as none. */
static trine_status keep_text(char **out, const json_t *model, const char *key, trine_error *err)
{
    const char *text;
    size_t n;
    const trine_status status = trine_json_text(&text, &n, model, "BPE", key, true, err);
    if (status || !n) return status;
    *out = trine_copy_text(text, n);
    return *out ? TRINE_OK : no_memory(err);
}

static trine_status build_bpe(trine_tokenizer *t, const json_t *model, trine_error *err)
{
    const bool no = false;
    trine_bpe_options options = { 0 };
    trine_status status = keep_text(&t->bpe_unk, model, "unk_token", err);
    if (!status) status = keep_text(&t->bpe_prefix, model, "continuing_subword_prefix", err);
    if (!status) status = keep_text(&t->bpe_suffix, model, "end_of_word_suffix", err);
    if (!status) status = trine_json_bool(&options.fuse_unk, model, "BPE", "fuse_unk", &no, err);
    if (!status) status = trine_json_bool(&options.byte_fallback, model, "BPE", "byte_fallback", &no, err);
    if (!status) status = trine_json_bool(&options.ignore_merges, model, "BPE", "ignore_merges", &no, err);
    if (status) return status;
    options.unk = t->bpe_unk;
    options.prefix = t->bpe_prefix;
    options.suffix = t->bpe_suffix;
    /* Where ByteLevel comes last the bytes need not be spelt out only to be looked up again. */
    trine_pretokenizer *last = t->n_pretokenizers ? &t->pretokenizers[t->n_pretokenizers - 1] : NULL;
    if (last && last->kind == TRINE_SPLIT_BYTE_LEVEL && !options.prefix && !options.suffix && !options.byte_fallback)
        options.raw_bytes = last->plain_bytes = true;
    return trine_bpe_build(&t->bpe, &t->vocab, t->merges, t->n_merges, &options, err);
}

static trine_status build_model(trine_tokenizer *t, const json_t *model, const char *type, trine_error *err)
{
    const char *text;
    size_t n;
    trine_status status;
    if (!strcmp(type, "BPE")) {
        t->algorithm = TRINE_BPE;
        return build_bpe(t, model, err);
    }
    if (!strcmp(type, "Unigram")) {
        t->algorithm = TRINE_UNIGRAM;
        const bool no = false;
        bool fallback;
        int32_t unk = -1;
        const json_t *unk_id = json_object_get(model, "unk_id");
        if (unk_id && !json_is_null(unk_id)) {
            json_int_t id;
            if ((status = trine_json_int(&id, model, type, "unk_id", 0, (json_int_t)t->vocab.n - 1, err))) return status;
            unk = (int32_t)id;
        }
        if ((status = trine_json_bool(&fallback, model, type, "byte_fallback", &no, err))) return status;
        return trine_unigram_build(&t->unigram, &t->vocab, t->scores, unk, fallback, err);
    }
    if ((status = trine_json_text(&text, &n, model, type, "unk_token", false, err))) return status;
    const int32_t unk = trine_vocab_find(&t->vocab, text, n);
    if (!strcmp(type, "WordLevel")) {
        t->algorithm = TRINE_WORDLEVEL;
        t->wordlevel_unk = unk;
        return TRINE_OK;
    }
    t->algorithm = TRINE_WORDPIECE;
    json_int_t limit = 100;
    const char *prefix = "##";
    if (json_object_get(model, "max_input_chars_per_word"))
        status = trine_json_int(&limit, model, type, "max_input_chars_per_word", 0, INT32_MAX, err);
    if (!status && json_object_get(model, "continuing_subword_prefix"))
        status = trine_json_text(&prefix, NULL, model, type, "continuing_subword_prefix", false, err);
    return status ? status : trine_wordpiece_build(&t->wordpiece, &t->vocab, prefix, unk, (int)limit, err);
}

/* Models of old files have no type: the vocabulary tells. */
static trine_status model_type(const char **type, const json_t *model, trine_error *err)
{
    const trine_status status = trine_json_text(type, NULL, model, "model", "type", true, err);
    if (status) return status;
    if (!*type)
        *type = json_object_get(model, "merges")                      ? "BPE"
                : json_is_array(json_object_get(model, "vocab"))      ? "Unigram"
                : json_object_get(model, "continuing_subword_prefix") ? "WordPiece"
                                                                      : "WordLevel";
    static const char *const known[] = { "WordPiece", "BPE", "Unigram", "WordLevel" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(*type, known[i])) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_UNSUPPORTED,
                      "tokenizer: model '%.60s' is not supported; supported are WordPiece, BPE, Unigram, WordLevel", *type);
}

/* One entry of added_tokens, without its id. */
static trine_status read_added(trine_added_token *out, const json_t *value, trine_error *err)
{
    const bool no = false, yes = true;
    const char *text;
    *out = (trine_added_token) { 0 };
    trine_status status = trine_json_text(&text, &out->n_content, value, "added_tokens", "content", false, err);
    if (!status) status = trine_json_bool(&out->special, value, "added_tokens", "special", &no, err);
    if (!status) status = trine_json_bool(&out->normalized, value, "added_tokens", "normalized", out->special ? &no : &yes, err);
    if (!status) status = trine_json_bool(&out->lstrip, value, "added_tokens", "lstrip", &no, err);
    if (!status) status = trine_json_bool(&out->rstrip, value, "added_tokens", "rstrip", &no, err);
    if (!status) status = trine_json_bool(&out->single_word, value, "added_tokens", "single_word", &no, err);
    out->content = (char *)(uintptr_t)text;
    return status;
}

/* Ids are given as `tokenizers` gives them: the vocabulary's where it knows the content, else the next free one, in order. The "id"
 * of an entry is not looked at there either. */
static trine_status read_added_tokens(trine_tokenizer *t, const json_t *list, trine_error *err)
{
    if (!list || json_is_null(list)) return TRINE_OK;
    if (!json_is_array(list)) return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: 'added_tokens' is no list");
    const size_t n = json_array_size(list);
    if (n > TRINE_ID_LIMIT / 2) return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: %zu added tokens", n);
    trine_vocab contents = { 0 }; /* content to its last place in the list: equal contents share an id */
    int32_t *ids = malloc((n + 1) * sizeof *ids);
    trine_status status = ids ? TRINE_OK : no_memory(err);
    trine_added_token token;
    for (size_t i = 0; i < n && !status; i++) {
        ids[i] = -1;
        status = read_added(&token, json_array_get(list, i), err);
        if (!status) status = trine_vocab_set(&contents, (int32_t)i, token.content, token.n_content, err);
    }
    if (!status) status = trine_vocab_index(&contents, err);
    int32_t next = t->algorithm == TRINE_UNIGRAM ? t->vocab.n : t->vocab.n_present;
    for (size_t i = 0; i < n && !status; i++) {
        if ((status = read_added(&token, json_array_get(list, i), err))) break;
        int32_t *id = &ids[trine_vocab_find(&contents, token.content, token.n_content)];
        if (*id < 0) *id = trine_vocab_find(&t->vocab, token.content, token.n_content);
        if (*id < 0 && token.n_content) *id = next++;
        token.id = *id;
        status = trine_added_tokens_put(&t->added, &token, err);
    }
    free(ids);
    trine_vocab_clear(&contents);
    return status ? status : trine_added_tokens_index(&t->added, t->normalizers, t->n_normalizers, err);
}

/* Ids that the template puts into the result must exist. */
static trine_status check_template(const trine_tokenizer *t, const trine_template *template, trine_error *err)
{
    for (int i = 0; i < template->n; i++)
        for (int k = 0; k < template->pieces[i].n_ids; k++)
            if (template->pieces[i].ids[k] >= t->vocab_size)
                return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: post_processor adds id %d to a vocabulary of %d",
                                  template->pieces[i].ids[k], t->vocab_size);
    return TRINE_OK;
}

/* Tables have a place for every id, so a few tokens with an id in the millions, which no vocabulary has, are taken for damage. */
static trine_status check_holes(int n, int n_present, trine_error *err)
{
    if (n <= 65536 || n / 64 <= n_present) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_FORMAT,
                      "tokenizer: the largest id is %d in a vocabulary of %d tokens: most ids name nothing", n - 1, n_present);
}

trine_status trine_tokenizer_fill(trine_tokenizer *t, json_t *root, trine_error *err)
{
    json_t *model = json_object_get(root, "model");
    const char *type, *version;
    if (!json_is_object(model)) return trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: there is no object 'model'");
    trine_status status = trine_json_text(&version, NULL, root, "file", "version", true, err);
    if (!status && version && strcmp(version, "1.0"))
        status = trine_fail(err, TRINE_ERROR_UNSUPPORTED, "tokenizer: version '%.20s' of the format, expected 1.0", version);
    if (!status) status = model_type(&type, model, err);
    if (!status && !t->vocab.n) status = take_vocabulary(t, model, type, err);
    if (!status && !t->vocab.n) status = trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: the vocabulary is empty");
    if (!status) status = check_holes(t->vocab.n, t->vocab.n_present, err);
    if (!status) status = trine_json_normalizers(t, json_object_get(root, "normalizer"), err);
    if (!status) status = trine_json_pretokenizers(t, json_object_get(root, "pre_tokenizer"), err);
    if (!status) status = trine_json_decoders(t, json_object_get(root, "decoder"), err);
    if (!status) status = trine_json_post_processor(t, json_object_get(root, "post_processor"), err);
    if (!status) status = build_model(t, model, type, err);
    if (!status) status = read_added_tokens(t, json_object_get(root, "added_tokens"), err);
    if (status) return status;
    t->vocab_size = t->vocab.n;
    if (t->added.n && t->added.items[t->added.n - 1].id >= t->vocab_size) t->vocab_size = t->added.items[t->added.n - 1].id + 1;
    if ((status = check_holes(t->vocab_size, t->vocab.n_present + t->added.n, err))) return status;
    if ((status = check_template(t, &t->single, err)) || (status = check_template(t, &t->pair, err))) return status;
    t->config = json_dumps(root, JSON_COMPACT | JSON_ENSURE_ASCII);
    return t->config ? TRINE_OK : no_memory(err);
}
