/* documents.h - the texts of files: plain, packed by gzip, xz or zstd; as they stand, or a column of a table or of JSON lines. */
#ifndef TRINE_TASKS_DOCUMENTS_H
#define TRINE_TASKS_DOCUMENTS_H

#include "trine/runs.h"

typedef struct trine_documents_options {
    const char *column; /* with the text, in tables and JSON lines; NULL: text, sentence or content */
    const char *split;  /* plain text: "file" (one document), "lines", "blank" (parted by blank lines), or the mark between them;
                         * NULL: at <|endoftext|> where the file has it, else one document */
    bool plain;         /* without a column, tables and JSON lines are text as any */
} trine_documents_options;

/* One document; the text lives for the call only. */
typedef trine_status trine_document_fn(void *user, const char *text, size_t n, trine_error *err);

/* The files of `paths`, directories searched through in the order of names; hidden files are passed over. ERROR_NOT_FOUND, and
 * ERROR_FORMAT for a directory without files. */
trine_status trine_files_list(trine_names *out, const char *const *paths, int n_paths, trine_error *err);
/* Calls `each` for every document of one file that is not blank. */
trine_status trine_documents_read(const char *path, const trine_documents_options *options, trine_document_fn *each, void *user,
                                  trine_error *err);

#endif
