/* merge.c - an adapter becomes part of the weights: W + scale B A. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "load/convert_plan.h"
#include "load/new_directory.h"
#include "quant/quant.h"
#include "train/params_save.h"
#include "trine/converting.h"

/* The type of the model's own weights, where a directory of it can be written. */
static trine_status type_of(trine_dtype *out, const char *in, const trine_model_options *options, trine_error *err)
{
    trine_model *model;
    const trine_status status = trine_model_open(&model, in, options, err);
    if (status) return status;
    const trine_dtype type = trine_model_get_info(model)->weights_type;
    *out = type == TRINE_F16 || type == TRINE_BF16 ? type : TRINE_F32;
    trine_model_close(model);
    return TRINE_OK;
}

/* A directory of the merged model, its matrices of `type`. */
static trine_status merge(trine_convert_result *result, const char *out, const char *in, const char *adapter, trine_dtype type,
                          const trine_convert_options *options, trine_error *err)
{
    trine_params *params;
    trine_model *model;
    trine_status status = trine_params_open(&params, &model, &(trine_params_options) { .checkpoint = in, .adapter = adapter }, err);
    if (status) return status;
    /* An adapter may come with a tokenizer: with the chat template that it learnt by, if with nothing else. */
    trine_tokenizer *own = NULL;
    const bool has_own = !trine_tokenizer_open(&own, adapter, NULL) &&
                         trine_tokenizer_vocab_size(own) == trine_tokenizer_vocab_size(model->tokenizer);
    const trine_save_options save = { .type = type, .tokenizer = has_own ? adapter : NULL, .overwrite = options->overwrite };
    trine_tokenizer_close(own);
    if (options->on_progress && !options->on_progress(options->user, 0, params->n_tensors))
        status = trine_fail(err, TRINE_ERROR_CANCELLED, "merge: stopped; nothing was written");
    if (!status) status = trine_params_save(out, params, model, &save, err);
    if (!status && options->on_progress) options->on_progress(options->user, params->n_tensors, params->n_tensors);
    const trine_dtype_info *written = trine_dtype_get(type);
    for (int i = 0; !status && i < params->n_tensors; i++) result->bytes += (int64_t)params->tensors[i].n * written->block_bytes;
    if (!status) {
        result->n_tensors = params->n_tensors;
        result->n_files = 1;
    }
    trine_model_close(model);
    trine_params_close(params);
    return status;
}

/* The name of a file without its folder and its end: the merged model's, in new memory. */
static char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
    return strndup(name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
}

/* By a directory beside the file, for as long as it takes. */
static trine_status merge_to_gguf(trine_convert_result *result, const char *out, const char *in, const char *adapter,
                                  trine_dtype type, const trine_convert_options *options, trine_error *err)
{
    trine_convert_options of_file = *options;
    trine_new_directory beside;
    char *name = name_of(out), *path = NULL;
    trine_status status = trine_writer_check(out, options->overwrite, err);
    if (!status) status = trine_new_directory_beside(&beside, out, err);
    if (status) {
        free(name);
        return status;
    }
    path = name ? trine_path_join(beside.temporary, name) : NULL;
    of_file.type = 0;
    status = path ? merge(result, path, in, adapter, type, options, err)
                  : trine_fail(err, TRINE_ERROR_MEMORY, "no memory to write '%s'", out);
    if (!status) status = trine_convert(result, out, path, &of_file, err);
    trine_new_directory_abandon(&beside);
    free(path);
    free(name);
    return status;
}

trine_status trine_merge_adapter(trine_convert_result *result, const char *out, const char *in, const char *adapter,
                                 const trine_convert_options *options, trine_error *err)
{
    const trine_convert_options none = { 0 };
    trine_convert_result unused;
    bool to_gguf;
    if (!options) options = &none;
    if (!result) result = &unused;
    *result = (trine_convert_result) { 0 };
    if (!adapter || !*adapter) return trine_fail(err, TRINE_ERROR_ARGUMENT, "merge: expected the path of an adapter");
    trine_dtype type = options->type;
    trine_status status = trine_convert_check(&to_gguf, "merge", out, in, options, err);
    if (!status && !type) status = type_of(&type, in, NULL, err);
    if (!status)
        status = to_gguf ? merge_to_gguf(result, out, in, adapter, type, options, err)
                         : merge(result, out, in, adapter, type, options, err);
    if (status) *result = (trine_convert_result) { 0 };
    return status;
}
