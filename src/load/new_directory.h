/* new_directory.h - a directory that appears under its name whole or not at all: filled beside it, renamed. */
#ifndef TRINE_LOAD_NEW_DIRECTORY_H
#define TRINE_LOAD_NEW_DIRECTORY_H

#include "trine/basics.h"

typedef struct trine_new_directory {
    char *path, *temporary; /* files go to `temporary` */
    bool overwrite;
    int n_files; /* written so far, and their bytes */
    int64_t bytes;
} trine_new_directory;

/* ERROR_IO when `path` exists and is not to be overwritten, or holds what no model's directory does: nothing else is deleted. */
trine_status trine_new_directory_open(trine_new_directory *d, const char *path, bool overwrite, trine_error *err);
/* A temporary directory beside `path`, whatever that is or will be: it is never committed. */
trine_status trine_new_directory_beside(trine_new_directory *d, const char *path, trine_error *err);
/* Renames, when all of it is on the disk; on failure the old directory is as it was. Ends it either way. */
trine_status trine_new_directory_commit(trine_new_directory *d, trine_error *err);
void trine_new_directory_abandon(trine_new_directory *d); /* removes the temporary directory; fine after commit */

/* Removes a file, or a directory with all in it, that trine itself has made; what cannot be removed stays. */
void trine_directory_remove(const char *path);

#endif
