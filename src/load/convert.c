/* convert.c - any container to any: the checks before anything is opened or written. */
#include <string.h>

#include "base/ends.h"
#include "base/status.h"
#include "load/convert_plan.h"
#include "quant/quant.h"

trine_status trine_convert_progress(const trine_convert_plan *plan, const trine_convert_options *options, int done,
                                    trine_error *err)
{
    if (!options->on_progress || options->on_progress(options->user, done, plan->n_tensors)) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_CANCELLED, "%s: stopped at tensor %d of %d; nothing was written", plan->task, done,
                      plan->n_tensors);
}

trine_status trine_convert_check(bool *to_gguf, const char *task, const char *out, const char *in,
                                 const trine_convert_options *options, trine_error *err)
{
    if (!out || !*out || !in || !*in)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "%s: expected the path of a model and one to write", task);
    const char *container = options->container;
    *to_gguf = container ? !strcmp(container, "gguf") : trine_ends_with(out, ".gguf");
    if (container && !*to_gguf && strcmp(container, "safetensors"))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "%s: there is no container '%s', expected \"gguf\" or \"safetensors\"", task,
                          container);
    if (trine_same_place(in, out))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "%s: '%s' is the input itself: choose another name", task, out);
    return TRINE_OK;
}

static trine_status check_type(trine_dtype asked, trine_error *err)
{
    const trine_dtype_info *type = trine_dtype_get(asked);
    if (!asked || (type && type->pack && type->safetensors)) return TRINE_OK;
    return trine_fail(err, TRINE_ERROR_ARGUMENT, "convert: cannot write type %s, expected f32, f16 or bf16%s",
                      type ? type->name : "unknown", type && type->pack ? "; quantize writes this one" : "");
}

trine_status trine_convert(trine_convert_result *result, const char *out, const char *in, const trine_convert_options *options,
                           trine_error *err)
{
    const trine_convert_options none = { 0 };
    trine_convert_result unused;
    trine_convert_plan plan;
    bool to_gguf = false;
    if (!options) options = &none;
    if (!result) result = &unused;
    *result = (trine_convert_result) { 0 };
    trine_status status = check_type(options->type, err);
    if (!status) status = trine_convert_check(&to_gguf, "convert", out, in, options, err);
    if (!status) status = trine_convert_plan_make(&plan, in, to_gguf, options->type, err);
    if (status) return status;
    status = to_gguf ? trine_convert_to_gguf(result, out, &plan, options, err)
                     : trine_convert_to_directory(result, out, &plan, options, err);
    if (status) *result = (trine_convert_result) { 0 };
    trine_convert_plan_clear(&plan);
    return status;
}
