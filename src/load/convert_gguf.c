/* convert_gguf.c - a planned model as one GGUF file: metadata that llama.cpp and the gguf package look for, the vocabulary, and the
 * whole config.json for what GGUF has no keys for. From another GGUF file the metadata is passed on as it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "load/convert_plan.h"
#include "load/sentence_transformers.h"
#include "load/tokenizer_config.h"
#include "quant/quant.h"
#include "tokenizer/tokenizer.h"

static trine_status no_memory(const trine_convert_plan *plan, trine_error *err)
{
    return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to convert '%s'", plan->in);
}

/* llama.cpp's number for "mostly of this type". */
static uint32_t file_type(const trine_convert_plan *plan)
{
    if (plan->file_type >= 0) return (uint32_t)plan->file_type;
    switch (trine_convert_plan_type(plan)) {
    case TRINE_F16: return 1;
    case TRINE_Q4_0: return 2;
    case TRINE_Q4_1: return 3;
    case TRINE_Q8_0: return 7;
    case TRINE_Q5_0: return 8;
    case TRINE_Q5_1: return 9;
    case TRINE_Q4_K: return 15;
    case TRINE_Q5_K: return 17;
    case TRINE_Q6_K: return 18;
    case TRINE_BF16: return 32;
    default: return 0;
    }
}

/* The last part of a path, as the model's name. */
static void put_name(trine_gguf_head *h, const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    size_t start = n;
    while (start && path[start - 1] != '/') start--;
    char name[256];
    snprintf(name, sizeof name, "%.*s", (int)(n - start > 255 ? 255 : n - start), path + start);
    trine_gguf_put_string(h, "general.name", name);
}

static void put_fields(trine_gguf_head *h, const trine_convert_plan *plan, int64_t n_positions)
{
    for (const trine_gguf_field *f = plan->architecture->fields; f->gguf; f++) {
        const json_t *value = trine_config_value(plan->config, NULL, f->hf);
        if (!value) continue;
        if (f->kind == TRINE_FIELD_FLOAT)
            trine_gguf_put_f32(h, f->gguf, (float)json_number_value(value));
        else if (f->kind == TRINE_FIELD_BOOL)
            trine_gguf_put_bool(h, f->gguf, json_is_true(value));
        else if (plan->architecture->positions_cut && !strcmp(f->gguf, ".context_length"))
            trine_gguf_put_u32(h, f->gguf, (uint32_t)n_positions);
        else if (json_integer_value(value) >= 0)
            trine_gguf_put_u32(h, f->gguf, (uint32_t)json_integer_value(value));
    }
}

static void put_id(trine_gguf_head *h, const char *key, int32_t id)
{
    if (id >= 0) trine_gguf_put_u32(h, key, (uint32_t)id);
}

/* A vocabulary has as many tokens as the embedding has rows: llama.cpp counts on it. */
static trine_status put_tokens(trine_gguf_head *h, const trine_vocabulary *v, int n_rows, const trine_convert_plan *plan,
                               trine_error *err)
{
    enum { PAD_BYTES = 24, NORMAL = 1, UNUSED = 5 };
    if (v->n_tokens > n_rows)
        return trine_fail(
            err, TRINE_ERROR_FORMAT,
            "'%s': the tokenizer has %d tokens, but the model's embedding has %d rows: the tokenizer does not match its model",
            plan->in, v->n_tokens, n_rows);
    const char **texts = malloc((size_t)n_rows * sizeof *texts);
    char *padding = malloc((size_t)(n_rows - v->n_tokens + 1) * PAD_BYTES);
    int32_t *types = malloc((size_t)n_rows * sizeof *types);
    float *scores = malloc((size_t)n_rows * sizeof *scores);
    const bool enough = texts && padding && types && scores;
    for (int i = 0; enough && i < n_rows; i++) {
        const bool there = i < v->n_tokens;
        char *name = padding + (size_t)(there ? 0 : i - v->n_tokens) * PAD_BYTES;
        if (!there) snprintf(name, PAD_BYTES, "[PAD%d]", i);
        texts[i] = there ? v->tokens[i] : name;
        types[i] = !there ? UNUSED : v->token_types ? v->token_types[i] : NORMAL;
        scores[i] = there && v->scores ? v->scores[i] : there ? 0.0f : -10000.0f;
    }
    if (enough) {
        trine_gguf_put_strings(h, "tokenizer.ggml.tokens", texts, (size_t)n_rows);
        trine_gguf_put_i32s(h, "tokenizer.ggml.token_type", types, (size_t)n_rows);
        if (v->scores) trine_gguf_put_f32s(h, "tokenizer.ggml.scores", scores, (size_t)n_rows);
    }
    free(texts);
    free(padding);
    free(types);
    free(scores);
    return enough ? TRINE_OK : no_memory(plan, err);
}

static trine_status put_vocabulary(trine_gguf_head *h, const trine_vocabulary *v, int n_rows, const trine_convert_plan *plan,
                                   trine_error *err)
{
    trine_gguf_put_string(h, "tokenizer.ggml.model", v->model);
    trine_gguf_put_string(h, "tokenizer.ggml.pre", v->pre && *v->pre ? v->pre : "default");
    const trine_status status = put_tokens(h, v, n_rows, plan, err);
    if (status) return status;
    if (v->n_merges) trine_gguf_put_strings(h, "tokenizer.ggml.merges", v->merges, (size_t)v->n_merges);
    /* llama.cpp puts these around a text of WordPiece, and takes 101 and 102 where they are not told. */
    const bool pairs = !strcmp(v->model, "bert");
    put_id(h, "tokenizer.ggml.bos_token_id", pairs && v->bos < 0 ? v->cls : v->bos);
    put_id(h, "tokenizer.ggml.eos_token_id", pairs && v->eos < 0 ? v->sep : v->eos);
    put_id(h, "tokenizer.ggml.padding_token_id", v->pad);
    put_id(h, "tokenizer.ggml.unknown_token_id", v->unk);
    put_id(h, "tokenizer.ggml.cls_token_id", v->cls);
    put_id(h, "tokenizer.ggml.seperator_token_id", v->sep); /* so spelt in the format */
    put_id(h, "tokenizer.ggml.mask_token_id", v->mask);
    if (v->add_bos >= 0) trine_gguf_put_bool(h, "tokenizer.ggml.add_bos_token", v->add_bos);
    if (v->add_eos >= 0) trine_gguf_put_bool(h, "tokenizer.ggml.add_eos_token", v->add_eos);
    if (v->add_space_prefix >= 0) trine_gguf_put_bool(h, "tokenizer.ggml.add_space_prefix", v->add_space_prefix);
    trine_gguf_put_bool(h, "tokenizer.ggml.remove_extra_whitespaces", v->remove_extra_whitespaces);
    if (v->charsmap) trine_gguf_put_bytes(h, "tokenizer.ggml.precompiled_charsmap", v->charsmap, v->charsmap_bytes);
    if (v->chat_template) trine_gguf_put_string(h, "tokenizer.chat_template", v->chat_template);
    return TRINE_OK;
}

/* The tokenizer in Hugging Face's own words too: a vocabulary of GGUF has no words for some normalisers, templates and flags. */
static trine_status put_texts(trine_gguf_head *h, const trine_tokenizer *tokenizer, const trine_convert_plan *plan,
                              trine_error *err)
{
    char *json = NULL;
    if (!trine_tokenizer_is_bytes(tokenizer)) {
        const trine_status status = trine_tokenizer_to_json(&json, tokenizer, err);
        if (status) return status;
        trine_gguf_put_string(h, "tokenizer.huggingface.json", json);
        trine_free(json);
    }
    trine_json_builder made = trine_tokenizer_config_make(tokenizer, 0);
    char *config = made.object && !made.failed ? json_dumps(made.object, JSON_COMPACT) : NULL;
    json_decref(made.object);
    if (!config) return no_memory(plan, err);
    trine_gguf_put_string(h, "trine.tokenizer_config", config);
    free(config);
    return TRINE_OK;
}

static trine_status put_tokenizer(trine_gguf_head *h, const trine_convert_plan *plan, int n_rows, trine_error *err)
{
    trine_tokenizer *tokenizer;
    trine_vocabulary v;
    trine_status status = trine_tokenizer_open_path(&tokenizer, trine_checkpoint_directory(plan->checkpoint), err);
    if (status == TRINE_ERROR_NOT_FOUND) { /* a model that takes ids only */
        trine_gguf_put_string(h, "tokenizer.ggml.model", "no_vocab");
        return TRINE_OK;
    }
    if (status) return status;
    status = trine_tokenizer_to_vocabulary(&v, tokenizer, err);
    if (!status)
        status = put_vocabulary(h, &v, n_rows, plan, err);
    else if (status == TRINE_ERROR_UNSUPPORTED) { /* the texts say it */
        trine_gguf_put_string(h, "tokenizer.ggml.model", "no_vocab");
        status = TRINE_OK;
    }
    if (!status) status = put_texts(h, tokenizer, plan, err);
    trine_tokenizer_close(tokenizer);
    return status;
}

/* Longest text that the positions allow; 0: T5's are relative, and its n_positions bounds nothing. */
static int n_positions(const trine_convert_plan *plan)
{
    if (trine_config_value(plan->config, NULL, "relative_attention_num_buckets")) return 0;
    const int64_t n =
        trine_config_whole(plan->config, "max_position_embeddings", trine_config_whole(plan->config, "n_positions", 0));
    return n < INT32_MAX ? (int)n : 0;
}

static trine_status put_pooling(trine_gguf_head *h, const trine_convert_plan *plan, trine_error *err)
{
    trine_pooling pooling = TRINE_POOL_DEFAULT;
    bool normalize = false;
    const trine_status status =
        trine_sentence_modules_read(&pooling, &normalize, trine_checkpoint_directory(plan->checkpoint), err);
    if (status) return status;
    static const uint32_t numbers[] = { [TRINE_POOL_MEAN] = 1, [TRINE_POOL_CLS] = 2, [TRINE_POOL_LAST] = 3, [TRINE_POOL_MAX] = 0 };
    if (pooling && numbers[pooling])
        trine_gguf_put_u32(h, ".pooling_type", numbers[pooling]);
    else if (pooling)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "'%s' pools by the maximum, which GGUF has no number for", plan->in);
    if (normalize) trine_gguf_put_bool(h, "trine.normalize", true);
    int n_tokens = 0;
    const trine_status length =
        trine_sentence_length_read(&n_tokens, trine_checkpoint_directory(plan->checkpoint), n_positions(plan), err);
    if (!length && n_tokens > 0) trine_gguf_put_u32(h, "trine.embed_tokens", (uint32_t)n_tokens);
    return length;
}

/* The row of the pad token, which the cut table of positions no longer has; trained models have zeros there. */
static trine_status put_position_pad(trine_gguf_head *h, const trine_convert_plan *plan, trine_error *err)
{
    for (int i = 0; i < plan->n_tensors; i++) {
        const trine_planned_tensor *t = &plan->tensors[i];
        if (t->change != TRINE_CHANGE_CUT_ROWS) continue;
        const trine_dtype_info *info = trine_dtype_get(t->from->type);
        const size_t n = (size_t)t->from->shape[1];
        size_t row_bytes;
        if (!info->unpack || info->block != 1 || !trine_dtype_bytes(&row_bytes, t->from->type, n)) return TRINE_OK;
        float *values = malloc((n + 1) * sizeof *values);
        if (!values) return no_memory(plan, err);
        info->unpack(values, (const unsigned char *)t->from->data + (size_t)(t->n - 1) * row_bytes, n);
        bool zero = true;
        for (size_t k = 0; k < n; k++) zero &= values[k] == 0;
        if (!zero) trine_gguf_put_f32s(h, "trine.position_pad", values, n);
        free(values);
    }
    return TRINE_OK;
}

static const trine_tensor *planned(const trine_convert_plan *plan, const char *name)
{
    for (int i = 0; i < plan->n_tensors; i++) {
        if (!strcmp(plan->tensors[i].to.name, name)) return &plan->tensors[i].to;
    }
    return NULL;
}

/* Metadata of a model in the Hugging Face layout. */
static trine_status put_metadata(trine_gguf_head *h, const trine_convert_plan *plan, trine_error *err)
{
    const trine_tensor *embedding = planned(plan, "token_embd.weight"), *positions = planned(plan, "position_embd.weight");
    if (!embedding)
        return trine_fail(err, TRINE_ERROR_NOT_FOUND, "'%s' has no tensor that is its embedding (token_embd.weight in GGUF)",
                          plan->in);
    if (embedding->shape[0] > INT32_MAX / 64)
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': the embedding has %lld rows", plan->in, (long long)embedding->shape[0]);
    trine_gguf_put_string(h, "general.architecture", h->architecture);
    trine_gguf_put_string(h, "general.type", "model");
    put_name(h, plan->in);
    trine_gguf_put_u32(h, "general.file_type", file_type(plan));
    trine_gguf_put_u32(h, "general.quantization_version", 2);
    put_fields(h, plan, positions ? positions->shape[0] : 0);
    plan->architecture->to_gguf(h, plan->config);
    trine_status status = put_tokenizer(h, plan, (int)embedding->shape[0], err);
    if (!status) status = put_pooling(h, plan, err);
    if (!status) status = put_position_pad(h, plan, err);
    if (status) return status;
    char *config = json_dumps(plan->config, JSON_COMPACT);
    if (!config) return no_memory(plan, err);
    trine_gguf_put_string(h, "trine.config", config);
    free(config);
    return TRINE_OK;
}

/* Metadata of another GGUF file, but for what this file has its own way. */
static void pass_metadata(trine_gguf_head *h, const trine_convert_plan *plan)
{
    static const char *const own[] = { "general.alignment", "general.file_type" };
    trine_gguf_string key, bytes;
    for (size_t i = 0; trine_gguf_pair_at(&key, &bytes, trine_checkpoint_gguf(plan->checkpoint), i); i++) {
        bool passes = true;
        for (size_t k = 0; k < sizeof own / sizeof *own; k++) passes &= key.n != strlen(own[k]) || memcmp(key.data, own[k], key.n);
        if (!passes) continue;
        trine_buffer_append(&h->pairs, bytes.data, bytes.n);
        h->n_pairs++;
    }
    trine_gguf_put_u32(h, "general.file_type", file_type(plan));
}

static trine_status write_file(trine_writer *w, const trine_gguf_head *h, const trine_convert_plan *plan,
                               const trine_convert_options *options, trine_error *err)
{
    static const char zeros[TRINE_GGUF_ALIGNMENT];
    trine_status status = trine_gguf_head_write(w, h, err);
    for (int i = 0; !status && i < plan->n_tensors; i++) {
        const trine_planned_tensor *t = &plan->tensors[i];
        status = trine_convert_tensor(w, plan, t, err);
        trine_writer_write(w, zeros, trine_round_up(t->to.bytes, TRINE_GGUF_ALIGNMENT) - t->to.bytes);
        if (!status && w->error.code) break; /* a full disk: commit tells */
        if (!status) status = trine_convert_progress(plan, options, i + 1, err);
    }
    return status;
}

trine_status trine_convert_to_gguf(trine_convert_result *result, const char *out, trine_convert_plan *plan,
                                   const trine_convert_options *options, trine_error *err)
{
    trine_gguf_head h = { .architecture = plan->architecture->gguf };
    trine_writer w;
    trine_status status = TRINE_OK;
    if (trine_checkpoint_gguf(plan->checkpoint))
        pass_metadata(&h, plan);
    else
        status = put_metadata(&h, plan, err);
    for (int i = 0; i < plan->n_tensors; i++) {
        const trine_tensor *t = &plan->tensors[i].to;
        trine_gguf_put_tensor(&h, t->name, t->type, t->n_dims, t->shape, t->bytes);
    }
    if (!status) status = trine_writer_open(&w, out, options->overwrite, err);
    if (!status) {
        status = write_file(&w, &h, plan, options, err);
        *result = (trine_convert_result) { .bytes = (int64_t)w.written, .n_tensors = plan->n_tensors, .n_files = 1 };
        if (status)
            trine_writer_abandon(&w);
        else
            status = trine_writer_commit(&w, err);
    }
    trine_gguf_head_clear(&h);
    return status;
}
