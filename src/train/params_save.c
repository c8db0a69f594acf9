/* params_save.c - see params_save.h. */
#include "train/params_save.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/size.h"
#include "base/status.h"
#include "load/directory_files.h"
#include "load/sentence_transformers.h"
#include "quant/quant.h"
#include "train/params_lora.h"

enum { CHUNK = 1 << 14, NAME_BYTES = 256 };

/* Values [first, first + n) of a tensor in the order of a file. */
static void gather(float *out, const float *values, const trine_param *t, size_t first, size_t n)
{
    if (!t->turned) {
        memcpy(out, values + first, n * sizeof *out);
        return;
    }
    const size_t rows = (size_t)t->shape[0], cols = (size_t)t->shape[1];
    for (size_t i = 0; i < n; i++) out[i] = values[(first + i) % cols * rows + (first + i) / cols];
}

static bool all_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i])) return false;
    return true;
}

static trine_status write_tensor(trine_writer *w, const float *values, const trine_param *t, trine_dtype type, float *floats,
                                 void *packed, trine_error *err)
{
    const trine_dtype_info *info = trine_dtype_get(type);
    for (size_t at = 0; at < t->n; at += CHUNK) {
        const size_t n = t->n - at < CHUNK ? t->n - at : CHUNK;
        gather(floats, values + t->offset, t, at, n);
        if (!all_finite(floats, n))
            return trine_fail(err, TRINE_ERROR_NUMERIC, "tensor '%s' holds a value that is not finite: nothing was written",
                              t->name);
        if (type != TRINE_F32) info->pack(packed, floats, n);
        trine_writer_write(w, type == TRINE_F32 ? (const void *)floats : packed, n * (size_t)info->block_bytes);
    }
    return TRINE_OK;
}

/* The name in the file: what learns whole beside adapters has their prefix there too. */
static const char *file_name_of(const trine_params *p, const trine_param *t, char out[NAME_BYTES])
{
    if (!p->lora_rank || !strncmp(t->name, TRINE_ADAPTER_PREFIX, strlen(TRINE_ADAPTER_PREFIX))) return t->name;
    snprintf(out, NAME_BYTES, "%s%s", TRINE_ADAPTER_PREFIX, t->name);
    return out;
}

static trine_status write_weights(trine_new_directory *d, const trine_params *p, const float *values, trine_dtype type,
                                  trine_error *err)
{
    char *header = NULL, *path = trine_path_join(d->temporary, p->lora_rank ? "adapter_model.safetensors" : "model.safetensors");
    char(*names)[NAME_BYTES] = calloc((size_t)p->n_tensors + 1, sizeof *names);
    float *floats = malloc(CHUNK * sizeof *floats), *packed = malloc(CHUNK * sizeof *packed);
    trine_tensor *tensors = calloc((size_t)p->n_tensors + 1, sizeof *tensors);
    size_t header_bytes;
    trine_writer w = { .fd = -1 };
    trine_status status = TRINE_OK;
    if (!path || !floats || !packed || !tensors || !names)
        status = trine_fail(err, TRINE_ERROR_MEMORY, "no memory to write '%s'", d->path);
    for (int i = 0; !status && i < p->n_tensors; i++) {
        const trine_param *t = &p->tensors[i];
        tensors[i] = (trine_tensor) {
            .name = file_name_of(p, t, names[i]), .type = type, .n_dims = t->n_dims, .shape = { t->shape[0], t->shape[1] }
        };
        trine_dtype_bytes(&tensors[i].bytes, type, t->n);
    }
    if (!status) status = trine_safetensors_header(&header, &header_bytes, tensors, p->n_tensors, "{\"format\":\"pt\"}", err);
    if (!status) status = trine_writer_open(&w, path, false, err);
    if (!status) {
        trine_writer_write(&w, header, header_bytes);
        for (int i = 0; !status && i < p->n_tensors && !w.error.code; i++)
            status = write_tensor(&w, values, &p->tensors[i], type, floats, packed, err);
        d->bytes += (int64_t)w.written;
        d->n_files++;
        if (status)
            trine_writer_abandon(&w);
        else
            status = trine_writer_commit(&w, err);
    }
    free(header);
    free(tensors);
    free(names);
    free(packed);
    free(floats);
    free(path);
    return status;
}

static trine_status write_config(trine_new_directory *d, const trine_params *p, trine_dtype type, trine_error *err)
{
    trine_json_builder config = { .object = trine_json_copy(p->config) };
    if (!config.object) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory to write '%s'", d->path);
    const char *name = type == TRINE_BF16 ? "bfloat16" : type == TRINE_F16 ? "float16" : "float32";
    /* transformers has called it both. */
    trine_json_put(&config, "dtype", json_string(name));
    trine_json_put(&config, "torch_dtype", json_string(name));
    json_object_del(config.object, "_name_or_path");
    return trine_directory_put_json(d, "config.json", &config, err);
}

trine_status trine_params_say_pooling(bool *out, const trine_model *model, trine_error *err)
{
    *out = model->info.head == TRINE_HEAD_NONE;
    const char *dir = trine_checkpoint_directory(model->checkpoint);
    return *out || !dir || trine_gives_labels(model->info.head) ? TRINE_OK : trine_sentence_declared(out, dir, err);
}

/* How texts become vectors, and the longest of them where no file that was copied says it: the tokenizer may be an adapter's. */
static trine_status write_pooling(trine_new_directory *d, const trine_model *model, trine_error *err)
{
    static const char name[] = "sentence_bert_config.json";
    const trine_model_info *info = &model->info;
    bool says;
    int n_tokens = 0;
    trine_status status = trine_params_say_pooling(&says, model, err);
    if (status || !says) return status;
    status = trine_sentence_modules_write(d->temporary, info->pooling, info->normalize, info->d_model, err);
    if (!status) status = trine_sentence_length_read(&n_tokens, d->temporary, info->max_tokens, err);
    if (status || !info->embed_tokens || n_tokens) return status;
    bool copied;
    status = trine_file_beside(&copied, d->temporary, name, err);
    if (status || copied) return status;
    trine_json_builder length = { .object = json_object() };
    trine_json_put(&length, "max_seq_length", json_integer(info->embed_tokens));
    trine_json_put(&length, "do_lower_case", json_false());
    return trine_directory_put_json(d, name, &length, err);
}

trine_status trine_params_save(const char *dir, const trine_params *p, const trine_model *model, const trine_save_options *options,
                               trine_error *err)
{
    const trine_save_options none = { 0 };
    if (!options) options = &none;
    const trine_dtype type = options->type ? options->type : TRINE_F32;
    if (type != TRINE_F32 && type != TRINE_F16 && type != TRINE_BF16)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "cannot save a trained model as %s, expected f32, f16 or bf16",
                          trine_dtype_name(type) ? trine_dtype_name(type) : "an unknown type");
    const char *tokenizer = options->tokenizer ? options->tokenizer : trine_checkpoint_directory(model->checkpoint);
    trine_new_directory d;
    trine_status status = trine_new_directory_open(&d, dir, options->overwrite, err);
    if (status) return status;
    status = write_config(&d, p, type, err);
    if (!status && p->lora_rank) {
        trine_json_builder adapter = trine_lora_config(p, model);
        status = trine_directory_put_json(&d, "adapter_config.json", &adapter, err);
    }
    if (!status && tokenizer) status = trine_directory_put_fellows(&d, tokenizer, err);
    if (!status) status = write_pooling(&d, model, err);
    if (!status) status = write_weights(&d, p, options->values ? options->values : p->values, type, err);
    if (!status) return trine_new_directory_commit(&d, err);
    trine_new_directory_abandon(&d);
    return status;
}
