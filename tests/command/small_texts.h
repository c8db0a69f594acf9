/* small_texts.h - labelled and tagged texts that a tiny model learns in a few steps; in the folder of temp.h. */
#ifndef TRINE_TESTS_SMALL_TEXTS_H
#define TRINE_TESTS_SMALL_TEXTS_H

#include <stdio.h>

#include "support/temp.h"

/* n rows, of two labels in turn. `path` gets where they are. */
static inline void write_labelled(char path[400], int n)
{
    char b[4000];
    size_t bytes = (size_t)snprintf(b, sizeof b, "label\tsentence\n");
    for (int i = 0; i < n; i++)
        bytes += (size_t)snprintf(b + bytes, sizeof b - bytes, i % 2 ? "yes\tthe cat sat\n" : "no\ta dog ran and ran\n");
    snprintf(path, 400, "%s", temp_write("labelled.tsv", b, bytes));
}

/* 2 n sentences, of two kinds of entities in turn. */
static inline void write_tagged(char path[400], int n)
{
    char b[4000];
    size_t bytes = 0;
    for (int i = 0; i < n; i++)
        bytes += (size_t)snprintf(b + bytes, sizeof b - bytes, "the\tO\ncat\tI-PER\nsat\tO\n\na\tO\ndog\tI-LOC\nran\tO\n\n");
    snprintf(path, 400, "%s", temp_write("tagged.conll", b, bytes));
}

#endif
