/* merge.c - an adapter becomes part of the weights: W + scale B A. */
#include <string.h>

#include "base/status.h"
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

trine_status trine_merge_adapter(trine_convert_result *result, const char *out, const char *in, const char *adapter,
                                 const trine_convert_options *options, trine_error *err)
{
    const trine_convert_options none = { 0 };
    trine_params *params;
    trine_model *model;
    if (!options) options = &none;
    if (result) *result = (trine_convert_result) { 0 };
    if (!out || !*out || !in || !*in || !adapter || !*adapter)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "merge: expected the paths of a model, of an adapter and of what to write");
    if (options->container && strcmp(options->container, "safetensors") != 0)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "merge: writes a directory, which convert makes a %s file of",
                          options->container);
    trine_dtype type = options->type;
    trine_status status = type ? TRINE_OK : type_of(&type, in, NULL, err);
    if (!status) status = trine_params_open(&params, &model, &(trine_params_options) { .checkpoint = in, .adapter = adapter }, err);
    if (status) return status;
    const trine_save_options save = { .type = type, .overwrite = options->overwrite };
    if (options->on_progress && !options->on_progress(options->user, 0, params->n_tensors))
        status = trine_fail(err, TRINE_ERROR_CANCELLED, "merge: stopped; nothing was written");
    if (!status) status = trine_params_save(out, params, model, &save, err);
    if (!status && options->on_progress) options->on_progress(options->user, params->n_tensors, params->n_tensors);
    const trine_dtype_info *written = trine_dtype_get(type);
    for (int i = 0; !status && result && i < params->n_tensors; i++)
        result->bytes += (int64_t)params->tensors[i].n * written->block_bytes;
    if (!status && result) {
        result->n_tensors = params->n_tensors;
        result->n_files = 1;
    }
    trine_model_close(model);
    trine_params_close(params);
    return status;
}
