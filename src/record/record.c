/* record.c - opens the record and writes to it. */
#include "record/record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/status.h"

enum {
    APPLICATION_ID = 0x7472696e, /* "trin": marks the file as ours */
    SCHEMA_VERSION = 1,
    BUSY_MS = 10000
};

static const char schema[] =
    "CREATE TABLE runs(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, configuration TEXT NOT NULL, seed INTEGER "
    "NOT NULL, version TEXT NOT NULL, machine TEXT NOT NULL, started TEXT NOT NULL, ended TEXT, status TEXT NOT "
    "NULL);"
    "CREATE TABLE metrics(run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, step INTEGER NOT NULL, "
    "name TEXT NOT NULL, value REAL, PRIMARY KEY(run, name, step)) WITHOUT ROWID;"
    "PRAGMA application_id=1953655150; PRAGMA user_version=1;";

trine_status trine_record_failed(const trine_record *r, int code, const char *doing, trine_error *err)
{
    const char *path = r->path;
    switch (code & 0xff) {
    case SQLITE_NOMEM: return trine_fail(err, TRINE_ERROR_MEMORY, "record '%s': no memory to %s", path, doing);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return trine_fail(err, TRINE_ERROR_IO,
                          "record '%s': another process has it locked: wait for it to end, or name another file (--record)", path);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return trine_fail(
            err, TRINE_ERROR_FORMAT,
            "record '%s': this is no SQLite database, or it is damaged (%s): it was not changed; move it away (`sqlite3 "
            "FILE .recover` may save what is in it), or name another file (--record)",
            path, sqlite3_errmsg(r->db));
    case SQLITE_FULL:
        return trine_fail(err, TRINE_ERROR_IO, "record '%s': the disk is full: make room, or name another file (--record)", path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return trine_fail(err, TRINE_ERROR_IO, "record '%s': it may not be written: name another file (--record)", path);
    default: break;
    }
    return trine_fail(err, TRINE_ERROR_IO, "record '%s': cannot %s: %s", path, doing, sqlite3_errmsg(r->db));
}

static trine_status run_sql(trine_record *r, const char *sql, const char *doing, trine_error *err)
{
    const int code = sqlite3_exec(r->db, sql, NULL, NULL, NULL);
    return code ? trine_record_failed(r, code, doing, err) : TRINE_OK;
}

/* One number of a pragma or a count. */
static trine_status ask(int64_t *out, trine_record *r, const char *sql, trine_error *err)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(r->db, sql, -1, &s, NULL);
    if (!code && (code = sqlite3_step(s)) == SQLITE_ROW) {
        *out = sqlite3_column_int64(s, 0);
        code = SQLITE_OK;
    }
    sqlite3_finalize(s);
    return code && code != SQLITE_DONE ? trine_record_failed(r, code, "read it", err) : TRINE_OK;
}

/* ---------------------------------------------------------------------------------------------------------- the path */

/* $XDG_DATA_HOME/trine/record.db, or ~/.local/share/trine/record.db. */
static char *default_path(void)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    trine_buffer b = { 0 };
    if (data && *data == '/')
        trine_buffer_printf(&b, "%s/trine/record.db", data);
    else if (home && *home)
        trine_buffer_printf(&b, "%s/.local/share/trine/record.db", home);
    else
        return NULL;
    return trine_buffer_take(&b);
}

/* Makes the folders above a file. */
static trine_status make_folders(char *path, trine_error *err)
{
    for (char *p = path + 1; *p; p++) {
        if (*p != '/') continue;
        *p = 0;
        const int failed = mkdir(path, 0777) && errno != EEXIST;
        if (failed) trine_fail(err, TRINE_ERROR_IO, "record: cannot make the folder '%s': %s", path, strerror(errno));
        *p = '/';
        if (failed) return TRINE_ERROR_IO;
    }
    return TRINE_OK;
}

static trine_status check_ours(trine_record *r, bool read_only, trine_error *err)
{
    int64_t id = 0, version = 0, tables = 0;
    trine_status status = ask(&id, r, "PRAGMA application_id", err);
    if (!status) status = ask(&version, r, "PRAGMA user_version", err);
    if (!status) status = ask(&tables, r, "SELECT count(*) FROM sqlite_master", err);
    if (status) return status;
    if (!id && !tables && !read_only) { /* new: two processes may both find it so, and the second then finds it made */
        if ((status = run_sql(r, "PRAGMA journal_mode=WAL; BEGIN IMMEDIATE", "write it", err))) return status;
        status = ask(&tables, r, "SELECT count(*) FROM sqlite_master", err);
        if (!status && !tables) status = run_sql(r, schema, "make its tables", err);
        if (!status) return run_sql(r, "COMMIT", "make its tables", err);
        sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
        return status;
    }
    if (!id && !tables)
        return trine_fail(err, TRINE_ERROR_NOT_FOUND,
                          "record '%s': there is nothing in it yet: train, finetune and bench write to it", r->path);
    if (id != APPLICATION_ID)
        return trine_fail(err, TRINE_ERROR_FORMAT,
                          "record '%s': a database of another program: it was not changed; name another file (--record)", r->path);
    if (version != SCHEMA_VERSION)
        return trine_fail(err, TRINE_ERROR_UNSUPPORTED,
                          "record '%s': written by another version of trine (form %lld, expected %d): name another file (--record)",
                          r->path, (long long)version, SCHEMA_VERSION);
    return TRINE_OK;
}

trine_status trine_record_open(trine_record **out, const char *path, bool read_only, trine_error *err)
{
    *out = NULL;
    trine_record *r = calloc(1, sizeof *r);
    if (!r) return trine_fail(err, TRINE_ERROR_MEMORY, "record: no memory");
    r->path = path ? strdup(path) : default_path();
    trine_status status = TRINE_OK;
    if (path && !*path)
        status = trine_fail(err, TRINE_ERROR_ARGUMENT, "record: an empty path: name a file, or none for the usual one");
    else if (!r->path)
        status = path ? trine_fail(err, TRINE_ERROR_MEMORY, "record: no memory")
                      : trine_fail(err, TRINE_ERROR_NOT_FOUND,
                                   "record: no home folder (HOME, XDG_DATA_HOME) to keep it in: name a file "
                                   "(--record)");
    if (!status && !path && !read_only) status = make_folders(r->path, err);
    if (!status && read_only && !trine_file_exists(r->path))
        status = trine_fail(err, TRINE_ERROR_NOT_FOUND,
                            "record '%s': there is none yet: train, finetune, compare and bench make it", r->path);
    if (!status) {
        const int flags = read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
        const int code = sqlite3_open_v2(r->path, &r->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
        if (code) status = trine_record_failed(r, code, "open it", err);
    }
    if (!status) {
        sqlite3_busy_timeout(r->db, BUSY_MS);
        status = check_ours(r, read_only, err);
    }
    /* Commits do not wait for the disk: a run survives a crash of the program, and of the machine all but its last steps. */
    if (!status && !read_only) status = run_sql(r, "PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON", "open it", err);
    if (status) {
        trine_record_close(r);
        return status;
    }
    *out = r;
    return TRINE_OK;
}

void trine_record_close(trine_record *record)
{
    if (!record) return;
    sqlite3_finalize(record->put);
    sqlite3_close(record->db);
    free(record->path);
    free(record);
}

/* ------------------------------------------------------------------------------------------------------------ a run */

void trine_record_machine(char *out, size_t cap)
{
    char model[128] = "unknown processor", *text;
    size_t n;
    if (!trine_file_read(&text, &n, "/proc/cpuinfo", (size_t)64 << 20, NULL)) {
        const char *at = strstr(text, "model name"), *colon = at ? strchr(at, ':') : NULL;
        if (colon) snprintf(model, sizeof model, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        free(text);
    }
    snprintf(out, cap, "%s, %d cores, %s", model, trine_cpu_cores(), trine_cpu_best());
}

/* SQLite's own JSON tells. */
static bool is_object(trine_record *record, const char *text)
{
    sqlite3_stmt *s = NULL;
    bool is = false;
    if (!sqlite3_prepare_v2(record->db, "SELECT CASE WHEN json_valid(?1) THEN json_type(?1)='object' ELSE 0 END", -1, &s, NULL)) {
        sqlite3_bind_text(s, 1, text, -1, SQLITE_STATIC);
        is = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int(s, 0);
    }
    sqlite3_finalize(s);
    return is;
}

trine_status trine_record_begin(int64_t *run, trine_record *record, const char *kind, const char *configuration, uint64_t seed,
                                trine_error *err)
{
    char machine[TRINE_MACHINE_TEXT];
    sqlite3_stmt *s = NULL;
    *run = 0;
    if (!is_object(record, configuration ? configuration : "{}"))
        return trine_fail(err, TRINE_ERROR_ARGUMENT, "record: the configuration is no JSON object");
    trine_record_machine(machine, sizeof machine);
    int code = sqlite3_prepare_v2(record->db,
                                  "INSERT INTO runs(kind, configuration, seed, version, machine, started, status) "
                                  "VALUES(?1, ?2, ?3, ?4, ?5, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), 'running')",
                                  -1, &s, NULL);
    if (!code) {
        sqlite3_bind_text(s, 1, kind, -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 2, configuration ? configuration : "{}", -1, SQLITE_STATIC);
        sqlite3_bind_int64(s, 3, (int64_t)seed);
        sqlite3_bind_text(s, 4, trine_build(), -1, SQLITE_STATIC);
        sqlite3_bind_text(s, 5, machine, -1, SQLITE_TRANSIENT);
        code = sqlite3_step(s);
    }
    if (code == SQLITE_DONE) *run = sqlite3_last_insert_rowid(record->db);
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? TRINE_OK : trine_record_failed(record, code, "write a run", err);
}

/* Runs a statement with up to two numbers. */
static int run_numbers(trine_record *r, const char *sql, int64_t a, int64_t b)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(r->db, sql, -1, &s, NULL);
    if (code) return code;
    sqlite3_bind_int64(s, 1, a);
    if (sqlite3_bind_parameter_count(s) > 1) sqlite3_bind_int64(s, 2, b);
    code = sqlite3_step(s);
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

trine_status trine_record_resume(trine_record *record, int64_t run, int64_t step, trine_error *err)
{
    int code = run_numbers(record, "UPDATE runs SET status='running', ended=NULL WHERE id=?1", run, 0);
    if (!code && !sqlite3_changes(record->db))
        return trine_fail(err, TRINE_ERROR_NOT_FOUND, "record '%s': there is no run %lld", record->path, (long long)run);
    if (!code) code = run_numbers(record, "DELETE FROM metrics WHERE run=?1 AND step>?2", run, step);
    return code ? trine_record_failed(record, code, "go on with a run", err) : TRINE_OK;
}

trine_status trine_record_set_configuration(trine_record *record, int64_t run, const char *configuration, trine_error *err)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(record->db, "UPDATE runs SET configuration=?2 WHERE id=?1", -1, &s, NULL);
    if (!code) {
        sqlite3_bind_int64(s, 1, run);
        sqlite3_bind_text(s, 2, configuration, -1, SQLITE_STATIC);
        code = sqlite3_step(s);
    }
    sqlite3_finalize(s);
    return code == SQLITE_DONE ? TRINE_OK : trine_record_failed(record, code, "go on with a run", err);
}

trine_status trine_record_metrics(trine_record *record, int64_t run, int64_t step, const trine_metric *metrics, int n,
                                  trine_error *err)
{
    int code = SQLITE_OK;
    if (n < 0 || (n && !metrics)) return trine_fail(err, TRINE_ERROR_ARGUMENT, "record: %d metrics that are not there", n);
    if (!record->put)
        code = sqlite3_prepare_v2(record->db, "INSERT OR REPLACE INTO metrics(run, step, name, value) VALUES(?1, ?2, ?3, ?4)", -1,
                                  &record->put, NULL);
    if (!code) code = sqlite3_exec(record->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    const bool begun = !code;
    for (int i = 0; i < n && !code; i++) {
        sqlite3_bind_int64(record->put, 1, run);
        sqlite3_bind_int64(record->put, 2, step);
        sqlite3_bind_text(record->put, 3, metrics[i].name, -1, SQLITE_STATIC);
        sqlite3_bind_double(record->put, 4, metrics[i].value); /* not a number becomes NULL */
        code = sqlite3_step(record->put);
        sqlite3_reset(record->put);
        if (code == SQLITE_DONE) code = SQLITE_OK;
    }
    if (!code) code = sqlite3_exec(record->db, "COMMIT", NULL, NULL, NULL);
    if (!code) return TRINE_OK;
    const trine_status status = trine_record_failed(record, code, "write metrics", err);
    if (begun) sqlite3_exec(record->db, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

trine_status trine_record_end(trine_record *record, int64_t run, const char *status, trine_error *err)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(record->db, "UPDATE runs SET status=?2, ended=strftime('%Y-%m-%dT%H:%M:%SZ', 'now') WHERE id=?1",
                                  -1, &s, NULL);
    if (!code) {
        sqlite3_bind_int64(s, 1, run);
        sqlite3_bind_text(s, 2, status, -1, SQLITE_STATIC);
        code = sqlite3_step(s);
    }
    sqlite3_finalize(s);
    if (code == SQLITE_DONE && !sqlite3_changes(record->db))
        return trine_fail(err, TRINE_ERROR_NOT_FOUND, "record '%s': there is no run %lld", record->path, (long long)run);
    return code == SQLITE_DONE ? TRINE_OK : trine_record_failed(record, code, "write how a run ended", err);
}
