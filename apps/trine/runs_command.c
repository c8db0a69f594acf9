/* runs_command.c - trine runs: lists what the record holds, and draws the curves of runs, of the record and of files of metrics. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "curves.h"
#include "json_writer.h"
#include "metrics_file.h"

enum { SHOWN = 20, CURVES = 24, LEGEND = 24 };

static const trine_run_info *find_run(const trine_runs *runs, int64_t id)
{
    for (int i = 0; i < runs->n; i++)
        if (runs->items[i].id == id) return &runs->items[i];
    return NULL;
}

/* ------------------------------------------------------------------------------------------------------------ a list */

static void write_run(json_writer *j, const trine_run_info *i)
{
    jw_set_int(j, "id", i->id);
    jw_set_text(j, "kind", i->kind);
    jw_set_text(j, "status", i->status);
    jw_set_text(j, "started", i->started);
    jw_set_text(j, "ended", *i->ended ? i->ended : NULL);
    jw_set_int(j, "last_step", i->last_step);
    jw_key(j, "seed");
    jw_unsigned(j, i->seed);
    jw_set_text(j, "version", i->version);
    jw_set_text(j, "machine", i->machine);
    jw_set_text(j, "configuration", i->configuration);
}

static int last_value(run *r, double *out, bool *there, trine_record *record, int64_t run_id, const char *name)
{
    trine_series s;
    trine_error err = { 0 };
    const trine_status status = trine_record_series(&s, record, run_id, name, &err);
    if (status) return fail_status(r, status, &err);
    *there = s.n > 0;
    *out = s.n ? s.values[s.n - 1] : 0;
    trine_series_clear(&s);
    return 0;
}

static int list_runs(run *r, trine_record *record, const trine_runs *runs)
{
    if (r->args.json) {
        for (int i = 0; i < runs->n && !output_failed(r); i++) {
            json_writer j = jw_begin(r);
            jw_open(&j, '{');
            write_run(&j, &runs->items[i]);
            jw_close(&j, '}');
            jw_end(&j);
        }
        return EXIT_DONE;
    }
    if (!runs->n) puts_out(r, "no runs yet\n");
    const int shown = runs->n < SHOWN ? runs->n : SHOWN;
    if (shown) {
        print_style(r, STYLE_DIM);
        puts_out(r, "  id  kind       started           status     step       loss  valid loss\n");
        print_style(r, STYLE_NONE);
    }
    for (int i = 0; i < shown; i++) {
        const trine_run_info *k = &runs->items[i];
        double loss = 0, valid = 0;
        bool has_loss = false, has_valid = false;
        int code = last_value(r, &loss, &has_loss, record, k->id, "loss");
        if (!code) code = last_value(r, &valid, &has_valid, record, k->id, "valid_loss");
        if (code) return code;
        char loss_text[24] = "-", valid_text[24] = "-";
        if (has_loss) snprintf(loss_text, sizeof loss_text, "%.4f", loss);
        if (has_valid) snprintf(valid_text, sizeof valid_text, "%.4f", valid);
        print(r, "%4lld  %-10.10s %.10s %.5s  %-8.8s %6lld %10s  %10s\n", (long long)k->id, k->kind, k->started,
              strlen(k->started) > 11 ? k->started + 11 : "", k->status, (long long)k->last_step, loss_text, valid_text);
    }
    if (shown < runs->n) print(r, "(and %d older; --json lists all)\n", runs->n - shown);
    return EXIT_DONE;
}

/* ------------------------------------------------------------------------------------------------------------ curves */

/* What is drawn: curves, and the memory of their names. */
typedef struct drawing {
    curve curves[CURVES];
    char names[CURVES][64];
    int n;
} drawing;

/* Where a run's metrics are: in the record, or in the lines of a file. */
typedef struct metrics {
    trine_record *record;
    int64_t id;
    const json_t *lines; /* or NULL */
} metrics;

static int series_of(run *r, trine_series *out, const metrics *of, const char *name)
{
    trine_error err = { 0 };
    if (of->lines) return metrics_series(out, of->lines, name) ? 0 : fail_memory(r);
    const trine_status status = trine_record_series(out, of->record, of->id, name, &err);
    return status ? fail_status(r, status, &err) : 0;
}

static int names_of(run *r, trine_names *out, const metrics *of)
{
    trine_error err = { 0 };
    if (of->lines) return metrics_names(out, of->lines) ? 0 : fail_memory(r);
    const trine_status status = trine_record_metric_names(out, of->record, of->id, &err);
    return status ? fail_status(r, status, &err) : 0;
}

/* All that there is, in a line. A run may have none yet. */
static int list_names(run *r, char has[512], const metrics *of)
{
    trine_names all;
    has[0] = 0;
    const int code = names_of(r, &all, of);
    if (code) return code;
    for (int i = 0; i < all.n; i++) snprintf(has + strlen(has), 512 - strlen(has), "%s%.60s", i ? ", " : "", all.items[i]);
    trine_names_clear(&all);
    return 0;
}

/* A metric that a run does not have, or losses (NULL): which it has is said. */
static int no_metric(run *r, const metrics *of, const char *run_name, const char *metric)
{
    char has[512];
    const int code = list_names(r, has, of);
    if (code || !*has) return code; /* the chart says so */
    if (!metric) return fail(r, EXIT_DATA, "%s has no losses; name what to draw (--metric): %s", run_name, has);
    return fail(r, EXIT_DATA, "%s has no '%s'; it has: %s", run_name, metric, has);
}

/* Adds the metrics to draw of a run: those of --metric, or its losses. */
static int add_curves(run *r, drawing *d, const metrics *of, const char *run_name)
{
    static const char *const losses[] = { "loss", "valid_loss" };
    const bool given = r->args.metrics_shown.n > 0;
    const int n_names = given ? r->args.metrics_shown.n : 2;
    int n_empty = 0;
    for (int i = 0; i < n_names && d->n < CURVES; i++) {
        const char *name = given ? r->args.metrics_shown.items[i] : losses[i];
        curve *c = &d->curves[d->n];
        const int code = series_of(r, &c->series, of, name);
        if (code) return code;
        if (!c->series.n) {
            trine_series_clear(&c->series);
            if (given) return no_metric(r, of, run_name, name);
            n_empty++;
            continue;
        }
        snprintf(d->names[d->n], sizeof d->names[0], r->args.rest.n > 1 ? "%.30s of %.24s" : "%.40s", name, run_name);
        c->name = d->names[d->n++];
        c->higher_is_better = !strstr(name, "loss") && !strstr(name, "perplexity");
    }
    /* A recorded run is worth showing without them. */
    return n_empty == n_names && (of->lines || r->args.svg) ? no_metric(r, of, run_name, NULL) : 0;
}

static void write_curves(run *r, const trine_run_info *info, const char *path, const curve *curves, int n)
{
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    if (info)
        write_run(&j, info);
    else
        jw_set_text(&j, "path", path);
    jw_key(&j, "metrics");
    jw_open(&j, '{');
    for (int c = 0; c < n; c++) {
        jw_key(&j, curves[c].name);
        jw_open(&j, '[');
        for (int i = 0; i < curves[c].series.n; i++) {
            jw_open(&j, '[');
            jw_int(&j, curves[c].series.steps[i]);
            jw_real(&j, curves[c].series.values[i]);
            jw_close(&j, ']');
        }
        jw_close(&j, ']');
    }
    jw_close(&j, '}');
    jw_close(&j, '}');
    jw_end(&j);
}

/* --json: every metric of a run, or of the file at `path`. */
static int tell(run *r, const metrics *of, const trine_run_info *info, const char *path)
{
    trine_names all;
    int code = names_of(r, &all, of), n = 0;
    if (code) return code;
    curve *curves = calloc((size_t)all.n + 1, sizeof *curves);
    if (!curves) code = fail_memory(r);
    for (; curves && n < all.n && !code; n++) {
        curves[n].name = all.items[n];
        code = series_of(r, &curves[n].series, of, all.items[n]);
    }
    if (curves && !code) write_curves(r, info, path, curves, n);
    for (int i = 0; curves && i < n; i++) trine_series_clear(&curves[i].series);
    free(curves);
    trine_names_clear(&all);
    return code;
}

/* A line for each of its keys. */
static void print_configuration(run *r, const char *text)
{
    json_t *o = json_loads(text, 0, NULL), *value;
    const char *key;
    json_object_foreach(o, key, value)
    {
        char *one = json_is_string(value) ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        print(r, "  %-20s %s\n", key, json_is_string(value) ? json_string_value(value) : one ? one : "");
        free(one);
    }
    json_decref(o);
}

static int show_recorded(run *r, drawing *d, trine_record *record, const trine_runs *runs, int64_t id)
{
    const trine_run_info *info = find_run(runs, id);
    const metrics of = { record, id, NULL };
    char name[32];
    if (!info) return fail(r, EXIT_DATA, "there is no run %lld; `trine runs` lists them", (long long)id);
    if (r->args.json && !r->args.svg) return tell(r, &of, info, NULL);
    snprintf(name, sizeof name, "run %lld", (long long)id);
    const int before = d->n;
    int code = add_curves(r, d, &of, name);
    if (code || r->args.svg) return code;
    print_style(r, STYLE_BOLD);
    print(r, "run %lld: %s, %s, %s", (long long)info->id, info->kind, info->status, info->started);
    print_style(r, STYLE_NONE);
    puts_out(r, "\n");
    print_configuration(r, info->configuration);
    if (d->n > before) return 0;
    char has[512];
    code = list_names(r, has, &of);
    if (!code && *has) print(r, "no losses to draw; --metric draws one of %s\n", has);
    if (!code && !*has) puts_out(r, "(no values yet)\n");
    return code;
}

/* The end of a path, for a legend: whole names of it, where they fit, without .jsonl. */
static void name_after(char *out, size_t cap, const char *path)
{
    static const char extension[] = ".jsonl";
    const size_t all = strlen(path), more = sizeof extension - 1;
    const size_t bytes = all > more && !strcmp(path + all - more, extension) ? all - more : all;
    const char *end = path + (bytes > LEGEND ? bytes - LEGEND : 0), *name = bytes > LEGEND ? strchr(end, '/') : NULL;
    if (name && name + 1 < path + bytes) end = name + 1;
    snprintf(out, cap, "%.*s", (int)(path + bytes - end), end);
}

static int show_file(run *r, drawing *d, const char *path)
{
    json_t *lines = NULL;
    char name[LEGEND + 1];
    int code = read_metrics(r, &lines, path);
    name_after(name, sizeof name, path);
    const metrics of = { .lines = lines };
    if (!code) code = r->args.json && !r->args.svg ? tell(r, &of, NULL, path) : add_curves(r, d, &of, name);
    json_decref(lines);
    return code;
}

/* Whether an argument is the number of a run. */
static bool is_number(int64_t *id, const char *text)
{
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    *id = value;
    return end != text && !*end && !errno;
}

static int show_runs(run *r, trine_record *record, const trine_runs *runs)
{
    drawing *d = calloc(1, sizeof *d);
    if (!d) return fail_memory(r);
    int code = 0;
    for (int i = 0; i < r->args.rest.n && !code; i++) {
        const char *text = r->args.rest.items[i];
        int64_t id;
        if (is_number(&id, text))
            code = show_recorded(r, d, record, runs, id);
        else if (access(text, F_OK) == 0)
            code = show_file(r, d, text);
        else
            code = fail_usage(r, "'%s' is no number of a run, which `trine runs` lists, and no file of metrics", text);
    }
    if (!code && r->args.svg)
        code = write_svg(r, r->args.svg, d->curves, d->n);
    else if (!code && !r->args.json && d->n)
        code = draw_curves(r, d->curves, d->n);
    for (int i = 0; i < d->n; i++) trine_series_clear(&d->curves[i].series);
    free(d);
    return code;
}

/* Files alone need no record. */
static bool needs_record(const run *r)
{
    int64_t id;
    for (int i = 0; i < r->args.rest.n; i++)
        if (is_number(&id, r->args.rest.items[i])) return true;
    return !r->args.rest.n;
}

int runs_main(run *r)
{
    trine_record *record = NULL;
    trine_runs runs = { 0 };
    trine_error err = { 0 };
    trine_status status = TRINE_OK;
    if (r->args.svg && !r->args.rest.n) return fail_usage(r, "--svg draws runs: expected their numbers");
    if (needs_record(r)) status = trine_record_open(&record, r->args.record, true, &err);
    if (!status && record) status = trine_record_list(&runs, record, &err);
    const int code = status           ? fail_status(r, status, &err)
                     : r->args.rest.n ? show_runs(r, record, &runs)
                                      : list_runs(r, record, &runs);
    trine_runs_clear(&runs);
    trine_record_close(record);
    return code;
}
