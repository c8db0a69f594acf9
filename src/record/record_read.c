/* record_read.c - what the record holds: the runs, and a run's metrics as curves. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/status.h"
#include "record/record.h"

bool trine_record_grow(void **items, int n, size_t size)
{
    if (n & (n - 1)) return true; /* capacities are powers of two */
    void *more = realloc(*items, (n ? 2 * (size_t)n : 1) * size);
    if (!more) return false;
    *items = more;
    return true;
}

char *trine_record_text(bool *fine, sqlite3_stmt *s, int i)
{
    const char *text = (const char *)sqlite3_column_text(s, i);
    char *copy = strdup(text ? text : "");
    *fine &= copy != NULL;
    return copy;
}

bool trine_record_lacks(const void *out, const trine_record *record, trine_error *err)
{
    if (out && record) return false;
    trine_fail(err, TRINE_ERROR_ARGUMENT, "record: no %s", record ? "result" : "record");
    return true;
}

/* Whether nobody holds the lock of the directory that a run writes to: then it was killed. Where no lock is to be seen (another machine's
 * disk), it is thought to go on. */
static bool was_killed(const char *out)
{
    char *path = out ? trine_path_join(out, "training/lock") : NULL;
    const int lock = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    const bool killed = lock >= 0 && !flock(lock, LOCK_SH | LOCK_NB);
    if (lock >= 0) close(lock);
    free(path);
    return killed;
}

/* Of runs that nobody has ended, where they write; "" where a later run does so too. */
#define OUT(run)                                                                                                                   \
    "CASE WHEN json_valid(" run ".configuration) THEN json_extract(" run ".configuration, '$." TRINE_RECORD_OUT "') END"
static const char list_sql[] = "SELECT id, kind, configuration, seed, version, machine, started, ended, status, (SELECT max(step) "
                               "FROM metrics WHERE run=runs.id), "
                               "CASE WHEN status<>'running' THEN NULL "
                               "WHEN EXISTS(SELECT 1 FROM runs later WHERE later.id>runs.id AND " OUT("later") "=" OUT(
                                   "runs") ") THEN '' ELSE " OUT("runs") " END FROM runs ORDER BY id DESC";

/* How a run ended, or that it goes on; "killed" is what the record cannot have been told. */
static char *status_of(bool *fine, sqlite3_stmt *s)
{
    const char *out = (const char *)sqlite3_column_text(s, 10);
    if (!out || (*out && !was_killed(out))) return trine_record_text(fine, s, 8);
    char *copy = strdup("killed");
    *fine &= copy != NULL;
    return copy;
}

trine_status trine_record_list(trine_runs *out, trine_record *record, trine_error *err)
{
    if (out) *out = (trine_runs) { 0 };
    if (trine_record_lacks(out, record, err)) return TRINE_ERROR_ARGUMENT;
    sqlite3_stmt *s = NULL;
    bool fine = true;
    int code = sqlite3_prepare_v2(record->db, list_sql, -1, &s, NULL);
    while (!code && fine && (code = sqlite3_step(s)) == SQLITE_ROW) {
        code = SQLITE_OK;
        fine = trine_record_grow((void **)&out->items, out->n, sizeof *out->items);
        if (!fine) break;
        out->items[out->n++] = (trine_run_info) {
            .id = sqlite3_column_int64(s, 0),
            .kind = trine_record_text(&fine, s, 1),
            .configuration = trine_record_text(&fine, s, 2),
            .seed = (uint64_t)sqlite3_column_int64(s, 3),
            .version = trine_record_text(&fine, s, 4),
            .machine = trine_record_text(&fine, s, 5),
            .started = trine_record_text(&fine, s, 6),
            .ended = trine_record_text(&fine, s, 7),
            .status = status_of(&fine, s),
            .last_step = sqlite3_column_int64(s, 9),
        };
    }
    sqlite3_finalize(s);
    if (fine && (!code || code == SQLITE_DONE)) return TRINE_OK;
    trine_runs_clear(out);
    return fine ? trine_record_failed(record, code, "list its runs", err)
                : trine_fail(err, TRINE_ERROR_MEMORY, "record: no memory");
}

void trine_runs_clear(trine_runs *runs)
{
    if (!runs) return;
    for (int i = 0; i < runs->n; i++) {
        trine_run_info *r = &runs->items[i];
        free(r->kind);
        free(r->configuration);
        free(r->version);
        free(r->machine);
        free(r->started);
        free(r->ended);
        free(r->status);
    }
    free(runs->items);
    *runs = (trine_runs) { 0 };
}

trine_status trine_record_metric_names(trine_names *out, trine_record *record, int64_t run, trine_error *err)
{
    if (out) *out = (trine_names) { 0 };
    if (trine_record_lacks(out, record, err)) return TRINE_ERROR_ARGUMENT;
    sqlite3_stmt *s = NULL;
    bool fine = true;
    int code = sqlite3_prepare_v2(record->db, "SELECT DISTINCT name FROM metrics WHERE run=?1 ORDER BY name", -1, &s, NULL);
    if (!code) sqlite3_bind_int64(s, 1, run);
    while (!code && fine && (code = sqlite3_step(s)) == SQLITE_ROW) {
        code = SQLITE_OK;
        fine = trine_record_grow((void **)&out->items, out->n, sizeof *out->items);
        if (fine) out->items[out->n++] = trine_record_text(&fine, s, 0);
    }
    sqlite3_finalize(s);
    if (fine && (!code || code == SQLITE_DONE)) return TRINE_OK;
    trine_names_clear(out);
    return fine ? trine_record_failed(record, code, "read metrics", err) : trine_fail(err, TRINE_ERROR_MEMORY, "record: no memory");
}

void trine_names_clear(trine_names *names)
{
    if (!names) return;
    for (int i = 0; i < names->n; i++) free(names->items[i]);
    free(names->items);
    *names = (trine_names) { 0 };
}

trine_status trine_record_series(trine_series *out, trine_record *record, int64_t run, const char *name, trine_error *err)
{
    if (out) *out = (trine_series) { 0 };
    if (trine_record_lacks(out, record, err)) return TRINE_ERROR_ARGUMENT;
    sqlite3_stmt *s = NULL;
    bool fine = true;
    int code = sqlite3_prepare_v2(
        record->db, "SELECT step, value FROM metrics WHERE run=?1 AND name=?2 AND value IS NOT NULL ORDER BY step", -1, &s, NULL);
    if (!code) {
        sqlite3_bind_int64(s, 1, run);
        sqlite3_bind_text(s, 2, name, -1, SQLITE_STATIC);
    }
    while (!code && fine && (code = sqlite3_step(s)) == SQLITE_ROW) {
        code = SQLITE_OK;
        fine = trine_record_grow((void **)&out->steps, out->n, sizeof *out->steps) &&
               trine_record_grow((void **)&out->values, out->n, sizeof *out->values);
        if (!fine) break;
        out->steps[out->n] = sqlite3_column_int64(s, 0);
        out->values[out->n++] = sqlite3_column_double(s, 1);
    }
    sqlite3_finalize(s);
    if (fine && (!code || code == SQLITE_DONE)) return TRINE_OK;
    trine_series_clear(out);
    return fine ? trine_record_failed(record, code, "read a curve", err) : trine_fail(err, TRINE_ERROR_MEMORY, "record: no memory");
}

void trine_series_clear(trine_series *series)
{
    if (!series) return;
    free(series->steps);
    free(series->values);
    *series = (trine_series) { 0 };
}
