/* record.h - the record of experiments: every run with its configuration, seed and machine, and its metrics by step, in one SQLite
 * file. trine.h has what callers use; this is what the two files of the room share.
 *
 * Several processes may write at a time: the file is in WAL mode, writers wait for each other. A file that is no record, or
 * damaged, is refused and never touched. */
#ifndef TRINE_RECORD_RECORD_H
#define TRINE_RECORD_RECORD_H

#include <sqlite3.h>

#include "trine/runs.h"

struct trine_record {
    sqlite3 *db;
    char *path;
    sqlite3_stmt *put; /* a metric */
};

/* What SQLite said, as a status with what to do about it. */
trine_status trine_record_failed(const trine_record *r, int code, const char *doing, trine_error *err);

#endif
