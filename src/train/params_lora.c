/* params_lora.c - see params_lora.h (Hu et al. 2022). What a checkpoint lacks, and the head that gives labels, learns whole. */
#include "train/params_lora.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ends.h"
#include "base/size.h"
#include "base/status.h"
#include "checkpoint/hollow_checkpoint.h"
#include "checkpoint/json_file.h"

enum { BEYOND = 16 << 20 }; /* more than arrays are moved up by where they begin */

static bool starts_with(const char *text, const char *start) { return !strncmp(text, start, strlen(start)); }

/* The linear layers of attention and feed-forward by the ends of their names, as PEFT takes them. BERT's pooler is none of them. */
static const struct {
    const char *family, *names[8];
} targets_of[] = {
    { "bert", { "query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense" } },
    { "roberta", { "query", "key", "value", "attention.output.dense", "intermediate.dense", "output.dense" } },
    { "distilbert", { "q_lin", "k_lin", "v_lin", "out_lin", "lin1", "lin2" } },
    { "gpt2", { "c_attn", "c_proj", "c_fc" } },
    { "t5", { "q", "k", "v", "o", "wi", "wi_0", "wi_1", "wo" } },
};
static const char *const llama_targets[] = { "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj" };

static const char *const *linear_layers(size_t *n, const char *family)
{
    for (size_t i = 0; i < sizeof targets_of / sizeof *targets_of; i++) {
        if (strcmp(targets_of[i].family, family) != 0) continue;
        for (*n = 0; *n < 8 && targets_of[i].names[*n];) ++*n;
        return targets_of[i].names;
    }
    *n = sizeof llama_targets / sizeof *llama_targets;
    return llama_targets;
}

trine_status trine_lora_settle(trine_params *p, const trine_params_options *o, const trine_model_info *info, trine_error *err)
{
    if (o->lora_rank < 1 || o->lora_rank > 4096)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "lora: a rank of %d, expected 1 to 4096", o->lora_rank);
    if (!o->checkpoint && !o->stored)
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "lora: adapters belong to a model's weights, and none are given");
    const char *const *names = o->lora_targets;
    size_t n = (size_t)o->n_lora_targets;
    if (!n) names = linear_layers(&n, info->family);
    p->lora_rank = o->lora_rank;
    p->lora_alpha = o->lora_alpha > 0 ? o->lora_alpha : 2 * (float)o->lora_rank;
    p->lora_targets = json_array();
    p->base = strdup(o->checkpoint ? o->checkpoint : "");
    bool failed = !p->lora_targets || !p->base;
    for (size_t i = 0; i < n; i++) failed |= json_array_append_new(p->lora_targets, json_string(names[i])) != 0;
    return failed ? trine_fail(err, TRINE_ERROR_MEMORY, "no memory for the names of adapted layers") : TRINE_OK;
}

/* "...query.weight" is of target "query": the whole of the module's name, or its end after a dot. */
static bool is_weight_of(const char *name, const char *target)
{
    if (!trine_ends_with(name, ".weight")) return false;
    const size_t n = strlen(name) - strlen(".weight"), m = strlen(target);
    return m <= n && !strncmp(name + n - m, target, m) && (m == n || name[n - m - 1] == '.');
}

static bool is_target(const trine_params *p, const char *name)
{
    for (size_t i = 0; i < json_array_size(p->lora_targets); i++)
        if (is_weight_of(name, json_string_value(json_array_get(p->lora_targets, i)))) return true;
    return false;
}

bool trine_params_is_linear(const char *family, const char *name)
{
    size_t n;
    const char *const *targets = linear_layers(&n, family);
    for (size_t i = 0; i < n; i++)
        if (is_weight_of(name, targets[i])) return true;
    return false;
}

trine_role trine_lora_role(const trine_params *p, const char *name, const trine_declaration *d, const trine_tensor *from,
                           trine_head head)
{
    const bool labelled = trine_gives_labels(head);
    if (d->unused) return TRINE_ROLE_ABSENT;
    if (!from) return TRINE_ROLE_LEARNS;
    if (labelled && (starts_with(name, "score.") || starts_with(name, "classification_head.") || starts_with(name, "classifier.") ||
                     starts_with(name, "pre_classifier.") || strstr(name, "pooler.dense.")))
        return TRINE_ROLE_LEARNS;
    return d->n_dims == 2 && is_target(p, name) ? TRINE_ROLE_ADAPTED : TRINE_ROLE_FROZEN;
}

/* A weight that stays: in the mapped file as it lies, or, where a file has it turned, in memory of its own. */
static trine_status freeze(trine_params *p, trine_checkpoint *blank, int i, const trine_source *s, const char *path,
                           trine_error *err)
{
    const char *name = trine_checkpoint_tensor(blank, i)->name;
    const trine_declaration d = trine_blank_declaration(blank, i);
    const trine_tensor *from = trine_source_find(s, name);
    const trine_param as_param = { .name = name,
                                   .n_dims = d.n_dims,
                                   .shape = { d.shape[0], d.shape[1] },
                                   .turned = d.turned,
                                   .n = (size_t)d.shape[0] * (size_t)d.shape[1] };
    const trine_status status = trine_source_check(from, &as_param, path, err);
    if (status) return status;
    const size_t bytes = d.turned ? as_param.n * sizeof(float) : from->bytes;
    if (p->hollow) { /* an address beyond all arrays: what lies in those learns */
        const trine_params_bytes *b = &p->bytes;
        char *at = trine_hollow_address(trine_round_up(b->values + b->grads + b->moments + b->bf16 + b->frozen, BEYOND) + BEYOND);
        at += d.turned ? 0 : (uintptr_t)from->data % 64; /* as it lies in the file: a loader may have to copy it for that */
        p->bytes.frozen += bytes;
        return trine_blank_place(blank, i, d.turned ? TRINE_F32 : from->type, at, err);
    }
    p->bytes.frozen += bytes;
    if (!d.turned) return trine_blank_place(blank, i, from->type, from->data, err);
    float **grown = realloc(p->frozen, ((size_t)p->n_frozen + 1) * sizeof *grown);
    if (grown) p->frozen = grown;
    float *copy = grown ? malloc(as_param.n * sizeof *copy) : NULL;
    if (!copy) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for tensor '%s'", name);
    p->frozen[p->n_frozen++] = copy;
    const trine_status copied = trine_source_copy(copy, &as_param, from, path, err);
    trine_checkpoint_forget(s->checkpoint, from); /* what was copied need not stay in memory */
    return copied ? copied : trine_blank_place(blank, i, TRINE_F32, copy, err);
}

static trine_status add_module(trine_adapter *adapter, const trine_params *p, const trine_param *pair, const char *weight,
                               trine_error *err)
{
    trine_adapter_module *m = &adapter->modules[adapter->n_modules];
    m->name = strndup(weight, strlen(weight) - strlen(".weight"));
    if (!m->name) return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for an adapter");
    adapter->n_modules++;
    trine_weight *w[] = { &m->lora.a, &m->lora.b };
    for (int i = 0; i < 2; i++)
        *w[i] = (trine_weight) {
            .data = p->values + pair[i].offset, .type = TRINE_F32, .rows = (int)pair[i].shape[0], .cols = (int)pair[i].shape[1]
        };
    m->lora.scale = p->lora_alpha / (float)p->lora_rank;
    return TRINE_OK;
}

trine_status trine_lora_place(trine_adapter **out, trine_params *p, trine_checkpoint *blank, const trine_source *s, trine_head head,
                              const char *path, trine_error *err)
{
    const int n = trine_checkpoint_n_tensors(blank);
    trine_adapter *adapter = *out = calloc(1, sizeof *adapter);
    if (!adapter || !(adapter->modules = calloc((size_t)n + 1, sizeof *adapter->modules)))
        return trine_fail(err, TRINE_ERROR_MEMORY, "no memory for an adapter");
    trine_status status = TRINE_OK;
    for (int i = 0, next = 0; !status && i < n; i++) {
        const trine_tensor *t = trine_checkpoint_tensor(blank, i);
        const trine_declaration d = trine_blank_declaration(blank, i);
        const trine_role role = trine_lora_role(p, t->name, &d, trine_source_find(s, t->name), head);
        if (role == TRINE_ROLE_LEARNS)
            status = trine_blank_place(blank, i, TRINE_F32, p->values + p->tensors[next++].offset, err);
        else if (role != TRINE_ROLE_ABSENT)
            status = freeze(p, blank, i, s, path, err);
        if (status || role != TRINE_ROLE_ADAPTED) continue;
        status = add_module(adapter, p, &p->tensors[next], t->name, err);
        next += 2;
    }
    if (status || adapter->n_modules) return status;
    return trine_fail(err, TRINE_ERROR_ARGUMENT, "lora: no layer of '%s' has one of the names that are to be adapted", path);
}

/* ------------------------------------------------------------------------------------------------------- configuration */

static const char *task_of(const trine_model_info *info)
{
    if (info->head == TRINE_HEAD_LABELS) return "SEQ_CLS";
    if (info->head == TRINE_HEAD_TAGS) return "TOKEN_CLS";
    if (info->head == TRINE_HEAD_LM) return info->paradigm == TRINE_DECODER ? "CAUSAL_LM" : "SEQ_2_SEQ_LM";
    return info->head == TRINE_HEAD_NONE ? "FEATURE_EXTRACTION" : NULL;
}

/* Modules that are saved whole. PEFT takes "classifier" for all of RoBERTa's head. */
static json_t *whole_modules(const trine_params *p)
{
    json_t *names = json_array();
    for (int i = 0; i < p->n_tensors; i++) {
        const char *name = p->tensors[i].name, *end = strrchr(name, '.');
        if (starts_with(name, TRINE_ADAPTER_PREFIX) || !end) continue;
        const size_t n = starts_with(name, "classifier.") ? strlen("classifier") : (size_t)(end - name);
        bool there = false;
        for (size_t j = 0; j < json_array_size(names); j++) {
            const char *other = json_string_value(json_array_get(names, j));
            there |= strlen(other) == n && !strncmp(other, name, n);
        }
        if (!there && json_array_append_new(names, json_stringn(name, n))) {
            json_decref(names);
            return NULL;
        }
    }
    if (json_array_size(names)) return names;
    json_decref(names);
    return json_null();
}

trine_json_builder trine_lora_config(const trine_params *p, const trine_model *model)
{
    trine_json_builder c = { .object = json_object() };
    const char *task = task_of(&model->info);
    trine_json_put(&c, "peft_type", json_string("LORA"));
    trine_json_put(&c, "task_type", task ? json_string(task) : json_null());
    trine_json_put(&c, "base_model_name_or_path", json_string(p->base));
    trine_json_put(&c, "r", json_integer(p->lora_rank));
    trine_json_put(&c, "lora_alpha", json_real((double)p->lora_alpha));
    trine_json_put(&c, "lora_dropout", json_real(0));
    trine_json_put(&c, "target_modules", json_incref(p->lora_targets));
    trine_json_put(&c, "modules_to_save", whole_modules(p));
    trine_json_put(&c, "bias", json_string("none"));
    trine_json_put(&c, "fan_in_fan_out", json_boolean(!strcmp(model->info.family, "gpt2")));
    trine_json_put(&c, "init_lora_weights", json_true());
    trine_json_put(&c, "inference_mode", json_true());
    trine_json_put(&c, "use_rslora", json_false());
    trine_json_put(&c, "use_dora", json_false());
    return c;
}
