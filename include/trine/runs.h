/* runs.h - the record of experiments: every run of training and measuring, in SQLite. */
#ifndef TRINE_RUNS_H
#define TRINE_RUNS_H

#include "trine/basics.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------ the record of experiments */

/* Every run of train, finetune, compare and bench, in one SQLite file that several processes may write to at a time. A file that
 * is no record, or is damaged, is refused and never touched. A record belongs to one thread at a time. */
typedef struct trine_record trine_record;
/* `path` NULL: $XDG_DATA_HOME/trine/record.db (~/.local/share/trine/record.db). Made when it is not there, unless read_only. */
TRINE_API trine_status trine_record_open(trine_record **out, const char *path, bool read_only, trine_error *err);
TRINE_API void trine_record_close(trine_record *record);
/* A new run, its status "running". `kind`: the command, "train"; `configuration`: a JSON object. trine_build, the machine and the
 * time are added. */
TRINE_API trine_status trine_record_begin(int64_t *run, trine_record *record, const char *kind, const char *configuration,
                                          uint64_t seed, trine_error *err);
/* Goes on with a run after `step`: what it has recorded beyond is forgotten. ERROR_NOT_FOUND when it is not there. */
TRINE_API trine_status trine_record_resume(trine_record *record, int64_t run, int64_t step, trine_error *err);
typedef struct trine_metric {
    const char *name; /* "loss", "valid_loss", "tokens_per_second"... */
    double value;
} trine_metric;
/* The metrics of one step, all or none of them. */
TRINE_API trine_status trine_record_metrics(trine_record *record, int64_t run, int64_t step, const trine_metric *metrics, int n,
                                            trine_error *err);
/* How a run ended: "done", "stopped", "failed". */
TRINE_API trine_status trine_record_end(trine_record *record, int64_t run, const char *status, trine_error *err);

typedef struct trine_run_info {
    int64_t id;
    char *kind, *configuration, *version, *machine;
    char *started, *ended; /* "2026-01-31T12:00:00Z"; ended "" while it runs, and where it was killed */
    char *status;          /* "running", "done", "stopped", "failed"; "killed": nobody said so, and its directory's lock is free */
    uint64_t seed;
    int64_t last_step;
} trine_run_info;
typedef struct trine_runs {
    int n;
    trine_run_info *items;
} trine_runs;
/* All runs, the newest first. */
TRINE_API trine_status trine_record_list(trine_runs *out, trine_record *record, trine_error *err);
TRINE_API void trine_runs_clear(trine_runs *runs);
typedef struct trine_names {
    int n;
    char **items;
} trine_names;
/* The names of a run's metrics, sorted. */
TRINE_API trine_status trine_record_metric_names(trine_names *out, trine_record *record, int64_t run, trine_error *err);
TRINE_API void trine_names_clear(trine_names *names);
typedef struct trine_series {
    int n;
    int64_t *steps;
    double *values;
} trine_series;
/* One metric of a run by step; values that were not finite are left out. */
TRINE_API trine_status trine_record_series(trine_series *out, trine_record *record, int64_t run, const char *name,
                                           trine_error *err);
TRINE_API void trine_series_clear(trine_series *series);

/* A report that an experiment ended with, as trine_report_page wrote it, kept whole beside the runs that it tells of. */
typedef struct trine_kept_report {
    int64_t id;
    char *experiment, *title, *version, *machine;
    char *ended; /* "2026-01-31T12:00:00Z" */
    double seconds;
    char *page; /* HTML; NULL in a list */
} trine_kept_report;
typedef struct trine_kept_reports {
    int n;
    trine_kept_report *items;
} trine_kept_reports;
/* Keeps a page. `experiment`: "paradigms", "long-document"...; the version, the machine and the time are added. */
TRINE_API trine_status trine_record_keep_report(int64_t *id, trine_record *record, const char *experiment, const char *title,
                                                double seconds, const char *page, trine_error *err);
/* All reports without their pages, the newest first. Release with trine_kept_reports_clear. */
TRINE_API trine_status trine_record_list_reports(trine_kept_reports *out, trine_record *record, trine_error *err);
/* One report with its page, as a list of one. ERROR_NOT_FOUND. */
TRINE_API trine_status trine_record_get_report(trine_kept_reports *out, trine_record *record, int64_t id, trine_error *err);
TRINE_API void trine_kept_reports_clear(trine_kept_reports *reports);

#ifdef __cplusplus
}
#endif
#endif
