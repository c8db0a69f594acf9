/* plan_command.c - trine plan: a model's memory by part, what fits, what would make the rest fit, and the rates it cannot exceed. */
#include "plan.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static int open_planner(trine_planner **out, run *r, const char *weights)
{
    trine_error err;
    const trine_planner_options options = { .weights = weights, .cpu = r->args.cpu };
    const trine_status status = trine_planner_open(out, r->args.model, &options, &err);
    return status ? fail_status(r, status, &err) : 0;
}

/* ------------------------------------------------------------------------------------------------------------ rates */

static double least_seconds(const plan_machine *m, const bench_result *work)
{
    const double read = m->bandwidth > 0 ? work->bytes / m->bandwidth : 0, compute = m->ops > 0 ? work->flops / m->ops : 0;
    return read > compute ? read : compute;
}

/* What a machine of these limits does at most: the least that must be read and computed, as trine bench counts it. */
static void bound_rates(plan_context *c, const plan_report *p)
{
    trine_weight_uses uses;
    const trine_session_options *o = &c->bytes.options;
    const int n_texts = p->options.n_sequences > 1 ? p->options.n_sequences : 1;
    trine_planner_weight_uses(&uses, p->planner);
    bench_result step = { .kind = BENCH_DECODE, .tokens = 1, .depth = o->ctx - 1, .batch = n_texts, .cache_type = o->cache_type };
    bench_result read = { .kind = BENCH_PREFILL, .tokens = o->ctx, .batch = 1, .cache_type = o->cache_type };
    double units = o->ctx;
    if (p->info->paradigm == TRINE_ENCODER) {
        read = (bench_result) { .kind = BENCH_ENCODE, .tokens = o->ctx, .batch = n_texts };
        units = n_texts;
    } else if (p->info->paradigm == TRINE_ENCODER_DECODER) {
        read = (bench_result) {
            .kind = BENCH_TRANSLATE, .tokens = o->ctx, .source = o->source_ctx, .batch = 1, .beam = 1, .cache_type = o->cache_type
        };
    } else {
        bench_count_work(&step, p->info, &uses);
        const double seconds = least_seconds(&p->machine, &step);
        c->step_bytes = step.bytes;
        if (seconds > 0) c->step_rate = n_texts / seconds;
    }
    bench_count_work(&read, p->info, &uses);
    const double seconds = least_seconds(&p->machine, &read);
    if (seconds > 0) c->read_rate = units / seconds;
}

/* ---------------------------------------------------------------------------------------------------------- contexts */

static int plan_one(plan_context *c, run *r, const plan_report *p, int ctx)
{
    trine_error err;
    trine_session_options o = p->options;
    o.ctx = ctx;
    trine_status status = trine_planner_session(&c->bytes, p->planner, &o, &err);
    if (!status) status = trine_planner_largest_batch(&c->largest_batch, p->planner, &o, p->machine.memory, &err);
    if (status) return fail_status(r, status, &err);
    c->fits = c->bytes.total_bytes <= p->machine.memory;
    bound_rates(c, p);
    return interrupted() ? EXIT_INTERRUPTED : 0;
}

static int plan_contexts(run *r, plan_report *p)
{
    const id_list *asked = &r->args.contexts;
    trine_error err;
    if (asked->n > PLAN_CONTEXTS) return fail_usage(r, "-c takes %d contexts at most, not %d", PLAN_CONTEXTS, asked->n);
    p->n_contexts = asked->n ? asked->n : 1;
    for (int i = 0; i < p->n_contexts; i++) {
        const int code = plan_one(&p->contexts[i], r, p, asked->n ? asked->items[i] : 0);
        if (code) return code;
    }
    const trine_status status = trine_planner_longest(&p->longest, p->planner, &p->options, p->machine.memory, &err);
    return status ? fail_status(r, status, &err) : 0;
}

static int longest_asked(const plan_report *p)
{
    int ctx = 1;
    for (int i = 0; i < p->n_contexts; i++)
        if (p->contexts[i].bytes.options.ctx > ctx) ctx = p->contexts[i].bytes.options.ctx;
    return ctx;
}

/* ------------------------------------------------------------------------------------------------------------- types */

static const trine_dtype cache_types[] = { TRINE_F32, TRINE_F16, TRINE_Q8_0, TRINE_Q4_0 };
enum { N_CACHE_TYPES = sizeof cache_types / sizeof *cache_types };

/* A planner of another type of weights: NULL where there is none, without a word. */
static trine_planner *other_weights(const run *r, const char *type)
{
    trine_planner *planner;
    const trine_planner_options options = { .weights = type, .cpu = r->args.cpu };
    return trine_planner_open(&planner, r->args.model, &options, NULL) ? NULL : planner;
}

static bool fill_type(plan_type *t, const trine_planner *planner, const plan_report *p, trine_dtype cache_type, int ctx)
{
    trine_session_options o = p->options;
    o.cache_type = cache_type;
    o.ctx = ctx;
    if (trine_planner_session(&t->bytes, planner, &o, NULL) ||
        trine_planner_longest(&t->longest, planner, &o, p->machine.memory, NULL))
        return false;
    t->fits = t->bytes.total_bytes <= p->machine.memory;
    return true;
}

/* Every type of the cache with these weights, and every type of weights with this cache. */
static int plan_types(run *r, plan_report *p)
{
    const int ctx = longest_asked(p);
    for (int i = 0; i < N_CACHE_TYPES && p->info->paradigm != TRINE_ENCODER; i++) {
        plan_type *t = &p->cache_types[p->n_cache_types];
        *t = (plan_type) { .name = trine_dtype_name(cache_types[i]), .cache_type = cache_types[i] };
        if (fill_type(t, p->planner, p, cache_types[i], ctx)) p->n_cache_types++;
    }
    for (int i = 0; trine_quantize_type(i) && p->n_weight_types < PLAN_TYPES; i++) {
        plan_type *t = &p->weight_types[p->n_weight_types];
        *t = (plan_type) { .name = trine_quantize_type(i) };
        trine_planner *other = other_weights(r, t->name);
        if (other && fill_type(t, other, p, p->options.cache_type, ctx)) p->n_weight_types++;
        trine_planner_close(other);
        if (interrupted()) return EXIT_INTERRUPTED;
    }
    return 0;
}

/* ---------------------------------------------------------------------------------------------------------- remedies */

/* The first of the types of the cache, from the one asked for down, that fits with these weights. */
static bool try_weights(plan_remedy *out, const trine_planner *planner, const char *weights, const plan_report *p, int ctx)
{
    trine_session_options o = p->options;
    o.ctx = ctx;
    static const trine_dtype smaller[] = { TRINE_DTYPE_DEFAULT, TRINE_F16, TRINE_Q8_0, TRINE_Q4_0 };
    size_t before = SIZE_MAX;
    for (size_t i = 0; i < sizeof smaller / sizeof *smaller; i++) {
        trine_session_bytes b;
        if (smaller[i]) o.cache_type = smaller[i];
        if (trine_planner_session(&b, planner, &o, NULL) || b.total_bytes >= before) continue;
        before = b.total_bytes;
        if (b.total_bytes > p->machine.memory) continue;
        *out = (plan_remedy) { .found = true, .weights = weights, .cache_type = o.cache_type, .bytes = b };
        return true;
    }
    return false;
}

/* Smaller caches cost less than smaller weights, which come after them, the best first. */
static int plan_remedies(run *r, plan_report *p)
{
    static const char *const weights[] = { "bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0" };
    for (int i = 0; i < p->n_contexts; i++) {
        const int ctx = p->contexts[i].bytes.options.ctx;
        if (p->contexts[i].fits || try_weights(&p->remedies[i], p->planner, NULL, p, ctx)) continue;
        for (size_t k = 0; k < sizeof weights / sizeof *weights && !p->remedies[i].found; k++) {
            trine_planner *other = other_weights(r, weights[k]);
            if (other && trine_planner_info(other)->weights_bytes < p->info->weights_bytes)
                try_weights(&p->remedies[i], other, weights[k], p, ctx);
            trine_planner_close(other);
            if (interrupted()) return EXIT_INTERRUPTED;
        }
    }
    return 0;
}

/* --------------------------------------------------------------------------------------------------------------- all */

int plan_main(run *r)
{
    const arguments *a = &r->args;
    char weights[32] = "";
    if (a->rest.n) {
        if (GIVEN(a, model)) return fail_usage(r, "the model is given twice: '%s' and '%s'", a->model, a->rest.items[0]);
        r->args.model = a->rest.items[0];
    }
    if (!a->model)
        return fail_usage(r,
                          "no model: give a directory, a config.json, a .gguf or .safetensors file, or a name such as llama-3-8b");
    if (a->verify && GIVEN(a, weights)) return fail_usage(r, "--verify runs the model as it is: not with --weights");
    int code = take_shipped_model(r);
    if (code) return code;
    if (a->lora && !a->train) return fail_usage(r, "--lora is of a training step: with --train");
    if (a->train && GIVEN(a, weights))
        return fail_usage(r, "--weights is of a model that runs: what learns, and what it learns beside, is f32 (--bf16)");
    if (a->train && GIVEN(a, ctx)) return fail_usage(r, "-c is of a model that runs: a training step has sequences of --seq-len");
    if (!a->train && GIVEN(a, optimizer)) return fail_usage(r, "--optimizer is of a training step: with --train");
    plan_report *p = calloc(1, sizeof *p);
    if (!p) return fail_memory(r);
    if (GIVEN(a, weights)) {
        for (int i = 0; trine_quantize_type(i); i++)
            if (i == a->weights) snprintf(weights, sizeof weights, "%s", trine_quantize_type(i));
    }
    code = open_planner(&p->planner, r, *weights ? weights : NULL);
    if (!code && a->verify && strcmp(trine_planner_source(p->planner), "file") != 0)
        code = fail_usage(r, "'%s' has no weights to run: --verify needs a model's directory or file", a->model);
    /* Before a plan is printed that cannot be verified. */
    if (!code && a->verify && a->train && !strcmp(trine_planner_info(p->planner)->container, "gguf"))
        code = fail(r, EXIT_DATA,
                    "'%s' is a GGUF file: to verify training, make a directory of it first (trine convert --type f32)", a->model);
    if (!code && a->train) {
        code = plan_train(r, p->planner);
        trine_planner_close(p->planner);
        free(p);
        return code;
    }
    if (!code) {
        p->name = base_name(a->model);
        p->info = trine_planner_info(p->planner);
        p->weights = *weights ? weights : trine_dtype_name(p->info->weights_type);
        p->options = (trine_session_options) {
            .n_threads = a->threads, .source_ctx = a->source_ctx, .n_sequences = a->n_sequences, .cache_type = a->cache_type
        };
        code = plan_machine_of(&p->machine, r, p->info->weights_type);
    }
    if (!code) code = plan_contexts(r, p);
    if (!code && (a->details || a->json)) code = plan_types(r, p);
    if (!code) code = plan_remedies(r, p);
    if (!code && !a->json) code = plan_draw(r, p);
    if (!code && a->verify) code = plan_verify(r, p);
    if (!code && a->json) plan_write_json(r, p);
    trine_planner_close(p->planner);
    free(p);
    return code;
}
