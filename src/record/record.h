/* record.h - the record of experiments: every run with its configuration, seed and machine, and its metrics by step, in one SQLite
 * file. trine.h has what callers use; this is what the files of the room share.
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

/* The key of a configuration that says where a run writes: a directory whose training/lock the run holds (flock) as long as it lives. */
#define TRINE_RECORD_OUT "out"
/* Another configuration for a run: one that goes on in a directory that was moved. */
trine_status trine_record_set_configuration(trine_record *record, int64_t run, const char *configuration, trine_error *err);
/* Whether there is no record to read, or no place for what is read; err says which. */
bool trine_record_lacks(const void *out, const trine_record *record, trine_error *err);
/* What SQLite said, as a status with what to do about it. */
trine_status trine_record_failed(const trine_record *r, int code, const char *doing, trine_error *err);
enum { TRINE_MACHINE_TEXT = 200 };
/* "AMD EPYC 9B45, 2 cores, avx512-bf16" */
void trine_record_machine(char *out, size_t cap);
/* Room for one more item of `size` bytes in an array of n; false when there is no memory. */
bool trine_record_grow(void **items, int n, size_t size);
/* Column `i` as new text; "" for NULL. *fine is cleared when there is no memory. */
char *trine_record_text(bool *fine, sqlite3_stmt *s, int i);

#endif
