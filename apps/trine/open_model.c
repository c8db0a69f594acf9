/* open_model.c - the model and session of a run: opened, checked against what the command needs, announced. */
#include "model_words.h"
#include "run.h"

#include <stdio.h>
#include <string.h>

const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

const char *head_name(trine_head h)
{
    switch (h) {
    case TRINE_HEAD_NONE: return "none";
    case TRINE_HEAD_LM: return "lm";
    case TRINE_HEAD_MLM: return "mlm";
    case TRINE_HEAD_LABELS: return "labels";
    case TRINE_HEAD_TAGS: return "tags";
    }
    return "unknown";
}

const char *pooling_name(trine_pooling p)
{
    static const char *const names[] = { "default", "mean", "cls", "max", "last" };
    return (unsigned)p < sizeof names / sizeof names[0] ? names[p] : "unknown";
}

static const char *head_words(trine_head h)
{
    switch (h) {
    case TRINE_HEAD_NONE: return "without a head";
    case TRINE_HEAD_LM: return "that writes text";
    case TRINE_HEAD_MLM: return "with a masked-language-model head";
    case TRINE_HEAD_LABELS: return "with a head for one label a text";
    case TRINE_HEAD_TAGS: return "with a head for one label a token";
    }
    return "";
}

/* The commands that run a model with this head. */
static unsigned suited_commands(trine_head h, trine_paradigm paradigm)
{
    unsigned always = CMD_INSPECT | CMD_TOKENIZE | CMD_DETOKENIZE | CMD_EMBED | CMD_TRACE | CMD_BENCH | CMD_CONVERT | CMD_QUANTIZE;
    switch (h) {
    case TRINE_HEAD_LM:
        if (paradigm == TRINE_ENCODER_DECODER) always |= CMD_FILL;
        return always | CMD_GENERATE | CMD_CHAT | CMD_TRANSLATE | CMD_SUMMARIZE | CMD_EVAL;
    case TRINE_HEAD_MLM: return always | CMD_FILL | CMD_EVAL;
    case TRINE_HEAD_LABELS: return always | CMD_CLASSIFY | CMD_EVAL;
    case TRINE_HEAD_TAGS: return always | CMD_TAG | CMD_EVAL;
    case TRINE_HEAD_NONE: break;
    }
    return always;
}

static const char *needed_head(command_id id)
{
    switch (id) {
    case CMD_FILL: return "a masked-language-model head (BertForMaskedLM and the like) or an encoder-decoder";
    case CMD_CLASSIFY: return "a sequence-classification head (BertForSequenceClassification and the like)";
    case CMD_TAG: return "a token-classification head (BertForTokenClassification and the like)";
    case CMD_EVAL: return "a head";
    default: return "a decoder or an encoder-decoder (GPT-2, Llama, T5 and the like)";
    }
}

static int check_suits(run *r)
{
    unsigned suited = suited_commands(r->info->head, r->info->paradigm);
    if (suited & (unsigned)r->command->id) return 0;
    char list[200] = "";
    size_t used = 0;
    for (int i = 0; i < trine_n_commands && used < sizeof list; i++) {
        const command *c = &trine_commands[i];
        if (!(suited & (unsigned)c->id) || (c->id & (CMD_TOKENIZE | CMD_DETOKENIZE | CMD_INSPECT | CMD_CONVERT | CMD_QUANTIZE)))
            continue;
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", c->name);
    }
    return fail(r, EXIT_DATA, "%s: is a %s %s %s; %s needs %s. What this model does: %s.", r->args.model, r->info->family,
                paradigm_name(r->info->paradigm), head_words(r->info->head), r->command->name, needed_head(r->command->id), list);
}

static void log_to_note(void *user, const char *text) { note(user, "%s", text); }

int open_model(run *r)
{
    const arguments *a = &r->args;
    int code = a->model ? take_shipped_model(r) : take_default_model(r);
    if (code) return code;
    code = r->command->id & (CMD_INSPECT | CMD_EVAL | CMD_BENCH | CMD_CONVERT | CMD_QUANTIZE) ? 0 : check_sources(r);
    if (code) return code;
    trine_error err = { 0 };
    trine_model_options options = { .cpu = a->cpu, .log = r->command->id == CMD_INSPECT ? NULL : log_to_note, .log_user = r };
    trine_rope_scaling rope = { 0 };
    if (GIVEN(a, rope_scale)) {
        rope = (trine_rope_scaling) { .kind = a->rope_scaling ? "linear" : "yarn", .scale = a->rope_scale };
    } else if (GIVEN(a, rope_scaling)) {
        return fail_usage(r, "--rope-scaling says how; --rope-scale X says by how much");
    }
    trine_status status = trine_model_open_adapted(&r->model, a->model, a->adapter, &options, rope.kind ? &rope : NULL, &err);
    if (status == TRINE_ERROR_NOT_FOUND && !a->adapter) return model_not_found(r, &err);
    if (status) return fail_status(r, status, &err);
    r->info = trine_model_get_info(r->model);
    r->tokenizer = trine_model_get_tokenizer(r->model);
    return check_suits(r);
}

int count_tokens(run *r, int *n, const input *in)
{
    if (!in->text) {
        *n = in->n_ids;
        return 0;
    }
    if (!r->tokenizer)
        return fail(r, EXIT_DATA,
                    "%s: holds no tokenizer; expected tokenizer.json, vocab.txt or the like beside it, or raw ids with --tokens",
                    r->args.model);
    trine_error err = { 0 };
    trine_encoding e;
    trine_status status = trine_tokenizer_encode(&e, r->tokenizer, in->text, in->bytes, NULL, &err);
    if (status) return fail_status(r, status, &err);
    *n = e.n;
    trine_encoding_clear(&e);
    return 0;
}

trine_task_options task_options(const run *r, const input *in)
{
    const arguments *a = &r->args;
    return (trine_task_options) {
        .pair = a->pair,
        .ids = in->ids,
        .n_ids = in->n_ids,
        .types = a->token_types.n ? a->token_types.items : NULL,
        .too_long = a->truncate ? TRINE_LONG_TRUNCATE
                    : a->chunk  ? TRINE_LONG_CHUNK
                                : TRINE_LONG_REFUSE,
        .top_k = a->top,
        .pooling = GIVEN(a, pooling) ? (trine_pooling)(a->pooling + 1) : TRINE_POOL_DEFAULT,
        .no_normalize = a->no_normalize,
    };
}

/* What was chosen for the user, and what it costs: said once, before the work. */
static void announce(run *r)
{
    const trine_memory *m = &r->memory;
    const char *level = strcmp(r->args.cpu, "auto") == 0 ? trine_cpu_best() : r->args.cpu;
    char weights[32], cache[64] = "", bytes[32], work[32], all[32];
    if (m->cache_bytes) {
        const char *type = trine_dtype_name(m->cache_type);
        snprintf(cache, sizeof cache, ", cache %s %s", show_bytes(bytes, (double)m->cache_bytes), type ? type : "?");
    }
    if (r->args.ctx && m->ctx) note(r, "context: %d tokens", m->ctx); /* one that was chosen the library tells, with its reason */
    note(r, "memory: %s (weights %s%s, work %s); %d thread%s, %s",
         show_bytes(all, (double)(m->weights_bytes + m->cache_bytes + m->arena_bytes)),
         show_bytes(weights, (double)m->weights_bytes), cache, show_bytes(work, (double)m->arena_bytes), m->n_threads,
         m->n_threads == 1 ? "" : "s", level);
}

int open_session(run *r, trine_session_options options)
{
    const arguments *a = &r->args;
    trine_error err = { 0 };
    options.n_threads = a->threads;
    if (!options.ctx) options.ctx = a->ctx;
    options.cache_type = a->cache_type;
    options.mask = a->mask.kind;
    options.prefix = a->mask.kind == TRINE_MASK_PREFIX ? a->mask.n : 0;
    options.window = a->mask.kind == TRINE_MASK_WINDOW ? a->mask.n : 0;
    const int trained = r->info->max_tokens;
    if (trained && options.ctx > trained && strcmp(r->info->positions, "rotary") == 0 && r->command->id != CMD_BENCH)
        return fail_usage(r, "-c %d is more than the %d tokens this model has positions for; --rope-scale %d stretches them",
                          options.ctx, trained, (options.ctx + trained - 1) / trained);
    trine_status status = trine_session_open(&r->session, r->model, &options, &err);
    if (status) return fail_status(r, status, &err);
    const int code = meet_first(r, interrupted() ? EXIT_INTERRUPTED : 0);
    if (code) return code;
    trine_session_memory(&r->memory, r->session);
    announce(r);
    return interrupted() ? EXIT_INTERRUPTED : 0;
}
