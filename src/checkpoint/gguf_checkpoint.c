/* gguf_checkpoint.c - a GGUF file as a checkpoint: tensors under the names of Hugging Face, metadata as a config.json.
 *
 * A file that trine wrote carries the whole config.json it was made from ("trine.config"), which says what GGUF has no keys for;
 * other files are explained by the tables of their architecture. What differs in content is said in "trine_*" keys (checkpoint.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/size.h"
#include "base/status.h"
#include "checkpoint/checkpoint_build.h"
#include "checkpoint/gguf_architecture.h"

static trine_status read_fields(trine_json_builder *config, const trine_gguf *g, const trine_gguf_architecture *a, const char *path,
                                trine_error *err)
{
    for (const trine_gguf_field *f = a->fields; f->gguf; f++) {
        int64_t whole;
        double real;
        if (f->kind == TRINE_FIELD_FLOAT && trine_gguf_field_float(&real, g, a->gguf, f->gguf))
            trine_json_put(config, f->hf, json_real(real));
        else if (f->kind != TRINE_FIELD_FLOAT && trine_gguf_field_int(&whole, g, a->gguf, f->gguf))
            trine_json_put(config, f->hf, f->kind == TRINE_FIELD_BOOL ? json_boolean(whole) : json_integer(whole));
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
static void read_common(trine_json_builder *config, const trine_gguf *g)
{
    static const char *const ids[][2] = { { "tokenizer.ggml.bos_token_id", "bos_token_id" },
                                          { "tokenizer.ggml.eos_token_id", "eos_token_id" },
                                          { "tokenizer.ggml.padding_token_id", "pad_token_id" } };
    int64_t id;
    for (int i = 0; i < 3; i++) {
        if (trine_gguf_get_int(&id, g, ids[i][0])) trine_json_put(config, ids[i][1], json_integer(id));
    }
    const trine_gguf_tensor *embedding = find_tensor(g, "token_embd.weight");
    if (embedding) trine_json_put(config, "vocab_size", json_integer(embedding->shape[0]));
}

/* The configuration the file was made from, when trine wrote it; NULL otherwise. */
static trine_status read_stored(json_t **out, const trine_gguf *g, const char *path, trine_error *err)
{
    trine_gguf_string text;
    json_error_t why;
    *out = NULL;
    if (!trine_gguf_get_string(&text, g, "trine.config")) return TRINE_OK;
    *out = json_loadb(text.data, text.n, 0, &why);
    if (json_is_object(*out)) return TRINE_OK;
    if (!*out && trine_json_no_memory(&why))
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the configuration of '%s'", path);
    json_decref(*out);
    *out = NULL;
    return trine_fail(err, TRINE_ERROR_FORMAT, "'%s': its metadata 'trine.config' is not a JSON object", path);
}

/* The file has the scaling as a tensor: nobody may apply it a second time from the configuration. */
static void replace_llama3(trine_json_builder *config)
{
    const json_t *scaling = trine_rope_llama3(config->object);
    if (!scaling) return;
    trine_json_put(config, "trine_rope_llama3", trine_json_copy(scaling));
    json_object_del(config->object, "rope_scaling");
    json_t *parameters = json_object_get(config->object, "rope_parameters");
    if (parameters && json_object_set_new(parameters, "rope_type", json_string("default"))) config->failed = true;
}

/* What other writers' files say in keys of their own. */
static trine_status explain(trine_json_builder *config, const trine_gguf *g, const trine_gguf_architecture *a, const char *path,
                            trine_error *err)
{
    trine_json_put(config, "model_type", json_string(a->model_type));
    trine_json_put(config, "architectures", json_pack("[s]", a->class_name));
    const trine_status status = read_fields(config, g, a, path, err);
    if (status) return status;
    read_common(config, g);
    return config->failed ? TRINE_OK : a->to_config(config, g, err); /* the caller tells of a failure */
}

/* The "trine_*" keys. */
static void mark_differences(trine_json_builder *config, const trine_gguf *g, const trine_gguf_architecture *a)
{
    if (a->rope_interleaved) trine_json_put(config, "trine_rope_interleaved", json_true());
    if (a->conv1d_transposed) trine_json_put(config, "trine_conv1d_transposed", json_true());
    if (trine_gguf_has_tensor(g, "rope_freqs.weight")) replace_llama3(config);

    int64_t pooling, normalize, embed_tokens;
    static const char *const names[] = { NULL, "mean", "cls", "last" };
    if (trine_gguf_field_int(&pooling, g, a->gguf, ".pooling_type") && pooling >= 1 && pooling <= 3)
        trine_json_put(config, "trine_pooling", json_string(names[pooling]));
    if (trine_gguf_get_int(&embed_tokens, g, "trine.embed_tokens"))
        trine_json_put(config, "trine_embed_tokens", json_integer(embed_tokens));
    if (trine_gguf_get_int(&normalize, g, "trine.normalize")) trine_json_put(config, "trine_normalize", json_boolean(normalize));
}

static trine_status make_config(trine_checkpoint *c, const trine_gguf_architecture *a, const char *path, trine_error *err)
{
    trine_status status = TRINE_OK;
    const bool stored = c->config != NULL;
    trine_json_builder config = { .object = stored ? c->config : json_object() };
    c->config = config.object; /* owned by the checkpoint from here on */
    if (!stored) status = explain(&config, c->gguf, a, path, err);
    if (!status) mark_differences(&config, c->gguf, a);
    if (!status && config.failed) status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the configuration of '%s'", path);
    return status;
}

/* RoBERTa's table with the rows in front that GGUF leaves out: zero, as they are in trained models, or what a file that trine
 * wrote says of the row of the pad token ("trine.position_pad"). */
static trine_status restore_positions(trine_checkpoint *c, trine_tensor *t, trine_error *err)
{
    const int64_t n = trine_config_whole(c->config, "pad_token_id", 1) + 1;
    size_t row_bytes, bytes, front;
    if (n < 1 || n > 1 << 20 || t->n_dims != 2 || t->type != TRINE_F32 ||
        !trine_mul_size(&row_bytes, (size_t)t->shape[1], sizeof(float)) || !trine_mul_size(&front, row_bytes, (size_t)n) ||
        !trine_add_size(&bytes, front, t->bytes))
        return trine_fail(err, TRINE_ERROR_FORMAT, "tensor '%s' is no table of positions in f32, or pad_token_id is not a token",
                          t->file_name);
    t->shape[0] += n;
    t->bytes = bytes;
    if (c->hollow) return TRINE_OK;
    const size_t cut_bytes = bytes - front;
    unsigned char *whole = calloc(1, bytes);
    if (!whole || c->restored) {
        free(whole);
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the %zu bytes of '%s'", bytes, t->name);
    }
    memcpy(whole + front, t->data, cut_bytes);
    size_t n_pad;
    if (trine_gguf_get_array(&n_pad, c->gguf, "trine.position_pad") && n_pad == (size_t)t->shape[1]) {
        for (size_t i = 0; i < n_pad; i++) {
            double value = 0;
            trine_gguf_array_float(&value, c->gguf, "trine.position_pad", i);
            const float f = (float)value;
            memcpy(whole + front - row_bytes + i * sizeof f, &f, sizeof f);
        }
    }
    c->restored = whole;
    t->data = whole;
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
        trine_tensor tensor = { .name = name.data,
                                .file_name = t->name,
                                .type = t->type,
                                .n_dims = t->n_dims,
                                .data = t->data,
                                .bytes = t->bytes,
                                .shape = { t->shape[0], t->shape[1], t->shape[2], t->shape[3] } };
        if (a->positions_cut && !strcmp(t->name, "position_embd.weight")) status = restore_positions(c, &tensor, err);
        if (!status) status = trine_checkpoint_add(c, &tensor, err);
    }
    trine_buffer_clear(&name);
    return status;
}

static trine_status unsupported(const trine_gguf_string *name, const char *path, trine_error *err)
{
    char list[256] = "";
    size_t n = 0;
    for (int i = 0; trine_gguf_architectures[i]; i++) {
        const char *each = trine_gguf_architectures[i]->gguf;
        if (i && !strcmp(each, trine_gguf_architectures[i - 1]->gguf)) continue;
        if (n < sizeof list) n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", each);
    }
    return trine_fail(err, TRINE_ERROR_UNSUPPORTED, "'%s' has architecture '%.*s' (general.architecture); supported in GGUF are %s",
                      path, name->n > 60 ? 60 : (int)name->n, name->data, list);
}

trine_status trine_gguf_checkpoint_read(trine_checkpoint *c, const char *path, trine_error *err)
{
    c->container = "gguf";
    trine_status status = c->hollow ? trine_gguf_open_head(&c->gguf, path, err) : trine_gguf_open(&c->gguf, path, err);
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

    status = read_stored(&c->config, c->gguf, path, err);
    if (status) return status;
    const trine_gguf_architecture *a =
        trine_gguf_architecture_find(arch, json_string_value(json_object_get(c->config, "model_type")));
    if (!a) return unsupported(&name, path, err);
    status = make_config(c, a, path, err);
    return status ? status : add_tensors(c, a, err);
}
