/* gguf_checkpoint.c - a GGUF file as a checkpoint: tensors under the names of Hugging Face, metadata as a config.json.
 *
 * A file that trine wrote carries the whole config.json it was made from ("trine.config"), which says what GGUF has no keys for;
 * other files are explained by the tables of their architecture. What differs in content is said in "trine_*" keys (checkpoint.h).
 */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/status.h"
#include "checkpoint/checkpoint_build.h"
#include "checkpoint/gguf_architecture.h"

static void set(json_t *config, const char *key, json_t *value) { json_object_set_new(config, key, value); }

static trine_status read_fields(json_t *config, const trine_gguf *g, const trine_gguf_architecture *a, const char *path,
                                trine_error *err)
{
    for (const trine_gguf_field *f = a->fields; f->gguf; f++) {
        int64_t whole;
        double real;
        if (f->kind == TRINE_FIELD_FLOAT && trine_gguf_field_float(&real, g, a->gguf, f->gguf))
            set(config, f->hf, json_real(real));
        else if (f->kind != TRINE_FIELD_FLOAT && trine_gguf_field_int(&whole, g, a->gguf, f->gguf))
            set(config, f->hf, f->kind == TRINE_FIELD_BOOL ? json_boolean(whole) : json_integer(whole));
        else if (f->required)
            return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' has no usable metadata '%s%s' (\"%s\" of config.json)", path,
                              *f->gguf == '.' ? a->gguf : "", f->gguf, f->hf);
    }
    return TRINE_OK;
}

static const trine_gguf_tensor *find_tensor(const trine_gguf *g, const char *name)
{
    for (int i = 0; i < trine_gguf_n_tensors(g); i++) {
        if (!strcmp(trine_gguf_tensor_at(g, i)->name, name)) return trine_gguf_tensor_at(g, i);
    }
    return NULL;
}

/* What every architecture has: special tokens and the size of the vocabulary. */
static void read_common(json_t *config, const trine_gguf *g)
{
    static const char *const ids[][2] = { { "tokenizer.ggml.bos_token_id", "bos_token_id" },
                                          { "tokenizer.ggml.eos_token_id", "eos_token_id" },
                                          { "tokenizer.ggml.padding_token_id", "pad_token_id" } };
    int64_t id;
    for (int i = 0; i < 3; i++) {
        if (trine_gguf_get_int(&id, g, ids[i][0])) set(config, ids[i][1], json_integer(id));
    }
    const trine_gguf_tensor *embedding = find_tensor(g, "token_embd.weight");
    if (embedding) set(config, "vocab_size", json_integer(embedding->shape[0]));
}

/* The configuration the file was made from, when trine wrote it. */
static json_t *read_stored(const trine_gguf *g)
{
    trine_gguf_string text;
    if (!trine_gguf_get_string(&text, g, "trine.config")) return NULL;
    json_t *config = json_loadb(text.data, text.n, 0, NULL);
    if (json_is_object(config)) return config;
    json_decref(config);
    return NULL;
}

/* The file has the scaling as a tensor: nobody may apply it a second time from the configuration. */
static void replace_llama3(json_t *config)
{
    const json_t *scaling = trine_rope_llama3(config);
    if (!scaling) return;
    set(config, "trine_rope_llama3", json_deep_copy(scaling));
    json_object_del(config, "rope_scaling");
    json_t *parameters = json_object_get(config, "rope_parameters");
    if (parameters) set(parameters, "rope_type", json_string("default"));
}

static trine_status make_config(trine_checkpoint *c, const trine_gguf_architecture *a, const char *path, trine_error *err)
{
    json_t *config = c->config;
    if (!config) {
        config = c->config = json_object();
        if (!config) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the configuration of '%s'", path);
        set(config, "model_type", json_string(a->model_type));
        set(config, "architectures", json_pack("[s]", a->class_name));
        trine_status status = read_fields(config, c->gguf, a, path, err);
        if (!status) read_common(config, c->gguf);
        if (!status) status = a->to_config(config, c->gguf, err);
        if (status) return status;
    }
    if (a->rope_interleaved) set(config, "trine_rope_interleaved", json_true());
    if (a->conv1d_transposed) set(config, "trine_conv1d_transposed", json_true());
    if (a->positions_cut) {
        const trine_gguf_tensor *positions = find_tensor(c->gguf, "position_embd.weight");
        set(config, "trine_positions_cut", json_true());
        if (positions) set(config, "max_position_embeddings", json_integer(positions->shape[0]));
    }
    if (trine_gguf_has_tensor(c->gguf, "rope_freqs.weight")) replace_llama3(config);

    int64_t pooling;
    static const char *const names[] = { NULL, "mean", "cls", "last" };
    if (trine_gguf_field_int(&pooling, c->gguf, a->gguf, ".pooling_type") && pooling >= 1 && pooling <= 3)
        set(config, "trine_pooling", json_string(names[pooling]));
    int64_t normalize;
    if (trine_gguf_get_int(&normalize, c->gguf, "trine.normalize")) set(config, "trine_normalize", json_boolean(normalize));
    return TRINE_OK;
}

static trine_status add_tensors(trine_checkpoint *c, const trine_gguf_architecture *a, trine_error *err)
{
    const bool gated =
        trine_gguf_has_tensor(c->gguf, "enc.blk.0.ffn_gate.weight") || trine_gguf_has_tensor(c->gguf, "dec.blk.0.ffn_gate.weight");
    trine_buffer name = { 0 };
    trine_status status = TRINE_OK;
    for (int i = 0; i < trine_gguf_n_tensors(c->gguf) && !status; i++) {
        const trine_gguf_tensor *t = trine_gguf_tensor_at(c->gguf, i);
        name.n = 0;
        trine_gguf_name_to_hf(&name, a, t->name, gated);
        if (name.failed) {
            status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the names of tensors");
            break;
        }
        const trine_tensor tensor = { .name = name.data,
                                      .file_name = t->name,
                                      .type = t->type,
                                      .n_dims = t->n_dims,
                                      .data = t->data,
                                      .bytes = t->bytes,
                                      .shape = { t->shape[0], t->shape[1], t->shape[2], t->shape[3] } };
        status = trine_checkpoint_add(c, &tensor, err);
    }
    trine_buffer_clear(&name);
    return status;
}

static trine_status unsupported(const trine_gguf_string *name, const char *path, trine_error *err)
{
    char list[256] = "";
    for (int i = 0; trine_gguf_architectures[i]; i++) {
        const char *each = trine_gguf_architectures[i]->gguf;
        if (i && !strcmp(each, trine_gguf_architectures[i - 1]->gguf)) continue;
        strncat(strncat(list, i ? ", " : "", 2), each, 30);
    }
    return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "'%s' has architecture '%.*s' (general.architecture); supported in GGUF are %s",
                      path, name->n > 60 ? 60 : (int)name->n, name->data, list);
}

trine_status trine_gguf_checkpoint_read(trine_checkpoint *c, const char *path, trine_error *err)
{
    c->container = "gguf";
    trine_status status = trine_gguf_open(&c->gguf, path, err);
    if (status) return status;
    trine_gguf_string name;
    int64_t n_parts;
    if (!trine_gguf_get_string(&name, c->gguf, "general.architecture"))
        return trine_fail(err, TRINE_ERROR_FORMAT, "'%s' does not say its general.architecture", path);
    if (trine_gguf_get_int(&n_parts, c->gguf, "split.count") && n_parts > 1)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "'%s' is one of %lld parts: join them first (llama-gguf-split --merge)",
                          path, (long long)n_parts);
    char arch[64];
    const bool fits = name.n < sizeof arch && !memchr(name.data, 0, name.n);
    memcpy(arch, fits ? name.data : "", fits ? name.n : 0);
    arch[fits ? name.n : 0] = 0;

    c->config = read_stored(c->gguf);
    const trine_gguf_architecture *a =
        trine_gguf_architecture_find(arch, json_string_value(json_object_get(c->config, "model_type")));
    if (!a) return unsupported(&name, path, err);
    status = make_config(c, a, path, err);
    return status ? status : add_tensors(c, a, err);
}
