/* plan_weights.c - a model in another type of weights: what converting or quantising would write of it, tensor by tensor, by their own
 * plan. Plain types are those of a directory, block types those of a GGUF file. */
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "checkpoint/hollow_checkpoint.h"
#include "load/convert_plan.h"
#include "load/mixture.h"
#include "plan/planner.h"
#include "quant/quant.h"

/* A planned tensor as the new file's reader would give it: by Hugging Face's name, positions whole. */
static trine_status add(trine_checkpoint *c, const trine_planned_tensor *t, trine_error *err)
{
    trine_tensor tensor = t->to;
    if (t->from) tensor.name = tensor.file_name = t->from->name;
    if (t->change == TRINE_CHANGE_CUT_ROWS) tensor.shape[0] = t->from->shape[0];
    return trine_hollow_add(c, &tensor, err);
}

/* What the reader of a GGUF file says of its content. */
static trine_status mark(json_t *config, const trine_convert_plan *plan, trine_error *err)
{
    const trine_gguf_architecture *a = plan->architecture;
    int failed = 0;
    if (plan->to_gguf && a->conv1d_transposed) failed |= json_object_set_new(config, "trine_conv1d_transposed", json_true());
    if (plan->to_gguf && a->rope_interleaved) failed |= json_object_set_new(config, "trine_rope_interleaved", json_true());
    return failed ? trine_fail(err, TRINE_ERROR_MEMORY, "no memory to plan '%s'", plan->in) : TRINE_OK;
}

static trine_status unknown(const char *type, trine_error *err)
{
    char list[160] = "";
    for (int i = 0; trine_mixture_name(i); i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", trine_mixture_name(i));
    return trine_fail(err, TRINE_ERROR_ARGUMENT, "plan: there is no type '%.40s' of weights, expected one of %s", type, list);
}

trine_status trine_plan_retype(trine_checkpoint **c, const char *type, const char *name, trine_error *err)
{
    const trine_mixture *mixture = trine_mixture_find(type);
    trine_checkpoint *from = *c, *to = NULL;
    *c = NULL;
    if (!mixture) {
        trine_checkpoint_close(from);
        return unknown(type, err);
    }
    const bool quantised = trine_dtype_get(mixture->base)->block > 1;
    trine_convert_plan plan;
    trine_status status =
        trine_convert_plan_over(&plan, from, name, quantised, quantised ? TRINE_DTYPE_DEFAULT : mixture->base, err);
    if (status) return status;
    if (quantised) status = trine_quantize_types(&plan, mixture, err);
    if (!status) status = mark(plan.config, &plan, err);
    if (!status) status = trine_checkpoint_hollow_open(&to, quantised ? "gguf" : "safetensors", plan.config, err);
    for (int i = 0; i < plan.n_tensors && !status; i++) status = add(to, &plan.tensors[i], err);
    trine_convert_plan_clear(&plan);
    if (status)
        trine_checkpoint_close(to);
    else
        *c = to;
    return status;
}
