/* findings.c - see findings.h. */
#include "compare/findings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "train/draw.h"

enum { RESAMPLINGS = 1000, MOST_METRICS = 64 };

bool trine_findings_put(json_t *findings, const char *name, double value)
{
    json_t *list = json_object_get(findings, name);
    if (!list) {
        list = json_array();
        if (json_object_set_new(findings, name, list)) return false;
    }
    return !json_array_append_new(list, isfinite(value) ? json_real(value) : json_null());
}

double trine_findings_get(const json_t *findings, const char *name, int i)
{
    const json_t *value = json_array_get(json_object_get(findings, name), (size_t)i);
    return json_is_real(value) ? json_real_value(value) : (double)NAN;
}

int trine_findings_count(const json_t *findings, const char *name) { return (int)json_array_size(json_object_get(findings, name)); }

/* --------------------------------------------------------------------------------------------------------- the record */

static trine_status take_list(json_t *out, trine_record *record, int64_t run, const char *name, trine_error *err)
{
    trine_series s;
    trine_status status = trine_record_series(&s, record, run, name, err);
    if (status) return status;
    bool fine = true;
    int64_t at = 0;
    for (int i = 0; i < s.n && fine; i++, at++) {
        for (; at < s.steps[i] && fine; at++) fine = trine_findings_put(out, name, (double)NAN); /* was not finite */
        fine = fine && trine_findings_put(out, name, s.values[i]);
    }
    trine_series_clear(&s);
    return fine ? TRINE_OK : trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
}

static trine_status take_run(json_t **out, trine_record *record, int64_t run, trine_error *err)
{
    trine_names names;
    trine_status status = trine_record_metric_names(&names, record, run, err);
    if (status) return status;
    if (!(*out = json_object())) status = trine_fail(err, TRINE_ERROR_MEMORY, "compare: no memory");
    for (int i = 0; i < names.n && !status; i++) status = take_list(*out, record, run, names.items[i], err);
    trine_names_clear(&names);
    if (!status) return TRINE_OK;
    json_decref(*out);
    *out = NULL;
    return status;
}

trine_status trine_findings_recall(json_t **out, trine_record *record, const char *kind, const char *configuration, uint64_t seed,
                                   trine_error *err)
{
    *out = NULL;
    if (!record) return TRINE_OK;
    trine_runs runs;
    trine_status status = trine_record_list(&runs, record, err);
    if (status) return status;
    for (int i = 0; i < runs.n && !*out && !status; i++) {
        const trine_run_info *r = &runs.items[i];
        if (r->seed == seed && !strcmp(r->kind, kind) && !strcmp(r->status, "done") && !strcmp(r->version, trine_build()) &&
            !strcmp(r->configuration, configuration))
            status = take_run(out, record, r->id, err);
    }
    trine_runs_clear(&runs);
    return status;
}

trine_status trine_findings_keep(trine_record *record, const char *kind, const char *configuration, uint64_t seed,
                                 const json_t *findings, trine_error *err)
{
    if (!record) return TRINE_OK;
    int64_t run;
    size_t most = 0;
    const char *name;
    json_t *list;
    json_object_foreach((json_t *)(uintptr_t)findings, name, list) if (json_array_size(list) > most) most = json_array_size(list);
    trine_status status = trine_record_begin(&run, record, kind, configuration, seed, err);
    if (status) return status;
    for (size_t i = 0; i < most && !status; i++) {
        trine_metric metrics[MOST_METRICS];
        int n = 0;
        json_object_foreach((json_t *)(uintptr_t)findings, name, list)
        {
            const json_t *value = json_array_get(list, i);
            if (json_is_real(value) && n < MOST_METRICS) metrics[n++] = (trine_metric) { name, json_real_value(value) };
        }
        status = trine_record_metrics(record, run, (int64_t)i, metrics, n, err);
    }
    const trine_status ended = trine_record_end(record, run, status ? "failed" : "done", status ? NULL : err);
    return status ? status : ended;
}

/* ---------------------------------------------------------------------------------------------------------- intervals */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

trine_interval trine_interval_of(const double *const *lists, int n_lists, int n, uint64_t seed)
{
    double means[RESAMPLINGS], sum = 0;
    if (n < 1 || n_lists < 1) return (trine_interval) { (double)NAN, (double)NAN, (double)NAN };
    for (int s = 0; s < n_lists; s++)
        for (int i = 0; i < n; i++) sum += lists[s][i];
    trine_draws d = trine_draws_for(seed, TRINE_DRAW_MIXTURE, 0, (uint64_t)n);
    for (int k = 0; k < RESAMPLINGS; k++) {
        const double *chosen[16];
        const int n_chosen = n_lists < 16 ? n_lists : 16;
        for (int s = 0; s < n_chosen; s++) chosen[s] = lists[trine_draw_below(&d, (uint64_t)n_lists)];
        double one = 0;
        for (int i = 0; i < n; i++) {
            const uint64_t text = trine_draw_below(&d, (uint64_t)n);
            for (int s = 0; s < n_chosen; s++) one += chosen[s][text];
        }
        means[k] = one / ((double)n * n_chosen);
    }
    qsort(means, RESAMPLINGS, sizeof *means, by_value);
    return (trine_interval) { sum / ((double)n * n_lists), means[RESAMPLINGS * 25 / 1000], means[RESAMPLINGS * 975 / 1000 - 1] };
}
