/* file.h - files read by mapping or whole, and written so that the final name only ever shows a whole file. */
#ifndef TRINE_BASE_FILE_H
#define TRINE_BASE_FILE_H

#include "trine/basics.h"

typedef struct trine_mapping {
    const unsigned char *data;
    size_t size;
} trine_mapping;
/* Maps a file read-only. ERROR_NOT_FOUND, ERROR_IO (a directory, no permission), ERROR_FORMAT (empty). */
trine_status trine_mapping_open(trine_mapping *out, const char *path, trine_error *err);
void trine_mapping_close(trine_mapping *mapping);
/* Tells the system that [offset, offset + n) will not be read again soon: its pages leave resident memory. */
void trine_mapping_forget(const trine_mapping *mapping, size_t offset, size_t n);

/* The whole of a file (at most `limit` bytes) with a zero after it; released by free. */
trine_status trine_file_read(char **out, size_t *n, const char *path, size_t limit, trine_error *err);
/* Like it, but unpacks .gz, .xz and .zst by their first bytes. */
trine_status trine_file_read_packed(char **out, size_t *n, const char *path, size_t limit, trine_error *err);
bool trine_file_exists(const char *path);
/* Whether "dir/name" is there; ERROR_MEMORY, and false. */
trine_status trine_file_beside(bool *out, const char *dir, const char *name, trine_error *err);
bool trine_is_directory(const char *path);
/* Whether the file or directory `in` is what `out` names; a file given for the directory it lies in counts too. */
bool trine_same_place(const char *in, const char *out);
/* "dir/name" in new memory (free), or NULL when memory ran out. */
char *trine_path_join(const char *dir, const char *name);

/* Waits until the names in a directory are on the disk: a new name is there after a power failure too. File systems that cannot do this
 * are none the worse for it. trine_parent_sync: the directory that `path` lies in. ERROR_IO. */
trine_status trine_directory_sync(const char *dir, trine_error *err);
trine_status trine_parent_sync(const char *path, trine_error *err);

/* A file that appears under its name whole or not at all: written beside it, flushed, renamed. */
typedef struct trine_writer {
    int fd;
    char *path, *temporary;
    bool overwrite;
    unsigned char *buffer;
    size_t buffered;
    uint64_t written;  /* bytes so far */
    trine_error error; /* the first failure; sticky */
} trine_writer;
/* Whether `path` may be written, as trine_writer_open asks: for who begins with something else. */
trine_status trine_writer_check(const char *path, bool overwrite, trine_error *err);
trine_status trine_writer_open(trine_writer *w, const char *path, bool overwrite, trine_error *err);
void trine_writer_write(trine_writer *w, const void *bytes, size_t n); /* failures are sticky, told by commit */
/* Flushes, syncs and renames; on failure the temporary file is gone and the final name untouched. Ends the writer either way. */
trine_status trine_writer_commit(trine_writer *w, trine_error *err);
void trine_writer_abandon(trine_writer *w); /* removes the temporary file; fine after commit */
/* Makes a directory, or is content with the one that is there. */
trine_status trine_directory_make(const char *path, trine_error *err);
/* A text and a newline as the file "dir/name", by such a writer. `text` NULL: memory ran out before. */
trine_status trine_text_write(const char *dir, const char *name, const char *text, bool overwrite, trine_error *err);

#endif
