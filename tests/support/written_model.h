/* written_model.h - a model of random f32 weights, as large as a test wants it, written as a directory to temp_path("."). */
#ifndef TRINE_TESTS_WRITTEN_MODEL_H
#define TRINE_TESTS_WRITTEN_MODEL_H

#include "checkpoint/checkpoint.h"

enum { WRITTEN_TENSORS = 128, WRITTEN_NAME = 96 };

typedef struct written_model {
    trine_tensor tensors[WRITTEN_TENSORS];
    char names[WRITTEN_TENSORS][WRITTEN_NAME];
    int n;
} written_model; /* zeroed; not moved once it has tensors */

/* A matrix of numbers within 0.05, or a vector of ones where cols is 0. */
void written_add(written_model *m, int rows, int cols, const char *name, ...) __attribute__((format(printf, 4, 5)));
/* model.safetensors, and config.json of this text. */
void written_end(written_model *m, const char *config, ...) __attribute__((format(printf, 2, 3)));

#endif
