/* runs_command.c - trine runs: lists what the record holds, and draws the curves of runs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "curves.h"
#include "json_writer.h"

enum { SHOWN = 20, CURVES = 24 };

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

/* The metrics to draw of a run: those of --metric, or its losses. */
static int curves_of(run *r, curve *curves, int *n, char names[][64], trine_record *record, int64_t id, bool several)
{
    static const char *const losses[] = { "loss", "valid_loss" };
    const bool given = r->args.metrics_shown.n > 0;
    const int n_names = given ? r->args.metrics_shown.n : 2;
    for (int i = 0; i < n_names && *n < CURVES; i++) {
        const char *name = given ? r->args.metrics_shown.items[i] : losses[i];
        trine_error err = { 0 };
        curve *c = &curves[*n];
        const trine_status status = trine_record_series(&c->series, record, id, name, &err);
        if (status) return fail_status(r, status, &err);
        if (!c->series.n && !given) {
            trine_series_clear(&c->series);
            continue;
        }
        snprintf(names[*n], 64, several ? "%.40s of run %lld" : "%.40s", name, (long long)id);
        c->name = names[*n];
        c->higher_is_better = !strstr(name, "loss") && !strstr(name, "perplexity");
        (*n)++;
    }
    return 0;
}

static void write_curves(run *r, const trine_run_info *info, const curve *curves, int n)
{
    json_writer j = jw_begin(r);
    jw_open(&j, '{');
    write_run(&j, info);
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

/* --json: every metric of each run. */
static int tell_runs(run *r, trine_record *record, const trine_run_info *info)
{
    trine_names all;
    trine_error err = { 0 };
    trine_status status = trine_record_metric_names(&all, record, info->id, &err);
    if (status) return fail_status(r, status, &err);
    curve *curves = calloc((size_t)all.n + 1, sizeof *curves);
    int code = curves ? 0 : fail_memory(r), n = 0;
    for (; curves && n < all.n && !code; n++) {
        curves[n].name = all.items[n];
        status = trine_record_series(&curves[n].series, record, info->id, all.items[n], &err);
        if (status) code = fail_status(r, status, &err);
    }
    if (curves && !code) write_curves(r, info, curves, n);
    for (int i = 0; curves && i < n; i++) trine_series_clear(&curves[i].series);
    free(curves);
    trine_names_clear(&all);
    return code;
}

static int show_runs(run *r, trine_record *record, const trine_runs *runs)
{
    curve curves[CURVES] = { 0 };
    char names[CURVES][64];
    int n = 0, code = 0;
    const text_list *ids = &r->args.rest;
    for (int i = 0; i < ids->n && !code; i++) {
        char *end;
        errno = 0;
        const long long id = strtoll(ids->items[i], &end, 10);
        if (end == ids->items[i] || *end || errno) {
            code = fail_usage(r, "'%s' is no number of a run; `trine runs` lists them", ids->items[i]);
            break;
        }
        const trine_run_info *info = find_run(runs, id);
        if (!info) {
            code = fail(r, EXIT_DATA, "there is no run %lld; `trine runs` lists them", id);
            break;
        }
        if (r->args.json && !r->args.svg)
            code = tell_runs(r, record, info);
        else
            code = curves_of(r, curves, &n, names, record, id, ids->n > 1);
        if (code || r->args.json || r->args.svg) continue;
        print_style(r, STYLE_BOLD);
        print(r, "run %lld: %s, %s, %s", (long long)info->id, info->kind, info->status, info->started);
        print_style(r, STYLE_NONE);
        print(r, "\n%.*s\n", 4 * r->width, info->configuration);
    }
    if (!code && r->args.svg)
        code = write_svg(r, r->args.svg, curves, n);
    else if (!code && !r->args.json)
        code = draw_curves(r, curves, n);
    for (int i = 0; i < n; i++) trine_series_clear(&curves[i].series);
    return code;
}

int runs_main(run *r)
{
    trine_record *record;
    trine_runs runs = { 0 };
    trine_error err = { 0 };
    if (r->args.svg && !r->args.rest.n) return fail_usage(r, "--svg draws runs: expected their numbers");
    trine_status status = trine_record_open(&record, r->args.record, true, &err);
    if (!status) status = trine_record_list(&runs, record, &err);
    const int code = status           ? fail_status(r, status, &err)
                     : r->args.rest.n ? show_runs(r, record, &runs)
                                      : list_runs(r, record, &runs);
    trine_runs_clear(&runs);
    trine_record_close(record);
    return code;
}
