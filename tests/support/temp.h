/* temp.h - a folder for one test, and small files in it. */
#ifndef TRINE_TESTS_TEMP_H
#define TRINE_TESTS_TEMP_H

#include <stddef.h>

/* Makes an empty folder (under TMPDIR or /tmp) whose path stays valid until temp_remove. */
const char *temp_make(void);
/* The folder that was made last. */
const char *temp_folder(void);
/* The same as setup and teardown of a cmocka test. */
int temp_set_up(void **state);
int temp_tear_down(void **state);
/* Removes the folder with all that is in it. */
void temp_remove(void);
/* "FOLDER/name"; of the last 16 asked for, so that several fit one expression. */
const char *temp_path(const char *name);
/* Writes a file in the folder; returns its path. */
const char *temp_write(const char *name, const void *bytes, size_t n);
/* Number of entries in a folder, -1 when there is none. */
int temp_count(const char *path);

#endif
