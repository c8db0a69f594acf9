/* bench_command.c - trine bench: how fast a model runs here, as a table or as JSON. */
#include <stdlib.h>

#include "bench.h"
#include "json_writer.h"

const char *bench_kind_name(bench_kind kind)
{
    static const char *const names[] = { "prefill", "decode", "encode", "translate" };
    return names[kind];
}

static const char *cpu_name(const run *r)
{
    return r->args.cpu[0] == 'a' && r->args.cpu[1] == 'u' ? trine_cpu_best() : r->args.cpu;
}

static double rate(const bench_result *b, double ms) { return ms > 0 ? b->units * 1000 / ms : 0; }

static void draw(run *r, const bench_results *all)
{
    char parameters[32], bytes[32];
    print_style(r, STYLE_BOLD);
    print(r, "%s: %s, %s parameters, %s %s, %d threads, %s\n", base_name(r->args.model), r->info->family,
          show_count(parameters, (double)r->info->n_parameters), show_bytes(bytes, (double)r->info->weights_bytes),
          trine_dtype_name(r->info->weights_type), r->memory.n_threads, cpu_name(r));
    const bool pairs = r->info->paradigm == TRINE_ENCODER_DECODER;
    print(r, "%-9s %6s %6s %5s %-5s %11s %11s %11s\n", "", "tokens", pairs ? "source" : "depth", pairs ? "beams" : "batch", "cache",
          "best/s", "median/s", "best ms");
    print_style(r, STYLE_NONE);
    for (int i = 0; i < all->n; i++) {
        const bench_result *b = &all->items[i];
        print(r, "%-9s %6d %6d %5d %-5s %11.1f %11.1f %11.2f\n", bench_kind_name(b->kind), b->tokens, pairs ? b->source : b->depth,
              pairs ? b->beam : b->batch, b->cache_type ? trine_dtype_name(b->cache_type) : "-", rate(b, b->best_ms),
              rate(b, b->median_ms), b->best_ms);
    }
}

static void write_json(run *r, const bench_results *all)
{
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    jw_set_text(&j, "model", r->args.model);
    jw_set_text(&j, "family", r->info->family);
    jw_set_int(&j, "parameters", r->info->n_parameters);
    jw_set_int(&j, "weights_bytes", (int64_t)r->info->weights_bytes);
    jw_set_text(&j, "weights_type", trine_dtype_name(r->info->weights_type));
    jw_set_int(&j, "threads", r->memory.n_threads);
    jw_set_text(&j, "cpu", cpu_name(r));
    jw_set_int(&j, "repeat", r->args.repeat);
    jw_key(&j, "results");
    jw_open(&j, '[');
    for (int i = 0; i < all->n; i++) {
        const bench_result *b = &all->items[i];
        jw_open(&j, '{');
        jw_set_text(&j, "what", bench_kind_name(b->kind));
        jw_set_int(&j, "tokens", b->tokens);
        if (b->kind == BENCH_TRANSLATE) {
            jw_set_int(&j, "source", b->source);
            jw_set_int(&j, "beam", b->beam);
        } else {
            jw_set_int(&j, "depth", b->depth);
            jw_set_int(&j, "batch", b->batch);
        }
        jw_set_text(&j, "cache_type", b->cache_type ? trine_dtype_name(b->cache_type) : NULL);
        jw_set_real(&j, "per_second", rate(b, b->best_ms));
        jw_set_real(&j, "median_per_second", rate(b, b->median_ms));
        jw_set_real(&j, "best_ms", b->best_ms);
        jw_set_real(&j, "median_ms", b->median_ms);
        jw_set_real(&j, "bytes", b->bytes);
        jw_set_real(&j, "flops", b->flops);
        jw_close(&j, '}');
    }
    jw_close(&j, ']');
    jw_close(&j, '}');
    jw_end(&j);
}

int bench_main(run *r)
{
    bench_results all = { 0 };
    if (r->args.rest.n) {
        if (GIVEN(&r->args, model))
            return fail_usage(r, "the model is given twice: '%s' and '%s'", r->args.model, r->args.rest.items[0]);
        r->args.model = r->args.rest.items[0];
    }
    int code = open_model(r);
    if (!code) code = bench_measure(r, &all);
    if (!code && r->args.json) write_json(r, &all);
    if (!code && !r->args.json) draw(r, &all);
    free(all.items);
    return code;
}
