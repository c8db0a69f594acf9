/* bench_command.c - trine bench: how fast a model runs here, as a table or as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

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

/* ------------------------------------------------------------------------------------------------------ the machine */

/* Its limits at each number of threads that is asked for. */
typedef struct machine {
    trine_limits *limits; /* [n]; NULL: not measured */
    int n;
} machine;

static const trine_limits *limits_at(const machine *m, int n_threads)
{
    int i = m->n - 1;
    while (i > 0 && m->limits[i].n_threads != n_threads) i--;
    return &m->limits[i];
}

static int measure_limits(run *r, machine *m)
{
    trine_error err = { 0 };
    const int32_t *threads = bench_threads(r, &m->n);
    if (!r->args.limits) return 0;
    m->limits = calloc((size_t)m->n, sizeof *m->limits);
    if (!m->limits) return fail_memory(r);
    for (int i = 0; i < m->n; i++) {
        const trine_status status = trine_limits_measure(&m->limits[i], r->args.cpu, threads[i], &err);
        if (status) return fail_status(r, status, &err);
        if (interrupted()) return EXIT_INTERRUPTED;
    }
    return 0;
}

typedef struct figure {
    const char *key, *what, *unit;
    double value;
} figure;
enum { N_FIGURES = 6 };

static void figures_of(figure f[N_FIGURES], const trine_limits *l)
{
    const figure all[N_FIGURES] = {
        { "read_bytes", "memory, read", "GB/s", l->read_bytes },
        { "f32_ops", "f32, multiply and add", "GFLOP/s", l->f32_ops },
        { "bf16_ops", "bf16 dot product", "GFLOP/s", l->bf16_ops },
        { "int8_ops", "int8 dot product", "GOP/s", l->int8_ops },
        { "tile_bf16_ops", "bf16 tiles (AMX)", "GFLOP/s", l->tile_bf16_ops },
        { "tile_int8_ops", "int8 tiles (AMX)", "GOP/s", l->tile_int8_ops },
    };
    memcpy(f, all, sizeof all);
}

static void draw_limits(run *r, const trine_limits *l)
{
    figure f[N_FIGURES];
    char bytes[32];
    figures_of(f, l);
    print_style(r, STYLE_BOLD);
    print(r, "limits of this machine: %d thread%s, %s, memory by a buffer of %s\n", l->n_threads, l->n_threads == 1 ? "" : "s",
          l->cpu, show_bytes(bytes, (double)l->buffer_bytes));
    print_style(r, STYLE_NONE);
    for (int i = 0; i < N_FIGURES; i++)
        if (f[i].value > 0) print(r, "%-24s %11.1f %s\n", f[i].what, f[i].value / 1e9, f[i].unit);
}

static void write_limits(json_writer *j, const trine_limits *l)
{
    figure f[N_FIGURES];
    figures_of(f, l);
    jw_open(j, '{');
    jw_set_text(j, "cpu", l->cpu);
    jw_set_int(j, "threads", l->n_threads);
    for (int i = 0; i < N_FIGURES; i++) jw_set_real(j, f[i].key, f[i].value);
    jw_set_int(j, "buffer_bytes", (int64_t)l->buffer_bytes);
    jw_close(j, '}');
}

/* -------------------------------------------------------------------------------------------------------- the model */

/* The limit that is nearer: "81% read", "93% int8"; with tiles "143/11% int8". */
static void share_text(char *out, size_t size, const bench_shares *s)
{
    if (s->read >= s->vector && s->read >= s->tiles)
        snprintf(out, size, "%.0f%% read", 100 * s->read);
    else if (s->tiles > 0)
        snprintf(out, size, "%.0f/%.0f%% %s", 100 * s->vector, 100 * s->tiles, s->name);
    else
        snprintf(out, size, "%.0f%% %s", 100 * s->vector, s->name);
}

static void draw(run *r, const bench_results *all, const machine *m)
{
    char parameters[32], bytes[32], share[40] = "", threads[32] = "";
    const bool pairs = all->n && all->items[0].kind == BENCH_TRANSLATE, many = m->n > 1;
    bool tiles = false, beams = pairs;
    for (int i = 0; i < all->n; i++) beams &= all->items[i].batch == 1;
    if (!many) snprintf(threads, sizeof threads, "%d thread%s, ", r->memory.n_threads, r->memory.n_threads == 1 ? "" : "s");
    print_style(r, STYLE_BOLD);
    print(r, "%s: %s, %s parameters, %s %s, %s%s\n", base_name(r->args.model), r->info->family,
          show_count(parameters, (double)r->info->n_parameters), show_bytes(bytes, (double)r->info->weights_bytes),
          trine_dtype_name(r->info->weights_type), threads, cpu_name(r));
    print(r, "%-9s %s%6s %6s %5s %-5s %9s %9s %9s%s\n", "", many ? "threads " : "", "tokens", pairs ? "source" : "depth",
          beams ? "beams" : "batch", "cache", "best/s", "median/s", "best ms", m->limits ? "  of limit" : "");
    print_style(r, STYLE_NONE);
    for (int i = 0; i < all->n; i++) {
        const bench_result *b = &all->items[i];
        if (many) snprintf(threads, sizeof threads, "%7d ", b->threads);
        if (m->limits) {
            const bench_shares s = bench_share(b, r, limits_at(m, b->threads));
            share_text(share, sizeof share, &s);
            tiles |= strchr(share, '/') != NULL;
        }
        print(r, "%-9s %s%6d %6d %5d %-5s %9.1f %9.1f %9.2f%s%s\n", bench_kind_name(b->kind), many ? threads : "", b->tokens,
              pairs ? b->source : b->depth, beams ? b->beam : b->batch, b->cache_type ? trine_dtype_name(b->cache_type) : "-",
              rate(b, b->best_ms), rate(b, b->median_ms), b->best_ms, m->limits ? "  " : "", share);
    }
    if (tiles) puts_out(r, "(two shares: of the peak of vectors, and of that of tiles)\n");
}

static void write_results(json_writer *j, run *r, const bench_results *all, const machine *m)
{
    jw_set_text(j, "model", r->args.model);
    jw_set_text(j, "family", r->info->family);
    jw_set_int(j, "parameters", r->info->n_parameters);
    jw_set_int(j, "weights_bytes", (int64_t)r->info->weights_bytes);
    jw_set_text(j, "weights_type", trine_dtype_name(r->info->weights_type));
    if (m->n == 1) jw_set_int(j, "threads", r->memory.n_threads);
    jw_set_text(j, "cpu", cpu_name(r));
    jw_set_int(j, "repeat", r->args.repeat);
    jw_key(j, "results");
    jw_open(j, '[');
    for (int i = 0; i < all->n; i++) {
        const bench_result *b = &all->items[i];
        jw_open(j, '{');
        jw_set_text(j, "what", bench_kind_name(b->kind));
        jw_set_int(j, "threads", b->threads);
        jw_set_int(j, "tokens", b->tokens);
        if (b->kind == BENCH_TRANSLATE) {
            jw_set_int(j, "source", b->source);
            jw_set_int(j, "beam", b->beam);
        } else {
            jw_set_int(j, "depth", b->depth);
        }
        jw_set_int(j, "batch", b->batch);
        jw_set_text(j, "cache_type", b->cache_type ? trine_dtype_name(b->cache_type) : NULL);
        jw_set_real(j, "per_second", rate(b, b->best_ms));
        jw_set_real(j, "median_per_second", rate(b, b->median_ms));
        jw_set_real(j, "best_ms", b->best_ms);
        jw_set_real(j, "median_ms", b->median_ms);
        jw_set_real(j, "bytes", b->bytes);
        jw_set_real(j, "flops", b->flops);
        if (m->limits) {
            const bench_shares s = bench_share(b, r, limits_at(m, b->threads));
            jw_set_text(j, "peak", s.name);
            jw_set_real(j, "share_read", s.read);
            jw_set_real(j, "share_vector", s.vector);
            jw_set_real(j, "share_tiles", s.tiles);
        }
        jw_close(j, '}');
    }
    jw_close(j, ']');
}

/* The limits: one object, or where there are several numbers of threads a list of them. */
static void write_machine(json_writer *j, const machine *m)
{
    jw_key(j, "limits");
    if (m->n > 1) jw_open(j, '[');
    for (int i = 0; i < m->n; i++) write_limits(j, &m->limits[i]);
    if (m->n > 1) jw_close(j, ']');
}

static void tell(run *r, const bench_results *all, const machine *m)
{
    if (!r->args.json) {
        for (int i = 0; m->limits && i < m->n; i++) draw_limits(r, &m->limits[i]);
        if (r->model) draw(r, all, m);
        return;
    }
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    if (r->model) write_results(&j, r, all, m);
    if (m->limits) write_machine(&j, m);
    jw_close(&j, '}');
    jw_end(&j);
}

/* --------------------------------------------------------------------------------------------------------- the record */

/* Result number i is step i: a row of numbers, its kind in their names ("decode.per_second"). */
static trine_status keep_result(trine_record *record, int64_t id, int i, const bench_result *b, trine_error *err)
{
    const bool pairs = b->kind == BENCH_TRANSLATE;
    const struct {
        const char *name;
        double value;
    } numbers[] = { { "tokens", b->tokens },
                    { pairs ? "source" : "depth", pairs ? b->source : b->depth },
                    { "batch", b->batch },
                    { "threads", b->threads },
                    { "per_second", rate(b, b->best_ms) },
                    { "median_per_second", rate(b, b->median_ms) },
                    { "best_ms", b->best_ms },
                    { "beam", b->beam } };
    enum { N = sizeof numbers / sizeof *numbers };
    const int n = pairs ? N : N - 1;
    trine_metric metrics[N];
    char names[N][48];
    for (int k = 0; k < n; k++) {
        snprintf(names[k], sizeof names[k], "%s.%s", bench_kind_name(b->kind), numbers[k].name);
        metrics[k] = (trine_metric) { names[k], numbers[k].value };
    }
    return trine_record_metrics(record, id, i, metrics, n, err);
}

/* The run as the record has it: what was measured on, then what came out. */
static int keep(run *r, trine_record *record, const bench_results *all)
{
    trine_error err = { 0 };
    int64_t id;
    int n_counts; /* of threads */
    bench_threads(r, &n_counts);
    if (!record || !all->n) return 0;
    json_t *o = json_pack("{s:s,s:s,s:I,s:s,s:s,s:i}", "model", r->args.model, "family", r->info->family, "parameters",
                          (json_int_t)r->info->n_parameters, "weights_type", trine_dtype_name(r->info->weights_type), "cpu",
                          cpu_name(r), "repeat", r->args.repeat);
    json_t *caches = json_array(); /* of result i */
    if (n_counts == 1) json_object_set_new(o, "threads", json_integer(r->memory.n_threads));
    for (int i = 0; i < all->n; i++) {
        const trine_dtype type = all->items[i].cache_type;
        json_array_append_new(caches, type ? json_string(trine_dtype_name(type)) : json_null());
    }
    if (json_object_set_new(o, "cache_types", caches)) {
        json_decref(o);
        return fail_memory(r);
    }
    char *text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    if (!text) return fail_memory(r);
    trine_status status = trine_record_begin(&id, record, "bench", text, 0, &err);
    free(text);
    if (!status) {
        for (int i = 0; i < all->n && !status; i++) status = keep_result(record, id, i, &all->items[i], &err);
        trine_record_end(record, id, status ? "failed" : "done", NULL);
    }
    return status ? fail_status(r, status, &err) : 0;
}

int bench_main(run *r)
{
    bench_results all = { 0 };
    machine m = { 0 };
    const arguments *a = &r->args;
    if (a->rest.n) {
        if (GIVEN(a, model)) return fail_usage(r, "the model is given twice: '%s' and '%s'", a->model, a->rest.items[0]);
        r->args.model = a->rest.items[0];
    }
    trine_record *record = NULL;
    int code = measure_limits(r, &m);
    if (!code && (a->model || !a->limits)) code = open_model(r);
    if (!code && r->model) code = open_record(r, &record);
    if (!code && r->model) code = bench_measure(r, &all);
    if (!code && r->model && !all.n)
        code = fail_usage(
            r, "nothing to measure: no prompt or tokens were asked for, or none that fit the context of %d with the depth",
            r->info->max_tokens);
    if (!code) tell(r, &all, &m);
    if (!code) code = keep(r, record, &all);
    trine_record_close(record);
    free(all.items);
    free(m.limits);
    return code;
}
