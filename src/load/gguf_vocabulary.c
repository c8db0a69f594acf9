/* gguf_vocabulary.c - a GGUF vocabulary: strings copied with a zero after each, arrays to the lengths that they must have. */
#include "load/gguf_vocabulary.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"

/* What a vocabulary's pointers point to. */
typedef struct holder {
    char *model, *pre, *template;
    char **tokens, **merges; /* each one block: pointers, then bytes */
    float *scores;
    int32_t *types;
    unsigned char *charsmap;
} holder;

static void clear(holder *h)
{
    free(h->model);
    free(h->pre);
    free(h->template);
    free(h->tokens);
    free(h->merges);
    free(h->scores);
    free(h->types);
    free(h->charsmap);
}

static trine_status no_memory(trine_error *err, const char *path)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the vocabulary of '%s'", path);
}

static trine_status copy_string(char **out, const trine_gguf *g, const char *key, const char *path, trine_error *err)
{
    trine_gguf_string s = { "", 0 };
    trine_gguf_get_string(&s, g, key);
    *out = strndup(s.data, s.n);
    return *out ? TRINE_OK : no_memory(err, path);
}

/* All strings of an array in one block: n pointers and the bytes they point to. */
static trine_status copy_strings(char ***out, int *n_out, const trine_gguf *g, const char *key, const char *path, trine_error *err)
{
    size_t n = 0, bytes = 0;
    *n_out = 0;
    if (!trine_gguf_get_array(&n, g, key) || !n) return TRINE_OK;
    if (n > INT_MAX / 2)
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': '%s' has %zu entries, more than ids can count", path, key, n);
    trine_gguf_string *strings = malloc(n * sizeof *strings);
    if (!strings) return no_memory(err, path);
    if (!trine_gguf_all_strings(strings, g, key)) {
        free(strings);
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': '%s' is not an array of strings", path, key);
    }
    for (size_t i = 0; i < n; i++) bytes += strings[i].n + 1; /* no overflow: each lies in the mapped file */
    *out = malloc(n * sizeof **out + bytes);
    char *at = *out ? (char *)(*out + n) : NULL;
    for (size_t i = 0; i < n && at; i++) {
        (*out)[i] = at;
        memcpy(at, strings[i].data, strings[i].n);
        at[strings[i].n] = 0;
        at += strings[i].n + 1;
    }
    free(strings);
    if (!*out) return no_memory(err, path);
    *n_out = (int)n;
    return TRINE_OK;
}

/* An array that goes along with the tokens must be as long. Absent: *out stays NULL. */
static trine_status check_length(bool *there, const trine_gguf *g, const char *key, int n_tokens, const char *path,
                                 trine_error *err)
{
    size_t n;
    *there = trine_gguf_get_array(&n, g, key);
    if (!*there || n == (size_t)n_tokens) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': '%s' has %zu entries, but there are %d tokens", path, key, n, n_tokens);
}

static trine_status copy_scores(holder *h, const trine_gguf *g, int n_tokens, const char *path, trine_error *err)
{
    static const char key[] = "tokenizer.ggml.scores";
    bool there;
    const trine_status status = check_length(&there, g, key, n_tokens, path, err);
    if (status || !there || !n_tokens) return status;
    double *scores = malloc((size_t)n_tokens * sizeof *scores);
    h->scores = malloc((size_t)n_tokens * sizeof *h->scores);
    const bool memory = scores && h->scores, fine = memory && trine_gguf_all_floats(scores, g, key);
    for (int i = 0; i < n_tokens && fine; i++) h->scores[i] = (float)scores[i];
    free(scores);
    if (!memory) return no_memory(err, path);
    return fine ? TRINE_OK : trine_fail(err, TRINE_ERROR_FORMAT, "'%s': '%s' is not an array of floats", path, key);
}

static trine_status copy_types(holder *h, const trine_gguf *g, int n_tokens, const char *path, trine_error *err)
{
    static const char key[] = "tokenizer.ggml.token_type";
    bool there;
    const trine_status status = check_length(&there, g, key, n_tokens, path, err);
    if (status || !there || !n_tokens) return status;
    int64_t *types = malloc((size_t)n_tokens * sizeof *types);
    h->types = malloc((size_t)n_tokens * sizeof *h->types);
    const bool memory = types && h->types, fine = memory && trine_gguf_all_ints(types, g, key);
    int bad = fine ? -1 : 0;
    for (int i = 0; i < n_tokens && fine && bad < 0; i++) {
        h->types[i] = (int32_t)types[i];
        if (types[i] < 0 || types[i] > 6) bad = i;
    }
    free(types);
    if (!memory) return no_memory(err, path);
    if (bad < 0) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': '%s' has no type from 0 to 6 for token %d", path, key, bad);
}

static trine_status copy_charsmap(holder *h, size_t *bytes, const trine_gguf *g, const char *path, trine_error *err)
{
    static const char key[] = "tokenizer.ggml.precompiled_charsmap";
    if (!trine_gguf_get_array(bytes, g, key) || !*bytes) return TRINE_OK;
    int64_t *values = malloc(*bytes * sizeof *values); /* no overflow: each is a byte or more of the mapped file */
    h->charsmap = malloc(*bytes);
    const bool memory = values && h->charsmap, fine = memory && trine_gguf_all_ints(values, g, key);
    for (size_t i = 0; i < *bytes && fine; i++) h->charsmap[i] = (unsigned char)values[i]; /* u8, or i8 with the same bits */
    free(values);
    if (!memory) return no_memory(err, path);
    return fine ? TRINE_OK : trine_fail(err, TRINE_ERROR_FORMAT, "'%s': '%s' is not an array of bytes", path, key);
}

/* The id of a special token: by its key, else by how the kinds of tokenizer usually spell it; -1 for none. */
static trine_status special(int32_t *out, const trine_gguf *g, const char *const keys[2], const char *const spellings[2],
                            const trine_vocabulary *v, const char *path, trine_error *err)
{
    *out = -1;
    for (int k = 0; k < 2 && keys[k]; k++) {
        int64_t id;
        if (!trine_gguf_get_int(&id, g, keys[k])) continue;
        if (id == -1 || id == UINT32_MAX) return TRINE_OK; /* some writers say "none" like this */
        if (id < 0 || id >= v->n_tokens)
            return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': '%s' is %lld, but there are %d tokens", path, keys[k], (long long)id,
                              v->n_tokens);
        *out = (int32_t)id;
        return TRINE_OK;
    }
    for (int s = 0; s < 2 && spellings[s]; s++) {
        for (int i = 0; i < v->n_tokens; i++) {
            if (strcmp(v->tokens[i], spellings[s])) continue;
            *out = i;
            return TRINE_OK;
        }
    }
    return TRINE_OK;
}

static trine_status specials(trine_vocabulary *v, const trine_gguf *g, const char *path, trine_error *err)
{
    const bool bert = !strcmp(v->model, "bert"), pieces = !strcmp(v->model, "llama") || !strcmp(v->model, "t5");
#define KEY(name) "tokenizer.ggml." name "_token_id"
    const struct {
        int32_t *out;
        const char *keys[2], *spellings[2];
    } rows[] = {
        { &v->bos, { KEY("bos"), NULL }, { pieces ? "<s>" : NULL, NULL } },
        { &v->eos, { KEY("eos"), NULL }, { pieces ? "</s>" : NULL, NULL } },
        { &v->pad,
          { KEY("padding"), NULL },
          { bert     ? "[PAD]"
            : pieces ? "<pad>"
                     : NULL,
            NULL } },
        { &v->unk,
          { KEY("unknown"), NULL },
          { bert     ? "[UNK]"
            : pieces ? "<unk>"
                     : NULL,
            NULL } },
        { &v->cls, { KEY("cls"), bert ? KEY("bos") : NULL }, { bert ? "[CLS]" : NULL, NULL } },
        { &v->sep, { KEY("seperator"), KEY("separator") }, { bert ? "[SEP]" : NULL, NULL } },
        { &v->mask, { KEY("mask"), NULL }, { bert ? "[MASK]" : "<mask>", NULL } },
    };
#undef KEY
    trine_status status = TRINE_OK;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && !status; i++)
        status = special(rows[i].out, g, rows[i].keys, rows[i].spellings, v, path, err);
    return status;
}

static int flag(const trine_gguf *g, const char *key)
{
    int64_t value;
    return trine_gguf_get_int(&value, g, key) ? value != 0 : -1;
}

/* Writers pad the vocabulary to the rows of the embedding with unused "[PAD<id>]"; no text has them. */
static void drop_padding(trine_vocabulary *v)
{
    char padding[32];
    while (v->n_tokens > 1 && v->token_types && v->token_types[v->n_tokens - 1] == 5) {
        snprintf(padding, sizeof padding, "[PAD%d]", v->n_tokens - 1);
        if (strcmp(v->tokens[v->n_tokens - 1], padding)) return;
        v->n_tokens--;
    }
}

static trine_status fill(trine_vocabulary *v, holder *h, const trine_gguf *g, const char *path, trine_error *err)
{
    trine_status status = copy_string(&h->model, g, "tokenizer.ggml.model", path, err);
    if (!status) status = copy_string(&h->pre, g, "tokenizer.ggml.pre", path, err);
    if (!status) status = copy_strings(&h->tokens, &v->n_tokens, g, "tokenizer.ggml.tokens", path, err);
    if (!status && !v->n_tokens)
        status = trine_fail(err, TRINE_ERROR_FORMAT, "'%s' names a tokenizer but has no tokenizer.ggml.tokens", path);
    if (!status) status = copy_strings(&h->merges, &v->n_merges, g, "tokenizer.ggml.merges", path, err);
    if (!status) status = copy_scores(h, g, v->n_tokens, path, err);
    if (!status) status = copy_types(h, g, v->n_tokens, path, err);
    if (!status) status = copy_charsmap(h, &v->charsmap_bytes, g, path, err);
    trine_gguf_string text;
    if (!status && trine_gguf_get_string(&text, g, "tokenizer.chat_template"))
        status = copy_string(&h->template, g, "tokenizer.chat_template", path, err);
    if (status) return status;
    v->model = h->model;
    v->pre = h->pre;
    v->tokens = (const char *const *)h->tokens;
    v->merges = (const char *const *)h->merges;
    v->scores = h->scores;
    v->token_types = h->types;
    v->charsmap = h->charsmap;
    drop_padding(v);
    v->chat_template = h->template;
    v->add_bos = flag(g, "tokenizer.ggml.add_bos_token");
    v->add_eos = flag(g, "tokenizer.ggml.add_eos_token");
    v->add_space_prefix = flag(g, "tokenizer.ggml.add_space_prefix");
    v->remove_extra_whitespaces = flag(g, "tokenizer.ggml.remove_extra_whitespaces") == 1;
    return specials(v, g, path, err);
}

trine_status trine_tokenizer_open_gguf(trine_tokenizer **out, const trine_gguf *g, const char *path, trine_error *err)
{
    *out = NULL;
    trine_gguf_string model, json = { 0 }, config = { 0 };
    /* What trine writes beside the vocabulary says every tokenizer exactly. */
    const bool has_json = trine_gguf_get_string(&json, g, "tokenizer.huggingface.json");
    if (trine_gguf_get_string(&config, g, "trine.tokenizer_config"))
        return trine_tokenizer_open_json(out, has_json ? json.data : NULL, json.n, config.data, config.n, err);
    if (!trine_gguf_get_string(&model, g, "tokenizer.ggml.model")) return TRINE_OK;
    if ((model.n == 4 && !memcmp(model.data, "none", 4)) || (model.n == 8 && !memcmp(model.data, "no_vocab", 8))) return TRINE_OK;
    trine_vocabulary v = { 0 };
    holder h = { 0 };
    trine_status status = fill(&v, &h, g, path, err);
    if (!status) status = trine_tokenizer_open_vocabulary(out, &v, err);
    clear(&h);
    return status;
}
