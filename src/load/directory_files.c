/* directory_files.c - see directory_files.h. */
#include "load/directory_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"

static trine_status no_memory(const trine_new_directory *d, trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to write '%s'", d->path);
}

trine_status trine_directory_put(trine_new_directory *d, const char *name, const void *bytes, size_t n, trine_error *err)
{
    char *path = trine_path_join(d->temporary, name);
    if (!path) return no_memory(d, err);
    trine_writer w;
    trine_status status = trine_writer_open(&w, path, false, err);
    if (!status) {
        trine_writer_write(&w, bytes, n);
        status = trine_writer_commit(&w, err);
    }
    free(path);
    d->bytes += (int64_t)n;
    d->n_files++;
    return status;
}

trine_status trine_directory_put_json(trine_new_directory *d, const char *name, trine_json_builder *json, trine_error *err)
{
    /* 15 digits: 1e-05 stays 1e-05. */
    char *text = json->object && !json->failed ? json_dumps(json->object, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(json->object);
    if (!text) return no_memory(d, err);
    const trine_status status = trine_directory_put(d, name, text, strlen(text), err);
    free(text);
    return status;
}

/* Copies a file when it is there; 256 MiB are more than any tokenizer. */
static trine_status copy_file(trine_new_directory *d, const char *from, const char *name, trine_error *err)
{
    char *path = trine_path_join(from, name), *bytes;
    if (!path) return no_memory(d, err);
    size_t n;
    trine_status status = TRINE_OK;
    if (trine_file_exists(path)) {
        status = trine_file_read(&bytes, &n, path, (size_t)1 << 28, err);
        if (!status) {
            status = trine_directory_put(d, name, bytes, n, err);
            free(bytes);
        }
    }
    free(path);
    return status;
}

/* tokenizer_config.json with another chat template, and chat_template.jinja, which counts before it, where there is one. */
static trine_status put_template(trine_new_directory *d, const char *from, const char *jinja, trine_error *err)
{
    trine_json_builder config = { 0 };
    char *path = trine_path_join(from, "chat_template.jinja");
    if (!path) return no_memory(d, err);
    trine_status status = trine_json_file_read_optional(&config.object, from, "tokenizer_config.json", err);
    if (!status && !config.object) config.object = json_object();
    if (!status) {
        trine_json_put(&config, "chat_template", json_string(jinja));
        status = trine_directory_put_json(d, "tokenizer_config.json", &config, err);
    }
    if (!status && trine_file_exists(path)) status = trine_directory_put(d, "chat_template.jinja", jinja, strlen(jinja), err);
    free(path);
    return status;
}

trine_status trine_directory_put_fellows_with(trine_new_directory *d, const char *from, const char *chat_template, trine_error *err)
{
    static const char *const names[] = {
        "tokenizer_config.json",
        "chat_template.jinja",
        "tokenizer.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.txt",
        "vocab.json",
        "merges.txt",
        "spiece.model",
        "tokenizer.model",
        "sentencepiece.bpe.model",
        "chat_template.json",
        "generation_config.json",
        "sentence_bert_config.json",
        "config_sentence_transformers.json",
        "LICENSE",
        "LICENSE.txt",
        "NOTICE",
    };
    enum { HOLD_TEMPLATE = 2 }; /* the first two */
    trine_status status = chat_template ? put_template(d, from, chat_template, err) : TRINE_OK;
    for (size_t i = chat_template ? HOLD_TEMPLATE : 0; !status && i < sizeof names / sizeof *names; i++)
        status = copy_file(d, from, names[i], err);
    return status;
}

trine_status trine_directory_put_fellows(trine_new_directory *d, const char *from, trine_error *err)
{
    return trine_directory_put_fellows_with(d, from, NULL, err);
}
