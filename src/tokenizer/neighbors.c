/* neighbors.c - tokenizer_config.json, special_tokens_map.json, added_tokens.json: special tokens, their roles, the chat template.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "tokenizer/tokenizer_files.h"

enum { FILE_LIMIT = 64 << 20 };

static const char *const roles[TRINE_N_SPECIALS] = {
    [TRINE_TOKEN_BOS] = "bos_token",   [TRINE_TOKEN_EOS] = "eos_token", [TRINE_TOKEN_PAD] = "pad_token",
    [TRINE_TOKEN_UNK] = "unk_token",   [TRINE_TOKEN_CLS] = "cls_token", [TRINE_TOKEN_SEP] = "sep_token",
    [TRINE_TOKEN_MASK] = "mask_token",
};

static trine_status no_memory(trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory for its special tokens");
}

trine_status trine_json_read_beside(json_t **out, const char *dir, const char *name, trine_error *err)
{
    *out = NULL;
    char *path = trine_path_join(dir, name), *text;
    size_t n;
    if (!path) return no_memory(err);
    trine_status status = TRINE_OK;
    if (trine_file_exists(path)) {
        status = trine_file_read(&text, &n, path, FILE_LIMIT, err);
        if (!status) {
            status = trine_json_read(out, text, n, path, err);
            free(text);
        }
        if (!status && !json_is_object(*out)) {
            json_decref(*out);
            *out = NULL;
            status = trine_fail(err, TRINE_ERROR_FORMAT, "%s: not a JSON object", path);
        }
    }
    free(path);
    return status;
}

trine_status trine_neighbors_open(trine_neighbors *out, const char *dir, trine_error *err)
{
    *out = (trine_neighbors) { .dir = dir };
    json_t *model = NULL;
    trine_status status = trine_json_read_beside(&out->config, dir, "tokenizer_config.json", err);
    if (!status) status = trine_json_read_beside(&out->map, dir, "special_tokens_map.json", err);
    if (!status) status = trine_json_read_beside(&out->added, dir, "added_tokens.json", err);
    const char *class = json_string_value(json_object_get(out->config, "tokenizer_class"));
    if (!status && (!class || !strncmp(class, "PreTrainedTokenizer", 19) || !strcmp(class, "TokenizersBackend"))) {
        status = trine_json_read_beside(&model, dir, "config.json", err);
        class = json_string_value(json_object_get(model, "model_type"));
    }
    if (!status && class) {
        strncpy(out->class, class, sizeof out->class - 1);
        for (char *c = out->class; *c; c++)
            if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + 32);
    }
    json_decref(model);
    if (status) trine_neighbors_close(out);
    return status;
}

void trine_neighbors_close(trine_neighbors *n)
{
    json_decref(n->config);
    json_decref(n->map);
    json_decref(n->added);
    *n = (trine_neighbors) { 0 };
}

/* "[CLS]" or {"content": "[CLS]", ...} */
static const char *text_of(const json_t *value)
{
    return json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
}

/* What the files say of a role: NULL when they do not speak of it, JSON null when they say there is none. */
static json_t *role_value(const trine_neighbors *n, const char *role)
{
    json_t *value = json_object_get(n->config, role);
    return value ? value : json_object_get(n->map, role);
}

const char *trine_neighbors_token(const trine_neighbors *n, const char *role, const char *fallback)
{
    const json_t *value = role_value(n, role);
    return value ? text_of(value) : fallback;
}

bool trine_neighbors_flag(const trine_neighbors *n, const char *key, bool fallback)
{
    const json_t *value = json_object_get(n->config, key);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}

static const char *default_of(const char *const *defaults, const char *role)
{
    for (; defaults && *defaults; defaults += 2)
        if (!strcmp(defaults[0], role)) return defaults[1];
    return NULL;
}

static bool listed(const json_t *known, const char *content) { return json_object_get(known, content) != NULL; }

/* Appends {"content", "special", ...} unless it is there; `known` is the set of contents. */
static bool append(json_t *list, json_t *known, const char *content, const json_t *like, bool special, int *n_new)
{
    if (!content || !*content || listed(known, content)) return true;
    const bool flagged = special || json_is_true(json_object_get(like, "special"));
    json_t *token = json_pack(
        "{s:s, s:b, s:b, s:b, s:b, s:b}", "content", content, "single_word", json_is_true(json_object_get(like, "single_word")),
        "lstrip", json_is_true(json_object_get(like, "lstrip")), "rstrip", json_is_true(json_object_get(like, "rstrip")),
        "normalized",
        json_is_boolean(json_object_get(like, "normalized")) ? json_is_true(json_object_get(like, "normalized")) : !flagged,
        "special", flagged);
    if (!token || json_array_append_new(list, token) || json_object_set_new(known, content, json_true())) return false;
    ++*n_new;
    return true;
}

typedef struct numbered {
    long long id;
    const char *content;
    const json_t *like;
} numbered;
static int compare_numbered(const void *a, const void *b)
{
    const numbered *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* added_tokens_decoder {"5": {...}} and added_tokens.json {"token": 5}, in order of their ids. */
static bool append_numbered(json_t *list, json_t *known, const json_t *object, bool by_id, int *n_new)
{
    const size_t n = json_object_size(object);
    numbered *tokens = malloc((n + 1) * sizeof *tokens);
    if (!tokens) return false;
    size_t count = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        tokens[count].id = by_id ? strtoll(key, NULL, 10) : json_integer_value(value);
        tokens[count].content = by_id ? text_of(value) : key;
        tokens[count++].like = by_id ? value : NULL;
    }
    qsort(tokens, count, sizeof *tokens, compare_numbered);
    bool fine = true;
    for (size_t i = 0; i < count && fine; i++) fine = append(list, known, tokens[i].content, tokens[i].like, false, n_new);
    free(tokens);
    return fine;
}

trine_status trine_neighbors_extend(int *n_new, json_t *root, const trine_neighbors *n, const char *const *defaults,
                                    trine_error *err)
{
    *n_new = 0;
    json_t *list = json_object_get(root, "added_tokens"), *known = json_object();
    if (!json_is_array(list)) {
        list = json_array();
        if (!list || json_object_set_new(root, "added_tokens", list)) list = NULL;
    }
    bool fine = list && known;
    for (size_t i = 0; fine && i < json_array_size(list); i++) {
        const char *content = text_of(json_array_get(list, i));
        if (content) fine = !json_object_set_new(known, content, json_true());
    }
    fine = fine && append_numbered(list, known, json_object_get(n->config, "added_tokens_decoder"), true, n_new);
    for (int i = 0; fine && i < TRINE_N_SPECIALS; i++) {
        const json_t *value = role_value(n, roles[i]);
        fine = append(list, known, value ? text_of(value) : default_of(defaults, roles[i]), json_is_object(value) ? value : NULL,
                      true, n_new);
    }
    static const char *const more[] = { "additional_special_tokens", "extra_special_tokens" };
    for (size_t k = 0; k < 2; k++) {
        const json_t *tokens = json_object_get(n->config, more[k]);
        if (!json_is_array(tokens)) tokens = json_object_get(n->map, more[k]);
        for (size_t i = 0; fine && json_is_array(tokens) && i < json_array_size(tokens); i++) {
            const json_t *value = json_array_get(tokens, i);
            fine = append(list, known, text_of(value), json_is_object(value) ? value : NULL, true, n_new);
        }
    }
    fine = fine && append_numbered(list, known, n->added, false, n_new);
    json_decref(known);
    return fine ? TRINE_OK : no_memory(err);
}

/* Spellings by which a role is known where no file names it. */
static const char *const customary[TRINE_N_SPECIALS][6] = {
    [TRINE_TOKEN_BOS] = { "<s>", "<|begin_of_text|>", "<bos>", "<|startoftext|>", "<|endoftext|>" },
    [TRINE_TOKEN_EOS] = { "</s>", "<|end_of_text|>", "<eos>", "<|im_end|>", "<|endoftext|>" },
    [TRINE_TOKEN_PAD] = { "<pad>", "[PAD]", "<|pad|>" },
    [TRINE_TOKEN_UNK] = { "<unk>", "[UNK]" },
    [TRINE_TOKEN_CLS] = { "[CLS]" },
    [TRINE_TOKEN_SEP] = { "[SEP]" },
    [TRINE_TOKEN_MASK] = { "[MASK]", "<mask>" },
};

/* chat_template: a string, or a list of {"name", "template"} of which "default" counts. */
static trine_status read_chat_template(trine_tokenizer *t, const trine_neighbors *n, trine_error *err)
{
    char *path = trine_path_join(n->dir, "chat_template.jinja");
    if (!path) return no_memory(err);
    if (trine_file_exists(path)) {
        size_t size;
        const trine_status status = trine_file_read(&t->chat_template, &size, path, 1 << 20, err);
        free(path);
        return status;
    }
    free(path);
    const json_t *value = json_object_get(n->config, "chat_template");
    if (json_is_array(value)) {
        const json_t *list = value, *chosen = json_object_get(json_array_get(list, 0), "template");
        for (size_t i = 0; i < json_array_size(list); i++) {
            const char *name = json_string_value(json_object_get(json_array_get(list, i), "name"));
            if (name && !strcmp(name, "default")) chosen = json_object_get(json_array_get(list, i), "template");
        }
        value = chosen;
    }
    if (!json_is_string(value)) return TRINE_OK;
    t->chat_template = trine_copy_text(json_string_value(value), json_string_length(value));
    return t->chat_template ? TRINE_OK : no_memory(err);
}

/* An encoder with a mask whose files do not name [CLS] and [SEP] (RoBERTa's): what its template puts around a text. */
static void take_cls_sep(trine_tokenizer *t, const trine_neighbors *n)
{
    const trine_template *s = &t->single;
    if (t->specials[TRINE_TOKEN_MASK] < 0 || s->n != 3 || s->pieces[0].n_ids != 1 || s->pieces[2].n_ids != 1) return;
    for (int i = 0; i < 2; i++) {
        const int role = i ? TRINE_TOKEN_SEP : TRINE_TOKEN_CLS;
        if (t->specials[role] < 0 && !role_value(n, roles[role])) t->specials[role] = s->pieces[i ? 2 : 0].ids[0];
    }
}

trine_status trine_neighbors_finish(trine_tokenizer *t, const trine_neighbors *n, const char *const *defaults, trine_error *err)
{
    for (int i = 0; i < TRINE_N_SPECIALS; i++) {
        const bool silent = !defaults && !role_value(n, roles[i]);
        const char *token = trine_neighbors_token(n, roles[i], default_of(defaults, roles[i]));
        if (token) t->specials[i] = trine_tokenizer_id(t, token);
        for (int k = 0; silent && k < 6 && customary[i][k] && t->specials[i] < 0; k++) {
            const int32_t id = trine_tokenizer_id(t, customary[i][k]);
            if (id >= 0 && (trine_tokenizer_is_special(t, id) || i == TRINE_TOKEN_UNK)) t->specials[i] = id;
        }
    }
    if (!defaults) take_cls_sep(t, n);
    return read_chat_template(t, n, err);
}

/* The template as the JSON of a TemplateProcessing; NULL, with err, when it cannot be made. */
static json_t *template_json(const trine_tokenizer *t, const char *single, const char *pair, trine_error *err)
{
    json_t *tokens = json_object(), *lists[2] = { json_array(), json_array() };
    bool fine = tokens && lists[0] && lists[1], missing = false;
    for (int k = 0; k < 2 && fine; k++) {
        for (const char *word = k ? pair : single; *word && fine;) {
            size_t n = strcspn(word, " ");
            const char *next = word + n + (word[n] == ' ');
            int type = 0;
            if (n > 2 && word[n - 2] == ':') {
                type = word[n - 1] - '0';
                n -= 2;
            }
            char *name = trine_copy_text(word, n);
            json_t *piece = NULL;
            if (name && name[0] == '$' && n == 2) {
                piece = json_pack("{s:{s:s, s:i}}", "Sequence", "id", name + 1, "type_id", type);
            } else if (name) {
                const int32_t id = trine_tokenizer_id(t, name);
                if ((missing = id < 0))
                    trine_fail(err, TRINE_ERROR_FORMAT, "tokenizer: special token '%s' is not in the vocabulary", name);
                piece = json_pack("{s:{s:s, s:i}}", "SpecialToken", "id", name, "type_id", type);
                fine = !json_object_set_new(tokens, name, json_pack("{s:s, s:[i], s:[s]}", "id", name, "ids", id, "tokens", name));
            }
            free(name);
            fine = fine && piece && !json_array_append_new(lists[k], piece) && !missing;
            word = next;
        }
    }
    json_t *out = fine ? json_pack("{s:s, s:O, s:O, s:O}", "type", "TemplateProcessing", "single", lists[0], "pair", lists[1],
                                   "special_tokens", tokens)
                       : NULL;
    json_decref(tokens);
    json_decref(lists[0]);
    json_decref(lists[1]);
    if (!out && !missing) no_memory(err);
    return out;
}

trine_status trine_tokenizer_set_template(trine_tokenizer *t, const char *single, const char *pair, trine_error *err)
{
    json_t *template = template_json(t, single, pair, err);
    if (!template) return err && err->code ? err->code : TRINE_ERROR_FORMAT;
    trine_template_clear(&t->single);
    trine_template_clear(&t->pair);
    trine_status status = trine_json_post_processor(t, template, err);
    json_t *config = NULL, *all = json_array();
    bool fine = all != NULL;
    if (!status) status = trine_json_read(&config, t->config, strlen(t->config), "tokenizer", err);
    for (int i = 0; i < t->n_trims && fine; i++)
        fine = !json_array_append_new(all, json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space",
                                                     t->trim_prefix[i], "trim_offsets", true, "use_regex", true));
    if (!status && fine) {
        if (t->n_trims)
            fine = !json_array_append(all, template) &&
                   !json_object_set_new(config, "post_processor", json_pack("{s:s, s:O}", "type", "Sequence", "processors", all));
        else
            fine = !json_object_set(config, "post_processor", template);
        char *text = fine ? json_dumps(config, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
        if (text) {
            free(t->config);
            t->config = text;
        }
        fine = text != NULL;
    }
    json_decref(all);
    json_decref(config);
    json_decref(template);
    return status ? status : fine ? TRINE_OK : no_memory(err);
}
