/* convert_directory.c - a planned model as a directory in the Hugging Face layout: config.json, weights in one file or in shards
 * with their index, and the tokenizer with its fellows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/status.h"
#include "checkpoint/json_file.h"
#include "load/convert_plan.h"
#include "load/directory_files.h"
#include "load/gguf_vocabulary.h"
#include "load/sentence_transformers.h"
#include "load/tokenizer_config.h"
#include "tokenizer/tokenizer.h"

typedef struct output {
    trine_new_directory dir;
    trine_convert_plan *plan;
    const trine_convert_options *options;
    int n_shards;
    int *shard_ends; /* [n_shards] tensors up to here */
    int done;
} output;

static trine_status no_memory(const output *o, trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to convert '%s'", o->plan->in);
}

/* ------------------------------------------------------------------------------------------------------------ weights */

/* Tensors go to a shard until it would pass the limit; a shard has at least one. */
static trine_status plan_shards(output *o, trine_error *err)
{
    const size_t limit = o->options->shard_bytes;
    o->shard_ends = malloc((size_t)o->plan->n_tensors * sizeof *o->shard_ends);
    if (!o->shard_ends) return no_memory(o, err);
    size_t bytes = 0;
    for (int i = 0; i < o->plan->n_tensors; i++) {
        const size_t n = o->plan->tensors[i].to.bytes;
        if (i && limit && (n > limit || bytes > limit - n)) {
            o->shard_ends[o->n_shards++] = i;
            bytes = 0;
        }
        bytes += n;
    }
    o->shard_ends[o->n_shards++] = o->plan->n_tensors;
    return TRINE_OK;
}

static void shard_name(char name[64], const output *o, int shard)
{
    if (o->n_shards == 1)
        snprintf(name, 64, "model.safetensors");
    else
        snprintf(name, 64, "model-%05d-of-%05d.safetensors", shard + 1, o->n_shards);
}

static trine_status write_shard(output *o, int shard, trine_error *err)
{
    const int first = shard ? o->shard_ends[shard - 1] : 0, n = o->shard_ends[shard] - first;
    trine_tensor *tensors = malloc((size_t)n * sizeof *tensors);
    if (!tensors) return no_memory(o, err);
    for (int i = 0; i < n; i++) tensors[i] = o->plan->tensors[first + i].to;
    char name[64], *header = NULL;
    size_t header_bytes;
    trine_status status = trine_safetensors_header(&header, &header_bytes, tensors, n, "{\"format\":\"pt\"}", err);
    free(tensors);
    if (status) return status;
    shard_name(name, o, shard);
    char *path = trine_path_join(o->dir.temporary, name);
    trine_writer w;
    status = path ? trine_writer_open(&w, path, false, err) : no_memory(o, err);
    free(path);
    if (!status) {
        trine_writer_write(&w, header, header_bytes);
        for (int i = first; !status && i < first + n && !w.error.code; i++) {
            status = trine_convert_tensor(&w, o->plan, &o->plan->tensors[i], err);
            if (!status) status = trine_convert_progress(o->plan, o->options, ++o->done, err);
        }
        o->dir.bytes += (int64_t)w.written;
        o->dir.n_files++;
        if (status)
            trine_writer_abandon(&w);
        else
            status = trine_writer_commit(&w, err);
    }
    free(header);
    return status;
}

static trine_status write_index(output *o, trine_error *err)
{
    trine_json_builder index = { .object = json_object() }, map = { .object = json_object() };
    size_t total = 0;
    for (int i = 0, shard = 0; i < o->plan->n_tensors; i++) {
        char name[64];
        if (i == o->shard_ends[shard]) shard++;
        shard_name(name, o, shard);
        trine_json_put(&map, o->plan->tensors[i].to.name, json_string(name));
        total += o->plan->tensors[i].to.bytes;
    }
    index.failed = map.failed;
    trine_json_put(&index, "metadata", json_pack("{s:I}", "total_size", (json_int_t)total));
    trine_json_put(&index, "weight_map", map.object);
    return trine_directory_put_json(&o->dir, "model.safetensors.index.json", &index, err);
}

static trine_status write_weights(output *o, trine_error *err)
{
    trine_status status = plan_shards(o, err);
    for (int shard = 0; !status && shard < o->n_shards; shard++) status = write_shard(o, shard, err);
    return status || o->n_shards == 1 ? status : write_index(o, err);
}

/* ------------------------------------------------------------------------------------------- configuration and tokenizer */

static trine_status write_config(output *o, trine_error *err)
{
    static const char *const names[] = { [TRINE_F32] = "float32", [TRINE_F16] = "float16", [TRINE_BF16] = "bfloat16" };
    const trine_dtype type = trine_convert_plan_type(o->plan);
    trine_json_builder config = { .object = trine_json_copy(o->plan->config) };
    if (type <= TRINE_BF16) { /* transformers has called it both */
        trine_json_put(&config, "dtype", json_string(names[type]));
        if (json_object_get(config.object, "torch_dtype")) trine_json_put(&config, "torch_dtype", json_string(names[type]));
    }
    return trine_directory_put_json(&o->dir, "config.json", &config, err);
}

static trine_status write_tokenizer(output *o, const trine_tokenizer *tokenizer, trine_error *err)
{
    char *text;
    trine_status status = TRINE_OK;
    if (!trine_tokenizer_is_bytes(tokenizer)) {
        status = trine_tokenizer_to_json(&text, tokenizer, err);
        if (status) return status;
        status = trine_directory_put(&o->dir, "tokenizer.json", text, strlen(text), err);
        trine_free(text);
    }
    if (status) return status;
    const json_t *config = o->plan->config;
    const int64_t n_positions = trine_config_whole(config, "max_position_embeddings", trine_config_whole(config, "n_positions", 0));
    trine_json_builder made = trine_tokenizer_config_make(tokenizer, n_positions);
    return trine_directory_put_json(&o->dir, "tokenizer_config.json", &made, err);
}

/* What a GGUF file holds beside weights and configuration. */
static trine_status write_fellows(output *o, trine_error *err)
{
    trine_tokenizer *tokenizer;
    trine_status status = trine_tokenizer_open_gguf(&tokenizer, trine_checkpoint_gguf(o->plan->checkpoint), o->plan->in, err);
    if (status || !tokenizer) return status;
    status = write_tokenizer(o, tokenizer, err);
    trine_tokenizer_close(tokenizer);
    if (status) return status;
    trine_json_builder generation = { .object = json_object() };
    static const char *const keys[] = { "bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id" };
    for (int i = 0; i < 4; i++) {
        const json_t *id = trine_config_value(o->plan->config, NULL, keys[i]);
        if (id) trine_json_put(&generation, keys[i], json_incref((json_t *)(uintptr_t)id));
    }
    const bool generates = trine_config_value(o->plan->config, NULL, "eos_token_id") != NULL;
    if (generates) return trine_directory_put_json(&o->dir, "generation_config.json", &generation, err);
    json_decref(generation.object);
    return TRINE_OK;
}

/* modules.json and its fellow, from either container. */
static trine_status write_pooling(output *o, trine_error *err)
{
    const json_t *source = trine_checkpoint_config(o->plan->checkpoint);
    const char *dir = trine_checkpoint_directory(o->plan->checkpoint),
               *name = json_string_value(json_object_get(source, "trine_pooling"));
    trine_pooling pooling = TRINE_POOL_DEFAULT;
    bool normalize = json_is_true(json_object_get(source, "trine_normalize"));
    if (name) pooling = !strcmp(name, "mean") ? TRINE_POOL_MEAN : !strcmp(name, "cls") ? TRINE_POOL_CLS : TRINE_POOL_LAST;
    trine_status status = dir ? trine_sentence_modules_read(&pooling, &normalize, dir, err) : TRINE_OK;
    if (status || !pooling) return status;
    const int64_t d = trine_config_whole(o->plan->config, "hidden_size", trine_config_whole(o->plan->config, "dim", 0));
    status = trine_sentence_modules_write(o->dir.temporary, pooling, normalize, (int)d, err);
    o->dir.n_files += 2;
    const json_t *embed_tokens = trine_config_value(source, NULL, "trine_embed_tokens");
    if (status || !embed_tokens) return status;
    trine_json_builder length = { .object = json_object() };
    trine_json_put(&length, "max_seq_length", json_incref((json_t *)(uintptr_t)embed_tokens));
    trine_json_put(&length, "do_lower_case", json_false());
    return trine_directory_put_json(&o->dir, "sentence_bert_config.json", &length, err);
}

trine_status trine_convert_to_directory(trine_convert_result *result, const char *out, trine_convert_plan *plan,
                                        const trine_convert_options *options, trine_error *err)
{
    output o = { .plan = plan, .options = options };
    *result = (trine_convert_result) { .n_tensors = plan->n_tensors };
    trine_status status = trine_new_directory_open(&o.dir, out, options->overwrite, err);
    if (status) return status;
    status = write_config(&o, err);
    if (!status)
        status = trine_checkpoint_gguf(plan->checkpoint)
                     ? write_fellows(&o, err)
                     : trine_directory_put_fellows(&o.dir, trine_checkpoint_directory(plan->checkpoint), err);
    if (!status) status = write_pooling(&o, err);
    if (!status) status = write_weights(&o, err);
    free(o.shard_ends);
    result->bytes = o.dir.bytes;
    result->n_files = o.dir.n_files;
    if (status)
        trine_new_directory_abandon(&o.dir);
    else
        status = trine_new_directory_commit(&o.dir, err);
    return status;
}
