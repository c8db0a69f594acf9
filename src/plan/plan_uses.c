/* plan_uses.c - a model's matrices by when they are read, by their names (Hugging Face's and GGUF's words). */
#include <string.h>

#include "plan/planner.h"

static bool has(const char *name, const char *piece) { return strstr(name, piece) != NULL; }

trine_weight_use trine_plan_use_of(const char *name, const trine_model_info *m)
{
    if (has(name, "lm_head") || strcmp(name, "output.weight") == 0) return TRINE_USE_HEAD;
    if (has(name, "embed_tokens") || has(name, "token_embd") || has(name, "wte.") || has(name, "word_embeddings") ||
        has(name, "shared.weight"))
        return m->tied && m->paradigm != TRINE_ENCODER ? TRINE_USE_HEAD : TRINE_USE_TABLE;
    if (has(name, "position_embeddings") || has(name, "position_embd") || has(name, "wpe.") || has(name, "token_type") ||
        has(name, "relative_attention_bias") || has(name, "attn_rel_b") || has(name, "pooler"))
        return TRINE_USE_TABLE;
    if (m->paradigm == TRINE_ENCODER) return has(name, "cls.") ? TRINE_USE_TABLE : TRINE_USE_ENCODER;
    if (m->paradigm == TRINE_DECODER) return TRINE_USE_DECODER;
    /* Keys and values of the source are computed once, by as many rows as the source has. */
    if (has(name, "EncDecAttention.k") || has(name, "EncDecAttention.v") || has(name, "cross_attn_k") || has(name, "cross_attn_v"))
        return TRINE_USE_CROSS_INPUT;
    return strncmp(name, "enc", 3) == 0 ? TRINE_USE_ENCODER : TRINE_USE_DECODER;
}

void trine_model_weight_uses(trine_weight_uses *out, const trine_model *model)
{
    trine_tensor_info t;
    *out = (trine_weight_uses) { 0 };
    for (int i = 0; trine_model_tensor(&t, model, i); i++) {
        if (t.n_dims < 2) continue;
        const trine_weight_use p = trine_plan_use_of(t.name, &model->info);
        double n = 1;
        for (int d = 0; d < t.n_dims; d++) n *= (double)t.shape[d];
        out->parameters[p] += n;
        out->bytes[p] += (double)t.bytes;
    }
}

void trine_planner_weight_uses(trine_weight_uses *out, const trine_planner *p) { trine_model_weight_uses(out, p->model); }
