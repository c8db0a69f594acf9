/* tokenizer_files.c - a path becomes a tokenizer: which file holds the vocabulary, and what its kind means by default.
 *
 * Each kind is described as tokenizer.json would describe it (tokenizer_json.h), with the defaults of the class in `transformers`
 * that reads these files. */
#include "tokenizer/tokenizer_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/ends.h"
#include "base/status.h"
#include "base/utf8.h"
#include "tokenizer/json_vocabulary.h"
#include "tokenizer/piece_model.h"
#include "tokenizer/pre_patterns.h"

enum { FILE_LIMIT = 512 << 20 };

static trine_status no_memory(trine_error *err) { return trine_fail(err, TRINE_ERROR_MEMORY, "tokenizer: no memory"); }

static trine_status read_json(json_t **out, const char *path, trine_error *err)
{
    char *text;
    size_t n;
    trine_status status = trine_file_read(&text, &n, path, FILE_LIMIT, err);
    if (status) return status;
    status = trine_json_read(out, text, n, path, err);
    free(text);
    return status;
}

/* -- tokenizer.json */

/* `add_bos_token` and `add_eos_token` of tokenizer_config.json, where given, overrule the file's own template, as in
 * `transformers`. */
static trine_status apply_bos_eos(bool *changed, trine_tokenizer *t, const trine_neighbors *n, trine_error *err)
{
    const json_t *add_bos = json_object_get(n->config, "add_bos_token"), *add_eos = json_object_get(n->config, "add_eos_token");
    *changed = false;
    if (!json_is_boolean(add_bos) && !json_is_boolean(add_eos)) return TRINE_OK;
    const char *bos = json_is_true(add_bos) ? trine_neighbors_token(n, "bos_token", NULL) : NULL;
    const char *eos = json_is_true(add_eos) ? trine_neighbors_token(n, "eos_token", NULL) : NULL;
    if ((json_is_true(add_bos) && !bos) || (json_is_true(add_eos) && !eos)) return TRINE_OK; /* it does not say which token */
    const trine_status status = trine_tokenizer_set_bos_eos(t, bos, eos, 1, err);
    *changed = true;
    return status;
}

/* What a tokenizer.json says beside the vocabulary that has been read already. */
static trine_status read_rest(json_t **root, const trine_buffer *rest, const char *what, trine_error *err)
{
    const trine_status status = trine_json_read(root, rest->data, rest->n, what, err);
    if (status) return status;
    json_t *model = json_object_get(*root, "model");
    json_object_del(model, "vocab");
    if (json_is_integer(json_object_get(model, "merges"))) json_object_del(model, "merges");
    return TRINE_OK;
}

/* *exact: the text says everything, its neighbors changed nothing. */
static trine_status from_json_text(bool *exact, trine_tokenizer *t, const char *text, size_t bytes, const char *what,
                                   const trine_neighbors *n, trine_error *err)
{
    json_t *root = NULL;
    int n_new = 0;
    bool changed = false;
    trine_buffer rest = { 0 };
    bool taken;
    trine_status status = trine_json_vocabulary(&taken, &rest, t, text, bytes, err);
    if (!status && taken) status = read_rest(&root, &rest, what, err);
    trine_buffer_clear(&rest);
    if (status == TRINE_ERROR_FORMAT || (!status && !taken)) status = trine_json_read(&root, text, bytes, what, err);
    if (!status && !json_is_object(root)) status = trine_fail(err, TRINE_ERROR_FORMAT, "%s: not a JSON object", what);
    if (!status) status = trine_neighbors_extend(&n_new, root, n, NULL, err);
    if (!status) status = trine_tokenizer_fill(t, root, err);
    if (!status) status = apply_bos_eos(&changed, t, n, err);
    json_decref(root);
    *exact = !n_new && !changed;
    return status;
}

static trine_status from_tokenizer_json(trine_tokenizer *t, const char *path, const trine_neighbors *n, trine_error *err)
{
    bool exact = true;
    trine_status status = trine_mapping_open(&t->source, path, err);
    if (!status) status = from_json_text(&exact, t, (const char *)t->source.data, t->source.size, path, n, err);
    if (!exact)
        trine_mapping_close(&t->source);
    else if (t->source.data)
        trine_mapping_forget(&t->source, 0, t->source.size);
    return status ? status : trine_neighbors_finish(t, n, NULL, err);
}

/* Fills a tokenizer from a description made here; takes `root` over. */
static trine_status fill_described(trine_tokenizer *t, json_t *root, const trine_neighbors *n, const char *const *defaults,
                                   trine_error *err)
{
    if (!root) return no_memory(err);
    int n_new;
    trine_status status = trine_neighbors_extend(&n_new, root, n, defaults, err);
    if (!status) status = trine_tokenizer_fill(t, root, err);
    json_decref(root);
    return status ? status : trine_neighbors_finish(t, n, defaults, err);
}

/* -- vocab.txt: BERT */

static trine_status read_vocab_txt(trine_vocab *vocab, const char *path, trine_error *err)
{
    char *text;
    size_t n;
    trine_status status = trine_file_read(&text, &n, path, FILE_LIMIT, err);
    if (status) return status;
    if (!trine_utf8_valid(text, n)) status = trine_fail(err, TRINE_ERROR_FORMAT, "%s: not UTF-8 text", path);
    int32_t id = 0;
    for (size_t at = 0; at < n && !status; id++) {
        const char *line = text + at, *stop = memchr(line, '\n', n - at);
        size_t length = stop ? (size_t)(stop - line) : n - at;
        at += length + 1;
        if (length && line[length - 1] == '\r') length--;
        status = trine_vocab_set(vocab, id, line, length, err);
    }
    free(text);
    return status ? status : trine_vocab_index(vocab, err);
}

static trine_status from_vocab_txt(trine_tokenizer *t, const char *path, const trine_neighbors *n, trine_error *err)
{
    static const char *const defaults[] = { "unk_token", "[UNK]", "sep_token",  "[SEP]",  "pad_token", "[PAD]",
                                            "cls_token", "[CLS]", "mask_token", "[MASK]", NULL };
    trine_status status = read_vocab_txt(&t->vocab, path, err);
    if (status) return status;
    const char *unk = trine_neighbors_token(n, "unk_token", "[UNK]"), *cls = trine_neighbors_token(n, "cls_token", "[CLS]");
    const char *sep = trine_neighbors_token(n, "sep_token", "[SEP]");
    const json_t *accents = json_object_get(n->config, "strip_accents");
    json_t *root = json_pack("{s:s, s:{s:s, s:b, s:b, s:b}, s:{s:s}, s:{s:s, s:s, s:b}, s:{s:s, s:s, s:s, s:i}}", "version", "1.0",
                             "normalizer", "type", "BertNormalizer", "clean_text", true, "handle_chinese_chars",
                             trine_neighbors_flag(n, "tokenize_chinese_chars", true), "lowercase",
                             trine_neighbors_flag(n, "do_lower_case", true), "pre_tokenizer", "type", "BertPreTokenizer", "decoder",
                             "type", "WordPiece", "prefix", "##", "cleanup", true, "model", "type", "WordPiece", "unk_token",
                             unk ? unk : "[UNK]", "continuing_subword_prefix", "##", "max_input_chars_per_word", 100);
    if (root && json_is_boolean(accents) &&
        json_object_set_new(json_object_get(root, "normalizer"), "strip_accents", json_boolean(json_is_true(accents)))) {
        json_decref(root);
        root = NULL;
    }
    status = fill_described(t, root, n, defaults, err);
    if (status || !cls || !sep) return status;
    return trine_tokenizer_set_pair_template(t, cls, sep, false, err);
}

/* -- vocab.json and merges.txt: byte-level BPE */

static trine_status read_merges_txt(json_t *list, const char *path, trine_error *err)
{
    char *text;
    size_t n;
    trine_status status = trine_file_read(&text, &n, path, FILE_LIMIT, err);
    if (status) return status;
    for (size_t at = 0; at < n && !status;) {
        const char *line = text + at, *stop = memchr(line, '\n', n - at);
        size_t length = stop ? (size_t)(stop - line) : n - at;
        at += length + 1;
        if (length && line[length - 1] == '\r') length--;
        if (!length || (length >= 8 && !memcmp(line, "#version", 8))) continue;
        json_t *merge = json_stringn(line, length);
        if (!merge)
            status = trine_fail(err, TRINE_ERROR_FORMAT, "%s: line %zu is not UTF-8 text", path, json_array_size(list) + 1);
        else if (json_array_append_new(list, merge))
            status = no_memory(err);
    }
    free(text);
    return status;
}

static trine_status from_vocab_json(trine_tokenizer *t, const char *path, const char *merges_path, const trine_neighbors *n,
                                    trine_error *err)
{
    static const char *const gpt2[] = { "bos_token", "<|endoftext|>", "eos_token", "<|endoftext|>",
                                        "unk_token", "<|endoftext|>", NULL };
    static const char *const qwen2[] = { "eos_token", "<|endoftext|>", "unk_token", "<|endoftext|>",
                                         "pad_token", "<|endoftext|>", NULL };
    static const char *const roberta[] = { "bos_token", "<s>",   "eos_token", "</s>",  "sep_token",  "</s>",   "cls_token", "<s>",
                                           "unk_token", "<unk>", "pad_token", "<pad>", "mask_token", "<mask>", NULL };
    const bool is_qwen2 = strstr(n->class, "qwen") != NULL;
    const bool is_roberta = strstr(n->class, "roberta") || strstr(n->class, "bart") || strstr(n->class, "longformer");
    const bool prefix = trine_neighbors_flag(n, "add_prefix_space", false);
    json_t *vocab = NULL, *merges = json_array();
    trine_status status = merges ? read_json(&vocab, path, err) : no_memory(err);
    if (!status) status = read_merges_txt(merges, merges_path, err);
    json_t *root = NULL;
    if (!status) {
        root = json_pack("{s:s, s:{s:s, s:b, s:b, s:b}, s:{s:s, s:b, s:b, s:b}, s:{s:s, s:O, s:O}}", "version", "1.0",
                         "pre_tokenizer", "type", "ByteLevel", "add_prefix_space", prefix, "trim_offsets", true, "use_regex",
                         !is_qwen2, "decoder", "type", "ByteLevel", "add_prefix_space", true, "trim_offsets", true, "use_regex",
                         true, "model", "type", "BPE", "vocab", vocab, "merges", merges);
        if (root && is_qwen2) {
            json_t *split = json_pack("{s:s, s:[{s:s, s:{s:s}, s:s, s:b}, O]}", "type", "Sequence", "pretokenizers", "type",
                                      "Split", "pattern", "Regex", trine_pre_pattern_find("qwen2")->pattern, "behavior", "Isolated",
                                      "invert", false, json_object_get(root, "pre_tokenizer"));
            if (!split || json_object_set_new(root, "pre_tokenizer", split) ||
                json_object_set_new(root, "normalizer", json_pack("{s:s}", "type", "NFC"))) {
                json_decref(root);
                root = NULL;
            }
        }
        if (root && is_roberta &&
            json_object_set_new(root, "post_processor",
                                json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", prefix, "trim_offsets",
                                          trine_neighbors_flag(n, "trim_offsets", true), "use_regex", true))) {
            json_decref(root);
            root = NULL;
        }
        status = fill_described(t, root, n, is_qwen2 ? qwen2 : is_roberta ? roberta : gpt2, err);
    }
    json_decref(vocab);
    json_decref(merges);
    if (status || !is_roberta) {
        bool changed;
        return status ? status : apply_bos_eos(&changed, t, n, err);
    }
    const char *cls = trine_neighbors_token(n, "cls_token", "<s>"), *sep = trine_neighbors_token(n, "sep_token", "</s>");
    if (!cls || !sep) return TRINE_OK;
    return trine_tokenizer_set_pair_template(t, cls, sep, true, err);
}

/* -- ByT5: bytes */

static trine_status from_bytes(trine_tokenizer *t, const trine_neighbors *n, trine_error *err)
{
    static const char *const defaults[] = { "pad_token", "<pad>", "eos_token", "</s>", "unk_token", "<unk>", NULL };
    json_int_t n_extra = 125;
    if (json_object_get(n->config, "extra_ids")) {
        const trine_status status = trine_json_int(&n_extra, n->config, "tokenizer_config.json", "extra_ids", 0, 100000, err);
        if (status) return status;
    }
    t->algorithm = TRINE_BYTES;
    t->added.python_spaces = true; /* the reference is a class in Python */
    trine_status status = TRINE_OK;
    for (json_int_t i = 0; i < 3 + n_extra && !status; i++) {
        char extra[40];
        snprintf(extra, sizeof extra, "<extra_id_%lld>", (long long)i - 3);
        const char *content = i < 3 ? trine_neighbors_token(n, defaults[2 * i], defaults[2 * i + 1]) : extra;
        if (!content) content = defaults[2 * i + 1];
        const trine_added_token token = {
            .id = (int32_t)(i < 3 ? i : i + 256),
            .content = (char *)(uintptr_t)content,
            .n_content = strlen(content),
            .special = true,
            .lstrip = i < 3,
            .rstrip = i < 3,
        };
        status = trine_added_tokens_put(&t->added, &token, err);
    }
    if (!status) status = trine_added_tokens_index(&t->added, NULL, 0, err);
    t->vocab_size = 3 + 256 + (int)n_extra;
    if (!status) status = trine_neighbors_finish(t, n, defaults, err);
    if (!status && !(t->config = trine_copy_text("{}", 2))) status = no_memory(err);
    const char *eos = trine_tokenizer_token(t, 1);
    return status ? status : trine_tokenizer_set_bos_eos(t, NULL, eos, 0, err);
}

/* -- which one */

/* Reads the vocabulary file at `path`, by the kind its name tells. */
static trine_status from_file(trine_tokenizer *t, const char *path, const trine_neighbors *n, trine_error *err)
{
    if (trine_ends_with(path, ".txt") && !trine_ends_with(path, "merges.txt")) return from_vocab_txt(t, path, n, err);
    if (trine_ends_with(path, ".model")) return trine_tokenizer_from_sentencepiece(t, path, n, err);
    const bool vocab = trine_ends_with(path, "vocab.json"), merges = trine_ends_with(path, "merges.txt");
    if (vocab || merges) {
        char *other = trine_path_join(n->dir, vocab ? "merges.txt" : "vocab.json");
        trine_status status = other ? TRINE_OK : no_memory(err);
        if (!status && !trine_file_exists(other))
            status =
                trine_fail(err, TRINE_ERROR_NOT_FOUND, "%s: there is no %s beside it", path, vocab ? "merges.txt" : "vocab.json");
        if (!status) status = from_vocab_json(t, vocab ? path : other, vocab ? other : path, n, err);
        free(other);
        return status;
    }
    if (trine_ends_with(path, ".json")) return from_tokenizer_json(t, path, n, err);
    return trine_fail(
        err, TRINE_ERROR_UNSUPPORTED,
        "%s: not a tokenizer file by its name; expected tokenizer.json, vocab.txt, vocab.json, merges.txt, spiece.model or "
        "tokenizer.model",
        path);
}

static trine_status from_directory(trine_tokenizer *t, const trine_neighbors *n, trine_error *err)
{
    static const char *const names[] = { "tokenizer.json", "vocab.txt",       "vocab.json",
                                         "spiece.model",   "tokenizer.model", "sentencepiece.bpe.model" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = trine_path_join(n->dir, names[i]);
        if (!path) return no_memory(err);
        const bool there = trine_file_exists(path);
        const trine_status status = there ? from_file(t, path, n, err) : TRINE_OK;
        free(path);
        if (there) return status;
    }
    if (!strncmp(n->class, "byt5", 4)) return from_bytes(t, n, err);
    return trine_fail(err, TRINE_ERROR_NOT_FOUND,
                      "%s: no tokenizer here; expected tokenizer.json, vocab.txt, vocab.json with merges.txt, spiece.model or "
                      "tokenizer.model",
                      n->dir);
}

trine_status trine_tokenizer_open_path(trine_tokenizer **out, const char *path, trine_error *err)
{
    if (!out) return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: no place for the result");
    *out = NULL;
    if (!path) return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: no path");
    const bool directory = trine_is_directory(path);
    if (!directory && !trine_file_exists(path))
        return trine_fail(err, TRINE_ERROR_NOT_FOUND, "%s: no such file or directory", path);
    const char *slash = strrchr(path, '/');
    char *dir = directory ? trine_copy_text(path, strlen(path))
                : slash   ? trine_copy_text(path, (size_t)(slash - path) + (slash == path))
                          : trine_copy_text(".", 1);
    if (!dir) return no_memory(err);
    trine_neighbors neighbors;
    trine_error local;
    if (!err) err = &local; /* set_template reads the code back */
    *err = (trine_error) { 0 };
    trine_status status = trine_neighbors_open(&neighbors, dir, err);
    if (!status) {
        status = trine_tokenizer_new(out, err);
        if (!status) status = directory ? from_directory(*out, &neighbors, err) : from_file(*out, path, &neighbors, err);
        trine_neighbors_close(&neighbors);
    }
    free(dir);
    if (status) {
        trine_tokenizer_close(*out);
        *out = NULL;
    }
    return status;
}

trine_status trine_tokenizer_open_json(trine_tokenizer **out, const char *json, size_t json_bytes, const char *config,
                                       size_t config_bytes, trine_error *err)
{
    if (!out) return trine_fail(err, TRINE_ERROR_ARGUMENT, "tokenizer: no place for the result");
    *out = NULL;
    trine_neighbors neighbors = { .dir = "" };
    trine_error local;
    if (!err) err = &local; /* set_template reads the code back */
    *err = (trine_error) { 0 };
    trine_status status =
        config ? trine_json_read(&neighbors.config, config, config_bytes, "tokenizer_config.json", err) : TRINE_OK;
    const char *class = json_string_value(json_object_get(neighbors.config, "tokenizer_class"));
    bool exact;
    if (!status) status = trine_tokenizer_new(out, err);
    if (!status && json) {
        status = from_json_text(&exact, *out, json, json_bytes, "tokenizer.json", &neighbors, err);
        if (!status) status = trine_neighbors_finish(*out, &neighbors, NULL, err);
    } else if (!status) {
        status = class && !strncmp(class, "ByT5", 4)
                     ? from_bytes(*out, &neighbors, err)
                     : trine_fail(err, TRINE_ERROR_NOT_FOUND, "tokenizer: there is no tokenizer.json, and the class is not ByT5");
    }
    trine_neighbors_close(&neighbors);
    if (status) {
        trine_tokenizer_close(*out);
        *out = NULL;
    }
    return status;
}
