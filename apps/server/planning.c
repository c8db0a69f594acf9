/* planning.c - GET and POST /plan: what a model would take, by the planner that `trine plan` asks. Models are those of the server and
 * the published ones by name: no path of a request is ever opened. */
#include <stdlib.h>
#include <string.h>

#include "model_words.h"
#include "routes.h"

enum { PLAN_CONTEXTS = 32, PLAN_LONGEST = 1 << 24 };

static const trine_dtype cache_types[] = { TRINE_F32, TRINE_F16, TRINE_BF16, TRINE_Q8_0, TRINE_Q4_0 };
enum { N_CACHE_TYPES = sizeof cache_types / sizeof *cache_types };

void answer_plans(exchange *x)
{
    json_writer j = answer_begin(x);
    jw_open(&j, '{');
    jw_key(&j, "presets");
    jw_open(&j, '[');
    for (int i = 0; trine_preset(i); i++) jw_text(&j, trine_preset(i));
    jw_close(&j, ']');
    jw_key(&j, "weights");
    jw_open(&j, '[');
    for (int i = 0; trine_quantize_type(i); i++) jw_text(&j, trine_quantize_type(i));
    jw_close(&j, ']');
    jw_key(&j, "cache_types");
    jw_open(&j, '[');
    for (int i = 0; i < N_CACHE_TYPES; i++) jw_text(&j, trine_dtype_name(cache_types[i]));
    jw_close(&j, ']');
    jw_set_int(&j, "memory_available", (int64_t)trine_memory_available());
    jw_close(&j, '}');
}

/* A preset as it is, a model of the server by its path; NULL when the name is neither. */
static const char *planned_model(exchange *x, const char *name)
{
    int n;
    const served *models = engine_models(x->engine, &n);
    for (int i = 0; i < n; i++)
        if (strcmp(models[i].name, name) == 0) return models[i].info->path;
    for (int i = 0; trine_preset(i); i++)
        if (strcmp(trine_preset(i), name) == 0) return name;
    fail_request(x, 404, "model", "model_not_found",
                 "'%.100s' is no model here and none of the published ones that GET /plan lists", name);
    return NULL;
}

static const char *read_weights(exchange *x)
{
    const char *type = get_text(x, x->in, "weights", NULL);
    if (!type || x->failed) return NULL;
    for (int i = 0; trine_quantize_type(i); i++)
        if (strcmp(trine_quantize_type(i), type) == 0) return trine_quantize_type(i);
    fail_request(x, 400, "weights", NULL, "'weights' must be one of those that GET /plan lists, not '%.40s'", type);
    return NULL;
}

static trine_dtype read_cache_type(exchange *x)
{
    const char *type = get_text(x, x->in, "cache_type", "f16");
    for (int i = 0; type && i < N_CACHE_TYPES; i++)
        if (strcmp(trine_dtype_name(cache_types[i]), type) == 0) return cache_types[i];
    fail_request(x, 400, "cache_type", NULL, "'cache_type' must be one of f32, f16, bf16, q8_0, q4_0");
    return TRINE_F16;
}

/* The contexts asked for; none: the model's own. */
static int read_contexts(exchange *x, int contexts[PLAN_CONTEXTS])
{
    const json_t *list = get(x->in, "contexts"), *one;
    size_t i;
    int n = 0;
    contexts[0] = 0;
    if (!list) return 1;
    if (!json_is_array(list) || !json_array_size(list) || json_array_size(list) > PLAN_CONTEXTS) {
        fail_request(x, 400, "contexts", NULL, "'contexts' must be a list of 1 to %d numbers of tokens", PLAN_CONTEXTS);
        return 0;
    }
    json_array_foreach(list, i, one)
    {
        const int64_t ctx = json_integer_value(one);
        if (ctx < 1 || ctx > PLAN_LONGEST)
            fail_request(x, 400, "contexts", NULL, "'contexts' must hold numbers from 1 to %d", PLAN_LONGEST);
        else
            contexts[n++] = (int)ctx;
    }
    return n;
}

static void write_context(json_writer *j, const trine_session_bytes *b, size_t memory)
{
    jw_set_session_bytes(j, b);
    jw_set_int(j, "plain_attention_bytes", (int64_t)b->plain_attention_bytes);
    jw_set_bool(j, "fits", b->total_bytes <= memory);
}

static void write_plan(exchange *x, const trine_planner *planner, const char *name, const char *weights,
                       const trine_session_options *options, const int *contexts, int n, size_t memory)
{
    const trine_model_info *info = trine_planner_info(planner);
    trine_error err = { 0 };
    int longest = 0;
    const trine_status status = trine_planner_longest(&longest, planner, options, memory, &err);
    if (status) {
        fail_job(x, status, &err);
        return;
    }
    json_writer j = answer_begin(x);
    jw_open(&j, '{');
    jw_set_text(&j, "model", name);
    jw_set_text(&j, "source_of_facts", trine_planner_source(planner));
    jw_set_text(&j, "paradigm", paradigm_name(info->paradigm));
    jw_set_int(&j, "parameters", info->n_parameters);
    jw_set_text(&j, "weights", weights ? weights : trine_dtype_name(info->weights_type));
    jw_set_int(&j, "layers", info->paradigm == TRINE_ENCODER_DECODER ? info->n_decoder_layers : info->n_layers);
    jw_set_int(&j, "heads", info->n_heads);
    jw_set_int(&j, "kv_heads", info->n_kv_heads);
    jw_set_int(&j, "d_head", info->d_head);
    jw_set_int(&j, "max_tokens", info->max_tokens);
    jw_set_text(&j, "cache_type", trine_dtype_name(options->cache_type));
    jw_set_int(&j, "batch", options->n_sequences);
    jw_set_int(&j, "memory_bytes", (int64_t)memory);
    jw_set_int(&j, "longest_context", longest);
    jw_key(&j, "contexts");
    jw_open(&j, '[');
    for (int i = 0; i < n; i++) {
        trine_session_options o = *options;
        trine_session_bytes b;
        o.ctx = contexts[i];
        jw_open(&j, '{');
        const trine_status planned = trine_planner_session(&b, planner, &o, &err);
        jw_set_int(&j, "context", planned ? contexts[i] : b.options.ctx);
        if (planned)
            jw_set_text(&j, "impossible", err.text); /* beyond learned positions, or a type that heads do not take */
        else
            write_context(&j, &b, memory);
        jw_close(&j, '}');
    }
    jw_close(&j, ']');
    jw_close(&j, '}');
}

void answer_plan(exchange *x)
{
    int contexts[PLAN_CONTEXTS];
    const char *name = get_text(x, x->in, "model", NULL);
    const char *weights = read_weights(x);
    const trine_session_options options = { .cache_type = read_cache_type(x),
                                            .n_sequences = (int)get_int(x, x->in, "batch", 1, 4096, 1),
                                            .source_ctx = (int)get_int(x, x->in, "source_context", 1, PLAN_LONGEST, 0) };
    const size_t memory = (size_t)get_int(x, x->in, "memory", 1, INT64_MAX, (int64_t)trine_memory_available());
    const int n = read_contexts(x, contexts);
    if (!name && !x->failed)
        fail_request(x, 400, "model", NULL, "'model' must be a name that GET /plan lists, or a model's of this server");
    const char *model = name && !x->failed ? planned_model(x, name) : NULL;
    if (!model) return;
    trine_planner *planner;
    trine_error err = { 0 };
    const trine_planner_options planning = { .weights = weights };
    const trine_status status = trine_planner_open(&planner, model, &planning, &err);
    if (status) {
        fail_job(x, status, &err);
        return;
    }
    write_plan(x, planner, name, weights, &options, contexts, n, memory);
    trine_planner_close(planner);
}
