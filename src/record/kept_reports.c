/* kept_reports.c - reports kept whole: what an experiment found, as the page that it wrote. They are few and large, so they have a
 * table of their own, made when the first is kept: a record written before there were any is as good as new. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "record/record.h"

static const char table[] = "CREATE TABLE IF NOT EXISTS reports(id INTEGER PRIMARY KEY, experiment TEXT NOT NULL, title TEXT NOT "
                            "NULL, version TEXT NOT NULL, "
                            "machine TEXT NOT NULL, ended TEXT NOT NULL, seconds REAL NOT NULL, page TEXT NOT NULL)";

trine_status trine_record_keep_report(int64_t *id, trine_record *record, const char *experiment, const char *title, double seconds,
                                      const char *page, trine_error *err)
{
    char machine[TRINE_MACHINE_TEXT];
    sqlite3_stmt *s = NULL;
    *id = 0;
    trine_record_machine(machine, sizeof machine);
    int code = sqlite3_exec(record->db, table, NULL, NULL, NULL);
    if (!code)
        code = sqlite3_prepare_v2(record->db,
                                  "INSERT INTO reports(experiment, title, version, machine, ended, seconds, page) "
                                  "VALUES(?1, ?2, ?3, ?4, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), ?5, ?6)",
                                  -1, &s, NULL);
    if (!code) {
        sqlite3_bind_text(s, 1, experiment, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, title, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 3, trine_build(), -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 4, machine, -1, SQLITE_STATIC);
        sqlite3_bind_double(s, 5, seconds);
        sqlite3_bind_text(s, 6, page, -1, SQLITE_STATIC);
        code = sqlite3_step(s);
    }
    if (code == SQLITE_DONE) *id = sqlite3_last_insert_rowid(record->db);
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? TRINE_OK : trine_record_failed(record, code, "keep a report", err);
}

static trine_status has_table(bool *out, trine_record *record, trine_error *err)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(record->db, "SELECT 1 FROM sqlite_master WHERE type='table' AND name='reports'", -1, &s, NULL);
    if (!code) code = sqlite3_step(s);
    *out = code == SQLITE_ROW;
    sqlite3_finalize(s);
    return code == SQLITE_ROW || code == SQLITE_DONE ? TRINE_OK : trine_record_failed(record, code, "list its reports", err);
}

/* The rows of `sql`, whose columns are those of a list, and then the page if it is asked for. */
static trine_status read_rows(trine_kept_reports *out, trine_record *record, const char *sql, int64_t id, bool page,
                              trine_error *err)
{
    sqlite3_stmt *s = NULL;
    bool fine = true;
    int code = sqlite3_prepare_v2(record->db, sql, -1, &s, NULL);
    if (!code && sqlite3_bind_parameter_count(s)) sqlite3_bind_int64(s, 1, id);
    while (!code && fine && (code = sqlite3_step(s)) == SQLITE_ROW) {
        code = SQLITE_OK;
        fine = trine_record_grow((void **)&out->items, out->n, sizeof *out->items);
        if (!fine) break;
        out->items[out->n++] = (trine_kept_report) { .id = sqlite3_column_int64(s, 0),
                                                     .experiment = trine_record_text(&fine, s, 1),
                                                     .title = trine_record_text(&fine, s, 2),
                                                     .version = trine_record_text(&fine, s, 3),
                                                     .machine = trine_record_text(&fine, s, 4),
                                                     .ended = trine_record_text(&fine, s, 5),
                                                     .seconds = sqlite3_column_double(s, 6),
                                                     .page = page ? trine_record_text(&fine, s, 7) : NULL };
    }
    sqlite3_finalize(s);
    if (fine && (!code || code == SQLITE_DONE)) return TRINE_OK;
    trine_kept_reports_clear(out);
    return fine ? trine_record_failed(record, code, "read its reports", err)
                : trine_fail(err, TRINE_ERROR_MEMORY, "record: no memory");
}

trine_status trine_record_list_reports(trine_kept_reports *out, trine_record *record, trine_error *err)
{
    bool there;
    if (out) *out = (trine_kept_reports) { 0 };
    if (trine_record_lacks(out, record, err)) return TRINE_ERROR_ARGUMENT;
    const trine_status status = has_table(&there, record, err);
    if (status || !there) return status;
    return read_rows(out, record, "SELECT id, experiment, title, version, machine, ended, seconds FROM reports ORDER BY id DESC", 0,
                     false, err);
}

trine_status trine_record_get_report(trine_kept_reports *out, trine_record *record, int64_t id, trine_error *err)
{
    bool there;
    if (out) *out = (trine_kept_reports) { 0 };
    if (trine_record_lacks(out, record, err)) return TRINE_ERROR_ARGUMENT;
    trine_status status = has_table(&there, record, err);
    if (!status && there)
        status =
            read_rows(out, record, "SELECT id, experiment, title, version, machine, ended, seconds, page FROM reports WHERE id=?1",
                      id, true, err);
    if (!status && !out->n)
        return trine_fail(err, TRINE_ERROR_NOT_FOUND, "record '%s': there is no report %lld", record->path, (long long)id);
    return status;
}

void trine_kept_reports_clear(trine_kept_reports *reports)
{
    if (!reports) return;
    for (int i = 0; i < reports->n; i++) {
        trine_kept_report *r = &reports->items[i];
        free(r->experiment);
        free(r->title);
        free(r->version);
        free(r->machine);
        free(r->ended);
        free(r->page);
    }
    free(reports->items);
    *reports = (trine_kept_reports) { 0 };
}
